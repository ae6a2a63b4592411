package server

import (
	"net/http"

	"postern/auth"
)

// recorder remembers what a handler answered, for the log.
type recorder struct {
	http.ResponseWriter
	status int
	client auth.Client
	err    error
	hushed bool
}

// WriteHeader remembers the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write remembers the status that an answer without one has.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) statusOr200() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

func recorderOf(w http.ResponseWriter) *recorder {
	for {
		if rec, ok := w.(*recorder); ok {
			return rec
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
}

// Noted is the refusal that was kept with Note, if any.
func Noted(w http.ResponseWriter) error {
	if rec := recorderOf(w); rec != nil {
		return rec.err
	}
	return nil
}

// Note keeps a refusal for the log that is answered in another way than in an error body.
func Note(w http.ResponseWriter, err error) {
	if rec := recorderOf(w); rec != nil {
		rec.err = err
	}
}

// Hush leaves an answer that is well out of the log, unless that has debug lines: what machines ask all
// the time would fill it.
func Hush(w http.ResponseWriter) {
	if rec := recorderOf(w); rec != nil {
		rec.hushed = true
	}
}
