package flow

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// TestKin finds out what the holder of a token can be the predecessor of, to the last branch and to
// the last ancestor.
func TestKin(t *testing.T) {
	t.Parallel()
	peppers := [][]byte{[]byte("new pepper"), []byte("old pepper")}
	token := tokens.NewUUID()
	k := kinOf(token, peppers)
	hashes := map[string]bool{}
	for _, h := range k.hashes {
		if hashes[h] {
			t.Errorf("%s is listed twice", h)
		}
		hashes[h] = true
	}
	if !hashes[tokens.HashRefresh(token)] {
		t.Error("the token itself is missing: it may be a tripwire")
	}
	for i, pepper := range peppers {
		for branch := range 10 {
			_, known := k.successors[tokens.HashRefresh(tokens.NextRefresh(pepper, token, branch))]
			if known != (branch < 8) {
				t.Errorf("pepper %d, branch %d: known %t", i, branch, known)
			}
		}
		next := token
		for step := range 130 {
			next = tokens.NextRefresh(pepper, next, 0)
			if got := hashes[tokens.HashRefresh(next)]; got != (step < 128) {
				t.Errorf("pepper %d, successor %d: looked for %t", i, step+1, got)
			}
		}
	}
	if want := 1 + 2*(128+7); len(k.hashes) != want {
		t.Errorf("%d hashes, want %d", len(k.hashes), want)
	}
}

// TestWeigh goes through the rules without a database: what a held session and a token lead to.
func TestWeigh(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	peppers := [][]byte{[]byte("new pepper"), []byte("old pepper")}
	token := tokens.NewUUID()
	k := kinOf(token, peppers)
	policy := &Policy{Settings: Settings{RefreshWindow: 10 * time.Second, ReuseEnds: true, RequireVerifiedEmail: true}}
	policy.access = newAccess(policy.Settings)
	lenient := *policy
	lenient.ReuseEnds = false
	home := auth.Client{Address: address(t, "198.51.100.7"), UserAgent: "browser"}
	away := auth.Client{Address: address(t, "203.0.113.7"), UserAgent: "browser"}
	next := func(pepper, branch int) string { return tokens.NextRefresh(peppers[pepper], token, branch) }

	held := func(current string, ago time.Duration, changes ...func(*store.Held)) store.Held {
		rotated := now.Add(-ago)
		h := store.Held{
			Refreshed: store.Refreshed{
				User:      auth.User{ID: "u", Email: "a@example.com", EmailVerified: true},
				SessionID: "s", SessionExpiresAt: now.Add(time.Hour),
			},
			CurrentHash: tokens.HashRefresh(current), RotatedAt: &rotated, UserAgent: home.UserAgent, AddressPrefix: home.Prefix(),
		}
		for _, change := range changes {
			change(&h)
		}
		return h
	}
	disabled := func(h *store.Held) { h.User.Disabled = true }
	unverified := func(h *store.Held) { h.User.EmailVerified = false }
	expired := func(h *store.Held) { h.SessionExpiresAt = now }
	past := func(h *store.Held) { h.EndsAt = &now }
	never := func(h *store.Held) { h.RotatedAt = nil }
	nowhere := func(h *store.Held) { h.UserAgent, h.AddressPrefix = "", "" }

	for _, test := range []struct {
		name   string
		held   store.Held
		client auth.Client
		want   verdict
		next   string
		code   auth.Code
	}{
		{"current", held(token, time.Hour), away, rotateAgain, "", ""},
		{"before, at the end of the window", held(next(0, 0), 10*time.Second), away, repeat, next(0, 0), ""},
		{"before, past the window", held(next(0, 0), 10*time.Second+1), away, branchOff, next(0, 1), ""},
		{"before, past the window, from home", held(next(0, 0), time.Hour), home, repeat, next(0, 0), ""},
		{"before, of a session that was never rotated here", held(next(0, 0), 0, never, nowhere), home, branchOff, next(0, 1), ""},
		{"before, neither has a place", held(next(0, 0), time.Hour, nowhere), auth.Client{}, branchOff, next(0, 1), ""},
		{"before, under the older pepper", held(next(1, 0), 0), away, repeat, next(1, 0), ""},
		{"before, late, under the older pepper", held(next(1, 0), time.Hour), away, branchOff, next(1, 1), ""},
		{"before, on branch 3", held(next(0, 3), time.Hour), away, branchOff, next(0, 4), ""},
		{"before, on the last branch, inside the window", held(next(0, 7), 0), away, repeat, next(0, 7), ""},
		{"before, on the last branch, from home", held(next(0, 7), time.Hour), home, repeat, next(0, 7), ""},
		{"before, past the last branch", held(next(0, 7), time.Hour), away, endReplayed, "", auth.InvalidRefreshToken},
		{"an ancestor or a tripwire, inside the window, from home", held("stranger", 0), home, endReplayed, "", auth.InvalidRefreshToken},
		{"an ancestor of a disabled user", held("stranger", 0, disabled), home, endReplayed, "", auth.InvalidRefreshToken},
		{"current, disabled", held(token, 0, disabled), home, refuse, "", auth.UserDisabled},
		{"before, disabled", held(next(0, 0), 0, disabled), home, refuse, "", auth.UserDisabled},
		{"current, unverified", held(token, 0, unverified), home, refuse, "", auth.UserUnverified},
		{"before, unverified", held(next(0, 0), time.Hour, unverified), away, refuse, "", auth.UserUnverified},
		{"current, expired", held(token, 0, expired), home, refuse, "", auth.InvalidRefreshToken},
		{"before, expired", held(next(0, 0), 0, expired), home, refuse, "", auth.InvalidRefreshToken},
		{"an ancestor, expired", held("stranger", 0, expired), home, refuse, "", auth.InvalidRefreshToken},
		{"current, past its end", held(token, 0, past), home, refuse, "", auth.InvalidRefreshToken},
		{"before, past its end", held(next(0, 0), 0, past), home, refuse, "", auth.InvalidRefreshToken},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := policy.weigh(test.held, k, test.client, now)
			if got.verdict != test.want || got.next != test.next {
				t.Errorf("got verdict %d with %q, want %d with %q", got.verdict, got.next, test.want, test.next)
			}
			if refused := test.code != ""; refused != (got.reason != nil) {
				t.Errorf("reason %v", got.reason)
			}
			// The refusal of a replay gets its code where the session ends.
			// Where no replay ends a session, it is refused, and all else is as it was.
			other := lenient.weigh(test.held, k, test.client, now)
			if got.verdict == endReplayed {
				if other.verdict != refuse || !errors.Is(other.reason, ErrReplayed) || auth.CodeOf(other.reason) != test.code {
					t.Errorf("where it ends no session: verdict %d, %v", other.verdict, other.reason)
				}
			} else if other.verdict != got.verdict || other.next != got.next {
				t.Errorf("where a replay ends no session: verdict %d with %q", other.verdict, other.next)
			}
			if got.verdict == refuse && auth.CodeOf(got.reason) != test.code || got.verdict == endReplayed && !errors.Is(got.reason, ErrReplayed) {
				t.Errorf("reason %v, want %s", got.reason, test.code)
			}
		})
	}
}

// TestSuccessorsOfOneTokenDiffer makes sure that no two places can be given one token.
func TestSuccessorsOfOneTokenDiffer(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 50 {
		token := "token " + strconv.Itoa(i)
		for branch := range branches {
			all = append(all, tokens.NextRefresh([]byte("pepper"), token, branch))
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("two branches share a token")
	}
}

func address(t *testing.T, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
