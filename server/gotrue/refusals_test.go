package gotrue

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	for _, code := range auth.Codes() {
		if no := refusals[code]; no.status < 400 || no.status > 599 || no.message == "" || no.code == "" && code != auth.NotFound {
			t.Errorf("%s: %+v", code, no)
		}
	}
	if len(refusals) != len(auth.Codes()) {
		t.Errorf("there are words for %d codes, and %d codes", len(refusals), len(auth.Codes()))
	}
}

// TestErrorsHaveTheShapeThatIsAskedFor holds both shapes to what clients of either time read.
func TestErrorsHaveTheShapeThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked  string
		err    error
		status int
		want   string
		header string
	}{
		{"", auth.InvalidCredentials, 400, `{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}`, ""},
		{"2023-12-31", auth.InvalidCredentials, 400, `{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}`, ""},
		{"nonsense", auth.InvalidCredentials, 400, `{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}`, ""},
		{"2024-01-01", auth.InvalidCredentials, 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`, "2024-01-01"},
		{"2030-06-01", auth.InvalidCredentials, 400, `{"code":"invalid_credentials","message":"Invalid login credentials"}`, "2024-01-01"},
		{"", auth.WeakPassword{Reasons: []auth.Code{auth.PasswordTooShort}, Least: 6}, 422, `{"code":422,"error_code":"weak_password","msg":"Password should be at least 6 characters.","weak_password":{"reasons":["length"]}}`, ""},
		{"", auth.WeakPassword{Reasons: []auth.Code{auth.PasswordTooShort, auth.PasswordTooPlain, auth.PasswordLeaked}, Least: 6, Kinds: []string{"abc", "0:1"}}, 422, `{"code":422,"error_code":"weak_password","msg":"Password should be at least 6 characters. Password should contain at least one character of each: abc, 0:1. Password is known to be weak and easy to guess, please choose a different one.","weak_password":{"reasons":["length","characters","pwned"]}}`, ""},
		{"2024-01-01", auth.WeakPassword{Reasons: []auth.Code{auth.PasswordLeaked}}, 422, `{"code":"weak_password","message":"Password is known to be weak and easy to guess, please choose a different one.","weak_password":{"reasons":["pwned"]}}`, "2024-01-01"},
		{"", auth.Internal, 500, `{"code":500,"error_code":"unexpected_failure","msg":"Unexpected failure, please check server logs for more information","error_id":"r1"}`, ""},
		{"2024-01-01", auth.Invalid{Field: "email", Problem: "must be an e-mail address"}, 400, `{"code":"validation_failed","message":"email must be an e-mail address"}`, "2024-01-01"},
		{"2024-01-01", auth.Invalid{Field: "body", Problem: "must be valid JSON"}, 400, `{"code":"bad_json","message":"body must be valid JSON"}`, "2024-01-01"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", Prefix+"/token", nil)
		if tt.asked != "" {
			r.Header.Set(versionHeader, tt.asked)
		}
		w := httptest.NewRecorder()
		w.Header().Set("X-Request-Id", "r1")
		Refuse(w, r, auth.CodeOf(tt.err), tt.err)
		var got, want any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%v: %v: %s", tt.err, err, w.Body)
			continue
		}
		if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || w.Code != tt.status || w.Header().Get(versionHeader) != tt.header {
			t.Errorf("%q, %v: status %d, version %q (-want +got):\n%s", tt.asked, tt.err, w.Code, w.Header().Get(versionHeader), diff)
		}
	}
}

// TestLinksGoWhereTheyShall puts sessions and refusals behind addresses as they are.
func TestLinksGoWhereTheyShall(t *testing.T) {
	t.Parallel()
	for to, want := range map[string][2]string{
		"https://app.example.com":         {"https://app.example.com?a=1", "https://app.example.com#a=1"},
		"https://app.example.com/x?y=1":   {"https://app.example.com/x?y=1&a=1", "https://app.example.com/x?y=1#a=1"},
		"https://app.example.com/x#there": {"https://app.example.com/x?a=1#there", "https://app.example.com/x#a=1"},
		"myapp://callback":                {"myapp://callback?a=1", "myapp://callback#a=1"},
	} {
		v := map[string][]string{"a": {"1"}}
		if got := withQuery(to, v); got != want[0] {
			t.Errorf("%s: %s", to, got)
		}
		if got := withFragment(to, v); got != want[1] {
			t.Errorf("%s: %s", to, got)
		}
	}
}
