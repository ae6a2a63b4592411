package hasura_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// A held thing is something that somebody may hold who is to get in, or to change something, by it. The
// table of them is what the tests of this file walk, so that a new way in is tried in every state of
// its user and at everybody else's door.
type held struct {
	doors []string // where it may be used
	bound bond
	once  bool // a crowd that comes with it at once is let in once
	// earn gets one for a person with an address, a number and a password.
	earn func(t *testing.T, d doorway, p *subject) (secret string)
	use  func(t *testing.T, d doorway, p *subject, secret string) answer
}

// A bond is what a held thing depends on besides its user.
type bond int

const (
	toUser bond = iota
	toEmail
	toPhone
	toSession
)

// subject is the person who holds things.
type subject struct {
	person
	number, newNumber, newEmail string
	verifier                    string
}

// subject makes a person with an address, a number and a password.
func (d doorway) subject(t *testing.T) *subject {
	t.Helper()
	p := &subject{person: d.person(t), number: newNumber(), newNumber: newNumber(), newEmail: newAddress()}
	d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, p.User.ID, p.number)
	return p
}

// ticketOf is the ticket in a link.
func ticketOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("ticket") == "" {
		t.Fatalf("no ticket in %q", link)
	}
	return u.Query().Get("ticket")
}

func allHeld() map[string]held {
	openLink := func(t *testing.T, d doorway, _ *subject, secret string) answer {
		t.Helper()
		return d.knock(t, "GET", verifyPath(secret), nil)
	}
	mailed := func(template string, ask func(t *testing.T, d doorway, p *subject)) func(*testing.T, doorway, *subject) string {
		return func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			ask(t, d, p)
			return ticketOf(t, d.mail(t, p.email, template, 1).Link)
		}
	}
	post := func(path string, body func(p *subject, secret string) fields, signedIn bool) func(*testing.T, doorway, *subject, string) answer {
		return func(t *testing.T, d doorway, p *subject, secret string) answer {
			t.Helper()
			if signedIn {
				return d.knock(t, "POST", path, body(p, secret), bearer(p.AccessToken))
			}
			return d.knock(t, "POST", path, body(p, secret))
		}
	}
	return map[string]held{
		"link that signs in": {doors: []string{"link"}, bound: toEmail, earn: mailed("signin-passwordless", func(t *testing.T, d doorway, p *subject) {
			t.Helper()
			d.ask(t, "POST", signInLink, fields{"email": p.email}).ok(t)
		}), use: openLink},
		"link of a reset": {doors: []string{"link", "reset"}, bound: toEmail, earn: mailed("password-reset", func(t *testing.T, d doorway, p *subject) {
			t.Helper()
			d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		}), use: openLink},
		"link of a verification": {doors: []string{"link"}, bound: toEmail, earn: mailed("email-verify", func(t *testing.T, d doorway, p *subject) {
			t.Helper()
			d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
			d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": p.email}).ok(t)
			d.sql(t, `update auth.users set email_verified = true where id = $1`, p.User.ID)
		}), use: openLink},
		"link of a change of address": {doors: []string{"link"}, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", "/user/email/change", fields{"newEmail": p.newEmail}, bearer(p.AccessToken)).ok(t)
			return d.mail(t, p.newEmail, "email-confirm-change", 1).Ticket
		}, use: openLink},
		"ticket of a reset": {doors: []string{"reset", "link"}, bound: toEmail, earn: mailed("password-reset", func(t *testing.T, d doorway, p *subject) {
			t.Helper()
			d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		}), use: post("/user/password", func(_ *subject, secret string) fields {
			return fields{"newPassword": "of whoever holds it", "ticket": secret}
		}, false)},
		"code of a redirect": {doors: []string{"exchange"}, bound: toEmail, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			var challenge string
			p.verifier, challenge = testhouse.Verifier()
			d.ask(t, "POST", signInLink, fields{"email": p.email, "codeChallenge": challenge}).ok(t)
			_, q := d.ask(t, "GET", verifyPath(d.mail(t, p.email, "signin-passwordless", 1).Ticket), nil).redirect(t, 302)
			return q.Get("code")
		}, use: post("/token/exchange", func(p *subject, secret string) fields {
			return fields{"code": secret, "codeVerifier": cmp.Or(p.verifier, strings.Repeat("v", 43))}
		}, false)},
		"mailed code": {doors: []string{"mailed code"}, bound: toEmail, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			return d.mailedCode(t, p.email, 1)
		}, use: post(typeMail, func(p *subject, secret string) fields { return fields{"email": p.email, "otp": secret} }, false)},
		"link beside a mailed code": {doors: []string{"link"}, bound: toEmail, once: true, earn: mailed("signin-otp", func(t *testing.T, d doorway, p *subject) {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
		}), use: openLink},
		"texted code": {doors: []string{"texted code"}, bound: toPhone, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", askText, fields{"phoneNumber": p.number}).ok(t)
			return d.textedCode(t, p.number, 1)
		}, use: post(typeText, func(p *subject, secret string) fields { return fields{"phoneNumber": p.number, "otp": secret} }, false)},
		"code of a change of number": {doors: []string{"number"}, bound: toSession, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", changePhone, fields{"newPhoneNumber": p.newNumber}, bearer(p.AccessToken)).ok(t)
			return d.textedCode(t, p.newNumber, 1)
		}, use: post(confirmPhone, func(p *subject, secret string) fields { return fields{"newPhoneNumber": p.newNumber, "otp": secret} }, true)},
		"mailed code of a fresh proof": {doors: []string{"proof by mail"}, bound: toSession, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", "/elevate/otp/email", nil, bearer(p.AccessToken)).ok(t)
			return d.mailedCode(t, p.email, 1)
		}, use: post("/elevate/otp/email/verify", func(_ *subject, secret string) fields { return fields{"otp": secret} }, true)},
		"texted code of a fresh proof": {doors: []string{"proof by text"}, bound: toSession, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(p.AccessToken)).ok(t)
			return d.textedCode(t, p.number, 1)
		}, use: post("/elevate/otp/sms/verify", func(_ *subject, secret string) fields { return fields{"otp": secret} }, true)},
		"passkey's signature": {doors: []string{"passkey"}, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			key := device()
			d.addPasskey(t, p.AccessToken, key, "")
			return encode(d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key))
		}, use: post("/signin/webauthn/verify", func(_ *subject, secret string) fields { return fields{"credential": credential(secret)} }, false)},
		"passkey's signature of a fresh proof": {doors: []string{"proof by passkey"}, bound: toSession, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			key := device()
			d.addPasskey(t, p.AccessToken, key, "")
			return encode(d.ask(t, "POST", "/elevate/webauthn", nil, bearer(p.AccessToken)).sign(t, key))
		}, use: post("/elevate/webauthn/verify", func(_ *subject, secret string) fields { return fields{"credential": credential(secret)} }, true)},
		"new passkey": {doors: []string{"new passkey"}, bound: toSession, once: true, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			return encode(d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken)).create(t, device()))
		}, use: post("/user/webauthn/verify", func(_ *subject, secret string) fields { return fields{"credential": credential(secret)} }, true)},
		"personal access token": {doors: []string{"personal token"}, earn: func(t *testing.T, d doorway, p *subject) string {
			t.Helper()
			made := d.ask(t, "POST", "/pat", fields{"expiresAt": d.Kit.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, bearer(p.AccessToken)).object(t)
			secret, _ := made["personalAccessToken"].(string)
			return secret
		}, use: post("/signin/pat", func(_ *subject, secret string) fields { return fields{"personalAccessToken": secret} }, false)},
		"refresh token": {doors: []string{"refresh"}, bound: toSession, earn: func(_ *testing.T, _ doorway, p *subject) string { return p.RefreshToken }, use: post("/token", func(_ *subject, secret string) fields {
			return fields{"refreshToken": secret}
		}, false)},
		"access token": {
			doors: []string{"bearer"}, bound: toSession, earn: func(_ *testing.T, _ doorway, p *subject) string { return p.AccessToken },
			use: func(t *testing.T, d doorway, _ *subject, secret string) answer {
				t.Helper()
				return d.knock(t, "GET", "/user", nil, bearer(secret))
			},
		},
	}
}

// credential is a credential as a request has it, or what is none.
func credential(secret string) any {
	if strings.HasPrefix(secret, "{") {
		return json.RawMessage(secret)
	}
	return fields{"id": secret, "rawId": secret, "type": "public-key"}
}

// worked tells whether what was held has got somebody somewhere.
func (a answer) worked() bool {
	to := a.header.Get("Location")
	return a.status == 200 || a.status == 302 && to != "" && !strings.Contains(to, "error=")
}

// TestT10WhatIsHeldEndsWithItsUser uses everything that can be held after its user, address, number or
// session is gone.
func TestT10WhatIsHeldEndsWithItsUser(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	states := map[string]struct {
		end  func(p *subject)
		hits func(b bond) bool
	}{
		"nothing happened": {func(*subject) {}, func(bond) bool { return false }},
		"locked":           {func(p *subject) { d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID) }, func(bond) bool { return true }},
		"deleted":          {func(p *subject) { d.sql(t, `delete from auth.users where id = $1`, p.User.ID) }, func(bond) bool { return true }},
		"another address": {func(p *subject) {
			d.sql(t, `update auth.users set email = $2 where id = $1`, p.User.ID, newAddress())
		}, func(b bond) bool { return b == toEmail }},
		"another number": {func(p *subject) {
			d.sql(t, `update auth.users set phone_number = $2 where id = $1`, p.User.ID, newNumber())
		}, func(b bond) bool { return b == toPhone }},
		"the address is somebody else's": {func(p *subject) {
			d.sql(t, `update auth.users set email = $2 where id = $1`, p.User.ID, newAddress())
			d.smuggle(t, p.email, "")
		}, func(b bond) bool { return b == toEmail }},
		"out everywhere": {func(p *subject) {
			d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t)
		}, func(b bond) bool { return b == toSession }},
	}
	// All that is known of a person, and of the one who has the address now.
	known := func(t *testing.T, p *subject) string {
		t.Helper()
		return value[string](t, d, `select coalesce(md5(string_agg(u::text || coalesce(r.id::text, ''), '|' order by u.id, r.id)), '') from auth.users u
			left join auth.refresh_tokens r on r.user_id = u.id where u.id = $1 or u.email = $2::text::public.citext`, p.User.ID, p.email)
	}
	for name, h := range allHeld() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for state, s := range states {
				p := d.subject(t)
				secret := h.earn(t, d, p)
				s.end(p)
				before := known(t, p)
				a := h.use(t, d, p, secret)
				if s.hits(h.bound) {
					a.opensNothing(t)
					if a.worked() || known(t, p) != before {
						t.Errorf("%s: %s to %q", state, a, a.header.Get("Location"))
					}
				} else if state == "nothing happened" && !a.worked() {
					t.Errorf("it does nothing: %s to %q", a, a.header.Get("Location"))
				}
			}
		})
	}
}

// TestWeakness01NothingHeldOpensAnotherDoor presents everything that one person holds at every door but
// its own, in the spellings that would fit there. Nothing opens, and nothing is used up.
func TestWeakness01NothingHeldOpensAnotherDoor(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	things := allHeld()
	doors := map[string]held{}
	for _, h := range things {
		doors[h.doors[0]] = h
	}
	for name, h := range things {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := d.subject(t)
			secret := h.earn(t, d, p)
			bare := secret[strings.IndexByte(secret, ':')+1:]
			for door, other := range doors {
				for _, prefix := range []string{"", "verifyEmail:", "passwordlessEmail:", "passwordReset:", "emailConfirmChange:", "mfaTotp:"} {
					if s := prefix + bare; s == secret && slices.Contains(h.doors, door) {
						continue
					} else if a := other.use(t, d, p, s); a.worked() {
						t.Errorf("as %q it opens the door %s: %s to %q", s, door, a, a.header.Get("Location"))
					}
				}
			}
			if a := h.use(t, d, p, secret); !a.worked() {
				t.Errorf("it was used up at other doors: %s to %q", a, a.header.Get("Location"))
			}
		})
	}
}

// TestT09WhatIsHeldOnceWorksOnce lets a crowd come for what is good once, half of it at another
// replica.
func TestT09WhatIsHeldOnceWorksOnce(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	replicas := []doorway{d, {d.Beside(t)}}
	for _, name := range slices.Sorted(maps.Keys(allHeld())) {
		h := allHeld()[name]
		if !h.once {
			continue
		}
		p := d.subject(t)
		secret := h.earn(t, d, p)
		sessions := value[int](t, d, `select count(*) from auth.refresh_tokens`)
		answers := make([]answer, crowdSize)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = h.use(t, replicas[i%2], p, secret) })
		}
		all.Wait()
		won := 0
		for _, a := range answers {
			if a.worked() {
				won++
			}
			if a.status >= 500 {
				t.Errorf("%s: %s", name, a)
			}
		}
		if more := value[int](t, d, `select count(*) from auth.refresh_tokens`) - sessions; won != 1 || more > 1 {
			t.Errorf("%d of %d had the %s, with %d sessions", won, crowdSize, name, more)
		}
	}
}

// TestT08EveryKindOfSessionEndsWithThePassword opens sessions in every way there is, and one with a fresh
// proof, and changes the password from another. Personal access tokens are not the password's.
func TestT08EveryKindOfSessionEndsWithThePassword(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	p := d.subject(t)
	things := allHeld()
	pat := things["personal access token"].earn(t, d, p)
	sessions := map[string]wireSession{"password": d.signIn(t, p.email, p.password).wireSession}
	for _, name := range []string{"mailed code", "texted code", "passkey's signature", "passkey's signature of a fresh proof", "link that signs in"} {
		h := things[name]
		a := h.use(t, d, p, h.earn(t, d, p))
		if a.status == 302 {
			_, q := a.redirect(t, 302)
			a = d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")})
		}
		sessions[name] = a.session(t).wireSession
	}
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(p.AccessToken)).ok(t)
	for name, s := range sessions {
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		if a := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)); a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
	}
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
	d.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": pat}).session(t)
}
