package gotrue_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// endpoints reads from the door which requests it knows.
func endpoints(t testing.TB) (methods, paths []string) {
	t.Helper()
	source, err := os.ReadFile("door.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`method: "([A-Z]+)", path: "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		methods, paths = append(methods, m[1]), append(paths, strings.NewReplacer("{", "", "}", "").Replace(m[2]))
	}
	if len(paths) < 14 {
		t.Fatalf("found only %q", paths)
	}
	return methods, paths
}

// FuzzRequests sends anything to every endpoint, as nobody and as a user: no answer is a 500, each that is not a
// page or a redirect is JSON or empty, and a refusal says what it is.
func FuzzRequests(f *testing.F) {
	methods, paths := endpoints(f)
	for i := range paths {
		f.Add(uint8(i), "", `{"email":"a@b.example","password":"correct horse battery","data":{"a":[null]}}`, true)
		f.Add(uint8(i), "grant_type=pkce&scope=local&redirect_to=//evil", `{"auth_code":"x","code_verifier":1}`, false)
	}
	f.Add(uint8(0), "type=recovery&token=pkce_0&email=%00", `{"type":"email","token_hash":"`+strings.Repeat("a", 99)+`"}`, false)
	d := open(f, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "false", "AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	guest := d.ok(f, "POST", "/signup", `{}`)
	bearer, _ := guest["access_token"].(string)
	f.Fuzz(func(t *testing.T, which uint8, query, body string, known bool) {
		i := int(which) % len(paths)
		if strings.HasSuffix(paths[i], "/logout") {
			return // the user must stay
		}
		req := httptest.NewRequestWithContext(t.Context(), methods[i], "/auth/v1"+paths[i], strings.NewReader(body))
		req.URL.RawQuery = query
		if _, err := url.ParseQuery(query); err == nil && known {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		rec := httptest.NewRecorder()
		d.Handler.ServeHTTP(rec, req)
		said := rec.Body.String()
		switch {
		case rec.Code == http.StatusInternalServerError:
			t.Fatalf("%s %s?%s %q: %s", methods[i], paths[i], query, body, said)
		case strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html"):
		case said != "" && !json.Valid([]byte(said)):
			t.Fatalf("%s %s: %d %q", methods[i], paths[i], rec.Code, said)
		case rec.Code >= 400 && rec.Code != http.StatusMethodNotAllowed && !strings.Contains(said, `"error`) && !strings.Contains(said, `"code"`):
			t.Fatalf("%s %s: %d without a reason: %q", methods[i], paths[i], rec.Code, said)
		}
	})
}
