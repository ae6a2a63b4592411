package hooks

import (
	"encoding/json"
	"net/netip"
	"time"

	"postern/auth"
)

// Waiting is a message while it waits in a queue for whoever is bound: what MailDue and SMSDue say beside
// the message itself. Secrets are plain in it, so it is kept sealed.
type Waiting struct {
	At         time.Time         `json:"at"`
	Address    netip.Addr        `json:"address,omitzero"`
	UserAgent  string            `json:"userAgent,omitempty"`
	Purpose    auth.Purpose      `json:"purpose,omitempty"`
	Ticket     string            `json:"ticket,omitempty"`
	Code       string            `json:"code,omitempty"`
	RedirectTo string            `json:"redirectTo,omitempty"`
	Challenge  string            `json:"challenge,omitempty"`
	Detail     map[string]string `json:"detail,omitempty"`
}

// Waiting is the mail as it waits.
func (e MailDue) Waiting() (json.RawMessage, error) {
	return json.Marshal(Waiting{
		At: e.At, Address: e.Client.Address, UserAgent: e.Client.UserAgent, Purpose: e.Purpose, Ticket: e.Ticket.Reveal(), Code: e.Code.Reveal(),
		RedirectTo: e.RedirectTo, Challenge: e.Challenge, Detail: e.Detail,
	})
}

// Waiting is the text message as it waits.
func (e SMSDue) Waiting() (json.RawMessage, error) {
	return json.Marshal(Waiting{At: e.At, Address: e.Client.Address, UserAgent: e.Client.UserAgent, Purpose: e.Purpose, Code: e.Code.Reveal()})
}

func (w Waiting) event(id string) Event {
	return Event{ID: id, At: w.At, Client: auth.Client{Address: w.Address, UserAgent: w.UserAgent}}
}

// Mail is the event of a mail that waited, without what the message itself says.
func (w Waiting) Mail(id string) MailDue {
	return MailDue{
		Event: w.event(id), Purpose: w.Purpose, Ticket: Secret(w.Ticket), Code: Secret(w.Code), RedirectTo: w.RedirectTo, Challenge: w.Challenge, Detail: w.Detail,
	}
}

// SMS is the event of a text message that waited, without what the message itself says.
func (w Waiting) SMS(id string) SMSDue {
	return SMSDue{Event: w.event(id), Purpose: w.Purpose, Code: Secret(w.Code)}
}
