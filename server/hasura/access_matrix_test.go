package hasura_test

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// A way is one thing that may give an account an address, or somebody with an address a session or a
// mail. The access lists must stand before each.
type way struct {
	settings map[string]string
	// ready does what comes before, for an address that is welcome, and gives the step that counts.
	ready func(t *testing.T, d doorway) (step func(t *testing.T, email string) answer)
	makes origin // of users
}

// An origin says how a way makes users.
type origin int

const (
	makesNobody origin = iota
	bySignUp           // since that is what was asked for
	bySignIn           // by the way: AUTH_DISABLE_AUTO_SIGNUP has a say
)

// arrivals are the ways in which an address comes to an account, by operation. What is not here is in
// noArrival, and TestEveryOperationIsAnArrivalOrNot says which of the two lacks one.
func arrivals() map[string]way {
	ask := func(path string, body fields, member string) func(t *testing.T, d doorway) func(*testing.T, string) answer {
		return func(_ *testing.T, d doorway) func(*testing.T, string) answer {
			return func(t *testing.T, email string) answer {
				t.Helper()
				return d.knock(t, "POST", path, body.with([]string{member}, email))
			}
		}
	}
	return map[string]way{
		"signUpEmailPassword":        {ready: ask("/signup/email-password", fields{"password": rightPassword}, "email"), makes: bySignUp},
		"signUpPasswordlessEmail":    {ready: ask(signUpLink, fields{}, "email"), makes: bySignUp},
		"signInPasswordlessEmail":    {ready: ask(signInLink, fields{}, "email"), makes: bySignIn},
		"signUpOTPEmail":             {ready: ask("/signup/otp/email", fields{}, "email"), makes: bySignUp},
		"signInOTPEmail":             {ready: ask("/signin/otp/email", fields{}, "email"), makes: bySignIn},
		"signInIdToken":              {ready: arriveByIDToken("/signin/idtoken"), makes: bySignIn},
		"signUpIdToken":              {ready: arriveByIDToken("/signup/idtoken"), makes: bySignUp},
		"signInProviderCallback":     {ready: arriveFrom("github"), makes: bySignIn},
		"signInProviderCallbackPost": {ready: arriveFrom("apple"), makes: bySignIn},
		"signUpWebauthn": {makes: bySignUp, ready: func(_ *testing.T, d doorway) func(*testing.T, string) answer {
			return func(t *testing.T, email string) answer {
				t.Helper()
				a := d.knock(t, "POST", "/signup/webauthn", fields{"email": email})
				if a.status != 200 {
					return a
				}
				return d.knock(t, "POST", "/signup/webauthn/verify", fields{"credential": a.create(t, device())})
			}
		}},
		"deanonymizeUser": {makes: bySignUp, ready: func(t *testing.T, d doorway) func(*testing.T, string) answer {
			t.Helper()
			house := *d.House // a replica of before, when guests were still taken
			house.Env = maps.Clone(d.Env)
			maps.DeleteFunc(house.Env, func(name, _ string) bool { return strings.HasPrefix(name, "AUTH_DISABLE_") })
			before := doorway{house.Beside(t)}
			guests := []fullSession{before.guest(t), before.guest(t), before.guest(t)}
			return func(t *testing.T, email string) answer {
				t.Helper()
				a := d.knock(t, "POST", "/user/deanonymize", fields{"signInMethod": "passwordless", "email": email}, bearer(guests[0].AccessToken))
				if a.status == 200 {
					guests = guests[1:]
				}
				return a
			}
		}},
		"changeUserEmail": {ready: func(t *testing.T, d doorway) func(*testing.T, string) answer {
			t.Helper()
			d.smuggle(t, "changes@welcome.example", "")
			p := d.signIn(t, "changes@welcome.example", rightPassword)
			return func(t *testing.T, email string) answer {
				t.Helper()
				return d.knock(t, "POST", "/user/email/change", fields{"newEmail": email}, bearer(p.AccessToken))
			}
		}},
	}
}

// noArrival are the operations that bring no address to an account, each with what it does instead.
var noArrival = map[string]string{
	"deanonymizeUserSms": "no address", "signInEmailPassword": "known", "refreshToken": "known", "verifyToken": "known", "tokenExchange": "known", "signOut": "known", "getUser": "known",
	"changeUserPassword": "known", "sendPasswordResetEmail": "known", "sendVerificationEmail": "known",
	"verifyTicket": "known", "verifyTicketConfirmed": "known", "verifyTicketHead": "changes nothing",
	"verifySignInOTPEmail": "known", "verifySignInPasswordlessSms": "known", "signUpPasswordlessSms": "no address", "signInPasswordlessSms": "no address",
	"changeUserPhoneNumber": "known", "verifyChangeUserPhoneNumber": "known", "elevateOTPEmail": "known", "verifyElevateOTPEmail": "known", "elevateOTPSms": "known", "verifyElevateOTPSms": "known",
	"signInAnonymous": "no address", "signInPAT": "known", "createPAT": "known", "listPATs": "known", "deletePAT": "known", "listSessions": "known", "endSession": "known",
	"verifySignUpWebauthn": "the address of signUpWebauthn", "signInWebauthn": "known", "verifySignInWebauthn": "known", "elevateWebauthn": "known", "verifyElevateWebauthn": "known",
	"addSecurityKey": "known", "verifyAddSecurityKey": "known", "listSecurityKeys": "known", "renameSecurityKey": "known", "removeSecurityKey": "known",
	"changeUserMfa": "known", "verifyChangeUserMfa": "known", "verifySignInMfaTotp": "known", "countRecoveryCodes": "known", "createRecoveryCodes": "known", "elevateTotp": "known", "getElevationMethods": "known",
	"signInProvider": "leads to the callback", "signUpProvider": "leads to the callback", "linkProvider": "keeps the account's address", "linkIdToken": "keeps the account's address",
	"getProviderTokens": "known", "refreshProviderToken": "known", "getUserProviders": "known", "unlinkProvider": "known",
	"oauth2Authorize": "off", "oauth2AuthorizePost": "off", "oauth2LoginGet": "off", "oauth2LoginPost": "off", "oauth2Token": "off", "oauth2Introspect": "off",
	"oauth2Revoke": "off", "oauth2UserinfoGet": "off", "oauth2UserinfoPost": "off", "oauth2Jwks": "off", "getOpenIDConfiguration": "off", "getOAuthAuthorizationServer": "off",
	"hasuraWebhookGet": "known", "hasuraWebhookPost": "known",
	"healthCheckGet": "service", "healthCheckHead": "service", "readinessCheck": "service", "getVersion": "service", "getJWKs": "service", "getOpenAPI": "service",
}

func TestEveryOperationIsAnArrivalOrNot(t *testing.T) {
	t.Parallel()
	ways := arrivals()
	for _, o := range operations(t) {
		_, arrives := ways[o.id]
		if _, not := noArrival[o.id]; arrives == not {
			t.Errorf("%s: say in arrivals how it brings an address to an account, or in noArrival that it does not", o.id)
		}
	}
}

// lists are access lists that have a say in every case of the matrix.
func lists() map[string]string {
	return map[string]string{
		"AUTH_ACCESS_CONTROL_ALLOWED_EMAILS": "Invited@evil.example", "AUTH_ACCESS_CONTROL_BLOCKED_EMAILS": "Banned@welcome.example",
		"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "welcome.example", "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "Evil.example",
		"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000",
	}
}

// keptOut are addresses that the lists refuse, or that are none.
var keptOut = map[string]string{
	"blocked address": "banned@welcome.example", "blocked address in capitals": "BANNED@WELCOME.EXAMPLE", "blocked domain": "a@evil.example",
	"blocked domain in capitals": "A@EVIL.Example", "on no list": "a@other.example", "below an allowed domain": "a@sub.welcome.example",
	"an allowed domain in front": "a@welcome.example.evil.example", "an allowed domain behind": "a@notwelcome.example", "an allowed address with more": "invited@evil.example.evil.example",
	"another at": "a@evil.example@welcome.example", "another at behind": "a@welcome.example@evil.example", "a quoted at": `"a@welcome.example"@evil.example`,
	"a comment": "a@evil.example(@welcome.example)", "a percent": "a%evil.example@other.example", "two addresses": "a@welcome.example,b@evil.example", "a name": "Me <a@evil.example>",
	"an encoded at": "a%40welcome.example@evil.example", "a full-width at": "a＠evil.example@welcome.example", "a soft hyphen": "banned\u00ad@welcome.example", "a dotless i": "ınvited@evil.example",
	"a Kelvin sign": "a@\u212Aevil.example", "a full stop of another script": "a@evil。example", "a trailing dot": "a@evil.example.", "a blank": " a@evil.example", "a line break": "a@welcome.example\r\n@evil.example",
	"a NUL": "banned@welcome.example\x00", "nothing": "", "a bang path": "evil.example!a@other.example", "an address literal": "a@[127.0.0.1]",
}

// smuggle puts a user into the database with an address that nobody asked the lists about.
func (d doorway) smuggle(t testing.TB, email, more string) (id string) {
	t.Helper()
	d.sql(t, `insert into auth.users (email, email_verified, locale, default_role, display_name, password_hash) values ($1, true, 'en', 'user', 'Smuggled', $2)`, email, bcryptOf(t, rightPassword))
	d.sql(t, `insert into auth.user_roles (user_id, role) select id, unnest(array['user','me']) from auth.users where email = $1::text::public.citext`, email)
	if more != "" {
		d.sql(t, `update auth.users set `+more+` where email = $1::text::public.citext`, email)
	}
	return value[string](t, d, `select id::text from auth.users where email = $1::text::public.citext`, email)
}

// opensNothing fails when an answer has let somebody in.
func (a answer) opensNothing(t testing.TB) {
	t.Helper()
	q := ""
	if u, err := url.Parse(a.header.Get("Location")); err == nil {
		q = u.RawQuery + u.Fragment
	}
	if a.status >= 500 || strings.Contains(a.body, "oken\":") || strings.Contains(q, "refreshToken=") || strings.Contains(q, "code=") || strings.Contains(q, "ticket=") {
		t.Errorf("%s to %q", a, a.header.Get("Location"))
	}
}

// TestAccessListsStandBeforeEveryArrival tries every way in with every kind of address. Of what is
// kept out nothing may remain: no user, no ticket, no mail, no text message.
func TestAccessListsStandBeforeEveryArrival(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, o := range operations(t) {
		documented[o.id] = true
	}
	for id, w := range arrivals() {
		if !documented[id] {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			settings := lists()
			maps.Copy(settings, w.settings)
			d := openDoor(t, settings)
			step := w.ready(t, d)
			before := d.state(t)
			for name, email := range keptOut {
				a := step(t, email)
				a.opensNothing(t)
				if a.status == 200 {
					t.Errorf("%s: %s", name, a)
				}
				d.sameState(t, before, name+" ("+email+")")
			}
			for _, email := range []string{"INVITED@Evil.Example", "somebody@welcome.example", "Somebody.Else@WELCOME.example"} {
				before := d.state(t)
				if a := step(t, email); a.status >= 400 || strings.Contains(a.header.Get("Location"), "error=") || d.state(t) == before {
					t.Errorf("%s is welcome: %s %s", email, a, a.header.Get("Location"))
				}
			}
		})
	}
}

// TestAccessListsReachWhoIsThere makes users and all that they may hold, then keeps their addresses out
// and tries what they hold at a house with the new lists. A session that is open goes on, as at Hasura
// Auth, and is good for nothing at this door: who is to be thrown out is locked.
func TestAccessListsReachWhoIsThere(t *testing.T) {
	t.Parallel()
	open := openDoor(t, unverified("AUTH_EMAIL_USER_HOURLY_LIMIT", "1000", "AUTH_REQUIRE_ELEVATED_CLAIM", "disabled"))
	verifier, challenge := testhouse.Verifier()
	email := "a@evil.example"
	open.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": rightPassword}).session(t)
	open.ask(t, "POST", "/user/email/send-verification-email", fields{"email": email}).ok(t)
	open.sql(t, `update auth.users set email_verified = true where email = $1`, email)
	p := open.signIn(t, email, rightPassword)
	for range 2 {
		open.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	}
	open.ask(t, "POST", "/user/password/reset", fields{"email": email, "codeChallenge": challenge}).ok(t)
	open.ask(t, "POST", signInLink, fields{"email": email}).ok(t)
	open.ask(t, "POST", "/user/email/change", fields{"newEmail": "b@welcome.example"}, bearer(p.AccessToken)).ok(t)
	reset := open.mail(t, email, "password-reset", 1)
	code := ""
	for n := 1; code == ""; n++ {
		if m := open.mail(t, email, "password-reset", n); strings.Contains(m.Link, "codeChallenge") {
			_, q := open.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
			code = q.Get("code")
		}
	}
	resetTicket := ""
	for n := 1; resetTicket == ""; n++ {
		if m := open.mail(t, email, "password-reset", n); m.Ticket != reset.Ticket && !strings.Contains(m.Link, "codeChallenge") {
			resetTicket = m.Ticket
		}
	}
	link, change := open.mail(t, email, "signin-passwordless", 1), open.mail(t, "b@welcome.example", "email-confirm-change", 1)
	// Somebody whose own address stays welcome wants one that no longer is.
	mover := open.person(t)
	open.sql(t, `update auth.users set email = 'mover@welcome.example' where id = $1`, mover.User.ID)
	open.ask(t, "POST", "/user/email/change", fields{"newEmail": "moved@evil.example"}, bearer(mover.AccessToken)).ok(t)
	moves := open.mail(t, "moved@evil.example", "email-confirm-change", 1)

	house := *open.House
	house.Env = maps.Clone(open.Env)
	maps.Copy(house.Env, lists())
	d := doorway{house.Beside(t)}
	d.waitUntilReady(t)
	before := d.state(t)
	for name, a := range map[string]answer{
		"password":                       d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}),
		"access token":                   d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)),
		"new password":                   d.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)),
		"another address":                d.ask(t, "POST", "/user/email/change", fields{"newEmail": "c@welcome.example"}, bearer(p.AccessToken)),
		"link that signs in":             d.ask(t, "GET", pathOf(t, link), nil),
		"link of a reset":                d.ask(t, "GET", pathOf(t, reset), nil),
		"ticket of a reset":              d.ask(t, "POST", "/user/password", fields{"newPassword": "another password", "ticket": resetTicket}),
		"link of a change":               d.ask(t, "GET", pathOf(t, change), nil),
		"code of a link":                 d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}),
		"another link":                   d.ask(t, "POST", signInLink, fields{"email": email}),
		"another reset":                  d.ask(t, "POST", "/user/password/reset", fields{"email": email}),
		"another verification":           d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": email}),
		"change to an address shut out":  d.ask(t, "GET", pathOf(t, moves), nil),
		"the same, from the page":        d.ask(t, "POST", pathOf(t, moves), nil),
		"sign-up over an account of old": d.ask(t, "POST", signUpLink, fields{"email": email}),
	} {
		a.opensNothing(t)
		if a.status == 200 && name != "another reset" { // which says the same to everybody
			t.Errorf("%s: %s", name, a)
		}
	}
	d.sameState(t, before, "what somebody holds who is kept out")
	if n := value[int](t, d, `select count(*) from auth.users where email = 'moved@evil.example'`); n != 0 {
		t.Error("somebody took an address that is kept out")
	}
}

// strangers are the ways in which somebody whom nobody knows becomes a user: those of arrivals, with an
// address that is new, and those that need none.
func strangers() map[string]way {
	ways := map[string]way{}
	for id, w := range arrivals() {
		if w.makes != makesNobody {
			ways[id] = w
		}
	}
	without := func(path string, body func() fields) func(t *testing.T, d doorway) func(*testing.T, string) answer {
		return func(_ *testing.T, d doorway) func(*testing.T, string) answer {
			return func(t *testing.T, _ string) answer {
				t.Helper()
				return d.knock(t, "POST", path, body())
			}
		}
	}
	number := func() fields { return fields{"phoneNumber": newNumber()} }
	ways["signUpPasswordlessSms"] = way{ready: without(askTextSignUp, number), makes: bySignUp}
	ways["signInPasswordlessSms"] = way{ready: without(askText, number), makes: bySignIn}
	ways["signInAnonymous"] = way{ready: without("/signin/anonymous", func() fields { return fields{} }), makes: bySignUp}
	return ways
}

// traces counts what a stranger may leave behind: users, their tickets, sessions, and what is sent. A
// ticket of nobody is a decoy, which makes the answers to known and unknown people the same.
func (d doorway) traces(t testing.TB) (users, sent int) {
	t.Helper()
	users = value[int](t, d, `select count(*) from auth.users`)
	sent = value[int](t, d, `select (select count(*) from postern_river.river_job where kind in ('postern_mail', 'postern_sms'))
		+ (select count(*) from auth.tickets where user_id is not null) + (select count(*) from auth.refresh_tokens)`)
	return users, sent
}

// TestWeakness20StrangersAreTurnedAwayBeforeAnythingIsSent tries every way to become a user while the operator
// takes none, takes them locked, or takes only those who sign up. It is weakness 20: a text message or
// mail to whoever is named is sent at the operator's cost, so the settings come first.
func TestWeakness20StrangersAreTurnedAwayBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, o := range operations(t) {
		documented[o.id] = true
	}
	for id, w := range strangers() {
		if !documented[id] {
			continue
		}
		for _, setting := range []string{"AUTH_DISABLE_SIGNUP", "AUTH_DISABLE_NEW_USERS", "AUTH_DISABLE_AUTO_SIGNUP"} {
			if id == "signInAnonymous" && setting == "AUTH_DISABLE_NEW_USERS" {
				continue // guests are nobody yet; who becomes somebody is locked then
			}
			t.Run(id+" "+setting, func(t *testing.T) {
				t.Parallel()
				settings := map[string]string{setting: "true", "AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"}
				maps.Copy(settings, w.settings)
				d := openDoor(t, settings)
				step := w.ready(t, d)
				users, sent := d.traces(t)
				for range 3 {
					a := step(t, newAddress())
					if setting == "AUTH_DISABLE_AUTO_SIGNUP" && w.makes == bySignUp {
						if nowUsers, nowSent := d.traces(t); a.status != 200 && a.status != 302 || nowUsers+nowSent == users+sent {
							t.Errorf("sign-ups are not meant: %s", a)
						}
						return
					}
					a.opensNothing(t)
				}
				nowUsers, nowSent := d.traces(t)
				if nowSent > sent {
					t.Errorf("%d mails, text messages, tickets and sessions more than before", nowSent-sent)
				}
				if setting != "AUTH_DISABLE_NEW_USERS" && nowUsers != users {
					t.Errorf("%d users more than before", nowUsers-users)
				}
				if n := value[int](t, d, `select count(*) from auth.users where not disabled and not is_anonymous and created_at > $1`, d.Clock.Now().Add(-time.Minute)); setting == "AUTH_DISABLE_NEW_USERS" && n != 0 {
					t.Errorf("%d new users are not locked", n)
				}
			})
		}
	}
}
