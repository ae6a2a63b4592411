package platform_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"postern/docs/openapi"
	"postern/house"
	"postern/internal/contract"
	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
	"postern/tokens"
)

const password = "correct horse battery"

// door is a house whose clients are those of Hasura's platform.
type door struct {
	*testhouse.House
	contract *contract.Contract
}

func open(t *testing.T, more map[string]string, options ...func(*house.Options)) door {
	t.Helper()
	settings := map[string]string{
		"AUTH_PLATFORM_API_ENABLED": "true", "AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}
	for name, value := range more {
		settings[name] = value
	}
	return door{testhouse.Open(t, settings, options...), contract.New(t, openapi.Platform(), "")}
}

// answer is what the door said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request. A good one is held against the contract.
func (d door) ask(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	client := d.contract.BadInputClient(d.Handler)
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://postern.test"+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(got)}
}

type person struct {
	AuthToken    string   `json:"auth_token"`
	ID           string   `json:"hasura_id"`
	Roles        []string `json:"hasura_roles"`
	Email        string   `json:"email"`
	Mobile       string   `json:"mobile"`
	NewUser      *bool    `json:"new_user"`
	RefreshToken string   `json:"refresh_token"`
}

// entered reads who is signed in.
func (a answer) entered(t *testing.T) person {
	t.Helper()
	var p person
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 || p.AuthToken == "" || p.ID == "" || len(p.Roles) == 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return p
}

// refused checks a refusal.
func (a answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	var got struct{ Code, Message string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != status || got.Code != code || got.Message == "" {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
}

func byEmail(email, password string) string {
	return fmt.Sprintf(`{"provider":"email","data":{"email":%q,"password":%q}}`, email, password)
}

func newAddress() string { return tokens.NewUUID() + "@example.com" }

// TestClientsOfThePlatform goes the ways of the platform's clients, one after the other.
func TestClientsOfThePlatform(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	up := d.ask(t, "POST", "/v1/signup", byEmail(email, password)).entered(t)
	if up.Email != email {
		t.Errorf("signed up as %+v", up)
	}
	d.ask(t, "POST", "/v1/signup", byEmail(email, password)).refused(t, 400, "email-exists")
	in := d.ask(t, "POST", "/v1/login", byEmail(email, password)).entered(t)
	if in.ID != up.ID || in.AuthToken == up.AuthToken {
		t.Errorf("signed in as %+v", in)
	}
	bearer := []string{"Authorization", "Bearer " + in.AuthToken}
	if who := d.ask(t, "GET", "/v1/user/info", "", bearer...).entered(t); who.ID != up.ID || who.Email != email || who.AuthToken != in.AuthToken {
		t.Errorf("is %+v", who)
	}
	// It is a session like any other: the other door knows it.
	if status, body := d.bare(t, "/v1/token", fmt.Sprintf(`{"refreshToken":%q}`, in.RefreshToken)); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if a := d.ask(t, "POST", "/v1/user/logout", "", bearer...); a.status != 200 {
		t.Errorf("%+v", a)
	}
	d.ask(t, "GET", "/v1/user/info", "", bearer...).refused(t, 401, "unauthorized")
	d.ask(t, "POST", "/v1/user/logout", "", bearer...).refused(t, 401, "unauthorized")
	d.ask(t, "POST", "/v1/user/logout", "").refused(t, 401, "unauthorized")

	const mobile = `"mobile":"5550001234","country_code":"1"`
	for i, route := range []string{"send-otp", "resend-otp"} {
		if a := d.ask(t, "POST", "/v1/providers/mobile/"+route, "{"+mobile+`}`); a.status != 200 {
			t.Fatalf("%+v", a)
		}
		sms := d.SMS(t, "+15550001234", i+1)
		code := regexp.MustCompile(`\d{6}`).FindString(sms[i].Text)
		path := []string{"/v1/signup", "/v1/login"}[i]
		d.ask(t, "POST", path, `{"provider":"mobile","data":{`+mobile+`,"otp":"000000"}}`).refused(t, 400, "invalid-otp")
		if p := d.ask(t, "POST", path, `{"provider":"mobile","data":{`+mobile+`,"otp":"`+code+`"}}`).entered(t); p.Mobile != "5550001234" {
			t.Errorf("signed in as %+v", p)
		}
		d.Clock.Advance(2 * 60e9)
	}
}

func TestClientsOfThePlatformByProviders(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	all := fake.Env("github")
	all["AUTH_PROVIDER_GOOGLE_AUDIENCE"] = fakeprovider.ClientID("google")
	d := open(t, all, func(o *house.Options) { o.Providers = fake.Client() })
	token := fake.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true})
	for i, path := range []string{"/v1/login", "/v1/login"} {
		p := d.ask(t, "POST", path, `{"provider":"google","data":{"id_token":"`+token+`","access_token":null}}`).entered(t)
		if p.NewUser == nil || *p.NewUser != (i == 0) {
			t.Errorf("%d: %+v", i, p)
		}
	}
	d.ask(t, "POST", "/v1/signup", `{"provider":"google","data":{"id_token":"`+token+`"}}`).refused(t, 400, "user-exists")
	d.ask(t, "POST", "/v1/login", `{"provider":"google","data":{"id_token":"hunter2"}}`).refused(t, 400, "bad-token")
	d.ask(t, "POST", "/v1/login", `{"provider":"google","data":{"access_token":"hunter2"}}`).refused(t, 400, "not-enabled")
	d.ask(t, "POST", "/v1/login", `{"provider":"github","data":{"code":"x","state":"y"}}`).refused(t, 400, "not-enabled")
}

// TestPlatformRefusals asks for what is wrong, or not there.
func TestPlatformRefusals(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ask(t, "POST", "/v1/signup", byEmail(email, password)).entered(t)
	for _, path := range []string{"/v1/signup", "/v1/login"} {
		for body, want := range map[string]string{
			`{}`:                               "400 invalid-provider",
			`{"provider":"email"}`:             "400 invalid-args",
			`{"provider":"email","data":[]}`:   "400 invalid-args",
			`{"provider":"email","data":null}`: "400 invalid-args",
			`{"provider":1,"data":{}}`:         "400 invalid-provider",
			`{"provider":"email","data":{"email":"a","password":"b"}}`:                               "400 invalid-email",
			`{"provider":"email","data":{"email":"a@example.com"}}`:                                  "400 invalid-password",
			`{"provider":"email","data":{"email":"a@example.com","email":"b@example.com"}}`:          "400 invalid-email",
			`{"provider":"email","data":{"email":"a@example.com","EMAIL":"b@example.com"}}`:          "400 invalid-args",
			`{"provider":"email","Provider":"mobile","data":{}}`:                                     "400 invalid-args",
			`{"provider":"username","data":{"username":"a","password":"b"}}`:                         "400 not-enabled",
			`{"provider":"mobile-password","data":{"mobile":"1","country_code":"1","password":"b"}}`: "400 not-enabled",
			`{"provider":"facebook","data":{"access_token":"x"}}`:                                    "400 not-enabled",
			`{"provider":"nowhere","data":{}}`:                                                       "400 invalid-provider",
			`{"provider":"mobile","data":{"mobile":"1","country_code":"1"}}`:                         "400 invalid-otp",
			`{"provider":"mobile","data":{"mobile":"+1","country_code":"1","otp":"1"}}`:              "400 invalid-mobile",
			`{"provider":"mobile","data":{"mobile":"1","country_code":"","otp":"1"}}`:                "400 invalid-mobile",
			`not JSON`: "400 invalid-args",
		} {
			a := d.ask(t, "POST", path, body)
			var got struct{ Code string }
			if err := json.Unmarshal([]byte(a.body), &got); err != nil || fmt.Sprintf("%d %s", a.status, got.Code) != want {
				t.Errorf("%s %s: %d %s, want %s", path, body, a.status, a.body, want)
			}
		}
	}
	d.ask(t, "POST", "/v1/signup", byEmail(newAddress(), "short")).refused(t, 400, "invalid-password")
	d.ask(t, "POST", "/v1/login", byEmail(email, "wrong horse battery")).refused(t, 400, "invalid-creds")
	d.ask(t, "POST", "/v1/login", byEmail(newAddress(), password)).refused(t, 400, "invalid-creds")
	d.ask(t, "POST", "/v1/providers/mobile/send-otp", `{"mobile":"x","country_code":"1"}`).refused(t, 400, "invalid-mobile")

	verified := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})
	waiting := newAddress()
	if a := verified.ask(t, "POST", "/v1/signup", byEmail(waiting, password)); a.status != 200 || !strings.Contains(a.body, `"auth_token":null`) {
		t.Errorf("%+v", a)
	}
	verified.ask(t, "POST", "/v1/login", byEmail(waiting, password)).refused(t, 403, "not-verified")
}

// TestThePlatformDoorIsOffByDefault holds that nothing is there unless the operator wants it.
func TestThePlatformDoorIsOffByDefault(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	for _, path := range []string{"/signup", "/login", "/user/info"} {
		if status, body := (door{House: h}).bare(t, "/v1"+path, byEmail(newAddress(), password)); status != 404 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Both doors count in the same places: the one is no second try for the other.
func TestThePlatformDoorIsNoSecondTry(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_SIGNUPS_BURST": "2", "AUTH_RATE_LIMIT_SIGNUPS_INTERVAL": "10m",
		"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "3", "AUTH_RATE_LIMIT_BRUTE_FORCE_INTERVAL": "10m",
	})
	for range 2 {
		if resp, body := d.bare(t, "/v1/signup/email-password", fmt.Sprintf(`{"email":%q,"password":%q}`, newAddress(), password)); resp != 200 {
			t.Fatal(resp, body)
		}
	}
	d.ask(t, "POST", "/v1/signup", byEmail(newAddress(), password)).refused(t, 429, "too-many-requests")
	email := newAddress()
	for range 3 {
		d.bare(t, "/v1/signin/email-password", fmt.Sprintf(`{"email":%q,"password":"wrong horse battery"}`, email))
	}
	d.ask(t, "POST", "/v1/login", byEmail(email, password)).refused(t, 429, "too-many-requests")
	with := open(t, map[string]string{"AUTH_TURNSTILE_SECRET": "secret"})
	with.ask(t, "POST", "/v1/signup", byEmail(newAddress(), password)).refused(t, 403, "captcha-missing")
	with.ask(t, "POST", "/v1/providers/mobile/send-otp", `{"mobile":"5550001234","country_code":"1"}`).refused(t, 403, "captcha-missing")
}

// bare asks the other door from the same address.
func (d door) bare(t *testing.T, path, body string) (status int, said string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	d.Handler.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

// TestHooksOfThePlatformAtItsOwnDoor has hooks get the whole body as it came, and their refusals come back whole.
func TestHooksOfThePlatformAtItsOwnDoor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	refuse := ""
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path+" "+string(text))
		w.Header().Set("Content-Type", "application/json")
		switch refuse {
		case "":
			_, _ = io.WriteString(w, `{"roles":["merchant"]}`)
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, refuse)
		}
	}))
	t.Cleanup(receiver.Close)
	d := open(t, map[string]string{"AUTH_HOOK_PRE_SIGNUP_URL": receiver.URL + "/up", "AUTH_HOOK_PRE_LOGIN_URL": receiver.URL + "/in"})
	says := func(s string) { mu.Lock(); defer mu.Unlock(); refuse, asked = s, nil }
	email := newAddress()
	odd := `{ "more":[1,{"x":null}], "provider" : "email","data":{"email":"` + email + `","password":"` + password + `","invite":12345678901234567890123, "\u0069t":null}} `
	if p := d.ask(t, "POST", "/v1/signup", odd).entered(t); !strings.Contains(strings.Join(p.Roles, " "), "merchant") {
		t.Errorf("the roles are %v", p.Roles)
	}
	d.ask(t, "POST", "/v1/login", odd).entered(t)
	if len(asked) != 2 || asked[0] != "/up "+odd || asked[1] != "/in "+odd {
		t.Errorf("asked %q", asked)
	}
	for _, path := range []string{"/v1/signup", "/v1/login"} {
		says(`{"code":"pay-first","message":"Pay","detail":{"n":1.0}}`)
		if a := d.ask(t, "POST", path, odd); a.status != 402 || a.body != refuse || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %+v", path, a)
		}
		says("no JSON")
		d.ask(t, "POST", path, odd).refused(t, 402, "hook-rejected")
		says("500")
		status, body := d.bare(t, path, odd)
		answer{status: status, body: body}.refused(t, 500, "unexpected-state")
		if !strings.Contains(body, `Hook: it does not`) || strings.Contains(body, receiver.URL) {
			t.Errorf("%s: %s", path, body)
		}
	}
	says("")
	d.ask(t, "POST", "/v1/providers/mobile/send-otp", `{"mobile":"5550001234","country_code":"1"}`)
	if len(asked) > 0 {
		t.Errorf("asked about a code: %q", asked)
	}
}

// FuzzRequest sends anything: the answer is never a 500.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{byEmail("a@b.example", "c"), `{"provider":"mobile","data":{"mobile":"1","country_code":"1","otp":"1"}}`, `{"provider":"google","data":{"id_token":"a.b.c"}}`, `{"provider":"email","data":{"a":[null]}}`} {
		f.Add(seed)
	}
	h := testhouse.Open(f, map[string]string{"AUTH_PLATFORM_API_ENABLED": "true"})
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/v1/login", "/v1/providers/mobile/send-otp"} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			h.Handler.ServeHTTP(rec, req)
			if rec.Code == 500 || !json.Valid(rec.Body.Bytes()) {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
	})
}

// TestErrorsAreConcealedHereToo closes what would be a way around AUTH_CONCEAL_ERRORS: who has an account must not
// be told at one door when it is not at the other.
func TestErrorsAreConcealedHereToo(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_CONCEAL_ERRORS": "true"})
	d.ask(t, "POST", "/v1/signup", byEmail("ann@example.com", password)).entered(t)
	for what, a := range map[string]answer{
		"an address that is taken": d.ask(t, "POST", "/v1/signup", byEmail("ann@example.com", password)),
		"a wrong password":         d.ask(t, "POST", "/v1/login", byEmail("ann@example.com", "another horse battery")),
		"nobody":                   d.ask(t, "POST", "/v1/login", byEmail("bob@example.com", password)),
	} {
		t.Run(what, func(t *testing.T) { a.refused(t, http.StatusBadRequest, "invalid-args") })
	}
	d.ask(t, "POST", "/v1/signup", byEmail("eve@example.com", "short")).refused(t, http.StatusBadRequest, "invalid-password")
}
