package flow

import (
	"net/url"
	"strings"
	"testing"
)

func mustGlobs(t testing.TB, entries ...string) redirects {
	t.Helper()
	l, err := newGlobs(entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestTrap08GlobsMatchTheWholeAddress holds the language of GoTrue's allow-list: * crosses neither a dot nor a slash, and nothing is allowed
// below what is listed unless it says so.
func TestTrap08GlobsMatchTheWholeAddress(t *testing.T) {
	t.Parallel()
	for entry, c := range map[string]struct{ in, out []string }{
		"https://*.foo.example.com":             {[]string{"https://a.foo.example.com", "https://a.foo.example.com#x"}, []string{"https://a.foo.example.com/", "https://a.foo.example.com/page", "https://a.b.foo.example.com", "https://foo.example.com", "http://a.foo.example.com"}},
		"https://*.foo.example.com/**":          {[]string{"https://a.foo.example.com/", "https://a.foo.example.com/x/y.html?q=1"}, []string{"https://a.b.foo.example.com/", "https://a.foo.example.com.evil.io/", "https://a.foo.example.com:444/"}},
		"https://foo.example.com/*":             {[]string{"https://foo.example.com/page1", "https://FOO.example.com:443/page1"}, []string{"https://foo.example.com/a/b", "https://foo.example.com/page.html", "https://foo.example.com"}},
		"https://**.foo.example.com":            {[]string{"https://a.b.foo.example.com"}, []string{"https://evil.io/.foo.example.com", "https://evil.io?.foo.example.com", "https://evil.io#.foo.example.com", "https://user@a.foo.example.com"}},
		"https://foo.example.com/cb[?]next=?":   {[]string{"https://foo.example.com/cb?next=a"}, []string{"https://foo.example.com/cb", "https://foo.example.com/cb?next=ab", "https://foo.example.com/cb?next=/"}},
		"https://pr-[0-9].example.com/{in,out}": {[]string{"https://pr-1.example.com/in", "https://pr-2.example.com/out"}, []string{"https://pr-x.example.com/in", "https://pr-1.example.com/up"}},
		"https://foo.example.com/[!a]":          {[]string{"https://foo.example.com/b"}, []string{"https://foo.example.com/a"}},
		"myapp://**":                            {[]string{"myapp://callback", "myapp://a/b?c=d"}, []string{"yourapp://callback", "javascript://callback"}},
		"https://foo.example.com/app/**":        {[]string{"https://foo.example.com/app/x"}, []string{"https://foo.example.com/app/../x", "https://foo.example.com/app/%2e%2e/x", `https://foo.example.com\@evil.io/app/x`}},
	} {
		l := mustGlobs(t, entry)
		for _, s := range c.in {
			if !l.allows(s) {
				t.Errorf("%s should allow %s", entry, s)
			}
		}
		for _, s := range c.out {
			if l.allows(s) {
				t.Errorf("%s should not allow %s", entry, s)
			}
		}
	}
	for _, entry := range []string{"foo.example.com", "https://", "https:///x", "https://user@foo.example.com", "https://{a,b.example.com", "https://foo.example.com/#x", "https://a[.example.com"} {
		if CheckGlobs([]string{entry}) == nil {
			t.Errorf("the entry %q should be refused", entry)
		}
	}
}

// TestHostileAddressesPassNoGlob holds what parsers read in different ways, and the corpus, against wide globs.
func TestHostileAddressesPassNoGlob(t *testing.T) {
	t.Parallel()
	l := mustGlobs(t, "https://ok.io", "https://ok.io/**", "https://*.ok.io/**")
	for _, s := range hostile {
		if l.allows(s) {
			t.Errorf("%q passes for https://ok.io", s)
		}
	}
	for _, s := range readCorpus(t) {
		if !l.allows(s.URL) {
			continue
		}
		if g := s.Goes; g == nil || g.User != "" || g.Protocol != "https:" || g.Host != "ok.io" && !strings.HasSuffix(g.Host, ".ok.io") {
			t.Errorf("%q is allowed, and a browser goes to %+v", s.URL, g)
		}
	}
}

// FuzzRedirectGlobs looks for an address that is allowed and leads elsewhere.
func FuzzRedirectGlobs(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	l := mustGlobs(f, "https://ok.io/**", "https://**.ok.io/**")
	f.Fuzz(func(t *testing.T, s string) {
		if !l.allows(s) {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("%q is allowed and cannot be parsed: %v", s, err)
		}
		if host := strings.ToLower(u.Hostname()); !strings.EqualFold(u.Scheme, "https") || host != "ok.io" && !strings.HasSuffix(host, ".ok.io") || u.User != nil {
			t.Fatalf("%q leads to %s://%s", s, u.Scheme, u.Host)
		}
	})
}
