package hasura

import (
	"net/http"
	"time"

	"postern/server"
)

func (d *Door) seenSessionRoutes() []route {
	return []route{
		{method: "GET", path: "/user/sessions", handle: d.listSessions},
		{method: "DELETE", path: "/user/sessions/{id}", handle: d.endSession},
	}
}

// seenSession is a session in the list of its user.
type seenSession struct {
	ID         string    `json:"id"`
	CreatedAt  time.Time `json:"createdAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Device     string    `json:"device"`
	UserAgent  string    `json:"userAgent"`
	Network    string    `json:"network"`
	Methods    []string  `json:"methods"`
	AAL        int       `json:"aal"`
	Current    bool      `json:"current"`
	ClientID   string    `json:"clientId,omitempty"`
	ClientName string    `json:"clientName,omitempty"`
}

type sessionList struct {
	Sessions []seenSession `json:"sessions"`
}

func (d *Door) listSessions(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	found, err := d.Sessions.OfActor(r.Context(), actor)
	if err != nil {
		return err
	}
	list := sessionList{make([]seenSession, len(found))}
	for i, s := range found {
		methods := make([]string, len(s.AMR))
		for j, m := range s.AMR {
			methods[j] = m.Method
		}
		list.Sessions[i] = seenSession{
			ID: s.ID, CreatedAt: s.CreatedAt.UTC(), LastUsedAt: s.LastUsedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(),
			Device: deviceOf(s.UserAgent), UserAgent: s.UserAgent, Network: s.AddressPrefix, Methods: methods, AAL: s.AAL, Current: s.Current,
			ClientID: s.ClientID, ClientName: s.ClientName,
		}
	}
	return server.JSON(w, http.StatusOK, list)
}

func (d *Door) endSession(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	if err := d.Sessions.EndOne(r.Context(), actor, idIn(r), server.Client(w)); err != nil {
		return err
	}
	return ok(w)
}
