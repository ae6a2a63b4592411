package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/store"
)

// listed are the entries of an answer, as event and number of their user.
func listed(t *testing.T, a answer, path string) (entries []string, next string) {
	t.Helper()
	if len(a.Errors) > 0 {
		t.Fatalf("%+v", a.Errors)
	}
	var data map[string]struct {
		Nodes []struct {
			Event  string
			Detail map[string]any
		}
		PageInfo   struct{ EndCursor *string }
		TotalCount int
	}
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatal(err)
	}
	for _, n := range data[path].Nodes {
		entries = append(entries, fmt.Sprint(n.Event, " ", n.Detail["n"]))
	}
	if c := data[path].PageInfo.EndCursor; c != nil {
		next = *c
	}
	return entries, next
}

func TestOperatorsReadTheAuditLog(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	jane, _ := signUp(t, h, "jane@example.com", "user")
	joe, _ := signUp(t, h, "joe@example.com", "user")
	exec(t, h, `delete from auth.audit_entries`)
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		user, event := jane, "password.changed"
		if i%2 == 1 {
			user, event = joe, "passkey.added"
		}
		if err := h.Store.Tell(t.Context(), store.Entry{Event: event, UserID: user, ActorID: joe, At: at.Add(time.Duration(i) * time.Minute), Detail: map[string]any{"n": i}}); err != nil {
			t.Fatal(err)
		}
	}
	const query = `query($w: AuditEntriesWhere, $f: Int, $a: String) { auditEntries(where: $w, first: $f, after: $a) { nodes { event detail } edges { cursor node { id at } } pageInfo { endCursor hasNextPage } totalCount } }`
	first, next := listed(t, ask(t, h, bySecret(), query, map[string]any{"f": 3}), "auditEntries")
	if diff := cmp.Diff([]string{"password.changed 4", "passkey.added 3", "password.changed 2"}, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rest, _ := listed(t, ask(t, h, bySecret(), query, map[string]any{"f": 3, "a": next}), "auditEntries")
	if diff := cmp.Diff([]string{"passkey.added 1", "password.changed 0"}, rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	of, _ := listed(t, ask(t, h, bySecret(), query, map[string]any{"w": map[string]any{"userId": joe, "events": []string{"passkey.*"}, "since": at.Add(2 * time.Minute).Format(time.RFC3339)}}), "auditEntries")
	if diff := cmp.Diff([]string{"passkey.added 3"}, of); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		where map[string]any
		after string
		want  string
	}{
		"no such event":          {map[string]any{"events": []string{"session.strted"}}, "", "where.events must name events"},
		"a star in between":      {map[string]any{"events": []string{"s*n.started"}}, "", "where.events must name events"},
		"ends before it begins":  {map[string]any{"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "", "where.until must be later"},
		"too many events":        {map[string]any{"events": strings.Split(strings.Repeat("user.*,", 51), ",")[:51]}, "", "where.events must not name more"},
		"the cursor of another":  {map[string]any{"userId": jane}, next, "after must be a cursor of this list"},
		"no cursor":              {nil, "bm9uZQ", "after must be a cursor of this list"},
		"not a user, but SQL":    {map[string]any{"userId": "' or true --"}, "", ""},
		"a pattern of like":      {map[string]any{"events": []string{"%"}}, "", "where.events must name events"},
		"stars and dots":         {map[string]any{"events": []string{".*"}}, "", "where.events must name events"},
		"a time that is no time": {map[string]any{"since": "yesterday"}, "", ""},
	} {
		variables := map[string]any{"w": c.where, "f": 3}
		if c.after != "" {
			variables["a"] = c.after
		}
		if a := ask(t, h, bySecret(), query, variables); len(a.Errors) == 0 || !strings.Contains(a.said(), c.want) {
			t.Errorf("%s: %d %s %q", name, a.Status, a.Data, a.said())
		}
	}
	if a := ask(t, h, nil, query, nil); a.code() != "unauthorized" {
		t.Errorf("a stranger: %+v", a)
	}

	var user struct {
		A, B struct {
			AuditEntries []struct{ Event, ActorID string }
		}
	}
	a := ask(t, h, bySecret(), `query($a: UUID!, $b: UUID!) { a: user(id: $a) { auditEntries(first: 2) { event actorId } } b: user(id: $b) { auditEntries { event actorId } } }`, map[string]any{"a": jane, "b": joe})
	if err := json.Unmarshal(a.Data, &user); err != nil || len(user.A.AuditEntries) != 2 || len(user.B.AuditEntries) != 2 || user.A.AuditEntries[0].ActorID != joe {
		t.Errorf("of users: %s %+v", a.Data, a.Errors)
	}
	if a := ask(t, h, bySecret(), `query($a: UUID!) { user(id: $a) { auditEntries(first: 101) { event } } }`, map[string]any{"a": jane}); !strings.Contains(a.said(), "first must be") {
		t.Errorf("too many: %+v", a)
	}
}

func TestOperatorsReadStatistics(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	signUp(t, h, "jane@example.com", "user")
	signUp(t, h, "joe@example.com", "user")
	resp, _ := h.Do(t, http.MethodPost, "/signin/email-password", `{"email":"joe@example.com","password":"wrong horse battery staple"}`)
	_ = resp.Body.Close()
	now := h.Clock.Now().UTC()
	if err := h.Store.CountActive(t.Context(), now.Add(-time.Hour), now.AddDate(0, 0, -31)); err != nil {
		t.Fatal(err)
	}
	sealed(t, h)
	type day struct {
		Day                                     string
		SignUps, SignIns, Failures, ActiveUsers int
	}
	var data struct {
		Statistics struct {
			Days                                        []day
			SignUps, SignIns, Failures, MostActiveUsers int
		}
	}
	from := now.AddDate(0, 0, -2)
	a := ask(t, h, bySecret(), `query($from: Time!) { statistics(from: $from) { days { day signUps signIns failures activeUsers } signUps signIns failures mostActiveUsers } }`, map[string]any{"from": from.Format(time.RFC3339)})
	if err := json.Unmarshal(a.Data, &data); err != nil || len(a.Errors) > 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	s := data.Statistics
	if len(s.Days) < 3 || s.Days[0] != (day{Day: from.Format(time.DateOnly)}) || s.SignUps != 2 || s.SignIns != 2 || s.Failures != 1 || s.MostActiveUsers != 2 {
		t.Errorf("got %+v", s)
	}
	for variables, want := range map[string]string{
		`{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}`: "from must not be later than to",
		`{"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}`: "from must not be more than 1,098 days",
		`{"from": "1970-01-01T00:00:00Z"}`:                               "from must not be more than 1,098 days",
	} {
		var v map[string]any
		if err := json.Unmarshal([]byte(variables), &v); err != nil {
			t.Fatal(err)
		}
		if a := ask(t, h, bySecret(), `query($from: Time!, $to: Time) { statistics(from: $from, to: $to) { signUps } }`, v); !strings.Contains(a.said(), want) {
			t.Errorf("%s: %+v", variables, a)
		}
	}
}

// sealed waits until no entry waits for its seal.
func sealed(t *testing.T, h *testhouse.House) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		waits, err := h.Store.Waits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !waits {
			return
		}
		exec(t, h, "select pg_sleep(0.02)")
	}
	t.Fatal("entries wait for their seals")
}
