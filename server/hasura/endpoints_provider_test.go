package hasura_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
	"postern/tokens"
)

// TestTheTripToEveryProvider signs somebody up and in again at every provider that there is.
func TestTheTripToEveryProvider(t *testing.T) {
	t.Parallel()
	names := fakeprovider.New(t).Names()
	e := openProviders(t, names, unverified())
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			p := someone()
			first := e.enters(t, name, p)
			again := e.enters(t, name, p)
			if first.User.ID != again.User.ID || e.identitiesOf(t, first.User.ID) != 1 {
				t.Errorf("two sign-ins are of %s and %s", first.User.ID, again.User.ID)
			}
			other := someone()
			if s := e.enters(t, name, other); s.User.ID == first.User.ID {
				t.Error("two people are one user")
			}
		})
	}
}

func TestSignUpAtAProvider(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "discord", "strava"}, map[string]string{"AUTH_LOCALE_ALLOWED_LOCALES": "en,fr"})

	t.Run("a user is made of what the provider and the request say", func(t *testing.T) {
		p := someone()
		s := e.enters(t, "corp", p)
		want := map[string]any{"email": p.Email, "emailVerified": true, "displayName": "Ada Lovelace", "avatarUrl": p.Avatar, "locale": "en", "defaultRole": "user"}
		for name, v := range want {
			if s.user[name] != v {
				t.Errorf("%s is %v, want %v", name, s.user[name], v)
			}
		}
		if len(e.Mail.To(p.Email)) != 0 {
			t.Error("a mail was sent about an address that is confirmed")
		}

		p = someone()
		query := url.Values{"displayName": {"Countess"}, "locale": {"fr"}, "metadata": {`{"a":{"b":[1,null]}}`}, "allowedRoles": {"user,me"}, "defaultRole": {"me"}, "state": {"x y"}, "redirectTo": {clientURL + "/in?a=1"}}
		b := e.setOut(t, "/signin/provider/corp?"+query.Encode(), p)
		to, q := e.comeBack(t, b).redirect(t, 302)
		if to != clientURL+"/in" || q.Get("a") != "1" || q.Get("state") != "x y" || q.Has("type") || q.Get("refreshToken") == "" {
			t.Fatalf("the trip ends at %s with %v", to, q)
		}
		s = e.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
		if s.user["displayName"] != "Countess" || s.user["locale"] != "fr" || s.user["defaultRole"] != "me" || cmp.Diff(s.user["metadata"], map[string]any{"a": map[string]any{"b": []any{1.0, nil}}}) != "" {
			t.Errorf("the user is %v", s.user)
		}
		amr := value[string](t, e.doorway, `select amr->0->>'method' from auth.refresh_tokens where id = $1`, s.RefreshTokenID)
		if amr != "oauth" {
			t.Errorf("the session was opened by %q", amr)
		}
	})

	t.Run("an address that the provider does not vouch for keeps nobody out", func(t *testing.T) {
		p := someone()
		p.Verified = false
		s := e.enters(t, "discord", p)
		if s.user["email"] != p.Email || s.user["emailVerified"] != false {
			t.Errorf("the user is %v", s.user)
		}
		again := e.enters(t, "discord", p)
		e.ask(t, "GET", "/user", nil, bearer(again.AccessToken)).is(t, 200, "")
		e.ask(t, "POST", "/token", fields{"refreshToken": again.RefreshToken}).session(t)
		if len(e.Mail.To(p.Email)) != 0 {
			t.Error("a mail was sent")
		}
		// The provider's word is for those who come through it alone.
		e.ask(t, "POST", "/user/password", fields{"newPassword": rightPassword}, bearer(again.AccessToken)).ok(t)
		e.ask(t, "POST", "/signin/email-password", fields{"email": p.Email, "password": rightPassword}).refused(t, 401, "unverified-user", "")
		e.ask(t, "POST", "/user/password/reset", fields{"email": p.Email}).ok(t)
		if n := value[int](t, e.doorway, `select count(*)::int from auth.tickets where user_id = $1`, s.User.ID); n != 0 {
			t.Errorf("%d tickets to an address that nobody has confirmed", n)
		}
	})

	t.Run("who has no address needs none", func(t *testing.T) {
		p := someone()
		p.Email = ""
		s := e.enters(t, "strava", p)
		if s.user["email"] != nil || s.user["emailVerified"] != false {
			t.Errorf("the user is %v", s.user)
		}
		e.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).is(t, 200, "")
	})

	t.Run("with PKCE the application gets a code", func(t *testing.T) {
		p := someone()
		for _, again := range []bool{false, true} {
			verifier, challenge := testhouse.Verifier()
			q := e.arrives(t, "/signin/provider/corp?codeChallenge="+challenge, p)
			if q.Has("refreshToken") || q.Get("code") == "" {
				t.Fatalf("the trip ends with %v", q)
			}
			body := fields{"code": q.Get("code"), "codeVerifier": verifier}
			e.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": strings.Repeat("w", 43)}).refused(t, 400, "invalid-request", "")
			s := e.ask(t, "POST", "/token/exchange", body).session(t)
			if s.user["email"] != p.Email {
				t.Errorf("again %t: the code is of %v", again, s.user)
			}
			e.ask(t, "POST", "/token/exchange", body).refused(t, 400, "invalid-request", "")
			if method := value[string](t, e.doorway, `select amr->0->>'method' from auth.refresh_tokens where id = $1`, s.RefreshTokenID); method != "oauth" {
				t.Errorf("the session was opened by %q", method)
			}
		}
	})

	t.Run("the twin for sign-ups takes who is new alone", func(t *testing.T) {
		p := someone()
		if q := e.arrives(t, "/signup/provider/corp", p); q.Get("refreshToken") == "" {
			t.Fatalf("the trip ends with %v", q)
		}
		e.refusedWith(t, "/signup/provider/corp", p, "user-already-exists")
		known := e.person(t)
		p = someone()
		p.Email = known.email
		e.refusedWith(t, "/signup/provider/corp", p, "email-already-in-use")
		if n := e.identitiesOf(t, known.User.ID); n != 0 {
			t.Errorf("%d identities were linked by a sign-up", n)
		}
	})

	t.Run("a second factor is asked for", func(t *testing.T) {
		p := someone()
		s := e.enters(t, "corp", p)
		e.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, s.User.ID)
		b := e.setOut(t, "/signin/provider/corp", p)
		_, q := e.comeBack(t, b).redirect(t, 302)
		if q.Get("error") != "mfa-required" || !strings.HasPrefix(q.Get("ticket"), "mfaTotp:") || q.Has("refreshToken") {
			t.Errorf("the trip ends with %v", q)
		}
		verifier, challenge := testhouse.Verifier()
		q = e.arrives(t, "/signin/provider/corp?codeChallenge="+challenge, p)
		e.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).factorTicket(t)
	})
}

func TestProviderSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings       map[string]string
		email          string
		signIn, signUp string // how each ends; empty is a session
	}{
		"no new users":          {map[string]string{"AUTH_DISABLE_SIGNUP": "true"}, newAddress(), "signup-disabled", "signup-disabled"},
		"new users wait":        {map[string]string{"AUTH_DISABLE_NEW_USERS": "true"}, newAddress(), "disabled-user", "disabled-user"},
		"sign-ups are asked":    {map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true"}, newAddress(), "signup-disabled", ""},
		"another domain":        {map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "other.example"}, newAddress(), "invalid-email-password", "invalid-email-password"},
		"a blocked domain":      {map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "example.com"}, newAddress(), "invalid-email-password", "invalid-email-password"},
		"no address, a list":    {map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"}, "", "invalid-email-password", "invalid-email-password"},
		"no address, blocked":   {map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "example.com"}, "", "", ""},
		"concealed":             {map[string]string{"AUTH_DISABLE_SIGNUP": "true", "AUTH_CONCEAL_ERRORS": "true"}, newAddress(), "invalid-request", "invalid-request"},
		"roles that nobody has": {map[string]string{"AUTH_USER_DEFAULT_ALLOWED_ROLES": "me,editor"}, newAddress(), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openProviders(t, []string{"corp"}, c.settings)
			for path, want := range map[string]string{"/signin/provider/corp": c.signIn, "/signup/provider/corp": c.signUp} {
				p := someone()
				if p.Email = c.email; c.email != "" {
					p.Email = newAddress()
				}
				if want != "" {
					e.refusedWith(t, path, p, want)
				} else if q := e.arrives(t, path, p); q.Get("refreshToken") == "" {
					t.Errorf("%s ends with %v", path, q)
				}
			}
		})
	}
	t.Run("roles", func(t *testing.T) {
		t.Parallel()
		e := openProviders(t, []string{"corp"}, nil)
		e.refusedWith(t, "/signin/provider/corp?allowedRoles=admin", someone(), "role-not-allowed")
		e.refusedWith(t, "/signin/provider/corp?allowedRoles=me", someone(), "default-role-must-be-in-allowed-roles")
	})
	t.Run("no mail server", func(t *testing.T) {
		t.Parallel()
		e := openProviders(t, []string{"discord"}, map[string]string{"AUTH_SMTP_HOST": "", "AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"})
		p := someone()
		p.Verified = false
		e.comeBack(t, e.setOut(t, "/signin/provider/discord", p)).refused(t, 503, "mail-not-configured", "")
	})
}

func TestProviderStartRefusals(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://other.example"})
	before := e.state(t)
	_, challenge := testhouse.Verifier()
	for _, path := range []string{"/signin/provider/", "/signup/provider/"} {
		e.ask(t, "GET", path+"spotify?state=s&redirectTo=https://other.example/x", nil, browser()).redirectsWith(t, 302, "https://other.example/x", "disabled-endpoint")
		e.ask(t, "GET", path+"nobody", nil, browser()).invalid(t, "provider")
		e.ask(t, "GET", path+"corp?redirectTo=https://evil.example", nil, browser()).refused(t, 400, "redirectTo-not-allowed", "")
		for query, field := range map[string]string{
			"codeChallenge=short": "codeChallenge", "state=" + strings.Repeat("x", 1025): "state", "displayName=%26": "displayName",
			"locale=english": "locale", "metadata=1": "metadata", "metadata=%7B": "metadata", `metadata={}},"x":{{}`: "metadata",
			`metadata={"a":1,"a":2}`: "metadata", `metadata={"a":"\u0000"}`: "metadata.a", "metadata=" + strings.Repeat("[", 1000): "metadata",
			"redirectTo=a&redirectTo=b": "redirectTo", "state=a&state=b": "state", "codeChallenge=" + challenge + "&codeChallenge=" + challenge: "codeChallenge",
			"allowedRoles=a&allowedRoles=b": "allowedRoles", "connection=" + strings.Repeat("x", 201): "connection", "state=%00": "state", "state=%ff": "state", "%": "query",
			"allowedRoles=user,,me": "allowedRoles",
		} {
			query = strings.NewReplacer(`"`, "%22", `{`, "%7B", `}`, "%7D", `\`, "%5C").Replace(query)
			e.knock(t, "GET", path+"corp?"+query, nil, browser()).invalid(t, field)
		}
		// A program that asks for the address keeps no cookie.
		e.ask(t, "GET", path+"corp", nil).invalid(t, "codeChallenge")
		e.ask(t, "GET", path+"corp", nil, browser(), header("Sec-Fetch-Mode", "cors")).invalid(t, "codeChallenge")
	}
	e.sameState(t, before, "sign-ins that never began")
	for _, more := range [][]with{nil, {header("Sec-Fetch-Mode", "cors"), browser()}} {
		a := e.ask(t, "GET", "/signin/provider/corp?codeChallenge="+challenge, nil, more...)
		if to, _ := a.redirect(t, 302); !strings.HasPrefix(to, e.fake.URL) || len(a.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s to %s with %q", a, to, a.header.Values("Set-Cookie"))
		}
	}
}

func TestProviderCallbackRefusals(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github", "apple"}, nil)
	const callback = "/signin/provider/corp/callback"

	t.Run("no state of ours", func(t *testing.T) {
		for _, state := range []string{"x", newAddress(), strings.Repeat("x", 1024), e.person(t).AccessToken[:100]} {
			a := e.ask(t, "GET", callback+"?code=x&state="+url.QueryEscape(state), nil)
			a.redirectsWith(t, 302, clientURL, "invalid-state")
			if _, q := a.redirect(t, 302); !strings.HasPrefix(state, q.Get("provider_state")) || q.Get("provider_state") == "" {
				t.Errorf("%v", q)
			}
			e.ask(t, "POST", callback, "code=x&state="+url.QueryEscape(state), formed()).redirectsWith(t, 303, clientURL, "invalid-state")
		}
		for _, query := range []string{"", "?code=x", "?state=", "?state=" + strings.Repeat("x", 1025)} {
			e.knock(t, "GET", callback+query, nil).invalid(t, "state")
		}
		for _, query := range []string{"?state=a&state=a", "?state=a&code=a&code=b", "?state=a&error=a&error=b", "?state=a&id_token=a&id_token=b", "?state=a&iss=a&iss=a"} {
			if a := e.knock(t, "GET", callback+query, nil); !strings.Contains(a.refusal(t).Message, "must not appear twice") {
				t.Errorf("%s", a)
			}
		}
		e.knock(t, "POST", callback, "{}").invalid(t, "Content-Type")
		e.knock(t, "POST", callback, "state=x&user="+strings.Repeat("x", 70<<10), formed()).invalid(t, "body")
		e.knock(t, "POST", callback+"?state=x", "code=x", formed()).invalid(t, "state")
	})

	t.Run("the provider says no", func(t *testing.T) {
		p := someone()
		p.Deny = true
		b := e.setOut(t, "/signin/provider/corp?state=mine&redirectTo="+clientURL+"/deep", p)
		to, q := e.comeBack(t, b).redirect(t, 302)
		if to != clientURL || q.Get("error") != "oauth-provider-error" || q.Get("provider_error") != "access_denied" || !q.Has("provider_error_url") || q.Get("state") != "mine" {
			t.Errorf("to %s with %v", to, q)
		}
	})

	t.Run("the provider does not take its code", func(t *testing.T) {
		b := e.setOut(t, "/signin/provider/corp?redirectTo="+clientURL+"/deep", someone())
		b.path = strings.Replace(b.path, "code=", "code=x", 1)
		e.comeBack(t, b).redirectsWith(t, 302, clientURL+"/deep", "oauth-token-echange-failed")
	})

	t.Run("the provider does not say who it is", func(t *testing.T) {
		for _, id := range []any{"", fakeprovider.Missing, strings.Repeat("x", 300), nil, true, []any{}} {
			p := someone()
			p.ID = id
			b := e.setOut(t, "/signin/provider/corp", p)
			_, q := e.comeBack(t, b).redirect(t, 302)
			if no := q.Get("error"); no != "oauth-profile-fetch-failed" && no != "oauth-token-echange-failed" || q.Has("refreshToken") {
				t.Errorf("id %v ends with %v", id, q)
			}
		}
	})

	t.Run("a redirect that is no longer allowed is not gone to", func(t *testing.T) {
		state := tokens.NewUUID()
		e.stateOf(t, state, map[string]any{"Provider": "corp", "State": "mine", "Options": fields{"RedirectTo": "https://evil.example"}})
		e.ask(t, "GET", callback+"?code=x&state="+state, nil).redirectsWith(t, 302, clientURL, "redirectTo-not-allowed")
	})

	t.Run("a provider that was turned off meanwhile", func(t *testing.T) {
		state := tokens.NewUUID()
		e.stateOf(t, state, map[string]any{"Provider": "spotify", "Options": fields{"RedirectTo": clientURL + "/x"}})
		e.ask(t, "GET", "/signin/provider/spotify/callback?code=x&state="+state, nil).redirectsWith(t, 302, clientURL+"/x", "disabled-endpoint")
	})

	t.Run("what is not sealed is nothing", func(t *testing.T) {
		state := tokens.NewUUID()
		e.sql(t, `insert into auth.tickets (purpose, secret_hash, payload, created_at, expires_at) values ('provider-state', $1, '{"sealed":"AAAA"}', now(), now() + '1 minute')`, tokens.HashSecret(state))
		e.ask(t, "GET", callback+"?code=x&state="+state, nil).redirectsWith(t, 302, clientURL, "invalid-state")
	})
}

// stateOf writes a state as the server does.
func (d doorway) stateOf(t testing.TB, text string, state map[string]any) {
	t.Helper()
	plain, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := d.Kit.Keys.Seal("provider state", plain)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string][]byte{"sealed": sealed})
	if err != nil {
		t.Fatal(err)
	}
	d.sql(t, `insert into auth.tickets (purpose, secret_hash, payload, created_at, expires_at) values ('provider-state', $1, $2, now(), now() + '1 minute')`, tokens.HashSecret(text), payload)
}

// TestStatesAreBoundToTheBrowser is login CSRF: somebody is made to come back from a provider with a
// state that somebody else set out with.
func TestStatesAreBoundToTheBrowser(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github", "apple"}, map[string]string{"AUTH_SERVER_URL": "https://auth.example.com/v1"})
	cookie := func(t *testing.T, a answer) *http.Cookie {
		t.Helper()
		all := (&http.Response{Header: a.header}).Cookies()
		if len(all) != 1 {
			t.Fatalf("%s sets %v", a, all)
		}
		return all[0]
	}

	t.Run("how the cookie is set", func(t *testing.T) {
		for name, sameSite := range map[string]http.SameSite{"corp": http.SameSiteLaxMode, "apple": http.SameSiteNoneMode} {
			for _, more := range [][]with{{browser()}, {header("Sec-Fetch-Mode", "navigate")}} {
				c := cookie(t, e.ask(t, "GET", "/signin/provider/"+name, nil, more...))
				if !c.HttpOnly || !c.Secure || c.SameSite != sameSite || c.MaxAge != 600 || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") || len(c.Value) != 36 {
					t.Errorf("%s: %v", name, c)
				}
			}
		}
	})

	t.Run("no cookie, or another's", func(t *testing.T) {
		mine := e.setOut(t, "/signin/provider/corp", someone())
		other := cookie(t, e.ask(t, "GET", "/signin/provider/corp", nil, browser()))
		for name, cookies := range map[string][]with{
			"none":    nil,
			"another": {func(r *http.Request) { r.AddCookie(other) }},
			"two":     append(slices.Clone(mine.cookies), mine.cookies...),
		} {
			b := e.setOut(t, "/signin/provider/corp", someone())
			if name == "two" {
				cookies = append(slices.Clone(b.cookies), b.cookies...)
			}
			b.cookies = cookies
			e.comeBack(t, b).redirectsWith(t, 302, clientURL, "invalid-state")
		}
		// The right name with another value.
		b := e.setOut(t, "/signin/provider/corp", someone())
		b.cookies = append(b.cookies[:0:0], func(r *http.Request) {
			probe, _ := http.NewRequest(http.MethodGet, "/", nil)
			mineAgain := e.setOut(t, "/signin/provider/corp", someone())
			mineAgain.cookies[0](probe)
			r.Header.Set("Cookie", probe.Header.Get("Cookie"))
		})
		e.comeBack(t, b).redirectsWith(t, 302, clientURL, "invalid-state")
		if q := e.arrivesWith(t, mine); q.Get("refreshToken") == "" {
			t.Errorf("the browser that set out ends with %v", q)
		}
	})

	t.Run("the cookie is dropped on the way back", func(t *testing.T) {
		b := e.setOut(t, "/signin/provider/corp", someone())
		if c := cookie(t, e.comeBack(t, b)); c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("%v", c)
		}
	})

	t.Run("several tabs at once", func(t *testing.T) {
		first, second := e.setOut(t, "/signin/provider/corp", someone()), e.setOut(t, "/signin/provider/github", someone())
		both := append(slices.Clone(first.cookies), second.cookies...)
		first.cookies, second.cookies = both, both
		for _, b := range []trip{second, first} {
			if q := e.arrivesWith(t, b); q.Get("refreshToken") == "" {
				t.Errorf("the trip ends with %v", q)
			}
		}
	})

	t.Run("mix-up: the state of one provider at another's callback", func(t *testing.T) {
		for from, to := range map[string]string{"corp": "github", "github": "corp"} {
			b := e.setOut(t, "/signin/provider/"+from, someone())
			b.path = strings.Replace(b.path, "/"+from+"/", "/"+to+"/", 1)
			e.comeBack(t, b).redirectsWith(t, 302, clientURL, "invalid-state")
			b.path = strings.Replace(b.path, "/"+to+"/", "/"+from+"/", 1)
			e.comeBack(t, b).redirectsWith(t, 302, clientURL, "invalid-state") // it is used up
		}
	})

	t.Run("with a challenge alone, only who has the verifier gets in", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		a := e.ask(t, "GET", "/signin/provider/corp?codeChallenge="+challenge, nil)
		q := e.arrivesWith(t, e.goThere(t, a, someone()))
		other, _ := testhouse.Verifier()
		e.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": other}).refused(t, 400, "invalid-request", "")
		e.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
	})
}

// arrivesWith ends a trip.
func (e providerDoor) arrivesWith(t testing.TB, b trip) url.Values {
	t.Helper()
	_, q := e.comeBack(t, b).redirect(t, b.status())
	return q
}

func TestHeadChangesNothingAtProviders(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp"}, nil)
	p := someone()
	s := e.enters(t, "corp", p)
	b := e.setOut(t, "/signin/provider/corp", p)
	before := e.state(t)
	head := func(path string, more ...with) {
		t.Helper()
		if a := e.bare(t, "HEAD", path, nil, more...); a.status != 200 || a.body != "" || a.header.Get("Location") != "" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s %v", a, a.header)
		}
	}
	head("/signin/provider/corp", browser())
	head("/signup/provider/corp?codeChallenge=x")
	head(b.path, b.cookies...)
	head("/signin/provider/corp/callback/tokens", bearer(s.AccessToken))
	e.sameState(t, before, "HEAD")
	if q := e.arrivesWith(t, b); q.Get("refreshToken") == "" {
		t.Errorf("after HEAD the trip ends with %v", q)
	}
}

func TestProviderTokens(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"corp", "github", "twitter"}, nil)
	p := someone()
	s := e.enters(t, "corp", p)
	tokensOf := func(who fullSession, provider string) answer {
		t.Helper()
		return e.ask(t, "GET", "/signin/provider/"+provider+"/callback/tokens", nil, bearer(who.AccessToken))
	}
	stored := value[string](t, e.doorway, `select access_token from auth.user_providers where user_id = $1`, s.User.ID)
	got := tokensOf(s, "corp").is(t, 200, "").object(t)
	access, _ := got["accessToken"].(string)
	if access == "" || strings.Contains(stored, access) || !strings.HasPrefix(stored, "sealed:") {
		t.Errorf("%v is stored as %q", got, stored)
	}
	if left, _ := got["expiresIn"].(float64); left < 1 || got["expiresAt"] == nil {
		t.Errorf("the tokens expire %v", got)
	}
	if n := value[int](t, e.doorway, `select count(*)::int from auth.audit_entries where event = 'provider.tokens.read' and user_id = $1`, s.User.ID); n != 1 {
		t.Errorf("%d audit rows", n)
	}
	tokensOf(s, "corp").refused(t, 404, "not-found", "")
	tokensOf(s, "github").refused(t, 404, "not-found", "")
	e.knock(t, "GET", "/signin/provider/nobody/callback/tokens", nil, bearer(s.AccessToken)).invalid(t, "provider")
	e.ask(t, "GET", "/signin/provider/corp/callback/tokens", nil).refused(t, 401, "unauthorized", "")

	// The latest sign-in is the one that counts, and somebody else's tokens are nobody's.
	s = e.enters(t, "corp", p)
	tokensOf(e.enters(t, "corp", someone()), "corp").is(t, 200, "")
	tokensOf(s, "corp").is(t, 200, "")

	refreshed := e.ask(t, "POST", "/token/provider/corp", fields{"refreshToken": got["refreshToken"]}, bearer(s.AccessToken)).is(t, 200, "").object(t)
	if refreshed["accessToken"] == access || refreshed["accessToken"] == "" {
		t.Errorf("renewed to %v", refreshed)
	}
	e.ask(t, "POST", "/token/provider/corp", fields{"refreshToken": "made up"}, bearer(s.AccessToken)).refused(t, 400, "oauth-token-echange-failed", "")
	e.ask(t, "POST", "/token/provider/github", fields{"refreshToken": "x"}, bearer(s.AccessToken)).refused(t, 404, "not-found", "")
	e.ask(t, "POST", "/token/provider/twitter", fields{"refreshToken": "x"}, bearer(s.AccessToken)).refused(t, 409, "disabled-endpoint", "")
	e.ask(t, "POST", "/token/provider/spotify", fields{"refreshToken": "x"}, bearer(s.AccessToken)).refused(t, 409, "disabled-endpoint", "")
	e.knock(t, "POST", "/token/provider/corp", fields{"refreshToken": ""}, bearer(s.AccessToken)).invalid(t, "refreshToken")
	if n := value[int](t, e.doorway, `select count(*)::int from auth.audit_entries where event = 'provider.tokens.refreshed'`); n != 1 {
		t.Errorf("%d audit rows", n)
	}

	// What cannot be read any more is as good as none.
	for _, junk := range []string{"sealed:AAAA", "sealed:%", "00", "gho_plain"} {
		e.sql(t, `update auth.user_providers set access_token = $2 where user_id = $1`, s.User.ID, junk)
		tokensOf(s, "corp").refused(t, 404, "not-found", "")
	}
}

// A database that may go back to Hasura Auth holds what Hasura Auth can read, or nothing.
func TestProviderTokensWhereHasuraAuthMayComeBack(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"a key": strings.Repeat("5a", 32), "a derived key": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := openProviders(t, []string{"corp"}, map[string]string{"AUTH_ENCRYPTION_KEY": key})
			e.sql(t, `insert into auth.postern_state (key, value, updated_at) values ('adoption', jsonb_build_object('from', 'hasura-auth-go', 'version', 18, 'committed', false, 'adoptedAt', $1::timestamptz), now())`, time.Now())
			e.doorway = doorway{e.Beside(t, through(e.fake))}
			s := e.enters(t, "corp", someone())
			stored := value[string](t, e.doorway, `select access_token from auth.user_providers where user_id = $1`, s.User.ID)
			a := e.ask(t, "GET", "/signin/provider/corp/callback/tokens", nil, bearer(s.AccessToken))
			if key == "" {
				if stored != "unset" {
					t.Errorf("%q is stored", stored)
				}
				a.refused(t, 404, "not-found", "")
				return
			}
			if strings.Trim(stored, "0123456789abcdef") != "" || len(stored) < 58 {
				t.Errorf("%q is stored", stored)
			}
			a.is(t, 200, "")
		})
	}
}

// TestSignUpAtAProviderWhereTheAddressLetsPeopleIn has an allow-list: there an address must be proved.
func TestSignUpAtAProviderWhereTheAddressLetsPeopleIn(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"discord"}, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"})
	p := someone()
	p.Verified = false
	if q := e.arrives(t, "/signin/provider/discord?state=mine", p); cmp.Diff(q, url.Values{"state": {"mine"}}) != "" {
		t.Fatalf("the trip ends with %v", q)
	}
	e.refusedWith(t, "/signin/provider/discord", p, "unverified-user")
	_, q := e.ask(t, "GET", pathOf(t, e.mail(t, p.Email, "email-verify", 1)), nil).redirect(t, 302)
	if q.Get("refreshToken") == "" {
		t.Errorf("the mail leads to %v", q)
	}
	e.enters(t, "discord", p)
}

// TestT04TheOwnerOfAnAddressGetsTheAccountAlone has an attacker who makes an account with somebody
// else's address, in every way that needs no proof of it, before the owner signs in by mail.
func TestT04TheOwnerOfAnAddressGetsTheAccountAlone(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"discord"}, map[string]string{"AUTH_OTP_EMAIL_ENABLED": "true"})
	attacks := map[string]func(t *testing.T, victim string) (still func(t *testing.T) answer){
		"by a provider that does not check": func(t *testing.T, victim string) func(*testing.T) answer {
			p := someone()
			p.Email, p.Verified = victim, false
			s := e.enters(t, "discord", p)
			return func(t *testing.T) answer {
				e.refusedWith(t, "/signin/provider/discord", p, "email-already-in-use")
				return e.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken})
			}
		},
		"by a password": func(t *testing.T, victim string) func(*testing.T) answer {
			e.ask(t, "POST", "/signup/email-password", fields{"email": victim, "password": rightPassword}).is(t, 200, "")
			return func(t *testing.T) answer {
				return e.ask(t, "POST", "/signin/email-password", fields{"email": victim, "password": rightPassword})
			}
		},
	}
	for name, attack := range attacks {
		for _, way := range []string{"a link", "a code"} {
			t.Run(name+", then "+way, func(t *testing.T) {
				victim := newAddress()
				still := attack(t, victim)
				var own fullSession
				if way == "a link" {
					e.ask(t, "POST", "/signin/passwordless/email", fields{"email": victim}).ok(t)
					_, q := e.ask(t, "GET", pathOf(t, e.mail(t, victim, "signin-passwordless", 1)), nil).redirect(t, 302)
					own = e.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
				} else {
					e.ask(t, "POST", "/signin/otp/email", fields{"email": victim}).ok(t)
					code := e.mail(t, victim, "signin-otp", 1).Ticket
					own = e.ask(t, "POST", "/signin/otp/email/verify", fields{"email": victim, "otp": code}).session(t)
				}
				if a := still(t); a.status != 401 {
					t.Errorf("whoever made the account still gets in: %s", a)
				}
				if own.user["emailVerified"] != true || e.identitiesOf(t, own.User.ID) != 0 {
					t.Errorf("the owner has %v", own.user)
				}
			})
		}
	}
}
