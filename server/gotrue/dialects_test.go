package gotrue_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/internal/testhouse"
	"postern/internal/testtrips"
)

// of tells whose claims an access token has.
func of(t testing.TB, token string) string {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(claimsIn(t, token)), &claims); err != nil {
		t.Fatal(err)
	}
	var list []string
	if ours, ok := claims["https://hasura.io/jwt/claims"].(map[string]any); ok && ours["x-hasura-user-id"] == claims["sub"] {
		list = append(list, "hasura")
	}
	app, _ := claims["app_metadata"].(map[string]any)
	_, amr := claims["amr"].([]any)
	if _, data := claims["user_metadata"].(map[string]any); data && amr && app["provider"] == "email" && claims["aal"] == "aal1" &&
		claims["role"] == "authenticated" && claims["aud"] == "authenticated" && claims["session_id"] != "" {
		list = append(list, "supabase")
	}
	return strings.Join(list, ",")
}

// TestTokensOfEachDialect asks for tokens at both doors, and takes each to both.
func TestTokensOfEachDialect(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ setting, hasuras, gotrues string }{
		{"", "hasura", "hasura,supabase"},
		{"hasura,supabase", "hasura,supabase", "hasura,supabase"},
		{"supabase", "supabase", "supabase"},
	} {
		t.Run(test.setting, func(t *testing.T) {
			t.Parallel()
			d := open(t, map[string]string{"AUTH_JWT_DIALECTS": test.setting, "AUTH_REQUIRE_ELEVATED_CLAIM": "recommended"})
			email := newAddress()
			theirs := d.confirmed(t, email)
			ours := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password)).said(t)["session"].(map[string]any)
			tokens := []string{ours["accessToken"].(string)}
			refreshed := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+ours["refreshToken"].(string)+`"}`).said(t)
			tokens = append(tokens, refreshed["accessToken"].(string))
			for _, token := range tokens {
				if got := of(t, token); got != test.hasuras {
					t.Errorf("Hasura Auth's door gives claims of %q, want %q", got, test.hasuras)
				}
			}
			if got := of(t, theirs["access_token"].(string)); got != test.gotrues {
				t.Errorf("GoTrue's door gives claims of %q, want %q", got, test.gotrues)
			}
			for _, token := range append(tokens, theirs["access_token"].(string)) {
				if a := d.ask(t, "GET", "/user", "", "Authorization", "Bearer "+token); a.status != 200 {
					t.Errorf("GoTrue's door: %d %s", a.status, a.body)
				}
				if a := d.byHasura(t, "GET", "/user", "", "Authorization", "Bearer "+token); a.status != 200 {
					t.Errorf("Hasura Auth's door: %d %s", a.status, a.body)
				}
			}
		})
	}
}

// TestFreshProofsAreToldWithoutHasura elevates a session whose tokens have no claim of Hasura that could say so.
func TestFreshProofsAreToldWithoutHasura(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_JWT_DIALECTS": "supabase", "AUTH_REQUIRE_ELEVATED_CLAIM": "required", "AUTH_OTP_EMAIL_ENABLED": "true"})
	email := newAddress()
	s := d.confirmed(t, email)
	asked := d.Mail.Wait(t, email, 1)
	before := d.byHasura(t, "POST", "/pat", `{"expiresAt":"2099-01-01T00:00:00Z"}`, "Authorization", bearer(s))
	if before.status == 200 {
		t.Fatalf("without a fresh proof: %s", before.body)
	}
	if a := d.byHasura(t, "POST", "/elevate/otp/email", `{}`, "Authorization", bearer(s)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	m := d.Mail.Wait(t, email, len(asked)+1)
	code := sixDigits.FindString(m[len(asked)].Text)
	proved := d.byHasura(t, "POST", "/elevate/otp/email/verify", `{"otp":"`+code+`"}`, "Authorization", bearer(s))
	if proved.status != 200 {
		t.Fatalf("%d %s", proved.status, proved.body)
	}
	var text struct {
		Session struct{ AccessToken string }
	}
	if err := json.Unmarshal([]byte(proved.body), &text); err != nil {
		t.Fatal(err)
	}
	after := d.byHasura(t, "POST", "/pat", `{"expiresAt":"2099-01-01T00:00:00Z"}`, "Authorization", "Bearer "+text.Session.AccessToken)
	if after.status != 200 {
		t.Errorf("with a fresh proof: %d %s", after.status, after.body)
	}
}

// TestTokensOfBothDialectsTakeNoMoreTrips counts at Hasura Auth's door, where details of users are asked for only then.
func TestTokensOfBothDialectsTakeNoMoreTrips(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Open(t, map[string]string{"AUTH_JWT_DIALECTS": "hasura,supabase", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}, testtrips.Count)}
	email := newAddress()
	signIn := func() string { return credentials(email, password) }
	if a := d.byHasura(t, "POST", "/signup/email-password", signIn()); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for path, test := range map[string]struct {
		budget int
		body   func() string
	}{
		"/signin/email-password": {2, signIn},
		"/token": {1, func() string {
			s := d.byHasura(t, "POST", "/signin/email-password", signIn()).said(t)["session"].(map[string]any)
			return fmt.Sprintf(`{"refreshToken":%q}`, s["refreshToken"])
		}},
	} {
		trips := 0
		for range 8 { // the first tries warm the connections
			body := test.body()
			ctx, counted := testtrips.Within(t.Context())
			r := httptest.NewRequestWithContext(ctx, "POST", "/v1"+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			d.Handler.ServeHTTP(w, r)
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			trips = len(counted.Asked)
		}
		if trips != test.budget {
			t.Errorf("%s: %d round trips, the budget is %d", path, trips, test.budget)
		}
	}
}

// TestOperatorsSeeWhatTheTokensOfUsersSay has a token for somebody else say what theirs do.
func TestOperatorsSeeWhatTheTokensOfUsersSay(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_JWT_DIALECTS": "hasura,supabase", "HASURA_GRAPHQL_ADMIN_SECRET": strings.Repeat("secret", 6)})
	s := d.confirmed(t, newAddress())
	resp, body := d.DoAt(t, "POST", d.origin()+"/graphql", fmt.Sprintf(
		`{"query":"mutation { impersonateUser(input: {userId: \"%s\", reason: \"a test\"}) { accessToken } }"}`, s["user"].(map[string]any)["id"]),
		"X-Hasura-Admin-Secret", strings.Repeat("secret", 6))
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			ImpersonateUser struct{ AccessToken string }
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Data.ImpersonateUser.AccessToken == "" {
		t.Fatalf("%d %s %v", resp.StatusCode, body, err)
	}
	if got := of(t, answer.Data.ImpersonateUser.AccessToken); got != "hasura,supabase" {
		t.Errorf("claims of %q", got)
	}
}
