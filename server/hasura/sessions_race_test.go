package hasura_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/tokens"
)

// TestRaceOfOneTokenAgainstItsSiblings lets tabs, retries and servers present one token at the same
// time to two replicas: all get the same successor, nobody is thrown out, there is no second branch.
// POSTERN_RACES sets the number of races.
func TestRaceOfOneTokenAgainstItsSiblings(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	const siblings = 4
	n := rounds(t, 300)
	s := newcomer(t, w.a)
	token, replicas := s.RefreshToken, []*testhouse.House{w.a, w.b}
	for round := range n {
		if round%100 == 0 { // another person; the clock moves too, so that last_seen is written in some races
			s = newcomer(t, w.a)
			token = s.RefreshToken
		}
		if round%5 == 0 {
			w.clock.Advance(time.Minute)
		}
		answers, err := parallel(siblings, func(i int) (reply, error) {
			return send(t.Context(), replicas[i%2], "POST", "/token", fields{"refreshToken": token}, elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		next := answers[0].session.RefreshToken
		for i, r := range answers {
			if r.status != 200 || r.session.RefreshToken != next || r.session.RefreshTokenID != s.RefreshTokenID {
				t.Fatalf("race %d, client %d: %s, want the successor %s", round, i, r, next)
			}
		}
		if next == token || currentHash(t, w.a, s) != tokens.HashRefresh(next) {
			t.Fatalf("race %d: the successor is not the session's current token", round)
		}
		token = next
	}
	if n := scan[int](t, w.a, `select count(*) from auth.refresh_tripwires`); n != 0 {
		t.Errorf("%d second branches", n)
	}
	if n := scan[int](t, w.a, `select count(*) from auth.audit_entries where event <> 'user.created' and event <> 'session.started'`); n != 0 {
		t.Errorf("%d audit rows that nobody caused", n)
	}
}

// TestRaceOfManyAtOnce is the same with a crowd.
func TestRaceOfManyAtOnce(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	s := newcomer(t, w.a)
	token, replicas := s.RefreshToken, []*testhouse.House{w.a, w.b}
	for range 3 {
		answers, err := parallel(64, func(i int) (reply, error) {
			return send(t.Context(), replicas[i%2], "POST", "/token", fields{"refreshToken": token}, elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range answers {
			if r.status != 200 || r.session.RefreshToken != answers[0].session.RefreshToken {
				t.Fatal(r)
			}
		}
		token = answers[0].session.RefreshToken
		w.mustGoOn(t, s, token)
	}
}

// TestRaceOfATokenAgainstItsKin presents a token at the same time as those before it, tripwires and
// strangers, at two replicas, with time passing between the bursts. The history of each session is
// checked against a model of the rules.
func TestRaceOfATokenAgainstItsKin(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	pepper := w.a.Kit.Keys.Peppers()[0]
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	replicas := []*testhouse.House{w.a, w.b}
	outcomes := map[string]int{}
	for round := range max(rounds(t, 150)/5, 10) {
		s := newcomer(t, w.a)
		m := &chainModel{pepper: pepper, successors: map[string]string{}}
		states := []chain{{current: s.RefreshToken, rotatedAt: w.clock.Now(), agent: home().agent, prefix: "198.51.100"}}
		family := []string{s.RefreshToken}
		for burst := range 10 {
			w.clock.Advance([]time.Duration{0, 0, time.Second, inWindow, afterWindow, time.Hour}[random.IntN(6)])
			plan := make([]presentation, 2+random.IntN(4))
			latest, before := states[0].current, states[0].before
			mode := random.IntN(10)
			for i := range plan {
				token := latest
				switch {
				case burst == 0 || mode < 4: // all present the latest
				case mode < 8: // all the one before
					token = before
				case i%2 == 0: // they mix
					token = []string{before, tokens.NewUUID(), family[random.IntN(len(family))]}[random.IntN(3)]
				}
				from := []place{home(), home(), neighbour(), away(), elsewhere(random.IntN(4))}[random.IntN(5)]
				plan[i] = presentation{token: token, from: from, at: w.clock.Now(), replica: random.IntN(2)}
			}
			var ticks atomic.Int64
			history, err := parallel(len(plan), func(i int) (presentation, error) {
				p := plan[i]
				p.invoked = ticks.Add(1)
				r, err := send(t.Context(), replicas[p.replica], "POST", "/token", fields{"refreshToken": p.token}, p.from)
				p.answered = ticks.Add(1)
				p.status, p.next = r.status, r.session.RefreshToken
				if err == nil && p.status != 200 && (p.status != 401 || r.refusal != "invalid-refresh-token") {
					err = fmt.Errorf("answer %s", r)
				}
				return p, err
			})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			allowed := m.orders(states, history)
			if len(allowed) == 0 {
				t.Fatalf("seed %d, round %d, burst %d: no order of these presentations is allowed\nbefore: %+v\n%s", seed, round, burst, states, table(history))
			}
			hash := currentHash(t, w.a, s)
			trips := scan[[]string](t, w.a, `select coalesce(array_agg(hash order by hash), '{}') from auth.refresh_tripwires where session_id = $1`, s.RefreshTokenID)
			states = slices.DeleteFunc(allowed, func(c chain) bool { return !c.matches(hash, trips) })
			if len(states) == 0 {
				t.Fatalf("seed %d, round %d, burst %d: the rows are what no allowed order leads to: current %s, tripwires %v\nallowed: %+v\n%s", seed, round, burst, hash, trips, allowed, table(history))
			}
			if states[0].ended {
				outcomes["ended"]++
				w.mustBeReported(t, s, "session.replayed", 1)
				break
			}
			w.mustBeReported(t, s, "session.replayed", 0)
			outcomes[fmt.Sprintf("went on, %d tripwires", len(trips))]++
			for _, p := range history {
				if p.next != "" && !slices.Contains(family, p.next) {
					family = append(family, p.next)
				}
			}
		}
	}
	t.Logf("seed %d, bursts: %v", seed, outcomes)
}

// presentation is one refresh as a client saw it.
type presentation struct {
	token             string
	from              place
	at                time.Time
	replica           int
	invoked, answered int64 // ticks of one counter
	status            int
	next              string
}

func table(history []presentation) string {
	var b strings.Builder
	for _, p := range history {
		fmt.Fprintf(&b, "  [%2d,%2d] replica %d %s from %v -> %d %s\n", p.invoked, p.answered, p.replica, p.token, p.from, p.status, p.next)
	}
	return b.String()
}

// chain is the model's session.
type chain struct {
	current, before string
	branch          int // which successor of before the current one is
	tripwires       []string
	rotatedAt       time.Time
	agent, prefix   string
	ended           bool
}

func (c chain) matches(hash string, trips []string) bool {
	if c.ended {
		return hash == "" && len(trips) == 0
	}
	want := make([]string, 0, len(c.tripwires))
	for _, token := range c.tripwires {
		want = append(want, tokens.HashRefresh(token))
	}
	slices.Sort(want)
	return hash == tokens.HashRefresh(c.current) && slices.Equal(want, trips)
}

// chainModel says what the rules answer, as the design words them.
type chainModel struct {
	pepper     []byte
	successors map[string]string
}

func (m *chainModel) next(token string, k int) string {
	key := fmt.Sprint(token, "/", k)
	next, ok := m.successors[key]
	if !ok {
		next = tokens.NextRefresh(m.pepper, token, k)
		m.successors[key] = next
	}
	return next
}

// present gives the session after a presentation, and the token it is answered with: none when it
// is refused.
func (m *chainModel) present(c chain, p presentation) (chain, string) {
	prefix := p.from.address[:strings.LastIndexByte(p.from.address, '.')]
	rotated := func(before string, branch int) (chain, string) {
		c.before, c.branch, c.current = before, branch, m.next(before, branch)
		c.rotatedAt, c.agent, c.prefix = p.at, p.from.agent, prefix
		return c, c.current
	}
	switch {
	case c.ended:
		return c, ""
	case p.token == c.current:
		return rotated(p.token, 0)
	case p.token == c.before:
		if p.at.Sub(c.rotatedAt) <= 10*time.Second || c.agent == p.from.agent && c.prefix == prefix {
			return c, c.current
		}
		if c.branch == 7 {
			return chain{ended: true}, ""
		}
		c.tripwires = append(slices.Clone(c.tripwires), c.current)
		return rotated(p.token, c.branch+1)
	case m.betrays(c, p.token):
		return chain{ended: true}, ""
	}
	return c, ""
}

// betrays tells whether a token is a tripwire, or leads to one or to the living within 128 steps.
func (m *chainModel) betrays(c chain, token string) bool {
	for range 129 {
		if token == c.current || slices.Contains(c.tripwires, token) {
			return true
		}
		token = m.next(token, 0)
	}
	return false
}

// orders gives the sessions that the presentations can have led to, in any order that keeps each
// one between its call and its answer and gives every one the answer it got.
func (m *chainModel) orders(from []chain, history []presentation) []chain {
	var ends []chain
	seen := map[string]bool{}
	var search func(c chain, done uint)
	search = func(c chain, done uint) {
		key := fmt.Sprint(done, c)
		if seen[key] {
			return
		}
		seen[key] = true
		if done == 1<<len(history)-1 {
			ends = append(ends, c)
			return
		}
		for i, p := range history {
			if done&(1<<i) != 0 {
				continue
			}
			first := true // no other one that is left was answered before this was asked
			for j, q := range history {
				first = first && (done&(1<<j) != 0 || q.answered > p.invoked)
			}
			if !first {
				continue
			}
			if after, answer := m.present(c, p); answer == p.next {
				search(after, done|1<<i)
			}
		}
	}
	for _, c := range from {
		search(c, 0)
	}
	return ends
}

// TestRaceOfRefreshAgainstWhatEndsSessions lets refreshes run beside everything that ends or opens
// sessions of the same user. Any order may win; none is an error of ours, and what was ended stays
// so.
func TestRaceOfRefreshAgainstWhatEndsSessions(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	replicas := []*testhouse.House{w.a, w.b}
	for round := range max(rounds(t, 100)/5, 10) {
		mine := newcomer(t, w.a)
		other := must(t, w.a, "POST", "/signin/email-password", fields{"email": mine.User.Email, "password": rightPassword}, away()).session
		w.clock.Advance(2 * time.Minute) // so that every refresh wants to write last_seen
		bearer := []string{"Authorization", "Bearer " + mine.AccessToken}
		type ask struct {
			path string
			body fields
			head []string
		}
		asks := []ask{
			{"/token", fields{"refreshToken": mine.RefreshToken}, nil},
			{"/token", fields{"refreshToken": mine.RefreshToken}, nil},
			{"/token", fields{"refreshToken": other.RefreshToken}, nil},
			{"/token", fields{"refreshToken": other.RefreshToken}, nil},
			{"/signin/email-password", fields{"email": mine.User.Email, "password": rightPassword}, nil},
		}
		switch round % 3 {
		case 0:
			asks = append(asks, ask{"/user/password", fields{"newPassword": "another password"}, bearer}, ask{"/user/password", fields{"newPassword": "a third password"}, bearer})
		case 1:
			asks = append(asks, ask{"/user/password", fields{"newPassword": "another password"}, bearer}, ask{"/signout", fields{"all": true}, bearer}, ask{"/signout", fields{"all": true}, bearer})
		case 2:
			asks = append(asks, ask{"/signout", fields{"refreshToken": mine.RefreshToken}, nil}, ask{"/signout", fields{"refreshToken": other.RefreshToken}, nil})
		}
		answers, err := parallel(len(asks), func(i int) (reply, error) {
			return send(t.Context(), replicas[i%2], "POST", asks[i].path, asks[i].body, home(), asks[i].head...)
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range answers {
			if r.status >= 500 || r.status == 401 && r.refusal == "" {
				t.Fatalf("round %d: %s: %s", round, asks[i].path, r)
			}
		}
		// One more sign-out where a rotation may have slipped in between: it must find what lives.
		if round%3 == 2 {
			for _, s := range []wireSession{mine, other} {
				if r := must(t, w.b, "POST", "/signout", fields{"refreshToken": s.RefreshToken}, home()); r.status != 200 {
					t.Fatal(r)
				}
				w.mustBeOver(t, s, s.RefreshToken)
				w.mustBeReported(t, s, "session.ended", 1)
			}
			continue
		}
		if n := scan[int](t, w.a, `select count(*) from auth.refresh_tokens where id = $1`, other.RefreshTokenID); n != 0 {
			t.Fatalf("round %d: the other session outlived %s", round, asks[len(asks)-1].path)
		}
	}
}
