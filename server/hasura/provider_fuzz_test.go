package hasura

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/server"
)

// FuzzProviderQueries reads what strangers put into the addresses of starts and callbacks.
func FuzzProviderQueries(f *testing.F) {
	for _, s := range []string{
		"", "state=a&code=b", "state=a&state=b", "metadata=%7B%22a%22%3A1%7D", "metadata={}},\"x\":{{}", "allowedRoles=a,b,,&defaultRole=a", "redirectTo=https://a.example/%2e%2e",
		"displayName=%00", "state=%ff", "%", "codeChallenge=" + strings.Repeat("a", 43), "connect=x&connect=y", "error=access_denied&error_description=%E2%80%AE", "user=%7B%7D&id_token=a.b.c;state=x",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, query string, post bool) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x", RawQuery: query}, Header: http.Header{}, Body: http.NoBody}
		if start, _, err := startIn(r); err == nil {
			for name, v := range map[string]string{"state": start.State, "role": start.Options.DefaultRole, "name": start.Options.DisplayName, "locale": start.Options.Locale, "challenge": start.CodeChallenge} {
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) || len(v) > server.MaxState {
					t.Errorf("the start takes %s %q", name, v)
				}
			}
			if start.Browser || start.SignUp || start.Link != nil || start.DropTokens {
				t.Errorf("the query decides what it must not: %+v", start)
			}
		}
		if post {
			r.Method, r.URL.RawQuery = http.MethodPost, ""
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = http.NoBody
			if query != "" {
				r.Body = readCloser{strings.NewReader(query)}
			}
		}
		q, err := server.ProviderCallback(r)
		if err != nil {
			return
		}
		for _, name := range []string{"state", "code", "error", "id_token", "oauth_token"} {
			if len(q[name]) > 1 || !utf8.ValidString(q.Get(name)) || strings.ContainsRune(q.Get(name), 0) {
				t.Errorf("the callback takes %s %q", name, q[name])
			}
		}
		if s := q.Get("state"); s == "" || len(s) > server.MaxState {
			t.Errorf("the callback takes the state %q", s)
		}
	})
}

type readCloser struct{ *strings.Reader }

// Close does nothing.
func (readCloser) Close() error { return nil }
