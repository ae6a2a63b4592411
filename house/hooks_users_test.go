package house_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"postern/hooks/supabase"
	"postern/internal/testhouse"
	"postern/totp"
)

// only gives the one question that a receiver was asked, and forgets it.
func (r *receiver) only(t testing.TB) map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) != 1 {
		t.Fatalf("asked %d times", len(r.asked))
	}
	body := r.asked[0].body
	r.asked = nil
	return body
}

// users tells whether somebody has an address.
func users(t testing.TB, h *testhouse.House, email string) bool {
	t.Helper()
	_, err := h.Store.UserByEmail(t.Context(), email)
	return err == nil
}

func TestBeforeUserCreated(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.BeforeUserCreated)
	h := testhouse.Open(t, hook(supabase.BeforeUserCreated, r.URL))
	for _, tt := range []struct {
		name          string
		answer        http.HandlerFunc
		status        int
		code, message string
	}{
		{"an error object", says(200, `{"error":{"http_code":403,"message":"Only staff"}}`), 403, "hook-denied", "Only staff"},
		{"trouble", says(500, `{}`), 500, "hook-failed", failed},
		{"not JSON", says(200, `fine`), 500, "hook-failed", failed},
		{"a list", says(200, `[]`), 500, "hook-failed", failed},
	} {
		r.says(tt.answer)
		signs(t, h, "signup", "jane@example.com").turnedAway(t, tt.status, tt.code, tt.message)
		if users(t, h, "jane@example.com") {
			t.Fatalf("%s: the user is there", tt.name)
		}
	}
	for i, answer := range []http.HandlerFunc{says(204, ``), says(200, `{}`), says(202, `{"user":{"email":"other@example.com"}}`)} {
		r.says(answer)
		email := fmt.Sprintf("jane%d@example.com", i)
		signs(t, h, "signup", email).entered(t)
		who, _ := r.only(t)["user"].(map[string]any)
		if who["email"] != email || who["role"] != "" || who["created_at"] != "0001-01-01T00:00:00Z" || !users(t, h, email) {
			t.Errorf("told of %v", who)
		}
		signs(t, h, "signin", email).entered(t)
		if n := len(r.questions()); n != 0 {
			t.Errorf("asked %d times of a user who is there", n)
		}
	}
}

func TestBeforeUserCreatedInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, hook(supabase.BeforeUserCreated, "pg-functions://postgres/app/hook"))
	signs(t, h, "signup", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	function(t, h, `if event->'user'->>'email' like '%@example.com' then return '{}'; end if;
		return '{"error":{"http_code":403,"message":"Only example.com"}}';`)
	signs(t, h, "signup", "jane@example.net").turnedAway(t, 403, "hook-denied", "Only example.com")
	signs(t, h, "signup", "jane@example.com").entered(t)
	function(t, h, `perform pg_sleep(20); return null;`)
	signs(t, h, "signup", "john@example.com").turnedAway(t, 500, "hook-failed", failed)
	function(t, h, `return null;`)
	signs(t, h, "signup", "john@example.com").entered(t)
	if users(t, h, "jane@example.net") {
		t.Error("the user who was refused is there")
	}
}

func TestAfterUserCreated(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.AfterUserCreated)
	h := testhouse.Open(t, hook(supabase.AfterUserCreated, r.URL))
	r.says(says(200, `{}`))
	signs(t, h, "signup", "jane@example.com").entered(t)
	who, _ := r.only(t)["user"].(map[string]any)
	if who["email"] != "jane@example.com" || who["role"] != "authenticated" || !users(t, h, "jane@example.com") {
		t.Errorf("told of %v", who)
	}
	signs(t, h, "signin", "jane@example.com").entered(t)
	if n := len(r.questions()); n != 0 {
		t.Errorf("asked %d times of a user who is there", n)
	}
	r.says(says(500, `{}`))
	signs(t, h, "signup", "john@example.com").turnedAway(t, 500, "hook-failed", failed)
	signs(t, h, "signin", "john@example.com").entered(t) // the user stays
}

func TestAfterUserCreatedInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, hook(supabase.AfterUserCreated, "pg-functions://postgres/app/hook"))
	run(t, h, `create schema app; create table app.profiles (id uuid primary key references auth.users)`)
	function(t, h, `insert into app.profiles values ((event->'user'->>'id')::uuid); return null;`)
	signs(t, h, "signup", "jane@example.com").entered(t)
	run(t, h, `do $$ begin if (select count(*) from app.profiles p join auth.users u using (id) where u.email = 'jane@example.com') <> 1 then raise exception 'no profile'; end if; end $$`)
	function(t, h, `raise exception 'no';`)
	signs(t, h, "signup", "john@example.com").turnedAway(t, 500, "hook-failed", failed)
}

func wrongly(t testing.TB, h *testhouse.House, email string) reply {
	t.Helper()
	return post(t, h, "/signin/email-password", fmt.Sprintf(`{"email":%q,"password":"not the password"}`, email))
}

func TestPasswordVerificationAttempt(t *testing.T) {
	t.Parallel()
	const wrong = "Incorrect email or password"
	r := listen(t, supabase.PasswordVerification)
	h := testhouse.Open(t, hook(supabase.PasswordVerification, r.URL))
	s := signs(t, h, "signup", "jane@example.com").entered(t)
	if n := len(r.questions()); n != 0 {
		t.Errorf("asked %d times of a sign-up", n)
	}
	r.says(says(200, `{"decision":"continue"}`))
	signs(t, h, "signin", "jane@example.com").entered(t)
	if body := r.only(t); body["valid"] != true || body["user_id"] != claimsOf(t, s.Session.AccessToken)["sub"] {
		t.Errorf("told %v", body)
	}
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	if body := r.only(t); body["valid"] != false {
		t.Errorf("told %v", body)
	}
	signs(t, h, "signin", "nobody@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	if n := len(r.questions()); n != 0 {
		t.Errorf("asked %d times of nobody", n)
	}

	r.says(says(500, `{}`))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	r.says(says(200, `{"error":{"http_code":429,"message":"Slower"}}`))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 429, "hook-denied", "Slower")
	r.says(says(200, `{"decision":"reject","message":"Too often"}`))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 400, "hook-denied", "Too often")
	wrongly(t, h, "jane@example.com").turnedAway(t, 400, "hook-denied", "Too often")
	if r := refreshed(t, h, s); r.status != http.StatusOK {
		t.Errorf("a session ended though nobody said so: %s", r.body)
	}
	r.says(says(200, `{"decision":"reject","should_logout_user":true}`))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 400, "hook-denied", "Further attempts to verify the password are refused")
	if r := refreshed(t, h, s); r.status != http.StatusUnauthorized {
		t.Errorf("the session goes on: %d %s", r.status, r.body)
	}
}

func TestPasswordVerificationAttemptInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, hook(supabase.PasswordVerification, "pg-functions://postgres/app/hook"))
	signs(t, h, "signup", "jane@example.com").entered(t)
	// What the function writes stays, also when it refuses.
	run(t, h, `create schema app; create table app.attempts (user_id uuid, valid boolean)`)
	function(t, h, `insert into app.attempts values ((event->>'user_id')::uuid, (event->>'valid')::boolean);
		if (select count(*) from app.attempts where not valid) > 1 then return '{"decision":"reject","message":"Too many"}'; end if;
		return '{"decision":"continue"}';`)
	signs(t, h, "signin", "jane@example.com").entered(t)
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", "Incorrect email or password")
	signs(t, h, "signin", "jane@example.com").entered(t)
	wrongly(t, h, "jane@example.com").turnedAway(t, 400, "hook-denied", "Too many")
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 400, "hook-denied", "Too many")
}

// half proves the first factor, then types a code.
func half(t testing.TB, h *testhouse.House, code string) reply {
	t.Helper()
	var first struct{ MFA struct{ Ticket string } }
	if r := signs(t, h, "signin", "jane@example.com"); json.Unmarshal([]byte(r.body), &first) != nil || first.MFA.Ticket == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return post(t, h, "/signin/mfa/totp", fmt.Sprintf(`{"ticket":%q,"otp":%q}`, first.MFA.Ticket, code))
}

// enrolled signs somebody up and gives them an authenticator app, whose codes it gives: each is good once.
func enrolled(t testing.TB, h *testhouse.House) (session, func() string) {
	t.Helper()
	s := signs(t, h, "signup", "jane@example.com").entered(t)
	resp, body := h.Do(t, http.MethodGet, "/mfa/totp/generate", "", "Authorization", "Bearer "+s.Session.AccessToken)
	_ = resp.Body.Close()
	var made struct{ TotpSecret string }
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	secret, err := totp.ParseSecret(made.TotpSecret)
	if err != nil {
		t.Fatal(err)
	}
	code := func() string {
		h.Clock.Advance(totp.Period)
		code, err := totp.At(secret, totp.Step(h.Clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	resp, body = h.Do(t, http.MethodPost, "/user/mfa", fmt.Sprintf(`{"code":%q,"activeMfaType":"totp"}`, code()), "Authorization", "Bearer "+s.Session.AccessToken)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return s, code
}

func withFactors(settings map[string]string) map[string]string {
	all := maps.Clone(settings)
	all["AUTH_MFA_ENABLED"] = "true"
	return all
}

func TestMFAVerificationAttempt(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.MFAVerification)
	h := testhouse.Open(t, withFactors(hook(supabase.MFAVerification, r.URL)))
	s, code := enrolled(t, h)
	r.says(says(200, `{"decision":"continue"}`))
	half(t, h, code()).entered(t)
	body := r.only(t)
	if body["valid"] != true || body["factor_type"] != "totp" || body["user_id"] != claimsOf(t, s.Session.AccessToken)["sub"] {
		t.Errorf("told %v", body)
	}
	half(t, h, "000000").turnedAway(t, 401, "invalid-totp", "Invalid TOTP code")
	if body := r.only(t); body["valid"] != false {
		t.Errorf("told %v", body)
	}
	r.says(says(500, `{}`))
	half(t, h, code()).turnedAway(t, 500, "hook-failed", failed)
	r.says(says(200, `{"error":{"http_code":418,"message":"Tea"}}`))
	half(t, h, code()).turnedAway(t, 418, "hook-denied", "Tea")
	if r := refreshed(t, h, s); r.status != http.StatusOK {
		t.Errorf("a session ended though nobody said so: %s", r.body)
	}
	r.says(says(200, `{"decision":"reject","message":"Call us"}`))
	half(t, h, code()).turnedAway(t, 403, "hook-denied", "Call us")
	if r := refreshed(t, h, s); r.status != http.StatusUnauthorized {
		t.Errorf("the session goes on: %d %s", r.status, r.body)
	}
}

func TestMFAVerificationAttemptInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, withFactors(hook(supabase.MFAVerification, "pg-functions://postgres/app/hook")))
	function(t, h, `return null;`)
	_, code := enrolled(t, h)
	half(t, h, code()).entered(t)
	function(t, h, `if event->>'valid' = 'true' then return '{"decision":"reject"}'; end if; return '{}';`)
	half(t, h, code()).turnedAway(t, 403, "hook-denied", "Further attempts to verify the second factor are refused")
}

func TestSeveralHooksAtOnce(t *testing.T) {
	t.Parallel()
	before, after, token := listen(t, supabase.BeforeUserCreated), listen(t, supabase.AfterUserCreated), listen(t, supabase.CustomAccessToken)
	settings := hook(supabase.BeforeUserCreated, before.URL)
	maps.Copy(settings, hook(supabase.AfterUserCreated, after.URL))
	maps.Copy(settings, hook(supabase.CustomAccessToken, token.URL))
	h := testhouse.Open(t, settings)
	token.says(badge)
	signs(t, h, "signup", "jane@example.com").entered(t)
	first, _ := before.only(t)["user"].(map[string]any)
	second, _ := after.only(t)["user"].(map[string]any)
	if first["id"] != second["id"] || first["id"] != token.only(t)["user_id"] {
		t.Errorf("they were told of different users: %v and %v", first["id"], second["id"])
	}
	if strings.Contains(h.Log.String(), "hook failed") {
		t.Error("a hook failed")
	}
}
