package providers_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakeprovider"
	"postern/providers"
)

func TestWeakness46AppleTellsTheNameOnce(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("apple")), "apple")
	if posts, ok := p.(providers.PostsBack); !ok || !posts.PostsBack() {
		t.Error("Apple does not say that it posts back")
	}
	fake.Be(fakeprovider.Person{ID: "1", Email: "a@example.com", Name: "Ada Lovelace", Verified: "true"})
	got, _, err := signIn(t, fake, p)
	if err != nil || got.Name != "Ada Lovelace" || !got.EmailVerified {
		t.Errorf("first sign-in: %+v, %v, want her name and a verified address", got, err)
	}
	fake.Be(fakeprovider.Person{ID: "1", Email: "a@example.com", Name: "Ada Lovelace", Keep: true})
	if got, _, err = signIn(t, fake, p); err != nil || got.Name != "" {
		t.Errorf("later sign-in: %+v, %v, want no name", got, err)
	}
}

// The form field with the name comes through the browser: nobody signed it.
func TestApplesFormIsBelievedForTheNameAlone(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("apple")), "apple")
	fake.Be(fakeprovider.Person{ID: "1", Email: "a@example.com", Verified: false})
	for _, user := range []string{
		`{"email":"victim@example.com","email_verified":true,"sub":"2"}`,
		`{"name":{"firstName":["x"],"lastName":1},"email":"victim@example.com"}`,
		`{"name":"Ada","email":"victim@example.com"}`,
		`[]`, `null`, `{`, `"x"`, strings.Repeat(`{"name":`, 5000), strings.Repeat("x", 100000), "\x00",
	} {
		c, _ := visit(t, fake, p, start)
		c.Values.Set("user", user)
		got, _, err := p.Finish(t.Context(), c)
		if err != nil || got.ID != "1" || got.Email != "a@example.com" || got.EmailVerified || got.Name != "" || strings.Contains(string(got.Raw), "victim") {
			t.Errorf("%.60s: %+v, %v, want the profile of the id token", user, got, err)
		}
	}
}

func TestApplesKeyInEveryForm(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	key := fake.ApplePrivateKey()
	block, _, _ := strings.Cut(strings.TrimPrefix(key, "-----BEGIN PRIVATE KEY-----\n"), "\n-----END")
	for name, form := range map[string]string{
		"as it is": key, "with \\n": strings.ReplaceAll(key, "\n", `\n`), "base64": base64.StdEncoding.EncodeToString([]byte(key)),
		"base64 in lines": wrap(base64.StdEncoding.EncodeToString([]byte(key))), "base64 of the key alone": block, "blanks around": "  " + key + " \n",
	} {
		vars := fake.Env("apple")
		vars["AUTH_PROVIDER_APPLE_PRIVATE_KEY"] = form
		if _, _, err := signIn(t, fake, find(t, open(t, fake, vars), "apple")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, form := range map[string]string{
		"words": "s3cret", "base64 of words": "czNjcmV0", "an empty block": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
		"an RSA key":   "MIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8AgEAAkEAq7BFUpkGp3+LQmlQYx2eqzDV+xeG8kx/sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ2zpAswIDAQABAkAgisq4+zRdrzkwH1ITV1vpytnkO/NiHcnePQiOW0VUybPyHoGM/jf75C5xET7ZQpBe5kx5VHsPZj0CBb3b+wSRAiEA2mPWCBytosIU/ODRfq6EiV04lt6waE7I2uSPqIC20LcCIQDJQYIHQII+3YaPqyhGgqMexuuuGx+lDKD6/Fu/JwPb5QIhAKthiYcYKlL9h8bjDsQhZDUACPasjzdsDEdq8inDyLOFAiEAmCr/tZwA3qeAZoBzI10DGPIuoKXBd3nk/eBxPkaxlEECIQCNymjsoI7GldtujVnr1qT+3yedLfHKsrDVjIT3LsvTqw==",
		"a public key": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZqro0bTuCmTgfJsKSXuQ8QUgnQim\n-----END PUBLIC KEY-----",
	} {
		vars := fake.Env("apple")
		vars["AUTH_PROVIDER_APPLE_PRIVATE_KEY"] = form
		_, err := providers.Open(settings(vars), nil, time.Now)
		if err == nil || !strings.Contains(err.Error(), "AUTH_PROVIDER_APPLE_PRIVATE_KEY must be the private key") || strings.Contains(err.Error(), form) {
			t.Errorf("%s: %v, want a refusal that names the setting", name, err)
		}
	}
}

func wrap(text string) string {
	var b strings.Builder
	for i, r := range text {
		if i%64 == 0 {
			b.WriteByte('\n')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// The fake holds each client secret against Apple's rules and its clock, so none may be kept for
// too long: here half a year passes.
func TestApplesClientSecretNeverExpires(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	c := newClock()
	fake.Now = c.now
	p := find(t, openWith(t, fake.Client(), fake.Env("apple"), c.now), "apple")
	for range 3 {
		_, tokens, err := signIn(t, fake, p)
		if err != nil {
			t.Fatal(err)
		}
		c.advance(100 * 24 * time.Hour)
		if _, err := p.(providers.Refresher).Refresh(t.Context(), tokens.Refresh); err != nil {
			t.Error(err)
		}
	}
}

func TestWorkOSNeedsOneDirectory(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	base := fake.Env("workos")
	delete(base, "AUTH_PROVIDER_WORKOS_DEFAULT_ORGANIZATION")
	tests := []struct {
		name, connection, organization, domain string // settings
		params                                 map[string]string
		want                                   url.Values
	}{
		{"nothing", "", "", "", nil, nil},
		{"nothing but strangers", "", "", "", map[string]string{"domain": "evil.example", "redirect_uri": "https://evil.example"}, nil},
		{"the client's connection", "c", "o", "d", map[string]string{"connection": "mine", "organization": "mine too"}, url.Values{"connection": {"mine"}}},
		{"the client's organization", "c", "o", "d", map[string]string{"organization": "mine"}, url.Values{"organization": {"mine"}}},
		{"the default connection", "c", "o", "d", nil, url.Values{"connection": {"c"}}},
		{"the default organization", "", "o", "d", nil, url.Values{"organization": {"o"}}},
		{"the default domain", "", "", "d", nil, url.Values{"domain": {"d"}}},
	}
	for _, tt := range tests {
		vars := map[string]string{"AUTH_PROVIDER_WORKOS_DEFAULT_CONNECTION": tt.connection, "AUTH_PROVIDER_WORKOS_DEFAULT_ORGANIZATION": tt.organization, "AUTH_PROVIDER_WORKOS_DEFAULT_DOMAIN": tt.domain}
		for name, v := range base {
			vars[name] = v
		}
		s := start
		s.Params = tt.params
		begun, err := find(t, open(t, fake, vars), "workos").Begin(t.Context(), s)
		if tt.want == nil {
			if !errors.Is(err, providers.ErrParameters) {
				t.Errorf("%s: %v, want ErrParameters", tt.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := queryOf(t, begun.URL)
		for _, usual := range []string{"client_id", "redirect_uri", "response_type", "state"} {
			if got.Get(usual) == "" {
				t.Errorf("%s: %s is missing", tt.name, usual)
			}
			got.Del(usual)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func queryOf(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// What clients may add is what the row says: nothing of theirs reaches the address otherwise.
func TestClientsCannotChangeTheAddress(t *testing.T) {
	t.Parallel()
	for _, name := range everyName {
		fake := fakeprovider.New(t)
		p := find(t, open(t, fake, fake.Env(name)), name)
		s := start
		s.Params = map[string]string{}
		for _, param := range []string{"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "login_hint", "iss", "request", "request_uri"} {
			s.Params[param] = "evil"
		}
		begun, err := p.Begin(t.Context(), s)
		if err != nil || strings.Contains(begun.URL, "evil") {
			t.Errorf("%s: %s, %v", name, begun.URL, err)
		}
		if strings.Contains(begun.URL, start.Verifier) || strings.Contains(begun.URL, "s3cret") {
			t.Errorf("%s: a secret is in the address %s", name, begun.URL)
		}
	}
}

func TestTwitterBindsTheCallbackToItsRequestToken(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("twitter")), "twitter")
	mine, back := visit(t, fake, p, start)
	if !strings.HasPrefix(back.URL, callbackURL+"?") || mine.Values.Get("state") != start.State {
		t.Errorf("back at %s, want the callback with the state", back.URL)
	}
	theirs, _ := visit(t, fake, p, start)
	tests := map[string]func(c *providers.Callback){
		"somebody else's token":    func(c *providers.Callback) { c.Values = theirs.Values },
		"somebody else's secret":   func(c *providers.Callback) { c.Temporary = theirs.Temporary },
		"no secret":                func(c *providers.Callback) { c.Temporary = "" },
		"no token":                 func(c *providers.Callback) { c.Values.Del("oauth_token") },
		"no verifier":              func(c *providers.Callback) { c.Values.Del("oauth_verifier") },
		"made-up verifier":         func(c *providers.Callback) { c.Values.Set("oauth_verifier", "x") },
		"secret that is no secret": func(c *providers.Callback) { c.Temporary = "%zz" },
	}
	for name, spoil := range tests {
		c := mine
		c.Values = url.Values{}
		for k, v := range mine.Values {
			c.Values[k] = v
		}
		spoil(&c)
		if got, _, err := p.Finish(t.Context(), c); !errors.Is(err, providers.ErrExchange) || got.ID != "" {
			t.Errorf("%s: %+v, %v, want ErrExchange", name, got, err)
		}
	}
	if _, _, err := p.Finish(t.Context(), mine); err != nil {
		t.Errorf("the right one: %v", err)
	}
	for role, want := range map[fakeprovider.Role]string{fakeprovider.Temporary: "not a request token"} {
		fake.Answer(role, fakeprovider.Answer{Body: "oauth_token=x&oauth_token_secret=y&oauth_callback_confirmed=false", Form: true})
		if _, err := p.Begin(t.Context(), start); !errors.Is(err, providers.ErrExchange) || !strings.Contains(err.Error(), want) {
			t.Errorf("an unconfirmed callback: %v", err)
		}
	}
}

func TestCallbacksThatAreNone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"google", "corp", "github", "apple"} {
		fake := fakeprovider.New(t)
		p := find(t, open(t, fake, fake.Env(name)), name)
		tests := map[string]func(c *providers.Callback){
			"no code":              func(c *providers.Callback) { c.Values.Del("code") },
			"empty code":           func(c *providers.Callback) { c.Values.Set("code", "") },
			"two codes":            func(c *providers.Callback) { c.Values.Add("code", "x") },
			"made-up code":         func(c *providers.Callback) { c.Values.Set("code", "x") },
			"other callback":       func(c *providers.Callback) { c.CallbackURL = "https://evil.example/callback" },
			"nothing":              func(c *providers.Callback) { c.Values = nil },
			"id token and no code": func(c *providers.Callback) { c.Values = url.Values{"id_token": {fake.IDToken(name, nil)}} },
		}
		if name != "apple" {
			tests["other verifier"] = func(c *providers.Callback) { c.Verifier = strings.Repeat("v", 43) }
			tests["no verifier"] = func(c *providers.Callback) { c.Verifier = "" }
		}
		if name != "github" {
			tests["another issuer (RFC 9207)"] = func(c *providers.Callback) { c.Values.Set("iss", "https://evil.example") }
		}
		if name == "github" {
			delete(tests, "id token and no code")
		}
		for what, spoil := range tests {
			c, _ := visit(t, fake, p, start)
			spoil(&c)
			if got, tokens, err := p.Finish(t.Context(), c); !errors.Is(err, providers.ErrExchange) || got.ID != "" || tokens.Access != "" {
				t.Errorf("%s, %s: %+v, %v, want ErrExchange", name, what, got, err)
			}
		}
	}
}

func TestRefusalsKeepTheirWords(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("github")), "github")
	_, _, err := p.Finish(t.Context(), providers.Callback{Values: url.Values{
		"error": {"server_error"}, "error_description": {"words"}, "error_uri": {"https://example.com/why"}, "code": {"x"},
	}})
	var refused *providers.Refused
	if !errors.As(err, &refused) || *refused != (providers.Refused{Code: "server_error", Description: "words", URI: "https://example.com/why"}) {
		t.Errorf("%#v", err)
	}
	if fake.Seen(fakeprovider.Token) != 0 {
		t.Error("a code beside an error was used")
	}
}

func TestTokensAreRenewed(t *testing.T) {
	t.Parallel()
	for _, name := range everyName {
		fake := fakeprovider.New(t)
		p := find(t, open(t, fake, fake.Env(name)), name)
		r, ok := p.(providers.Refresher)
		if ok == (name == "twitter") {
			t.Errorf("%s: renews tokens: %v", name, ok)
		}
		if !ok {
			continue
		}
		_, tokens, err := signIn(t, fake, p)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := r.Refresh(t.Context(), tokens.Refresh)
		if err != nil || fresh.Access == "" || fresh.Access == tokens.Access || fresh.Refresh == "" || fresh.ExpiresAt.IsZero() {
			t.Errorf("%s: %+v, %v", name, fresh, err)
		}
		keeps := name == "google" || name == "figma"
		if (fresh.Refresh == tokens.Refresh) != keeps {
			t.Errorf("%s: the refresh token stays the same: %v, want %v", name, !keeps, keeps)
		}
		for what, bad := range map[string]string{"none": "", "made-up": "x"} {
			if got, err := r.Refresh(t.Context(), bad); !errors.Is(err, providers.ErrExchange) || got != (providers.Tokens{}) {
				t.Errorf("%s, %s: %+v, %v, want ErrExchange", name, what, got, err)
			}
		}
	}
}

func TestScopesOfTokensAreOneList(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"twitch": "user:read:email", "strava": "profile:read_all", "kakao": "account_email profile_image profile_nickname", "google": "openid email profile",
	} {
		fake := fakeprovider.New(t)
		_, tokens, err := signIn(t, fake, find(t, open(t, fake, fake.Env(name)), name))
		if err != nil || tokens.Scope != want {
			t.Errorf("%s: %q, %v, want %q", name, tokens.Scope, err, want)
		}
	}
}

func TestScopesCanBeSet(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	vars := fake.Env("github", "keycloak", "google", "facebook")
	for name, scope := range map[string]string{"GITHUB": "user:email,repo", "KEYCLOAK": "email,roles", "GOOGLE": "email", "FACEBOOK": "email,public_profile"} {
		vars["AUTH_PROVIDER_"+name+"_SCOPE"] = scope
	}
	table := open(t, fake, vars)
	for name, want := range map[string]string{"github": "user:email repo", "keycloak": "openid email roles", "google": "email", "facebook": "email,public_profile"} {
		begun, err := find(t, table, name).Begin(t.Context(), start)
		if err != nil {
			t.Fatal(err)
		}
		q := queryOf(t, begun.URL)
		if got := q.Get("scope"); got != want {
			t.Errorf("%s: scope %q, want %q", name, got, want)
		}
		if name == "google" && q.Has("nonce") {
			t.Error("google: a nonce without openid: there will be no id token to repeat it")
		}
	}
}

// A GitHub and a GitLab of one's own.
func TestAddressesCanBeSet(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	got, _, err := signIn(t, fake, find(t, openWith(t, http.DefaultClient, fake.GitHubEnv(), time.Now), "github"))
	if err != nil || got.Email != "ada@example.com" || !got.EmailVerified {
		t.Errorf("github: %+v, %v", got, err)
	}
	vars := fake.Env("gitlab")
	vars["AUTH_PROVIDER_GITLAB_URL"] = "https://git.example.com/sub/"
	begun, err := find(t, open(t, fake, vars), "gitlab").Begin(t.Context(), start)
	if err != nil || !strings.HasPrefix(begun.URL, "https://git.example.com/sub/oauth/authorize?") {
		t.Errorf("gitlab: %s, %v", begun.URL, err)
	}
	vars = fake.Env("entraid")
	vars["AUTH_PROVIDER_ENTRAID_TENANT"] = "example.onmicrosoft.com"
	begun, err = find(t, open(t, fake, vars), "entraid").Begin(t.Context(), start)
	if err != nil || !strings.HasPrefix(begun.URL, "https://login.microsoftonline.com/example.onmicrosoft.com/oauth2/v2.0/authorize?") {
		t.Errorf("entraid: %s, %v", begun.URL, err)
	}
}

// What an issuer says about itself is held against its address.
func TestMetadataOfAnIssuer(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	good := map[string]string{
		"issuer": fake.URL + "/corp", "authorization_endpoint": fake.URL + "/corp/authorize", "token_endpoint": fake.URL + "/corp/token", "jwks_uri": fake.URL + "/corp/keys",
	}
	document := func(changes ...string) string {
		var members []string
		for name, value := range good {
			for i := 0; i+1 < len(changes); i += 2 {
				if changes[i] == name {
					value = changes[i+1]
				}
			}
			members = append(members, `"`+name+`":"`+value+`"`)
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	tests := []struct {
		name   string
		answer fakeprovider.Answer
		ok     bool
	}{
		{"good", fakeprovider.Answer{Body: document()}, true},
		{"issuer with a slash", fakeprovider.Answer{Body: document("issuer", fake.URL+"/corp/")}, true},
		{"another issuer", fakeprovider.Answer{Body: document("issuer", "https://evil.example")}, false},
		{"no issuer", fakeprovider.Answer{Body: document("issuer", "")}, false},
		{"no page", fakeprovider.Answer{Body: document("authorization_endpoint", "")}, false},
		{"a page that is a script", fakeprovider.Answer{Body: document("authorization_endpoint", "javascript:alert(1)")}, false},
		{"tokens by file", fakeprovider.Answer{Body: document("token_endpoint", "file:///etc/passwd")}, false},
		{"keys with a password", fakeprovider.Answer{Body: document("jwks_uri", "https://user:s3cret@example.com/")}, false},
		{"not JSON", fakeprovider.Answer{Body: "<html>"}, false},
		{"a redirect", fakeprovider.Answer{Status: 302, Header: http.Header{"Location": {fake.URL + "/realms/main/.well-known/openid-configuration"}}}, false},
		{"down", fakeprovider.Answer{Status: 503}, false},
		{"huge", fakeprovider.Answer{Body: `{"issuer":"` + strings.Repeat("x", 2<<20) + `"}`}, false},
	}
	for _, tt := range tests {
		fake.Answer(fakeprovider.Discovery, tt.answer)
		_, err := find(t, open(t, fake, fake.Env("corp")), "corp").Begin(t.Context(), start)
		if (err == nil) != tt.ok || err != nil && (!errors.Is(err, providers.ErrExchange) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: %v, want it taken: %v", tt.name, err, tt.ok)
		}
	}
}

// A provider that hangs does not hang us, and neither does a start need one.
func TestSlowProvidersAreGivenUp(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	client := fake.Client()
	client.Timeout = 200 * time.Millisecond
	p := find(t, openWith(t, client, fake.Env("github"), time.Now), "github")
	for role, want := range map[fakeprovider.Role]error{fakeprovider.Token: providers.ErrExchange, fakeprovider.Userinfo: providers.ErrProfile, fakeprovider.Emails: providers.ErrProfile} {
		c, _ := visit(t, fake, p, start)
		fake.Answer(role, fakeprovider.Answer{Wait: time.Hour})
		_, _, err := p.Finish(t.Context(), c)
		fake.Recover(role)
		if !errors.Is(err, want) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want %v for want of time", role, err, want)
		}
	}
}

func TestOpenAsksNobody(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	table := open(t, fake, fake.Env(everyName...))
	if log := fake.Log(); log != "" {
		t.Errorf("the start asked:\n%s", log)
	}
	if diff := cmp.Diff(fake.Names(), table.Names()); diff != "" {
		t.Errorf("enabled (-want +got):\n%s", diff)
	}
	if p, known, enabled := table.Find("nobody"); p != nil || known || enabled {
		t.Errorf("nobody: known %v, enabled %v", known, enabled)
	}
	if got := table.Label("windowslive") + ", " + table.Label("corp"); got != "Windows Live, corp" {
		t.Errorf("labels %q", got)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := providers.Open(settings(map[string]string{"AUTH_PROVIDER_GITHUB_ENABLED": "true", "AUTH_PROVIDER_GITHUB_CLIENT_ID": "x"}), nil, time.Now)
	if err == nil || !strings.Contains(err.Error(), "AUTH_PROVIDER_GITHUB_CLIENT_SECRET is needed") {
		t.Errorf("%v, want the missing variable's name", err)
	}
}
