package jsonata

import "fmt"

// Error says why an expression is refused.
type Error struct {
	At     int    // the byte of the expression where the trouble begins; -1 when it has no place
	Reason string // what is wrong
	Try    string // what to write instead; empty when there is no advice
}

func (e *Error) Error() string {
	text := e.Reason
	if e.At >= 0 {
		text = fmt.Sprintf("at character %d: %s", e.At+1, text)
	}
	if e.Try != "" {
		text += "; try " + e.Try
	}
	return text
}

func refuse(at int, reason, try string) *Error { return &Error{At: at, Reason: reason, Try: try} }
