package fakesms

import (
	"fmt"
	"net/http"
	"strings"
)

// Fault is how one request goes wrong. The zero Fault is None.
type Fault struct {
	status   int
	code     int // Twilio's number of the mistake
	location string
	silent   bool
	cut      bool
	huge     bool
	stored   bool // the message is kept all the same
}

// None is good behaviour.
var None = Fault{}

// Reply answers with the status and sends nothing.
func Reply(status int) Fault { return Fault{status: status} }

// Refuse answers as Twilio does, with the status and its number for the mistake.
func Refuse(status, code int) Fault { return Fault{status: status, code: code} }

// Redirect sends the client elsewhere, with its body.
func Redirect(to string) Fault {
	return Fault{status: http.StatusTemporaryRedirect, location: to}
}

// Silent never answers.
func Silent() Fault { return Fault{silent: true} }

// Cut closes the connection without a word.
func Cut() Fault { return Fault{cut: true} }

// Huge refuses with an answer that does not end.
func Huge() Fault { return Fault{status: http.StatusInternalServerError, huge: true} }

// CutAfter keeps the message and then closes the connection before it says so: the client cannot
// know whether the message was sent.
func CutAfter() Fault { return Fault{cut: true, stored: true} }

// SilentAfter keeps the message and never says so.
func SilentAfter() Fault { return Fault{silent: true, stored: true} }

// after tells whether the fault comes after the message was taken.
func (f Fault) after() bool { return f.stored }

// before does what the fault does instead of taking the message, and tells whether it did.
func (f Fault) before(s *Server, w http.ResponseWriter) bool {
	if f == None || f.stored {
		return false
	}
	f.end(s, w)
	return true
}

// end is how the conversation ends.
func (f Fault) end(s *Server, w http.ResponseWriter) {
	switch {
	case f.silent:
		<-s.over
	case f.cut:
		hangUp(w)
	case f.location != "":
		w.Header().Set("Location", f.location)
		w.WriteHeader(f.status)
	case f.code != 0:
		refuse(w, f.status, f.code)
	case f.huge:
		w.WriteHeader(f.status)
		for range 1 << 14 {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 1<<12)); err != nil {
				return
			}
		}
	default:
		w.WriteHeader(f.status)
	}
}

func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// deaf is an answer that nobody hears.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(p []byte) (int, error) { return len(p), nil }
func (d *deaf) WriteHeader(int)             {}
