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
	if err != nil || r.Proved || r.Anchor.No != 0 || !r.KeptSince.IsZero() || r.Behind.No != 6 {
		t.Fatalf("signed %+v, %v", r, err)
	}
	if f := l.verify(t, store.Verification{}); f.Broken != nil || f.Seals != 7 || len(f.Doubts(0)) != 1 {
		t.Errorf("%d seals, broken: %v, doubts: %v", f.Seals, f.Broken, f.Doubts(0))
	}
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
	l.now = time.Now()
	l.seal(t)
	l.remarks(t, store.Verification{}, "it was sealed ages after its time", "it was sealed ages after", "it was sealed ages after", "it was sealed ages before its time", "it was sealed ages before")
	if days := strings.Join(read(t, l.conn, `select day::text from auth.audit_counts`), " "); days != "0001-01-01" {
		t.Errorf("counted for %s", days)
	}
}

// Whoever has only SQL cannot have the log sealed anew: an unsigned head is signed by a server that starts, and then the
// head tells for ever that entries were there, and nothing it said otherwise is signed.
func TestTheLogIsNotSealedAnewUnnoticed(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 6, march)
	l.seal(t)
	witness := l.seen
	run(t, l.conn, `update auth.audit_entries set event = 'session.ended'; delete from auth.audit_seals;
		update auth.audit_head set no = 0, seal = '', anchor_no = 0, anchor_seal = '', kept_since = '2100-01-01Z', history = '[]', key = null, mac = null;
		insert into auth.audit_pending select at, id from auth.audit_entries`)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || !strings.Contains(b.Problem, "is not signed") {
		t.Errorf("before anything is sealed: %v", b)
	}
	l.now = march.Add(24 * time.Hour)
	if did, err := l.SealEntries(t.Context(), l.chain, store.Seal{}, 9, l.now); !errors.Is(err, store.ErrChainBroken) {
		t.Fatalf("sealed %d, %v", did.Waited, err)
	}
	_, begun, err := l.BeginChain(t.Context(), l.chain, l.now)
	if err != nil || begun == nil || begun.Through != 6 || begun.Late != 6 || !begun.At.Equal(l.now) {
		t.Fatalf("a server that starts: %+v, %v", begun, err)
	}
	l.seen = store.Seal{}
	l.write(t, 2, l.now)
	l.seal(t)
	found := l.verify(t, store.Verification{Includes: witness})
	if found.Included {
		t.Error("the head of before is in the chain")
	}
	doubts := found.Doubts(0)
	if found.Broken != nil || found.Remarks != 0 || len(doubts) != 1 || !strings.HasPrefix(doubts[0].String(), "begun at 2031-04-01T23:50:00Z: 6 entries waited, 6 of them from more than an hour before") {
		t.Errorf("broken: %v, %d remarks, doubts: %v", found.Broken, found.Remarks, doubts)
	}
	if later, begun, err := l.BeginChain(t.Context(), l.chain, l.now); err != nil || begun != nil || later.No != 8 {
		t.Errorf("a second start: %+v, %v", begun, err)
	}
	// What is put there after the start is no longer among those that were there.
	l.write(t, 1, march)
	l.now = march.Add(25 * time.Hour)
	l.seal(t)
	l.remarks(t, store.Verification{}, "entry 9 of 2031-03-31T23:50:00.000000Z, password.changed (seal 9): it was sealed 25h0m0s after its time")
	// And what retention may take is not what the unsigned head said.
	run(t, l.conn, `delete from auth.audit_entries where id = 1`)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.Problem != "it was deleted" {
		t.Errorf("found %v", b)
	}
}

// remarks fails unless a verification finds nothing broken and makes these remarks.
func (l *auditLog) remarks(t *testing.T, v store.Verification, want ...string) {
	t.Helper()
	var made []string
	v.Remark = func(b store.Break) { made = append(made, b.String()) }
	found := l.verify(t, v)
	if found.Broken != nil || len(made) != len(want) || found.Remarks != int64(len(made)) {
		t.Fatalf("broken: %v, %d remarks: %q, want %q", found.Broken, found.Remarks, made, want)
	}
	for i := range made {
		if !strings.Contains(made[i], want[i]) {
			t.Errorf("remark %q, want %q", made[i], want[i])
		}
	}
}

// The history of the chain is signed with the head, and lost with it at most by a restart that says so.
func TestTheHistoryOfTheChainCannotBeChanged(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"emptied":   `update auth.audit_head set history = ''`,
		"changed":   `update auth.audit_head set history = replace(history, '2031', '2030')`,
		"no longer": `update auth.audit_head set history = 'nothing that can be read'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 3, march)
			l.seal(t)
			run(t, l.conn, sql)
			if f := l.verify(t, store.Verification{}); f.Broken == nil || !strings.Contains(f.Broken.Problem, "auth.audit_head") || len(f.Openings) != 0 {
				t.Errorf("found %v, %v", f.Broken, f.Openings)
			}
			if _, err := l.SealEntries(t.Context(), l.chain, l.seen, 3, l.now); !errors.Is(err, store.ErrChainBroken) {
				t.Errorf("sealed on: %v", err)
			}
			if _, err := l.RestartChain(t.Context(), l.chain, store.Note{At: l.now}); err != nil {
				t.Fatal(err)
			}
			doubts := l.verify(t, store.Verification{}).Doubts(0)
			if len(doubts) != 1 || !strings.Contains(doubts[0].String(), "restarted at 2031-03-31T23:53:00Z behind seal 3: the head was not the sealer's") {
				t.Errorf("doubts: %v", doubts)
			}
		})
	}
}

// A restart signs what is left, and says for ever what was missing then.
func TestARestartTellsWhatWasMissing(t *testing.T) {
	t.Parallel()
	newest := `delete from auth.audit_entries where id > 4; delete from auth.audit_seals where no > 4;`
	for name, c := range map[string]struct{ sql, want string }{
		"the newest":               {newest, "behind seal 4: 2 seals are missing before; 1 entries waited"},
		"the newest, and the head": {newest + `update auth.audit_head set no = 4, seal = (select seal from auth.audit_seals where no = 4)`, "behind seal 4: the head was not the sealer's"},
		"the head's key":           {`update auth.audit_head set key = 'another'`, "behind seal 6: the head was not the sealer's"},
		"the last, for another":    {`update auth.audit_seals set seal = digest where no = 6`, "behind seal 6: the last seal before was another"},
		"more than there were":     {`insert into auth.audit_seals select 7, entry_at, 99, event, sealed_at, version, key, digest, seal from auth.audit_seals where no = 6`, "1 seals before are not the sealer's"},
		"an unsigned head":         {`update auth.audit_head set no = 0, seal = '', anchor_no = 0, anchor_seal = '', history = '', key = null, mac = null`, "behind seal 6: the head was not the sealer's"},
		"everything": {
			`truncate auth.audit_seals; update auth.audit_head set no = 0, seal = '', anchor_no = 0, anchor_seal = '', history = '', key = null, mac = null;
			insert into auth.audit_pending select at, id from auth.audit_entries`,
			"behind seal 0: the head was not the sealer's, so how many seals are missing before is not known; 7 entries waited, 6 of them",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 6, march)
			l.seal(t)
			run(t, l.conn, c.sql)
			l.now = march.Add(3 * time.Hour)
			r, err := l.RestartChain(t.Context(), l.chain, store.Note{At: l.now})
			if err != nil {
				t.Fatal(err)
			}
			l.seen = r.Last
			l.write(t, 2, l.now)
			l.seal(t)
			found := l.verify(t, store.Verification{})
			doubts := found.Doubts(0)
			if len(doubts) != 1 || !strings.Contains(doubts[0].String(), "restarted at 2031-04-01T02:50:00Z ") || !strings.Contains(doubts[0].String(), c.want) {
				t.Errorf("doubts: %v, want %s", doubts, c.want)
			}
			wasFine := strings.HasPrefix(name, "the newest") || strings.Contains(name, "head") || name == "everything"
			if wasFine != (found.Broken == nil) {
				t.Errorf("found %v", found.Broken)
			}
			behind := store.Verification{From: r.Through + 1}
			l.remarks(t, behind)
			if f := l.verify(t, behind); f.Seals != 2 || len(f.Doubts(behind.From)) != 0 || len(f.Openings) == 0 {
				t.Errorf("behind it: %d seals, doubts %v of %v", f.Seals, f.Doubts(behind.From), f.Openings)
			}
			// It is not forgotten by another one.
			if _, err := l.RestartChain(t.Context(), l.chain, store.Note{At: l.now}); err != nil {
				t.Fatal(err)
			}
			if again := l.verify(t, store.Verification{}).Doubts(0); len(again) != 2 || again[0].String() != doubts[0].String() {
				t.Errorf("after another: %v", again)
			}
		})
	}
}

func TestARestartSignsNoEmptyLogAndNoImpossibleNumber(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	run(t, l.conn, `update auth.audit_head set no = 0, seal = '', history = '', key = null, mac = null`)
	if _, err := l.RestartChain(t.Context(), l.chain, store.Note{At: march}); !errors.Is(err, store.ErrNotBegun) {
		t.Errorf("an empty log: %v", err)
	}
	run(t, l.conn, `insert into auth.audit_seals values (9223372036854775807, now(), 1, 'x', now(), 1, '', '', '')`)
	if _, err := l.RestartChain(t.Context(), l.chain, store.Note{At: march}); !errors.Is(err, store.ErrChainBroken) || !strings.Contains(err.Error(), "9223372036854775807") {
		t.Errorf("the last of all numbers: %v", err)
	}
	if n := read(t, l.conn, `select count(*)::text from auth.audit_entries`)[0]; n != "0" {
		t.Errorf("%s notes of what was refused", n)
	}
}

// What waited while nothing was sealed is late for that, and is counted by the restart, not remarked one by one.
func TestWhatWaitedForARestartIsNotRemarked(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 3, march)
	l.seal(t)
	run(t, l.conn, `update auth.audit_head set no = 4`)
	l.write(t, 5, march.Add(time.Hour))
	l.now = march.Add(5 * time.Hour)
	r, err := l.RestartChain(t.Context(), l.chain, store.Note{At: l.now})
	if err != nil || r.Late != 5 || r.Through != 9 || r.Behind.No != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	l.remarks(t, store.Verification{})
}

// Retention keeps the last seal of what goes, and believes no seal for it that somebody changed.
func TestRetentionTakesNoSealsThatWereChanged(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"dated back":          `delete from auth.audit_entries where id <= 3; update auth.audit_seals set entry_at = '2001-01-01Z' where no <= 3`,
		"dated back, one":     `update auth.audit_seals set entry_at = '2001-01-01Z' where no = 1`,
		"dated back, a hole":  `delete from auth.audit_seals where no = 6; update auth.audit_seals set entry_at = '2001-01-01Z' where no = 7`,
		"of a key that isn't": `update auth.audit_seals set entry_at = '2001-01-01Z', key = 'another' where no <= 3`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 5, march)
			l.seal(t)
			later := march.AddDate(1, 0, 0)
			if _, err := l.ExpireAudit(t.Context(), l.chain, march.AddDate(0, 1, 0), later); err != nil {
				t.Fatal(err)
			}
			l.write(t, 5, later)
			l.seal(t)
			anchor := read(t, l.conn, `select anchor_no::text from auth.audit_head`)[0]
			if anchor != "5" {
				t.Fatalf("the anchor is %s", anchor)
			}
			sql = strings.NewReplacer("no <= 3", "no <= 8", "id <= 3", "id between 6 and 8", "no = 1", "no = 6").Replace(sql)
			run(t, l.conn, sql)
			_, err := l.ExpireAudit(t.Context(), l.chain, march.AddDate(0, 1, 0), later)
			if (name != "of a key that isn't") != errors.Is(err, store.ErrChainBroken) {
				t.Errorf("error %v", err)
			}
			if now := read(t, l.conn, `select anchor_no::text from auth.audit_head`)[0]; now != anchor {
				t.Errorf("the anchor moved to %s", now)
			}
			if f := l.verify(t, store.Verification{}); f.Broken == nil || f.Broken.No != 6 {
				t.Errorf("found %v", f.Broken)
			}
		})
	}
}
