package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"postern/store"
)

// What a head that somebody changed allows to be missing is not signed by who lets the chain go on.
func TestARestartBelievesNothingOfAChangedHead(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 6, march)
	l.seal(t)
	run(t, l.conn, `update auth.audit_head set kept_since = '2100-01-01Z', anchor_no = 3, anchor_seal = (select seal from auth.audit_seals where no = 4)`)
	r, err := l.RestartChain(t.Context(), l.chain, store.Note{At: march.Add(time.Hour)})
	if err != nil || r.Proved || r.Anchor.No != 0 || !r.KeptSince.IsZero() || r.Last.No != 6 {
		t.Fatalf("signed %+v, %v", r, err)
	}
	l.seen = r.Last
	l.seal(t)
	l.whole(t, 7)
	run(t, l.conn, `delete from auth.audit_entries where event = 'password.changed'`)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.No != 1 || b.Problem != "it was deleted" {
		t.Errorf("found %v", b)
	}
	note := read(t, l.conn, `select detail::text from auth.audit_entries where event = 'audit.restarted'`)[0]
	if !strings.Contains(note, `"proved": false`) || !strings.Contains(note, `"anchor": 0`) || strings.Contains(note, "keptSince") {
		t.Errorf("the note: %s", note)
	}
}

// A head whose last seal was taken away is itself the sealer's: what retention left stays.
func TestARestartKeepsTheAnchorThatIsProved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{"head": `update auth.audit_head set no = 99`, "last seal": `delete from auth.audit_seals where no = 8`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 5, march)
			l.seal(t)
			later := march.AddDate(1, 0, 0)
			if _, err := l.ExpireAudit(t.Context(), l.chain, later, later); err != nil {
				t.Fatal(err)
			}
			l.write(t, 2, later)
			l.seal(t)
			run(t, l.conn, change)
			r, err := l.RestartChain(t.Context(), l.chain, store.Note{At: later})
			if err != nil || r.Anchor.No != 5 || r.Proved != (name == "last seal") || r.Proved == r.KeptSince.IsZero() {
				t.Errorf("signed %+v, %v", r, err)
			}
		})
	}
}

func TestBeginningBehindASealFindsWhatHasNone(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 6, march)
	l.seal(t)
	run(t, l.conn, `delete from auth.audit_seals where no = 2`)
	if f := l.verify(t, store.Verification{From: 4}); f.Broken != nil {
		t.Errorf("an entry from before: %v", f.Broken)
	}
	l.write(t, 2, march.Add(24*time.Hour))
	run(t, l.conn, `delete from auth.audit_pending`)
	if b := l.verify(t, store.Verification{From: 4}).Broken; b == nil || !strings.Contains(b.String(), "entry 7 of 2031-04-01T23:50:00.000000Z") {
		t.Errorf("found %v", b)
	}
}

func TestEntriesOfImpossibleDatesDoNotStopTheSealer(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `insert into auth.audit_entries (at, event) values
		('0044-03-15 BC', 'x'), ('20044-03-15', 'x'), ('infinity', 'x'), ('-infinity', 'x'), ('0001-01-01', 'x')`)
	l.seal(t)
	l.whole(t, 5)
	if days := strings.Join(read(t, l.conn, `select day::text from auth.audit_counts`), " "); days != "0001-01-01" {
		t.Errorf("counted for %s", days)
	}
}

// Whoever has only SQL cannot have the log sealed anew: an unsigned head is signed by a server that starts, and then it
// tells that entries were there.
func TestTheLogIsNotSealedAnewUnnoticed(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 6, march)
	l.seal(t)
	witness := l.seen
	run(t, l.conn, `update auth.audit_entries set event = 'session.ended'; delete from auth.audit_seals;
		update auth.audit_head set no = 0, seal = '', anchor_no = 0, anchor_seal = '', kept_since = null, key = null, mac = null;
		insert into auth.audit_pending select at, id from auth.audit_entries`)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || !strings.Contains(b.Problem, "is not signed") {
		t.Errorf("before anything is sealed: %v", b)
	}
	if n, _, err := l.SealEntries(t.Context(), l.chain, store.Seal{}, 9); !errors.Is(err, store.ErrChainBroken) {
		t.Fatalf("sealed %d, %v", n, err)
	}
	if _, unproven, err := l.BeginChain(t.Context(), l.chain); err != nil || unproven != 6 {
		t.Errorf("a server that starts: %d entries, %v", unproven, err)
	}
	l.seen = store.Seal{}
	l.seal(t)
	if f := l.verify(t, store.Verification{Includes: witness}); f.Included {
		t.Error("the head of before is in the chain")
	}
	if _, unproven, err := l.BeginChain(t.Context(), l.chain); err != nil || unproven != 0 {
		t.Errorf("a second start: %d entries, %v", unproven, err)
	}
}
