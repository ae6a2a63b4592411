package supabase

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"postern/hooks"
)

// members are those of an answer.
type members map[string]json.RawMessage

// read takes an answer apart. One without a body, or with null, has no members. An error object refuses.
func read(a hooks.Answer) (members, error) {
	if len(bytes.TrimSpace(a.Body)) == 0 {
		return nil, nil
	}
	if !jsontext.Value(a.Body).IsValid() {
		return nil, hooks.BadAnswer{Why: "it is no JSON"}
	}
	var m members
	if err := json.Unmarshal(a.Body, &m); err != nil {
		return nil, hooks.BadAnswer{Why: "it is no object"}
	}
	return m, m.refusal()
}

// refusal reads the error object {"http_code", "message"}. As with Supabase, it refuses only with a
// message. Unlike there, it does so too if its code is something other than a number; and an error that is no
// such object is a failure, since whoever says it hardly means that all is well.
func (m members) refusal() error {
	var e struct {
		Code    json.RawMessage `json:"http_code"`
		Message string          `json:"message"`
	}
	switch none := m["error"]; {
	case len(none) == 0 || slices.Contains([]string{"null", "false", `""`}, string(none)):
		return nil
	case json.Unmarshal(none, &e) != nil:
		return hooks.BadAnswer{Why: "its error is no object with a text message"}
	case e.Message == "":
		return nil
	}
	no := &hooks.Denied{Status: 500, Code: "unexpected_failure", Message: e.Message}
	var code float64
	if json.Unmarshal(e.Code, &code) == nil && code >= 400 && code <= 599 && code != 500 {
		no.Status, no.Code = int(code), "unknown"
	}
	return no
}

// text is a member that is a text; empty when it is not there, or something else.
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// yes tells a member that is true.
func (m members) yes(name string) bool {
	var b bool
	return json.Unmarshal(m[name], &b) == nil && b
}

// object is a member that is an object, with its numbers as they are written; nil when it is not there.
func (m members) object(name string) (map[string]any, error) {
	raw, there := m[name]
	if !there {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("%s is no object", name)
	}
	return o, nil
}

// nothing is the answer to a question that can only be refused.
func nothing[E any](members) (func(*E) error, error) { return nil, nil }

// replaced takes the claims of an answer, as they are or not at all.
func replaced(m members) (func(*hooks.TokenMinting) error, error) {
	claims, err := m.object("claims")
	if err != nil {
		return nil, hooks.BadAnswer{Why: err.Error()}
	}
	if claims == nil {
		return nil, hooks.BadAnswer{Why: "it has no claims"}
	}
	if wrong := violations(claims); len(wrong) > 0 {
		return nil, hooks.BadAnswer{Why: "its claims break the rules: " + strings.Join(wrong, "; ")}
	}
	return func(e *hooks.TokenMinting) error { return e.Replace(claims) }, nil
}

// rejected reads the decision on a password or a factor. Only reject counts.
func rejected[E any](no hooks.Denied, always bool) func(members) (func(*E) error, error) {
	return func(m members) (func(*E) error, error) {
		if m.text("decision") != "reject" {
			return nil, nil
		}
		no := no
		if message := m.text("message"); message != "" {
			no.Message = message
		}
		no.EndSessions = always || m.yes("should_logout_user")
		return nil, &no
	}
}

// vouched reads who knows a password that nobody has here. Only vouch counts: whoever does not know it
// must be answered like anybody with a wrong password.
func vouched(m members) (func(*hooks.PasswordUnknown) error, error) {
	if m.text("decision") != "vouch" {
		return nil, nil
	}
	who, err := m.object("user")
	if err != nil {
		return nil, hooks.BadAnswer{Why: err.Error()}
	}
	var v hooks.Vouched
	var known [3]bool
	v.EmailVerified, known[0] = memberOf[bool](who, "email_verified")
	v.DisplayName, known[1] = memberOf[string](who, "display_name")
	v.Metadata, known[2] = memberOf[map[string]any](who, "user_metadata")
	if known != [3]bool{true, true, true} {
		return nil, hooks.BadAnswer{Why: "its user has other members than a boolean email_verified, a text display_name and an object user_metadata"}
	}
	return func(e *hooks.PasswordUnknown) error { return e.Vouch(v) }, nil
}

// memberOf is a member that may be missing or null, and must be of its type otherwise.
func memberOf[T any](o map[string]any, name string) (value T, ok bool) {
	member := o[name]
	if member == nil {
		return value, true
	}
	value, ok = member.(T)
	return value, ok
}

// understood gives what an error of a runner means. A function in the database refuses by raising an
// error with a state such as PT403, as PostgREST has it.
func understood(err error) error {
	var raised hooks.Raised
	if errors.As(err, &raised) && raised.Status() >= 400 {
		return &hooks.Denied{Status: raised.Status(), Code: "unknown", Message: raised.Message}
	}
	return err
}
