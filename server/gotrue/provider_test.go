package gotrue_test

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/house"
	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
	"postern/tokens"
)

const (
	app  = "https://app.example.com"
	page = app + "/welcome?a=b"
)

// providerDoor is a house with providers, all of which are one fake that speaks their protocols.
type providerDoor struct {
	door
	fake *fakeprovider.Server
}

func openProviders(t testing.TB, names []string, more map[string]string) providerDoor {
	t.Helper()
	fake := fakeprovider.New(t)
	settings := map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1", "AUTH_CLIENT_URL": app}
	maps.Copy(settings, fake.Env(names...))
	maps.Copy(settings, more)
	through := func(o *house.Options) { o.Providers = fake.Client() }
	return providerDoor{door{testhouse.Open(t, settings, through)}, fake}
}

var people atomic.Int64

// someone is a person whom no other test has, whose address the provider vouches for.
func someone() fakeprovider.Person {
	return fakeprovider.Person{
		ID: strconv.FormatInt(100000+people.Add(1), 10), Email: newAddress(), Name: "Ada Lovelace", Avatar: "https://img.example.com/ada.png", Verified: true,
	}
}

// browser are the headers of a browser that goes to an address itself.
var browser = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}

// trip is a person who comes back from a provider.
type trip struct {
	url    *url.URL // of the callback
	form   url.Values
	cookie string
}

// setOut goes to the provider and back, as far as the callback.
func (d providerDoor) setOut(t testing.TB, query url.Values, p fakeprovider.Person) trip {
	t.Helper()
	a := d.ask(t, "GET", "/authorize?"+query.Encode(), "", browser...)
	if a.status != http.StatusFound {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return d.visit(t, a.header.Get("Location"), a.header, p)
}

// visit is a person at the provider.
func (d providerDoor) visit(t testing.TB, address string, kept http.Header, p fakeprovider.Person) trip {
	t.Helper()
	d.fake.Be(p)
	back, err := d.fake.Visit(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back.URL)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, c := range (&http.Response{Header: kept}).Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return trip{u, back.Form, strings.Join(cookies, "; ")}
}

// comeBack opens the callback, whichever door it is of.
func (d providerDoor) comeBack(t testing.TB, b trip) answer {
	t.Helper()
	method, body := "GET", ""
	if b.form != nil {
		method, body = "POST", b.form.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.origin()+b.url.RequestURI(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if b.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
	}
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return answer{status: resp.StatusCode, header: resp.Header}
}

// landed is where a callback sends the browser: the address without query and fragment, and what stands in each.
func (a answer) landed(t testing.TB, status int) (to string, query, fragment url.Values) {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != status {
		t.Fatalf("%d to %q, want %d: %v", a.status, a.header.Get("Location"), status, err)
	}
	fragment, err = url.ParseQuery(u.EscapedFragment())
	if err != nil {
		t.Fatal(err)
	}
	query = u.Query()
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	return u.String(), query, fragment
}

// at is a start at a provider.
func at(provider string) url.Values { return url.Values{"provider": {provider}, "redirect_to": {page}} }

// withChallenge is a start by a client that exchanges a code.
func withChallenge(provider string) (start url.Values, verifier string) {
	verifier, challenge := testhouse.Verifier()
	start = at(provider)
	start.Set("code_challenge", challenge)
	start.Set("code_challenge_method", "s256")
	return start, verifier
}

// enters makes the whole trip and gives the session as the fragment has it.
func (d providerDoor) enters(t testing.TB, provider string, p fakeprovider.Person) url.Values {
	t.Helper()
	_, _, fragment := d.comeBack(t, d.setOut(t, at(provider), p)).landed(t, http.StatusFound)
	if fragment.Get("access_token") == "" {
		t.Fatalf("the trip to %s ends with %v", provider, fragment)
	}
	return fragment
}

// me is the user of a session.
func (d providerDoor) me(t testing.TB, accessToken string) map[string]any {
	t.Helper()
	return d.ok(t, "GET", "/user", "", "Authorization", "Bearer "+accessToken)
}

// TestProvidersSignInToThePage makes the trip for a client that reads the session off the address.
func TestProvidersSignInToThePage(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp", "github", "apple", "twitter"}, nil)
	for _, provider := range []string{"corp", "github", "apple", "twitter"} {
		p := someone()
		to, query, f := d.comeBack(t, d.setOut(t, at(provider), p)).landed(t, http.StatusFound)
		if to != app+"/welcome" || query.Get("a") != "b" || query.Has("code") || query.Has("error") {
			t.Errorf("%s: to %s with %v", provider, to, query)
		}
		if f.Get("token_type") != "bearer" || f.Get("refresh_token") == "" || f.Get("expires_in") != "3600" || f.Get("expires_at") == "" || f.Get("provider") != provider || !f.Has("sb") || f.Has("type") {
			t.Errorf("%s: %v", provider, f)
		}
		if has := f.Get("provider_token") != ""; has != (provider != "twitter") {
			t.Errorf("%s: provider_token %q", provider, f.Get("provider_token"))
		}
		u := d.me(t, f.Get("access_token"))
		want := map[string]any{"provider": provider, "providers": []any{provider}}
		if diff := cmp.Diff(want, u["app_metadata"]); diff != "" || u["email"] != p.Email {
			t.Errorf("%s: %v (-want +got):\n%s", provider, u["email"], diff)
		}
		identity := u["identities"].([]any)[0].(map[string]any)
		data := identity["identity_data"].(map[string]any)
		if identity["id"] != p.ID || data["sub"] != p.ID || data["email"] != p.Email || data["full_name"] == "" || u["user_metadata"].(map[string]any)["email"] != p.Email {
			t.Errorf("%s: %v", provider, identity)
		}
		if again := d.me(t, d.enters(t, provider, p).Get("access_token")); again["id"] != u["id"] {
			t.Errorf("%s: another user the second time", provider)
		}
	}
}

// TestProvidersGiveCodes makes the trip for a client that exchanges a code, which comes with what the provider lets it do.
func TestProvidersGiveCodes(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, nil)
	p := someone()
	for _, headers := range [][]string{browser, nil} { // a browser goes there, or a server asks where to send one
		start, verifier := withChallenge("corp")
		a := d.ask(t, "GET", "/authorize?"+start.Encode(), "", headers...)
		to, query, fragment := d.comeBack(t, d.visit(t, a.header.Get("Location"), a.header, p)).landed(t, http.StatusFound)
		code := query.Get("code")
		if to != app+"/welcome" || query.Get("a") != "b" || !tokens.IsUUID(code) || len(fragment) > 0 {
			t.Fatalf("to %s with %v and %v", to, query, fragment)
		}
		exchange := func(verifier string) answer {
			return d.ask(t, "POST", "/token?grant_type=pkce", `{"auth_code":"`+code+`","code_verifier":"`+verifier+`"}`)
		}
		other, _ := testhouse.Verifier()
		if a := exchange(other); a.status != 404 || a.code(t) != "flow_state_not_found" {
			t.Errorf("another verifier: %+v", a)
		}
		s := exchange(verifier).said(t)
		if s["access_token"] == nil || s["provider_token"] == nil || s["provider_refresh_token"] == nil || s["user"].(map[string]any)["email"] != p.Email {
			t.Errorf("%v", s)
		}
		if a := exchange(verifier); a.status != 404 {
			t.Errorf("a code was good twice: %+v", a)
		}
	}
}

// TestLoginCSRF has somebody come back in another browser than the one that set out, and twice.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp", "github"}, nil)
	refused := func(name string, b trip) {
		t.Helper()
		to, query, fragment := d.comeBack(t, b).landed(t, http.StatusSeeOther)
		if to != app || query.Get("error") != "invalid_request" || query.Get("error_code") != "bad_oauth_state" || len(fragment) > 0 {
			t.Errorf("%s: to %s with %v and %v", name, to, query, fragment)
		}
	}
	bare := d.setOut(t, at("corp"), someone())
	kept := bare.cookie
	bare.cookie = ""
	refused("without the cookie", bare)
	bare.cookie = kept
	refused("with it, too late", bare)
	mine, theirs := d.setOut(t, at("corp"), someone()), d.setOut(t, at("corp"), someone())
	mine.cookie = theirs.cookie
	refused("with another's cookie", mine)
	d.comeBack(t, theirs).landed(t, http.StatusFound)
	refused("twice", theirs)
	start, _ := withChallenge("corp")
	exchanged := d.setOut(t, start, someone())
	exchanged.cookie = ""
	refused("a browser that will exchange a code", exchanged)

	if a := d.ask(t, "GET", "/authorize?"+at("corp").Encode(), ""); a.status != 400 || a.code(t) != "validation_failed" {
		t.Errorf("a program that keeps no cookie: %+v", a)
	}
}

// TestCallbacksThatAreNone answers what does not come from a provider.
func TestCallbacksThatAreNone(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, nil)
	for path, code := range map[string]string{
		"/callback": "bad_oauth_callback", "/callback?code=x": "bad_oauth_callback", "/callback?state=a&state=b": "bad_oauth_callback", "/callback?state=%00": "bad_oauth_callback",
		"/callback?state=nonsense&code=x": "bad_oauth_state", "/callback?code=x&state=gotrue." + tokens.NewUUID(): "bad_oauth_state",
	} {
		to, query, _ := d.ask(t, "GET", path, "").landed(t, http.StatusSeeOther)
		if to != app || query.Get("error") != "invalid_request" || query.Get("error_code") != code {
			t.Errorf("%s: to %s with %v", path, to, query)
		}
	}
	if a := d.ask(t, "HEAD", "/callback?state=x", ""); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	b := d.setOut(t, at("corp"), someone())
	q := b.url.Query()
	q.Del("code")
	b.url.RawQuery = q.Encode()
	_, query, fragment := d.comeBack(t, b).landed(t, http.StatusFound)
	if query.Get("error_code") != "bad_oauth_callback" || fragment.Get("error_code") != "bad_oauth_callback" {
		t.Errorf("without a code: %v and %v", query, fragment)
	}
}

// TestRefusalsComeBackInQueryAndFragment reads off the address why somebody was refused, as pages and servers do.
func TestRefusalsComeBackInQueryAndFragment(t *testing.T) {
	t.Parallel()
	banned := someone()
	for name, c := range map[string]struct {
		settings map[string]string
		person   func(*fakeprovider.Person)
		before   string
		want     url.Values // of the fragment, but for the description
	}{
		"who says no":      {person: func(p *fakeprovider.Person) { p.Deny = true }, want: url.Values{"error": {"access_denied"}, "sb": {""}}},
		"who is banned":    {person: func(p *fakeprovider.Person) { *p = banned }, before: `update auth.users set disabled = true where email = $1`, want: url.Values{"error": {"access_denied"}, "error_code": {"user_banned"}, "sb": {""}}},
		"nobody new":       {settings: map[string]string{"AUTH_DISABLE_SIGNUP": "true"}, want: url.Values{"error": {"access_denied"}, "error_code": {"signup_disabled"}, "sb": {""}}},
		"an unproved one":  {settings: map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"}, person: func(p *fakeprovider.Person) { p.Verified = false }, want: url.Values{"error": {"access_denied"}, "error_code": {"provider_email_needs_verification"}, "sb": {""}}},
		"no identity":      {person: func(p *fakeprovider.Person) { p.ID = fakeprovider.Missing }, want: url.Values{"error": {"server_error"}, "error_code": {"unexpected_failure"}, "sb": {""}}},
		"an address taken": {before: `insert into auth.users (email, locale, email_verified) values ($1, 'en', true)`, person: func(p *fakeprovider.Person) { p.Verified = false }, want: url.Values{"error": {"server_error"}, "error_code": {"email_exists"}, "sb": {""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openProviders(t, []string{"corp"}, c.settings)
			p := someone()
			if c.person != nil {
				c.person(&p)
			}
			if strings.HasPrefix(c.before, "update") {
				d.enters(t, "corp", p)
			}
			if c.before != "" {
				if _, err := d.Store.Pool().Exec(t.Context(), c.before, p.Email); err != nil {
					t.Fatal(err)
				}
			}
			to, query, fragment := d.comeBack(t, d.setOut(t, at("corp"), p)).landed(t, http.StatusFound)
			if to != app+"/welcome" || query.Get("a") != "b" || fragment.Has("access_token") {
				t.Fatalf("to %s with %v and %v", to, query, fragment)
			}
			if query.Get("error") != fragment.Get("error") || query.Get("error_code") != fragment.Get("error_code") || query.Has("sb") || fragment.Get("error_description") == "" {
				t.Errorf("%v and %v", query, fragment)
			}
			fragment.Del("error_description")
			if diff := cmp.Diff(c.want, fragment); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStartsThatMakeNoSense are refused where they are asked for, before anybody is sent anywhere.
func TestStartsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, nil)
	_, challenge := testhouse.Verifier()
	for query, code := range map[string]string{
		"": "validation_failed", "provider=nobody": "validation_failed", "provider=google": "validation_failed", "provider=corp&provider=google": "validation_failed",
		"provider=corp&code_challenge=" + challenge: "validation_failed", "provider=corp&code_challenge=" + challenge + "&code_challenge_method=plain": "validation_failed",
		"provider=corp&scopes=a%22b": "validation_failed", "provider=corp&scopes=" + strings.Repeat("a", 1025): "validation_failed", "provider=corp&x=" + strings.Repeat("a", 1025): "validation_failed",
		"provider=corp&x=%00": "validation_failed", "provider=%ff": "validation_failed", "provider=corp&%zz": "validation_failed", "provider=../../callback": "validation_failed",
	} {
		if a := d.ask(t, "GET", "/authorize?"+query, "", browser...); a.status != 400 || a.code(t) != code {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// TestTrap07RedirectsThatAreNotAllowedEndAtTheApplication starts with somebody else's address.
func TestTrap07RedirectsThatAreNotAllowedEndAtTheApplication(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, nil)
	start := at("corp")
	start.Set("redirect_to", "https://evil.example/steal")
	to, _, fragment := d.comeBack(t, d.setOut(t, start, someone())).landed(t, http.StatusFound)
	if to != app || fragment.Get("access_token") == "" {
		t.Errorf("to %s with %v", to, fragment)
	}
}

// TestRedirectsByGlobs end where GoTrue's allow-list has a place for them, at this door alone.
func TestRedirectsByGlobs(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, map[string]string{"AUTH_GOTRUE_URI_ALLOW_LIST": "https://*.preview.example.com/**,myapp://**"})
	for asked, allowed := range map[string]bool{
		"https://a.preview.example.com/x?y=z": true, "myapp://callback": true, "https://a.b.preview.example.com/x": false, "https://evil.io/.preview.example.com/": false,
	} {
		start := at("corp")
		start.Set("redirect_to", asked)
		a := d.comeBack(t, d.setOut(t, start, someone()))
		if to := a.header.Get("Location"); strings.HasPrefix(to, asked+"#") != allowed || strings.HasPrefix(to, app+"#") == allowed {
			t.Errorf("%s: to %s", asked, to)
		}
	}
	if a := d.byHasura(t, "GET", "/signin/provider/corp?redirectTo=myapp://callback", "", browser...); a.status != 400 {
		t.Errorf("at Hasura Auth's door: %d", a.status)
	}
}

// TestParametersForTheProvider are handed on, but for those that would lead its answer elsewhere.
func TestParametersForTheProvider(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"google"}, nil)
	start := at("google")
	for name, value := range map[string]string{
		"prompt": "consent", "access_type": "online", "login_hint": "ada@example.com", "hd": "example.com", "scopes": "https://www.googleapis.com/auth/calendar,email",
		"client_id": "evil", "Redirect_URI": "https://evil.example", "response_type": "token", "response_mode": "fragment", "state": "evil", "nonce": "evil", "scope": "evil",
		"code_verifier": "evil", "request": "evil", "request_uri": "https://evil.example", "client_secret": "evil",
	} {
		start.Set(name, value)
	}
	a := d.ask(t, "GET", "/authorize?"+start.Encode(), "", browser...)
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound {
		t.Fatal(a.status, a.body, err)
	}
	q := u.Query()
	if q.Get("prompt") != "consent" || q.Get("access_type") != "online" || q.Get("login_hint") != "ada@example.com" || q.Get("hd") != "example.com" || q.Get("scope") != "openid email profile https://www.googleapis.com/auth/calendar" {
		t.Errorf("%v", q)
	}
	if strings.Contains(u.String(), "evil") || q.Get("redirect_uri") != d.Kit.Policy.ServerURL[:len(d.Kit.Policy.ServerURL)-len("/v1")]+"/auth/v1/callback" || q.Has("provider") || q.Has("redirect_to") {
		t.Errorf("%s", u)
	}
}

// TestOneAddressIsRegisteredForBothDoors sends people out from each door and has them come back to the address of the other.
func TestOneAddressIsRegisteredForBothDoors(t *testing.T) {
	t.Parallel()
	base := openProviders(t, []string{"corp"}, nil)
	for _, path := range []string{"/v1/signin/provider/corp/callback", "/auth/v1/callback"} {
		settings := maps.Clone(base.Env)
		registered := "http://localhost" + path
		settings["AUTH_PROVIDER_CORP_REDIRECT_URI"] = registered
		d := providerDoor{door{base.With(t, settings, func(o *house.Options) { o.Providers = base.fake.Client() })}, base.fake}
		b := d.setOut(t, at("corp"), someone())
		if got := b.url.Scheme + "://" + b.url.Host + b.url.Path; got != registered {
			t.Errorf("the provider sends people back to %s, want %s", got, registered)
		}
		if _, _, f := d.comeBack(t, b).landed(t, http.StatusFound); f.Get("access_token") == "" {
			t.Errorf("%s, from GoTrue's door: %v", path, f)
		}
		a := d.byHasura(t, "GET", "/signin/provider/corp?state=mine&redirectTo="+url.QueryEscape(page), "", browser...)
		b = d.visit(t, a.header.Get("Location"), a.header, someone())
		if _, q, _ := d.comeBack(t, b).landed(t, http.StatusFound); q.Get("refreshToken") == "" || q.Get("state") != "mine" {
			t.Errorf("%s, from Hasura Auth's door: %v", path, q)
		}
	}
}
