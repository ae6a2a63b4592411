package faults_test

import (
	"math/rand/v2"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestF06KillDuringSealing kills one of two servers at random moments while both write and seal the audit log. Every
// change that was acknowledged is in the log once, all of it gets sealed, and the chain is whole.
func TestF06KillDuringSealing(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 6))
	t.Logf("seed %d", seed)
	var acknowledged atomic.Int64
	wrong := &failures{}
	stays := s.start(t)
	for range times(t) {
		dies := s.start(t)
		answers := make(chan struct{}, 100)
		done := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 6 {
			url := []string{stays.url, dies.url}[i%2]
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					a, err := send(t.Context(), "POST", url+"/signin/anonymous", "", map[string]any{})
					switch {
					case err != nil:
						return // it was killed
					case a.status == 200:
						acknowledged.Add(1)
						tell(answers)
					default:
						wrong.add("sign-in: %s", a)
					}
				}
			})
		}
		dies.killDuring(random, answers)
		close(done)
		wg.Wait()
		wrong.report(t)
	}
	eventually(t, "the seal of the last entry", func() bool {
		return scan[bool](t, s, `select not exists (select from auth.audit_pending)
			and not exists (select from pg_stat_activity where application_name = 'postern' and datname = current_database() and state <> 'idle' and query like '%audit%')`)
	})
	verify := exec.Command(s.bin, "audit", "verify")
	verify.Env, verify.Dir = s.env, s.dir
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	entries, seals := scan[int64](t, s, `select count(*) from auth.audit_entries`), scan[int64](t, s, `select no from auth.audit_head`)
	counted := scan[int64](t, s, `select sum(count)::bigint from auth.audit_counts`)
	sessions := scan[int64](t, s, `select count(*) from auth.refresh_tokens`)
	twice := scan[int64](t, s, `select count(*) from (select session_id from auth.audit_entries where event = 'session.started' group by 1 having count(*) <> 1) x`)
	started := scan[int64](t, s, `select count(*) from auth.audit_entries where event = 'session.started'`)
	if entries != seals || counted != entries || started != sessions || twice != 0 || sessions < acknowledged.Load() {
		t.Errorf("%d entries, %d seals, %d counted; %d sessions, %d acknowledged, %d in the log, %d not once", entries, seals, counted, sessions, acknowledged.Load(), started, twice)
	}
	t.Logf("%d kills: %d acknowledged, %d entries sealed", times(t), acknowledged.Load(), seals)
}
