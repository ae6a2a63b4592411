package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/store"
)

func TestTheLogIsReadInSlices(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `select auth.ensure_audit_partitions('2031-03-01Z')`)
	id := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	events := []string{"a.x", "a.y", "b"}
	for i := range 12 { // over the end of a month, two at the same moment each
		err := l.Tell(t.Context(), store.Entry{
			Event: events[i%3], UserID: id(i % 2), ActorID: id(10 + i%4), SessionID: id(20 + i%2), At: march.Add(time.Duration(i/2) * 4 * time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, l.conn, `insert into auth.audit_entries (at, event) values ('infinity', 'a.x'), ('-infinity', 'a.x')`) // somebody else's: never shown
	all := func(q store.AuditAsked, backward bool) string {
		t.Helper()
		var ids []string
		s := store.Slice{Most: 2, Backward: backward}
		for {
			list, err := l.ListAudit(t.Context(), q, s)
			if err != nil {
				t.Fatal(err)
			}
			more := len(list) > s.Most
			if backward {
				if more {
					list = list[1:]
				}
				slices.Reverse(list)
			} else if more {
				list = list[:s.Most]
			}
			for _, e := range list {
				ids = append(ids, strconv.FormatInt(e.ID, 10))
			}
			if !more {
				break
			}
			if backward {
				s.Before = list[len(list)-1].Key()
			} else {
				s.After = list[len(list)-1].Key()
			}
		}
		if n, err := l.CountAudit(t.Context(), q, 100); err != nil || n != len(ids) {
			t.Errorf("%+v: counted %d, %v; listed %d", q, n, err, len(ids))
		}
		if backward {
			slices.Reverse(ids)
		}
		return strings.Join(ids, " ")
	}
	for name, c := range map[string]struct {
		q    store.AuditAsked
		want string
	}{
		"all":                 {store.AuditAsked{}, "12 11 10 9 8 7 6 5 4 3 2 1"},
		"user":                {store.AuditAsked{UserID: id(1)}, "12 10 8 6 4 2"},
		"nobody":              {store.AuditAsked{UserID: id(9)}, ""},
		"actor":               {store.AuditAsked{ActorID: id(13)}, "12 8 4"},
		"session":             {store.AuditAsked{SessionID: id(20)}, "11 9 7 5 3 1"},
		"event":               {store.AuditAsked{Events: []string{"b"}}, "12 9 6 3"},
		"events":              {store.AuditAsked{Events: []string{"a.x", "a.y"}}, "11 10 8 7 5 4 2 1"},
		"time":                {store.AuditAsked{Since: march.Add(4 * time.Minute), Until: march.Add(12 * time.Minute)}, "6 5 4 3"},
		"user and event":      {store.AuditAsked{UserID: id(0), Events: []string{"a.x"}}, "7 1"},
		"user, actor, time":   {store.AuditAsked{UserID: id(1), ActorID: id(11), Since: march.Add(time.Minute)}, "10 6"},
		"session, user, time": {store.AuditAsked{UserID: id(1), SessionID: id(20)}, ""},
	} {
		for _, backward := range []bool{false, true} {
			if got := all(c.q, backward); got != c.want {
				t.Errorf("%s, backward %v: got %s, want %s", name, backward, got, c.want)
			}
		}
	}
	of, err := l.AuditOfUsers(t.Context(), []string{id(0), id(1), id(7)}, 2)
	if err != nil || len(of[id(0)]) != 2 || of[id(0)][0].ID != 11 || of[id(1)][1].ID != 10 || len(of[id(7)]) != 0 {
		t.Errorf("of users: %v, %v", of, err)
	}
}
