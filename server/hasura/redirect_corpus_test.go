package hasura_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestT29LocationsAreWhatWasAskedFor asks the door to redirect to every address of the corpus. What
// package flow has judged is the address as it came; so the Location must begin with it to the
// letter, and only its query may have grown.
func TestT29LocationsAreWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../flow/testdata/redirects/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus []struct{ Kind, URL string }
	if err := json.Unmarshal(raw, &corpus); err != nil {
		t.Fatal(err)
	}
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://exact.io/p,https://*.ok.io/app,http://localhost:*,http://*:3000,https://*,http://127.0.0.1:8080/cb,http://[::1]:8080,myapp://callback,com.example.app://,https://any.io"})
	forms := map[string]func(target string) string{
		"ours": func(target string) string {
			return url.Values{"ticket": {"verifyEmail:x"}, "redirectTo": {target}}.Encode()
		},
		"encoded by a receiver": func(target string) string {
			return url.Values{"token": {"verifyEmail:x"}, "type": {"signup"}, "redirect_to": {target}}.Encode()
		},
		"put there by a receiver": func(target string) string {
			if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '%' }) {
				return "" // no client sends it as it is
			}
			return "token=verifyEmail:x&type=signup&redirect_to=" + target
		},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := 0
			for _, s := range corpus {
				if query := form(s.URL); s.URL != "" && query != "" && d.leadsThere(t, query, s.URL) {
					gone++
				}
			}
			if gone < 30 {
				t.Errorf("only %d addresses were allowed: this proves little", gone)
			}
		})
	}
}

// leadsThere opens a link with a bad ticket and tells whether it leads on to where it was to; elsewhere it
// must not.
func (d doorway) leadsThere(t *testing.T, query, target string) bool {
	t.Helper()
	beforeQuery := func(s string) string { return s[:strings.IndexAny(s+"?", "?#")] }
	a := d.knock(t, "GET", "/verify?"+query, nil)
	to := a.header.Get("Location")
	switch {
	case a.status == 400: // a NUL, or too long
		return false
	case a.status != 302 || to == "":
		t.Errorf("%q: %s", target, a)
		return false
	case strings.HasPrefix(to, clientURL+"?"):
		return false
	}
	scheme, _, _ := strings.Cut(target, "://")
	asked := strings.ToLower(scheme) + beforeQuery(target)[len(scheme):]
	if beforeQuery(to) != asked || !strings.Contains(to, "error=invalid-ticket") || strings.ContainsAny(to, "\\\r\n\t ") {
		t.Errorf("%q leads to %q", target, to)
	}
	return true
}
