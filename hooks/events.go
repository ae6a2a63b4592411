package hooks

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"postern/auth"
)

// Event is what all events have. What the exported members of an event say is a copy: a hook changes
// what it may change by the event's methods, and nothing else reaches the flow.
type Event struct {
	ID     string // UUID; one per event
	At     time.Time
	Client auth.Client
}

func (e Event) eventID() string { return e.ID }

// About gives what all events have, of any of them.
func (e Event) About() Event { return e }

// Secret is a text that must not reach a log.
type Secret string

// String hides it.
func (Secret) String() string { return "[hidden]" }

// GoString hides it.
func (Secret) GoString() string { return "[hidden]" }

// MarshalText hides it, from encoders too.
func (Secret) MarshalText() ([]byte, error) { return []byte("[hidden]"), nil }

// Reveal gives the text.
func (s Secret) Reveal() string { return string(s) }

// Requested is a sign-up or sign-in that was parsed, before anything is checked. It has secrets in it, such as
// the password.
type Requested struct {
	Event
	Method   string            // "password", "link", "otp", "sms", "anonymous", "webauthn", "oauth", "idtoken", "pat"
	Provider string            // that is to vouch for them; empty when none is
	Data     json.RawMessage   // the client's JSON as it came; nil when the request has none
	Whole    json.RawMessage   // the request that Data is the member "data" of, where it is; otherwise nil
	Email    string            // where Data does not have it
	Phone    string            // E.164; where it proves who they are
	Claims   map[string]string // what the provider said, once it has
	roles    []string
}

// AddRoles gives the user roles beyond the defaults.
func (e *Requested) AddRoles(roles ...string) error {
	for _, r := range roles {
		if r == "" || len(r) > 255 {
			return fmt.Errorf("a role has %d bytes, not 1 to 255", len(r))
		}
		if !slices.Contains(e.roles, r) {
			e.roles = append(slices.Clip(e.roles), r)
		}
	}
	return nil
}

// Roles are those that hooks added.
func (e *Requested) Roles() []string { return e.roles }

// UserCreating is a user about to be made: all checks are passed, nothing is written.
type UserCreating struct {
	Event
	User     auth.User
	Method   string            // "password", "link", "otp", "sms", "anonymous", "webauthn", "oauth", "idtoken"
	Provider string            // that vouches for them; empty when none does
	Claims   map[string]string // what the provider said
	Password Secret            // empty unless they chose one
	metadata
}

// UserInserted is a user whose row has been written, in the transaction that did.
type UserInserted struct {
	Event
	User   auth.User
	Method string
}

// UserConfirmed is a user about to have an address or number confirmed for the first time, or about to be
// made and let in without that. Who was let in so and confirms an address later is asked about again.
type UserConfirmed struct {
	Event
	User   auth.User // as they will be
	Method string    // the proof, as in amr
	metadata
}

// UserCreated is a user who has been made, for good.
type UserCreated struct {
	Event
	User     auth.User
	Method   string
	Provider string
}

// PasswordChecked is a password that was compared with the one of a known user.
type PasswordChecked struct {
	Event
	User  auth.User
	Valid bool
}

// PasswordUnknown is a password of somebody who has none here.
type PasswordUnknown struct {
	Event
	Email    string
	User     *auth.User // who has the address, but no password; nil when nobody has it
	Password Secret
	vouched  *Vouched
}

// Vouched is what whoever knows the person says of them.
type Vouched struct {
	EmailVerified bool           // whoever has the password has the address, too
	DisplayName   string         // of a user who is made
	Metadata      map[string]any // the same
}

// Vouch says that the password is right: the user is made, if there is none, and has it from now on.
func (e *PasswordUnknown) Vouch(v Vouched) error {
	var m metadata
	if err := m.ReplaceMetadata(v.Metadata); err != nil {
		return err
	}
	if v.Metadata = m.patch; len(m.patch) == 0 {
		v.Metadata = nil
	}
	e.vouched = &v
	return nil
}

// Vouched is what a hook said, or nil.
func (e *PasswordUnknown) Vouched() *Vouched { return e.vouched }

// FactorChecked is a code of a second factor that was compared.
type FactorChecked struct {
	Event
	User     auth.User
	FactorID string // UUID; empty for recovery codes and where a factor has none
	Type     string // "totp", "recovery-code", "phone", "webauthn"
	Valid    bool
}

// SessionOpening is a user whose credentials were accepted, before anything is written.
type SessionOpening struct {
	Event
	User     auth.User
	Method   string // the latest proof, as in amr
	Confirms bool   // the same proof confirms an address or number for the first time: UserConfirmed was asked
	metadata
}

// PasswordChanged is a user who has another password now.
type PasswordChanged struct {
	Event
	User auth.User
}

// UserModified is a user whom an operator is about to change.
type UserModified struct {
	Event
	User auth.User // as they will be
	metadata
}

// UserDeleted is a user whom an operator is about to delete.
type UserDeleted struct {
	Event
	User auth.User
}

// SMSDue is a text message with a code. Whoever is bound sends it.
type SMSDue struct {
	Event
	User    auth.User
	Phone   string // E.164
	Code    Secret
	Purpose auth.Purpose
}

// MailDue is a mail. Whoever is bound sends it.
type MailDue struct {
	Event
	User       auth.User
	To         string
	Template   string            // ours: "email-verify", "signin-otp", …
	Purpose    auth.Purpose      // of its ticket or code; empty for mails that only tell
	Ticket     Secret            // that the link carries; empty when there is none
	Link       Secret            // whole; empty when there is none
	Code       Secret            // to type; empty when there is none
	RedirectTo string            // where the link ends
	Challenge  string            // PKCE: the link leads to a code
	Detail     map[string]string // what a mail that only tells is about: "provider", "oldEmail", "oldPhone", "factorType"
}

// ClientTokenMinting is a token for a machine client.
type ClientTokenMinting struct {
	Event
	ClientID   string
	ClientName string
	Metadata   map[string]string // of the client
	Audience   string
	Scope      []string       // what the token grants; see Rescope
	Claims     map[string]any // what hooks have added; see Claim
}

// Rescope has the token grant something else. Of the scopes of this server's own API it gets none that
// the client does not have.
func (e *ClientTokenMinting) Rescope(scope []string) { e.Scope = slices.Clone(scope) }

// Claim adds a claim to the token. Its name is an http(s) URL, so that no claim of ours is meant.
func (e *ClientTokenMinting) Claim(name string, value any) error {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("claim %q: its name must be an http or https URL", name)
	}
	claims := map[string]any{name: value}
	for k, v := range e.Claims {
		if k != name {
			claims[k] = v
		}
	}
	e.Claims = claims
	return nil
}
