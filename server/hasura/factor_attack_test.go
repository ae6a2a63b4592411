package hasura_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"postern/docs/openapi"
	"postern/internal/testhouse"
	"postern/tokens"
	"postern/totp"
)

// TestT18AFirstFactorOpensNothing sends the ticket of somebody who has proved one factor to every
// endpoint, in every member and as a bearer: none takes it for a session, a link, a code or a proof.
func TestT18AFirstFactorOpensNothing(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	d.turnOn(t, p, clock)
	ticket := d.halfway(t, p)
	_, uuid, _ := strings.Cut(ticket, ":")
	sessions := func() int {
		return value[int](t, d, `select count(*)::int from auth.refresh_tokens where user_id = $1`, p.User.ID)
	}
	want := sessions()
	for _, v := range []string{ticket, uuid, "passwordlessEmail:" + uuid, "verifyEmail:" + uuid, "passwordReset:" + uuid, "emailConfirmChange:" + uuid} {
		for _, path := range []string{"GET", "POST"} {
			if _, q := d.knock(t, path, verifyPath(v), nil).redirect(t, map[string]int{"GET": 302, "POST": 303}[path]); q.Get("error") != "invalid-ticket" {
				t.Errorf("%s as a link leads to %v", v, q)
			}
		}
		d.knock(t, "GET", "/user", nil, bearer(v)).refused(t, 401, "unauthorized", "")
		for _, o := range operations(t) {
			if o.schema == nil || o.id == "signOut" {
				continue
			}
			for _, m := range membersOf(o.schema) {
				if !m.schema.Type.Is("string") || o.id == "verifySignInMfaTotp" && m.name() == "ticket" {
					continue
				}
				body := o.body.with(m.path, v)
				if _, ok := body["email"]; ok && m.name() != "email" {
					body["email"] = p.email
				}
				a := d.knock(t, o.method, o.path, body, bearer(v))
				var in struct{ Session *wireSession }
				if err := json.Unmarshal([]byte(a.body), &in); err == nil && in.Session != nil && in.Session.User.ID == p.User.ID {
					t.Errorf("%s as %s of %s opens a session", v, m.name(), o.id)
				}
			}
		}
	}
	if n := sessions(); n != want {
		t.Errorf("%d sessions, want %d", n, want)
	}
	if value[string](t, d, `select coalesce(password_hash, '') from auth.users where id = $1`, p.User.ID) == "" {
		t.Error("the password is gone")
	}
	d.halfway(t, p)
}

func TestWeakness06EnrolmentTouchesNoActiveFactor(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	// A thief has the access token and enrols an app of their own.
	thief := d.stage(t, p.AccessToken, clock)
	for _, body := range []fields{
		{"code": thief.code(t), "activeMfaType": "totp"},
		{"code": thief.code(t), "activeMfaType": "totp", "currentCode": thief.code(t)},
		{"code": thief.code(t), "activeMfaType": ""},
		{"code": thief.code(t)},
	} {
		if no := d.ask(t, "POST", "/user/mfa", body, bearer(p.AccessToken)).refusal(t); no.Error != "totp-already-active" && no.Error != "invalid-totp" {
			t.Errorf("%v: %v", body, no)
		}
	}
	d.second(t, d.halfway(t, p), thief.code(t)).refused(t, 401, "invalid-totp", "")
	a.last = totp.Step(clock.Now())
	d.second(t, d.halfway(t, p), a.code(t)).session(t)
}

func TestWeakness07AWrongDigitBurnsNoTicket(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	ticket := d.halfway(t, p)
	d.second(t, ticket, a.wrong(t)).refused(t, 401, "invalid-totp", "")
	// Others ask for whatever there is to ask for.
	d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
	d.ask(t, "POST", "/signin/passwordless/email", fields{"email": p.email}).ok(t)
	d.halfway(t, p)
	d.second(t, "mfaTotp:"+tokens.NewUUID(), a.code(t)).refused(t, 401, "invalid-ticket", "")
	d.second(t, ticket, a.code(t)).session(t)
}

// TestH16CodesCountOnce has one code in its own step and the ones around it, on two replicas, with
// clocks that jump: each step succeeds once, and steps never go backwards. It is T-42 and weakness 27.
func TestH16CodesCountOnce(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	twin := d.twin(t, clock)
	doors := []doorway{d, twin}
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	cases := 0
	try := func(code string, want bool) {
		t.Helper()
		cases++
		d.sql(t, `delete from auth.security_counters`) // how many are wrong is another test's
		for i, door := range doors {                   // the second replica has nothing to add to what the first has taken
			got := door.second(t, door.halfway(t, p), code)
			switch {
			case want && i == 0:
				got.session(t)
			default:
				got.refused(t, 401, "invalid-totp", "")
			}
		}
		slices.Reverse(doors)
	}
	step := func() int64 { return totp.Step(clock.Now()) }
	try(a.at(t, step()), false) // it confirmed the factor
	for range 4 {
		clock.Advance(5 * totp.Period)
		now := step()
		try(a.at(t, now-2), false)
		try(a.at(t, now-1), true)
		try(a.at(t, now), true)
		try(a.at(t, now-1), false)
		try(a.at(t, now+1), true)
		try(a.at(t, now), false)
		try(a.at(t, now+1), false)
		try(a.at(t, now+2), false)
		clock.Advance(totp.Period)
		try(a.at(t, now+1), false)
		try(a.at(t, now+2), true)
	}
	// A clock that is set back makes no old code new, and one that returns takes new ones again.
	clock.Advance(-10 * totp.Period)
	for i := int64(-1); i <= 1; i++ {
		try(a.at(t, step()+i), false)
	}
	clock.Advance(20 * totp.Period)
	try(a.at(t, step()), true)
	// Other spellings of a code that counted, and of one that would.
	clock.Advance(5 * totp.Period)
	next := a.at(t, step())
	arabic := strings.Map(func(r rune) rune { return r - '0' + '٠' }, next)
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, next)
	for _, code := range []string{
		next + " ", " " + next, next[:3] + " " + next[3:], next[:3] + "-" + next[3:], next + "\n", "\t" + next, next + "\u00a0", "\u2007" + next, next + "\u200b", "\ufeff" + next, next + "\x00",
		"0" + next, next + "0", next[:5], next[1:], "+" + next, "-" + next, next + ".0", "0x" + next, arabic, wide, next[:5] + wide[len(wide)-3:], next + next,
	} {
		if strings.ContainsRune(code, 0) {
			d.knock(t, "POST", "/signin/mfa/totp", fields{"ticket": d.halfway(t, p), "otp": code})
			continue
		}
		try(code, false)
	}
	try(next, true)
	for _, code := range []string{next, " " + next, arabic, next[:3] + " " + next[3:]} {
		try(code, false)
	}
	if cases < 60 {
		t.Errorf("%d cases, want 60", cases)
	}
}

// TestT09SecondFactorsWorkOnce lets a crowd come with each secret of the second factor, half of it at
// another replica: one of them has it.
func TestT09SecondFactorsWorkOnce(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, map[string]string{"AUTH_TRUSTED_PROXIES": "127.0.0.1"})
	twin := d.twin(t, clock)
	houses := []*testhouse.House{d.House, twin.House}
	race := func(t *testing.T, path string, body func(i int) fields, token string) {
		t.Helper()
		answers, err := parallel(crowdSize, func(i int) (reply, error) {
			if token != "" {
				return send(t.Context(), houses[i%2], "POST", path, body(i), elsewhere(i), "Authorization", "Bearer "+token)
			}
			return send(t.Context(), houses[i%2], "POST", path, body(i), elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for i, r := range answers {
			switch {
			case r.status == 200:
				won++
			case !slices.Contains([]string{"invalid-totp", "invalid-ticket", "too-many-requests", "disabled-mfa-totp", "totp-already-active", "no-totp-secret"}, r.refusal):
				t.Errorf("number %d: %s", i, r)
			}
		}
		if won != 1 {
			t.Fatalf("%d of %d had it", won, crowdSize)
		}
	}
	tickets := func(t *testing.T, p person) []string {
		t.Helper()
		list := make([]string, crowdSize)
		for i := range list {
			list[i] = d.halfway(t, p)
		}
		return list
	}
	enrolled := func(t *testing.T) (person, *app) {
		t.Helper()
		p := d.person(t)
		return p, d.turnOn(t, p, clock)
	}

	t.Run("one code and one ticket", func(t *testing.T) {
		p, a := enrolled(t)
		ticket, code := d.halfway(t, p), a.code(t)
		race(t, "/signin/mfa/totp", func(int) fields { return fields{"ticket": ticket, "otp": code} }, "")
	})
	t.Run("one code and a ticket each", func(t *testing.T) {
		p, a := enrolled(t)
		list, code := tickets(t, p), a.code(t)
		race(t, "/signin/mfa/totp", func(i int) fields { return fields{"ticket": list[i], "otp": code} }, "")
	})
	t.Run("one code for a fresh proof", func(t *testing.T) {
		p, a := enrolled(t)
		code := a.code(t)
		race(t, "/elevate/totp", func(int) fields { return fields{"otp": code} }, p.AccessToken)
	})
	t.Run("one code of a factor of Hasura Auth", func(t *testing.T) { // which has no row yet
		p, a := enrolled(t)
		d.sql(t, `update auth.users set totp_secret = $2 where id = $1`, p.User.ID, a.secret.Base32())
		d.sql(t, `delete from auth.factors where user_id = $1`, p.User.ID)
		list, code := tickets(t, p), a.code(t)
		race(t, "/signin/mfa/totp", func(i int) fields { return fields{"ticket": list[i], "otp": code} }, "")
	})
	t.Run("one recovery code and a ticket each", func(t *testing.T) {
		p, a := enrolled(t)
		code := d.recoveryCodes(t, p.AccessToken, a.code(t))[0]
		list := tickets(t, p)
		race(t, "/signin/mfa/totp", func(i int) fields { return fields{"ticket": list[i], "otp": code} }, "")
		if n := d.Mail.Wait(t, p.email, 4); len(n) != 4 { // verify, enabled, renewed, used
			t.Errorf("%d mails", len(n))
		}
	})
	t.Run("one recovery code for a fresh proof", func(t *testing.T) {
		p, a := enrolled(t)
		code := d.recoveryCodes(t, p.AccessToken, a.code(t))[0]
		race(t, "/elevate/totp", func(int) fields { return fields{"otp": code} }, p.AccessToken)
	})
	t.Run("one recovery code to turn the factor off", func(t *testing.T) {
		p, a := enrolled(t)
		code := d.recoveryCodes(t, p.AccessToken, a.code(t))[0]
		race(t, "/user/mfa", func(int) fields { return fields{"code": code} }, p.AccessToken)
	})
	t.Run("one code to turn the factor on", func(t *testing.T) {
		p := d.person(t)
		code := d.stage(t, p.AccessToken, clock).code(t)
		race(t, "/user/mfa", func(int) fields { return fields{"code": code, "activeMfaType": "totp"} }, p.AccessToken)
	})
	t.Run("ten recovery codes, wherever they are used", func(t *testing.T) { // many right ones lock nobody out
		p, a := enrolled(t)
		codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
		list := tickets(t, p)
		answers, err := parallel(crowdSize, func(i int) (reply, error) {
			return send(t.Context(), houses[i%2], "POST", "/signin/mfa/totp", fields{"ticket": list[i], "otp": codes[i%len(codes)]}, elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		won := 0
		for _, r := range answers {
			if r.status == 200 {
				won++
			}
		}
		if won != len(codes) {
			t.Errorf("%d codes counted, want %d", won, len(codes))
		}
	})
}

// TestT11TurningAFactorOffLowersEverySession.
func TestT11TurningAFactorOffLowersEverySession(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
	var all []fullSession
	for _, code := range []string{a.code(t), a.code(t), codes[0]} {
		all = append(all, d.second(t, d.halfway(t, p), code).session(t))
	}
	for _, s := range all {
		if aal, _ := d.level(t, s.wireSession); aal != 2 {
			t.Fatalf("a session of level %d", aal)
		}
	}
	mine := all[0]
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t)}, bearer(mine.AccessToken)).ok(t)
	if n := value[int](t, d, `select count(*)::int from auth.refresh_tokens where user_id = $1 and (aal > 1 or amr::text ~ 'totp|recovery')`, p.User.ID); n != 0 {
		t.Errorf("%d sessions say that a factor was proved that is gone", n)
	}
	d.isLevel(t, mine.wireSession, 1, "password")
	for _, s := range append(all[1:], p.fullSession) {
		d.isOver(t, s)
	}
	refreshed := d.ask(t, "POST", "/token", fields{"refreshToken": mine.RefreshToken}).session(t)
	d.isLevel(t, refreshed.wireSession, 1, "password")
	// Endpoints of the factor ask for it as it is now, not as a session remembers it.
	d.ask(t, "POST", "/mfa/recovery-codes", fields{}, bearer(refreshed.AccessToken)).refused(t, 401, "disabled-mfa-totp", "")
}

// TestAFactorThatIsTurnedOnMeanwhileStopsASignIn lets a sign-in, which was to be of one factor, wait for
// the user's row while the factor is turned on.
func TestAFactorThatIsTurnedOnMeanwhileStopsASignIn(t *testing.T) {
	t.Parallel()
	d, _ := openStill(t, nil)
	p := d.person(t)
	tx, err := d.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID); err != nil {
		t.Fatal(err)
	}
	late := make(chan reply, 1)
	go func() {
		r, err := send(t.Context(), d.House, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}, home())
		if err != nil {
			r.body = err.Error()
		}
		late <- r
	}()
	waitForLock(t, d)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-late; r.status != 401 || r.refusal != "invalid-email-password" {
		t.Errorf("the sign-in that waited: %s", r)
	}
	d.halfway(t, p)
}

// A factorWay is a way in, as far as a second factor goes.
type factorWay struct {
	operations string // of the document, separated by blanks, that end in it
	method     string // amr
	level      int    // that it reaches alone
	enter      func(t *testing.T, d providerDoor, p factorPerson) answer
}

// factorPerson is a user with every first factor.
type factorPerson struct {
	person
	number string
	pat    string
}

// notWaysIn are operations whose answer may be a session that nobody enters by: it is there, or new.
var notWaysIn = map[string]string{
	"refreshToken": "the session is there", "verifySignInMfaTotp": "the second factor itself", "elevateTotp": "the second factor itself",
	"verifyElevateOTPEmail": "from a session", "verifyElevateOTPSms": "from a session", "verifyElevateWebauthn": "from a session",
	"signUpEmailPassword": "a new user has no second factor", "verifySignUpWebauthn": "a new user has no second factor", "signInAnonymous": "guests have no second factor",
	"signUpIdToken": "a new user has no second factor",
}

func factorWays() map[string]factorWay {
	link := func(ask, member, template string) func(t *testing.T, d providerDoor, p factorPerson) answer {
		return func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			d.ask(t, "POST", ask, fields{member: p.email}).ok(t)
			return d.ask(t, "GET", pathOf(t, d.mail(t, p.email, template, 1)), nil)
		}
	}
	return map[string]factorWay{
		"a password": {"signInEmailPassword", "password", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			return d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password})
		}},
		"a link":       {"verifyTicket", "link", 1, link("/signin/passwordless/email", "email", "signin-passwordless")},
		"a reset link": {"verifyTicket", "link", 1, link("/user/password/reset", "email", "password-reset")},
		"a link with PKCE": {"tokenExchange", "link", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			verifier, challenge := testhouse.Verifier()
			d.ask(t, "POST", "/signin/passwordless/email", fields{"email": p.email, "codeChallenge": challenge}).ok(t)
			_, q := d.ask(t, "GET", pathOf(t, d.mail(t, p.email, "signin-passwordless", 1)), nil).redirect(t, 302)
			return d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier})
		}},
		"a mailed code": {"verifySignInOTPEmail", "otp", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			return d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mail(t, p.email, "signin-otp", 1).Ticket})
		}},
		"a texted code": {"verifySignInPasswordlessSms", "sms", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			d.ask(t, "POST", askText, fields{"phoneNumber": p.number}).ok(t)
			return d.ask(t, "POST", typeText, fields{"phoneNumber": p.number, "otp": d.textedCode(t, p.number, 1)})
		}},
		"an identity elsewhere": {"signInProviderCallback", "oauth", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			who := someone()
			d.links(t, "corp", p.fullSession, who)
			return d.comeBack(t, d.setOut(t, "/signin/provider/corp", who))
		}},
		"an identity whose provider posts": {"signInProviderCallbackPost", "oauth", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			who := someone()
			d.links(t, "apple", p.fullSession, who)
			return d.comeBack(t, d.setOut(t, "/signin/provider/apple", who))
		}},
		"an identity elsewhere, with PKCE": {"tokenExchange", "oauth", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			who := someone()
			d.links(t, "corp", p.fullSession, who)
			verifier, challenge := testhouse.Verifier()
			q := d.arrives(t, "/signin/provider/corp?codeChallenge="+challenge, who)
			return d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier})
		}},
		"an ID token": {"signInIdToken", "idtoken", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			who := someone()
			d.links(t, "corp", p.fullSession, who)
			return d.ask(t, "POST", "/signin/idtoken", fields{"provider": "corp", "idToken": d.fake.IDToken("corp", map[string]any{"sub": who.ID, "email": who.Email, "nonce": nil})})
		}},
		"a personal access token": {"signInPAT", "pat", 2, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			return d.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": p.pat})
		}},
		"a security key that verifies nobody": {"verifySignInWebauthn", "webauthn", 1, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			key := securityKey()
			d.addPasskey(t, p.AccessToken, key, "")
			return d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": d.ask(t, "POST", "/signin/webauthn", fields{"email": p.email}).sign(t, key)})
		}},
		"a passkey": {"verifySignInWebauthn", "webauthn", 2, func(t *testing.T, d providerDoor, p factorPerson) answer {
			t.Helper()
			key := device()
			d.addPasskey(t, p.AccessToken, key, "")
			return d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)})
		}},
	}
}

// TestT12TheLevelIsThatOfTheFactors goes through every way in with and without a second factor, and
// under both rules of who is asked for it. What is required is what the user enrolled; what a session
// says is what was proved.
func TestT12TheLevelIsThatOfTheFactors(t *testing.T) {
	t.Parallel()
	ways := factorWays()
	listed := map[string]bool{}
	for _, w := range ways {
		for op := range strings.FieldsSeq(w.operations) {
			listed[op] = true
		}
	}
	for _, op := range opensSessions(t) {
		if _, not := notWaysIn[op]; listed[op] == not {
			t.Errorf("%s: say in factorWays how a second factor is asked for there, or in notWaysIn why it is not", op)
		}
	}
	for _, rule := range []string{"all", "password"} {
		for _, enrolled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, second factor %v", rule, enrolled), func(t *testing.T) {
				t.Parallel()
				clock := newStillClock()
				d := openProviders(t, []string{"corp", "apple"}, map[string]string{"AUTH_MFA_SIGN_INS": rule, "AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"}, stopped(clock))
				d.fake.Now = clock.Now
				for _, name := range slices.Sorted(maps.Keys(ways)) {
					w := ways[name]
					p := factorPerson{person: d.person(t), number: newNumber()}
					d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, p.User.ID, p.number)
					pat, _ := d.ask(t, "POST", "/pat", fields{"expiresAt": clock.Now().Add(24 * time.Hour)}, bearer(p.AccessToken)).is(t, 200, "").object(t)["personalAccessToken"].(string)
					p.pat = pat
					var a *app
					if enrolled {
						a = d.turnOn(t, p.person, clock)
					}
					got := w.enter(t, d, p)
					ticket, session := got.entered(t, d.doorway)
					due := enrolled && w.level < 2 && (rule == "all" || w.method == "password")
					if (ticket != "") != due || (session != "") == due {
						t.Errorf("%s: ticket %q, session %q (%s to %s), want a second factor: %v", name, ticket, session, got, got.header.Get("Location"), due)
						continue
					}
					level, methods := 1, w.method
					if w.method == "webauthn" {
						level = w.level
					}
					if due {
						session = d.second(t, ticket, a.code(t)).session(t).RefreshTokenID
						level, methods = 2, w.method+" totp"
					}
					d.isLevel(t, wireSession{RefreshTokenID: session}, level, methods)
				}
			})
		}
	}
}

// opensSessions lists the operations whose answer may have a session.
func opensSessions(t testing.TB) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Hasura())
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"verifyTicket", "signInProviderCallback", "signInProviderCallbackPost"} // in the redirect
	shapes := []string{"#/components/schemas/SessionPayload", "#/components/schemas/Admission", "#/components/schemas/Session"}
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			r := op.Responses.Value("200")
			if r == nil || r.Value.Content.Get("application/json") == nil {
				continue
			}
			s := r.Value.Content.Get("application/json").Schema
			for _, shape := range slices.Concat(openapi3.SchemaRefs{s}, s.Value.AnyOf, s.Value.OneOf, s.Value.AllOf) {
				if slices.Contains(shapes, shape.Ref) {
					list = append(list, op.OperationID)
				}
			}
		}
	}
	return list
}

// entered reads how a sign-in ended: in the ticket of the second factor, or in a session, in a body or
// in a redirect.
func (a answer) entered(t testing.TB, d doorway) (ticket, session string) {
	t.Helper()
	if a.status == 302 || a.status == 303 {
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if token := u.Query().Get("refreshToken"); token != "" {
			session = value[string](t, d, `select id::text from auth.refresh_tokens where refresh_token_hash = $1`, tokens.HashRefresh(token))
		}
		return u.Query().Get("ticket"), session
	}
	var in struct {
		Session wireSession
		MFA     struct{ Ticket string }
	}
	if err := json.Unmarshal([]byte(a.body), &in); err != nil || a.status != 200 {
		t.Fatalf("%s", a)
	}
	return in.MFA.Ticket, in.Session.RefreshTokenID
}

// TestT21VariantsOfSecondFactorsAreRefused.
func TestT21VariantsOfSecondFactorsAreRefused(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
	ticket := d.halfway(t, p)
	for _, v := range variants(ticket) {
		if r := d.knock(t, "POST", "/signin/mfa/totp", fields{"ticket": v, "otp": codes[0]}); r.status != 401 && r.status != 400 {
			t.Errorf("the ticket as %q: %s", v, r)
		}
	}
	for _, v := range append(variants(codes[0]), strings.ReplaceAll(codes[0], "-", ""), strings.ReplaceAll(codes[0], "-", " ")) {
		r := d.knock(t, "POST", "/signin/mfa/totp", fields{"ticket": d.halfway(t, p), "otp": v})
		if r.status != 401 && r.status != 400 {
			t.Errorf("the code as %q: %s", v, r)
		}
	}
	d.second(t, ticket, codes[0]).session(t)
}

// TestT33SecondFactorsExpireToTheSecond: the ticket after five minutes, an enrolment after an hour.
func TestT33SecondFactorsExpireToTheSecond(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	early, late := d.halfway(t, p), d.halfway(t, p)
	clock.Advance(5*time.Minute - time.Second)
	a.last = totp.Step(clock.Now()) - 1
	d.second(t, early, a.code(t)).session(t)
	clock.Advance(time.Second)
	d.second(t, late, a.at(t, totp.Step(clock.Now())+1)).refused(t, 401, "invalid-ticket", "")

	for wait, want := range map[time.Duration]string{time.Hour - time.Second: "", time.Hour: "no-totp-secret"} {
		p := d.person(t)
		staged := d.stage(t, p.AccessToken, clock)
		clock.Advance(wait)
		s := d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t)
		got := d.ask(t, "POST", "/user/mfa", fields{"code": staged.at(t, totp.Step(clock.Now())), "activeMfaType": "totp"}, bearer(s.AccessToken))
		if want == "" {
			got.ok(t)
		} else {
			got.refused(t, 400, want, "")
		}
	}
}

// TestSecondFactorsOfHasuraAuth: who enrolled there signs in here, before and after the way back is
// given up; what is enrolled here before, it can read.
func TestSecondFactorsOfHasuraAuth(t *testing.T) {
	t.Parallel()
	const text = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSA"
	stored := func(t *testing.T, d doorway, p person) (shared string, sealed bool) {
		t.Helper()
		return value[string](t, d, `select coalesce(totp_secret, '') from auth.users where id = $1`, p.User.ID),
			value[bool](t, d, `select exists (select from auth.factors where user_id = $1 and secret is not null)`, p.User.ID)
	}
	for name, c := range map[string]struct {
		version   int64
		encrypted bool // somebody has an encrypted secret already
		settings  map[string]string
		sealsHere bool // what is enrolled here is encrypted as Hasura Auth does
	}{
		"plain secrets":                 {18, false, nil, false},
		"encrypted secrets":             {18, true, nil, true},
		"a version that knows to":       {20, false, nil, true},
		"such a version, without a key": {20, false, map[string]string{"AUTH_ENCRYPTION_KEY": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newStillClock()
			settings := map[string]string{"AUTH_PASSWORD_BCRYPT_COST": "4"} // these tests are not about its strength
			maps.Copy(settings, c.settings)
			first := openDoor(t, settings, stopped(clock))
			secret := text
			if c.encrypted {
				var err error
				if secret, err = first.Kit.Keys.SealShared([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			old := first.person(t)
			first.sql(t, `update auth.users set totp_secret = $2, active_mfa_type = 'totp' where id = $1`, old.User.ID, secret)
			first.sql(t, `insert into auth.postern_state (key, value, updated_at) values ('adoption', jsonb_build_object('from', 'hasura-auth-go', 'version', $2::bigint, 'committed', false, 'adoptedAt', $1::timestamptz), now())`, clock.Now(), c.version)
			d := doorway{first.Beside(t, stopped(clock))}
			theirs := &app{secret: mustSecret(t, text), clock: clock}

			for range 2 { // the second time there is a row of ours beside it
				code := theirs.code(t)
				d.second(t, d.halfway(t, old), code).session(t)
				d.second(t, d.halfway(t, old), code).refused(t, 401, "invalid-totp", "")
			}
			if shared, sealed := stored(t, d, old); shared != secret || sealed {
				t.Errorf("the secret of Hasura Auth became %q, and sealed is %v", shared, sealed)
			}
			if n := value[int64](t, d, `select last_step from auth.factors where user_id = $1`, old.User.ID); n != theirs.last {
				t.Errorf("the last step is %d", n)
			}

			p := d.person(t)
			a := d.stage(t, p.AccessToken, clock)
			if shared, sealed := stored(t, d, p); shared != "" || !sealed {
				t.Error("what is staged is in auth.users")
			}
			d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).ok(t)
			shared, sealed := stored(t, d, p)
			if sealed {
				t.Error("there are two truths")
			}
			if c.sealsHere {
				plain, err := d.Kit.Keys.OpenShared(shared)
				if err != nil {
					t.Fatalf("%q: %v", shared, err)
				}
				shared = string(plain)
			}
			if shared != a.secret.Base32() {
				t.Errorf("Hasura Auth would read %q, want %q", shared, a.secret.Base32())
			}
			d.second(t, d.halfway(t, p), a.code(t)).session(t)

			// Hasura Auth is started again for a while, and the user enrols another app there.
			d.sql(t, `update auth.users set totp_secret = $2 where id = $1`, p.User.ID, text)
			a.secret = mustSecret(t, text)
			d.second(t, d.halfway(t, p), a.code(t)).session(t)

			d.sql(t, `update auth.postern_state set value = value || '{"committed": true}' where key = 'adoption'`)
			after := doorway{d.Beside(t, stopped(clock))}
			theirs.last = totp.Step(clock.Now())
			for range 2 {
				after.second(t, after.halfway(t, old), theirs.code(t)).session(t)
			}
			if shared, sealed := stored(t, after, old); shared != "" || !sealed {
				t.Errorf("after the commit the secret is still in auth.users: %q, sealed %v", shared, sealed)
			}
			if diff := cmp.Diff(1, value[int](t, after, `select count(*)::int from auth.factors where user_id = $1`, old.User.ID)); diff != "" {
				t.Error(diff)
			}
			s := after.second(t, after.halfway(t, p), a.code(t)).session(t)
			after.ask(t, "POST", "/user/mfa", fields{"code": a.code(t)}, bearer(s.AccessToken)).ok(t)
			if shared, sealed := stored(t, after, p); shared != "" || sealed {
				t.Errorf("a factor that is off is still there: %q, %v", shared, sealed)
			}
		})
	}
}

// TestSecondFactorTicketsOfHasuraAuth: what it asked for before it was replaced can be answered here,
// once, since it counted no tries.
func TestSecondFactorTicketsOfHasuraAuth(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := adopted(t, nil, time.Minute, stopped(clock))
	a := &app{secret: mustSecret(t, "JBSWY3DPEHPK3PXP"), clock: clock}
	for _, right := range []bool{true, false} {
		ticket := "mfaTotp:" + tokens.NewUUID()
		d.upstreamUser(t, ticket, clock.Now().Add(5*time.Minute), "active_mfa_type = 'totp', totp_secret = 'JBSWY3DPEHPK3PXP'")
		if right {
			d.isLevel(t, d.second(t, ticket, a.code(t)).session(t).wireSession, 2, "password totp")
		} else {
			d.second(t, ticket, a.wrong(t)).refused(t, 401, "invalid-totp", "")
		}
		d.second(t, ticket, a.code(t)).refused(t, 401, "invalid-ticket", "")
	}
}

// TestASecretThatDoesNotOpenIsNoWayIn: a key that is lost locks the app out, and recovery codes let the
// user in.
func TestASecretThatDoesNotOpenIsNoWayIn(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
	stranger := d.person(t)
	d.turnOn(t, stranger, clock)
	// A secret that was moved to another user does not open there.
	d.sql(t, `update auth.factors set secret = (select secret from auth.factors where user_id = $2) where user_id = $1`, p.User.ID, stranger.User.ID)
	d.second(t, d.halfway(t, p), a.code(t)).refused(t, 500, "internal-server-error", "")
	d.second(t, d.halfway(t, p), codes[0]).session(t)
}
