package hasura_test

import (
	"strings"
	"testing"
	"time"

	"postern/internal/fakeprovider"
)

// waysIn is everything that lets somebody in, or keeps them in: what can be held, and what is known.
func waysIn() map[string]held {
	ways := allHeld()
	ways["password"] = held{
		earn: func(_ *testing.T, _ doorway, p *subject) string { return p.password },
		use: func(t *testing.T, d doorway, p *subject, secret string) answer {
			t.Helper()
			return d.knock(t, "POST", "/signin/email-password", fields{"email": p.email, "password": secret})
		},
	}
	// atProvider is the person whom a provider knows by the address.
	atProvider := func(p *subject) fakeprovider.Person {
		return fakeprovider.Person{ID: p.User.ID, Email: p.email, Name: "Ada Lovelace", Verified: true}
	}
	linked := func(t *testing.T, d doorway, p *subject, provider string) {
		t.Helper()
		d.sql(t, `insert into auth.user_providers (user_id, provider_id, provider_user_id, access_token) values ($1::uuid, $2, $1::uuid::text, 'unset')`, p.User.ID, provider)
	}
	ways["provider"] = held{
		earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			linked(t, d, p, "github")
			return ""
		},
		use: func(t *testing.T, d doorway, p *subject, _ string) answer {
			t.Helper()
			e := providerDoor{d, vouching}
			atVouching.Lock()
			b := e.setOut(t, "/signin/provider/github", atProvider(p))
			atVouching.Unlock()
			return e.comeBack(t, b)
		},
	}
	ways["provider that knows the address"] = held{
		earn: func(*testing.T, doorway, *subject) string { return "" }, use: ways["provider"].use,
	}
	idToken := func(t *testing.T, d doorway, p *subject, _ string) answer {
		t.Helper()
		token := vouching.IDToken("google", map[string]any{"sub": p.User.ID, "email": p.email, "email_verified": true})
		return d.knock(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": token})
	}
	ways["ID token"] = held{
		earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			linked(t, d, p, "google")
			return ""
		},
		use: idToken,
	}
	ways["ID token that knows the address"] = held{earn: ways["provider that knows the address"].earn, use: idToken}
	ways["asking for a link"] = held{
		earn: ways["provider that knows the address"].earn,
		use: func(t *testing.T, d doorway, p *subject, _ string) answer {
			t.Helper()
			return d.knock(t, "POST", signInLink, fields{"email": p.email})
		},
	}
	for _, name := range []string{"access token", "personal access token"} {
		ways[name+" at the webhook"] = held{
			earn: ways[name].earn,
			use: func(t *testing.T, d doorway, _ *subject, secret string) answer {
				t.Helper()
				return d.knock(t, "GET", "/hasura/webhook", nil, bearer(secret))
			},
		}
	}
	return ways
}

// TestT10NobodyLockedGetsIn tries every way in, and everything that keeps somebody in, for users who are
// disabled, banned or deleted, and for those whose ban is over.
func TestT10NobodyLockedGetsIn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000", "AUTH_HASURA_WEBHOOK_MEMORY": "5s"})
	d.waitUntilReady(t)
	states := map[string]struct {
		set    string
		locked bool
	}{
		"nothing":              {`disabled = false`, false},
		"disabled":             {`disabled = true`, true},
		"banned":               {`banned_until = now() + interval '1 hour'`, true},
		"ban is over":          {`banned_until = now() - interval '1 second'`, false},
		"deleted":              {`deleted_at = now()`, true},
		"all at once":          {`deleted_at = now(), disabled = true, banned_until = now() + interval '1 hour'`, true},
		"banned for ever":      {`banned_until = 'infinity'`, true},
		"a ban that never was": {`banned_until = '-infinity'`, false},
		"deleted some time":    {`deleted_at = '-infinity'`, true},
	}
	rows := func(t *testing.T, p *subject) string {
		t.Helper()
		return value[string](t, d, `select coalesce(md5(string_agg(u::text || coalesce(r.id::text, '') || coalesce(i.id::text, ''), '|' order by r.id, i.id)), '') from auth.users u
			left join auth.refresh_tokens r on r.user_id = u.id left join auth.user_providers i on i.user_id = u.id where u.id = $1`, p.User.ID)
	}
	for name, w := range waysIn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for state, s := range states {
				p := d.subject(t)
				secret := w.earn(t, d, p)
				d.sql(t, `update auth.users set `+s.set+` where id = $1`, p.User.ID)
				before := rows(t, p)
				a := w.use(t, d, p, secret)
				if !s.locked {
					if !a.worked() {
						t.Errorf("%s: %s to %q", state, a, a.header.Get("Location"))
					}
					continue
				}
				a.opensNothing(t)
				if a.worked() || rows(t, p) != before {
					t.Errorf("%s: %s to %q", state, a, a.header.Get("Location"))
				}
				if !strings.Contains(a.body+a.header.Get("Location"), "disabled-user") {
					t.Errorf("%s: no word of it: %s to %q", state, a, a.header.Get("Location"))
				}
			}
		})
	}
}

// TestABanEndsByItself bans somebody who is in, and lets the time pass.
func TestABanEndsByItself(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	app := d.turnOn(t, p, clock)
	clock.Advance(time.Minute)
	ticket := d.halfway(t, p)
	s := fields{"refreshToken": p.RefreshToken}
	d.sql(t, `update auth.users set banned_until = $2 where id = $1`, p.User.ID, clock.Now().Add(2*time.Minute))
	for path, body := range map[string]fields{
		"/token":                 s,
		"/signin/mfa/totp":       {"ticket": ticket, "otp": app.code(t)},
		"/signin/email-password": {"email": p.email, "password": p.password},
	} {
		d.ask(t, "POST", path, body).refused(t, 401, "disabled-user", "User is disabled")
	}
	clock.Advance(2*time.Minute - time.Microsecond)
	d.ask(t, "POST", "/token", s).refused(t, 401, "disabled-user", "")
	clock.Advance(time.Microsecond)
	d.ask(t, "POST", "/token", s).session(t)
	d.second(t, ticket, app.code(t)).session(t)
}

// TestTheWebhookHearsOfABan asks for somebody whom the server remembers, right after they are banned.
func TestTheWebhookHearsOfABan(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_HASURA_WEBHOOK_MEMORY": "5s"})
	d.waitUntilReady(t)
	for _, set := range []string{`banned_until = now() + interval '1 hour'`, `deleted_at = now()`} {
		p := d.person(t)
		ask := func() answer { return d.ask(t, "GET", "/hasura/webhook", nil, bearer(p.AccessToken)) }
		ask().is(t, 200, "")
		ask().is(t, 200, "")
		d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
		for since := time.Now(); ask().status == 200; {
			if time.Since(since) > 4*time.Second {
				t.Fatalf("%s: still let in", set)
			}
		}
	}
}
