package hasura_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"postern/house"
	"postern/internal/fakeprovider"
	"postern/tokens"
)

// providerDoor is a house with providers, all of which are one fake that speaks their protocols.
type providerDoor struct {
	doorway
	fake *fakeprovider.Server
}

func openProviders(t testing.TB, names []string, settings map[string]string, options ...func(*house.Options)) providerDoor {
	t.Helper()
	fake := fakeprovider.New(t)
	all := fake.Env(names...)
	maps.Copy(all, settings)
	return providerDoor{openDoor(t, all, append(options, through(fake))...), fake}
}

// through sends what a house asks of providers to a fake.
func through(fake *fakeprovider.Server) func(*house.Options) {
	return func(o *house.Options) { o.Providers = fake.Client() }
}

var people atomic.Int64

// someone is a person whom no other test has, whose address the provider vouches for.
func someone() fakeprovider.Person {
	n := people.Add(1)
	return fakeprovider.Person{
		ID: strconv.FormatInt(100000+n, 10), Email: newAddress(), Name: "Ada Lovelace", Avatar: "https://img.example.com/ada.png", Verified: true,
	}
}

// trip is a person who comes back from a provider.
type trip struct {
	path    string // of the callback
	form    url.Values
	cookies []with
	state   string
}

// setOut begins a sign-in and goes to the provider and back, as far as the callback.
func (e providerDoor) setOut(t testing.TB, start string, p fakeprovider.Person, more ...with) trip {
	t.Helper()
	return e.goThere(t, e.ask(t, "GET", start, nil, append(more, browser())...), p)
}

// goThere follows a start to the provider and back.
func (e providerDoor) goThere(t testing.TB, a answer, p fakeprovider.Person) trip {
	t.Helper()
	to, _ := a.redirect(t, 302)
	if strings.HasPrefix(to, clientURL) {
		t.Fatalf("%s: to %s", a, a.header.Get("Location"))
	}
	return e.visit(t, a.header.Get("Location"), p, cookiesOf(t, a)...)
}

// visit is a person at the provider.
func (e providerDoor) visit(t testing.TB, address string, p fakeprovider.Person, cookies ...with) trip {
	t.Helper()
	e.fake.Be(p)
	back, err := e.fake.Visit(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back.URL)
	if err != nil || !strings.HasPrefix(u.Path, "/v1/") {
		t.Fatalf("the provider sends people back to %q: %v", back.URL, err)
	}
	return trip{strings.TrimPrefix(u.RequestURI(), "/v1"), back.Form, cookies, back.Values().Get("state")}
}

// cookiesOf are the cookies that a browser has after an answer.
func cookiesOf(t testing.TB, a answer) (kept []with) {
	t.Helper()
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge >= 0 {
			kept = append(kept, func(r *http.Request) { r.AddCookie(c) })
		}
	}
	return kept
}

// comeBack opens the callback.
func (e providerDoor) comeBack(t testing.TB, b trip, more ...with) answer {
	t.Helper()
	return e.doorway.comeBack(t, b, more...)
}

func (d doorway) comeBack(t testing.TB, b trip, more ...with) answer {
	t.Helper()
	more = append(more, b.cookies...)
	if b.form != nil {
		return d.ask(t, "POST", b.path, b.form.Encode(), append(more, formed())...)
	}
	return d.ask(t, "GET", b.path, nil, more...)
}

// status is what a callback redirects with.
func (b trip) status() int {
	if b.form != nil {
		return http.StatusSeeOther
	}
	return http.StatusFound
}

// arrives makes the whole trip and gives what the application reads off the address.
func (e providerDoor) arrives(t testing.TB, start string, p fakeprovider.Person, more ...with) url.Values {
	t.Helper()
	b := e.setOut(t, start, p, more...)
	_, q := e.comeBack(t, b).redirect(t, b.status())
	return q
}

// enters makes the whole trip and gives the session.
func (e providerDoor) enters(t testing.TB, provider string, p fakeprovider.Person) fullSession {
	t.Helper()
	q := e.arrives(t, "/signin/provider/"+provider, p)
	if q.Get("refreshToken") == "" {
		t.Fatalf("the trip to %s ends with %v", provider, q)
	}
	return e.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
}

// refusedWith makes the whole trip and checks that it ends with a refusal.
func (e providerDoor) refusedWith(t testing.TB, start string, p fakeprovider.Person, id string) {
	t.Helper()
	b := e.setOut(t, start, p)
	e.comeBack(t, b).redirectsWith(t, b.status(), clientURL, id)
}

// identitiesOf counts the identities of a user.
func (e providerDoor) identitiesOf(t testing.TB, userID string) int {
	t.Helper()
	return value[int](t, e.doorway, `select count(*)::int from auth.user_providers where user_id = $1`, userID)
}

// userWith gives the id of whoever has an address.
func (e providerDoor) userWith(t testing.TB, email string) string {
	t.Helper()
	return value[string](t, e.doorway, `select coalesce((select id::text from auth.users where email = $1::text::public.citext), '')`, email)
}

// everyProvider are the settings of a house whose tests are about something else.
func everyProvider() map[string]string {
	all := vouching.Env("github", "apple")
	all["AUTH_PROVIDER_GOOGLE_AUDIENCE"] = fakeprovider.ClientID("google")
	return all
}

// Somebody signs in at the provider that many tests share.
var atVouching sync.Mutex

// arriveFrom is an address that comes from a provider, which does not say whose it is.
func arriveFrom(provider string) func(*testing.T, doorway) func(*testing.T, string) answer {
	return func(_ *testing.T, d doorway) func(*testing.T, string) answer {
		e := providerDoor{d, vouching}
		return func(t *testing.T, email string) answer {
			t.Helper()
			p := someone()
			p.Email, p.Verified = email, false
			atVouching.Lock()
			b := e.setOut(t, "/signin/provider/"+provider, p)
			atVouching.Unlock()
			return e.comeBack(t, b)
		}
	}
}

// arriveByIDToken is an address in an ID token, which does not say whose it is.
func arriveByIDToken(path string) func(*testing.T, doorway) func(*testing.T, string) answer {
	return func(_ *testing.T, d doorway) func(*testing.T, string) answer {
		return func(t *testing.T, email string) answer {
			t.Helper()
			token := vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": email, "email_verified": false})
			return d.knock(t, "POST", path, fields{"provider": "google", "idToken": token})
		}
	}
}

// providerOperations are good requests of the document's operations about providers.
func providerOperations(challenge string, options fields) map[string]operation {
	idToken := vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "nonce": "n"})
	start := "?" + url.Values{
		"displayName": {"Jane"}, "locale": {"en"}, "defaultRole": {"user"}, "allowedRoles": {"user,me"}, "metadata": {`{"a":1}`}, "redirectTo": {clientURL},
		"state": {"s"}, "codeChallenge": {challenge},
	}.Encode()
	return map[string]operation{
		"signInProvider":             {path: "/signin/provider/github", query: start},
		"signUpProvider":             {path: "/signup/provider/github", query: start},
		"signInProviderCallback":     {path: "/signin/provider/github/callback", query: "?code=x&state=" + tokens.NewUUID()},
		"signInProviderCallbackPost": {path: "/signin/provider/github/callback", form: "code=x&state=" + tokens.NewUUID()},
		"getProviderTokens":          {path: "/signin/provider/github/callback/tokens", bearer: true},
		"refreshProviderToken":       {path: "/token/provider/github", body: fields{"refreshToken": "x"}, bearer: true},
		"signInIdToken":              {body: fields{"provider": "google", "idToken": idToken, "nonce": "n", "options": options}},
		"signUpIdToken":              {body: fields{"provider": "google", "idToken": idToken, "nonce": "n", "options": options}},
		"linkIdToken":                {body: fields{"provider": "google", "idToken": idToken, "nonce": "n"}, bearer: true},
		"linkProvider":               {path: "/link/provider/spotify", body: fields{"redirectTo": clientURL, "state": "s", "providerSpecificParams": fields{"connection": "c"}}, bearer: true},
		"getUserProviders":           {bearer: true},
		"unlinkProvider":             {path: "/user/providers/" + tokens.NewUUID(), bearer: true},
	}
}

// into reads an answer.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
}

// providerHarmless are the members of these operations that may be any text.
func providerHarmless(o operation, member, text string) (status int, id string, ok bool) {
	if text == "empty" && (member == "idToken" || member == "refreshToken") || strings.HasPrefix(text, "100 KB") {
		return 0, "", false
	}
	switch {
	case strings.HasSuffix(o.id, "IdToken") && (member == "idToken" || member == "nonce"):
		return 400, "invalid-request", true // told without a field: it is no token of the provider's
	case o.id == "refreshProviderToken" && member == "refreshToken":
		return 404, "not-found", true // the user has linked nothing of the provider
	case o.id == "linkProvider" && (member != "redirectTo" || text == "empty"):
		return 409, "disabled-endpoint", true
	}
	return 0, "", false
}
