package hasura_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/internal/fakeprovider"
	"postern/tokens"
)

// link starts a link from a session.
func (e providerDoor) link(t testing.TB, provider string, s fullSession, body fields, more ...with) answer {
	t.Helper()
	more = append(more, bearer(s.AccessToken))
	if body == nil {
		return e.ask(t, "POST", "/link/provider/"+provider, nil, more...)
	}
	return e.ask(t, "POST", "/link/provider/"+provider, body, more...)
}

// links links an identity and gives where the browser ends.
func (e providerDoor) links(t testing.TB, provider string, s fullSession, p fakeprovider.Person) url.Values {
	t.Helper()
	a := e.link(t, provider, s, nil).is(t, 200, "")
	address, _ := a.object(t)["url"].(string)
	return e.arrivesWith(t, e.visit(t, address, p, cookiesOf(t, a)...))
}

type wireIdentity struct {
	ID, Provider, ProviderUserID, Email, DisplayName, CreatedAt, LastUsedAt string
	EmailVerified                                                           bool
}

func (e providerDoor) identities(t testing.TB, s fullSession) []wireIdentity {
	t.Helper()
	var list struct{ Providers []wireIdentity }
	e.ask(t, "GET", "/user/providers", nil, bearer(s.AccessToken)).is(t, 200, "").into(t, &list)
	return list.Providers
}

func TestLinkingAndUnlinking(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github", "apple"}, nil)

	t.Run("link, list, sign in, unlink", func(t *testing.T) {
		owner := e.person(t)
		other := e.signIn(t, owner.email, owner.password)
		p := someone()
		a := e.link(t, "corp", owner.fullSession, fields{"redirectTo": clientURL + "/account", "state": "mine"}).is(t, 200, "")
		address, _ := a.object(t)["url"].(string)
		b := e.visit(t, address, p, cookiesOf(t, a)...)
		to, q := e.comeBack(t, b).redirect(t, 302)
		if to != clientURL+"/account" || len(q) != 1 || q.Get("state") != "mine" {
			t.Fatalf("the trip ends at %s with %v", to, q)
		}
		e.mail(t, owner.email, "identity-linked", 1)
		list := e.identities(t, owner.fullSession)
		if len(list) != 1 || list[0].Provider != "corp" || list[0].ProviderUserID != p.ID || list[0].Email != p.Email || !list[0].EmailVerified || list[0].DisplayName != "Ada Lovelace" || list[0].LastUsedAt == "" {
			t.Fatalf("the list is %+v", list)
		}
		if s := e.enters(t, "corp", p); s.User.ID != owner.User.ID {
			t.Error("the identity is somebody else's")
		}
		if got := value[string](t, e.doorway, `select email::text from auth.users where id = $1`, owner.User.ID); got != owner.email {
			t.Errorf("linking changed the address to %s", got)
		}

		e.ask(t, "DELETE", "/user/providers/"+list[0].ID, nil, bearer(owner.AccessToken)).ok(t)
		e.mail(t, owner.email, "identity-unlinked", 1)
		if n := len(e.identities(t, owner.fullSession)); n != 0 {
			t.Errorf("%d identities are left", n)
		}
		e.ask(t, "POST", "/token", fields{"refreshToken": other.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		e.ask(t, "DELETE", "/user/providers/"+list[0].ID, nil, bearer(owner.AccessToken)).refused(t, 404, "not-found", "")
		for _, event := range []string{"identity.linked", "identity.unlinked"} {
			if n := value[int](t, e.doorway, `select count(*)::int from auth.audit_entries where event = $1 and user_id = $2`, event, owner.User.ID); n != 1 {
				t.Errorf("%d audit rows of %s", n, event)
			}
		}
	})

	t.Run("several of one provider", func(t *testing.T) {
		owner := e.person(t)
		e.links(t, "corp", owner.fullSession, someone())
		e.links(t, "corp", owner.fullSession, someone())
		if n := len(e.identities(t, owner.fullSession)); n != 2 {
			t.Errorf("%d identities", n)
		}
	})

	t.Run("somebody has it already", func(t *testing.T) {
		p := someone()
		theirs := e.enters(t, "corp", p)
		owner := e.person(t)
		for _, s := range []fullSession{owner.fullSession, theirs} {
			if q := e.links(t, "corp", s, p); q.Get("error") != "provider-account-already-linked" {
				t.Errorf("the trip ends with %v", q)
			}
		}
		if e.identitiesOf(t, owner.User.ID) != 0 || e.identitiesOf(t, theirs.User.ID) != 1 {
			t.Error("the identity changed hands")
		}
	})

	t.Run("nobody else's", func(t *testing.T) {
		p := someone()
		e.enters(t, "corp", p)
		id := value[string](t, e.doorway, `select id::text from auth.user_providers where provider_user_id = $1`, p.ID)
		stranger := e.person(t)
		before := e.state(t)
		e.ask(t, "DELETE", "/user/providers/"+id, nil, bearer(stranger.AccessToken)).refused(t, 404, "not-found", "")
		for _, bad := range []string{"x", strings.ToUpper(id), "00000000-0000-0000-0000-000000000000"} {
			e.ask(t, "DELETE", "/user/providers/"+bad, nil, bearer(stranger.AccessToken)).refused(t, 404, "not-found", "")
		}
		e.sameState(t, before, "unlinking what is another's")
	})

	t.Run("another browser does not link", func(t *testing.T) {
		attacker := e.person(t)
		a := e.link(t, "corp", attacker.fullSession, nil)
		address, _ := a.object(t)["url"].(string)
		victim := e.visit(t, address, someone())
		e.comeBack(t, victim).redirectsWith(t, 302, clientURL, "invalid-state")
		if e.identitiesOf(t, attacker.User.ID) != 0 {
			t.Error("a victim's identity was linked to an attacker's account")
		}
	})

	t.Run("who is gone, disabled or signed out meanwhile", func(t *testing.T) {
		for end, id := range map[string]string{
			`update auth.users set disabled = true where id = $1`: "disabled-user", `delete from auth.refresh_tokens where user_id = $1`: "unauthorized",
			`update auth.users set email_verified = false where id = $1`: "unverified-user", `delete from auth.users where id = $1`: "invalid-state",
		} {
			owner := e.person(t)
			a := e.link(t, "corp", owner.fullSession, nil)
			address, _ := a.object(t)["url"].(string)
			b := e.visit(t, address, someone(), cookiesOf(t, a)...)
			e.sql(t, end, owner.User.ID)
			e.comeBack(t, b).redirectsWith(t, 302, clientURL, id)
		}
	})

	t.Run("refusals at the start", func(t *testing.T) {
		owner := e.person(t)
		e.link(t, "spotify", owner.fullSession, nil).refused(t, 409, "disabled-endpoint", "")
		e.knock(t, "POST", "/link/provider/nobody", nil, bearer(owner.AccessToken)).invalid(t, "provider")
		e.link(t, "corp", owner.fullSession, fields{"redirectTo": "https://evil.example"}).refused(t, 400, "redirectTo-not-allowed", "")
		e.ask(t, "POST", "/link/provider/corp", nil).refused(t, 401, "unauthorized", "")
		e.knock(t, "POST", "/link/provider/corp", fields{"userId": owner.User.ID}, bearer(owner.AccessToken)).invalid(t, "userId")
		for range 20 {
			e.link(t, "corp", owner.fullSession, nil).is(t, 200, "")
		}
		e.link(t, "corp", owner.fullSession, nil).refused(t, 429, "too-many-requests", "")
	})
}

func TestTheLastWayInStays(t *testing.T) {
	t.Parallel()
	unlink := func(t *testing.T, e providerDoor, s fullSession) answer {
		t.Helper()
		return e.ask(t, "DELETE", "/user/providers/"+e.identities(t, s)[0].ID, nil, bearer(s.AccessToken))
	}
	plain := openProviders(t, []string{"corp", "strava"}, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "false", "AUTH_OTP_EMAIL_ENABLED": "false", "AUTH_SMS_PASSWORDLESS_ENABLED": "false", "AUTH_WEBAUTHN_ENABLED": "false"})
	every := openProviders(t, []string{"corp", "strava"}, map[string]string{"AUTH_WEBAUTHN_ENABLED": "true"})

	for name, c := range map[string]struct {
		e         providerDoor
		more      string
		addressed bool
		gone      bool
	}{
		"nothing else":                           {plain, ``, true, false},
		"a password":                             {plain, `update auth.users set password_hash = '$2a$10$x' where id = $1`, true, true},
		"a password and no address":              {plain, `update auth.users set password_hash = '$2a$10$x' where id = $1`, false, false},
		"an empty password":                      {plain, `update auth.users set password_hash = '' where id = $1`, true, false},
		"an address, sign-in by mail off":        {plain, ``, true, false},
		"an address, sign-in by mail on":         {every, ``, true, true},
		"no address, sign-in by mail on":         {every, ``, false, false},
		"a passkey, passkeys off":                {plain, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, 'c', 'k')`, true, false},
		"a passkey":                              {every, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, 'c', 'k')`, false, true},
		"another identity":                       {plain, `insert into auth.user_providers (user_id, provider_id, provider_user_id, access_token) values ($1, 'strava', gen_random_uuid(), 'unset')`, true, true},
		"another identity, of a provider off":    {plain, `insert into auth.user_providers (user_id, provider_id, provider_user_id, access_token) values ($1, 'facebook', gen_random_uuid(), 'unset')`, true, false},
		"a number, sign-in by text message off":  {plain, `update auth.users set phone_number = '+1' || floor(random() * 1e9)::text, phone_number_verified = true where id = $1`, true, false},
		"a number that is not confirmed":         {every, `update auth.users set phone_number = '+1' || floor(random() * 1e9)::text where id = $1`, false, false},
		"a personal access token is no way home": {plain, `insert into auth.refresh_tokens (user_id, type, expires_at) values ($1, 'pat', now() + '1 day')`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := someone()
			if !c.addressed {
				p.Email = ""
			}
			provider := map[bool]string{true: "corp", false: "strava"}[c.addressed]
			s := c.e.enters(t, provider, p)
			if c.more != "" {
				c.e.sql(t, c.more, s.User.ID)
			}
			before := c.e.state(t)
			a := unlink(t, c.e, s)
			if c.gone {
				a.ok(t)
				return
			}
			a.refused(t, 409, "last-way-in", "")
			c.e.sameState(t, before, "unlinking the last way in")
		})
	}

	t.Run("two at once leave one", func(t *testing.T) {
		s := plain.enters(t, "corp", someone())
		plain.links(t, "strava", s, fakeprovider.Person{ID: tokens.NewUUID(), Name: "Ada"})
		list := plain.identities(t, s)
		done := make(chan answer, 2)
		for _, i := range list {
			go func() {
				done <- plain.ask(t, "DELETE", "/user/providers/"+i.ID, nil, bearer(s.AccessToken))
			}()
		}
		got := []int{(<-done).status, (<-done).status}
		slices.Sort(got)
		if !slices.Equal(got, []int{200, 409}) || plain.identitiesOf(t, s.User.ID) != 1 {
			t.Errorf("answers %v, %d identities left", got, plain.identitiesOf(t, s.User.ID))
		}
	})
}

// TestElevationAtProviders has what changes credentials asked for a fresh proof.
func TestElevationAtProviders(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "google"}, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	owner := e.person(t)
	fresh := e.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, owner.wireSession)
	idToken := e.fake.IDToken("google", map[string]any{"sub": tokens.NewUUID()})
	body := fields{"provider": "google", "idToken": idToken}
	e.ask(t, "POST", "/link/idtoken", body, bearer(owner.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	e.ask(t, "POST", "/link/provider/corp", nil, bearer(owner.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	e.ask(t, "GET", "/signin/provider/corp?connect="+owner.AccessToken, nil, browser(), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Site", "same-site")).redirectsWith(t, 302, clientURL, "elevated-claim-required")
	e.ask(t, "POST", "/link/idtoken", body, bearer(fresh)).ok(t)
	id := e.identities(t, owner.fullSession)[0].ID
	e.ask(t, "DELETE", "/user/providers/"+id, nil, bearer(owner.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	e.ask(t, "DELETE", "/user/providers/"+id, nil, bearer(fresh)).ok(t)
}

// TestConnect is the old way to link, with an access token in the address.
func TestConnect(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, nil)
	app := header("Referer", clientURL+"/account")

	t.Run("from the application", func(t *testing.T) {
		for _, more := range [][]with{{app}, {header("Sec-Fetch-Site", "same-site")}, {header("Sec-Fetch-Site", "cross-site"), app}} {
			owner := e.person(t)
			p := someone()
			b := e.setOut(t, "/signin/provider/corp?state=mine&connect="+owner.AccessToken, p, more...)
			to, q := e.comeBack(t, b).redirect(t, 302)
			if to != clientURL || len(q) != 1 || q.Get("state") != "mine" {
				t.Fatalf("the trip ends at %s with %v", to, q)
			}
			if s := e.enters(t, "corp", p); s.User.ID != owner.User.ID {
				t.Error("the identity is somebody else's")
			}
		}
	})

	t.Run("from somebody else's page nothing is linked", func(t *testing.T) {
		attacker := e.person(t)
		for _, more := range [][]with{
			{header("Sec-Fetch-Site", "none")}, // a link in a mail
			{header("Sec-Fetch-Site", "cross-site")},
			{header("Sec-Fetch-Site", "cross-site"), header("Referer", "https://evil.example/")},
			{header("Referer", "https://evil.example/"+clientURL)},
			{header("Referer", "https://app.example.com.evil.example/")},
			{header("Referer", "null")},
		} {
			e.knock(t, "GET", "/signin/provider/corp?connect="+attacker.AccessToken, nil, append(more, browser())...).invalid(t, "connect")
		}
		e.knock(t, "GET", "/signin/provider/corp?connect="+attacker.AccessToken, nil, app).invalid(t, "connect")
	})

	t.Run("where the browser does not tell, the provider's tokens are not kept", func(t *testing.T) {
		owner := e.person(t)
		p := someone()
		e.arrives(t, "/signin/provider/corp?connect="+owner.AccessToken, p)
		if got := value[string](t, e.doorway, `select access_token from auth.user_providers where provider_user_id = $1`, p.ID); got != "unset" {
			t.Errorf("%q is stored", got)
		}
	})

	t.Run("with a token that is no good", func(t *testing.T) {
		owner := e.person(t)
		for _, token := range []string{"x", owner.AccessToken + "x", owner.RefreshToken} {
			e.ask(t, "GET", "/signin/provider/corp?connect="+token, nil, browser(), app).redirectsWith(t, 302, clientURL, "unauthorized")
		}
		e.ask(t, "POST", "/signout", fields{"refreshToken": owner.RefreshToken}).ok(t)
		e.ask(t, "GET", "/signin/provider/corp?connect="+owner.AccessToken, nil, browser(), app).redirectsWith(t, 302, clientURL, "unauthorized")
	})

	t.Run("a sign-up does not look at it", func(t *testing.T) {
		owner := e.person(t)
		q := e.arrives(t, "/signup/provider/corp?connect="+owner.AccessToken, someone(), app)
		if q.Get("refreshToken") == "" || e.identitiesOf(t, owner.User.ID) != 0 {
			t.Errorf("the trip ends with %v", q)
		}
	})
}

func TestIDTokens(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"google", "apple", "corp", "github"}, unverified())
	sign := func(path, provider, token, nonce string, more ...with) answer {
		t.Helper()
		body := fields{"provider": provider, "idToken": token}
		if nonce != "" {
			body["nonce"] = nonce
		}
		return e.ask(t, "POST", path, body, more...)
	}
	claims := func(more map[string]any) map[string]any {
		c := map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "nonce": nil}
		for name, v := range more {
			c[name] = v
		}
		return c
	}

	for _, name := range []string{"google", "apple", "corp"} {
		t.Run(name, func(t *testing.T) {
			c := claims(map[string]any{"nonce": "raw"})
			first := sign("/signin/idtoken", name, e.fake.IDToken(name, c), "raw").session(t)
			again := sign("/signin/idtoken", name, e.fake.IDToken(name, c), "raw").session(t)
			if first.User.ID != again.User.ID || first.user["email"] != c["email"] {
				t.Errorf("%s and %s", first.user, again.user)
			}
			sign("/signin/idtoken", name, e.fake.IDToken(name, c), "another").refused(t, 400, "invalid-request", "")
			sign("/signin/idtoken", name, e.fake.IDToken(name, c), "").refused(t, 400, "invalid-request", "")
			sign("/signup/idtoken", name, e.fake.IDToken(name, c), "raw").refused(t, 409, "user-already-exists", "")
			sign("/signup/idtoken", name, e.fake.IDToken(name, claims(nil)), "").session(t)
			if method := value[string](t, e.doorway, `select amr->0->>'method' from auth.refresh_tokens where id = $1`, first.RefreshTokenID); method != "idtoken" {
				t.Errorf("the session was opened by %q", method)
			}
		})
	}

	t.Run("an identity is the same by either way", func(t *testing.T) {
		p := someone()
		s := e.enters(t, "corp", p)
		same := sign("/signin/idtoken", "corp", e.fake.IDToken("corp", claims(map[string]any{"sub": p.ID, "email": p.Email})), "").session(t)
		if same.User.ID != s.User.ID {
			t.Error("two users")
		}
		// The tokens of the trip are still there: an ID token brings none.
		e.ask(t, "GET", "/signin/provider/corp/callback/tokens", nil, bearer(same.AccessToken)).is(t, 200, "")
	})

	t.Run("refusals", func(t *testing.T) {
		sign("/signin/idtoken", "github", "x.y.z", "").refused(t, 409, "disabled-endpoint", "")
		e.knock(t, "POST", "/signin/idtoken", fields{"provider": "nobody", "idToken": "x.y.z"}).invalid(t, "provider")
		for _, bad := range []string{"x", "x.y.z", e.person(t).AccessToken, e.fake.IDToken("apple", claims(nil)), e.fake.IDToken("google", claims(map[string]any{"sub": nil}))} {
			if a := sign("/signin/idtoken", "google", bad, ""); a.status != 400 || a.refusal(t).Error != "invalid-request" && a.refusal(t).Error != "oauth-profile-fetch-failed" {
				t.Errorf("%s", a)
			}
		}
		good := e.fake.IDToken("google", claims(nil))
		for _, body := range []fields{{"provider": "", "idToken": good}, {"provider": "google", "idToken": ""}, {"provider": "google", "idToken": strings.Repeat("x", 16385)}, {"provider": "google", "idToken": good, "nonce": strings.Repeat("x", 513)}} {
			e.knock(t, "POST", "/signin/idtoken", body).refused(t, 400, "invalid-request", "")
		}
		e.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": good, "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
		e.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": good, "options": fields{"allowedRoles": []string{"admin"}}}).refused(t, 400, "role-not-allowed", "")
		e.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": good, "options": fields{"allowedRoles": []string{"me"}}}).refused(t, 400, "default-role-must-be-in-allowed-roles", "")
	})

	t.Run("linking", func(t *testing.T) {
		owner := e.person(t)
		token := e.fake.IDToken("google", claims(nil))
		link := func(s fullSession) answer { return sign("/link/idtoken", "google", token, "", bearer(s.AccessToken)) }
		link(owner.fullSession).ok(t)
		e.mail(t, owner.email, "identity-linked", 1)
		if s := sign("/signin/idtoken", "google", token, "").session(t); s.User.ID != owner.User.ID {
			t.Error("the identity is somebody else's")
		}
		link(owner.fullSession).refused(t, 400, "provider-account-already-linked", "")
		link(e.person(t).fullSession).refused(t, 400, "provider-account-already-linked", "")
		sign("/link/idtoken", "google", token, "").refused(t, 401, "unauthorized", "")
		sign("/link/idtoken", "github", token, "", bearer(owner.AccessToken)).refused(t, 409, "disabled-endpoint", "")
		sign("/link/idtoken", "google", e.fake.IDToken("google", claims(map[string]any{"sub": strings.Repeat("x", 300)})), "", bearer(owner.AccessToken)).refused(t, 400, "oauth-profile-fetch-failed", "")
		e.knock(t, "POST", "/link/idtoken", fields{"provider": "google", "idToken": token, "options": fields{}}, bearer(owner.AccessToken)).invalid(t, "options")
	})

	t.Run("settings", func(t *testing.T) {
		for settings, want := range map[string]struct {
			status int
			id     string
		}{
			"AUTH_DISABLE_SIGNUP": {403, "signup-disabled"}, "AUTH_DISABLE_NEW_USERS": {401, "disabled-user"},
		} {
			d := openProviders(t, []string{"google"}, map[string]string{settings: "true"})
			body := fields{"provider": "google", "idToken": d.fake.IDToken("google", claims(nil))}
			d.ask(t, "POST", "/signin/idtoken", body).refused(t, want.status, want.id, "")
			d.ask(t, "POST", "/signup/idtoken", body)
		}
		auto := openProviders(t, []string{"google"}, map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true", "AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"})
		body := fields{"provider": "google", "idToken": auto.fake.IDToken("google", claims(map[string]any{"email_verified": false}))}
		auto.ask(t, "POST", "/signin/idtoken", body).refused(t, 403, "signup-disabled", "")
		auto.ask(t, "POST", "/signup/idtoken", body).is(t, http.StatusOK, "{}") // where the address lets people in, it must be confirmed first
	})
}

func TestGuestsHaveNoIdentities(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"github"}, nil)
	guest := e.ask(t, "POST", "/signin/anonymous", nil).session(t)
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"GET", "/user/providers", nil},
		{"GET", "/signin/provider/github/callback/tokens", nil},
		{"POST", "/token/provider/github", fields{"refreshToken": "of somebody"}},
		{"POST", "/link/provider/github", nil},
	} {
		e.ask(t, r.method, r.path, r.body, bearer(guest.AccessToken)).refused(t, 403, "forbidden-anonymous", "")
	}
}
