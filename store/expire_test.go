package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/store"
)

func TestRetentionDropsMonthsAndTheRestVerifies(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `select auth.ensure_audit_partitions('2031-01-01Z'); select auth.ensure_audit_partitions('2031-04-01Z')`)
	at := func(month, day int) time.Time { return time.Date(2031, time.Month(month), day, 12, 0, 0, 0, time.UTC) }
	l.write(t, 2, time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC)) // in the default partition
	l.write(t, 4, at(1, 5))
	l.seal(t)
	l.write(t, 4, at(3, 5))
	l.seal(t)
	l.write(t, 2, at(2, 27)) // committed late: its seals are between those of later entries
	l.seal(t)
	l.write(t, 3, at(4, 1))
	l.seal(t)
	if f := l.verify(t, store.Verification{}); f.Broken != nil || f.Seals != 15 {
		t.Fatalf("%d seals, broken: %v", f.Seals, f.Broken)
	}

	months, err := l.ExpireAudit(t.Context(), l.chain, at(3, 20), at(4, 20))
	if err != nil || months < 3 { // January, February, the default one, and those of the day of this test
		t.Fatalf("%d months went, %v", months, err)
	}
	l.seal(t) // the note
	found := l.verify(t, store.Verification{})
	if found.Broken != nil || found.Oldest != 7 || found.Seals != 10 || found.Expired != 2 {
		t.Errorf("what is left: %+v, broken: %v", found, found.Broken)
	}
	partitions := strings.Join(read(t, l.conn, `select relname::text from pg_class where relname like 'audit_entries_2031%' and relkind = 'r' order by 1`), " ")
	if partitions != "audit_entries_2031_03 audit_entries_2031_04 audit_entries_2031_05 audit_entries_2031_06" {
		t.Errorf("partitions: %s", partitions)
	}
	if n := read(t, l.conn, `select count(*)::text from auth.audit_entries where at < '2031-03-01Z'`)[0]; n != "0" {
		t.Errorf("%s entries are left of months that are over", n)
	}
	if n := read(t, l.conn, `select count(*)::text from auth.audit_entries where event = 'audit.expired'`)[0]; n != "1" {
		t.Errorf("%s notes of it", n)
	}
	if months, err := l.ExpireAudit(t.Context(), l.chain, at(3, 20), at(4, 20)); err != nil || months != 0 {
		t.Errorf("again: %d months, %v", months, err)
	}
	// What retention did not drop cannot be taken away either.
	run(t, l.conn, `delete from auth.audit_entries where id = (select entry_id from auth.audit_seals where no = 8)`)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.No != 8 {
		t.Errorf("found %v", b)
	}
}

func TestRetentionOfEverythingLeavesAnAnchor(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 5, march)
	l.seal(t)
	later := march.AddDate(1, 0, 0)
	if _, err := l.ExpireAudit(t.Context(), l.chain, later, later); err != nil {
		t.Fatal(err)
	}
	l.seal(t)
	l.write(t, 2, later)
	l.seal(t)
	if f := l.verify(t, store.Verification{}); f.Broken != nil || f.Oldest != 6 || f.Seals != 3 {
		t.Errorf("%+v, broken: %v", f, f.Broken)
	}
}

// Who reads the log for long must not make everybody else wait behind a change of partitions.
func TestRetentionDoesNotWaitForReaders(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `select auth.ensure_audit_partitions('2031-03-01Z')`)
	l.write(t, 2, march)
	l.seal(t)
	later := march.AddDate(1, 0, 0)
	run(t, l.conn, `begin; select count(*) from auth.audit_entries`)
	if _, err := l.ExpireAudit(t.Context(), l.chain, later, later); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("error %v", err)
	}
	if err := l.EnsurePartitions(t.Context(), later); err != nil {
		t.Error(err)
	}
	l.write(t, 1, later)
	l.seal(t)
	if f := l.verify(t, store.Verification{}); f.Broken != nil {
		t.Errorf("half way: %v", f.Broken)
	}
	run(t, l.conn, `commit`)
	if _, err := l.ExpireAudit(t.Context(), l.chain, later, later); err != nil {
		t.Error(err)
	}
	if f := l.verify(t, store.Verification{}); f.Broken != nil || f.Oldest != 3 {
		t.Errorf("%+v, broken: %v", f, f.Broken)
	}
}

func TestActiveUsersAreCountedByDay(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `insert into auth.roles values ('user') on conflict do nothing`)
	for i, seen := range []string{"2031-03-30 23:59:59Z", "2031-03-31 00:00Z", "2031-03-31 23:59:59Z"} {
		run(t, l.conn, fmt.Sprintf(`insert into auth.users (id, display_name, avatar_url, locale, default_role, last_seen)
			values ('00000000-0000-4000-8000-00000000000%d', '', '', 'en', 'user', '%s')`, i, seen))
	}
	count := func(since, forget time.Time) {
		t.Helper()
		if err := l.CountActive(t.Context(), since, forget); err != nil {
			t.Fatal(err)
		}
	}
	count(march.AddDate(0, 0, -2), march.AddDate(0, 0, -31))
	run(t, l.conn, `update auth.users set last_seen = '2031-04-01 00:01Z' where last_seen < '2031-03-31 00:01Z'`)
	count(march.Add(-time.Hour), march.AddDate(0, 0, -31))
	for event, n := range map[string]int{"user.created": 2, "session.started": 3, "signin.failed": 1, "password.changed": 7} {
		for range n {
			if err := l.AddNote(t.Context(), store.Note{Event: event, At: march}); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.seal(t)
	days, err := l.DaysBetween(t.Context(), march.AddDate(0, 0, -1), march.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Day{{Day: "2031-03-30", ActiveUsers: 1}, {Day: "2031-03-31", SignUps: 2, SignIns: 3, Failures: 1, ActiveUsers: 2}, {Day: "2031-04-01", ActiveUsers: 2}}
	if fmt.Sprint(days) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", days, want)
	}
	count(march.Add(-time.Hour), march.AddDate(0, 0, 1)) // who was there is forgotten, how many were is not
	if left := strings.Join(read(t, l.conn, `select day::text from auth.active_users order by 1`), " "); left != "2031-04-01 2031-04-01" {
		t.Errorf("kept: %s", left)
	}
	if days, err = l.DaysBetween(t.Context(), march, march); err != nil || days[0].ActiveUsers != 2 {
		t.Errorf("got %v, %v", days, err)
	}
}
