package hasura_test

import (
	"strings"
	"testing"
	"time"

	"postern/internal/softkey"
	"postern/internal/testhouse"
	"postern/tokens"
	"postern/totp"
)

// An entrance is a way to a token, prepared up to the step that counts. The step may be taken again
// and again: what it shows stays the same.
type entrance struct {
	name  string
	step  func(t *testing.T) answer
	keeps bool              // nothing at all is written when it is refused
	first map[string]string // what the very first token must say, besides the organisation
}

// mailed gives the link of a mail as a step.
func (d doorway) mailed(t *testing.T, email, template string) func(*testing.T) answer {
	t.Helper()
	path := pathOf(t, d.mail(t, email, template, 1))
	return func(t *testing.T) answer { t.Helper(); return d.ask(t, "GET", path, nil) }
}

// posts gives a request as a step.
func (d doorway) posts(path string, body fields, more ...with) func(*testing.T) answer {
	return func(t *testing.T) answer { t.Helper(); return d.ask(t, "POST", path, body, more...) }
}

// entrances prepares every way to a token, each for a user of its own.
func entrances(t *testing.T, d doorway, clock *stillClock) []entrance {
	t.Helper()
	list := mailEntrances(t, d)
	list = append(list, codeEntrances(t, d)...)
	list = append(list, keyEntrances(t, d, clock)...)
	list = append(list, providerEntrances(t, d)...)
	list = append(list, elevations(t, d, clock)...)
	list = append(list, refreshes(t, d, clock)...)

	p := d.person(t)
	list = append(list, entrance{name: "password", keeps: true, step: d.posts("/signin/email-password", fields{"email": p.email, "password": p.password})})
	owner := d.person(t)
	_, secret := d.createPAT(t, owner.AccessToken, fields{"expiresAt": clock.Now().Add(48 * time.Hour).Format(time.RFC3339)})
	return append(list, entrance{name: "personal access token", keeps: true, step: d.posts("/signin/pat", fields{"personalAccessToken": secret})})
}

func mailEntrances(t *testing.T, d doorway) []entrance {
	t.Helper()
	verifier, challenge := testhouse.Verifier()
	link, pkce, verify, reset := d.signUp(t, nil), d.signUp(t, nil), d.signUp(t, nil), d.signUp(t, nil)
	d.ask(t, "POST", signInLink, fields{"email": link}).ok(t)
	d.ask(t, "POST", signInLink, fields{"email": pkce, "codeChallenge": challenge}).ok(t)
	d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": verify}).ok(t)
	d.ask(t, "POST", "/user/password/reset", fields{"email": reset}).ok(t)
	_, q := d.mailed(t, pkce, "signin-passwordless")(t).redirect(t, 302)
	mover, moved := d.person(t), newAddress()
	d.ask(t, "POST", "/user/email/change", fields{"newEmail": moved}, bearer(mover.AccessToken)).ok(t)
	return []entrance{
		{name: "link", keeps: true, step: d.mailed(t, link, "signin-passwordless"), first: map[string]string{"x-hasura-verified": "true"}},
		{name: "link with PKCE", keeps: true, step: d.posts("/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}), first: map[string]string{"x-hasura-verified": "true"}},
		{name: "link that verifies an address", keeps: true, step: d.mailed(t, verify, "email-verify"), first: map[string]string{"x-hasura-verified": "true"}},
		{name: "link of a reset", keeps: true, step: d.mailed(t, reset, "password-reset")},
		{name: "link of a change of address", keeps: true, step: d.mailed(t, moved, "email-confirm-change"), first: map[string]string{"x-hasura-mail": moved}},
	}
}

func codeEntrances(t *testing.T, d doorway) []entrance {
	t.Helper()
	email, number := d.signUp(t, nil), newNumber()
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	return []entrance{
		{name: "mailed code", keeps: true, step: d.posts(typeMail, fields{"email": email, "otp": d.mailedCode(t, email, 1)}), first: map[string]string{"x-hasura-verified": "true"}},
		{name: "texted code", keeps: true, step: d.posts(typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)})},
	}
}

func keyEntrances(t *testing.T, d doorway, clock *stillClock) []entrance {
	t.Helper()
	key := securityKey()
	d.addPasskey(t, d.person(t).AccessToken, key, "")
	resident := device()
	d.passkeyPerson(t, resident)

	second, recovering := d.person(t), d.person(t)
	app := d.turnOn(t, second, clock)
	other := d.turnOn(t, recovering, clock)
	codes := d.recoveryCodes(t, recovering.AccessToken, other.code(t))
	return []entrance{
		{name: "passkey", step: d.signs(resident, "/signin/webauthn")}, // each with a challenge of its own
		{name: "second factor", keeps: true, step: d.typed(app, "/signin/mfa/totp", fields{"ticket": d.halfway(t, second)})},
		{name: "recovery code", keeps: true, step: d.posts("/signin/mfa/totp", fields{"ticket": d.halfway(t, recovering), "otp": codes[0]})},
	}
}

// typed gives a request with a code of an app as a step: always the same code, that of the moment
// when it is first taken.
func (d doorway) typed(a *app, path string, body fields, more ...with) func(*testing.T) answer {
	return func(t *testing.T) answer {
		t.Helper()
		if body["otp"] == nil {
			body["otp"] = a.at(t, totp.Step(a.clock.Now()))
		}
		return d.ask(t, "POST", path, body, more...)
	}
}

// signs gives a whole ceremony of a passkey as a step.
func (d doorway) signs(key *softkey.Device, path string, more ...with) func(*testing.T) answer {
	return func(t *testing.T) answer {
		t.Helper()
		credential := d.ask(t, "POST", path, fields{}, more...).sign(t, key)
		return d.ask(t, "POST", path+"/verify", fields{"credential": credential}, more...)
	}
}

func providerEntrances(t *testing.T, d doorway) []entrance {
	t.Helper()
	e := providerDoor{d, vouching}
	verifier, challenge := testhouse.Verifier()
	atVouching.Lock()
	defer atVouching.Unlock()
	known, coded := someone(), someone()
	e.enters(t, "github", known)
	e.enters(t, "github", coded)
	q := e.arrives(t, "/signin/provider/github?codeChallenge="+challenge, coded)
	token := vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true})
	d.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": token}).session(t)
	return []entrance{
		{name: "provider", step: func(t *testing.T) answer { // a trip of its own each time: the provider's code is good once
			t.Helper()
			atVouching.Lock()
			defer atVouching.Unlock()
			return e.comeBack(t, e.setOut(t, "/signin/provider/github", known))
		}},
		{name: "provider with PKCE", keeps: true, step: d.posts("/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier})},
		{name: "ID token", keeps: true, step: d.posts("/signin/idtoken", fields{"provider": "google", "idToken": token})},
	}
}

func elevations(t *testing.T, d doorway, clock *stillClock) []entrance {
	t.Helper()
	byMail, byKey, byApp := d.person(t), d.person(t), d.person(t)
	number, texted := d.phonePerson(t)
	d.ask(t, "POST", "/elevate/otp/email", nil, bearer(byMail.AccessToken)).ok(t)
	d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(texted.AccessToken)).ok(t)
	key := securityKey()
	d.addPasskey(t, byKey.AccessToken, key, "")
	a := d.turnOn(t, byApp, clock)
	codes := d.Mail.Wait(t, byMail.email, 1)
	code := codes[len(codes)-1].Ticket
	return []entrance{
		{name: "elevation by mail", keeps: true, step: d.posts("/elevate/otp/email/verify", fields{"otp": code}, bearer(byMail.AccessToken)), first: map[string]string{"x-hasura-auth-elevated": byMail.User.ID}},
		{name: "elevation by text", keeps: true, step: d.posts("/elevate/otp/sms/verify", fields{"otp": d.textedCode(t, number, 2)}, bearer(texted.AccessToken)), first: map[string]string{"x-hasura-auth-elevated": texted.User.ID}},
		{name: "elevation by passkey", step: d.signs(key, "/elevate/webauthn", bearer(byKey.AccessToken)), first: map[string]string{"x-hasura-auth-elevated": byKey.User.ID}},
		{name: "elevation by app", keeps: true, step: d.typed(a, "/elevate/totp", fields{}, bearer(byApp.AccessToken)), first: map[string]string{"x-hasura-auth-elevated": byApp.User.ID}},
	}
}

func refreshes(t *testing.T, d doorway, clock *stillClock) []entrance {
	t.Helper()
	current, guest := d.person(t), d.guest(t)
	repeat, branch := d.person(t), d.person(t)
	for _, p := range []person{repeat, branch} {
		d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}, header("User-Agent", "Mozilla/5.0 (home)")).session(t)
	}
	clock.Advance(time.Minute) // past the window in which a token may come again from anywhere
	return []entrance{
		{name: "refresh", keeps: true, step: d.posts("/token", fields{"refreshToken": current.RefreshToken})},
		{name: "refresh of a guest", keeps: true, step: d.posts("/token", fields{"refreshToken": guest.RefreshToken}), first: map[string]string{"x-hasura-guest": "true"}},
		{name: "refresh with the token before", keeps: true, step: d.posts("/token", fields{"refreshToken": repeat.RefreshToken}, header("User-Agent", "Mozilla/5.0 (home)"))},
		{name: "refresh from elsewhere", keeps: true, step: d.posts("/token", fields{"refreshToken": branch.RefreshToken}, header("User-Agent", "curl/8.5"), peer("203.0.113.9:4711"))},
	}
}

// TestRequiredClaimsAtEveryEntrance takes every way to a token while a required claim has no value,
// while it cannot be computed, and when all is well again. Nobody comes in without the claim, and
// nothing that somebody holds is used up by a refusal.
func TestRequiredClaimsAtEveryEntrance(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openClaimed(t, clock)
	list := entrances(t, d, clock)
	clock.Advance(totp.Period) // so that the apps have codes that nobody used

	d.loseOrganisations(t)
	for _, e := range list {
		t.Run("missing/"+e.name, func(t *testing.T) {
			before := d.state(t)
			for range 7 { // more than there are tries of a code
				e.step(t).noToken(t, 403, "required-claim-missing")
			}
			if e.keeps {
				d.sameState(t, before, "a refusal")
			}
		})
	}
	d.breakOrganisations(t)
	for _, e := range list {
		t.Run("unavailable/"+e.name, func(t *testing.T) { e.step(t).noToken(t, 503, "claims-unavailable") })
	}
	d.mendOrganisations(t, clock, "second")
	for _, e := range list {
		t.Run("well/"+e.name, func(t *testing.T) {
			claims := claimsOf(t, d.accessTokenOf(t, e.step(t)))
			want := map[string]string{"x-hasura-organisation": "second"}
			for name, value := range e.first {
				want[name] = value
			}
			for name, value := range want {
				if claims[name] != value {
					t.Errorf("%s is %v, want %s", name, claims[name], value)
				}
			}
		})
	}
}

// accessTokenOf gives the access token of an answer; where a link leads to a refresh token, of that.
func (d doorway) accessTokenOf(t *testing.T, a answer) string {
	t.Helper()
	if a.header.Get("Location") == "" {
		return a.session(t).AccessToken
	}
	_, q := a.redirect(t, a.status)
	if q.Get("refreshToken") == "" {
		t.Fatalf("%s to %v", a, q)
	}
	return d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t).AccessToken
}

// TestRequiredClaimsAtSignUp signs up while a required claim has no value and while it cannot be
// computed. Who was made gets in later by what they chose; guests, who never could, are not kept.
func TestRequiredClaimsAtSignUp(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openClaimed(t, clock)
	e := providerDoor{d, vouching}
	someones := map[string]func(t *testing.T) (again, later func(t *testing.T) answer){
		"password": func(*testing.T) (again, later func(*testing.T) answer) {
			body := fields{"email": newAddress(), "password": rightPassword}
			return d.posts("/signup/email-password", body), d.posts("/signin/email-password", body)
		},
		"passkey": func(t *testing.T) (again, later func(*testing.T) answer) {
			t.Helper()
			key, email := device(), newAddress()
			return func(t *testing.T) answer {
					t.Helper()
					credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
					return d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential})
				}, func(t *testing.T) answer {
					t.Helper()
					credential := d.ask(t, "POST", "/signin/webauthn", fields{}).sign(t, key)
					return d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential})
				}
		},
		"provider": func(*testing.T) (again, later func(*testing.T) answer) {
			p := someone()
			trip := func(t *testing.T) answer {
				t.Helper()
				atVouching.Lock()
				defer atVouching.Unlock()
				return e.comeBack(t, e.setOut(t, "/signin/provider/github", p))
			}
			return trip, trip
		},
		"ID token": func(*testing.T) (again, later func(*testing.T) answer) {
			step := d.posts("/signin/idtoken", fields{"provider": "google", "idToken": vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true})})
			return step, step
		},
		"guest": func(*testing.T) (again, later func(*testing.T) answer) {
			step := d.posts("/signin/anonymous", fields{})
			return step, step
		},
	}
	var later []func(*testing.T)
	for name, make := range someones {
		again, _ := make(t)
		claims := claimsOf(t, d.accessTokenOf(t, again(t)))
		if claims["x-hasura-organisation"] != "first" || claims["x-hasura-guest"] != map[bool]string{true: "true", false: "false"}[name == "guest"] {
			t.Errorf("%s: the first token says %v", name, claims)
		}
	}
	for _, plight := range []struct {
		begin  func(testing.TB)
		status int
		id     string
	}{{d.loseOrganisations, 403, "required-claim-missing"}, {d.breakOrganisations, 503, "claims-unavailable"}} {
		plight.begin(t)
		for name, make := range someones {
			t.Run(plight.id+"/"+name, func(t *testing.T) {
				signUp, signIn := make(t)
				signUp(t).noToken(t, plight.status, plight.id)
				later = append(later, func(t *testing.T) {
					t.Helper()
					a := signIn(t)
					if a.status == 401 || a.status == 400 { // nobody was made
						a = signUp(t)
					}
					if claims := claimsOf(t, d.accessTokenOf(t, a)); claims["x-hasura-organisation"] != "second" {
						t.Errorf("%s: the token says %v", name, claims)
					}
				})
			})
		}
	}
	if n := value[int](t, d, `select count(*) from auth.users where is_anonymous`); n > 1 {
		t.Errorf("%d guests are left that nobody can be", n-1)
	}
	d.mendOrganisations(t, clock, "second")
	for _, step := range later {
		step(t)
	}
	if log := d.Log.String(); !strings.Contains(log, "a custom claim could not be computed") {
		t.Error("the log does not say that claims failed")
	}
}
