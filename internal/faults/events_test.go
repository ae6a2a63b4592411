package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"postern/internal/fakereceiver"
)

// TestF12KillWhileEventsAreCarried kills one of two servers at random moments, while people sign up
// and the receiver of events is away, slow or broken. In the end every event that was written has
// arrived, each user's in order, and what came twice came with the same id and the same body.
func TestF12KillWhileEventsAreCarried(t *testing.T) {
	t.Parallel()
	receiver := fakereceiver.New(t, time.Now)
	endpoints, err := json.Marshal([]map[string]any{{"name": "crm", "url": receiver.URL, "secrets": []string{fakereceiver.Secret}}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, map[string]string{
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_EVENTS_ENDPOINTS": string(endpoints), "AUTH_EVENTS_TIMEOUT": "500ms",
	})
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 12))
	t.Logf("seed %d", seed)
	away := func(w http.ResponseWriter, _ fakereceiver.Event) bool {
		c, _, _ := w.(http.Hijacker).Hijack()
		_ = c.Close()
		return false
	}
	moods := []func(http.ResponseWriter, fakereceiver.Event) bool{
		nil, away,
		func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return false
		},
		// Taken, but the sender does not hear of it.
		func(w http.ResponseWriter, e fakereceiver.Event) bool { away(w, e); return true },
		func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.Copy(io.Discard, c) // until the sender has gone
			_ = c.Close()
			return false
		},
	}
	replicas := []*replica{s.start(t), s.start(t)}
	people := 0
	for range times(t) {
		receiver.Answer(moods[random.IntN(len(moods))])
		victim := random.IntN(2)
		answers := make(chan struct{}, 100)
		go func() {
			for range 30 {
				tell(answers)
			}
		}()
		for range 4 {
			people++
			a, err := send(t.Context(), "POST", replicas[1-victim].url+"/signup/email-password", "", map[string]any{"email": fmt.Sprintf("e%d@example.com", people), "password": password})
			if err != nil || a.status != http.StatusOK {
				t.Fatalf("sign-up: %s, %v", a, err)
			}
		}
		replicas[victim].killDuring(random, answers)
		replicas[victim] = s.start(t)
	}
	receiver.Answer(nil)
	written := scan[int](t, s, `select count(*) from auth.events`)
	if written != 2*people {
		t.Fatalf("%d events of %d people", written, people)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var lanes string
			_ = s.db.QueryRow(context.WithoutCancel(t.Context()), `select coalesce(json_agg(l)::text, 'no lane waits') from auth.event_lanes l where due_at is not null`).Scan(&lanes)
			t.Log(lanes)
		}
	})
	eventually(t, "the arrival of all events", func() bool { return len(fakereceiver.First(receiver.Events())) == written })

	bodies, last := map[string]string{}, map[string]string{}
	for _, e := range receiver.Events() {
		if before, twice := bodies[e.ID]; twice && before != e.Body {
			t.Errorf("%s came with two bodies", e.ID)
		}
		bodies[e.ID] = e.Body
	}
	for _, e := range fakereceiver.First(receiver.Events()) {
		if e.Type == "session.started" && last[e.UserID()] != "user.created" {
			t.Errorf("user %s: the session before the user", e.UserID())
		}
		last[e.UserID()] = e.Type
	}
	if n := scan[int](t, s, `select count(*) from auth.events e where not exists (select from auth.event_lanes l where l.user_id = e.user_id and l.endpoint = 'crm')`); n != 0 {
		t.Errorf("%d events are in no lane", n)
	}
	if wrong := receiver.Wrong(); len(wrong) > 0 {
		t.Error(wrong)
	}
	t.Logf("%d kills, %d events, %d attempts, %d taken twice", times(t), written, len(receiver.Events()), len(receiver.Taken())-written)
}
