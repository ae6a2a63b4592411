package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/store"
)

// An entry that is dated back or ahead is sealed as any other, and its seal tells.
func TestEntriesThatAreDatedBackAreRemarked(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 3, march)
	l.seal(t)
	insert := func(at time.Time) {
		t.Helper()
		run(t, l.conn, fmt.Sprintf(`insert into auth.audit_entries (at, event) values ('%s', 'session.started')`, at.Format(time.RFC3339Nano)))
	}
	insert(l.now.Add(-time.Hour))
	insert(l.now.Add(4 * time.Minute)) // of a server whose clock is ahead
	l.seal(t)
	l.whole(t, 5)
	insert(l.now.Add(-time.Hour - time.Microsecond))
	insert(l.now.AddDate(-1, 0, 0))
	insert(l.now.Add(6 * time.Minute))
	l.seal(t)
	l.remarks(
		t, store.Verification{}, "session.started (seal 6): it was sealed 8760h0m0s after its time, at 2031-03-31T23:53:00.000000Z",
		"(seal 7): it was sealed 1h0m0s after", "(seal 8): it was sealed 6m0s before its time",
	)
	l.remarks(t, store.Verification{Late: 2 * time.Hour}, "(seal 6)", "(seal 8)")
	l.remarks(t, store.Verification{Late: time.Minute}, "(seal 1): it was sealed 3m0s", "(seal 2): it was", "(seal 4)", "(seal 6)", "(seal 7)", "(seal 8)")
	l.remarks(t, store.Verification{From: 8}, "(seal 8)")
}

// Whoever holds up the sealing has entries open to change: that they wait is remarked.
func TestEntriesThatWaitForLongAreRemarked(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.remarks(t, store.Verification{Now: march.AddDate(1, 0, 0)})
	l.write(t, 3, march)
	l.remarks(t, store.Verification{Now: march.Add(time.Hour)})
	l.remarks(t, store.Verification{Now: march.Add(time.Hour + time.Second)}, "entry 1 of 2031-03-31T23:50:00.000000Z: it waits for its seal 1h0m1s after its time")
	l.seal(t)
	l.remarks(t, store.Verification{Now: march.AddDate(1, 0, 0)})
}

// Sealers tell of late entries when they seal them.
func TestASealerCountsWhatIsLate(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 3, march)
	did, err := l.SealEntries(t.Context(), l.chain, l.seen, 9, march.Add(time.Hour+time.Minute+time.Second))
	if err != nil || did.Waited != 3 || did.Late != 2 {
		t.Errorf("%+v, %v", did, err)
	}
}

func TestTimesOfSealingGoForward(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	at := func(now time.Time) {
		t.Helper()
		l.write(t, 1, now)
		l.now = now
		l.seal(t)
	}
	for i, back := range []time.Duration{0, time.Second, 4 * time.Minute, 0, 5 * time.Minute, 2 * time.Minute} {
		at(march.Add(time.Duration(i)*time.Second - back))
	}
	l.whole(t, 6)
	at(march.Add(-6 * time.Minute)) // far back
	at(march.Add(-5 * time.Minute)) // and on from there
	l.remarks(t, store.Verification{}, "(seal 7): it was sealed at 2031-03-31T23:44:00.000000Z, and one before it at 2031-03-31T23:50:03.000000Z")
	// Creeping back in small steps is seen as well.
	l = openLog(t)
	for i := range 4 {
		at(march.Add(-2 * time.Duration(i) * time.Minute))
	}
	l.remarks(t, store.Verification{}, "(seal 4)")
}

// An honest log of years: two servers whose clocks differ, a new key, months that went, and servers that come and go.
func TestAnHonestLogIsWhole(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `select auth.ensure_audit_partitions('2031-03-01Z')`)
	servers := []struct {
		ahead time.Duration
		seen  store.Seal
	}{{0, store.Seal{}}, {2 * time.Minute, store.Seal{}}, {-2 * time.Minute, store.Seal{}}}
	day := func(from time.Time) {
		t.Helper()
		for i := range 12 {
			s := &servers[i%3]
			if i%4 == 0 { // it was restarted
				s.seen = store.Seal{}
				if _, begun, err := l.BeginChain(t.Context(), l.chain, from.Add(s.ahead)); err != nil || begun != nil {
					t.Fatalf("%+v, %v", begun, err)
				}
			}
			now := from.Add(time.Duration(i) * time.Second)
			l.write(t, 2, now.Add(s.ahead-2*time.Minute))
			sealer := &servers[(i+1)%3]
			did, err := l.SealEntries(t.Context(), l.chain, sealer.seen, 9, now.Add(sealer.ahead))
			if err != nil || did.Late != 0 {
				t.Fatal(did, err)
			}
			sealer.seen = did.Last
		}
	}
	day(march)
	l.chain = store.NewChain([][]byte{chainKeyB, chainKeyA})
	day(march.AddDate(0, 0, 1))
	later := march.AddDate(0, 2, 0)
	if _, err := l.ExpireAudit(t.Context(), l.chain, march.AddDate(0, 0, 2), later); err != nil {
		t.Fatal(err)
	}
	day(later)
	// 48 entries, of which those of March went, and the note of that.
	f := l.verify(t, store.Verification{Remark: func(b store.Break) { t.Error(b) }})
	if f.Broken != nil || f.Remarks != 0 || len(f.Doubts(0)) != 0 || f.Waiting != 0 || f.Oldest < 20 || f.Seals+f.Oldest-1 != 73 {
		t.Errorf("%+v, broken: %v", f, f.Broken)
	}
	if len(f.Openings) != 1 || f.Openings[0].String() != "begun at 2031-03-31T23:50:00Z" {
		t.Errorf("openings: %v", f.Openings)
	}
}

// Beginning behind a seal that is dated ahead hides nothing of what has no seal.
func TestBeginningBehindASealOfTheFutureHidesNothing(t *testing.T) {
	t.Parallel()
	unsealed := func(l *auditLog, at time.Time) {
		run(t, l.conn, fmt.Sprintf(`insert into auth.audit_entries (at, event) values ('%s', 'user.created'); delete from auth.audit_pending`, at.Format(time.RFC3339Nano)))
	}
	for name, c := range map[string]struct {
		holes string // made in the seals before
		at    time.Time
		found bool
	}{
		"nothing is missing, dated later":      {"", march.Add(time.Hour), true},
		"nothing is missing, dated earlier":    {"", march, true},
		"a seal is missing, dated later":       {"delete from auth.audit_seals where no = 2", march.Add(time.Hour), true},
		"a seal is missing, dated earlier":     {"delete from auth.audit_seals where no = 2", march, true},
		"a seal and its entry, dated earlier":  {"delete from auth.audit_seals where no = 2; delete from auth.audit_entries where id = 2", march, false},
		"a seal and its entry, dated later":    {"delete from auth.audit_seals where no = 2; delete from auth.audit_entries where id = 2", march.Add(time.Hour), true},
		"the time of the seal before, changed": {"update auth.audit_seals set sealed_at = 'infinity' where no in (2, 4); delete from auth.audit_seals where no = 2; delete from auth.audit_entries where id = 2", march.Add(time.Hour), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 3, march)
			l.seal(t)
			run(t, l.conn, `insert into auth.audit_entries (at, event) values ('2099-01-01Z', 'x'), ('2099-01-02Z', 'x')`)
			l.seal(t)
			l.write(t, 1, l.now)
			l.seal(t)
			run(t, l.conn, c.holes+";")
			unsealed(l, c.at)
			for _, from := range []int64{4, 5, 6} {
				b := l.verify(t, store.Verification{From: from}).Broken
				if c.found != (b != nil) || b != nil && !strings.Contains(b.String(), "it has no seal") && !strings.Contains(b.String(), "does not fit") {
					t.Errorf("from %d: %v", from, b)
				}
			}
		})
	}
}
