package flow_test

import (
	"errors"
	"strings"
	"testing"

	"postern/auth"
	"postern/flow"
)

// TestRedirectURIsOfOAuthClients holds the addresses that users may be sent back to against what a browser makes of them.
func TestRedirectURIsOfOAuthClients(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"https://app.example.com/callback", "https://app.example.com", "https://app.example.com:8443/cb?tenant=1&x=%20", "https://xn--bcher-kva.example/cb",
		"https://[2001:db8::1]/cb", "http://localhost/cb", "http://localhost:3000/cb", "http://127.0.0.1/cb", "http://127.0.0.1:49152/", "http://[::1]:8080/cb",
		"com.example.app:/oauth2redirect", "com.example.app://callback", "myapp://callback", "cursor://anysphere.cursor-retrieval/oauth/callback", "HTTPS://app.example.com/cb",
	} {
		if err := flow.CheckRedirectURIs([]string{text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{
		"", " ", "/callback", "callback", "//host/cb", "https:", "https://", "https:///cb", "https://:443/cb", "http://evil.example/cb", "http://localhost.evil.example/cb",
		"http://127.0.0.1.evil.example/cb", "http://127.1/cb", "http://2130706433/cb", "http://[::ffff:127.0.0.1]/cb", "http://0.0.0.0/cb", "http://evil.example#@localhost/cb",
		"https://a@b.example/cb", "https://a:b@b.example/cb", "https://@b.example/cb", "https://app.example.com/cb#", "https://app.example.com/cb#x",
		`https://app.example.com\@evil.example/cb`, `https:\\app.example.com/cb`, "https://app.example.com/a b", "https://app.example.com/\n", "https://app.example.com/\x00",
		"https://b\u00fccher.example/cb", "https://app.example.com/\u202egpj", "https://app.example.com:0/cb", "https://app.example.com:/cb", "https://app.example.com:port/cb", "https://app.example.com:443443/cb",
		"https://*.example.com/cb", "https://app.example.com/*", "javascript:alert(1)", "javascript://app.example.com/%0aalert(1)", "JavaScript://app.example.com/%0aalert(1)",
		"java\tscript:alert(1)", "data:text/html,x", "data://text/html,x", "vbscript://x/y", "file:///etc/passwd", "file://host/x", "blob:https://app.example.com/x", "about:blank",
		"view-source://app.example.com", "filesystem://x/y", "intent://scan/#Intent;end", "intent://scan/", "ms-word://x/y", "mailto:a@b.example", "myapp:/callback", "myapp:callback", "com.example.app:callback",
		"https://app.example.com/" + strings.Repeat("a", 10<<20), "https://%61pp.example.com/{x}", "1https://app.example.com", "https//app.example.com", "ht%74ps://app.example.com",
	} {
		err := flow.CheckRedirectURIs([]string{text})
		var invalid auth.Invalid
		if !errors.As(err, &invalid) || invalid.Field != "redirectUris" {
			t.Errorf("%.60q: %v", text, err)
		}
		if len(text) > 9 && err != nil && strings.Contains(err.Error(), text) {
			t.Errorf("%.60q is in the answer", text)
		}
	}
	ten := strings.Split(strings.Repeat("https://a.example/cb ", 11), " ")[:11]
	for i := range ten {
		ten[i] += strings.Repeat("x", i)
	}
	if err := flow.CheckRedirectURIs(ten[:10]); err != nil {
		t.Error(err)
	}
	for name, list := range map[string][]string{"eleven": ten, "none": {}, "twice": {ten[0], ten[0]}} {
		if err := flow.CheckRedirectURIs(list); err == nil {
			t.Errorf("%s are taken", name)
		}
	}
}
