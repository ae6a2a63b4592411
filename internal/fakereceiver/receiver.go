// Package fakereceiver receives events for tests: a real server that checks signatures, keeps what it
// takes, and misbehaves on demand.
package fakereceiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/webhooks"
)

// Secret is what the receiver believes.
const Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// Event is one that came, in any attempt.
type Event struct {
	ID        string
	Type      string
	Timestamp time.Time
	Data      map[string]any
	Body      string
	Header    http.Header
	Taken     bool // the answer was yes
}

// UserID is whose event it is.
func (e Event) UserID() string {
	id, _ := e.Data["userId"].(string)
	return id
}

// Receiver is an open receiver.
type Receiver struct {
	URL string

	keys webhooks.Keys
	now  func() time.Time

	mu     sync.Mutex
	events []Event
	wrong  []error
	answer func(http.ResponseWriter, Event) bool
	more   chan struct{}
}

// New opens a receiver, which takes everything. The clock is that of the sender.
func New(t testing.TB, now func() time.Time) *Receiver {
	t.Helper()
	keys, err := webhooks.ParseAll(Secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{keys: keys, now: now, more: make(chan struct{}, 1)}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.URL = srv.URL
	return r
}

// Answer sets what is answered from now on: the function writes it and tells whether it means yes.
// Nil is yes to everything.
func (r *Receiver) Answer(f func(http.ResponseWriter, Event) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// Refuse answers every event with the status from now on.
func (r *Receiver) Refuse(status int) {
	r.Answer(func(w http.ResponseWriter, _ Event) bool { w.WriteHeader(status); return false })
}

// ServeHTTP receives one event.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	e := Event{Body: string(body), Header: req.Header}
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err == nil {
		err = r.keys.Verify(req.Header.Get(webhooks.HeaderID), req.Header.Get(webhooks.HeaderTimestamp), req.Header.Get(webhooks.HeaderSignature), body, r.now())
	}
	if err == nil && req.Header.Get(webhooks.HeaderID) != e.ID {
		err = fmt.Errorf("the ids %q and %q differ", req.Header.Get(webhooks.HeaderID), e.ID)
	}
	r.mu.Lock()
	answer := r.answer
	if err != nil {
		r.wrong = append(r.wrong, fmt.Errorf("%w: %.200s", err, body))
	}
	r.mu.Unlock()
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return
	case answer != nil:
		e.Taken = answer(w, e)
	default:
		e.Taken = true
	}
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// Events are all that came so far, refused ones too.
func (r *Receiver) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Taken are those that were taken.
func (r *Receiver) Taken() []Event {
	return slices.DeleteFunc(r.Events(), func(e Event) bool { return !e.Taken })
}

// Wrong are requests that were no events or not signed as they must be.
func (r *Receiver) Wrong() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}

// Wait blocks until what came fulfils a condition.
func (r *Receiver) Wait(t testing.TB, what string, holds func([]Event) bool) []Event {
	t.Helper()
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		got := r.Events()
		if holds(got) {
			return got
		}
		select {
		case <-r.more:
		case <-timer.C:
			t.Fatalf("%s did not happen in a minute; %d events came, wrong: %v", what, len(got), r.Wrong())
		}
	}
}

// WaitTaken blocks until so many different events were taken, and returns them without their
// duplicates, each at its first place.
func (r *Receiver) WaitTaken(t testing.TB, n int) []Event {
	t.Helper()
	r.Wait(t, fmt.Sprintf("the arrival of %d events", n), func(list []Event) bool { return len(First(list)) >= n })
	return First(r.Events())
}

// First are the events that were taken, each where it was taken first.
func First(list []Event) []Event {
	seen := map[string]bool{}
	var first []Event
	for _, e := range list {
		if e.Taken && !seen[e.ID] {
			seen[e.ID] = true
			first = append(first, e)
		}
	}
	return first
}
