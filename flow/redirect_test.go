package flow

import (
	"net/url"
	"strings"
	"testing"
)

func mustRedirects(t testing.TB, client string, entries ...string) redirects {
	t.Helper()
	l, err := newRedirects(client, entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRedirectsAllow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry string
		in    []string
		out   []string
	}{
		{
			"https://*.ok.io/app",
			[]string{"https://a.ok.io/app", "https://a.ok.io/app/x", "https://a.ok.io:443/app", "https://A.OK.io/app?x=1#y", "HTTPS://a.ok.io/app/", "https://a.ok.io/x/../app"},
			[]string{"https://a.b.ok.io/app", "https://a.ok.io/application", "https://a.ok.io@evil.io/app", `https://evil.io\.ok.io/app`, "http://a.ok.io/app", "https://ok.io/app", "https://a.ok.io:444/app", "https://a.ok.io/App", "https://a.ok.io/app/../x"},
		},
		{"https://exact.io/p/", []string{"https://exact.io/p", "https://exact.io/p/", "https://exact.io/p/x"}, []string{"https://exact.io/p/../x", "https://exact.io/p/%2e%2e/x", "https://exact.io/", "https://exact.io"}},
		{"https://exact.io/p/*", []string{"https://exact.io/p/x/y"}, []string{"https://exact.io/q"}},
		{"https://exact.io/*/end", []string{"https://exact.io/a/end", "https://exact.io/b/end/x"}, []string{"https://exact.io/a/b/end", "https://exact.io/end"}},
		{"https://exact.io/**/end", []string{"https://exact.io/a/b/end"}, []string{"https://exact.io/a/b"}},
		{"https://exact.io", []string{"https://exact.io", "https://exact.io/", "https://exact.io/any?next=https://evil.io", "https://exact.io?next=%2Fx", "https://exact.io#%2Fx"}, []string{"https://exact.io.evil.io", "https://exact.io:8443/", "https://user:pw@exact.io/"}},
		{"https://exact.io:443", []string{"https://exact.io/x"}, []string{"http://exact.io/x"}},
		{"http://localhost:3000", []string{"http://localhost:3000/a"}, []string{"http://localhost/a", "http://localhost:3001/a"}},
		{"http://localhost:*", []string{"http://localhost:3000/a"}, []string{"http://localhost.evil.io:3000/a", "http://localhost:3000@evil.io"}},
		{"https://{a,b}.ok.io", []string{"https://a.ok.io/", "https://b.ok.io/"}, []string{"https://c.ok.io/"}},
		{"https://pr-[0-9][0-9].ok.io", []string{"https://pr-12.ok.io/"}, []string{"https://pr-1.ok.io/", "https://pr-ab.ok.io/"}},
		{"https://pr-?.ok.io", []string{"https://pr-1.ok.io/"}, []string{"https://pr-.ok.io/", "https://pr-..ok.io/"}},
		{"https://**.ok.io", []string{"https://a.b.ok.io/"}, []string{"https://ok.io/", "https://evil.io/.ok.io"}},
		{"myapp://", []string{"myapp://callback", "myapp://callback/x?y=1"}, []string{"yourapp://callback", "myapp:callback", "myapp:///callback"}},
		{"myapp://callback", []string{"myapp://callback", "MYAPP://callback/x"}, []string{"myapp://other"}},
		{"https://[::1]:8080", []string{"https://[::1]:8080/x"}, []string{"https://[::2]:8080/x"}},
	} {
		l := mustRedirects(t, "", c.entry)
		for _, s := range c.in {
			if !l.allows(s) {
				t.Errorf("%s should allow %s", c.entry, s)
			}
		}
		for _, s := range c.out {
			if l.allows(s) {
				t.Errorf("%s should not allow %s", c.entry, s)
			}
		}
	}
}

// hostile are addresses that parsers read in different ways. None may pass for https://ok.io.
var hostile = []string{
	"", " ", "/", "//", "///", "//ok.io", "///ok.io", "/\\ok.io", "\\\\ok.io", "https:ok.io", "https:/ok.io", "https:///ok.io", "https:////ok.io",
	"https://ok.io\\@evil.io", "https://evil.io\\ok.io", "https://evil.io#@ok.io", "https://evil.io?@ok.io", "https://evil.io;@ok.io/",
	"https://ok.io@evil.io", "https://ok.io:443@evil.io", "https://ok.io%40evil.io", "https://ok.io%2fevil.io", "https://ok.io%5cevil.io", "https://ok.io%00.evil.io",
	"https://ok.io.evil.io", "https://evilok.io", "https://ok.io.", "https://ok.io..", "https://.ok.io", "https://ok.io:80:443", "https://ok.io:", "https://ok.io:x",
	"https://ok。io", "https://ok．io", "https://ｏk.io", "https://оk.io", "https://ok.io\u200b", "https://ok.io\u00ad.evil.io", "https://ok.i\u212A",
	"https://ok.io\t", "https://ok\t.io", "https://ok.io\n", "ht\ntps://ok.io", " https://ok.io", "https://ok.io ", "\x00https://ok.io", "https://ok.io\x00",
	"javascript:alert(1)", "javascript://ok.io/%0aalert(1)", "JaVaScRiPt://ok.io/%0aalert(1)", "data:text/html,x", "data://ok.io/x", "vbscript://ok.io", "file://ok.io/etc", "blob:https://ok.io/x", "about:blank",
	"http://ok.io", "ftp://ok.io", "ws://ok.io", "https+x://ok.io", "https//ok.io", "://ok.io", "https://", "https://?ok.io", "https://#ok.io", "https://@ok.io",
	"https://0x7f000001", "https://2130706433", "https://0177.0.0.1", "https://127.1", "https://[::ffff:127.0.0.1]", "https://[ok.io]", "https://[::1]ok.io", "https://[::1%25ok.io]",
	"https://%6fk.io:1", "https://ok%2eio.evil.io", "https://ok.io,evil.io", "https://ok.io evil.io", "https://ok.io&evil.io", "https://ok.io|evil.io", "https://ok.io^evil.io",
	"https://user@ok.io", "https://user:pw@ok.io", "https://:@ok.io", "https://ok.io:0443@ok.io",
	"https://xn--ok-io", "https://okxio", "https://ok-io", "https://ok/io",
}

func TestWeakness56RedirectsAreNormalisedBeforeTheyAreCompared(t *testing.T) {
	t.Parallel()
	l := mustRedirects(t, "https://ok.io")
	for _, s := range hostile {
		if l.allows(s) {
			t.Errorf("%q passes for https://ok.io", s)
		}
	}
}

func TestRedirectEntriesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, e := range []string{"ok.io", "/path", "https://", "https:///x", "https://user@ok.io", "https://{a,b.ok.io", "https://a[.ok.io", "ht tps://ok.io"} {
		if _, err := newRedirects("", []string{e}); err == nil {
			t.Errorf("the entry %q should be refused", e)
		}
	}
}

// FuzzRedirect looks for an address that is allowed and that the standard library, or a browser's
// way to read it, takes elsewhere.
func FuzzRedirect(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("https://ok.io/app/x?y#z")
	f.Add("https://a.ok.io/app/%2e%2e/x")
	l := mustRedirects(f, "https://ok.io/app", "https://*.ok.io/app")
	f.Fuzz(func(t *testing.T, s string) {
		if !l.allows(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q is allowed and cannot be parsed: %v", s, err)
		}
		host := strings.ToLower(u.Hostname())
		if u.Scheme != "https" || host != "ok.io" && !strings.HasSuffix(host, ".ok.io") || u.User != nil || u.Port() != "" && u.Port() != "443" {
			t.Fatalf("%q leads to %s://%s", s, u.Scheme, u.Host)
		}
		if strings.ContainsAny(s, "\\\t\r\n \x00") {
			t.Fatalf("%q has characters that browsers drop or turn around", s)
		}
		if p := u.JoinPath().Path; !strings.Contains(u.EscapedPath(), "//") && p != "/app" && !strings.HasPrefix(p, "/app/") {
			t.Fatalf("%q leads to the path %q", s, p)
		}
	})
}

func FuzzRedirectEntry(f *testing.F) {
	for _, s := range []string{"https://*.ok.io/app", "https://{a,b}[0-9]?.io/**/x/*", "myapp://", "https://[::1]:80/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		l, err := newRedirects("", []string{entry})
		if err != nil {
			return
		}
		for _, s := range hostile {
			_ = l.allows(s) // must not panic
		}
	})
}
