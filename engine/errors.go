package engine

import (
	"strings"
	"unicode"
)

const (
	mostErrors = 8
	mostRunes  = 400
)

// Failure is why the engine gave no answer that can be used. Its text holds neither the admin secret
// nor what a stranger's server sent, apart from cleaned words of GraphQL errors.
type Failure struct {
	reason      string
	unreachable bool
	errors      []string
	cause       error
}

// Error says what happened.
func (f *Failure) Error() string {
	if len(f.errors) == 0 {
		return f.reason
	}
	return f.reason + ": " + strings.Join(f.errors, "; ")
}

// Unwrap gives the error beneath, such as context.DeadlineExceeded.
func (f *Failure) Unwrap() error { return f.cause }

// Unreachable tells that the engine could not be asked: it is down, slow or in trouble, refuses the
// admin secret, or something else answers at its address. Asking later may help.
func (f *Failure) Unreachable() bool { return f.unreachable }

// GraphQLErrors are the errors that the engine answered with.
func (f *Failure) GraphQLErrors() []string { return f.errors }

// cut shortens text from outside, takes out what does not belong into a line of the log, and the
// admin secret should a server repeat it.
func cut(text, secret string) string {
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "***")
	}
	runes := 0
	var b strings.Builder
	for _, r := range text {
		switch {
		case runes == mostRunes:
			return b.String() + "…"
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			continue
		}
		b.WriteRune(r)
		runes++
	}
	return strings.TrimSpace(b.String())
}
