package deliver_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	if err != nil || found.Broken != nil || found.Seals != int64(changes) {
		t.Errorf("%d seals of %d changes, broken: %v, %v", found.Seals, changes, found.Broken, err)
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
