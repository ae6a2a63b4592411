package flow

import (
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/store"
)

func TestAccessLists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings Settings
		in, out  []string
	}{
		{"no lists", Settings{}, []string{"a@b.io"}, []string{"a", "a@b@c.io", ""}},
		{
			"allowed address and domains",
			Settings{AllowedEmails: []string{"bob@smith.com"}, AllowedDomains: []string{"nhost.io", "example.com"}},
			[]string{"bob@smith.com", "BOB@Smith.com", "x@example.com", "x@NHOST.io"},
			[]string{"mary@firebase.com", "bob@smith.com.evil.io", "x@sub.example.com"},
		},
		{
			"a single address outranks its domain",
			Settings{BlockedDomains: []string{"evil.io"}, AllowedEmails: []string{"good@evil.io"}, BlockedEmails: []string{"bad@ok.io"}, AllowedDomains: []string{"ok.io"}},
			[]string{"good@evil.io", "x@ok.io"},
			[]string{"x@evil.io", "bad@ok.io", "BAD@OK.IO", "x@other.io"},
		},
		{
			"a block outranks a permission of the same rank",
			Settings{BlockedEmails: []string{"a@b.io"}, AllowedEmails: []string{"a@b.io"}, BlockedDomains: []string{"c.io"}, AllowedDomains: []string{"c.io"}},
			nil,
			[]string{"a@b.io", "x@c.io"},
		},
		{"T-46: two @ match no domain", Settings{AllowedDomains: []string{"ok.io"}}, []string{"a@ok.io"}, []string{"a@evil.io@ok.io", "a@ok.io@evil.io", `"a@ok.io"@evil.io`}},
	} {
		a := newAccess(c.settings)
		for _, s := range c.in {
			if !a.admits(s) {
				t.Errorf("%s: %q should be admitted", c.name, s)
			}
		}
		for _, s := range c.out {
			if a.admits(s) {
				t.Errorf("%s: %q should not be admitted", c.name, s)
			}
		}
	}
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"a@b.io", "a.b+c@sub.example.com", "A@B", "o'hara@x.io", strings.Repeat("a", 64) + "@x.io"} {
		if !ValidEmail(s) {
			t.Errorf("%q should be valid", s)
		}
	}
	for _, s := range []string{
		"", "a", "@", "a@", "@b", "a@b@c", "a b@c.io", "a@b .io", "a@b.io\r\nBcc: x@y.io", "a@b.io\x00", "a@-b.io", "a@b..io", "a@b.io.",
		".a@b.io", "a.@b.io", "a..b@c.io", "a@[127.0.0.1]", "\"a\"@b.io", "a@b.io, c@d.io", "<a@b.io>", "a@ｂ.io", "a@b.\u212Ao", "ı@b.io", "a@b.io\u200b",
		strings.Repeat("a", 65) + "@x.io", "a@" + strings.Repeat("b.", 126) + "io",
	} {
		if ValidEmail(s) {
			t.Errorf("%q should not be valid", s)
		}
	}
}

// FuzzValidEmail holds what a mail header and the access lists rely on for every address that
// passes.
func FuzzValidEmail(f *testing.F) {
	for _, s := range []string{"a@b.io", "a@b@c", "a@b.io\r\nX: y", "Ⅷ@b.io"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidEmail(s) {
			return
		}
		if strings.Count(s, "@") != 1 || len(s) > 254 {
			t.Fatalf("%q has not exactly one @, or is too long", s)
		}
		for _, r := range s {
			if r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]:;,\"`, r) {
				t.Fatalf("%q holds %q", s, r)
			}
		}
	})
}

func TestGate(t *testing.T) {
	t.Parallel()
	user := auth.User{ID: "u", Email: "a@b.io", EmailVerified: true}
	with := func(f func(*auth.User)) auth.User { u := user; f(&u); return u }
	for _, c := range []struct {
		name     string
		settings Settings
		user     auth.User
		want     auth.Code
	}{
		{"in order", Settings{RequireVerifiedEmail: true}, user, ""},
		{"weakness 16: disabled comes before anything", Settings{RequireVerifiedEmail: true}, with(func(u *auth.User) { u.Disabled, u.Email = true, "" }), auth.UserDisabled},
		{"unverified", Settings{RequireVerifiedEmail: true}, with(func(u *auth.User) { u.EmailVerified = false }), auth.UserUnverified},
		{"unverified, but a provider knows them", Settings{RequireVerifiedEmail: true}, with(func(u *auth.User) { u.EmailVerified, u.Vouched = false, true }), ""},
		{"unverified where the address lets people in", Settings{RequireVerifiedEmail: true, AllowedDomains: []string{"b.io"}}, with(func(u *auth.User) { u.EmailVerified, u.Vouched = false, true }), auth.UserUnverified},
		{"unverified is fine when nobody asks", Settings{}, with(func(u *auth.User) { u.EmailVerified = false }), ""},
		{"weakness 42: no address, nothing to verify", Settings{RequireVerifiedEmail: true, AllowedDomains: []string{"x.io"}}, with(func(u *auth.User) { u.Email, u.EmailVerified = "", false }), ""},
		{"blocked address", Settings{BlockedDomains: []string{"b.io"}}, user, auth.EmailNotAllowed},
		{"guest", Settings{RequireVerifiedEmail: true}, with(func(u *auth.User) { u.IsAnonymous, u.EmailVerified = true, false }), auth.UserAnonymous},
	} {
		p, err := NewPolicy(c.settings, store.Guard{}, store.Guard{})
		if err != nil {
			t.Fatal(err)
		}
		got := auth.Code("")
		if err := p.gateMember(c.user, time.Now()); err != nil {
			got = auth.CodeOf(err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
