package gotrue

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/events"
	"postern/flow"
	"postern/server"
	"postern/store"
)

// audited is an entry of the audit log as GoTrue has it.
type audited struct {
	ID        string       `json:"id"`
	Payload   auditPayload `json:"payload"`
	CreatedAt time.Time    `json:"created_at"`
	Address   string       `json:"ip_address"`
}

type auditPayload struct {
	ActorID   string          `json:"actor_id"`
	ActorName string          `json:"actor_username"`
	BySSO     bool            `json:"actor_via_sso"`
	Action    string          `json:"action"`
	Type      string          `json:"log_type"`
	Traits    json.RawMessage `json:"traits,omitempty"`
}

// actions are GoTrue's words for our events, each with the type that it counts to. Events that GoTrue does not have go by our names.
var actions = map[string][2]string{
	"session.started": {"login", "account"}, "session.ended": {"logout", "account"},
	"user.created": {"user_signedup", "team"}, "user.deanonymized": {"user_signedup", "team"}, "user.deleted": {"user_deleted", "team"},
	"session.replayed": {"token_revoked", "token"},
	"user.updated":     {"user_modified", "user"}, "email.changed": {"user_modified", "user"}, "phone.changed": {"user_modified", "user"},
	"password.changed": {"user_updated_password", "user"}, "identity.linked": {"identity_linked", "user"}, "identity.unlinked": {"identity_unlinked", "user"},
	"passkey.added": {"passkey_created", "user"}, "passkey.renamed": {"passkey_updated", "user"}, "passkey.removed": {"passkey_deleted", "user"},
	"factor.staged": {"factor_in_progress", "factor"}, "factor.enabled": {"verification_attempted", "factor"}, "session.raised": {"verification_attempted", "factor"},
	"factor.disabled": {"factor_unenrolled", "factor"}, "factor.reset": {"factor_deleted", "factor"},
}

// actionOf is what GoTrue calls an event, and the type that it counts to.
func actionOf(event string) (action, kind string) {
	if a, ok := actions[event]; ok {
		return a[0], a[1]
	}
	kind, _, _ = strings.Cut(event, ".")
	return event, kind
}

// auditLog lists the audit log.
func (d *Door) auditLog(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	q := r.URL.Query()
	page, err := numbered(q)
	if err != nil {
		return err
	}
	asked, err := auditQuery(q.Get("query"))
	if err != nil {
		return err
	}
	asked.NumberedPage = page
	read, err := d.Admin.NumberedAudit(r.Context(), by, asked)
	if err != nil {
		return err
	}
	out := make([]audited, 0, len(read.Entries))
	for _, e := range read.Entries {
		out = append(out, toAudited(e, read.Names[e.UserID]))
	}
	paged(w.Header(), r.URL, page, read.Total)
	return server.JSON(w, http.StatusOK, out)
}

func toAudited(e store.AuditEntry, name string) audited {
	p := auditPayload{ActorID: e.UserID, ActorName: name, Traits: e.Detail}
	p.Action, p.Type = actionOf(e.Event)
	return audited{ID: strconv.FormatInt(e.ID, 10), Payload: p, CreatedAt: e.At.UTC(), Address: e.AddressPrefix}
}

// auditQuery reads what is asked for: author, action or type, and a text behind a colon.
func auditQuery(text string) (asked flow.AuditPage, err error) {
	if text == "" {
		return asked, nil
	}
	column, text, _ := strings.Cut(text, ":")
	text = strings.TrimSpace(text)
	switch column {
	case "author":
		asked.Author = text
	case "action", "type":
		asked.Events = []string{}
		for _, event := range events.Matching("*") {
			action, kind := actionOf(event)
			if column == "type" {
				action = kind
			}
			if strings.Contains(action, text) {
				asked.Events = append(asked.Events, event)
			}
		}
	default:
		return asked, auth.Invalid{Field: "query", Problem: "must be author, action or type, a colon, and what to look for"}
	}
	return asked, nil
}
