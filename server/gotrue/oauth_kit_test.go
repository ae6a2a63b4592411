package gotrue_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/internal/testkeys"
	"postern/tokens"
)

const (
	oauthIssuer = "https://auth.example.com/auth/v1"
	callbackURI = "https://wiki.example.com/cb?tenant=1"
)

// oauthDoor is a house with an OAuth server behind both doors, whose tokens everybody can verify.
func oauthDoor(t testing.TB, more map[string]string) door {
	t.Helper()
	settings := map[string]string{
		"AUTH_OAUTH2_PROVIDER_ENABLED": "true", "AUTH_SERVER_URL": "https://auth.example.com/v1", "HASURA_GRAPHQL_ADMIN_SECRET": adminSecret,
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_RATE_LIMIT_ENABLE": "false", "AUTH_ANONYMOUS_USERS_ENABLED": "true",
		"HASURA_GRAPHQL_JWT_SECRET": testkeys.Secret(t, nil),
	}
	maps.Copy(settings, more)
	return open(t, settings)
}

func object(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func bySecret() []string { return []string{"X-Hasura-Admin-Secret", adminSecret} }

// somebody signs up.
func (d door) somebody(t testing.TB) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/signup", `{"email":"`+newAddress()+`","password":"`+password+`","data":{"full_name":"Ann Lee"}}`)
}

// wiki is a client of the OAuth server.
type wiki struct {
	door
	id, secret string
	verifier   string
}

// registers has an operator make a client.
func (d door) registers(t testing.TB, more map[string]any) *wiki {
	t.Helper()
	asked := map[string]any{"client_name": "Wiki", "redirect_uris": []string{callbackURI}}
	maps.Copy(asked, more)
	a := d.ask(t, "POST", "/admin/oauth/clients", object(asked), bySecret()...)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	secret, _ := a.said(t)["client_secret"].(string)
	return &wiki{door: d, id: a.said(t)["client_id"].(string), secret: secret}
}

// asks sends a browser to the server, and gives the id of what the user is asked.
func (c *wiki) asks(t testing.TB, scope string) string {
	t.Helper()
	a := c.authorize(t, url.Values{"scope": {scope}})
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound || to.Query().Get("authorization_id") == "" || !strings.HasPrefix(to.String(), "https://app.example.com/oauth/consent?") {
		t.Fatalf("%d %s %s", a.status, to, a.body)
	}
	return to.Query().Get("authorization_id")
}

func (c *wiki) authorize(t testing.TB, more url.Values) answer {
	t.Helper()
	c.verifier = tokens.NewVerifier()
	q := url.Values{
		"client_id": {c.id}, "redirect_uri": {callbackURI}, "response_type": {"code"}, "state": {"s&1"}, "nonce": {"n1"},
		"code_challenge": {tokens.ChallengeOf(c.verifier)}, "code_challenge_method": {"S256"},
	}
	maps.Copy(q, more)
	return c.ask(t, "GET", "/oauth/authorize?"+q.Encode(), "")
}

// decides has a user answer, and gives where their browser goes.
func (d door) decides(t testing.TB, id, action string, session map[string]any) url.Values {
	t.Helper()
	return goesTo(t, d.ok(t, "POST", "/oauth/authorizations/"+id+"/consent", `{"action":"`+action+`"}`, "Authorization", bearer(session)))
}

func goesTo(t testing.TB, said map[string]any) url.Values {
	t.Helper()
	text, _ := said["redirect_url"].(string)
	to, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(text, callbackURI+"&") {
		t.Fatalf("%v", said)
	}
	q := to.Query()
	if q.Get("state") != "s&1" || q.Get("iss") != oauthIssuer || q.Get("tenant") != "1" {
		t.Errorf("%v", q)
	}
	return q
}

// exchanges gives what a client gets for a code.
func (c *wiki) exchanges(t testing.TB, code string, more url.Values) answer {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callbackURI}, "code_verifier": {c.verifier}}
	return c.tokens(t, form, more)
}

// tokens asks for some, by Basic unless the form shows the client.
func (c *wiki) tokens(t testing.TB, form, more url.Values) answer {
	t.Helper()
	maps.Copy(form, more)
	header := []string{"Content-Type", "application/x-www-form-urlencoded"}
	if !form.Has("client_id") {
		header = append(header, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.secret)))
	}
	return c.ask(t, "POST", "/oauth/token", form.Encode(), header...)
}

// letIn has a user let the client in, and gives its tokens.
func (c *wiki) letIn(t testing.TB, session map[string]any, scope string) map[string]any {
	t.Helper()
	code := c.decides(t, c.asks(t, scope), "approve", session).Get("code")
	a := c.exchanges(t, code, nil)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.said(t)
}
