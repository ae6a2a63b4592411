package hasura_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/softkey"
	"postern/tokens"
)

// platformHooks is an operator's program that answers the hooks of Hasura's platform.
type platformHooks struct {
	*httptest.Server
	mu     sync.Mutex
	answer map[string]http.HandlerFunc
	asked  []platformCall
}

// platformCall is one request that came: the whole body as it was.
type platformCall struct{ hook, body string }

const (
	signupHook = "/pre-signup"
	loginHook  = "/pre-login"
)

func listenPlatform(t testing.TB) *platformHooks {
	t.Helper()
	p := &platformHooks{answer: map[string]http.HandlerFunc{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("webhook-signature") != "" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		p.mu.Lock()
		p.asked = append(p.asked, platformCall{r.URL.Path, string(body)})
		answer := p.answer[r.URL.Path]
		p.mu.Unlock()
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// says has one hook answer otherwise.
func (p *platformHooks) says(hook string, answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer[hook] = answer
}

// agrees has both hooks agree, and forgets what they were asked.
func (p *platformHooks) agrees() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.asked = map[string]http.HandlerFunc{}, nil
}

// calls are what was asked since.
func (p *platformHooks) calls() []platformCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

func replies(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Set-Cookie", "stolen=1")
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// open opens a house whose hooks these are.
func (p *platformHooks) open(t testing.TB, clock *stillClock, more ...string) doorway {
	t.Helper()
	return openDoor(t, unverified(append([]string{
		"AUTH_HOOK_PRE_SIGNUP_URL", p.URL + signupHook, "AUTH_HOOK_PRE_LOGIN_URL", p.URL + loginHook, "AUTH_HOOKS_PLATFORM_TIMEOUT", "700ms",
	}, more...)...), stopped(clock))
}

// passage is one way in, made ready: step asks for what the hooks are asked about.
type passage struct {
	name     string
	hooks    []string // in order
	provider string
	redirect bool // refusals are told in an address
	ready    func(t *testing.T) (step func(t *testing.T) answer)
	added    string // what data ends with, beyond what the client sent
}

// passages are all of them.
func passages(t *testing.T, d doorway) []passage {
	t.Helper()
	e := providerDoor{d, vouching}
	up, in := []string{signupHook}, []string{loginHook}
	post := func(path string, body func() fields) func(*testing.T) func(*testing.T) answer {
		return func(*testing.T) func(*testing.T) answer {
			sent := body()
			return func(t *testing.T) answer { t.Helper(); return d.bare(t, "POST", path, sent) }
		}
	}
	odd := func(f fields) fields { f["unknown"] = fields{"a": nil}; f["nothing"] = nil; return f }
	fresh := func() fields { return odd(fields{"email": newAddress()}) }
	known := func(more fields) func() fields {
		email := d.signUp(t, nil)
		return func() fields {
			f := odd(fields{"email": email})
			for k, v := range more {
				f[k] = v
			}
			return f
		}
	}
	typed := func(first bool) func(*testing.T) func(*testing.T) answer {
		return func(t *testing.T) func(*testing.T) answer {
			number, n := newNumber(), 1
			d.bare(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
			code := func() string { return d.textedCode(t, number, n) }
			if !first {
				d.bare(t, "POST", typeText, fields{"phoneNumber": number, "otp": code()}).session(t)
				d.bare(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
				n = 2
			}
			otp := code()
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", typeText, odd(fields{"phoneNumber": number, "otp": otp, "mobile": "forged"}))
			}
		}
	}
	oauth := func(first bool) func(*testing.T) func(*testing.T) answer {
		return func(t *testing.T) func(*testing.T) answer {
			who := someone()
			if !first {
				atVouching.Lock()
				e.enters(t, "github", who)
				atVouching.Unlock()
			}
			return func(t *testing.T) answer {
				t.Helper()
				atVouching.Lock()
				defer atVouching.Unlock()
				return e.comeBack(t, e.setOut(t, "/signin/provider/github?state=mine", who))
			}
		}
	}
	token := func(email string) string {
		return vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": email, "email_verified": true})
	}
	return []passage{
		{"password sign-up", up, "email", false, post("/signup/email-password", func() fields { f := fresh(); f["password"] = rightPassword; return f }), ""},
		{"password", in, "email", false, post("/signin/email-password", known(fields{"password": rightPassword})), ""},
		{"wrong password", in, "email", false, post("/signin/email-password", known(fields{"password": "wrong horse battery"})), ""},
		{"unknown user", in, "email", false, post("/signin/email-password", func() fields { f := fresh(); f["password"] = rightPassword; return f }), ""},
		{"link of somebody new", up, "email-passwordless", false, post(signInLink, fresh), ""},
		{"link sign-up", up, "email-passwordless", false, post("/signup/passwordless/email", fresh), ""},
		{"link sign-up of somebody known", up, "email-passwordless", false, post("/signup/passwordless/email", known(nil)), ""},
		{"link", in, "email-passwordless", false, post(signInLink, known(nil)), ""},
		{"mailed code of somebody new", up, "email-passwordless", false, post(askMail, fresh), ""},
		{"mailed code sign-up", up, "email-passwordless", false, post("/signup/otp/email", fresh), ""},
		{"mailed code", in, "email-passwordless", false, post(askMail, known(nil)), ""},
		{"texted code, the first", up, "mobile", false, typed(true), "mobile country_code"},
		{"texted code", in, "mobile", false, typed(false), "mobile country_code"},
		{"guest", up, "anonymous", false, post("/signin/anonymous", func() fields { return odd(fields{}) }), ""},
		{"guest who signs up", up, "email", false, func(t *testing.T) func(*testing.T) answer {
			guest := d.bare(t, "POST", "/signin/anonymous", fields{}).session(t)
			sent := odd(fields{"email": newAddress(), "password": rightPassword, "signInMethod": "email-password"})
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", "/user/deanonymize", sent, bearer(guest.AccessToken))
			}
		}, ""},
		{"passkey sign-up", up, "webauthn", false, func(t *testing.T) func(*testing.T) answer {
			return func(t *testing.T) answer {
				t.Helper()
				credential := d.bare(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, device())
				return d.bare(t, "POST", "/signup/webauthn/verify", odd(fields{"credential": credential}))
			}
		}, "email"},
		{"passkey", in, "webauthn", false, func(t *testing.T) func(*testing.T) answer {
			key := device()
			d.passkeyPerson(t, key)
			return func(t *testing.T) answer { t.Helper(); return d.signByKey(t, key, odd(fields{})) }
		}, ""},
		{"personal access token", in, "pat", false, func(t *testing.T) func(*testing.T) answer {
			p := d.person(t)
			var pat struct{ PersonalAccessToken string }
			d.bare(t, "POST", "/pat", fields{"expiresAt": "2100-01-01T00:00:00Z"}, bearer(p.AccessToken)).into(t, &pat)
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", "/signin/pat", odd(fields{"personalAccessToken": pat.PersonalAccessToken}))
			}
		}, ""},
		{"ID token of somebody new", []string{loginHook, signupHook}, "google", false, func(t *testing.T) func(*testing.T) answer {
			raw := token(newAddress())
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", "/signin/idtoken", odd(fields{"provider": "google", "idToken": raw}))
			}
		}, "email profile"},
		{"ID token sign-up", up, "google", false, func(t *testing.T) func(*testing.T) answer {
			raw := token(newAddress())
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", "/signup/idtoken", odd(fields{"provider": "google", "idToken": raw}))
			}
		}, ""},
		{"ID token", in, "google", false, func(t *testing.T) func(*testing.T) answer {
			raw := token(newAddress())
			d.bare(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": raw}).session(t)
			return func(t *testing.T) answer {
				t.Helper()
				return d.bare(t, "POST", "/signin/idtoken", odd(fields{"provider": "google", "idToken": raw}))
			}
		}, ""},
		{"provider, somebody new", []string{loginHook, signupHook}, "github", true, oauth(true), "email profile"},
		{"provider", in, "github", true, oauth(false), ""},
	}
}

// signByKey signs in by a passkey.
func (d doorway) signByKey(t testing.TB, key *softkey.Device, more fields) answer {
	t.Helper()
	more["credential"] = d.bare(t, "POST", "/signin/webauthn", fields{}).sign(t, key)
	return d.bare(t, "POST", "/signin/webauthn/verify", more)
}

// TestPlatformHooksOfEveryWayIn goes every way in while the hook agrees, refuses, and does not answer well.
func TestPlatformHooksOfEveryWayIn(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock)
	metadata := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer metadata.Close()
	huge := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range 100 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	const no = `{"code": "no-room", "message":"not today", "detail": {"deep": [1e400, {"a":null}]}}`
	for _, way := range passages(t, d) {
		t.Run(way.name, func(t *testing.T) {
			p.agrees()
			step := way.ready(t)
			for _, hook := range way.hooks {
				for name, plight := range map[string]struct {
					says            http.HandlerFunc
					status          int
					body, id, words string
				}{
					"refused":          {replies(451, "application/json", no), 451, no, "no-room", "not today"},
					"refused in words": {replies(403, "text/html", "<b>no\nway</b>"), 403, "", "hook-denied", "<b>no way</b>"},
					"refused bare":     {replies(404, "", ""), 404, "", "hook-denied", "The request was denied"},
					"failing":          {replies(500, "application/json", no), 500, "", "hook-failed", failedWords},
					"redirecting": {func(w http.ResponseWriter, r *http.Request) {
						http.Redirect(w, r, metadata.URL+"/latest/meta-data", http.StatusTemporaryRedirect)
					}, 500, "", "hook-failed", failedWords},
					"endless":    {huge, 500, "", "hook-failed", failedWords},
					"hanging up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 500, "", "hook-failed", failedWords},
				} {
					p.agrees()
					p.says(hook, plight.says)
					a := step(t)
					if a.header.Get("Set-Cookie") != "" && !way.redirect || a.header.Get("WWW-Authenticate") != "" {
						t.Errorf("%s: headers of the hook came through: %v", name, a.header)
					}
					if plight.body != "" && !way.redirect {
						if a.status != plight.status || a.body != plight.body || a.header.Get("Content-Type") != "application/json" {
							t.Errorf("%s: %s", name, a)
						}
						continue
					}
					a.turnedAway(t, plight.status, plight.id, plight.words)
				}
			}
			p.agrees()
			p.says(way.hooks[0], sleeper)
			step(t).turnedAway(t, 500, "hook-failed", failedWords)

			p.agrees()
			p.says(loginHook, replies(200, "application/json", `{"roles": 7, this is no JSON`)) // means nothing there
			a := step(t)
			if (a.status >= 400) != (way.name == "wrong password" || way.name == "unknown user") {
				t.Errorf("agreed: %s", a)
			}
			calls := p.calls()
			var asked []string
			for _, c := range calls {
				asked = append(asked, c.hook)
			}
			if diff := cmp.Diff(way.hooks, asked); diff != "" {
				t.Fatalf("asked (-want +got):\n%s", diff)
			}
			about := calls[len(calls)-1]
			var told struct {
				Provider string
				Data     map[string]json.RawMessage
			}
			if err := json.Unmarshal([]byte(about.body), &told); err != nil || told.Provider != way.provider {
				t.Fatalf("told %s, %v", about.body, err)
			}
			for _, name := range strings.Fields(way.added) {
				if len(told.Data[name]) < 3 || string(told.Data[name]) == `"forged"` {
					t.Errorf("told %s, without %s", about.body, name)
				}
			}
			if !way.redirect && (string(told.Data["unknown"]) != `{"a":null}` || string(told.Data["nothing"]) != "null") {
				t.Errorf("told %s, without all that the client sent", about.body)
			}
			if way.redirect && (string(told.Data["state"]) != `"mine"` || len(told.Data["code"]) < 3) {
				t.Errorf("told %s", about.body)
			}
		})
	}
	for _, secret := range []string{rightPassword, "wrong horse battery"} {
		if strings.Contains(d.Log.String(), secret) {
			t.Errorf("the log has %s in it", secret)
		}
	}
}

func sleeper(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// TestPlatformHooksGetWhatTheClientSent has requests arrive byte for byte, odd ones too.
func TestPlatformHooksGetWhatTheClientSent(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock)
	email := newAddress()
	odd := fmt.Sprintf(" {\t\"\\u0065mail\" : \"%s\",\r\n\"password\":\"correct \\u0068orse\", \"big\":123456789012345678901234567890.10e-2, \"nothing\" : null,"+
		" \"\\ud83d\\ude00\":\"\\/\\u003c\u2028\", \"options\": { \"metadata\":{\"b\":1,\"a\":1.0, \"B\":2}, \"mine\":[null] } }\n", email)
	a := d.bare(t, "POST", "/signup/email-password", odd)
	a.session(t)
	calls := p.calls()
	if want := `{"provider":"email","data":` + strings.TrimSpace(odd) + `}`; len(calls) != 1 || calls[0].body != want {
		t.Errorf("told  %q\nwanted %q", calls, want)
	}
	for name, body := range map[string]string{
		"a member twice":                `{"email":"a@b.example","password":"correct horse","email":"c@d.example"}`,
		"the same in an escape":         `{"email":"a@b.example","password":"correct horse","\u0065mail":"c@d.example"}`,
		"a member in other letters":     `{"email":"a@b.example","password":"correct horse","Email":"c@d.example"}`,
		"an option in other letters":    `{"email":"a@b.example","password":"correct horse","options":{"locale":"en","LOCALE":"de"}}`,
		"a member in letters like them": `{"email":"a@b.example","password":"correct horse","pa\u017f\u017fword":"c"}`,
		"no JSON":                       `{"email":"a@b.example"`,
		"no address":                    `{"email":"a","password":"correct horse"}`,
	} {
		if a := d.bare(t, "POST", "/signup/email-password", body); a.status != 400 || len(p.calls()) > 0 {
			t.Errorf("%s: %s, and a hook was asked", name, a)
		}
	}
	without := openDoor(t, unverified())
	if a := without.bare(t, "POST", "/signup/email-password", odd); a.status != 400 {
		t.Errorf("without hooks what nobody understands is taken: %s", a)
	}
}

// TestPlatformRoles gives new users the roles of an answer, and nobody else.
func TestPlatformRoles(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock)
	rolesOf := func(s fullSession) []string {
		claims := claimsOf(t, s.AccessToken)
		var list []string
		for _, r := range claims["x-hasura-allowed-roles"].([]any) {
			list = append(list, fmt.Sprint(r))
		}
		slices.Sort(list)
		stored := strings.Split(value[string](t, d, `select string_agg(role, ' ') from auth.user_roles where user_id = $1`, s.User.ID), " ")
		if diff := cmp.Diff(list, slices.Sorted(slices.Values(stored))); diff != "" {
			t.Errorf("token and user differ: %s", diff)
		}
		return list
	}
	signUp := func(t *testing.T) answer {
		t.Helper()
		return d.bare(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword})
	}
	usual := []string{"me", "user"}
	for name, tt := range map[string]struct {
		kind, body string
		want       []string // nil is a failure
	}{
		"new roles":            {"application/json; charset=utf-8", `{"roles":["merchant","café/admin","user"]}`, []string{"café/admin", "me", "merchant", "user"}},
		"none":                 {"application/json", `{"roles":[],"else":1}`, usual},
		"null":                 {"application/json", `{"roles":null}`, usual},
		"no body":              {"application/json", ``, usual},
		"no JSON":              {"application/json", `{"roles":["merchant"]`, usual},
		"no object":            {"application/json", `["merchant"]`, usual},
		"not said to be JSON":  {"text/plain", `{"roles":["merchant"]}`, usual},
		"admin":                {"application/json", `{"roles":["merchant","admin"]}`, nil},
		"a text":               {"application/json", `{"roles":"merchant"}`, nil},
		"numbers":              {"application/json", `{"roles":[1]}`, nil},
		"roles twice":          {"application/json", `{"roles":[],"roles":["merchant"]}`, nil},
		"an empty role":        {"application/json", `{"roles":[""]}`, nil},
		"a role with a comma":  {"application/json", `{"roles":["a,admin"]}`, nil},
		"a role with brackets": {"application/json", `{"roles":["{admin}"]}`, nil},
		"a role with a NUL":    {"application/json", `{"roles":["a\u0000"]}`, nil},
		"a role too long":      {"application/json", `{"roles":["` + strings.Repeat("a", 101) + `"]}`, nil},
		"too many":             {"application/json", `{"roles":["a` + strings.Repeat(`","a`, 100) + `"]}`, nil},
		"in no UTF-8":          {"application/json", "{\"roles\":[\"\xff\"]}", usual},
	} {
		p.says(signupHook, replies(200, tt.kind, tt.body))
		before := value[int](t, d, `select count(*) from auth.users`)
		a := signUp(t)
		if tt.want == nil {
			a.refused(t, 500, "hook-failed", failedWords)
			if value[int](t, d, `select count(*) from auth.users`) != before {
				t.Errorf("%s: a user was made", name)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, rolesOf(a.session(t))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if !strings.Contains(d.Log.String(), "answer of a hook was not read whole") || strings.Contains(d.Log.String(), `["merchant"]`) {
		t.Error("the log does not tell of answers that were not read, or tells what is in them")
	}

	p.says(signupHook, replies(200, "application/json", `{"roles":["merchant"]}`))
	for _, way := range passages(t, d) {
		if !slices.Contains(way.hooks, signupHook) || strings.Contains(way.name, "known") {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			before := value[int](t, d, `select count(*) from auth.user_roles where role = 'merchant'`)
			step := way.ready(t)
			if strings.HasPrefix(way.name, "guest who") {
				d.sql(t, `delete from auth.user_roles where role = 'merchant' and user_id in (select id from auth.users where is_anonymous)`)
				before = value[int](t, d, `select count(*) from auth.user_roles where role = 'merchant'`)
			}
			if a := step(t); a.status >= 400 {
				t.Fatal(a)
			} else if strings.HasPrefix(way.name, "texted") && !slices.Contains(rolesOf(a.session(t)), "merchant") {
				t.Errorf("the first session is without the role: %s", a)
			}
			if after := value[int](t, d, `select count(*) from auth.user_roles where role = 'merchant'`); after != before+1 {
				t.Errorf("%d users got the role", after-before)
			}
		})
	}

	p.agrees()
	if diff := cmp.Diff(usual, rolesOf(signUp(t).session(t))); diff != "" {
		t.Errorf("roles of one user are another's: %s", diff)
	}
	p.says(signupHook, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"roles":["r%s"]}`, tokens.NewUUID()[:8])
	})
	var everybody sync.WaitGroup
	for range 8 {
		everybody.Go(func() {
			if got := rolesOf(signUp(t).session(t)); len(got) != 3 {
				t.Errorf("somebody has the roles of others: %v", got)
			}
		})
	}
	everybody.Wait()
	p.says(loginHook, replies(200, "application/json", `{"roles":["merchant"]}`))
	p.says(signupHook, nil)
	email := d.signUp(t, nil)
	if diff := cmp.Diff(usual, rolesOf(d.signIn(t, email, rightPassword))); diff != "" {
		t.Errorf("a sign-in gave roles: %s", diff)
	}
}

// TestPlatformRolesThatAreAllowed holds answers to the list of the operator.
func TestPlatformRolesThatAreAllowed(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock, "AUTH_HOOKS_PLATFORM_ALLOWED_ROLES", "admin, merchant")
	for role, status := range map[string]int{"admin": 200, "merchant": 200, "other": 500} {
		p.says(signupHook, replies(200, "application/json", `{"roles":["`+role+`"]}`))
		if a := d.bare(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}); a.status != status {
			t.Errorf("%s: %s", role, a)
		}
	}
}

// Limits come before hooks: nobody has them asked as often as they like.
func TestLimitsComeBeforePlatformHooks(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock, "AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_SIGNUPS_BURST", "3", "AUTH_RATE_LIMIT_SIGNUPS_INTERVAL", "10m",
		"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "4", "AUTH_RATE_LIMIT_BRUTE_FORCE_INTERVAL", "10m", "AUTH_RATE_LIMIT_EMAIL_BURST", "2", "AUTH_RATE_LIMIT_EMAIL_INTERVAL", "10m")
	number := newNumber()
	d.bare(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	for name, tt := range map[string]struct {
		path string
		body fields
		most int
	}{
		"sign-ups":     {"/signup/email-password", fields{"email": newAddress(), "password": rightPassword}, 3},
		"passwords":    {"/signin/email-password", fields{"email": newAddress(), "password": "wrong horse battery"}, 4},
		"mails":        {signInLink, fields{"email": newAddress()}, 2},
		"texted codes": {typeText, fields{"phoneNumber": number, "otp": "000000"}, 0},
		"tokens":       {"/signin/pat", fields{"personalAccessToken": tokens.NewUUID()}, 0},
	} {
		p.calls()
		for range 12 {
			d.bare(t, "POST", tt.path, tt.body)
		}
		if n := len(p.calls()); n > tt.most {
			t.Errorf("%s: a hook was asked %d times, want %d at most", name, n, tt.most)
		}
	}
}

// Where no sign-in makes users, hooks are asked the same about those who are known and those who are not.
func TestPlatformHooksDoNotTellWhoIsKnown(t *testing.T) {
	t.Parallel()
	p, clock := listenPlatform(t), newStillClock()
	d := p.open(t, clock, "AUTH_DISABLE_AUTO_SIGNUP", "true")
	known := d.signUp(t, nil)
	p.says(loginHook, replies(403, "application/json", `{"code":"closed"}`))
	for _, path := range []string{signInLink, askMail, "/signup/passwordless/email", "/signup/otp/email", "/signin/email-password"} {
		var answers []string
		var asked [][]string
		for _, email := range []string{known, newAddress()} {
			p.calls()
			body := fields{"email": email}
			if strings.HasSuffix(path, "password") {
				body["password"] = "wrong horse battery"
			}
			a := d.bare(t, "POST", path, body)
			var hooks []string
			for _, c := range p.calls() {
				hooks = append(hooks, c.hook)
			}
			answers, asked = append(answers, a.body), append(asked, hooks)
		}
		if answers[0] != answers[1] || len(asked[0]) != 1 || !slices.Equal(asked[0], asked[1]) {
			t.Errorf("%s: %q after %q", path, answers, asked)
		}
	}
}
