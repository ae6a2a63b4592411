package hasura

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

func (d *Door) personalTokenRoutes() []route {
	return []route{
		{method: "POST", path: "/pat", handle: d.createPAT},
		{method: "GET", path: "/pat", handle: d.listPATs},
		{method: "DELETE", path: "/pat/{id}", handle: d.deletePAT},
		{method: "POST", path: "/signin/pat", handle: d.signInPAT},
	}
}

type createPATRequest struct {
	ExpiresAt string          `json:"expiresAt"`
	Metadata  json.RawMessage `json:"metadata"`
}

// Check tells what is wrong with the request.
func (in *createPATRequest) Check() error {
	if _, err := in.expiry(); err != nil {
		return auth.Invalid{Field: "expiresAt", Problem: "must be a date and time with its zone (RFC 3339), such as 2030-01-31T12:00:00Z"}
	}
	rest := signUpOptions{Metadata: in.Metadata}
	return rest.check("")
}

func (in *createPATRequest) expiry() (t time.Time, err error) {
	if strings.Contains(in.ExpiresAt, ",") { // which Go takes for a dot
		return t, errors.New("a comma")
	}
	err = t.UnmarshalText([]byte(in.ExpiresAt))
	if err == nil && t.UTC().Year() > 9999 { // RFC 3339 could not write it in a list
		err = errors.New("the year has five digits")
	}
	return t, err
}

type createdPAT struct {
	ID     string `json:"id"`
	Secret string `json:"personalAccessToken"`
}

func (d *Door) createPAT(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[createPATRequest](r, server.Body{Free: []string{"metadata"}})
	if err != nil {
		return err
	}
	expiry, err := in.expiry()
	if err != nil {
		return err
	}
	created, err := d.Account.CreatePAT(r.Context(), flow.PATRequest{Actor: actor, ExpiresAt: expiry, Metadata: in.Metadata, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, createdPAT(created))
}

type signInPATRequest struct {
	server.Verbatim `json:"-"`

	PersonalAccessToken string `json:"personalAccessToken"`
}

// Check tells what is wrong with the request.
func (in *signInPATRequest) Check() error {
	if !uuid.MatchString(in.PersonalAccessToken) {
		return auth.Invalid{Field: "personalAccessToken", Problem: "must be a UUID in lower case"}
	}
	return nil
}

func (d *Door) signInPAT(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signInPATRequest](r, server.Body{Heard: d.heard()})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.WithPAT(r.Context(), flow.PATSignIn{Token: in.PersonalAccessToken, Said: said(in.Verbatim), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

// seenPAT is a personal access token in the list of its user. The secret was shown once.
type seenPAT struct {
	ID         string          `json:"id"`
	CreatedAt  time.Time       `json:"createdAt"`
	ExpiresAt  time.Time       `json:"expiresAt"`
	LastUsedAt *time.Time      `json:"lastUsedAt"`
	Metadata   json.RawMessage `json:"metadata"`
}

type patList struct {
	PersonalAccessTokens []seenPAT `json:"personalAccessTokens"`
}

func (d *Door) listPATs(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	found, err := d.Account.PATs(r.Context(), actor)
	if err != nil {
		return err
	}
	list := patList{make([]seenPAT, len(found))}
	for i, p := range found {
		seen := seenPAT{ID: p.ID, CreatedAt: p.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(), Metadata: p.Metadata}
		if p.LastUsedAt != nil {
			used := p.LastUsedAt.UTC()
			seen.LastUsedAt = &used
		}
		if len(seen.Metadata) == 0 {
			seen.Metadata = json.RawMessage("null")
		}
		list.PersonalAccessTokens[i] = seen
	}
	return server.JSON(w, http.StatusOK, list)
}

func (d *Door) deletePAT(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	if err := d.Account.DropPAT(r.Context(), actor, idIn(r), server.Client(w)); err != nil {
		return err
	}
	return ok(w)
}

// noID is in the place of an id that is none: nothing has it.
const noID = "00000000-0000-0000-0000-000000000000"

// idIn is the id in a request's path. What is no id is answered as an id that nobody has.
func idIn(r *http.Request) string {
	if id := r.PathValue("id"); uuid.MatchString(id) {
		return id
	}
	return noID
}
