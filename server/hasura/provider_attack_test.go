package hasura_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
	"postern/tokens"
)

// TestT01OnlyATrueLinksAnAccount goes through every provider with every flag that it may say about an
// address that somebody has here. It is weakness 10 as well, and T-02.
func TestT01OnlyATrueLinksAnAccount(t *testing.T) {
	t.Parallel()
	names := fakeprovider.New(t).Names()
	e := openProviders(t, names, unverified())
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			linked := 0
			for _, flag := range []any{true, false, fakeprovider.Missing, nil, "true", "false", "yes", 1, 0, 1.5, []any{true}, map[string]any{"verified": true}} {
				victim := e.person(t)
				p := someone()
				p.Email, p.Verified = victim.email, flag
				b := e.setOut(t, "/signin/provider/"+name, p)
				_, q := e.comeBack(t, b).redirect(t, b.status())
				n := e.identitiesOf(t, victim.User.ID)
				switch apples := name == "apple" && flag == "true"; { // as Apple documents
				case n == 1 && (flag == true || apples) && q.Get("refreshToken") != "":
					linked++
				case n != 0:
					t.Errorf("%v links: %v", flag, q)
				case q.Get("refreshToken") != "" && e.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t).User.ID == victim.User.ID:
					t.Errorf("%v signs in: %v", flag, q)
				case flag == true && q.Get("error") != "email-already-in-use" && q.Get("refreshToken") == "":
					t.Errorf("%v ends with %v", flag, q)
				}
			}
			t.Logf("%s: %d linked", name, linked)
		})
	}
}

// TestT04PreHijackedAccountsAtProviders is the attacker who registers the victim's address first, in
// the ways that are known, and the victim who then comes from a provider that vouches for the address
// (T-03, H-25). Nothing of the attacker's may be left.
func TestT04PreHijackedAccountsAtProviders(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github", "google", "discord", "strava"}, unverified("AUTH_EMAIL_USER_HOURLY_LIMIT", "1000"))
	for _, arrives := range []string{"corp", "github", "google", "discord", "id token"} {
		t.Run(arrives, func(t *testing.T) {
			victim := newAddress()
			e.ask(t, "POST", "/signup/email-password", fields{"email": victim, "password": rightPassword, "options": fields{"displayName": "Attacker"}}).session(t)
			attacker := e.signIn(t, victim, rightPassword)
			id := attacker.User.ID

			// An identity of the attacker's own, and one at a provider that verifies nothing.
			mine, other := someone(), someone()
			e.links(t, "corp", attacker, mine)
			e.links(t, "strava", attacker, other)
			// A change of address that is not finished, an open reset, a link, a code.
			elsewhere := newAddress()
			verifier, challenge := testhouse.Verifier()
			e.ask(t, "POST", "/user/email/change", fields{"newEmail": elsewhere}, bearer(attacker.AccessToken)).ok(t)
			change := pathOf(t, e.mail(t, elsewhere, "email-confirm-change", 1))
			coded := e.arrives(t, "/signin/provider/corp?codeChallenge="+challenge, mine).Get("code")
			pending := e.link(t, "github", attacker, nil).is(t, 200, "")
			mineAtGitHub := someone()
			address, _ := pending.object(t)["url"].(string)
			late := e.visit(t, address, mineAtGitHub, cookiesOf(t, pending)...)
			// A key, a number, a second factor, a personal access token.
			pat := e.ask(t, "POST", "/pat", fields{"expiresAt": e.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, bearer(attacker.AccessToken)).object(t)["personalAccessToken"]
			number := fmt.Sprintf("+4179%07d", people.Add(1))
			e.sql(t, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, gen_random_uuid(), 'k')`, id)
			e.sql(t, `insert into auth.factors (id, user_id, kind, status, created_at) values (gen_random_uuid(), $1, 'totp', 'active', now())`, id)
			e.sql(t, `insert into auth.recovery_codes (id, user_id, code_hash, created_at) values (gen_random_uuid(), $1, 'x', now())`, id)
			e.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true, active_mfa_type = 'totp', totp_secret = 'JBSWY3DPEHPK3PXP', otp_hash = 'x', ticket = 'passwordReset:x' where id = $1`, id, number)

			p := someone()
			p.Email = strings.ToUpper(victim[:1]) + victim[1:]
			var owner fullSession
			if arrives == "id token" {
				token := e.fake.IDToken("google", map[string]any{"sub": p.ID, "email": p.Email})
				owner = e.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": token}).session(t)
			} else {
				owner = e.enters(t, arrives, p)
			}
			if owner.User.ID != id || owner.user["emailVerified"] != true {
				t.Fatalf("the owner is %v", owner.user)
			}

			left := value[string](t, e.doorway, `select concat_ws(' ',
				(select 'password' from auth.users where id = $1 and password_hash is not null),
				(select 'number' from auth.users where id = $1 and (phone_number is not null or phone_number_verified)),
				(select 'factor' from auth.users where id = $1 and (active_mfa_type is not null or totp_secret is not null)),
				(select 'ticket' from auth.users where id = $1 and (ticket is not null or otp_hash is not null)),
				(select 'new address' from auth.users where id = $1 and new_email is not null),
				(select 'factors' from auth.factors where user_id = $1 limit 1), (select 'recovery codes' from auth.recovery_codes where user_id = $1 limit 1),
				(select 'keys' from auth.user_security_keys where user_id = $1 limit 1), (select 'tickets' from auth.tickets where user_id = $1 limit 1),
				(select 'identities' from auth.user_providers where user_id = $1 and provider_user_id <> $2 limit 1),
				(select 'sessions' from auth.refresh_tokens where user_id = $1 and id <> $3 limit 1))`, id, p.ID, owner.RefreshTokenID)
			if left != "" {
				t.Errorf("left of the attacker's: %s", left)
			}
			e.ask(t, "POST", "/token", fields{"refreshToken": attacker.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
			e.ask(t, "GET", "/user", nil, bearer(attacker.AccessToken)).refused(t, 401, "unauthorized", "")
			e.ask(t, "POST", "/signin/email-password", fields{"email": victim, "password": rightPassword}).refused(t, 401, "invalid-email-password", "")
			e.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": pat}).refused(t, 401, "invalid-pat", "")
			e.ask(t, "GET", change, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
			e.ask(t, "POST", "/token/exchange", fields{"code": coded, "codeVerifier": verifier}).refused(t, 400, "invalid-request", "")
			e.comeBack(t, late).redirectsWith(t, 302, clientURL, "invalid-state")
			for provider, who := range map[string]fakeprovider.Person{"corp": mine, "strava": other} {
				if s := e.enters(t, provider, who); s.User.ID == id {
					t.Errorf("the attacker's identity at %s still gets in", provider)
				}
			}
			for _, event := range []string{"user.disowned", "identity.linked"} {
				if n := value[int](t, e.doorway, `select count(*)::int from auth.audit_entries where user_id = $1 and event = $2 and at >= (select created_at from auth.user_providers where user_id = $1)`, id, event); n != 1 {
					t.Errorf("%d audit rows of %s", n, event)
				}
			}
			e.mail(t, victim, "identity-linked", 1)
		})
	}

	t.Run("a confirmed account keeps all it has", func(t *testing.T) {
		owner := e.person(t)
		p := someone()
		p.Email = owner.email
		if s := e.enters(t, "corp", p); s.User.ID != owner.User.ID {
			t.Fatal("another user")
		}
		e.signIn(t, owner.email, owner.password)
		e.ask(t, "POST", "/token", fields{"refreshToken": owner.RefreshToken}).session(t)
		e.mail(t, owner.email, "identity-linked", 1)
	})

	t.Run("an identity whose address nobody confirmed does not survive the owner's reset", func(t *testing.T) {
		victim := newAddress()
		p := someone()
		p.Email, p.Verified = victim, false
		attacker := e.enters(t, "discord", p)
		e.ask(t, "POST", "/user/password/reset", fields{"email": victim}).ok(t)
		e.ask(t, "POST", "/user/password", fields{"newPassword": "of the true owner", "ticket": e.mail(t, victim, "password-reset", 1).Ticket}).ok(t)
		owner := e.signIn(t, victim, "of the true owner")
		if n := e.identitiesOf(t, owner.User.ID); n != 0 {
			t.Errorf("%d identities are left", n)
		}
		e.refusedWith(t, "/signin/provider/discord", p, "email-already-in-use")
		e.ask(t, "GET", "/user", nil, bearer(attacker.AccessToken)).refused(t, 401, "unauthorized", "")
	})
}

// TestT05TokensOfOtherIssuersAreNobodys has the keys of one issuer sign for another, and for others.
func TestT05TokensOfOtherIssuersAreNobodys(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"google", "apple", "corp", "entraid"}, unverified())
	owner := e.person(t)
	before := e.state(t)
	for name, token := range map[string]string{
		"other keys":               resigned(t, e.fake.IDToken("google", nil)),
		"another issuer":           e.fake.IDToken("google", map[string]any{"iss": "https://evil.example"}),
		"an issuer below":          e.fake.IDToken("google", map[string]any{"iss": "https://accounts.google.com/evil"}),
		"a tenant's issuer":        e.fake.IDToken("google", map[string]any{"iss": "https://login.microsoftonline.com/common/v2.0"}),
		"no issuer":                e.fake.IDToken("google", map[string]any{"iss": nil}),
		"another audience":         e.fake.IDToken("google", map[string]any{"aud": "client-of-evil"}),
		"no audience":              e.fake.IDToken("google", map[string]any{"aud": nil}),
		"an empty list":            e.fake.IDToken("google", map[string]any{"aud": []string{}}),
		"a wildcard":               e.fake.IDToken("google", map[string]any{"aud": "*"}),
		"expired":                  e.fake.IDToken("google", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"no expiry":                e.fake.IDToken("google", map[string]any{"exp": nil}),
		"of the future":            e.fake.IDToken("google", map[string]any{"iat": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Add(time.Hour).Unix()}),
		"another provider's token": e.fake.IDToken("corp", nil),
		"no signature":             strings.Join(strings.Split(e.fake.IDToken("google", nil), ".")[:2], ".") + ".",
		"alg none":                 e.fake.Sign(map[string]any{"alg": "none"}, map[string]any{"iss": "https://accounts.google.com", "aud": fakeprovider.ClientID("google"), "sub": "1", "exp": time.Now().Add(time.Hour).Unix()}),
		"our own access token":     owner.AccessToken,
	} {
		body := fields{"provider": "google", "idToken": token}
		for _, path := range []string{"/signin/idtoken", "/signup/idtoken", "/link/idtoken"} {
			if a := e.ask(t, "POST", path, body, bearer(owner.AccessToken)); a.status != 400 || a.refusal(t).Error != "invalid-request" {
				t.Errorf("%s: %s", name, a)
			}
		}
	}
	e.sameState(t, before, "tokens of others")
}

// resigned is a token with the signature of another key under the same name.
func resigned(t testing.TB, token string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signed := token[:strings.LastIndex(token, ".")]
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestT07RedirectsOfProvidersWithPKCEHoldNoToken follows every redirect of a trip and looks for what
// must not stand in an address. It is weakness 21 and 23: no access token is in one that we make.
func TestT07RedirectsOfProvidersWithPKCEHoldNoToken(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github"}, nil)
	owner := e.person(t)
	_, challenge := testhouse.Verifier()
	for _, start := range []string{"/signin/provider/corp?codeChallenge=" + challenge, "/signup/provider/github?codeChallenge=" + challenge, "/signin/provider/corp?connect=" + owner.AccessToken} {
		a := e.ask(t, "GET", start, nil, browser(), header("Sec-Fetch-Site", "same-site"))
		b := e.goThere(t, a, someone())
		end := e.comeBack(t, b)
		for _, address := range []string{a.header.Get("Location"), b.path, end.header.Get("Location")} {
			for _, secret := range []string{owner.AccessToken, owner.RefreshToken, "refreshToken", "accessToken", "eyJ"} {
				if strings.Contains(address, secret) {
					t.Errorf("%s holds %s", address, short(secret))
				}
			}
		}
		for _, x := range []answer{a, end} {
			if x.header.Get("Referrer-Policy") != "no-referrer" || x.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", x, x.header)
			}
		}
	}
	for place, text := range map[string]string{"our log": e.Log.String(), "the provider's log": e.fake.Log()} {
		for _, secret := range []string{owner.AccessToken, owner.RefreshToken} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds a token", place)
			}
		}
	}
	if n := value[int](t, e.doorway, `select count(*)::int from auth.tickets where payload::text like '%' || $1 || '%' or payload::text like '%eyJ%'`, challenge); n != 0 {
		t.Errorf("%d states can be read", n)
	}
}

// TestT09StatesAndCodesOfProvidersWorkOnce lets a crowd come back with one state, and with one code, at
// two replicas. It is T-20 as well.
func TestT09StatesAndCodesOfProvidersWorkOnce(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "apple"}, map[string]string{"AUTH_SERVER_URL": "https://auth.example.com/v1"})
	doors := []doorway{e.doorway, {e.Beside(t, through(e.fake))}}
	crowd := func(t *testing.T, ask func(d doorway) answer, won func(answer) bool, lost func(answer) bool) {
		t.Helper()
		answers, err := parallel(crowdSize, func(i int) (answer, error) { return ask(doors[i%2]), nil })
		if err != nil {
			t.Fatal(err)
		}
		winners := 0
		for _, a := range answers {
			switch {
			case won(a):
				winners++
			case !lost(a):
				t.Errorf("%s to %s", a, a.header.Get("Location"))
			}
		}
		if winners != 1 {
			t.Errorf("%d of %d had it", winners, crowdSize)
		}
	}
	hasError := func(id string) func(answer) bool {
		return func(a answer) bool { return strings.Contains(a.header.Get("Location"), "error="+id) }
	}
	for _, name := range []string{"corp", "apple"} {
		t.Run("the state of a trip to "+name, func(t *testing.T) {
			p := someone()
			b := e.setOut(t, "/signin/provider/"+name, p)
			crowd(t, func(d doorway) answer { return d.comeBack(t, b) },
				func(a answer) bool { return strings.Contains(a.header.Get("Location"), "refreshToken=") }, hasError("invalid-state"))
			if n := value[int](t, e.doorway, `select count(*)::int from auth.refresh_tokens t join auth.users u on u.id = t.user_id where u.email = $1`, p.Email); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
	t.Run("the state of a link", func(t *testing.T) {
		owner := e.person(t)
		a := e.link(t, "corp", owner.fullSession, nil)
		address, _ := a.object(t)["url"].(string)
		b := e.visit(t, address, someone(), cookiesOf(t, a)...)
		crowd(t, func(d doorway) answer { return d.comeBack(t, b) },
			func(a answer) bool { return a.header.Get("Location") == clientURL }, hasError("invalid-state"))
		if n := e.identitiesOf(t, owner.User.ID); n != 1 {
			t.Errorf("%d identities", n)
		}
	})
	t.Run("the code of a trip", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		body := fields{"code": e.arrives(t, "/signin/provider/corp?codeChallenge="+challenge, someone()).Get("code"), "codeVerifier": verifier}
		crowd(t, func(d doorway) answer { return d.ask(t, "POST", "/token/exchange", body) },
			func(a answer) bool { return a.status == 200 }, func(a answer) bool { return a.status == 400 })
	})
	t.Run("the tokens of a provider", func(t *testing.T) {
		s := e.enters(t, "corp", someone())
		crowd(t, func(d doorway) answer {
			return d.ask(t, "GET", "/signin/provider/corp/callback/tokens", nil, bearer(s.AccessToken))
		}, func(a answer) bool { return a.status == 200 }, func(a answer) bool { return a.status == 404 })
	})
	t.Run("one person comes back many times at once for the first time", func(t *testing.T) {
		p := someone()
		trips := make([]trip, 16)
		for i := range trips {
			trips[i] = e.setOut(t, "/signin/provider/corp", p)
		}
		answers, _ := parallel(len(trips), func(i int) (answer, error) { return doors[i%2].comeBack(t, trips[i]), nil })
		for _, a := range answers {
			if !strings.Contains(a.header.Get("Location"), "refreshToken=") {
				t.Errorf("%s to %s", a, a.header.Get("Location"))
			}
		}
		if n := value[int](t, e.doorway, `select count(*)::int from auth.users where email = $1`, p.Email); n != 1 {
			t.Errorf("%d users", n)
		}
	})
	t.Run("two identities with one address at once", func(t *testing.T) {
		p, q := someone(), someone()
		q.Email = p.Email
		trips := []trip{e.setOut(t, "/signin/provider/corp", p), e.setOut(t, "/signin/provider/apple", q)}
		answers, _ := parallel(len(trips), func(i int) (answer, error) { return doors[i].comeBack(t, trips[i]), nil })
		for _, a := range answers {
			if !strings.Contains(a.header.Get("Location"), "refreshToken=") {
				t.Errorf("%s to %s", a, a.header.Get("Location"))
			}
		}
		if n := value[int](t, e.doorway, `select count(*)::int from auth.users where email = $1`, p.Email); n != 1 || e.identitiesOf(t, e.userWith(t, p.Email)) != 2 {
			t.Errorf("%d users, %d identities", n, e.identitiesOf(t, e.userWith(t, p.Email)))
		}
	})
}

// TestT31CallbacksAreNotMixedUp has many different people come back at once: each gets a session of
// their own.
func TestT31CallbacksAreNotMixedUp(t *testing.T) {
	t.Parallel()
	crowd := 100
	if rounds(t, 1) > 1 {
		crowd = 1000
	}
	e := openProviders(t, []string{"corp", "apple", "github"}, unverified())
	persons, trips := make([]fakeprovider.Person, crowd), make([]trip, crowd)
	for i := range trips {
		persons[i] = someone()
		trips[i] = e.setOut(t, "/signin/provider/"+[]string{"corp", "apple", "github"}[i%3], persons[i])
	}
	_, err := parallel(crowd, func(i int) (struct{}, error) {
		a := e.comeBack(t, trips[i])
		u, err := url.Parse(a.header.Get("Location"))
		if err != nil {
			return struct{}{}, err
		}
		s := e.ask(t, "POST", "/token", fields{"refreshToken": u.Query().Get("refreshToken")}).session(t)
		_, payload := tokenParts(t, s.AccessToken)
		if s.User.Email != persons[i].Email || payload["sub"] != s.User.ID || payload["session_id"] != s.RefreshTokenID {
			return struct{}{}, fmt.Errorf("%s got the session of %s", persons[i].Email, s.User.Email)
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestT36ProofOfOneIdentityIsNoneOfAnother has two accounts at a provider and one proof: neither the code,
// nor the state, nor a confirmed address carries over.
func TestT36ProofOfOneIdentityIsNoneOfAnother(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "discord", "google"}, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"})
	owner := e.person(t)

	// The provider confirmed the address for one account there; another account with it proves nothing.
	proved := someone()
	proved.Email = owner.email
	e.enters(t, "discord", proved)
	unproved := someone()
	unproved.Email, unproved.Verified = owner.email, false
	e.refusedWith(t, "/signin/provider/discord", unproved, "email-already-in-use")
	if n := e.identitiesOf(t, owner.User.ID); n != 1 {
		t.Errorf("%d identities", n)
	}

	// The code of one trip in another: the provider's PKCE and nonce are the trip's.
	mine, theirs := e.setOut(t, "/signin/provider/corp", someone()), e.setOut(t, "/signin/provider/corp", someone())
	code := func(b trip) string {
		u, err := url.Parse(b.path)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("code")
	}
	swapped := mine
	swapped.path = strings.Replace(mine.path, url.QueryEscape(code(mine)), url.QueryEscape(code(theirs)), 1)
	if swapped.path == mine.path {
		t.Fatal("the codes are not in the addresses")
	}
	_, q := e.comeBack(t, swapped).redirect(t, 302)
	if q.Get("error") != "oauth-token-echange-failed" && q.Get("error") != "oauth-profile-fetch-failed" {
		t.Errorf("another's code ends with %v", q)
	}

	// Who confirmed an address by mail has confirmed it for the account that has it, and no longer.
	p := someone()
	p.Verified = false
	e.arrives(t, "/signin/provider/discord", p)
	link := pathOf(t, e.mail(t, p.Email, "email-verify", 1))
	e.sql(t, `update auth.users set email = $2 where email = $1`, p.Email, newAddress())
	e.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
}

// TestT37WhatTheClientSaysOnTheWayBackDecidesNothing sends everything that decides along again.
func TestT37WhatTheClientSaysOnTheWayBackDecidesNothing(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://other.example"})
	attacker := e.person(t)
	_, challenge := testhouse.Verifier()
	more := "&" + url.Values{
		"redirectTo": {"https://other.example"}, "connect": {attacker.AccessToken}, "codeChallenge": {challenge}, "allowedRoles": {"admin"}, "defaultRole": {"admin"},
		"options": {`{"redirectTo":"https://other.example"}`}, "provider": {"github"}, "userId": {attacker.User.ID}, "email": {attacker.email}, "email_verified": {"true"}, "sub": {"1"},
		"flow": {"connect"}, "nonce": {"x"}, "signUp": {"true"}, "user": {`{"email":"` + attacker.email + `"}`},
	}.Encode()
	p := someone()
	b := e.setOut(t, "/signin/provider/corp?redirectTo="+clientURL+"/mine", p)
	b.path += more
	to, q := e.comeBack(t, b, bearer(attacker.AccessToken)).redirect(t, 302)
	if to != clientURL+"/mine" || q.Get("refreshToken") == "" || len(q) != 1 {
		t.Fatalf("the trip ends at %s with %v", to, q)
	}
	s := e.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
	if s.User.Email != p.Email || s.user["defaultRole"] != "user" || e.identitiesOf(t, attacker.User.ID) != 0 {
		t.Errorf("the user is %v", s.user)
	}
}

func TestWeakness22StatesAndTokensAreNotMistaken(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, nil)
	p := e.person(t)
	b := e.setOut(t, "/signin/provider/corp", someone())
	linking := e.link(t, "corp", p.fullSession, nil)
	for _, token := range []string{p.AccessToken, p.RefreshToken, tokens.NewUUID()} {
		e.ask(t, "GET", "/signin/provider/corp/callback?code=x&state="+token, nil).redirectsWith(t, 302, clientURL, "invalid-state")
	}
	e.ask(t, "POST", "/token/verify", fields{"token": b.state}).refused(t, 400, "invalid-request", "")
	e.ask(t, "POST", "/token", fields{"refreshToken": b.state}).refused(t, 401, "invalid-refresh-token", "")
	e.ask(t, "POST", "/token/exchange", fields{"code": b.state, "codeVerifier": strings.Repeat("v", 43)}).refused(t, 400, "invalid-request", "")
	e.ask(t, "GET", "/user", nil, bearer(b.state)).refused(t, 401, "unauthorized", "")
	// A state of a link is none of a sign-in, and the other way round.
	address, _ := linking.object(t)["url"].(string)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	state := u.Query().Get("state")
	for _, other := range []string{strings.TrimPrefix(state, "link-"), "link-" + b.state} {
		e.ask(t, "GET", "/signin/provider/corp/callback?code=x&state="+other, nil, append(b.cookies, cookiesOf(t, linking)...)...).redirectsWith(t, 302, clientURL, "invalid-state")
	}
	if q := e.arrivesWith(t, b); q.Get("refreshToken") == "" {
		t.Errorf("the trip ends with %v", q)
	}
}

func TestWeakness24PeopleMayTakeTenMinutesAtAProvider(t *testing.T) {
	t.Parallel()
	c := newStillClock()
	e := openProviders(t, []string{"github"}, nil, stopped(c))
	for stay, ok := range map[time.Duration]bool{10*time.Minute - time.Second: true, 10 * time.Minute: false} {
		b := e.setOut(t, "/signin/provider/github", someone())
		c.Advance(stay)
		_, q := e.comeBack(t, b).redirect(t, 302)
		if got := q.Get("refreshToken") != ""; got != ok || !ok && q.Get("error") != "invalid-state" {
			t.Errorf("after %s the trip ends with %v", stay, q)
		}
	}
}

func TestWeakness36ErrorsOfProvidersDoNotStick(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "twitter"}, nil)
	for range 3 {
		e.ask(t, "GET", "/signin/provider/corp/callback?code=x&state=wrong", nil).redirectsWith(t, 302, clientURL, "invalid-state")
	}
	for _, name := range []string{"corp", "twitter"} {
		first, second := e.ask(t, "GET", "/signin/provider/"+name, nil, browser()), e.ask(t, "GET", "/signin/provider/"+name, nil, browser())
		for _, a := range []answer{first, second} {
			if _, q := a.redirect(t, 302); len(q["state"])+len(q["oauth_token"]) != 1 || q.Has("error") {
				t.Errorf("%s: %v", name, q)
			}
		}
	}
	if q := e.arrives(t, "/signin/provider/corp", someone()); q.Has("error") {
		t.Errorf("the trip ends with %v", q)
	}
}

func TestWeakness45GatedUsersOfProvidersAreTold(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS": "blocked@example.com"})
	for name, c := range map[string]struct{ set, id string }{
		"disabled": {`disabled = true`, "disabled-user"}, "disabled and unconfirmed": {`disabled = true, email_verified = false`, "disabled-user"},
		"a guest": {`is_anonymous = true`, "forbidden-anonymous"}, "blocked": {`email = 'blocked@example.com'`, "invalid-email-password"},
	} {
		t.Run(name, func(t *testing.T) {
			owner := e.person(t)
			e.sql(t, `update auth.users set `+c.set+` where id = $1`, owner.User.ID)
			p := someone()
			p.Email = value[string](t, e.doorway, `select email::text from auth.users where id = $1`, owner.User.ID)
			e.refusedWith(t, "/signin/provider/corp", p, c.id)
			p.Verified = false
			e.refusedWith(t, "/signin/provider/corp", p, "email-already-in-use") // to who does not prove the address
			if n := e.identitiesOf(t, owner.User.ID); n != 0 {
				t.Errorf("%d identities", n)
			}
		})
	}
	t.Run("in the newer words", func(t *testing.T) {
		newer := openProviders(t, []string{"corp"}, map[string]string{"AUTH_EMAIL_CONFLICT_ERROR": "user-already-exists"})
		p := someone()
		p.Email, p.Verified = newer.person(t).email, false
		newer.refusedWith(t, "/signin/provider/corp", p, "user-already-exists")
	})
}

// TestWeakness46AppleTellsTheNameOnce has the name in the form of the first sign-in.
func TestWeakness46AppleTellsTheNameOnce(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"apple"}, nil)
	p := someone()
	p.Name = "Grace Hopper"
	first := e.enters(t, "apple", p)
	p.Keep = true
	again := e.enters(t, "apple", p)
	if first.user["displayName"] != "Grace Hopper" || again.user["displayName"] != "Grace Hopper" || again.User.ID != first.User.ID {
		t.Errorf("%v, then %v", first.user, again.user)
	}
}

// TestTheTripOverRealHTTP is a browser with a jar of cookies: nothing is handed on by the test but what
// a browser hands on.
func TestTheTripOverRealHTTP(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	settings := fake.GitHubEnv()
	maps.Copy(settings, fake.Env("corp"))
	settings["AUTH_CLIENT_URL"] = "http://localhost:1/app" // nobody answers there: the trip ends
	e := providerDoor{openDoor(t, settings, through(fake)), fake}
	for _, name := range []string{"github", "corp"} {
		p := someone()
		fake.Be(p)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		var end *url.URL
		browse := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == "/app" {
				end = r.URL
				return http.ErrUseLastResponse
			}
			return nil
		}}
		open := func(r *http.Request, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", "text/html")
			resp, err := browse.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		}
		page := open(http.NewRequestWithContext(t.Context(), http.MethodGet, e.Kit.Policy.ServerURL+"/signin/provider/"+name+"?state=mine", nil))
		_, rest, _ := strings.Cut(page, `name="ticket" value="`)
		ticket, _, _ := strings.Cut(rest, `"`)
		form := url.Values{"ticket": {ticket}, "decision": {"allow"}}
		post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fake.URL+"/consent", strings.NewReader(form.Encode()))
		if err == nil {
			post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		page = open(post, err)
		if end == nil {
			t.Fatalf("%s: the trip ends with %s", name, page)
		}
		if end.Query().Get("state") != "mine" || end.Query().Get("refreshToken") == "" {
			t.Errorf("%s: the trip ends at %s", name, end)
		}
		s := e.ask(t, "POST", "/token", fields{"refreshToken": end.Query().Get("refreshToken")}).session(t)
		if s.User.Email != p.Email {
			t.Errorf("%s: signed in as %s", name, s.User.Email)
		}
	}
}
