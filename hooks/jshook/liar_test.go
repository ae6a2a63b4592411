package jshook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"
)

// TestWorkersThatAreNotBelieved has workers say what no script can have them say. Each must end the call, and
// not keep the server busy for as long as they like.
func TestWorkersThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	fetch := report{Fetch: &fetchRequest{ID: 1, Method: "GET", URL: "http://a.example/"}}
	for name, said := range map[string]report{"nothing at all": {}, "requests without end": fetch} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := &process{in: nopCloser{io.Discard}, out: bufio.NewReader(&endless{said: said})}
			f := &fetcher{limit: make(chan struct{}, maxFetching)}
			f.answer = func(a *fetched) { _ = w.send(order{Fetched: a}) }
			o, err := w.converse(ctx, &job{Args: []json.RawMessage{}}, f)
			f.all.Wait()
			if !errors.Is(err, errDied) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// endless is a worker that says the same over and over.
type endless struct {
	said report
	left bytes.Buffer
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left.Len() == 0 {
		if err := writeFrame(&e.left, e.said); err != nil {
			return 0, err
		}
	}
	return e.left.Read(p)
}
