package hooks

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/auth"
)

// Denied is a hook that says no. It is an auth.HookDenied.
type Denied struct {
	Status      int    // of the answer to the client; outside 400–599 it is 500
	Code        string // of the dialect, for doors that have a place for it
	Message     string // for the client; empty means the door's own words
	Body        []byte // where the dialect says that it reaches the client raw: JSON
	Reason      string // for the log alone
	EndSessions bool   // all sessions of the user end; PasswordChecked and FactorChecked heed it
	Hook        string // name of the binding
}

// Error is for the log. The message is for the client and may say anything, so it is not in it.
func (d *Denied) Error() string {
	if d.Reason == "" {
		return fmt.Sprintf("%s: %s says no", auth.HookDenied, d.Hook)
	}
	return fmt.Sprintf("%s: %s says no: %s", auth.HookDenied, d.Hook, oneLine(d.Reason))
}

// Unwrap gives auth.HookDenied.
func (d *Denied) Unwrap() error { return auth.HookDenied }

// HTTPStatus is the status that clients are answered with.
func (d *Denied) HTTPStatus() int {
	if d.Status < 400 || d.Status > 599 {
		return 500
	}
	return d.Status
}

// MayPass tells whether the status stands for trouble that may be over at another time, and not for a
// decision.
func (d *Denied) MayPass() bool { return d.HTTPStatus() == 429 || d.HTTPStatus() >= 500 }

// maxMessage is how many bytes of a hook's message reach a client.
const maxMessage = 1000

// Words are the message as it may reach a client: valid text in one line, of bounded length.
func (d *Denied) Words() string { return oneLine(d.Message) }

// oneLine is a text as it may be shown.
func oneLine(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= maxMessage {
		return text
	}
	text = text[:maxMessage]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

// Failed is a hook that did not answer as it should. It is an auth.HookFailed.
type Failed struct {
	Moment, Hook string
	Err          error
}

// Error is for the log.
func (f *Failed) Error() string {
	return fmt.Sprintf("%s: %s at %q: %v", auth.HookFailed, f.Hook, f.Moment, f.Err)
}

// Unwrap gives auth.HookFailed. What the hook said is for the log alone: a code in it decides nothing.
func (f *Failed) Unwrap() error { return auth.HookFailed }

// TimedOut is a runner that had no answer in time.
type TimedOut struct{ After time.Duration }

// Error is for the log.
func (e TimedOut) Error() string { return fmt.Sprintf("no answer within %s", e.After) }

// TooLarge is an answer that is longer than allowed.
type TooLarge struct{ Most int }

// Error is for the log.
func (e TooLarge) Error() string { return fmt.Sprintf("the answer is longer than %d bytes", e.Most) }

// Unreachable is somebody who could not be asked at all. Why must not repeat addresses with secrets in
// them.
type Unreachable struct{ Why string }

// Error is for the log.
func (e Unreachable) Error() string { return "cannot be reached: " + e.Why }

// BadAnswer is an answer that makes no sense. Why must not repeat the answer.
type BadAnswer struct{ Why string }

// Error is for the log.
func (e BadAnswer) Error() string { return "the answer makes no sense: " + e.Why }

// BadStatus is an answer with a status that stands for failure.
type BadStatus struct{ Status int }

// Error is for the log.
func (e BadStatus) Error() string { return fmt.Sprintf("answered with status %d", e.Status) }

// Crashed is whoever answers, when that ended in an error of its own: a script that threw, a function
// that raised. Why is bounded and for the log.
type Crashed struct{ Why string }

// Error is for the log.
func (e Crashed) Error() string { return "ended in an error: " + e.Why }
