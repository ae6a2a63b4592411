package gotrue_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/tokens"
)

const password = "correct horse battery"

// door is a house with the door of GoTrue open, beside the one of Hasura Auth at /v1.
type door struct{ *testhouse.House }

func open(t testing.TB, more map[string]string) door {
	t.Helper()
	settings := map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1"}
	for name, value := range more {
		settings[name] = value
	}
	return door{testhouse.Open(t, settings)}
}

// origin is the address of the house without a path.
func (d door) origin() string { return strings.TrimSuffix(d.URL, "/v1") }

// answer is what the door said.
type answer struct {
	status int
	header http.Header
	body   string
}

// said is the answer as an object.
func (a answer) said(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	return v
}

// code is that of a refusal.
func (a answer) code(t testing.TB) string {
	t.Helper()
	code, _ := a.said(t)["error_code"].(string)
	return code
}

func (d door) ask(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	resp, got := d.DoAt(t, method, d.origin()+"/auth/v1"+path, body, header...)
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, got}
}

// ok asks, and has the answer be 200.
func (d door) ok(t testing.TB, method, path, body string, header ...string) map[string]any {
	t.Helper()
	a := d.ask(t, method, path, body, header...)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a.said(t)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// mailed is the code and the link of the n-th mail to somebody.
func (d door) mailed(t testing.TB, email string, n int) (code string, link *url.URL) {
	t.Helper()
	m := d.Mail.Wait(t, email, n)[n-1]
	link, err := url.Parse(m.Link)
	if err != nil {
		t.Fatal(err)
	}
	return sixDigits.FindString(m.Text), link
}

func newAddress() string { return "ann-" + tokens.NewUUID() + "@example.com" }

func credentials(email, password string) string {
	return `{"email":"` + email + `","password":"` + password + `"}`
}

// confirmed signs somebody up and gives the session that confirming the address opened.
func (d door) confirmed(t testing.TB, email string) map[string]any {
	t.Helper()
	d.ok(t, "POST", "/signup", credentials(email, password))
	code, _ := d.mailed(t, email, 1)
	return d.ok(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
}

func bearer(session map[string]any) string { return "Bearer " + session["access_token"].(string) }

// byHasura asks the door of Hasura Auth.
func (d door) byHasura(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	resp, got := d.Do(t, method, path, body, header...)
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, got}
}

// TestTrapsOfTheWire are the first ones of the list: what clients send and read that another server would stumble
// over.
func TestTrapsOfTheWire(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))

	t.Run("apikey passes the preflight, and the version of errors may be read", func(t *testing.T) {
		a := d.ask(t, "OPTIONS", "/token", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "apikey, x-client-info")
		if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "apikey") || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PUT") {
			t.Errorf("%v", a.header)
		}
		a = d.ask(t, "GET", "/health", "", "Origin", "https://app.example.com")
		if !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "X-Supabase-Api-Version") {
			t.Errorf("%v", a.header)
		}
	})
	t.Run("opaque bearers on public endpoints", func(t *testing.T) {
		for _, auth := range []string{"Bearer sb_publishable_x", "Bearer", "Basic x", "Bearer a.b.c"} {
			d.ok(t, "POST", "/token?grant_type=password", credentials(email, password), "Authorization", auth)
		}
	})
	t.Run("null, unknown members, any content type", func(t *testing.T) {
		d.ok(t, "POST", "/token?grant_type=password", `{"email":"`+email+`","password":"`+password+`","phone":null,"gotrue_meta_security":{},"options":{"deep":[null]}}`, "Content-Type", "text/plain")
		d.ok(t, "POST", "/signup", `{"email":"`+newAddress()+`","password":"`+password+`","data":null,"code_challenge":null,"code_challenge_method":null}`)
		d.ok(t, "POST", "/recover", `{"email":"`+newAddress()+`","code_challenge":null,"code_challenge_method":null,"gotrue_meta_security":{"captcha_token":null}}`)
	})
	t.Run("the version header is on errors alone", func(t *testing.T) {
		a := d.ask(t, "POST", "/token?grant_type=password", credentials(email, password), "X-Supabase-Api-Version", "2024-01-01")
		if a.header.Get("X-Supabase-Api-Version") != "" {
			t.Error("on a success")
		}
		a = d.ask(t, "POST", "/token?grant_type=password", credentials(email, "wrong"), "X-Supabase-Api-Version", "2024-01-01")
		if a.header.Get("X-Supabase-Api-Version") != "2024-01-01" || a.header.Get("X-Sb-Error-Code") != "invalid_credentials" {
			t.Errorf("%v", a.header)
		}
	})
	t.Run("paths", func(t *testing.T) {
		if a := d.ask(t, "GET", "/nowhere", ""); a.status != 404 || strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%+v", a)
		}
		if a := d.ask(t, "DELETE", "/signup", ""); a.status != 405 || a.header.Get("Allow") != "POST" || a.body != "" {
			t.Errorf("%+v", a)
		}
		if a := d.ask(t, "GET", "/settings/", ""); a.status != 200 {
			t.Errorf("%+v", a)
		}
		if a := d.ask(t, "GET", "/../health", ""); a.status == 200 {
			t.Errorf("%+v", a)
		}
	})
	t.Run("what is no request", func(t *testing.T) {
		for body, code := range map[string]string{
			`{`: "bad_json", `[]`: "bad_json", `{"email":3,"password":"x"}`: "bad_json", `{"email":"nobody","password":"` + password + `"}`: "validation_failed",
			`{"email":"a@example.com","phone":"15551234567","password":"x"}`: "validation_failed", `{"email":"a@example.com"}`: "validation_failed",
			`{"email":"a@example.com","password":"` + password + `","data":[1]}`:                                                                         "bad_json",
			`{"email":"a@example.com","password":"` + password + `","code_challenge":"x"}`:                                                               "validation_failed",
			`{"email":"a@example.com","password":"` + password + `","code_challenge":"` + strings.Repeat("a", 43) + `","code_challenge_method":"plain"}`: "validation_failed",
			`{"email":"a@example.com","password":"12345"}`:                                                                                               "weak_password",
		} {
			if a := d.ask(t, "POST", "/signup", body); a.status >= 500 || a.code(t) != code {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
		if a := d.ask(t, "POST", "/token?grant_type=magic", `{}`); a.status != 400 || a.code(t) != "invalid_credentials" {
			t.Errorf("%+v", a)
		}
	})
}

// TestBearersAreJudgedInOrder holds what a bearer is refused with, which clients act upon: they forget a session
// that is not found.
func TestBearersAreJudgedInOrder(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	session := d.confirmed(t, newAddress())
	gone := d.confirmed(t, newAddress())
	if a := d.ask(t, "POST", "/logout?scope=local", "", "Authorization", bearer(gone)); a.status != 204 || a.body != "" {
		t.Fatalf("%+v", a)
	}
	banned := d.confirmed(t, newAddress())
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set disabled = true where id = $1`, banned["user"].(map[string]any)["id"]); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		header string
		status int
		code   string
	}{
		"none":          {"", 401, "no_authorization"},
		"no bearer":     {"Basic x", 401, "no_authorization"},
		"two words":     {bearer(session) + " x", 401, "no_authorization"},
		"an opaque key": {"Bearer sb_secret_x", 403, "bad_jwt"},
		"tampered":      {bearer(session) + "x", 403, "bad_jwt"},
		"gone":          {bearer(gone), 403, "session_not_found"},
		"banned":        {bearer(banned), 403, "user_banned"},
		"in lower case": {strings.Replace(bearer(session), "Bearer", "bearer", 1), 200, ""},
	} {
		a := d.ask(t, "GET", "/user", "", "Authorization", tt.header)
		if a.status != tt.status || tt.code != "" && a.code(t) != tt.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestPoliciesAreOfTheDoor has each door decide by the defaults of its dialect, and both by what the operator says.
func TestPoliciesAreOfTheDoor(t *testing.T) {
	t.Parallel()
	short := "1234567"
	d := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	if a := d.ask(t, "POST", "/signup", credentials(newAddress(), short)); a.status != 200 {
		t.Errorf("six are enough for GoTrue: %s", a.body)
	}
	if a := d.byHasura(t, "POST", "/signup/email-password", credentials(newAddress(), short)); a.status != 400 {
		t.Errorf("and not for Hasura Auth: %s", a.body)
	}
	if a := d.ask(t, "POST", "/otp", `{"email":"`+newAddress()+`"}`); a.status != 200 {
		t.Errorf("links are on with GoTrue: %s", a.body)
	}
	if a := d.byHasura(t, "POST", "/signin/passwordless/email", `{"email":"`+newAddress()+`"}`); a.status != 409 {
		t.Errorf("and off with Hasura Auth: %s", a.body)
	}
	if got := d.ok(t, "POST", "/signup", credentials(newAddress(), password))["expires_in"]; got != 3600.0 {
		t.Errorf("tokens live for %v s", got)
	}

	said := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_PASSWORD_MIN_LENGTH": "12", "AUTH_ACCESS_TOKEN_EXPIRES_IN": "600"})
	if a := said.ask(t, "POST", "/signup", credentials(newAddress(), short)); a.status != 422 {
		t.Errorf("what the operator says counts at both: %s", a.body)
	}
	if got := said.ok(t, "POST", "/signup", credentials(newAddress(), password))["expires_in"]; got != 600.0 {
		t.Errorf("tokens live for %v s", got)
	}
}

// TestBothDoorsLeaveTheSameRows signs somebody up, confirms the address and signs in, through each door.
func TestBothDoorsLeaveTheSameRows(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	rows := func(email string) (out []map[string]any) {
		t.Helper()
		list, err := d.Store.Pool().Query(t.Context(), `
			select 'user' as what, jsonb_build_object('verified', email_verified, 'role', default_role, 'disabled', disabled, 'name', display_name = email::text,
				'password', left(password_hash, 10), 'locale', locale, 'anonymous', is_anonymous, 'seen', last_seen is not null, 'metadata', metadata,
				'confirmed', email_confirmed_at is not null, 'signed in', last_sign_in_at is not null) as v from auth.users where email = $1
			union all select 'roles', (select jsonb_agg(role order by role) from auth.user_roles r where r.user_id = u.id) from auth.users u where email = $1
			union all select 'sessions', (select jsonb_agg(jsonb_build_object('aal', aal, 'type', type) order by t.created_at) from auth.refresh_tokens t where t.user_id = u.id) from auth.users u where email = $1
			union all select 'log', (select jsonb_agg(event order by at, e.id) from auth.audit_entries e where e.user_id = u.id) from auth.users u where email = $1
			union all select 'events', (select jsonb_agg(type order by seq) from auth.events e where e.user_id = u.id) from auth.users u where email = $1
			union all select 'tickets', (select to_jsonb(count(*)) from auth.tickets k where k.user_id = u.id) from auth.users u where email = $1`, email)
		if err != nil {
			t.Fatal(err)
		}
		for list.Next() {
			var what string
			var v any
			if err := list.Scan(&what, &v); err != nil {
				t.Fatal(err)
			}
			out = append(out, map[string]any{what: v})
		}
		return out
	}
	ours, theirs := newAddress(), newAddress()
	d.confirmed(t, theirs)
	d.ok(t, "POST", "/token?grant_type=password", credentials(theirs, password))

	if a := d.byHasura(t, "POST", "/signup/email-password", credentials(ours, password)); a.status != 200 {
		t.Fatal(a.body)
	}
	_, link := d.mailed(t, ours, 1)
	if a := d.byHasura(t, "GET", strings.TrimPrefix(link.RequestURI(), "/v1"), ""); a.status != 302 {
		t.Fatal(a.status, a.body)
	}
	if a := d.byHasura(t, "POST", "/signin/email-password", credentials(ours, password)); a.status != 200 {
		t.Fatal(a.body)
	}
	if diff := cmp.Diff(rows(ours), rows(theirs)); diff != "" {
		t.Errorf("(-by Hasura Auth +by GoTrue):\n%s", diff)
	}
}

// TestSessionsGoOnAtEitherDoor refreshes at one what was opened at the other.
func TestSessionsGoOnAtEitherDoor(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	s := d.ok(t, "POST", "/signup", credentials(newAddress(), password))
	a := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+s["refresh_token"].(string)+`"}`)
	var next struct{ AccessToken, RefreshToken string }
	if err := json.Unmarshal([]byte(a.body), &next); err != nil || a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := d.byHasura(t, "GET", "/user", "", "Authorization", bearer(s)); a.status != 200 {
		t.Errorf("Hasura Auth's door does not take GoTrue's token: %s", a.body)
	}
	d.ok(t, "GET", "/user", "", "Authorization", "Bearer "+next.AccessToken)
	d.ok(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+next.RefreshToken+`"}`)
}

// TestInvalidRedirectsAreNoErrors sends who asked for an address that is not allowed to the application.
func TestInvalidRedirectsAreNoErrors(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_CLIENT_URL": "https://app.example.com"})
	email := newAddress()
	d.ok(t, "POST", "/signup?redirect_to=https://evil.example", credentials(email, password))
	_, link := d.mailed(t, email, 1)
	if got := link.Query().Get("redirect_to"); got != "https://app.example.com" {
		t.Errorf("the link leads to %s", got)
	}
	q := link.Query()
	q.Set("redirect_to", "https://evil.example/steal")
	a := d.ask(t, "GET", "/verify?"+q.Encode(), "")
	if to := a.header.Get("Location"); a.status != 303 || !strings.HasPrefix(to, "https://app.example.com#access_token=") {
		t.Errorf("%d %s", a.status, to)
	}
}

// TestSpentLinksSayWhy redirects with the refusal, as pages of applications read it.
func TestSpentLinksSayWhy(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	_, link := d.mailed(t, email, 1)
	path := "/verify?" + link.RawQuery
	if a := d.ask(t, "HEAD", path, ""); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	if a := d.ask(t, "GET", path, ""); a.status != 303 || !strings.Contains(a.header.Get("Location"), "#access_token=") {
		t.Fatalf("%d %s", a.status, a.header.Get("Location"))
	}
	a := d.ask(t, "GET", path, "")
	_, fragment, _ := strings.Cut(a.header.Get("Location"), "#")
	got, err := url.ParseQuery(fragment)
	if err != nil || a.status != 303 || got.Get("error") != "access_denied" || got.Get("error_code") != "otp_expired" || !got.Has("sb") {
		t.Errorf("%d %v", a.status, got)
	}
	if a := d.ask(t, "GET", "/verify?type=signup", ""); a.status != 400 {
		t.Errorf("no token: %d", a.status)
	}
}

// TestCodesAreGuessedAFewTimes spends a code by guessing at it, which GoTrue does not.
func TestCodesAreGuessedAFewTimes(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	code, _ := d.mailed(t, email, 1)
	guess := func(code string) answer {
		return d.ask(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
	}
	wrong := "000000"
	if code == wrong {
		wrong = "111111"
	}
	for range 5 {
		if a := guess(wrong); a.status != 403 || a.code(t) != "otp_expired" {
			t.Fatalf("%+v", a)
		}
	}
	if a := guess(code); a.status != 403 {
		t.Errorf("the right one, too late: %+v", a)
	}
	if a := d.ask(t, "POST", "/verify", `{"type":"signup","email":"`+newAddress()+`","token":"123456"}`); a.status != 403 || a.code(t) != "otp_expired" {
		t.Errorf("of nobody: %+v", a)
	}
}

// TestACodeAndItsLinkWorkOnce has many type the code, and open the link, at the same moment.
func TestACodeAndItsLinkWorkOnce(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	code, link := d.mailed(t, email, 1)
	var mu sync.Mutex
	let := 0
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			body := `{"type":"email","email":"` + email + `","token":"` + code + `"}`
			if i%2 == 1 {
				body = `{"type":"signup","token_hash":"` + link.Query().Get("token") + `"}`
			}
			if a := d.ask(t, "POST", "/verify", body); a.status == 200 {
				mu.Lock()
				let++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if let != 1 {
		t.Errorf("%d were let in", let)
	}
}

// TestLinksAreForOnePurpose refuses a link of one kind as another.
func TestLinksAreForOnePurpose(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.confirmed(t, email)
	d.ok(t, "POST", "/recover", `{"email":"`+email+`"}`)
	_, link := d.mailed(t, email, 2)
	token := link.Query().Get("token")
	for _, kind := range []string{"signup", "invite", "email_change"} {
		if a := d.ask(t, "POST", "/verify", `{"type":"`+kind+`","token_hash":"`+token+`"}`); a.status != 403 {
			t.Errorf("%s: %+v", kind, a)
		}
	}
	for _, body := range []string{
		`{"type":"recovery","token_hash":"` + token + `","email":"` + email + `"}`, `{"type":"recovery"}`, `{"token_hash":"` + token + `"}`, `{"type":"nonsense","token_hash":"x"}`,
	} {
		if a := d.ask(t, "POST", "/verify", body); a.status != 400 {
			t.Errorf("%s: %+v", body, a)
		}
	}
	s := d.ok(t, "POST", "/verify", `{"type":"recovery","token":"`+token+`"}`) // as the older clients send it
	if s["type"] != "recovery" {
		t.Errorf("type %v", s["type"])
	}
}

// TestMetadataOfTheApplicationIsNobodyElses keeps users from writing app_metadata, whichever way they try.
func TestMetadataOfTheApplicationIsNobodyElses(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	s := d.ok(t, "POST", "/signup", `{"email":"`+newAddress()+`","password":"`+password+`","data":{"app_metadata":{"admin":true},"role":"service_role"},"app_metadata":{"admin":true}}`)
	if a := d.ask(t, "PUT", "/user", `{"app_metadata":{"admin":true}}`, "Authorization", bearer(s)); a.status != 403 || a.code(t) != "not_admin" {
		t.Errorf("%+v", a)
	}
	u := d.ok(t, "PUT", "/user", `{"data":{"app_metadata":{"admin":true},"provider":"x"}}`, "Authorization", bearer(s))
	want := map[string]any{"provider": "email", "providers": []any{"email"}}
	if diff := cmp.Diff(want, u["app_metadata"]); diff != "" || u["role"] != "authenticated" {
		t.Errorf("role %v, (-want +got):\n%s", u["role"], diff)
	}
}

// TestWhatIsAddedToMetadataTakesNothingAway merges without a null, which took everything once.
func TestWhatIsAddedToMetadataTakesNothingAway(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	s := d.ok(t, "POST", "/signup", `{"email":"`+newAddress()+`","password":"`+password+`","data":{"a":1,"b":2}}`)
	id := s["user"].(map[string]any)["id"]
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set metadata = metadata || '{"app_metadata":{"suspended":true}}' where id = $1`, id); err != nil {
		t.Fatal(err)
	}
	d.ok(t, "PUT", "/user", `{"data":{"c":3}}`, "Authorization", bearer(s))
	u := d.ok(t, "PUT", "/user", `{"data":{"b":null,"email_verified":true,"sub":"x"}}`, "Authorization", bearer(s))
	about, apps := u["user_metadata"].(map[string]any), u["app_metadata"].(map[string]any)
	if about["a"] != 1.0 || about["c"] != 3.0 || about["b"] != nil || apps["suspended"] != true || about["sub"] != id || about["email_verified"] != false {
		t.Errorf("%v, %v", about, apps)
	}
	big := `{"data":{"x":"` + strings.Repeat("x", 30<<10) + `"}}`
	d.ok(t, "PUT", "/user", big, "Authorization", bearer(s))
	if a := d.ask(t, "PUT", "/user", strings.Replace(big, `"x":`, `"y":`, 1), "Authorization", bearer(s)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if a := d.ask(t, "PUT", "/user", strings.Replace(big, `"x":`, `"z":`, 1), "Authorization", bearer(s)); a.status != 400 || a.code(t) != "validation_failed" {
		t.Errorf("more than there may be: %d", a.status)
	}
	next := d.ok(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+s["refresh_token"].(string)+`"}`)
	d.ok(t, "PUT", "/user", `{"data":{"x":null,"y":null}}`, "Authorization", bearer(next))
}

// TestNobodySetsAPasswordUpForSomebodyElse has two sign up with an address that neither has confirmed: whichever mail is
// opened, the password of neither lets anybody in.
func TestNobodySetsAPasswordUpForSomebodyElse(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	mine, theirs := "mine mine mine", "theirs theirs"
	for name, confirm := range map[string]func(t *testing.T, email string){
		"the newest code": func(t *testing.T, email string) {
			code, _ := d.mailed(t, email, 2)
			d.ok(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
		},
		"the oldest link": func(t *testing.T, email string) {
			_, link := d.mailed(t, email, 1)
			d.ok(t, "POST", "/verify", `{"type":"signup","token_hash":"`+link.Query().Get("token")+`"}`)
		},
		"one that was asked for again": func(t *testing.T, email string) {
			d.ok(t, "POST", "/resend", `{"type":"signup","email":"`+email+`"}`)
			code, _ := d.mailed(t, email, 3)
			d.ok(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
		},
		"a link to sign in": func(t *testing.T, email string) {
			d.ok(t, "POST", "/otp", `{"email":"`+email+`"}`)
			code, _ := d.mailed(t, email, 3)
			u := d.ok(t, "POST", "/verify", `{"type":"email","email":"`+email+`","token":"`+code+`"}`)["user"].(map[string]any)
			if said := u["user_metadata"].(map[string]any); said["evil"] != nil {
				t.Errorf("what a stranger said is kept: %v", said)
			}
		},
		"a reset": func(t *testing.T, email string) {
			d.ok(t, "POST", "/recover", `{"email":"`+email+`"}`)
			code, _ := d.mailed(t, email, 3)
			d.ok(t, "POST", "/verify", `{"type":"recovery","email":"`+email+`","token":"`+code+`"}`)
			var kept string
			if err := d.Store.Pool().QueryRow(t.Context(), `select coalesce(metadata, '{}')::text from auth.users where email = $1`, email).Scan(&kept); err != nil || strings.Contains(kept, "evil") {
				t.Errorf("what a stranger said is kept: %s %v", kept, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			email := newAddress()
			d.ok(t, "POST", "/signup", `{"email":"`+email+`","password":"`+theirs+`","data":{"evil":1}}`)
			d.Mail.Wait(t, email, 1) // mails of one moment come in any order
			d.ok(t, "POST", "/signup", credentials(email, mine))
			d.Mail.Wait(t, email, 2)
			confirm(t, email)
			for _, p := range []string{mine, theirs} {
				if a := d.ask(t, "POST", "/token?grant_type=password", credentials(email, p)); a.status != 400 || a.code(t) != "invalid_credentials" {
					t.Errorf("%s: %+v", p, a)
				}
			}
		})
	}
	t.Run("who signs up twice with the same password keeps it", func(t *testing.T) {
		t.Parallel()
		email := newAddress()
		d.ok(t, "POST", "/signup", credentials(email, mine))
		d.Mail.Wait(t, email, 1)
		d.ok(t, "POST", "/signup", credentials(email, mine))
		code, _ := d.mailed(t, email, 2)
		d.ok(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
		d.ok(t, "POST", "/token?grant_type=password", credentials(email, mine))
	})
}

// TestLinksOfTheOtherDoorKeepTheirVerifier refuses the hash of a link that was asked for with PKCE at the other door.
func TestLinksOfTheOtherDoorKeepTheirVerifier(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"})
	email := newAddress()
	_, challenge := testhouse.Verifier()
	if a := d.byHasura(t, "POST", "/signin/passwordless/email", `{"email":"`+email+`","codeChallenge":"`+challenge+`"}`); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	_, link := d.mailed(t, email, 1)
	if a := d.ask(t, "POST", "/verify", `{"type":"magiclink","token_hash":"`+link.Query().Get("ticket")+`"}`); a.status != 403 {
		t.Errorf("%+v", a)
	}
}

// TestScannersPressNoButtons has a browser open a link: the page asks first, and the button goes on.
func TestScannersPressNoButtons(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	_, link := d.mailed(t, email, 1)
	path := "/verify?" + link.RawQuery
	for range 2 {
		a := d.ask(t, "GET", path, "", "Accept", "text/html", "User-Agent", "Mozilla/5.0")
		if a.status != 200 || !strings.Contains(a.body, `<form method="post">`) {
			t.Fatalf("%+v", a)
		}
	}
	a := d.ask(t, "POST", path, "", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html", "User-Agent", "Mozilla/5.0")
	if a.status != 303 || !strings.Contains(a.header.Get("Location"), "#access_token=") {
		t.Errorf("%+v", a)
	}
}

// TestAMailThatWasUsedLeavesNoOther signs in by the newer of two links: the older is worth nothing.
func TestAMailThatWasUsedLeavesNoOther(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.confirmed(t, email)
	for n := range 2 {
		d.ok(t, "POST", "/otp", `{"email":"`+email+`"}`)
		d.Mail.Wait(t, email, 2+n)
	}
	_, older := d.mailed(t, email, 2)
	code, _ := d.mailed(t, email, 3)
	d.ok(t, "POST", "/verify", `{"type":"email","email":"`+email+`","token":"`+code+`"}`)
	if a := d.ask(t, "POST", "/verify", `{"type":"magiclink","token_hash":"`+older.Query().Get("token")+`"}`); a.status != 403 {
		t.Errorf("%+v", a)
	}
}

// TestSamePasswordIsNoOracle guesses at the password of a session's user by having it refused as the same.
func TestSamePasswordIsNoOracle(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true"})
	s := d.confirmed(t, newAddress())
	fill := func(name string) string { return `"data":{"` + name + `":"` + strings.Repeat("x", 31<<10) + `"}}` }
	for _, name := range []string{"a", "b"} {
		d.ok(t, "PUT", "/user", `{`+fill(name), "Authorization", bearer(s))
	}
	guess := func(p string) answer { // what is too long leaves the password as it is
		return d.ask(t, "PUT", "/user", `{"password":"`+p+`",`+fill("c"), "Authorization", bearer(s))
	}
	told := 0
	for range 30 {
		if a := guess("wrong wrong wrong"); a.status == 429 {
			break
		}
		told++
	}
	if told == 30 {
		t.Error("thirty guesses were answered")
	}
	if a := guess(password); a.status != 429 {
		t.Errorf("the right one, too late: %d %s", a.status, a.body)
	}
}
