package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const password = "correct horse battery"

// TestF01KillDuringSignUps kills the server at random moments while people sign up. Whoever got an
// answer is there, can confirm and sign in, and is owed exactly one mail. Whoever got none is there
// with everything, or not at all.
func TestF01KillDuringSignUps(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)

	const people = 6
	var mu sync.Mutex
	acknowledged, unknown := map[string]bool{}, map[string]bool{}
	wrong := &failures{}
	var slowest time.Duration
	for round := range times(t) {
		begin := time.Now()
		r := s.start(t)
		slowest = max(slowest, time.Since(begin))
		answers := make(chan struct{}, 100)
		var wg sync.WaitGroup
		for person := range people {
			wg.Go(func() {
				for i := 0; ; i++ {
					email := fmt.Sprintf("p%d-%d-%d@example.com", round, person, i)
					a, err := send(t.Context(), "POST", r.url+"/signup/email-password", "", map[string]any{"email": email, "password": password})
					mu.Lock()
					switch {
					case err != nil:
						unknown[email] = true
					case a.status == 200:
						acknowledged[email] = true
					default:
						wrong.add("sign-up: %s", a)
					}
					mu.Unlock()
					if err != nil {
						return
					}
					tell(answers)
				}
			})
		}
		r.killDuring(random, answers)
		wg.Wait()
		wrong.report(t)
	}

	// A statement that the last server had sent may still run.
	eventually(t, "the end of what the dead left running", func() bool {
		return scan[int](t, s, `select count(*) from pg_stat_activity where application_name = 'postern' and datname = current_database()`) == 0
	})
	s.checkWhole(t, acknowledged, unknown)
	stuck := s.carryOn(t)
	duplicates := s.checkLedger(t)
	s.checkPeople(t)
	t.Logf("%d kills: %d acknowledged, %d without an answer, %d of them there; %d mails under way when their server died, %d sent twice; slowest start %v",
		times(t), len(acknowledged), len(unknown), scan[int](t, s, `select count(*) from auth.users`)-len(acknowledged), stuck, duplicates, slowest)
}

// checkWhole looks for users who are lost, or there in part.
func (s *site) checkWhole(t *testing.T, acknowledged, unknown map[string]bool) {
	t.Helper()
	there := map[string]bool{}
	for _, email := range scan[[]string](t, s, `select coalesce(array_agg(email::text), '{}') from auth.users`) {
		there[email] = true
		if !acknowledged[email] && !unknown[email] {
			t.Errorf("%s never asked for an account", email)
		}
	}
	for email := range acknowledged {
		if !there[email] {
			t.Errorf("%s was acknowledged and is lost", email)
		}
	}
	parts := scan[[]string](t, s, `select coalesce(array_agg(email::text), '{}') from auth.users u where
		(select count(*) from auth.user_roles where user_id = u.id) <> 2
		or (select count(*) from auth.tickets where user_id = u.id and purpose = 'verifyEmail') <> 1
		or (select count(*) from auth.audit_entries where user_id = u.id and event = 'user.created') <> 1
		or (select count(*) from auth.events where user_id = u.id and type = 'user.created' and seq = 1) <> 1
		or (select count(*) from auth.events where user_id = u.id) <> 1
		or (select max(last) from auth.event_heads where user_id = u.id) <> 1
		or u.password_hash is null or u.disabled`)
	if len(parts) > 0 {
		t.Errorf("%d users are there in part: %v", len(parts), parts[:min(5, len(parts))])
	}
	for _, table := range []string{"auth.tickets", "auth.audit_entries", "auth.events", "auth.event_heads"} {
		if n := scan[int](t, s, `select count(*) from `+table); n != len(there) {
			t.Errorf("%d rows in %s, %d users", n, table, len(there))
		}
	}
	if n := scan[int](t, s, `select count(*) from postern_river.river_job where kind = 'postern_mail'`); n != len(there) {
		t.Errorf("%d mails are owed to %d users", n, len(there))
	}
}

// carryOn starts a server that has to deliver all that is owed. What was under way when its server
// died is made to look three minutes old, so that nobody has to wait for it.
func (s *site) carryOn(t *testing.T) (stuck int) {
	t.Helper()
	tag, err := s.db.Exec(t.Context(), `update postern_river.river_job set attempted_at = attempted_at - interval '3 minutes' where state = 'running'`)
	if err != nil {
		t.Fatal(err)
	}
	// The dead leader's term would have to run out first: some seconds.
	if _, err := s.db.Exec(t.Context(), `delete from postern_river.river_leader`); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	eventually(t, "delivery of all mails", func() bool {
		return scan[int](t, s, `select count(*) from postern_river.river_job where kind = 'postern_mail' and state <> 'completed'`) == 0
	})
	return int(tag.RowsAffected())
}

// checkLedger compares the mails that arrived with those that were owed, by Message-ID.
func (s *site) checkLedger(t *testing.T) (duplicates int) {
	t.Helper()
	owed := map[string]bool{}
	for _, id := range scan[[]string](t, s, `select coalesce(array_agg(args->>'id'), '{}') from postern_river.river_job where kind = 'postern_mail'`) {
		owed[id] = true
	}
	to, ids := map[string]string{}, map[string]string{}
	for _, m := range s.mail.Messages() {
		id := m.Headers.Get("Message-ID")
		left, _, _ := strings.Cut(strings.TrimPrefix(id, "<"), "@")
		if !owed[left] {
			t.Errorf("nobody owes the mail %s to %s", id, m.To)
		}
		before, again := to[m.To]
		if again {
			duplicates++
		}
		if again && before != id || ids[id] != "" && ids[id] != m.To {
			t.Errorf("%s got %s and %s", m.To, before, id)
		}
		to[m.To], ids[id] = id, m.To
	}
	for _, email := range scan[[]string](t, s, `select coalesce(array_agg(email::text), '{}') from auth.users`) {
		if to[email] == "" {
			t.Errorf("%s got no mail", email)
		}
		delete(to, email)
	}
	if len(to) > 0 {
		t.Errorf("mails went to people who have no account: %v", to)
	}
	if len(ids) != len(owed) {
		t.Errorf("%d mails arrived, %d were owed", len(ids), len(owed))
	}
	return duplicates
}

// checkPeople follows everybody's link and signs everybody in.
func (s *site) checkPeople(t *testing.T) {
	t.Helper()
	r := s.start(t)
	links := map[string]string{}
	for _, m := range s.mail.Messages() {
		links[m.To] = m.Link
	}
	work := make(chan string)
	wrong := &failures{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for email := range work {
				u, err := url.Parse(links[email])
				if err != nil {
					wrong.add("link of %s: %w", email, err)
					continue
				}
				a, err := send(t.Context(), "GET", strings.TrimSuffix(r.url, "/v1")+u.Path+"?"+u.RawQuery, "", nil)
				if err != nil || a.status != 302 || !strings.Contains(a.header.Get("Location"), "refreshToken=") {
					wrong.add("%s cannot confirm: %s, %v", email, a, err)
				}
				a, err = send(t.Context(), "POST", r.url+"/signin/email-password", "", map[string]any{"email": email, "password": password})
				if err != nil || a.status != 200 {
					wrong.add("%s cannot sign in: %s, %v", email, a, err)
				}
			}
		})
	}
	for email := range links {
		work <- email
	}
	close(work)
	wg.Wait()
	wrong.report(t)
}
