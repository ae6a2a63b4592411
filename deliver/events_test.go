package deliver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/events"
	"postern/internal/fakereceiver"
	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/store"
	"postern/tokens"
)

// endpoint is one in the settings.
func endpoint(name string, r *fakereceiver.Receiver, filters ...string) map[string]any {
	e := map[string]any{"name": name, "url": r.URL, "secrets": []string{fakereceiver.Secret}}
	if len(filters) > 0 {
		e["events"] = filters
	}
	return e
}

// settings are those of a house with endpoints.
func settings(t *testing.T, endpoints ...map[string]any) map[string]string {
	t.Helper()
	text, err := json.Marshal(endpoints)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"AUTH_EVENTS_ENDPOINTS": string(text), "AUTH_EVENTS_TIMEOUT": "2s", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}
}

// receiver is one with the clock of a house that is opened after it.
func receiver(t *testing.T) (*fakereceiver.Receiver, *testhouse.Clock) {
	t.Helper()
	clock := &testhouse.Clock{}
	return fakereceiver.New(t, clock.Now), clock
}

// tell writes events of a user, numbered in their detail.
func tell(t *testing.T, h *testhouse.House, clock *testhouse.Clock, user string, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		err := h.Store.Tell(t.Context(), store.Entry{Event: "password.changed", UserID: user, At: clock.Now(), Detail: map[string]any{"n": i}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inOrder fails unless each user's events are 0, 1, 2 … in their order.
func inOrder(t *testing.T, list []fakereceiver.Event) {
	t.Helper()
	next := map[string]float64{}
	for _, e := range list {
		if n, _ := e.Data["n"].(float64); n != next[e.UserID()] {
			t.Fatalf("user %s: event %v came when %v was next", e.UserID(), e.Data["n"], next[e.UserID()])
		}
		next[e.UserID()]++
	}
}

// value reads one value from the database of a house.
func value[T any](t *testing.T, h *testhouse.House, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// until waits for a condition on the database.
func until(t *testing.T, h *testhouse.House, what, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var holds bool
		if err := conn.QueryRow(t.Context(), sql, args...).Scan(&holds); err != nil {
			t.Fatal(err)
		}
		if holds {
			return
		}
		if _, err := conn.Exec(t.Context(), "select pg_sleep(0.02)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s did not happen in a minute", what)
}

// join signs somebody up.
func join(t *testing.T, h *testhouse.House, address string) {
	t.Helper()
	resp, body := h.Do(t, "POST", "/signup/email-password", `{"email":"`+address+`","password":"correct horse"}`)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("sign-up: %s", body)
	}
}

func TestEventsOfASignUpArriveInOrder(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	h := testhouse.Open(t, settings(t, endpoint("crm", r)), testhouse.OnClock(clock))
	join(t, h, "ann@example.com")
	got := r.WaitTaken(t, 2)
	if got[0].Type != "user.created" || got[1].Type != "session.started" || got[0].UserID() != got[1].UserID() {
		t.Errorf("got %+v", got)
	}
	for _, e := range got {
		if strings.Contains(e.Body, "ann@example.com") || !strings.HasPrefix(e.ID, "evt_") || e.Timestamp.IsZero() || e.Data["method"] == nil {
			t.Errorf("got %s", e.Body)
		}
	}
	if wrong := r.Wrong(); len(wrong) > 0 {
		t.Error(wrong)
	}
	until(t, h, "the note that they arrived", `select coalesce(bool_and(sent = 2 and due_at is null and claim is null), false) from auth.event_lanes`)
}

func TestEndpointGetsWhatItAsksFor(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	all := fakereceiver.New(t, clock.Now)
	s := settings(t, endpoint("users", r, "user.*"), endpoint("all", all))
	h := testhouse.Open(t, s, testhouse.OnClock(clock))
	join(t, h, "ann@example.com")
	all.WaitTaken(t, 2)
	join(t, h, "bob@example.com")
	all.WaitTaken(t, 4)
	for _, e := range r.WaitTaken(t, 2) {
		if e.Type != "user.created" {
			t.Errorf("got %s", e.Type)
		}
	}
}

func TestNoEndpointMeansNoWork(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	join(t, h, "ann@example.com")
	h.Mail.Wait(t, "ann@example.com", 1)
	if n := value[int](t, h, `select (select count(*) from auth.event_lanes) + (select count(*) from auth.event_endpoints)`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestEndpointThatComesLaterGetsNoHistoryUnlessAsked(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	first := testhouse.Open(t, nil, testhouse.OnClock(clock))
	user := tokens.NewUUID()
	tell(t, first, clock, user, 0, 3)
	clock.Advance(time.Second)
	h := first.With(t, settings(t, endpoint("late", r)), testhouse.OnClock(clock))
	tell(t, h, clock, user, 3, 1)
	if got := r.WaitTaken(t, 1); len(got) != 1 || got[0].Data["n"] != 3.0 {
		t.Fatalf("got %+v", got)
	}
	rec := store.Receiver{Name: "late", Types: []string{"%"}, Since: value[time.Time](t, h, `select since from auth.event_endpoints`)}
	n, err := h.Store.Replay(t.Context(), rec, store.EventsAsked{UserID: user, Since: clock.Now().Add(-time.Hour)}, clock.Now())
	if err != nil || n != 4 {
		t.Fatal(n, err)
	}
	r.Wait(t, "the replay", func(list []fakereceiver.Event) bool { return len(list) == 5 })
	inOrder(t, r.Events()[1:])
	if a, b := r.Events()[0], r.Events()[4]; a.ID != b.ID || a.Body != b.Body {
		t.Errorf("a replay has another id or body: %s, %s", a.Body, b.Body)
	}
	until(t, h, "the end of the replay", `select (select count(*) from auth.event_letters) = 0 and bool_and(due_at is null) from auth.event_lanes`)
}

func TestFailingEventHoldsBackOnlyItsUserAndIsKeptAtTheEnd(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	h := testhouse.Open(t, settings(t, endpoint("crm", r)), testhouse.OnClock(clock))
	poisoned, other := tokens.NewUUID(), tokens.NewUUID()
	r.Answer(func(w http.ResponseWriter, e fakereceiver.Event) bool {
		if bad := e.UserID() == poisoned && e.Data["n"] == 0.0; bad {
			w.WriteHeader(http.StatusInternalServerError)
			return false
		}
		return true
	})
	tell(t, h, clock, poisoned, 0, 3)
	r.Wait(t, "the first attempt", func(list []fakereceiver.Event) bool { return len(list) == 1 })
	tell(t, h, clock, other, 0, 3)
	r.WaitTaken(t, 3)
	failed := func(list []fakereceiver.Event) []fakereceiver.Event {
		return slices.DeleteFunc(slices.Clone(list), func(e fakereceiver.Event) bool { return e.Taken })
	}
	for attempt := 2; attempt <= 5; attempt++ {
		until(t, h, "the note of the failure", `select attempts = $2 and claim is null from auth.event_lanes where user_id = $1`, poisoned, attempt-1)
		clock.Advance(20 * time.Hour)
		r.Wait(t, "another attempt", func(list []fakereceiver.Event) bool {
			return len(failed(list)) == attempt || len(fakereceiver.First(list)) == 5
		})
		if len(fakereceiver.First(r.Events())) == 5 {
			break
		}
	}
	r.WaitTaken(t, 5) // what came after it
	attempts := failed(r.Events())
	for _, e := range attempts {
		if e.ID != attempts[0].ID || e.Body != attempts[0].Body {
			t.Errorf("an attempt has another id or body")
		}
	}
	if n := len(attempts); n != 5 {
		t.Errorf("%d attempts, want 5", n)
	}
	rec := store.Receiver{Name: "crm", Types: []string{"%"}}
	dead, err := h.Store.ListEvents(t.Context(), rec, store.EventsAsked{Dead: true, Most: 10})
	if err != nil || len(dead) != 1 || dead[0].UserID != poisoned || dead[0].Error != "status 500" || dead[0].Attempts != 5 || dead[0].State != store.TellDead {
		t.Fatalf("dead letters: %+v, %v", dead, err)
	}
	if !strings.Contains(h.Log.String(), "event given up, kept as a dead letter") {
		t.Error("the log does not tell of the dead letter")
	}

	r.Answer(nil)
	if n, err := h.Store.Replay(t.Context(), rec, store.EventsAsked{Dead: true}, clock.Now()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	got := r.WaitTaken(t, 6)
	if last := got[5]; events.MessageID(dead[0].ID) != last.ID || last.Data["n"] != 0.0 {
		t.Errorf("got %+v", last)
	}
	until(t, h, "the end of the letter", `select count(*) = 0 from auth.event_letters`)
}

// Whatever a receiver answers, nothing is lost, nothing is out of order, and it costs a bounded time.
func TestEventsSurviveReceiversOfEveryKind(t *testing.T) {
	t.Parallel()
	elsewhere := fakereceiver.New(t, time.Now)
	endless := strings.Repeat("x", 1<<20)
	for name, answer := range map[string]func(w http.ResponseWriter, e fakereceiver.Event) bool{
		"500": func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return false
		},
		"410": func(w http.ResponseWriter, _ fakereceiver.Event) bool { w.WriteHeader(http.StatusGone); return false },
		"redirect": func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return false
		},
		"slow": func(w http.ResponseWriter, _ fakereceiver.Event) bool { return hang(w) },
		"garbage": func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(c, "\x00\xff garbage\r\n\r\n")
			_ = c.Close()
			return false
		},
		"endless headers": func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, endless[:1000]); err != nil {
					return false
				}
			}
		},
		"100 MB of no": func(w http.ResponseWriter, _ fakereceiver.Event) bool {
			w.WriteHeader(http.StatusInternalServerError)
			for range 100 {
				if _, err := io.WriteString(w, endless); err != nil {
					return false
				}
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, clock := receiver(t)
			s := settings(t, endpoint("crm", r))
			s["AUTH_EVENTS_TIMEOUT"] = "500ms"
			h := testhouse.Open(t, s, testhouse.OnClock(clock))
			user := tokens.NewUUID()
			r.Answer(answer)
			tell(t, h, clock, user, 0, 3)
			until(t, h, "the first failure", `select coalesce(bool_and(attempts >= 1 and claim is null), false) from auth.event_lanes`)
			r.Answer(nil)
			clock.Advance(2 * time.Hour)
			inOrder(t, r.WaitTaken(t, 3))
		})
	}
	if n := len(elsewhere.Events()) + len(elsewhere.Wrong()); n != 0 {
		t.Error("a redirect was followed")
	}
}

// hang waits until the sender has gone.
func hang(w http.ResponseWriter) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
	return false
}

// A yes is a yes, however much is said with it.
func TestHundredMegabytesOfYesAreNotRead(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	h := testhouse.Open(t, settings(t, endpoint("crm", r)), testhouse.OnClock(clock))
	sent, arrived := make(chan int, 8), make(chan fakereceiver.Event, 8)
	block := strings.Repeat("x", 1<<20)
	r.Answer(func(w http.ResponseWriter, e fakereceiver.Event) bool {
		arrived <- e // the next one may come, and be done, before this one notices that nobody reads on
		n := 0
		for range 100 {
			if _, err := io.WriteString(w, block); err != nil {
				break
			}
			n++
		}
		sent <- n
		return true
	})
	tell(t, h, clock, tokens.NewUUID(), 0, 2)
	r.WaitTaken(t, 2)
	inOrder(t, []fakereceiver.Event{<-arrived, <-arrived})
	if n := <-sent; n > 50 {
		t.Errorf("%d MB were taken in", n)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	h := testhouse.Open(t, settings(t, endpoint("crm", r)), testhouse.OnClock(clock))
	r.Answer(func(w http.ResponseWriter, _ fakereceiver.Event) bool {
		w.Header().Set("Retry-After", "1800")
		w.WriteHeader(http.StatusTooManyRequests)
		return false
	})
	tell(t, h, clock, tokens.NewUUID(), 0, 1)
	until(t, h, "the failure", `select coalesce(bool_and(attempts = 1 and claim is null), false) from auth.event_lanes`)
	r.Answer(nil)
	clock.Advance(29 * time.Minute)
	tell(t, h, clock, tokens.NewUUID(), 0, 1) // of somebody else: the endpoint wants none of anybody
	until(t, h, "the new lane", `select count(*) = 2 from auth.event_lanes where due_at is not null`)
	if n := len(r.Events()); n != 1 {
		t.Errorf("%d attempts before the time was over", n)
	}
	clock.Advance(2 * time.Minute)
	r.WaitTaken(t, 2)
}

// The receiver is away for six hours; afterwards everything comes, and soon.
func TestSixHoursWithoutAReceiver(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	s := settings(t, endpoint("crm", r))
	h := testhouse.Open(t, s, testhouse.OnClock(clock))
	replica := h.Beside(t, testhouse.OnClock(clock))
	r.Answer(func(w http.ResponseWriter, _ fakereceiver.Event) bool {
		c, _, _ := w.(http.Hijacker).Hijack()
		_ = c.Close()
		return false
	})
	const users = 30
	ids := make([]string, users)
	for i := range ids {
		ids[i] = tokens.NewUUID()
	}
	for hour := range 6 {
		for i, id := range ids {
			on := h
			if i%2 == 1 {
				on = replica
			}
			tell(t, on, clock, id, 3*hour, 3)
		}
		before := len(r.Events())
		r.Wait(t, "an attempt", func(list []fakereceiver.Event) bool { return len(list) > before })
		clock.Advance(time.Hour)
	}
	r.Answer(nil)
	clock.Advance(time.Minute)
	got := r.WaitTaken(t, users*18)
	inOrder(t, got)
	until(t, h, "rest", `select bool_and(due_at is null) from auth.event_lanes`)
	if n := value[int](t, h, `select count(*) from auth.event_letters`); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	for _, wrong := range r.Wrong() {
		if !strings.Contains(wrong.Error(), "too far from now") { // an attempt may be under way while the clock is moved
			t.Error(wrong)
		}
	}
	if n := len(r.Taken()); n != users*18 {
		t.Errorf("%d duplicates though no server died", n-users*18)
	}
}

// An endpoint that answers nothing keeps nobody else waiting.
func TestSlowEndpointStarvesNoOther(t *testing.T) {
	t.Parallel()
	slow, clock := receiver(t)
	quick := fakereceiver.New(t, clock.Now)
	s := settings(t, endpoint("slow", slow), endpoint("quick", quick))
	s["AUTH_EVENTS_TIMEOUT"] = "30s"
	s["AUTH_EVENTS_CONCURRENCY"] = "1"
	h := testhouse.Open(t, s, testhouse.OnClock(clock))
	release := make(chan struct{})
	slow.Answer(func(http.ResponseWriter, fakereceiver.Event) bool { <-release; return true })
	t.Cleanup(func() { close(release) })
	for range 3 {
		tell(t, h, clock, tokens.NewUUID(), 0, 2)
	}
	inOrder(t, quick.WaitTaken(t, 6))
	if n := len(slow.Events()); n != 0 {
		t.Errorf("%d events arrived at the slow one", n)
	}
}

func TestMailThatIsGivenUpIsAnEvent(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	s := settings(t, endpoint("ops", r, "mail.*"))
	s["AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED"] = "true"
	h := testhouse.Open(t, s, testhouse.OnClock(clock))
	h.Mail.FailAlways(testmail.Reply(testmail.Recipient, 550))
	join(t, h, "nobody@example.com")
	got := r.WaitTaken(t, 1)[0]
	if got.Type != "mail.failed" || got.Data["template"] != "email-verify" || got.UserID() == "" || got.Data["mailId"] == nil || strings.Contains(got.Body, "@") {
		t.Errorf("got %s", got.Body)
	}
}

// Events that have not arrived outlive those that have.
func TestSweepLeavesWhatHasNotArrived(t *testing.T) {
	t.Parallel()
	r, clock := receiver(t)
	h := testhouse.Open(t, settings(t, endpoint("crm", r)), testhouse.OnClock(clock))
	good, bad := tokens.NewUUID(), tokens.NewUUID()
	r.Answer(func(w http.ResponseWriter, e fakereceiver.Event) bool {
		if e.UserID() == bad {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return e.UserID() == good
	})
	tell(t, h, clock, good, 0, 2)
	tell(t, h, clock, bad, 0, 2)
	until(t, h, "delivery", `select count(*) filter (where sent = 2 and due_at is null) = 1 and count(*) filter (where attempts = 1) = 1 from auth.event_lanes`)
	now := clock.Now().Add(time.Hour)
	if _, err := h.Store.Sweep(t.Context(), now, now, now.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, h, `select count(*) from auth.events where user_id = $1`, bad); n != 2 {
		t.Errorf("%d events are left of the two that wait", n)
	}
	if n := value[int](t, h, `select (select count(*) from auth.events where user_id = $1) + (select count(*) from auth.event_lanes where user_id = $1)`, good); n != 0 {
		t.Errorf("%d rows are left of what arrived", n)
	}
}
