package graph_test

import (
	"strings"
	"testing"
	"time"

	"postern/store"
)

// TestReplayOfTooManyWritesNothing: what is too much is counted, said and left alone, over all receivers together.
func TestReplayOfTooManyWritesNothing(t *testing.T) {
	t.Parallel()
	one := func(name string) string {
		return `{"name":"` + name + `","url":"http://127.0.0.1:1/","secrets":["` + eventSecret + `"],"events":["user.updated"]}`
	}
	h := open(t, map[string]string{"AUTH_EVENTS_ENDPOINTS": "[" + one("crm") + "," + one("erp") + "]"})
	id, _ := signUp(t, h, "ann@example.com", "user")
	happen := func(from, to int, when string) {
		exec(t, h, `insert into auth.events (user_id, seq, type, payload, at) select $1, n, 'user.updated', '{}', $4::timestamptz from generate_series($2::int, $3::int) n`, id, from, to, when)
	}
	happen(1001, 6001, "2026-01-02T00:00:00Z")
	happen(7001, 7010, "2026-01-04T00:00:00Z")
	got := ask(t, h, bySecret(), `mutation{replayEvents(input:{since:"2026-01-02T00:00:00Z",until:"2026-01-03T00:00:00Z"}){count}}`, nil)
	if !strings.Contains(got.said(), "must not cover more than 10000 events, of which there are 10002") || got.code() != "bad-request" {
		t.Errorf("%+v", got)
	}
	if n := count(t, h, `select count(*) from auth.event_letters`); n != 0 {
		t.Errorf("%d events would be sent again", n)
	}
	if rows := audited(t, h, "events."); len(rows) != 0 {
		t.Errorf("%q", rows)
	}
	asked := store.EventsAsked{Since: time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC), Type: "user.updated", UserID: id}
	for _, c := range []struct{ most, written int }{{9, 0}, {-1, 0}, {10, 10}, {0, 10}} {
		asked.Most = c.most
		exec(t, h, `delete from auth.event_letters`)
		n, err := h.Store.Replay(t.Context(), store.Receiver{Name: "crm", Since: time.Now(), Types: []string{"user.updated"}}, asked, time.Now())
		if err != nil || n != 10 {
			t.Errorf("at most %d: %d %v", c.most, n, err)
		}
		if n := count(t, h, `select count(*) from auth.event_letters`); n != c.written {
			t.Errorf("at most %d: %d were written", c.most, n)
		}
	}
}
