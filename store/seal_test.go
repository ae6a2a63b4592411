package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
	"postern/internal/testpg"
	"postern/store"
)

var (
	chainKeyA = bytes.Repeat([]byte{1}, 32)
	chainKeyB = bytes.Repeat([]byte{2}, 32)
)

// log is an audit log for a test, with a connection that goes around the store.
type auditLog struct {
	*store.DB
	conn  *pgx.Conn
	chain *store.Chain
	seen  store.Seal
	now   time.Time // of the server that seals
}

func openLog(t *testing.T) *auditLog {
	t.Helper()
	url := testpg.New(t)
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	chain := store.NewChain([][]byte{chainKeyA})
	if _, _, err := db.BeginChain(t.Context(), chain, march); err != nil {
		t.Fatal(err)
	}
	return &auditLog{DB: db, conn: dial(t, url), chain: chain, now: march}
}

// write adds entries of a user, numbered, a minute after each other. It is the minute after the last then.
func (l *auditLog) write(t *testing.T, n int, from time.Time) {
	t.Helper()
	id := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	for i := range n {
		err := l.Tell(t.Context(), store.Entry{
			Event: "password.changed", UserID: id(1), ActorID: id(100 + i), SessionID: id(200 + i), At: from.Add(time.Duration(i) * time.Minute),
			Client: auth.Client{UserAgent: "agent"}, Detail: map[string]any{"n": i, "text": "ä, \"b\""},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l.now = from.Add(time.Duration(n) * time.Minute)
}

// seal seals all that waits, a few at once.
func (l *auditLog) seal(t *testing.T) {
	t.Helper()
	for {
		did, err := l.SealEntries(t.Context(), l.chain, l.seen, 3, l.now)
		if err != nil {
			t.Fatal(err)
		}
		l.seen = did.Last
		if did.Waited < 3 {
			return
		}
	}
}

func (l *auditLog) verify(t *testing.T, v store.Verification) store.Verified {
	t.Helper()
	found, err := l.VerifyChain(t.Context(), l.chain, v)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// whole fails unless a verification finds so many seals, nothing broken, and nothing to remark or to doubt.
func (l *auditLog) whole(t *testing.T, seals int64) {
	t.Helper()
	f := l.verify(t, store.Verification{Remark: func(b store.Break) { t.Error(b) }})
	if f.Broken != nil || f.Seals != seals || f.Waiting != 0 || f.Remarks != 0 || len(f.Doubts(0)) != 0 {
		t.Fatalf("%d seals, %d wait, broken: %v, doubts: %v; want %d whole ones", f.Seals, f.Waiting, f.Broken, f.Doubts(0), seals)
	}
}

var march = time.Date(2031, 3, 31, 23, 50, 0, 0, time.UTC)

func TestWhatWasSealedCannotBeChangedUnnoticed(t *testing.T) {
	t.Parallel()
	// Ten entries over the end of a month, in two partitions. Those of seals 4, 5 and 6 are worked on.
	entry := func(no int) string {
		return fmt.Sprintf("(at, id) = (select entry_at, entry_id from auth.audit_seals where no = %d)", no)
	}
	for name, c := range map[string]struct {
		sql  string
		no   int64 // of the break
		want string
	}{
		"event":                  {"update auth.audit_entries set event = 'session.started' where " + entry(5), 5, "password.changed (seal 5): it was changed"},
		"user":                   {"update auth.audit_entries set user_id = gen_random_uuid() where " + entry(5), 5, "it was changed"},
		"no user":                {"update auth.audit_entries set user_id = null where " + entry(5), 5, "it was changed"},
		"actor":                  {"update auth.audit_entries set actor_id = gen_random_uuid() where " + entry(5), 5, "it was changed"},
		"session":                {"update auth.audit_entries set session_id = null where " + entry(5), 5, "it was changed"},
		"columns swapped":        {"update auth.audit_entries set session_id = actor_id, actor_id = session_id where " + entry(5), 5, "it was changed"},
		"address":                {"update auth.audit_entries set address_prefix = '192.0.2.0/24' where " + entry(5), 5, "it was changed"},
		"empty for null":         {"update auth.audit_entries set address_prefix = '' where " + entry(5), 5, "it was changed"},
		"user agent":             {"update auth.audit_entries set user_agent = 'agen' where " + entry(5), 5, "it was changed"},
		"detail":                 {"update auth.audit_entries set detail = detail || '{\"n\": 99}' where " + entry(5), 5, "it was changed"},
		"no detail":              {"update auth.audit_entries set detail = null where " + entry(5), 5, "it was changed"},
		"time":                   {"update auth.audit_entries set at = at + interval '1 microsecond' where " + entry(5), 5, "its time was changed, to 2031-03-31T23:54:00.000001Z"},
		"time, to another month": {"update auth.audit_entries set at = at + interval '1 month' where " + entry(5), 5, "its time was changed, to 2031-04-30"},
		"time, to never":         {"update auth.audit_entries set at = 'infinity' where " + entry(5), 5, "its time was changed"},
		"id":                     {"alter table auth.audit_entries alter id drop identity; update auth.audit_entries set id = 99 where " + entry(5), 5, "it was deleted"},
		"deleted":                {"delete from auth.audit_entries where " + entry(5), 5, "entry 5 of 2031-03-31T23:54:00.000000Z, password.changed (seal 5): it was deleted"},
		"deleted with its seal": {
			"delete from auth.audit_entries where " + entry(5) + "; delete from auth.audit_seals where no = 5", 5, "the seals 5 to 5 were taken away",
		},
		"several deleted with their seals": {
			"delete from auth.audit_entries where id in (4, 5, 6); delete from auth.audit_seals where no in (4, 5, 6)", 4, "the seals 4 to 6 were taken away",
		},
		"the hole closed": {
			"delete from auth.audit_entries where " + entry(5) + "; delete from auth.audit_seals where no = 5; update auth.audit_seals set no = no - 1 where no > 5", 5, "its seal does not fit",
		},
		"seal deleted":            {"delete from auth.audit_seals where no = 5", 5, "entry 5 of 2031-03-31T23:54:00.000000Z, password.changed (seal 5): the seals 5 to 5 were taken away"},
		"seal changed":            {"update auth.audit_seals set seal = digest where no = 5", 5, "its seal does not fit"},
		"digest changed":          {"update auth.audit_seals set digest = seal where no = 5", 5, "its seal does not fit"},
		"time of sealing changed": {"update auth.audit_seals set sealed_at = sealed_at - interval '1 microsecond' where no = 5", 5, "its seal does not fit"},
		"key renamed":             {"update auth.audit_seals set key = 'another' where no = 5", 5, "a key that is not known"},
		"seals swapped": {
			"update auth.audit_seals set no = -no where no in (4, 5); update auth.audit_seals set no = 9 + no where no < 0", 4, "its seal does not fit",
		},
		"contents swapped": {
			"update auth.audit_entries a set detail = b.detail from auth.audit_entries b where a.id in (4, 5) and b.id in (4, 5) and a.id <> b.id", 4, "it was changed",
		},
		"copied": {
			"alter table auth.audit_entries disable trigger all; insert into auth.audit_entries (at, id, event, user_id) overriding system value select at + interval '1 microsecond', 99, event, user_id from auth.audit_entries where " + entry(5),
			0, "entry 99 of 2031-03-31T23:54:00.000001Z, password.changed: it has no seal",
		},
		"inserted, and taken from those that wait": {
			"insert into auth.audit_entries (at, event) values ('2031-03-31 23:54Z', 'user.created'); delete from auth.audit_pending", 0, "user.created: it has no seal",
		},
		"inserted before all others": {
			"alter table auth.audit_entries disable trigger all; insert into auth.audit_entries (at, event) values ('-infinity', 'user.created')", 0, "user.created: it has no seal",
		},
		"inserted with a seal": {
			"insert into auth.audit_seals select 11, entry_at, 99, event, sealed_at, version, key, digest, seal from auth.audit_seals where no = 10", 11, "its seal does not fit",
		},
		"the newest deleted": {
			"delete from auth.audit_entries where id = 10; delete from auth.audit_seals where no = 10", 10, "the chain ends at seal 9, and 10 were made: the newest were taken away",
		},
		"the newest deleted, head and all": {
			"delete from auth.audit_entries where id = 10; delete from auth.audit_seals where no = 10; update auth.audit_head h set no = s.no, seal = s.seal from auth.audit_seals s where s.no = 9", 10, "auth.audit_head, which says where the chain ends, was changed",
		},
		"the newest seal deleted": {
			"delete from auth.audit_seals where no = 10", 10, "entry 10 of 2031-03-31T23:59:00.000000Z, password.changed (seal 10): the chain ends at seal 9",
		},
		"the oldest deleted": {
			"delete from auth.audit_entries where id = 1; delete from auth.audit_seals where no = 1", 1, "the seals 1 to 1 were taken away",
		},
		"the oldest deleted, and the anchor moved": {
			"delete from auth.audit_entries where id = 1; update auth.audit_head h set anchor_no = 1, anchor_seal = s.seal from auth.audit_seals s where s.no = 1; delete from auth.audit_seals where no = 1",
			11, "auth.audit_head, which says where the chain ends, was changed",
		},
		"taken for expired": {
			"delete from auth.audit_entries where id = 5; update auth.audit_head set kept_since = '2040-01-01'", 5, "it was deleted",
		},
		"all gone":         {"truncate auth.audit_entries", 1, "entry 1 of 2031-03-31T23:50:00.000000Z, password.changed (seal 1): it was deleted"},
		"all seals gone":   {"truncate auth.audit_seals", 1, "the chain ends at seal 0, and 10 were made"},
		"a partition gone": {"drop table auth.audit_entries_2031_03", 1, "it was deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 10, march)
			run(t, l.conn, `select auth.ensure_audit_partitions('2031-03-01Z')`)
			l.seal(t)
			l.whole(t, 10)
			run(t, l.conn, c.sql)
			b := l.verify(t, store.Verification{}).Broken
			if b == nil || b.No != c.no || !strings.Contains(b.String(), c.want) {
				t.Errorf("found %v, want %q of seal %d", b, c.want, c.no)
			}
		})
	}
}

func TestAnEntryThatIsDeletedBeforeItsSealLeavesATrace(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 3, march)
	run(t, l.conn, `delete from auth.audit_entries where id = 2`)
	l.seal(t)
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.ID != 2 || !strings.Contains(b.Problem, "before it was sealed") {
		t.Errorf("found %v", b)
	}
}

// Nothing is sealed behind an end that was changed: that would make the change look right.
func TestASealerDoesNotCoverUpWhatSomebodyTookAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after string }{
		"the newest":                     {"", "delete from auth.audit_entries where id = 5; delete from auth.audit_seals where no = 5"},
		"the newest, head and all":       {"", "delete from auth.audit_seals where no = 5; update auth.audit_head h set no = s.no, seal = s.seal from auth.audit_seals s where s.no = 4"},
		"the head":                       {"", "update auth.audit_head set kept_since = '2040-01-01'"},
		"everything":                     {"", "truncate auth.audit_seals; update auth.audit_head set no = 0, seal = '', anchor_no = 0, anchor_seal = '', key = null, mac = null"},
		"more than there was":            {"", "insert into auth.audit_seals select 6, entry_at, 99, event, sealed_at, version, key, digest, seal from auth.audit_seals where no = 5"},
		"head and all, from an old copy": {"create table public.old_head as table auth.audit_head", "delete from auth.audit_seals where no > 3; delete from auth.audit_head; insert into auth.audit_head table public.old_head"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := openLog(t)
			l.write(t, 3, march)
			l.seal(t)
			if c.before != "" {
				run(t, l.conn, c.before)
			}
			l.write(t, 2, march.Add(time.Hour))
			l.seal(t)
			run(t, l.conn, c.after)
			l.write(t, 1, march.Add(2*time.Hour))
			if did, err := l.SealEntries(t.Context(), l.chain, l.seen, 10, l.now); !errors.Is(err, store.ErrChainBroken) {
				t.Fatalf("sealed %d, %v", did.Waited, err)
			}
			restarted, err := l.RestartChain(t.Context(), l.chain, store.Note{At: march.Add(3 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			last := store.Seal{No: restarted.Through}
			l.seen = restarted.Last
			l.write(t, 2, march.Add(3*time.Hour))
			l.seal(t)
			if n := read(t, l.conn, `select count(*)::text from auth.audit_pending`)[0]; n != "0" {
				t.Errorf("%s wait after the chain was restarted", n)
			}
			found := l.verify(t, store.Verification{From: last.No + 1})
			if last.No > 0 && found.Broken != nil || found.Seals < 2 {
				t.Errorf("from there on: %+v", found)
			}
		})
	}
}

func TestKeysOfTheChainRotate(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	both := store.NewChain([][]byte{chainKeyB, chainKeyA})
	onlyB := store.NewChain([][]byte{chainKeyB})
	l.write(t, 3, march)
	l.seal(t)

	l.chain = onlyB
	if _, err := l.SealEntries(t.Context(), l.chain, store.Seal{}, 9, l.now); !errors.Is(err, store.ErrChainKey) {
		t.Fatalf("a sealer that knows nothing of the old key: %v", err)
	}
	if _, err := l.VerifyChain(t.Context(), l.chain, store.Verification{}); !errors.Is(err, store.ErrChainKey) {
		t.Fatalf("who verifies knows nothing of the old key: %v", err)
	}
	l.chain = both
	l.write(t, 3, march.Add(time.Hour))
	l.seal(t)
	l.whole(t, 6)

	l.chain = onlyB
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.No != 1 || !strings.Contains(b.Problem, "AUTH_ENCRYPTION_KEY_PREVIOUS") {
		t.Errorf("without the old key: %v", b)
	}
	if f := l.verify(t, store.Verification{From: 4}); f.Broken != nil || f.Seals != 3 {
		t.Errorf("from the new key on: %+v", f)
	}
	// A server that was not restarted yet leaves the chain to those that were.
	l.write(t, 1, march.Add(2*time.Hour))
	if _, err := l.SealEntries(t.Context(), store.NewChain([][]byte{chainKeyA}), store.Seal{}, 9, l.now); !errors.Is(err, store.ErrChainKey) {
		t.Errorf("a sealer of yesterday: %v", err)
	}
	l.seal(t)
	// Somebody who has the old key cannot go on with it.
	l.chain = store.NewChain([][]byte{chainKeyA, chainKeyB})
	l.write(t, 1, march.Add(3*time.Hour))
	l.seal(t)
	l.chain = both
	if b := l.verify(t, store.Verification{}).Broken; b == nil || b.No != 8 || !strings.Contains(b.Problem, "older key") {
		t.Errorf("sealed with the old key after the new one: %v", b)
	}
}

// Entries whose transactions end late, on connections that write in any order, are all sealed once, by sealers
// that race.
func TestRaceEntriesThatCommitLateAreSealed(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.now = march.Add(10 * time.Minute)
	const writers, each = 8, 40
	ctx, stop := context.WithCancel(t.Context())
	var writing, sealing sync.WaitGroup
	for range 4 {
		sealing.Go(func() {
			var seen store.Seal
			for ctx.Err() == nil {
				did, err := l.SealEntries(t.Context(), l.chain, seen, 7, l.now)
				if err != nil {
					t.Error(err)
					return
				}
				seen = did.Last
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				err := l.InTx(t.Context(), func(tx *store.DB) error {
					at := march.Add(time.Duration(w*each+i) * 2 * time.Second)
					if err := tx.AddNote(t.Context(), store.Note{Event: "a", At: at}); err != nil {
						return err
					}
					if i%5 == 0 { // it has its number, and others overtake it
						if _, err := tx.Exec(t.Context(), "select pg_sleep(0.05)"); err != nil {
							return err
						}
					}
					if i%7 == 0 {
						return errRolledBack
					}
					return tx.AddNote(t.Context(), store.Note{Event: "b", At: at})
				})
				if err != nil && !errors.Is(err, errRolledBack) {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	stop()
	sealing.Wait()
	l.seal(t)
	const kept = writers * (each - 6) * 2
	l.whole(t, kept)
	if n := read(t, l.conn, `select sum(count)::text from auth.audit_counts`)[0]; n != strconv.Itoa(kept) {
		t.Errorf("%s are counted, want %d", n, kept)
	}
}

var errRolledBack = errors.New("rolled back")

func TestTheSealOfYesterdayIsStillInTheChain(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	l.write(t, 4, march)
	l.seal(t)
	yesterday := l.seen
	l.write(t, 2, march.Add(time.Hour))
	l.seal(t)
	if f := l.verify(t, store.Verification{Includes: yesterday}); !f.Included {
		t.Error("it is not found")
	}
	yesterday.Seal = bytes.Clone(yesterday.Seal)
	yesterday.Seal[0]++
	if f := l.verify(t, store.Verification{Includes: yesterday}); f.Included {
		t.Error("another is found")
	}
}
