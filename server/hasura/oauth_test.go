package hasura_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/hooks"
	"postern/house"
	"postern/internal/testkeys"
	"postern/tokens"
)

// TestOAuthServerLetsAClientIn goes all the way: a public client, and one with a secret.
func TestOAuthServerLetsAClientIn(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	p := d.person(t)
	for _, public := range []bool{true, false} {
		c := d.register(t, public)
		id := c.begin(t)
		q := c.ask(t, "GET", "/oauth2/login?request_id="+id, nil).is(t, 200, "").object(t)
		want := fields{"requestId": id, "clientId": c.id, "clientName": "Wiki", "scopes": []any{"openid", "profile", "email", "offline_access"}, "redirectUri": c.redirect}
		if diff := cmp.Diff(map[string]any(want), q); diff != "" {
			t.Errorf("the question (-want +got):\n%s", diff)
		}
		back := c.allow(t, id, p.AccessToken)
		if back.Get("state") != "st&te" || back.Get("iss") != issuer || len(back) != 3 {
			t.Fatalf("back with %v", back)
		}
		g := c.exchange(t, back.Get("code")).given(t)
		if g.Scope != "openid profile email offline_access" || g.RefreshToken == "" {
			t.Errorf("%+v", g)
		}
		c.accessSays(t, g.AccessToken, p.User.ID)
		c.idTokenSays(t, g, p)
		info := c.userinfo(t, g.AccessToken).is(t, 200, "").object(t)
		if info["sub"] != p.User.ID || info["email"] != p.email || info["email_verified"] != true {
			t.Errorf("userinfo: %v", info)
		}
		c.ask(t, "POST", "/oauth2/userinfo", nil, bearer(g.AccessToken)).is(t, 200, "")
		next := c.refresh(t, g.RefreshToken).given(t)
		if next.RefreshToken == g.RefreshToken || next.IDToken == "" || !c.introspect(t, next.RefreshToken) || !c.introspect(t, next.AccessToken) {
			t.Errorf("after the refresh: %+v", next)
		}
		if _, said := saidIn(t, next.IDToken); said["nonce"] != nil {
			t.Error("a refreshed ID token repeats the nonce")
		}
		c.ask(t, "POST", "/oauth2/revoke", c.shows("token", next.RefreshToken).Encode(), formed()).is(t, 200, "")
		if c.introspect(t, next.RefreshToken) || c.introspect(t, next.AccessToken) {
			t.Error("what was revoked is active")
		}
		c.userinfo(t, next.AccessToken).oauth(t, 401, "invalid_token")
		c.refresh(t, next.RefreshToken).oauth(t, 400, "invalid_grant")
		c.ask(t, "POST", "/oauth2/revoke", c.shows("token", "nothing").Encode(), formed()).is(t, 200, "")
	}
	if log := d.Log.String(); strings.Contains(log, "code=") || strings.Contains(log, "st&te") {
		t.Error("the log has codes or states")
	}
}

// accessSays checks what an access token says: nothing to Hasura.
func (c client) accessSays(t *testing.T, token, user string) {
	t.Helper()
	header, said := saidIn(t, token)
	for _, volatile := range []string{"iat", "exp", "jti", "session_id"} {
		if said[volatile] == nil {
			t.Errorf("no %s", volatile)
		}
		delete(said, volatile)
	}
	want := map[string]any{"iss": issuer, "sub": user, "aud": c.id, "client_id": c.id, "scope": "openid profile email offline_access"}
	if diff := cmp.Diff(want, said); diff != "" || header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("header %v, claims (-want +got):\n%s", header, diff)
	}
}

func (c client) idTokenSays(t *testing.T, g given, p person) {
	t.Helper()
	header, said := saidIn(t, g.IDToken)
	for _, volatile := range []string{"iat", "exp", "auth_time", "at_hash"} {
		if said[volatile] == nil {
			t.Errorf("no %s", volatile)
		}
		delete(said, volatile)
	}
	delete(said, "picture")
	delete(said, "name")
	want := map[string]any{"iss": issuer, "sub": p.User.ID, "aud": c.id, "nonce": "n-1", "email": p.email, "email_verified": true, "locale": "en"}
	if diff := cmp.Diff(want, said); diff != "" || header["typ"] != "JWT" || header["kid"] == nil {
		t.Errorf("header %v, claims (-want +got):\n%s", header, diff)
	}
}

func TestOAuthMetadata(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	a := d.ask(t, "GET", "/.well-known/openid-configuration", nil).is(t, 200, "")
	said := a.object(t)
	for name, want := range map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/oauth2/authorize", "jwks_uri": issuer + "/oauth2/jwks", "registration_endpoint": nil,
		"authorization_response_iss_parameter_supported": true, "request_parameter_supported": false,
	} {
		if said[name] != want {
			t.Errorf("%s is %v, want %v", name, said[name], want)
		}
	}
	if diff := cmp.Diff([]any{"ES256"}, said["id_token_signing_alg_values_supported"]); diff != "" {
		t.Error(diff)
	}
	d.ask(t, "GET", "/.well-known/oauth-authorization-server", nil).is(t, 200, strings.TrimSpace(a.body))
	resp, err := d.Client().Get(strings.TrimSuffix(d.URL, "/v1") + "/.well-known/oauth-authorization-server/v1")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("where RFC 8414 has it: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if keys := d.ask(t, "GET", "/oauth2/jwks", nil).object(t)["keys"].([]any); len(keys) != 1 {
		t.Errorf("keys: %v", keys)
	}
}

// TestOAuthAskRefused tries what a stranger may send to /oauth2/authorize. As long as it is not proved which client it is and where it
// lives, nobody is sent anywhere.
func TestOAuthAskRefused(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c := d.register(t, true, auth.ScopeOpenID, auth.ScopeEmail)
	for name, x := range map[string]struct {
		more []string
		word string
	}{
		"unknown client": {[]string{"client_id", "nobody"}, "invalid_client"}, "no client": {[]string{"client_id", ""}, "invalid_request"},
		"no address": {[]string{"redirect_uri", ""}, "invalid_request"}, "prefix": {[]string{"redirect_uri", "https://wiki.example.com/c"}, "invalid_request"},
		"suffix": {[]string{"redirect_uri", c.redirect + "/x"}, "invalid_request"}, "case": {[]string{"redirect_uri", "https://wiki.example.com/CB"}, "invalid_request"},
		"host in capitals": {[]string{"redirect_uri", "https://WIKI.example.com/cb"}, "invalid_request"}, "encoded": {[]string{"redirect_uri", "https://wiki.example.com/%63b"}, "invalid_request"},
		"user": {[]string{"redirect_uri", "https://a@wiki.example.com/cb"}, "invalid_request"}, "fragment": {[]string{"redirect_uri", c.redirect + "#x"}, "invalid_request"},
		"query": {[]string{"redirect_uri", c.redirect + "?x=1"}, "invalid_request"}, "other port": {[]string{"redirect_uri", "https://wiki.example.com:8443/cb"}, "invalid_request"},
		"http": {[]string{"redirect_uri", "http://wiki.example.com/cb"}, "invalid_request"}, "script": {[]string{"redirect_uri", "javascript:alert(1)"}, "invalid_request"},
		"loopback, other path": {[]string{"redirect_uri", "http://127.0.0.1:1234/cbx"}, "invalid_request"}, "loopback, https": {[]string{"redirect_uri", "https://127.0.0.1:1234/cb"}, "invalid_request"},
		"loopback by name": {[]string{"redirect_uri", "http://localhost:1234/cb"}, "invalid_request"}, "loopback, another": {[]string{"redirect_uri", "http://127.0.0.2:1234/cb"}, "invalid_request"},
		"loopback, user": {[]string{"redirect_uri", "http://127.0.0.1:1234@evil.example/cb"}, "invalid_request"}, "loopback, port 0": {[]string{"redirect_uri", "http://127.0.0.1:0/cb"}, "invalid_request"},
		"line break": {[]string{"state", "a\r\nLocation: https://evil.example"}, "invalid_request"}, "10 KB of state": {[]string{"state", strings.Repeat("x", 10<<10)}, "invalid_request"},
	} {
		a := d.knock(t, "GET", "/oauth2/authorize?"+c.asks(x.more...).Encode(), nil)
		if a.header.Get("Location") != "" {
			t.Errorf("%s: sent to %s", name, a.header.Get("Location"))
		}
		if a.object(t)["error"] != x.word {
			t.Errorf("%s: %s, want %s", name, a, x.word)
		}
	}
	twice := c.asks().Encode() + "&redirect_uri=" + url.QueryEscape("https://evil.example/cb")
	d.knock(t, "GET", "/oauth2/authorize?"+twice, nil).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/authorize", twice, formed()).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/authorize?client_id=x", c.asks().Encode(), formed()).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/authorize", c.asks("state", strings.Repeat("x", 10<<20)).Encode(), formed()).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/authorize", "{}").oauth(t, 400, "invalid_request")
	if n := value[int](t, d, `select count(*) from auth.tickets`); n != 0 {
		t.Errorf("%d requests are kept", n)
	}
	for name, x := range map[string]struct {
		more []string
		word string
	}{
		"no kind": {[]string{"response_type", ""}, "invalid_request"}, "token": {[]string{"response_type", "token"}, "unsupported_response_type"}, "code and more": {[]string{"response_type", "code id_token"}, "unsupported_response_type"},
		"a scope of others": {[]string{"scope", "openid graphql"}, "invalid_scope"}, "no scope there is": {[]string{"scope", "admin"}, "invalid_scope"},
		"no challenge": {[]string{"code_challenge", ""}, "invalid_request"}, "plain": {[]string{"code_challenge_method", "plain"}, "invalid_request"}, "no method": {[]string{"code_challenge_method", ""}, "invalid_request"},
		"short challenge": {[]string{"code_challenge", "x"}, "invalid_request"}, "fragment mode": {[]string{"response_mode", "fragment"}, "invalid_request"}, "prompt": {[]string{"prompt", "dance"}, "invalid_request"},
		"prompt none": {[]string{"prompt", "none"}, "login_required"}, "none and login": {[]string{"prompt", "none login"}, "invalid_request"}, "max_age": {[]string{"max_age", "-1"}, "invalid_request"},
		"request object": {[]string{"request", "x.y.z"}, "invalid_request"}, "request address": {[]string{"request_uri", "https://evil.example"}, "invalid_request"}, "resource": {[]string{"resource", "https://a/#b"}, "invalid_request"},
	} {
		to := location(t, d.knock(t, "GET", "/oauth2/authorize?"+c.asks(append([]string{"scope", "openid"}, x.more...)...).Encode(), nil))
		q := to.Query()
		if to.Host != "wiki.example.com" || q.Get("error") != x.word || q.Get("state") != "st&te" || q.Get("iss") != issuer || q.Get("error_description") == "" {
			t.Errorf("%s: sent to %s, want %s", name, to, x.word)
		}
	}
	// An address's own query stays, and any port of the loopback will do.
	for address, want := range map[string]string{
		"https://wiki.example.com/cb?from=postern": "https://wiki.example.com/cb?from=postern&error=", "http://127.0.0.1:50123/cb": "http://127.0.0.1:50123/cb?error=", "http://127.0.0.1/cb": "http://127.0.0.1/cb?error=",
	} {
		a := d.knock(t, "GET", "/oauth2/authorize?"+c.asks("redirect_uri", address, "scope", "admin").Encode(), nil)
		if !strings.HasPrefix(location(t, a).String(), want) {
			t.Errorf("%s: sent to %s", address, location(t, a))
		}
	}
}

// TestOAuthAnswers says who may answer a request, and how often.
func TestOAuthAnswers(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c := d.register(t, true)
	p := d.person(t)
	const unknown = "invalid-request"
	no := c.ask(t, "POST", "/oauth2/login", fields{"requestId": c.begin(t), "action": "deny"}, bearer(p.AccessToken)).is(t, 200, "").object(t)["redirectUri"].(string)
	if q := parsed(t, no).Query(); q.Get("error") != "access_denied" || q.Get("state") != "st&te" || q.Get("code") != "" {
		t.Errorf("denied: %s", no)
	}
	id := c.begin(t)
	c.allow(t, id, p.AccessToken)
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(p.AccessToken)).refused(t, 400, unknown, "")
	c.ask(t, "GET", "/oauth2/login?request_id="+id, nil).refused(t, 400, unknown, "")
	c.knock(t, "GET", "/oauth2/login?request_id=%27", nil).refused(t, 400, unknown, "")
	id = c.begin(t)
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}).refused(t, 401, "unauthorized", "")
	c.knock(t, "POST", "/oauth2/login", fields{"requestId": id, "action": "maybe"}, bearer(p.AccessToken)).invalid(t, "action")
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(d.guest(t).AccessToken)).refused(t, 403, "forbidden-anonymous", "")
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(d.actAs(t, p.User.ID).AccessToken)).refused(t, 403, "impersonated", "")
	d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(p.AccessToken)).refused(t, 401, "disabled-user", "")
	d.sql(t, `update auth.users set disabled = false where id = $1`, p.User.ID)
	d.Clock.Advance(10*time.Minute + time.Second)
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(p.AccessToken)).refused(t, 400, unknown, "")

	// Of two users who answer one request, one does.
	other := d.person(t)
	id = c.begin(t)
	c.allow(t, id, other.AccessToken)
	c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(d.person(t).AccessToken)).refused(t, 400, unknown, "")

	// A client that wants a fresh sign-in gets one.
	for _, more := range [][]string{{"prompt", "login"}, {"max_age", "5"}} {
		d.Clock.Advance(30 * time.Second)
		id = c.begin(t, more...)
		c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(other.AccessToken)).refused(t, 403, "elevated-claim-required", "")
		again := d.signIn(t, other.email, rightPassword)
		c.allow(t, id, again.AccessToken)
	}
}

func parsed(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestOAuthCodes tries codes in every way but the right one. What is refused is none the less good for the right one, unless it was
// used.
func TestOAuthCodes(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, public, other := d.register(t, false), d.register(t, true), d.register(t, false)
	p := d.person(t)
	code := c.code(t, p.AccessToken)
	theirs := other
	theirs.redirect = c.redirect
	for name, x := range map[string]struct {
		a    answer
		word string
	}{
		"other client":      {theirs.exchange(t, code), "invalid_grant"},
		"public client":     {public.exchange(t, code), "invalid_grant"},
		"wrong verifier":    {c.exchange(t, code, "code_verifier", strings.Repeat("w", 43)), "invalid_grant"},
		"challenge":         {c.exchange(t, code, "code_verifier", tokens.ChallengeOf(verifier)), "invalid_grant"},
		"no verifier":       {c.exchange(t, code, "code_verifier", ""), "invalid_request"},
		"other address":     {c.exchange(t, code, "redirect_uri", "http://127.0.0.1/cb"), "invalid_grant"},
		"no address":        {c.exchange(t, code, "redirect_uri", ""), "invalid_request"},
		"no code":           {c.exchange(t, code, "code", ""), "invalid_request"},
		"made up":           {c.exchange(t, tokens.NewVerifier()), "invalid_grant"},
		"other grant":       {c.exchange(t, code, "grant_type", "password"), "unsupported_grant_type"},
		"no grant":          {c.exchange(t, code, "grant_type", ""), "invalid_request"},
		"as refresh token":  {c.refresh(t, code), "invalid_grant"},
		"wrong secret":      {c.exchange(t, code, "client_secret", "x"), "invalid_client"},
		"no secret":         {c.exchange(t, code, "client_secret", ""), "invalid_client"},
		"public and secret": {public.exchange(t, code, "client_secret", "x"), "invalid_client"},
	} {
		if x.a.object(t)["error"] != x.word || x.a.status < 400 {
			t.Errorf("%s: %s, want %s", name, x.a, x.word)
		}
	}
	form := c.shows("grant_type", "authorization_code", "code", code, "redirect_uri", c.redirect, "code_verifier", verifier).Encode()
	d.knock(t, "POST", "/oauth2/token", form+"&code=x", formed()).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/token", form, formed(), header("Authorization", "Basic eDp5")).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/token", `{"grant_type":"authorization_code"}`).oauth(t, 400, "invalid_request")
	d.knock(t, "POST", "/oauth2/token", strings.Repeat("a", 10<<20), formed()).oauth(t, 400, "invalid_request")

	g := c.exchange(t, code).given(t) // still good
	if !c.introspect(t, g.RefreshToken) {
		t.Fatal("no session")
	}
	c.exchange(t, code).oauth(t, 400, "invalid_grant")
	if c.introspect(t, g.RefreshToken) || c.introspect(t, g.AccessToken) {
		t.Error("a code came twice, and what it gave goes on")
	}
	if n := value[int](t, d, `select count(*) from auth.audit_entries where event = 'oauth.replayed' and user_id = $1`, p.User.ID); n != 1 {
		t.Errorf("%d entries of it", n)
	}

	// Somebody who has seen a code of long ago ends nothing.
	code = c.code(t, p.AccessToken)
	g = c.exchange(t, code).given(t)
	d.Clock.Advance(5*time.Minute + time.Second)
	c.exchange(t, code).oauth(t, 400, "invalid_grant")
	if !c.introspect(t, g.RefreshToken) {
		t.Error("an old code ended a session")
	}
	fresh := c.code(t, d.signIn(t, p.email, rightPassword).AccessToken)
	d.Clock.Advance(5*time.Minute + time.Second)
	c.exchange(t, fresh).oauth(t, 400, "invalid_grant") // expired
}

// TestOAuthCodesDieWithWhatTheyAreOf ends, between the user's yes and the exchange, whatever it came from.
func TestOAuthCodesDieWithWhatTheyAreOf(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	for name, end := range map[string]func(t *testing.T, c client, p person){
		"banned": func(t *testing.T, c client, p person) {
			c.sql(t, `update auth.users set banned_until = now() + interval '1 day' where id = $1`, p.User.ID)
		},
		"deleted": func(t *testing.T, c client, p person) { c.sql(t, `delete from auth.users where id = $1`, p.User.ID) },
		"sign out": func(t *testing.T, c client, p person) {
			c.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t)
		},
		"everywhere": func(t *testing.T, c client, p person) {
			c.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t)
		},
		"password": func(t *testing.T, c client, p person) {
			c.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)).ok(t)
		},
		"client deleted": func(t *testing.T, c client, _ person) {
			if err := c.clients().Delete(t.Context(), c.id, chief()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := d.register(t, true), d.person(t)
			code := c.code(t, p.AccessToken)
			end(t, c, p)
			if a := c.exchange(t, code); a.status != 400 && a.status != 401 {
				t.Errorf("%s", a)
			}
		})
	}
}

// TestOAuthSessionsEndWithTheUsers ends sessions of clients by whatever ends those of users.
func TestOAuthSessionsEndWithTheUsers(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"AUTH_SESSION_LIMIT": "2"})
	for name, end := range map[string]func(t *testing.T, c client, p person, g given){
		"banned": func(t *testing.T, c client, p person, _ given) {
			c.sql(t, `update auth.users set banned_until = now() + interval '1 day' where id = $1`, p.User.ID)
		},
		"deleted": func(t *testing.T, c client, p person, _ given) {
			c.sql(t, `delete from auth.users where id = $1`, p.User.ID)
		},
		"everywhere": func(t *testing.T, c client, p person, _ given) {
			c.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t)
		},
		"password": func(t *testing.T, c client, p person, _ given) {
			c.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)).ok(t)
		},
		"one of the list": func(t *testing.T, c client, p person, _ given) {
			for _, s := range c.ask(t, "GET", "/user/sessions", nil, bearer(p.AccessToken)).is(t, 200, "").object(t)["sessions"].([]any) {
				if s := s.(map[string]any); s["clientId"] == c.id && s["clientName"] == "Wiki" {
					c.ask(t, "DELETE", "/user/sessions/"+s["id"].(string), nil, bearer(p.AccessToken)).ok(t)
					return
				}
			}
			t.Error("the list does not show the client")
		},
		"client deleted": func(t *testing.T, c client, _ person, _ given) {
			if err := c.clients().Delete(t.Context(), c.id, chief()); err != nil {
				t.Fatal(err)
			}
		},
		"refresh token replayed": func(t *testing.T, c client, _ person, g given) {
			d.Clock.Advance(time.Minute)
			c.refresh(t, c.refresh(t, g.RefreshToken).given(t).RefreshToken).given(t)
			c.refresh(t, g.RefreshToken).oauth(t, 400, "invalid_grant")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, p := d.register(t, true), d.person(t)
			g := c.grant(t, p.AccessToken)
			d.signIn(t, p.email, rightPassword) // the limit of users' sessions counts no clients'
			c.userinfo(t, g.AccessToken).is(t, 200, "")
			end(t, c, p, g)
			c.userinfo(t, g.AccessToken).oauth(t, 401, "invalid_token")
			if a := c.refresh(t, g.RefreshToken); a.status != 400 && a.status != 401 {
				t.Errorf("%s", a)
			}
		})
	}
}

// TestOAuthRefresh holds refresh tokens to the client that they were given to, and to what was allowed.
func TestOAuthRefresh(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, other, p := d.register(t, false), d.register(t, false), d.person(t)
	g := c.grant(t, p.AccessToken)
	other.refresh(t, g.RefreshToken).oauth(t, 400, "invalid_grant")
	if other.introspect(t, g.RefreshToken) || other.introspect(t, g.AccessToken) {
		t.Error("another client is told")
	}
	other.ask(t, "POST", "/oauth2/revoke", other.shows("token", g.RefreshToken).Encode(), formed()).is(t, 200, "")
	other.ask(t, "POST", "/oauth2/revoke", other.shows("token", g.AccessToken).Encode(), formed()).is(t, 200, "")
	c.refresh(t, g.RefreshToken, "scope", "openid phone").oauth(t, 400, "invalid_scope")
	c.refresh(t, g.RefreshToken, "client_secret", "x").oauth(t, 401, "invalid_client")
	c.refresh(t, "").oauth(t, 400, "invalid_request")
	c.refresh(t, p.RefreshToken).oauth(t, 400, "invalid_grant") // the user's own
	less := c.refresh(t, g.RefreshToken, "scope", "email").given(t)
	if less.Scope != "email" || less.IDToken != "" {
		t.Errorf("%+v", less)
	}
	// A lost answer is given again, for a moment.
	if again := c.refresh(t, g.RefreshToken).given(t); again.RefreshToken != less.RefreshToken || again.Scope != g.Scope {
		t.Errorf("%+v, want the token %s again", again, less.RefreshToken)
	}
	d.Clock.Advance(11 * time.Second)
	c.refresh(t, g.RefreshToken).oauth(t, 400, "invalid_grant")
	c.refresh(t, less.RefreshToken).oauth(t, 400, "invalid_grant") // the family is gone

	// Many at once: they all hold the same next token.
	g = c.grant(t, p.AccessToken)
	got := make([]string, 8)
	each(len(got), func(i int) { got[i] = c.refresh(t, g.RefreshToken).given(t).RefreshToken })
	if slices.Sort(got); got[0] != got[len(got)-1] {
		t.Errorf("several successors: %v", got)
	}
	// Of many exchanges one wins, and since the code came twice its session ends.
	code := c.code(t, p.AccessToken)
	won := make([]bool, 8)
	each(len(won), func(i int) { won[i] = c.exchange(t, code).status == 200 })
	if n := len(slices.DeleteFunc(won, func(w bool) bool { return !w })); n != 1 {
		t.Errorf("%d exchanges of one code", n)
	}
}

// TestClientsTokensOpenNoOtherDoor shows the tokens of a client wherever users show theirs, and the other way round.
func TestClientsTokensOpenNoOtherDoor(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_PLATFORM_API_ENABLED": "true", "AUTH_ADMIN_ROLE": "chief"})
	c, p := d.register(t, true), d.person(t)
	d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'chief')`, p.User.ID)
	for _, scope := range []string{"openid email", "openid graphql"} {
		g := c.grant(t, p.AccessToken, "scope", scope)
		before := d.state(t)
		for what, token := range map[string]string{"access token": g.AccessToken, "ID token": g.IDToken} {
			for _, o := range operations(t) {
				if o.bearer && o.path != hookPath {
					if a := o.send(t, d, token); a.status != 401 {
						t.Errorf("%s with an %s of %q: %s", o.id, what, scope, a)
					}
				}
			}
			for _, path := range []string{"/auth/v1/user", "/auth/v1/factors", "/auth/v1/reauthenticate", "/auth/v1/admin/users"} {
				resp, _ := d.DoAt(t, "GET", strings.TrimSuffix(d.URL, "/v1")+path, "", "Authorization", "Bearer "+token)
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					t.Errorf("GET %s with an %s of %q", path, what, scope)
				}
			}
			resp, said := d.DoAt(t, "POST", strings.TrimSuffix(d.URL, "/v1")+"/graphql", `{"query":"{users(first:9){edges{node{id}}}}"}`, "Authorization", "Bearer "+token, "X-Hasura-Role", "chief")
			_ = resp.Body.Close()
			if strings.Contains(said, p.User.ID) {
				t.Errorf("operators' GraphQL answers an %s of %q: %s", what, scope, said)
			}
			d.ask(t, "POST", "/token/verify", fields{"token": token}).is(t, 400, "")
			want := 401
			if scope == "openid graphql" && what == "access token" {
				want = 200
			}
			if a := d.bare(t, "GET", hookPath, nil, bearer(token)); a.status != want {
				t.Errorf("the webhook with an %s of %q: %s", what, scope, a)
			}
		}
		d.sameState(t, before, "tokens of clients")
		for _, a := range []answer{
			d.ask(t, "POST", "/token", fields{"refreshToken": g.RefreshToken}), d.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": g.RefreshToken}),
		} {
			if a.status != 401 {
				t.Errorf("%s", a)
			}
		}
		d.ask(t, "POST", "/signout", fields{"refreshToken": g.RefreshToken}).ok(t) // as for any token that is none
		c.userinfo(t, g.IDToken).oauth(t, 401, "invalid_token")
		c.refresh(t, g.RefreshToken).given(t)
	}
	c.userinfo(t, p.AccessToken).oauth(t, 401, "invalid_token")
	c.knock(t, "GET", "/oauth2/userinfo", nil).oauth(t, 401, "invalid_token")
	c.knock(t, "POST", "/oauth2/userinfo", nil).oauth(t, 401, "invalid_token")
	if c.introspect(t, p.AccessToken) || c.introspect(t, p.RefreshToken) {
		t.Error("a client is told of the user's own tokens")
	}
}

// each does something as often at once.
func each(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// TestTheScopeGraphQLSpeaksToHasura has the claims of Hasura in a token with that scope alone.
func TestTheScopeGraphQLSpeaksToHasura(t *testing.T) {
	t.Parallel()
	const namespace = "https://hasura.io/jwt/claims"
	d := oauthDoor(t, map[string]string{"HASURA_GRAPHQL_JWT_SECRET": testkeys.Secret(t, map[string]any{"audience": "the-engine"})})
	c, p := d.register(t, true), d.person(t)
	for scope, speaks := range map[string]bool{"openid email": false, "openid graphql": true} {
		g := c.grant(t, p.AccessToken, "scope", scope)
		_, access := saidIn(t, g.AccessToken)
		_, id := saidIn(t, g.IDToken)
		if (access[namespace] != nil) != speaks || id[namespace] != nil {
			t.Errorf("%q: %v, %v", scope, access, id)
		}
		if aud, _ := access["aud"].([]any); speaks != slices.Contains(aud, "the-engine") {
			t.Errorf("%q: audience %v", scope, access["aud"])
		}
		variables, _ := c.userinfo(t, g.AccessToken).object(t)[namespace].(map[string]any)
		if speaks && (variables["x-hasura-user-is-anonymous"] != false || len(variables["x-hasura-allowed-roles"].([]any)) != 2) || !speaks && variables != nil {
			t.Errorf("%q: userinfo says %v", scope, variables)
		}
	}
}

// TestOAuthIsLimited has one limit for clients and the browsers that they send.
func TestOAuthIsLimited(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_OAUTH2_SERVER_BURST": "2"})
	c := d.register(t, true)
	c.refresh(t, tokens.NewUUID()).oauth(t, 400, "invalid_grant")
	c.introspect(t, tokens.NewUUID())
	c.refresh(t, tokens.NewUUID()).refused(t, 429, "too-many-requests", "")
	c.knock(t, "GET", "/oauth2/authorize?"+c.asks().Encode(), nil).refused(t, 429, "too-many-requests", "")
}

// TestOAuthAsksTheOperatorsHooks has a hook of tokens see, change and refuse what a client gets.
func TestOAuthAsksTheOperatorsHooks(t *testing.T) {
	t.Parallel()
	moments := hooks.New()
	deny := false
	err := moments.TokenMinting.Bind(hooks.Binding[hooks.TokenMinting]{Name: "plan", Ask: func(_ context.Context, e hooks.TokenMinting) (func(*hooks.TokenMinting) error, error) {
		if e.Claims["client_id"] == nil {
			return nil, nil
		}
		if deny {
			return nil, &hooks.Denied{Message: "not today"}
		}
		return func(e *hooks.TokenMinting) error {
			claims := maps.Clone(e.Claims)
			claims["plan"], claims["client_id"], claims["scope"], claims["aud"] = "trial", "another", "admin", "everybody"
			return e.Replace(claims)
		}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := oauthDoor(t, nil, func(o *house.Options) { o.Hooks = moments })
	c, p := d.register(t, true), d.person(t)
	g := c.grant(t, p.AccessToken)
	if _, said := saidIn(t, g.AccessToken); said["plan"] != "trial" || said["client_id"] != c.id || said["aud"] != c.id || said["scope"] != g.Scope {
		t.Errorf("the token says %v", said)
	}
	code := c.code(t, p.AccessToken)
	deny = true
	c.exchange(t, code).oauth(t, 400, "access_denied")
	c.refresh(t, g.RefreshToken).oauth(t, 400, "access_denied")
	deny = false
	c.exchange(t, code).given(t) // neither was used up
	c.refresh(t, g.RefreshToken).given(t)
}

// TestAClientEndsWithThePersonalTokenThatLetItIn ends what a program let in, and what is worth less than a new factor.
func TestAClientEndsWithThePersonalTokenThatLetItIn(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := oauthDoor(t, nil, func(o *house.Options) { o.Now = clock.Now })
	c, p := d.register(t, true), d.person(t)
	id, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	g := c.grant(t, d.signInPAT(t, secret).session(t).AccessToken)
	d.ask(t, "DELETE", "/pat/"+id, nil, bearer(p.AccessToken)).ok(t)
	c.userinfo(t, g.AccessToken).oauth(t, 401, "invalid_token")

	g = c.grant(t, p.AccessToken)
	d.turnOn(t, p, clock)
	c.userinfo(t, g.AccessToken).oauth(t, 401, "invalid_token")
	c.refresh(t, g.RefreshToken).oauth(t, 400, "invalid_grant")
}

// FuzzOAuthAuthorize sends a browser anywhere but to an address of the client, or to the page.
func FuzzOAuthAuthorize(f *testing.F) {
	d := oauthDoor(f, nil)
	c := d.register(f, true)
	f.Add(c.asks().Encode())
	f.Add(c.asks("redirect_uri", "http://127.0.0.1:1/cb#x", "prompt", "none").Encode())
	f.Add("client_id=" + c.id + "&redirect_uri=https://wiki.example.com/cb&redirect_uri=https://evil.example&response_type=code")
	f.Add("client_id=" + c.id + "&redirect_uri=http://127.0.0.1:1@evil.example/cb&response_type=token")
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest(http.MethodGet, "/v1/oauth2/authorize", nil)
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		d.Handler.ServeHTTP(rec, req)
		to, err := url.Parse(rec.Header().Get("Location"))
		ours := err == nil && (to.String() == "" || to.Host == "wiki.example.com" || to.Hostname() == "127.0.0.1" || strings.HasPrefix(to.String(), clientURL+"/oauth2/login?"))
		if !ours || rec.Code >= 500 {
			t.Errorf("%q: %d to %s", query, rec.Code, to)
		}
	})
}

// TestOAuthFormsAreRefusedInTheWordsOfTheStandards sends what browsers and clients post, whole, without what must be there, and as nobody.
func TestOAuthFormsAreRefusedInTheWordsOfTheStandards(t *testing.T) {
	t.Parallel()
	c := oauthDoor(t, nil).register(t, false)
	post := func(path string, form url.Values) answer { return c.ask(t, "POST", path, form.Encode(), formed()) }
	if to := location(t, post("/oauth2/authorize", c.asks())); to.Query().Get("request_id") == "" {
		t.Errorf("sent to %s", to)
	}
	post("/oauth2/authorize", c.asks("client_id", "nobody")).oauth(t, 401, "invalid_client")
	for _, path := range []string{"/oauth2/introspect", "/oauth2/revoke"} {
		c.knock(t, "POST", path, c.shows().Encode(), formed()).oauth(t, 400, "invalid_request")
		post(path, c.shows("token", "x", "client_secret", "wrong")).oauth(t, 401, "invalid_client")
	}
}
