package deliver_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/deliver"
	"postern/internal/testhouse"
	"postern/store"
	"postern/tokens"
)

// TestRaceChangesOnTwoHousesVerify has two servers, whose clocks differ by a second, write entries in parallel and seal
// them meanwhile. POSTERN_RACES sets how many.
func TestRaceChangesOnTwoHousesVerify(t *testing.T) {
	t.Parallel()
	changes := 1000
	if n, err := strconv.Atoi(os.Getenv("POSTERN_RACES")); err == nil && n > 0 {
		changes = n
	}
	a := testhouse.Open(t, nil)
	b := a.Beside(t)
	b.Clock.Advance(time.Second)
	const writers = 16
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			h, user := []*testhouse.House{a, b}[w%2], tokens.NewUUID()
			for i := w; i < changes; i += writers {
				err := h.Store.Tell(t.Context(), store.Entry{Event: "password.changed", UserID: user, At: h.Clock.Now(), Detail: map[string]any{"n": i}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	last := time.Now()
	until(t, a, "the last seal", `select not exists (select from auth.audit_pending)`)
	took := time.Since(last)
	chain := store.NewChain(a.Kit.Keys.ChainKeys())
	found, err := a.Store.VerifyChain(t.Context(), chain, store.Verification{})
	if err != nil || found.Broken != nil || found.Seals != int64(changes) || found.Remarks != 0 || len(found.Doubts(0)) != 0 {
		t.Errorf("%d seals of %d changes, broken: %v, %d remarks, doubts: %v, %v", found.Seals, changes, found.Broken, found.Remarks, found.Doubts(0), err)
	}
	if told := value[int64](t, a, `select sum(count)::bigint from auth.audit_counts`); told != int64(changes) {
		t.Errorf("%d are counted", told)
	}
	t.Logf("%d changes; all were sealed %v after the last", changes, took)
}

func TestTamperingIsLoggedAndNothingSealedOverIt(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	tell(t, h, h.Clock, tokens.NewUUID(), 0, 3)
	until(t, h, "the seals", `select no = 3 from auth.audit_head`)
	if _, err := h.Store.Pool().Exec(t.Context(), `delete from auth.audit_seals where no = 3`); err != nil {
		t.Fatal(err)
	}
	tell(t, h, h.Clock, tokens.NewUUID(), 0, 1)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(h.Log.String(), "the audit log was tampered with"); {
		if time.Now().After(deadline) {
			t.Fatal("nobody was told")
		}
		until(t, h, "a moment", `select pg_sleep(0.02) is not null`)
	}
	if n := value[int64](t, h, `select count(*) from auth.audit_pending`); n != 1 {
		t.Errorf("%d entries wait", n)
	}
}

// An entry that somebody dated back is told of as it is sealed, and a server that begins a log says so.
func TestASealerTellsOfLateEntries(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	tell(t, h, h.Clock, tokens.NewUUID(), 0, 1)
	until(t, h, "a seal", `select no = 1 from auth.audit_head`)
	if log := h.Log.String(); !strings.Contains(log, "the audit log begins to be sealed") || strings.Contains(log, "after their time") {
		t.Errorf("the log: %s", log)
	}
	old := h.Clock.Now().Add(-2 * time.Hour)
	if err := h.Store.AddNote(t.Context(), store.Note{Event: "machine-client.set", At: old}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(h.Log.String(), "entries of the audit log were sealed more than an hour after their time"); {
		if time.Now().After(deadline) {
			t.Fatal("nobody was told")
		}
		until(t, h, "a moment", `select pg_sleep(0.02) is not null`)
	}
}

func TestTheSweeperKeepsTheLogForItsTime(t *testing.T) {
	t.Parallel()
	for kept, gone := range map[string]bool{"": false, "0s": false, "24h": true, "87600h": false} {
		t.Run(kept, func(t *testing.T) {
			t.Parallel()
			h := testhouse.Open(t, map[string]string{"AUTH_AUDIT_KEPT": kept, "AUTH_SWEEP_INTERVAL": "1s"})
			old := h.Clock.Now().AddDate(0, -6, 0)
			for range 3 {
				if err := h.Store.AddNote(t.Context(), store.Note{Event: "machine-client.set", At: old}); err != nil {
					t.Fatal(err)
				}
			}
			// A month ahead there is no partition yet: the sweeper makes it.
			until(t, h, "the seals", `select not exists (select from auth.audit_pending)`) // or they were dropped before
			h.Clock.Advance(40 * 24 * time.Hour)
			month := h.Clock.Now().UTC().AddDate(0, 0, -h.Clock.Now().UTC().Day()+1).AddDate(0, 2, 0).Format("2006_01")
			until(t, h, "the partition of the month after the next", `select to_regclass('auth.audit_entries_`+month+`') is not null`)
			if gone {
				until(t, h, "the end of the old entries", `select not exists (select from auth.audit_entries where at < now() - interval '5 months')`)
			} else if n := value[int64](t, h, `select count(*) from auth.audit_entries where at < now() - interval '5 months'`); n != 3 {
				t.Errorf("%d old entries are left", n)
			}
			until(t, h, "the last seal", `select not exists (select from auth.audit_pending)`)
			found, err := h.Store.VerifyChain(t.Context(), store.NewChain(h.Kit.Keys.ChainKeys()), store.Verification{})
			if err != nil || found.Broken != nil {
				t.Errorf("broken: %v, %v", found.Broken, err)
			}
		})
	}
}

func TestTooShortATimeForTheLogIsRefused(t *testing.T) {
	t.Parallel()
	for kept, refused := range map[time.Duration]bool{0: false, time.Hour: true, 24*time.Hour - 1: true, 24 * time.Hour: false} {
		said := ""
		deliver.Settings{AuditKept: kept}.Check(func(env, problem string) { said = env + " " + problem })
		if refused != strings.Contains(said, "AUTH_AUDIT_KEPT must be 24h or more") {
			t.Errorf("%s: %q", kept, said)
		}
	}
}
