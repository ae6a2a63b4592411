package gotrue_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/tokens"
)

// TestAClientIsLetIn is the whole way: a client asks, the user looks and says yes, the client gets tokens, uses them, goes on
// with them, asks again without another question, and is shut out.
func TestAClientIsLetIn(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, user := d.registers(t, map[string]any{"client_uri": "https://wiki.example.com/"}), d.somebody(t)
	me := user["user"].(map[string]any)
	id := c.asks(t, "openid email profile")
	asked := d.ok(t, "GET", "/oauth/authorizations/"+id, "", "Authorization", bearer(user), "Origin", "https://app.example.com")
	want := map[string]any{
		"authorization_id": id, "redirect_uri": callbackURI, "scope": "openid email profile", "user": map[string]any{"id": me["id"], "email": me["email"]},
		"client": map[string]any{"id": c.id, "name": "Wiki", "uri": "https://wiki.example.com/", "logo_uri": ""},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	got := c.exchanges(t, d.decides(t, id, "approve", user).Get("code"), nil)
	said := got.said(t)
	if got.status != 200 || said["token_type"] != "bearer" || said["expires_in"] != 3600.0 || said["user"] != nil || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	access, identity := claims(t, said), claims(t, map[string]any{"access_token": said["id_token"]})
	for name, want := range map[string]any{"sub": me["id"], "role": "authenticated", "client_id": c.id, "iss": oauthIssuer, "aal": "aal1", "scope": "openid email profile"} {
		if access[name] != want {
			t.Errorf("%s in the access token is %v", name, access[name])
		}
	}
	for name, want := range map[string]any{"sub": me["id"], "aud": c.id, "iss": oauthIssuer, "nonce": "n1", "email": me["email"], "name": "Ann Lee", "phone_number": nil} {
		if identity[name] != want {
			t.Errorf("%s in the ID token is %v", name, identity[name])
		}
	}
	info := d.ok(t, "GET", "/oauth/userinfo", "", "Authorization", bearer(said))
	if info["sub"] != me["id"] || info["email"] != me["email"] || info["name"] != "Ann Lee" || info["user_metadata"].(map[string]any)["full_name"] != "Ann Lee" || info["phone"] != nil {
		t.Errorf("%v", info)
	}
	if own := d.ok(t, "GET", "/oauth/userinfo", "", "Authorization", bearer(user)); own["sub"] != me["id"] || own["email"] != me["email"] {
		t.Errorf("%v", own)
	}

	next := c.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {said["refresh_token"].(string)}}, nil)
	if next.status != 200 || next.said(t)["refresh_token"] == said["refresh_token"] {
		t.Fatalf("%d %s", next.status, next.body)
	}
	goesTo(t, d.ok(t, "GET", "/oauth/authorizations/"+c.asks(t, "email"), "", "Authorization", bearer(user))) // it was allowed before
	if more := d.ok(t, "GET", "/oauth/authorizations/"+c.asks(t, "email phone"), "", "Authorization", bearer(user)); more["redirect_url"] != nil {
		t.Errorf("a further scope is not asked about: %v", more)
	}

	grants := d.ask(t, "GET", "/user/oauth/grants", "", "Authorization", bearer(user))
	if !strings.HasPrefix(grants.body, `[{"client":{"id":"`+c.id+`","name":"Wiki"`) || !strings.Contains(grants.body, `"scopes":["email","openid","profile"],"granted_at":"`) {
		t.Errorf("%s", grants.body)
	}
	if a := d.ask(t, "DELETE", "/user/oauth/grants?client_id="+c.id, "", "Authorization", bearer(user)); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask(t, "DELETE", "/user/oauth/grants?client_id="+c.id, "", "Authorization", bearer(user)); a.status != 404 || a.code(t) != "oauth_consent_not_found" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := c.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {next.said(t)["refresh_token"].(string)}}, nil); a.status != 400 || a.said(t)["error"] != "invalid_grant" {
		t.Errorf("a client that was shut out goes on: %d %s", a.status, a.body)
	}
	if a := d.ask(t, "GET", "/oauth/userinfo", "", "Authorization", bearer(next.said(t))); a.status != 403 {
		t.Errorf("a client that was shut out looks: %d %s", a.status, a.body)
	}
	if list := d.ask(t, "GET", "/user/oauth/grants", "", "Authorization", bearer(user)); strings.TrimSpace(list.body) != "[]" {
		t.Errorf("%s", list.body)
	}
	if errors := d.Log.Errors(); errors != "" {
		t.Error(errors)
	}
}

// TestTheOAuthServerTellsOfItself in both documents, and offers no ID tokens that nobody could verify.
func TestTheOAuthServerTellsOfItself(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	said := d.ok(t, "GET", "/.well-known/openid-configuration", "")
	resp, before := d.DoAt(t, "GET", d.origin()+"/.well-known/oauth-authorization-server/auth/v1", "") // RFC 8414, 3.1
	defer resp.Body.Close()
	if diff := cmp.Diff(said, answer{body: before}.said(t)); diff != "" {
		t.Errorf("before the path of the issuer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(said, d.ok(t, "GET", "/.well-known/oauth-authorization-server", "")); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]any{
		"issuer": oauthIssuer, "token_endpoint": oauthIssuer + "/oauth/token", "jwks_uri": oauthIssuer + "/.well-known/jwks.json", "registration_endpoint": nil,
	} {
		if said[name] != want {
			t.Errorf("%s is %v", name, said[name])
		}
	}
	hs := open(t, map[string]string{"AUTH_OAUTH2_PROVIDER_ENABLED": "true", "AUTH_HASURA_API_ENABLED": "false", "AUTH_GOTRUE_URL": oauthIssuer, "AUTH_SERVER_URL": "https://auth.example.com", "HASURA_GRAPHQL_ADMIN_SECRET": adminSecret})
	if scopes := strings.Join(texts(hs.ok(t, "GET", "/.well-known/openid-configuration", "")["scopes_supported"]), " "); scopes != "profile email phone offline_access" {
		t.Errorf("without a key pair: %s", scopes)
	}
	a := hs.registers(t, nil).authorize(t, url.Values{"scope": {"openid"}})
	if to, _ := url.Parse(a.header.Get("Location")); to.Query().Get("error") != "invalid_scope" {
		t.Errorf("%d %v", a.status, to)
	}
}

func texts(v any) (list []string) {
	for _, item := range v.([]any) {
		list = append(list, item.(string))
	}
	return list
}

// TestWhoMayLetAClientIn is everybody but the user who was asked, in a page of the application.
func TestWhoMayLetAClientIn(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, user, other := d.registers(t, nil), d.somebody(t), d.somebody(t)
	id := c.asks(t, "email")
	d.ok(t, "GET", "/oauth/authorizations/"+id, "", "Authorization", bearer(user))
	due := d.somebody(t)
	app := d.enrol(t, due)
	app.raise(t, due)
	half := d.ok(t, "POST", "/token?grant_type=password", credentials(due["user"].(map[string]any)["email"].(string), password))
	guest := d.ok(t, "POST", "/signup", `{}`)
	of := c.letIn(t, other, "email")
	for name, who := range map[string]struct {
		want   string
		header []string
	}{
		"another user":            {"404 oauth_authorization_not_found", []string{"Authorization", bearer(other)}},
		"a guest":                 {"", []string{"Authorization", bearer(guest)}},
		"a factor that is due":    {"403 insufficient_aal", []string{"Authorization", bearer(half)}},
		"nobody":                  {"401 no_authorization", nil},
		"an anon key":             {"403 bad_jwt", []string{"Authorization", "Bearer " + signed(keyOf("anon"))}},
		"a client of another":     {"403 bad_jwt", []string{"Authorization", bearer(of)}},
		"another page":            {"400 validation_failed", []string{"Authorization", bearer(user), "Origin", "https://evil.example"}},
		"a page that looks alike": {"400 validation_failed", []string{"Authorization", bearer(user), "Origin", "https://app.example.com.evil.example"}},
		"a page in a sandbox":     {"400 validation_failed", []string{"Authorization", bearer(user), "Origin", "null"}},
	} {
		for _, request := range []string{"GET ", "POST /consent"} {
			method, path, _ := strings.Cut(request, " ")
			a := d.ask(t, method, "/oauth/authorizations/"+id+path, `{"action":"approve"}`, who.header...)
			if got := http.StatusText(a.status) + " " + a.code(t); a.status < 400 || who.want != "" && !strings.HasSuffix(who.want, a.code(t)) || who.want != "" && !strings.HasPrefix(who.want, a.statusText()) {
				t.Errorf("%s, %s: %s %s", name, request, got, a.body)
			}
		}
	}
	for _, wrong := range []string{``, `{}`, `{"action":"yes"}`, `{"action":["approve"]}`} {
		if a := d.ask(t, "POST", "/oauth/authorizations/"+id+"/consent", wrong, "Authorization", bearer(user)); a.status != 400 {
			t.Errorf("%s: %d %s", wrong, a.status, a.body)
		}
	}
	if q := d.decides(t, id, "deny", user); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("%v", q)
	}
	if a := d.ask(t, "POST", "/oauth/authorizations/"+id+"/consent", `{"action":"approve"}`, "Authorization", bearer(user)); a.status != 404 {
		t.Errorf("who said no says yes: %d %s", a.status, a.body)
	}
	// What users allow is theirs: nobody else sees it or takes it back.
	if list := d.ask(t, "GET", "/user/oauth/grants", "", "Authorization", bearer(user)); strings.TrimSpace(list.body) != "[]" {
		t.Errorf("%s", list.body)
	}
	if a := d.ask(t, "DELETE", "/user/oauth/grants?client_id="+c.id, "", "Authorization", bearer(user)); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"/user/oauth/grants", "/user", "/factors"} {
		if a := d.ask(t, "GET", path, "", "Authorization", bearer(of)); a.status == 200 {
			t.Errorf("a client reads %s: %s", path, a.body)
		}
	}
	d.ok(t, "GET", "/oauth/userinfo", "", "Authorization", bearer(of))
}

func (a answer) statusText() string {
	return strings.TrimSpace(strings.Join([]string{string(rune('0' + a.status/100)), string(rune('0' + a.status/10%10)), string(rune('0' + a.status%10))}, ""))
}

// TestWhatAClientCannotDo tries what others than the client would, each time with a code that is good.
func TestWhatAClientCannotDo(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	user := d.somebody(t)
	other := d.registers(t, nil)
	public := d.registers(t, map[string]any{"client_type": "public"})
	const noClient, noGrant, noRequest = "invalid_client", "invalid_grant", "invalid_request"
	for name, attack := range map[string]struct {
		want string
		more func(c *wiki) url.Values
	}{
		"a wrong secret":                 {noClient, func(c *wiki) url.Values { return url.Values{"client_id": {c.id}, "client_secret": {"x"}} }},
		"its secret in the body":         {noClient, func(c *wiki) url.Values { return url.Values{"client_id": {c.id}, "client_secret": {c.secret}} }},
		"no secret":                      {noClient, func(c *wiki) url.Values { return url.Values{"client_id": {c.id}} }},
		"another client":                 {noClient, func(*wiki) url.Values { return url.Values{"client_id": {other.id}, "client_secret": {other.secret}} }},
		"a public client":                {noGrant, func(*wiki) url.Values { return url.Values{"client_id": {public.id}} }},
		"a public client with a secret":  {noClient, func(*wiki) url.Values { return url.Values{"client_id": {public.id}, "client_secret": {""}} }},
		"another address":                {noGrant, func(*wiki) url.Values { return url.Values{"redirect_uri": {"https://wiki.example.com/cb"}} }},
		"no address":                     {noRequest, func(*wiki) url.Values { return url.Values{"redirect_uri": {""}} }},
		"another verifier":               {noGrant, func(*wiki) url.Values { return url.Values{"code_verifier": {tokens.NewVerifier()}} }},
		"no verifier":                    {noRequest, func(*wiki) url.Values { return url.Values{"code_verifier": {""}} }},
		"a parameter twice":              {noRequest, func(c *wiki) url.Values { return url.Values{"code_verifier": {c.verifier, c.verifier}} }},
		"a grant that nobody has":        {"unsupported_grant_type", func(*wiki) url.Values { return url.Values{"grant_type": {"password"}} }},
		"a grant of machines":            {"unsupported_grant_type", func(*wiki) url.Values { return url.Values{"grant_type": {"client_credentials"}} }},
		"no grant":                       {noRequest, func(*wiki) url.Values { return url.Values{"grant_type": {""}} }},
		"a refresh token that is a code": {noGrant, func(*wiki) url.Values { return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}} }},
		"the refresh token of its user": {noGrant, func(*wiki) url.Values {
			return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {user["refresh_token"].(string)}}
		}},
		"an operator who deletes it": {noClient, func(c *wiki) url.Values {
			c.ask(t, "DELETE", "/admin/oauth/clients/"+c.id, "", bySecret()...)
			return nil
		}},
		"an operator who renews a secret": {noClient, func(c *wiki) url.Values {
			c.ok(t, "POST", "/admin/oauth/clients/"+c.id+"/regenerate_secret", "", bySecret()...)
			return nil
		}},
	} {
		c := d.registers(t, nil)
		code := d.decides(t, c.asks(t, "email"), "approve", user).Get("code")
		a := c.exchanges(t, code, attack.more(c))
		if a.status != 400 || a.said(t)["error"] != attack.want || strings.Contains(a.body, c.secret) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if attack.want == noClient && a.code(t) != "invalid_credentials" {
			t.Errorf("%s in this dialect: %s", name, a.body)
		}
	}
	// A code is good once; the second time what it gave ends.
	c := d.registers(t, nil)
	code := d.decides(t, c.asks(t, "email"), "approve", user).Get("code")
	first := c.exchanges(t, code, nil)
	if a := c.exchanges(t, code, nil); first.status != 200 || a.said(t)["error"] != noGrant {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := d.ask(t, "GET", "/oauth/userinfo", "", "Authorization", bearer(first.said(t))); a.status == 200 {
		t.Errorf("what a replayed code gave is good: %s", a.body)
	}
	// What is given here is nothing at the endpoints of the other door.
	code = d.decides(t, c.asks(t, "email"), "approve", user).Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURI}, "code_verifier": {c.verifier}, "client_id": {c.id}, "client_secret": {c.secret}}
	if a := d.byHasura(t, "POST", "/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); a.status == 200 {
		t.Errorf("%s", a.body)
	}
	// JSON will do, and the newer shape of refusals.
	a := d.ask(t, "POST", "/oauth/token", object(map[string]any{"grant_type": "authorization_code", "client_id": c.id, "client_secret": "x", "code": code}), "X-Supabase-Api-Version", "2024-01-01")
	if said := a.said(t); a.status != 400 || said["code"] != "invalid_credentials" || said["error"] != noClient {
		t.Errorf("%d %s", a.status, a.body)
	}
	if errors := d.Log.Errors(); errors != "" || strings.Contains(d.Log.String(), c.secret) || strings.Contains(d.Log.String(), code) {
		t.Error(errors, "or a secret is in the log")
	}
}

// TestNobodyIsSentAnywhereUnproved answers what is no client's with words, and what is one's with a way back.
func TestNobodyIsSentAnywhereUnproved(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c := d.registers(t, nil)
	for name, more := range map[string]url.Values{
		"an unknown client": {"client_id": {tokens.NewUUID()}}, "no client": {"client_id": {""}}, "another address": {"redirect_uri": {"https://evil.example/cb"}},
		"an address further on": {"redirect_uri": {callbackURI + "&x=1"}}, "a parameter twice": {"redirect_uri": {callbackURI, "https://evil.example/"}},
		"10 kB": {"state": {strings.Repeat("x", 10000)}},
	} {
		a := c.authorize(t, more)
		if a.status != 400 || a.header.Get("Location") != "" || a.code(t) == "" {
			t.Errorf("%s: %d %v %s", name, a.status, a.header.Get("Location"), a.body)
		}
	}
	for name, more := range map[string]url.Values{
		"invalid_scope": {"scope": {"graphql"}}, "unsupported_response_type": {"response_type": {"token"}}, "invalid_request": {"code_challenge": {""}},
	} {
		a := c.authorize(t, more)
		if q := goesTo(t, map[string]any{"redirect_url": a.header.Get("Location")}); q.Get("error") != name {
			t.Errorf("%s: %v", name, q)
		}
	}
	if a := c.authorize(t, url.Values{"code_challenge_method": {"plain"}}); !strings.Contains(a.header.Get("Location"), "error=invalid_request") {
		t.Errorf("a plain challenge: %v", a.header)
	}
	if to := c.authorize(t, url.Values{"code_challenge_method": {"s256"}}).header.Get("Location"); !strings.Contains(to, "authorization_id=") {
		t.Error(to)
	}
}

// TestMachinesAndClientsOfUsersShareAPath where GoTrue is at /, the token endpoints of the OAuth server and of the management API are the
// same.
func TestMachinesAndClientsOfUsersShareAPath(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Open(t, map[string]string{
		"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_HASURA_API_ENABLED": "false", "AUTH_OAUTH2_PROVIDER_ENABLED": "true", "AUTH_SERVER_URL": "https://auth.example.com",
		"AUTH_GOTRUE_URL": oauthIssuer, "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "HASURA_GRAPHQL_ADMIN_SECRET": adminSecret, "AUTH_RATE_LIMIT_ENABLE": "false",
		"AUTH_MANAGEMENT_CLIENT_ID": "deployer", "AUTH_MANAGEMENT_CLIENT_SECRET": "bf3c1a0e5d9247f68ab1c04e7d3952f6", "AUTH_MANAGEMENT_AUDIENCE": "https://auth.example.com/api/v2/",
	})}
	c := d.registers(t, nil)
	code := d.decides(t, c.asks(t, "email"), "approve", d.somebody(t)).Get("code")
	atRoot := func(form url.Values) answer {
		resp, got := d.DoAt(t, "POST", d.origin()+"/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		defer resp.Body.Close()
		return answer{resp.StatusCode, resp.Header, got}
	}
	machine := atRoot(url.Values{"grant_type": {"client_credentials"}, "client_id": {"deployer"}, "client_secret": {"bf3c1a0e5d9247f68ab1c04e7d3952f6"}, "audience": {"https://auth.example.com/api/v2/"}})
	if machine.status != 200 || machine.said(t)["token_type"] != "Bearer" {
		t.Errorf("%d %s", machine.status, machine.body)
	}
	d.ok(t, "PUT", "/admin/oauth/clients/"+c.id, `{"token_endpoint_auth_method":"client_secret_post"}`, bySecret()...)
	user := atRoot(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURI}, "code_verifier": {c.verifier}, "client_id": {c.id}, "client_secret": {c.secret},
	})
	if user.status != 200 || user.said(t)["token_type"] != "bearer" {
		t.Errorf("%d %s", user.status, user.body)
	}
	// Neither is the other: what a machine has is not good for a user's grant.
	if a := atRoot(url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id}, "client_secret": {c.secret}, "audience": {"https://auth.example.com/api/v2/"}}); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := atRoot(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"deployer"}, "client_secret": {"bf3c1a0e5d9247f68ab1c04e7d3952f6"}}); a.said(t)["error"] != "invalid_client" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
