package faults_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"postern/emails"
	"postern/internal/fakesms"
	"postern/store"
	"postern/tokens"
)

// TestF03KillDuringTextMessages kills the server at random moments while it sends text messages.
// Each that was owed arrives, with the id it was given; some arrive twice, then with the same id.
func TestF03KillDuringTextMessages(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	settings := gateway.Generic()
	maps.Copy(settings, map[string]string{"AUTH_SMS_ATTEMPTS": "100"})
	s := newSite(t, settings)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 3))
	t.Logf("seed %d", seed)

	s.start(t).kill() // it makes the schema
	owed := map[string]string{}
	for round := range times(t) {
		s.queueTexts(t, owed, round)
		arrived := make(chan struct{}, 1000)
		r := s.start(t)
		before := len(gateway.Messages())
		stop := make(chan struct{})
		go func() {
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for n := before; ; {
				select {
				case <-stop:
					return
				case <-ticker.C:
				}
				for ; n < len(gateway.Messages()); n++ {
					tell(arrived)
				}
			}
		}()
		r.killDuring(random, arrived)
		close(stop)
	}
	tag, err := s.db.Exec(t.Context(), `update postern_river.river_job set attempted_at = attempted_at - interval '3 minutes' where state = 'running'`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec(t.Context(), `delete from postern_river.river_leader`); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	eventually(t, "delivery of all text messages", func() bool {
		return scan[int](t, s, `select count(*) from postern_river.river_job where kind = 'postern_sms' and state <> 'completed'`) == 0
	})

	arrived := map[string]int{}
	for _, m := range gateway.Messages() {
		if owed[m.ID] != m.To {
			t.Errorf("the message %s to %s is owed to %q", m.ID, m.To, owed[m.ID])
		}
		arrived[m.ID]++
	}
	twice := 0
	for id, to := range owed {
		if arrived[id] == 0 {
			t.Errorf("the message %s to %s is lost", id, to)
		}
		if arrived[id] > 1 {
			twice++
		}
	}
	t.Logf("%d kills, %d messages; %d under way when their server died, %d sent twice", times(t), len(owed), tag.RowsAffected(), twice)
}

// queueTexts owes forty people a text message each.
func (s *site) queueTexts(t *testing.T, owed map[string]string, round int) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Settings{Connection: s.db.Config().ConnString(), MaxConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys, _, err := tokens.NewKeyring(strings.Repeat("0123456789abcdef", 4), nil, tokens.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		id, to := tokens.NewUUID(), fmt.Sprintf("+1555%04d%03d", round, i)
		plain, err := json.Marshal(emails.Message{ID: id, To: to, Template: emails.SignInSMS, Variables: map[string]string{"code": "482913"}})
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := keys.Seal(store.SMSSeal, plain)
		if err != nil {
			t.Fatal(err)
		}
		err = db.InTx(t.Context(), func(tx *store.DB) error {
			return tx.Enqueue(t.Context(), store.SMSJob{ID: id, Sealed: sealed, ExpiresAt: time.Now().Add(time.Hour)}, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		owed[id] = to
	}
}
