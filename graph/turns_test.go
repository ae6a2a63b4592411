package graph_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestOperatorsLeaveRoomForSignIns asks for thirty slow things at once: three of them look something up at a
// time, and users get in meanwhile.
func TestOperatorsLeaveRoomForSignIns(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	signUp(t, h, "ann@example.com", "user")
	tx, err := h.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `lock table auth.machine_clients in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	var many strings.Builder
	for n := range 30 {
		fmt.Fprintf(&many, "a%d:machineClients(first:1){nodes{id}}", n)
	}
	answered := make(chan answer, 1)
	begin := func() {
		go func() { answered <- ask(t, h, bySecret(), "{"+many.String()+"}", nil) }()
	}
	begin()
	waiting := func() (n int) { // outside the transaction, which would see the same every time
		if err := h.Store.Pool().QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for again := 0; waiting() < 3; {
		select {
		case a := <-answered: // on a busy machine, before three connections were open
			if again++; again > 5 || !strings.Contains(a.said(), "busy") {
				t.Fatalf("nothing waited: %+v", a)
			}
			begin()
		default:
		}
	}
	session(t, h, "/signin/email-password", "ann@example.com", "correct horse battery staple")
	if n := waiting(); n != 3 {
		t.Errorf("%d look something up at a time", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; len(a.Errors) > 0 {
		t.Errorf("%+v", a.Errors)
	}
}

// TestFieldsThatLookAtEverythingAreCounted refuses more of them than a page needs.
func TestFieldsThatLookAtEverythingAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d:auditEntries(first:1){totalCount}", i)
		}
		return "{" + b.String() + "}"
	}
	if a := ask(t, h, bySecret(), many(10), nil); len(a.Errors) > 0 {
		t.Errorf("10: %+v", a.Errors)
	}
	if a := ask(t, h, bySecret(), many(11), nil); !strings.Contains(a.said(), "look at everything") || a.code() != "bad-request" {
		t.Errorf("11: %+v", a)
	}
	in := "{" + strings.Repeat("...f ", 11) + "} fragment f on Query{health{state}}"
	if a := ask(t, h, bySecret(), in, nil); !strings.Contains(a.said(), "look at everything") {
		t.Errorf("in fragments: %+v", a)
	}
}
