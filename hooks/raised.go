package hooks

import (
	"fmt"
	"strings"
)

// WrongType is an answer that does not say that it is JSON.
type WrongType struct{}

// Error is for the log.
func (WrongType) Error() string { return "the answer does not say that it is application/json" }

// NotThere is a Postgres function that is missing or may not be called.
type NotThere struct{ Why string }

// Error is for the log.
func (e NotThere) Error() string { return "cannot be called: " + e.Why }

// Raised is a Postgres function that ended in an error. It is a Crashed. What it says may hold data of
// users (a violated constraint repeats the row): dialects decide what of it reaches a client, and the log
// gets no more than the state and the constraint.
type Raised struct {
	State      string // SQLSTATE
	Message    string
	Detail     string
	Hint       string
	Constraint string
}

// Error is for the log.
func (e Raised) Error() string {
	if e.Constraint != "" {
		return fmt.Sprintf("ended in an error: SQLSTATE %s, constraint %s", e.State, e.Constraint)
	}
	return "ended in an error: SQLSTATE " + e.State
}

// Unwrap gives a Crashed.
func (e Raised) Unwrap() error {
	return Crashed{Why: strings.TrimPrefix(e.Error(), "ended in an error: ")}
}

// OnPurpose tells an exception that the function raised to say no, with raise exception and no state of its own.
func (e Raised) OnPurpose() bool { return e.State == "P0001" }

// Violation tells a violated constraint.
func (e Raised) Violation() bool { return strings.HasPrefix(e.State, "23") }

// Status is the status of HTTP that the function asked for by a state such as PT402, as PostgREST has it; 0 is none.
func (e Raised) Status() int {
	if len(e.State) != 5 || e.State[:2] != "PT" {
		return 0
	}
	status := 0
	for _, digit := range []byte(e.State[2:]) {
		if digit < '0' || digit > '9' {
			return 0
		}
		status = status*10 + int(digit-'0')
	}
	if status < 100 || status > 599 {
		return 0
	}
	return status
}
