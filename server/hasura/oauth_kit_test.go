package hasura_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"

	"postern/auth"
	"postern/flow"
	"postern/house"
	"postern/internal/testkeys"
	"postern/tokens"
)

// oauthOperations are requests to the OAuth server, which is off where the sweeps are.
func oauthOperations(challenge string) map[string]operation {
	ask := url.Values{"client_id": {"c"}, "redirect_uri": {"https://wiki.example.com/cb"}, "response_type": {"code"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}.Encode()
	token := url.Values{"token": {tokens.NewUUID()}, "client_id": {"c"}}.Encode()
	return map[string]operation{
		"oauth2Authorize": {query: "?" + ask}, "oauth2AuthorizePost": {form: ask},
		"oauth2LoginGet": {query: "?request_id=" + tokens.NewUUID()}, "oauth2LoginPost": {body: fields{"requestId": tokens.NewUUID(), "action": "approve"}},
		"oauth2Token":      {form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.NewUUID()}, "client_id": {"c"}}.Encode()},
		"oauth2Introspect": {form: token}, "oauth2Revoke": {form: token},
		"oauth2UserinfoGet": {}, "oauth2UserinfoPost": {}, "oauth2Jwks": {}, "getOpenIDConfiguration": {}, "getOAuthAuthorizationServer": {},
	}
}

// issuer is the public address of the houses with an OAuth server.
const issuer = "https://auth.example.com/v1"

// oauthDoor opens a house with an OAuth server.
func oauthDoor(t testing.TB, settings map[string]string, options ...func(*house.Options)) doorway {
	t.Helper()
	all := unverified("AUTH_OAUTH2_PROVIDER_ENABLED", "true", "AUTH_SERVER_URL", issuer)
	all["HASURA_GRAPHQL_JWT_SECRET"] = testkeys.Secret(t, nil)
	maps.Copy(all, settings)
	return openDoor(t, all, options...)
}

// client is a client of the OAuth server, in a browser and in its own place.
type client struct {
	doorway
	id, secret, redirect string
	method               string
}

// register makes a client: one with a secret, or a public one.
func (d doorway) register(t testing.TB, public bool, scopes ...string) client {
	t.Helper()
	if len(scopes) == 0 {
		scopes = auth.OAuthScopes()
	}
	c := client{doorway: d, redirect: "https://wiki.example.com/cb", method: auth.ClientSecretPost}
	if public {
		c.method = auth.NoClientSecret
	}
	made, secret, err := (&flow.OAuthClients{Kit: d.Kit}).Create(t.Context(), flow.NewOAuthClient{
		Name: "Wiki", RedirectURIs: []string{c.redirect, "http://127.0.0.1/cb", "https://wiki.example.com/cb?from=postern"}, AuthMethod: c.method, Scopes: scopes,
	}, chief())
	if err != nil {
		t.Fatal(err)
	}
	c.id, c.secret = made.ID, secret
	return c
}

// verifier is that of every request.
var verifier = strings.Repeat("v", 43)

// asks are the parameters of a request.
func (c client) asks(more ...string) url.Values {
	q := url.Values{
		"client_id": {c.id}, "redirect_uri": {c.redirect}, "response_type": {"code"}, "scope": {"openid profile email offline_access"}, "state": {"st&te"}, "nonce": {"n-1"},
		"code_challenge": {tokens.ChallengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
		if more[i+1] == "" {
			q.Del(more[i])
		}
	}
	return q
}

// request sends a browser, and gives the id that the page gets.
func (c client) begin(t testing.TB, more ...string) string {
	t.Helper()
	a := c.knock(t, "GET", "/oauth2/authorize?"+c.asks(more...).Encode(), nil)
	to := location(t, a)
	id := to.Query().Get("request_id")
	if a.status != 302 || id == "" || !strings.HasPrefix(to.String(), clientURL+"/oauth2/login?") {
		t.Fatalf("%s to %s", a, to)
	}
	return id
}

func location(t testing.TB, a answer) *url.URL {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != 302 {
		t.Fatalf("%s: %v", a, err)
	}
	return u
}

// allow says yes, and gives where the browser goes.
func (c client) allow(t testing.TB, id, token string) url.Values {
	t.Helper()
	a := c.ask(t, "POST", "/oauth2/login", fields{"requestId": id}, bearer(token)).is(t, 200, "")
	to, err := url.Parse(a.object(t)["redirectUri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return to.Query()
}

// code gets a code from a user.
func (c client) code(t testing.TB, token string, more ...string) string {
	t.Helper()
	return c.allow(t, c.begin(t, more...), token).Get("code")
}

// with shows the client in a form.
func (c client) shows(more ...string) url.Values {
	form := url.Values{"client_id": {c.id}}
	if c.secret != "" {
		form.Set("client_secret", c.secret)
	}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
		if more[i+1] == "" {
			form.Del(more[i])
		}
	}
	return form
}

func (c client) exchange(t testing.TB, code string, more ...string) answer {
	t.Helper()
	form := c.shows(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", c.redirect, "code_verifier", verifier}, more...)...)
	return c.knock(t, "POST", "/oauth2/token", form.Encode(), formed())
}

func (c client) refresh(t testing.TB, token string, more ...string) answer {
	t.Helper()
	return c.knock(t, "POST", "/oauth2/token", c.shows(append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...).Encode(), formed())
}

func (c client) introspect(t testing.TB, token string) bool {
	t.Helper()
	a := c.ask(t, "POST", "/oauth2/introspect", c.shows("token", token).Encode(), formed()).is(t, 200, "")
	active, _ := a.object(t)["active"].(bool)
	if !active {
		a.is(t, 200, `{"active":false}`)
	}
	return active
}

func (c client) userinfo(t testing.TB, token string) answer {
	t.Helper()
	return c.ask(t, "GET", "/oauth2/userinfo", nil, bearer(token))
}

// given is what a client got.
type given struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
}

func (a answer) given(t testing.TB) (g given) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.is(t, 200, "").body), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// grants a client what it asks for.
func (c client) grant(t testing.TB, token string, more ...string) given {
	t.Helper()
	return c.exchange(t, c.code(t, token, more...)).given(t)
}

// oauth checks a refusal in the words of the standards.
func (a answer) oauth(t testing.TB, status int, word string) {
	t.Helper()
	if a.status != status || a.object(t)["error"] != word || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s, want %d %s", a, status, word)
	}
}

// said reads a token without looking at its signature.
func saidIn(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	for i, into := range []*map[string]any{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			t.Fatalf("%s: %v", token, err)
		}
	}
	return header, payload
}

// clients is the desk of a house.
func (d doorway) clients() *flow.OAuthClients { return &flow.OAuthClients{Kit: d.Kit} }
