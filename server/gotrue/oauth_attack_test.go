package gotrue_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"postern/tokens"
)

// TestAConsentOfTheOtherDoorIsAskedAbout has a client that a user let in at the door of Hasura Auth, to learn who they are, come here, where
// tokens speak for the user whatever their scopes.
func TestAConsentOfTheOtherDoorIsAskedAbout(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	c, user := d.registers(t, nil), d.somebody(t)
	q := url.Values{
		"client_id": {c.id}, "redirect_uri": {callbackURI}, "response_type": {"code"}, "scope": {"openid email"},
		"code_challenge": {tokens.ChallengeOf(tokens.NewVerifier())}, "code_challenge_method": {"S256"},
	}
	to, err := url.Parse(d.byHasura(t, "GET", "/oauth2/authorize?"+q.Encode(), "").header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	yes := object(map[string]string{"requestId": to.Query().Get("request_id")})
	if a := d.byHasura(t, "POST", "/oauth2/login", yes, "Authorization", bearer(user), "Content-Type", "application/json"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id := c.asks(t, "openid email")
	if asked := d.ok(t, "GET", "/oauth/authorizations/"+id, "", "Authorization", bearer(user)); asked["redirect_url"] != nil || asked["scope"] != "openid email" {
		t.Errorf("let in unasked: %v", asked)
	}
	d.decides(t, id, "approve", user)
	goesTo(t, d.ok(t, "GET", "/oauth/authorizations/"+c.asks(t, "email"), "", "Authorization", bearer(user))) // now it was allowed here
	if a := d.ask(t, "DELETE", "/user/oauth/grants?client_id=%00", "", "Authorization", bearer(user)); a.status != 404 {
		t.Errorf("an id that is none: %d %s", a.status, a.body)
	}
}

// TestNoStrangerIsARedirector has links lead nowhere for clients that registered themselves.
func TestNoStrangerIsARedirector(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"AUTH_GOTRUE_OAUTH_DYNAMIC_REGISTRATION": "true"})
	made := d.ask(t, "POST", "/oauth/clients/register", object(map[string]any{"redirect_uris": []string{callbackURI}, "token_endpoint_auth_method": "none"}))
	c := &wiki{door: d, id: made.said(t)["client_id"].(string)}
	for name, more := range map[string]url.Values{
		"prompt": {"prompt": {"none"}}, "scope": {"scope": {"graphql"}}, "response_type": {"response_type": {"token"}}, "challenge": {"code_challenge": {""}},
	} {
		if a := c.authorize(t, more); a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%s: %d to %s", name, a.status, a.header.Get("Location"))
		}
	}
	c.asks(t, "email")
}

// TestAClientsTokensAreNobodysHere shows what a client has wherever users and operators show theirs, and at the other door.
func TestAClientsTokensAreNobodysHere(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"AUTH_ADMIN_ROLE": "chief"})
	c, user := d.registers(t, nil), d.somebody(t)
	id := user["user"].(map[string]any)["id"].(string)
	d.holds(t, `insert into auth.user_roles (user_id, role) values ($1, 'chief') returning role`, id)
	of := c.letIn(t, user, "openid email profile phone offline_access")
	waiting := c.asks(t, "email")
	for _, token := range []string{of["access_token"].(string), of["id_token"].(string)} {
		for _, request := range []string{
			"GET /user", `PUT /user {"password":"another long password"}`, `PUT /user {"data":{"a":1}}`, "POST /logout", "POST /logout?scope=global", "GET /reauthenticate",
			`POST /factors {"factor_type":"totp"}`, "GET /user/identities/authorize?provider=github", "GET /user/oauth/grants", "DELETE /user/oauth/grants?client_id=" + c.id,
			"GET /oauth/authorizations/" + waiting, `POST /oauth/authorizations/` + waiting + `/consent {"action":"approve"}`, "GET /passkeys",
			"GET /admin/users", "GET /admin/users/" + id, "DELETE /admin/users/" + id, "GET /admin/oauth/clients", "DELETE /admin/oauth/clients/" + c.id,
			`POST /admin/generate_link {"type":"magiclink","email":"x@example.com"}`, `POST /invite {"email":"x@example.com"}`,
		} {
			what, body, _ := strings.Cut(request, " {")
			if body != "" {
				body = "{" + body
			}
			method, path, _ := strings.Cut(what, " ")
			if a := d.ask(t, method, path, body, "Authorization", "Bearer "+token, "apikey", token, "X-Hasura-Role", "chief"); a.status < 400 {
				t.Errorf("%s: %d %s", request, a.status, a.body)
			}
		}
		for _, path := range []string{"/oauth2/userinfo", "/user", "/user/sessions"} {
			if a := d.byHasura(t, "GET", path, "", "Authorization", "Bearer "+token); a.status != 401 {
				t.Errorf("%s of the other door: %d %s", path, a.status, a.body)
			}
		}
	}
	refresh := of["refresh_token"].(string)
	if a := d.ask(t, "POST", "/token?grant_type=refresh_token", object(map[string]string{"refresh_token": refresh})); a.status != 400 {
		t.Errorf("a client's refresh token opens a user's session: %d %s", a.status, a.body)
	}
	d.ok(t, "PUT", "/admin/oauth/clients/"+c.id, `{"token_endpoint_auth_method":"client_secret_post"}`, bySecret()...)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {c.id}, "client_secret": {c.secret}}
	if a := d.byHasura(t, "POST", "/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); a.status != 400 {
		t.Errorf("the other door refreshes it: %d %s", a.status, a.body)
	}
	if a := c.tokens(t, form, nil); a.status != 200 {
		t.Errorf("none of it ended the session: %d %s", a.status, a.body)
	}
}

// TestNothingIsLeftOfWhatWasTakenBack refreshes and exchanges while the user takes back what they allowed.
func TestNothingIsLeftOfWhatWasTakenBack(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, nil)
	user := d.somebody(t)
	id := user["user"].(map[string]any)["id"].(string)
	for range 4 {
		c := d.registers(t, map[string]any{"client_type": "public"})
		show := url.Values{"client_id": {c.id}}
		code := c.decides(t, c.asks(t, "email"), "approve", user).Get("code")
		first, ok := c.exchanges(t, code, show).said(t)["refresh_token"].(string)
		if !ok {
			t.Fatal("no refresh token")
		}
		code = goesTo(t, d.ok(t, "GET", "/oauth/authorizations/"+c.asks(t, "email"), "", "Authorization", bearer(user))).Get("code")
		var all sync.WaitGroup
		all.Go(func() {
			c.tokens(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first}}, show)
		})
		all.Go(func() { c.exchanges(t, code, show) })
		all.Go(func() {
			if a := d.ask(t, "DELETE", "/user/oauth/grants?client_id="+c.id, "", "Authorization", bearer(user)); a.status != http.StatusNoContent {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
		all.Wait()
		c.exchanges(t, code, show) // a code that waited is worth nothing, either
		if n := d.holds(t, `select count(*)::text from auth.refresh_tokens t join auth.oauth_sessions o on o.session_id = t.id where t.user_id = $1`, id); n != "0" {
			t.Errorf("%s sessions are left", n)
		}
	}
}

// TestPublishedClientsAreTheOtherDoors has a client that nobody registered, and that the door of Hasura Auth takes since it publishes what it is, be
// none here: tokens of clients speak for the user here, and nobody would read the document again.
func TestPublishedClientsAreTheOtherDoors(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"client_id":"http://%s%s","redirect_uris":[%q]}`, r.Host, r.URL.Path, callbackURI)
	}))
	t.Cleanup(site.Close)
	d := oauthDoor(t, map[string]string{"AUTH_OAUTH2_PROVIDER_CIMD_ENABLED": "true", "AUTH_OAUTH2_PROVIDER_CIMD_ALLOW_INSECURE_TRANSPORT": "true"})
	c := &wiki{door: d, id: site.URL + "/client.json"}
	for range 2 { // before it is known, and once it is
		if a := c.authorize(t, url.Values{"scope": {"email"}}); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest || a.header.Get("Location") != "" {
			t.Errorf("%d %s to %s", a.status, a.body, a.header.Get("Location"))
		}
		show := url.Values{"client_id": {c.id}}
		if a := c.exchanges(t, "code", show); !strings.Contains(a.body, "invalid_client") {
			t.Errorf("%d %s", a.status, a.body)
		}
		q := url.Values{
			"client_id": {c.id}, "redirect_uri": {callbackURI}, "response_type": {"code"}, "scope": {"openid email"},
			"code_challenge": {tokens.ChallengeOf(tokens.NewVerifier())}, "code_challenge_method": {"S256"},
		}
		if a := d.byHasura(t, "GET", "/oauth2/authorize?"+q.Encode(), ""); a.status != http.StatusFound {
			t.Errorf("at the other door: %d %s", a.status, a.body)
		}
	}
}
