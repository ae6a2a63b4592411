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
	beforeQuery := func(s string) string { return s[:strings.IndexAny(s+"?", "?#")] }
	gone := 0
	for _, s := range corpus {
		if s.URL == "" {
			continue
		}
		a := d.knock(t, "GET", "/verify?"+url.Values{"ticket": {"verifyEmail:x"}, "redirectTo": {s.URL}}.Encode(), nil)
		if a.status == 400 { // a NUL, or too long
			continue
		}
		to := a.header.Get("Location")
		if a.status != 302 || to == "" {
			t.Errorf("%q: %s", s.URL, a)
			continue
		}
		if strings.HasPrefix(to, clientURL+"?") {
			continue
		}
		gone++
		scheme, _, _ := strings.Cut(s.URL, "://")
		asked := strings.ToLower(scheme) + beforeQuery(s.URL)[len(scheme):]
		if beforeQuery(to) != asked || !strings.Contains(to, "error=invalid-ticket") || strings.ContainsAny(to, "\\\r\n\t ") {
			t.Errorf("%q leads to %q", s.URL, to)
		}
	}
	if gone < 30 {
		t.Errorf("only %d addresses were allowed: this proves little", gone)
	}
}
