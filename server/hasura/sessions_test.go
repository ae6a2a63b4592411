package hasura_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/tokens"
)

const (
	inWindow    = 9 * time.Second // of the ten that the default setting gives
	afterWindow = 11 * time.Second
)

// TestRefreshRules goes through the rules for refresh tokens row by row. Each runs twice, the second
// time with the later presentations at another replica.
func TestRefreshRules(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)

	w.onEach(t, "the current token is exchanged for the next", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
		seen := map[string]bool{s.RefreshToken: true}
		token := s.RefreshToken
		for range 5 {
			w.clock.Advance(time.Hour)
			r := refresh(t, then, token, home())
			if r.status != 200 {
				t.Fatal(r)
			}
			if r.session.RefreshTokenID != s.RefreshTokenID || r.session.User.ID != s.User.ID {
				t.Fatalf("the session became another one: %+v", r.session)
			}
			token = r.session.RefreshToken
			if seen[token] || !uuid.MatchString(token) {
				t.Fatalf("next token %q", token)
			}
			seen[token] = true
			if u := must(t, first, "GET", "/user", nil, home(), "Authorization", "Bearer "+r.session.AccessToken); u.status != 200 {
				t.Fatalf("the access token does not open: %s", u)
			}
			w.mustGoOn(t, s, token)
			ends := scan[time.Time](t, first, `select expires_at from auth.refresh_tokens where id = $1`, s.RefreshTokenID)
			if want := w.clock.Now().Add(30 * 24 * time.Hour); !ends.Equal(want) {
				t.Fatalf("the session ends at %v, want %v", ends, want)
			}
		}
	})

	w.onEach(t, "the predecessor inside the window gets the same successor, from anywhere", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(inWindow)
		for i, from := range []place{home(), neighbour(), away(), elsewhere(1), {}} {
			if got := mustRefresh(t, then, s.RefreshToken, from); got != next {
				t.Fatalf("presentation %d got %q, want %q", i, got, next)
			}
		}
		w.mustGoOn(t, s, next)
		w.mustBeReported(t, s, "session.replayed", 0)
		if got := mustRefresh(t, then, next, home()); got == next || got == s.RefreshToken {
			t.Fatalf("the successor leads to %q", got)
		}
	})

	w.onEach(t, "the predecessor later from the same browser gets the same successor while it is unused", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, home())
		for _, late := range []time.Duration{afterWindow, time.Hour, 20 * 24 * time.Hour} {
			w.clock.Advance(late)
			if got := mustRefresh(t, then, s.RefreshToken, neighbour()); got != next {
				t.Fatalf("after %v: got %q, want %q", late, got, next)
			}
		}
		w.mustGoOn(t, s, next)
		if n := scan[int](t, first, `select count(*) from auth.refresh_tripwires where session_id = $1`, s.RefreshTokenID); n != 0 {
			t.Errorf("%d tripwires", n)
		}
	})

	for name, from := range map[string]place{
		"another network":          {home().agent, away().address},
		"another browser":          {away().agent, home().address},
		"no user agent":            {" ", home().address},
		"another everything":       away(),
		"another /24 of one /16":   {home().agent, "198.51.101.7"},
		"IPv6 after IPv4":          {home().agent, "2001:db8:1:2::7"},
		"the same words and a dot": {home().agent + ".", home().address},
	} {
		w.onEach(t, "the predecessor later from elsewhere branches: "+name, func(t *testing.T, first, then *testhouse.House) {
			s := newcomer(t, first)
			unused := mustRefresh(t, first, s.RefreshToken, home())
			w.clock.Advance(afterWindow)
			branch := mustRefresh(t, then, s.RefreshToken, from)
			if branch == unused {
				t.Fatal("the same successor went to two places")
			}
			w.mustGoOn(t, s, branch)
			if hash := scan[string](t, first, `select string_agg(hash, ' ') from auth.refresh_tripwires where session_id = $1`, s.RefreshTokenID); hash != tokens.HashRefresh(unused) {
				t.Fatalf("tripwires %q", hash)
			}
			if got := mustRefresh(t, first, s.RefreshToken, from); got != branch {
				t.Fatalf("again inside the window: %q, want %q", got, branch)
			}
			if next := mustRefresh(t, first, branch, from); next == unused {
				t.Fatal("the branch leads into the old one")
			}
			w.mustBeReported(t, s, "session.replayed", 0)
		})
	}

	w.onEach(t, "the tripwire that a branch leaves ends the session", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		unused := mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(afterWindow)
		branch := mustRefresh(t, first, s.RefreshToken, away())
		mustRefuse(t, then, unused, home(), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, branch)
		w.mustBeReported(t, s, "session.replayed", 1)
	})

	w.onEach(t, "a tripwire works for as long as the session lives", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		unused := mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(afterWindow)
		token := mustRefresh(t, first, s.RefreshToken, away())
		for range 5 {
			w.clock.Advance(25 * 24 * time.Hour)
			token = mustRefresh(t, first, token, away())
		}
		mustRefuse(t, then, unused, home(), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 1)
	})

	w.onEach(t, "who holds the token before a branch is found out when the branch has gone on", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(afterWindow)
		token := mustRefresh(t, first, s.RefreshToken, away())
		token = mustRefresh(t, first, token, away())
		token = mustRefresh(t, first, token, away())
		mustRefuse(t, then, s.RefreshToken, home(), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 1)
	})

	for _, back := range []int{2, 3, 128} {
		w.onEach(t, fmt.Sprintf("ancestor %d ends the session", back), func(t *testing.T, first, then *testhouse.House) {
			s := newcomer(t, first)
			token := s.RefreshToken
			for range back {
				token = mustRefresh(t, first, token, home())
			}
			// Even inside the window, and from home: its successor was used.
			mustRefuse(t, then, s.RefreshToken, home(), 401, "invalid-refresh-token")
			w.mustBeOver(t, s, token)
			w.mustBeReported(t, s, "session.replayed", 1)
		})
	}

	w.onEach(t, "ancestor 129 is out of sight and refused plainly", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		token := s.RefreshToken
		for range 129 {
			token = mustRefresh(t, first, token, home())
		}
		mustRefuse(t, then, s.RefreshToken, home(), 401, "invalid-refresh-token")
		w.mustGoOn(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 0)
	})

	w.onEach(t, "the eighth branch ends the session", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		token := mustRefresh(t, first, s.RefreshToken, home())
		seen := map[string]bool{token: true}
		for i := range 7 {
			w.clock.Advance(afterWindow)
			token = mustRefresh(t, then, s.RefreshToken, elsewhere(i))
			if seen[token] {
				t.Fatalf("branch %d repeats an older one", i+1)
			}
			seen[token] = true
			if n := scan[int](t, first, `select count(*) from auth.refresh_tripwires where session_id = $1`, s.RefreshTokenID); n != i+1 {
				t.Fatalf("%d tripwires after branch %d", n, i+1)
			}
		}
		w.mustGoOn(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 0)
		w.clock.Advance(afterWindow)
		mustRefuse(t, then, s.RefreshToken, elsewhere(8), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 1)
	})

	w.onEach(t, "any other token is refused plainly", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, home())
		for range 3 {
			mustRefuse(t, then, tokens.NewUUID(), away(), 401, "invalid-refresh-token")
		}
		w.mustGoOn(t, s, next)
		w.mustBeReported(t, s, "session.replayed", 0)
		w.mustBeReported(t, s, "session.ended", 0)
	})

	w.onEach(t, "IPv6 is judged by its /64", func(t *testing.T, first, then *testhouse.House) {
		at := func(address string) place { return place{home().agent, address} }
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, at("2001:db8:1:2:3::4"))
		w.clock.Advance(afterWindow)
		if got := mustRefresh(t, then, s.RefreshToken, at("2001:db8:1:2:ffff::1")); got != next {
			t.Fatal("the same /64 did not get the same successor")
		}
		if got := mustRefresh(t, then, s.RefreshToken, at("2001:db8:1:3:3::4")); got == next {
			t.Fatal("another /64 got the same successor")
		}
	})

	w.onEach(t, "an IPv4 address in IPv6 clothes is itself", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(afterWindow)
		if got := mustRefresh(t, then, s.RefreshToken, place{home().agent, "::ffff:" + home().address}); got != next {
			t.Fatal("::ffff:a.b.c.d counts as another place than a.b.c.d")
		}
	})
}

// TestT10RefreshOfUsersAndSessionsThatMayNot presents good tokens, current and the one before, of
// whoever may not go on. Nothing is used up by the refusal: what ends with the obstacle goes on.
func TestT10RefreshOfUsersAndSessionsThatMayNot(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	strict := w.beside(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})

	for _, test := range []struct {
		name, obstacle, relief, refusal string
		at                              *testhouse.House
	}{
		{"disabled user", `update auth.users set disabled = true where id = $1`, `update auth.users set disabled = false where id = $1`, "disabled-user", w.b},
		{"unverified user", `update auth.users set email_verified = false where id = $1`, `update auth.users set email_verified = true where id = $1`, "unverified-user", strict},
		{"expired session", `update auth.refresh_tokens set expires_at = '2020-01-01' where user_id = $1`, "", "invalid-refresh-token", w.b},
		{"session past its end", `update auth.refresh_tokens set ends_at = '2020-01-01' where user_id = $1`, "", "invalid-refresh-token", w.b},
		{"personal access token", `update auth.refresh_tokens set type = 'pat' where user_id = $1`, "", "invalid-refresh-token", w.b},
		{"session that is gone", `delete from auth.refresh_tokens where user_id = $1`, "", "invalid-refresh-token", w.b},
		{"user who is gone", `delete from auth.users where id = $1`, "", "invalid-refresh-token", w.b},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newcomer(t, w.a)
			next := mustRefresh(t, w.a, s.RefreshToken, home())
			exec(t, w.a, test.obstacle, s.User.ID)
			before := currentHash(t, w.a, s)
			for _, token := range []string{next, s.RefreshToken, next} {
				mustRefuse(t, test.at, token, home(), 401, test.refusal)
			}
			w.clock.Advance(afterWindow)
			mustRefuse(t, test.at, s.RefreshToken, away(), 401, test.refusal)
			if after := currentHash(t, w.a, s); after != before && after != "" { // the sweeper may have been there
				t.Errorf("the refusal rotated the session: %q, before %q", after, before)
			}
			w.mustBeReported(t, s, "session.replayed", 0)
			if test.relief == "" {
				return
			}
			exec(t, w.a, test.relief, s.User.ID)
			mustRefresh(t, test.at, next, home())
		})
	}

	t.Run("a ban at one replica holds at the other at once, at every endpoint", func(t *testing.T) {
		s := newcomer(t, w.a)
		bearer := []string{"Authorization", "Bearer " + s.AccessToken}
		exec(t, w.a, `update auth.users set disabled = true where id = $1`, s.User.ID)
		for _, ask := range []struct {
			method, path string
			body         any
		}{
			{"POST", "/token", fields{"refreshToken": s.RefreshToken}},
			{"GET", "/user", nil},
			{"POST", "/token/verify", nil},
			{"POST", "/user/password", fields{"newPassword": "another password"}},
			{"POST", "/user/email/change", fields{"newEmail": newAddress()}},
			{"POST", "/signin/email-password", fields{"email": s.User.Email, "password": rightPassword}},
		} {
			if r := must(t, w.b, ask.method, ask.path, ask.body, home(), bearer...); r.status != 401 {
				t.Errorf("%s %s: %s", ask.method, ask.path, r)
			}
		}
		if n := scan[int](t, w.a, `select count(*) from auth.users where id = $1 and new_email is null`, s.User.ID); n != 1 {
			t.Error("the user changed")
		}
	})

	t.Run("the absolute end caps what a refresh prolongs", func(t *testing.T) {
		s := newcomer(t, w.a)
		end := w.clock.Now().Add(2 * time.Hour)
		exec(t, w.a, `update auth.refresh_tokens set ends_at = $2 where id = $1`, s.RefreshTokenID, end)
		token := mustRefresh(t, w.b, s.RefreshToken, home())
		if got := scan[time.Time](t, w.a, `select expires_at from auth.refresh_tokens where id = $1`, s.RefreshTokenID); !got.Equal(end) {
			t.Fatalf("expires at %v, want %v", got, end)
		}
		w.clock.Advance(2*time.Hour - time.Second)
		token = mustRefresh(t, w.b, token, home())
		w.clock.Advance(time.Second)
		mustRefuse(t, w.b, token, home(), 401, "invalid-refresh-token")
	})
}

func TestSignOutTakesWhatRefreshTakes(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	for _, test := range []struct {
		name  string
		wait  time.Duration
		from  place
		which func(before, current string) string
	}{
		{"the current token", 0, home(), func(_, current string) string { return current }},
		{"the current token, from elsewhere", time.Hour, away(), func(_, current string) string { return current }},
		{"the token before", 0, home(), func(before, _ string) string { return before }},
		{"the token before, late", time.Hour, home(), func(before, _ string) string { return before }},
		{"the token before, late and from elsewhere", time.Hour, away(), func(before, _ string) string { return before }},
	} {
		w.onEach(t, test.name, func(t *testing.T, first, then *testhouse.House) {
			s := newcomer(t, first)
			current := mustRefresh(t, first, s.RefreshToken, home())
			w.clock.Advance(test.wait)
			for range 2 { // signing out twice is no error
				if r := must(t, then, "POST", "/signout", fields{"refreshToken": test.which(s.RefreshToken, current)}, test.from); r.status != 200 || r.body != `"OK"` {
					t.Fatal(r)
				}
			}
			w.mustBeOver(t, s, current)
			w.mustBeOver(t, s, s.RefreshToken)
			w.mustBeReported(t, s, "session.ended", 1)
			w.mustBeReported(t, s, "session.replayed", 0)
		})
	}

	w.onEach(t, "the token before a branch", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		mustRefresh(t, first, s.RefreshToken, home())
		w.clock.Advance(afterWindow)
		branch := mustRefresh(t, first, s.RefreshToken, away())
		if r := must(t, then, "POST", "/signout", fields{"refreshToken": s.RefreshToken}, home()); r.status != 200 {
			t.Fatal(r)
		}
		w.mustBeOver(t, s, branch)
	})

	w.onEach(t, "any other token ends nothing and says nothing", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		for _, token := range []string{tokens.NewUUID(), s.RefreshTokenID, strings.ToUpper(s.RefreshToken), s.RefreshToken + "\x00", "%"} {
			if r := must(t, then, "POST", "/signout", fields{"refreshToken": token}, home()); r.status != 200 && r.status != 400 {
				t.Fatalf("%q: %s", token, r)
			}
		}
		w.mustGoOn(t, s, s.RefreshToken)
		w.mustBeReported(t, s, "session.ended", 0)
	})

	w.onEach(t, "everywhere", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		second := must(t, then, "POST", "/signin/email-password", fields{"email": s.User.Email, "password": rightPassword}, away()).session
		if r := must(t, then, "POST", "/signout", fields{"all": true}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 200 {
			t.Fatal(r)
		}
		w.mustBeOver(t, s, s.RefreshToken)
		w.mustBeOver(t, second, second.RefreshToken)
	})
}

// TestT17NoRevocationIsClaimedThatFailed lets the database fail while a session should end.
func TestT17NoRevocationIsClaimedThatFailed(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	exec(t, w.a, `create function public.fails() returns trigger language plpgsql as $$ begin raise exception 'disk full' using errcode = '53100'; end $$`)
	for _, table := range []string{"refresh_tokens", "audit_entries", "events"} {
		t.Run(table, func(t *testing.T) {
			s := newcomer(t, w.a)
			next := mustRefresh(t, w.a, s.RefreshToken, home())
			last := mustRefresh(t, w.a, next, home())
			verb := "insert"
			if table == "refresh_tokens" {
				verb = "delete"
			}
			exec(t, w.a, `create trigger fails before `+verb+` on auth.`+table+` for each row execute function public.fails()`)
			bearer := []string{"Authorization", "Bearer " + s.AccessToken}
			for name, r := range map[string]reply{
				"sign-out":            must(t, w.a, "POST", "/signout", fields{"refreshToken": last}, home()),
				"sign-out everywhere": must(t, w.a, "POST", "/signout", fields{"all": true}, home(), bearer...),
				"password change":     must(t, w.a, "POST", "/user/password", fields{"newPassword": "another password"}, home(), bearer...),
				"replay":              refresh(t, w.b, s.RefreshToken, away()),
			} {
				if r.status < 500 || r.session.RefreshToken != "" || strings.Contains(r.body, "disk full") {
					// A change of the actor's own password keeps the actor's session: nothing is deleted.
					if name == "password change" && table == "refresh_tokens" && r.status == 200 {
						continue
					}
					t.Errorf("%s while the database fails: %s", name, r)
				}
			}
			exec(t, w.a, `drop trigger fails on auth.`+table)
			w.mustGoOn(t, s, last)
			mustRefuse(t, w.b, s.RefreshToken, away(), 401, "invalid-refresh-token")
			w.mustBeOver(t, s, last)
			w.mustBeReported(t, s, "session.replayed", 1)
		})
	}
}

// TestT08SessionsEndWithThePassword changes and resets a password and looks who is still in.
func TestT08SessionsEndWithThePassword(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	signIn := func(t *testing.T, s wireSession) wireSession {
		t.Helper()
		r := must(t, w.a, "POST", "/signin/email-password", fields{"email": s.User.Email, "password": rightPassword}, away())
		if r.status != 200 {
			t.Fatal(r)
		}
		return r.session
	}
	w.onEach(t, "change", func(t *testing.T, first, then *testhouse.House) {
		mine := newcomer(t, first)
		other := signIn(t, mine)
		rotated := mustRefresh(t, first, other.RefreshToken, away())
		if r := must(t, then, "POST", "/user/password", fields{"newPassword": "another password"}, home(), "Authorization", "Bearer "+mine.AccessToken); r.status != 200 {
			t.Fatal(r)
		}
		w.mustBeOver(t, other, rotated)
		w.mustBeOver(t, other, other.RefreshToken)
		mustRefresh(t, then, mine.RefreshToken, home())
	})
	w.onEach(t, "reset", func(t *testing.T, first, then *testhouse.House) {
		one := newcomer(t, first)
		two := signIn(t, one)
		if r := must(t, first, "POST", "/user/password/reset", fields{"email": one.User.Email}, home()); r.status != 200 {
			t.Fatal(r)
		}
		ticket := w.a.Mail.Wait(t, one.User.Email, 1)[0].Ticket
		if r := must(t, then, "POST", "/user/password", fields{"newPassword": "another password", "ticket": ticket}, away()); r.status != 200 {
			t.Fatal(r)
		}
		w.mustBeOver(t, one, one.RefreshToken)
		w.mustBeOver(t, two, two.RefreshToken)
		if r := must(t, then, "POST", "/signin/email-password", fields{"email": one.User.Email, "password": "another password"}, home()); r.status != 200 {
			t.Fatal(r)
		}
	})
}

// TestUpstreamRotatesTheSameRow lets Hasura Auth refresh a session of ours in between, as it may on
// a database that both use. Its tokens are random, and it writes nothing but the hash and the end.
func TestUpstreamRotatesTheSameRow(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	upstream := func(t *testing.T, s wireSession) string {
		t.Helper()
		token := tokens.NewUUID()
		exec(t, w.a, `update auth.refresh_tokens set refresh_token_hash = '\x' || encode(sha256(convert_to($2, 'UTF8')), 'hex'), expires_at = $3 where id = $1`,
			s.RefreshTokenID, token, w.clock.Now().Add(30*24*time.Hour))
		return token
	}
	w.onEach(t, "older tokens are refused plainly and the new one goes on", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		next := mustRefresh(t, first, s.RefreshToken, home())
		theirs := upstream(t, s)
		for _, token := range []string{next, s.RefreshToken} {
			mustRefuse(t, then, token, home(), 401, "invalid-refresh-token")
		}
		w.mustBeReported(t, s, "session.replayed", 0)
		r := refresh(t, then, theirs, home())
		if r.status != 200 || r.session.RefreshTokenID != s.RefreshTokenID {
			t.Fatal(r)
		}
		if got := mustRefresh(t, first, theirs, away()); got != r.session.RefreshToken {
			t.Fatal("their token has no one successor")
		}
		mustRefresh(t, first, r.session.RefreshToken, home())
	})
	w.onEach(t, "and again, alternating", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		token := s.RefreshToken
		for range 4 {
			mustRefresh(t, then, token, home())
			token = upstream(t, s)
		}
		w.mustGoOn(t, s, token)
		mustRefresh(t, then, token, home())
	})
	w.onEach(t, "a session that upstream opened has no place and no rotation yet", func(t *testing.T, first, then *testhouse.House) {
		s := newcomer(t, first)
		exec(t, first, `update auth.refresh_tokens set rotated_at = null, user_agent = null, address_prefix = null, amr = null where id = $1`, s.RefreshTokenID)
		theirs := upstream(t, s)
		next := mustRefresh(t, first, theirs, home())
		w.clock.Advance(afterWindow)
		if got := mustRefresh(t, then, theirs, neighbour()); got != next {
			t.Fatal("the late retry from the same browser branched")
		}
	})
}

// TestEncryptionKeyRotation replaces the key that the peppers come from, replica by replica.
func TestEncryptionKeyRotation(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	const oldKey, newKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
	knowing := w.beside(t, map[string]string{"AUTH_ENCRYPTION_KEY": oldKey, "AUTH_ENCRYPTION_KEY_PREVIOUS": newKey}) // the step before: it knows the new key
	switched := w.beside(t, map[string]string{"AUTH_ENCRYPTION_KEY": newKey, "AUTH_ENCRYPTION_KEY_PREVIOUS": oldKey})

	t.Run("the token before works across the switch", func(t *testing.T) {
		s := newcomer(t, w.a)
		next := mustRefresh(t, w.a, s.RefreshToken, home())
		if got := mustRefresh(t, switched, s.RefreshToken, away()); got != next {
			t.Fatal("inside the window: another successor")
		}
		w.clock.Advance(time.Hour)
		if got := mustRefresh(t, switched, s.RefreshToken, neighbour()); got != next {
			t.Fatal("late, from the same browser: another successor")
		}
		branch := mustRefresh(t, switched, s.RefreshToken, away())
		if branch == next {
			t.Fatal("late, from elsewhere: the same successor")
		}
		if got := mustRefresh(t, knowing, s.RefreshToken, away()); got != branch {
			t.Fatal("the replica that has not switched yet gives another branch")
		}
		mustRefuse(t, switched, next, home(), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, branch)
		w.mustBeReported(t, s, "session.replayed", 1)
	})
	t.Run("sign-out with the token before works across the switch", func(t *testing.T) {
		s := newcomer(t, w.a)
		next := mustRefresh(t, w.a, s.RefreshToken, home())
		if r := must(t, switched, "POST", "/signout", fields{"refreshToken": s.RefreshToken}, home()); r.status != 200 {
			t.Fatal(r)
		}
		w.mustBeOver(t, s, next)
	})
	t.Run("a session goes back and forth between replicas that know both", func(t *testing.T) {
		s := newcomer(t, w.a)
		token := s.RefreshToken
		for i := range 6 {
			one, other := knowing, switched
			if i%2 == 1 {
				one, other = switched, knowing
			}
			next := mustRefresh(t, one, token, home())
			if got := mustRefresh(t, other, token, away()); got != next {
				t.Fatalf("step %d: the other replica gives another successor", i)
			}
			token = next
		}
		w.mustGoOn(t, s, token)
		w.mustBeReported(t, s, "session.replayed", 0)
	})
	t.Run("ancestors of one key are still found out", func(t *testing.T) {
		s := newcomer(t, w.a)
		token := s.RefreshToken
		for range 3 {
			token = mustRefresh(t, w.a, token, home())
		}
		mustRefuse(t, switched, s.RefreshToken, home(), 401, "invalid-refresh-token")
		w.mustBeOver(t, s, token)
	})
}

func TestLastSeenIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	s := newcomer(t, w.a)
	start := w.clock.Now()
	token := s.RefreshToken
	for _, step := range []struct{ after, seen time.Duration }{
		{0, 0},
		{30 * time.Second, 0},
		{60 * time.Second, 0},
		{61 * time.Second, 61 * time.Second},
		{90 * time.Second, 61 * time.Second},
		{121 * time.Second, 61 * time.Second},
		{122 * time.Second, 122 * time.Second},
		{time.Hour, time.Hour},
	} {
		w.clock.Advance(start.Add(step.after).Sub(w.clock.Now()))
		token = mustRefresh(t, w.b, token, home())
		if got := scan[time.Time](t, w.a, `select last_seen from auth.users where id = $1`, s.User.ID).Sub(start); got != step.seen {
			t.Errorf("after %v the user was last seen at %v, want %v", step.after, got, step.seen)
		}
	}
}

// TestHostileUserAgents sends what no browser would as the user agent.
func TestHostileUserAgents(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	for name, agent := range map[string]string{
		"50 kB":            strings.Repeat("long ", 10_000),
		"invalid UTF-8":    "Mozilla\xff\xfe\x80/5.0",
		"cut in a rune":    strings.Repeat("x", 511) + "é",
		"lone surrogate":   "\xed\xa0\x80",
		"escape sequences": "\t%00%1b[31m",
		"SQL":              "'; drop table auth.users; --",
		"JSON":             `{"a":"\u0000"}`,
	} {
		w.onEach(t, name, func(t *testing.T, first, then *testhouse.House) {
			from := place{agent, home().address}
			s := newcomer(t, first)
			next := mustRefresh(t, first, s.RefreshToken, from)
			kept := scan[string](t, first, `select coalesce(user_agent, '') from auth.refresh_tokens where id = $1`, s.RefreshTokenID)
			if len(kept) > 512 || strings.ContainsAny(kept, "\x00\x1b\t") {
				t.Errorf("kept %d bytes: %q", len(kept), kept)
			}
			w.clock.Advance(afterWindow)
			if got := mustRefresh(t, then, s.RefreshToken, from); got != next {
				t.Error("the same strange browser counts as another")
			}
			if r := must(t, then, "POST", "/signout", fields{"refreshToken": next}, from); r.status != 200 {
				t.Error(r)
			}
			w.mustBeReported(t, s, "session.ended", 1)
		})
	}
	for name, agent := range map[string]string{"1 MB": strings.Repeat("x", 1<<20), "NUL": "Moz\x00illa", "CR LF": "Moz\rilla"} {
		t.Run(name+" does not get in", func(t *testing.T) {
			s := newcomer(t, w.a)
			status := rawRefresh(t, w.b, s.RefreshToken, agent)
			if status < 400 || status >= 500 {
				t.Fatalf("status %d", status)
			}
			w.mustGoOn(t, s, s.RefreshToken)
			mustRefresh(t, w.b, s.RefreshToken, home())
		})
	}
}

// rawRefresh sends a refresh with a user agent that Go's client refuses to send.
func rawRefresh(t *testing.T, h *testhouse.House, token, agent string) int {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(h.URL, "http://"), "/v1")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"refreshToken":"` + token + `"}`
	go func() { // the server may answer, and hang up, before it has read all
		_, _ = fmt.Fprintf(conn, "POST /v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\nUser-Agent: %s\r\n\r\n%s", len(body), agent, body)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestRefreshGuessesAreLimited guesses refresh tokens until the door has enough of it.
func TestRefreshGuessesAreLimited(t *testing.T) {
	t.Parallel()
	w := openTwins(t, map[string]string{
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "1", "AUTH_RATE_LIMIT_BRUTE_FORCE_INTERVAL": "5m",
		"AUTH_RATE_LIMIT_GLOBAL_BURST": "100000",
	})
	s := newcomer(t, w.a)
	limited := -1
	for i := range 200 {
		r := refresh(t, w.a, tokens.NewUUID(), away())
		if r.status == 401 && r.refusal == "invalid-refresh-token" && limited < 0 {
			continue
		}
		if r.status != 429 || r.refusal != "too-many-requests" || r.header.Get("Retry-After") == "" {
			t.Fatalf("guess %d: %s, Retry-After %q", i, r, r.header.Get("Retry-After"))
		}
		if limited < 0 {
			limited = i
		}
	}
	if limited < 1 {
		t.Fatalf("the limit came after %d guesses", limited)
	}
	t.Logf("limited after %d guesses", limited)
	mustRefresh(t, w.a, s.RefreshToken, home()) // who holds a good token is not hindered, from elsewhere or the same address
	s = newcomer(t, w.a)
	mustRefresh(t, w.a, s.RefreshToken, away())
	w.clock.Advance(6 * time.Minute)
	mustRefuse(t, w.a, tokens.NewUUID(), away(), 401, "invalid-refresh-token")
}
