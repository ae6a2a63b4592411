package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestF02KillDuringRefreshes kills one of two servers at random moments while people refresh. Who
// got no answer asks again with the same token, at the server that is left, and gets a valid pair
// every time. No session ever has two living tokens.
func TestF02KillDuringRefreshes(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)

	replicas := []*replica{s.start(t), s.start(t)}
	var urls [2]atomic.Value
	for i, r := range replicas {
		urls[i].Store(r.url)
	}
	const people = 6
	sessions := make([]*session, people)
	for i := range sessions {
		a, err := send(t.Context(), "POST", replicas[0].url+"/signup/email-password", "", map[string]any{"email": fmt.Sprintf("p%d@example.com", i), "password": password})
		var in struct{ Session session }
		if err != nil || a.status != 200 || json.Unmarshal(a.body, &in) != nil || in.Session.RefreshToken == "" {
			t.Fatalf("sign-up: %s, %v", a, err)
		}
		sessions[i] = &in.Session
	}

	var refreshes, retries atomic.Int64
	wrong := &failures{}
	for range times(t) {
		over, stop := context.WithCancel(t.Context())
		answers := make(chan struct{}, 100)
		var wg sync.WaitGroup
		for i, mine := range sessions {
			wg.Go(func() {
				at, retry := i%2, false
				for over.Err() == nil || retry { // nobody leaves with a question open
					before := mine.RefreshToken
					next, err := mine.refresh(t.Context(), urls[at].Load().(string))
					switch {
					case errors.Is(err, errNoAnswer):
						at, retry = 1-at, true
						retries.Add(1)
						continue
					case err != nil:
						wrong.add("person %d, retry %t, token %s: %w", i, retry, before, err)
						return
					}
					*mine, retry = next, false
					refreshes.Add(1)
					tell(answers)
					if err := mine.opens(t.Context(), urls[at].Load().(string)); err != nil && !errors.Is(err, errNoAnswer) {
						wrong.add("person %d: %w", i, err)
						return
					}
				}
			})
		}
		victim := random.IntN(2)
		replicas[victim].killDuring(random, answers)
		stop()
		wg.Wait()
		wrong.report(t)
		replicas[victim] = s.start(t)
		urls[victim].Store(replicas[victim].url)

		for _, mine := range sessions {
			var rows, live int
			err := s.db.QueryRow(t.Context(), `select count(*), count(*) filter (where id = $2 and refresh_token_hash = '\x' || encode(sha256(convert_to($3, 'UTF8')), 'hex'))
				from auth.refresh_tokens where user_id = $1`, mine.User.ID, mine.RefreshTokenID, mine.RefreshToken).Scan(&rows, &live)
			if err != nil || rows != 1 || live != 1 {
				t.Fatalf("%d sessions, %d of them live with the token that its owner holds (%v)", rows, live, err)
			}
		}
	}
	if n := scan[int](t, s, `select (select count(*) from auth.refresh_tripwires) + (select count(*) from auth.audit_entries where event not in ('user.created', 'session.started'))`); n != 0 {
		t.Errorf("%d branches or ended sessions", n)
	}
	t.Logf("%d kills, %d refreshes, %d without an answer and asked again", times(t), refreshes.Load(), retries.Load())
}

// errNoAnswer is what a client sees of a server that dies.
var errNoAnswer = errors.New("no answer")

// session is a session as its client keeps it.
type session struct {
	AccessToken, RefreshToken string
	RefreshTokenID            string `json:"refreshTokenId"`
	User                      struct{ ID string }
}

func (s *session) refresh(ctx context.Context, url string) (next session, err error) {
	a, err := send(ctx, "POST", url+"/token", "", map[string]any{"refreshToken": s.RefreshToken})
	if err != nil {
		return next, errNoAnswer
	}
	if a.status != 200 {
		return next, fmt.Errorf("refresh: %s", a)
	}
	if err := json.Unmarshal(a.body, &next); err != nil {
		return next, err
	}
	if next.RefreshTokenID != s.RefreshTokenID || next.RefreshToken == s.RefreshToken || next.RefreshToken == "" {
		return next, fmt.Errorf("refresh: %s", a)
	}
	return next, nil
}

// opens checks that the access token opens a door.
func (s *session) opens(ctx context.Context, url string) error {
	a, err := send(ctx, "GET", url+"/user", s.AccessToken, nil)
	if err != nil {
		return errNoAnswer
	}
	if a.status != 200 {
		return fmt.Errorf("get user: %s", a)
	}
	return nil
}
