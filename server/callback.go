package server

import (
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/tokens"
)

// MaxState bounds a state, in bytes: ours, and what an application wants to have back.
const MaxState = 1024

// maxForm bounds the form that a provider's page posts.
const maxForm = 64 << 10

// Navigates tells whether a browser goes to the address itself, and so keeps the cookie and comes back
// with it, or whether a program asks for it. Browsers say so; those that are too old are known by
// their wish for a page.
func Navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// PageOrigin is the origin of a page, empty when its address has none.
func PageOrigin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Values reads a query or a form in which none of the names may appear twice.
func Values(encoded, field string, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, auth.Invalid{Field: field, Problem: "must be percent-encoded"}
	}
	for _, name := range names {
		switch v := q.Get(name); {
		case len(q[name]) > 1:
			return nil, auth.Invalid{Field: name, Problem: "must not appear twice"}
		case strings.ContainsRune(v, 0):
			return nil, auth.Invalid{Field: name, Problem: "must not hold a NUL character"}
		case !utf8.ValidString(v):
			return nil, auth.Invalid{Field: name, Problem: "must be valid UTF-8"}
		}
	}
	return q, nil
}

// ProviderCallback reads what a provider says of somebody who comes back from there: of the query, or of the form
// that its page posts.
func ProviderCallback(r *http.Request) (url.Values, error) {
	encoded, field := r.URL.RawQuery, "query"
	if r.Method == http.MethodPost {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/x-www-form-urlencoded" {
			return nil, auth.Invalid{Field: "Content-Type", Problem: "must be application/x-www-form-urlencoded"}
		}
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
		if err != nil {
			return nil, auth.Invalid{Field: "body", Problem: "broke off"}
		}
		if len(raw) > maxForm {
			_, _ = io.CopyN(io.Discard, r.Body, 8<<20) // who is still sending reads no answer
			return nil, auth.Invalid{Field: "body", Problem: "must not be longer than 64 KiB"}
		}
		encoded, field = string(raw), "body"
	}
	q, err := Values(encoded, field, "state", "code", "id_token", "oauth_token", "oauth_verifier", "error", "error_description", "error_uri", "user", "iss", "denied")
	if err != nil {
		return nil, err
	}
	if s := q.Get("state"); s == "" || len(s) > MaxState {
		return nil, auth.Invalid{Field: "state", Problem: "must be the state that the sign-in began with"}
	}
	return q, nil
}

// Return answers somebody who comes back from a provider; the provider is that of the address, if that says it.
type Return func(w http.ResponseWriter, r *http.Request, provider string, said url.Values) error

// Returns are the doors that send people to providers, by the mark of their states. A provider may know one address for all
// of them, so whoever comes back is answered by the door that they set out from.
type Returns map[string]Return

// To finds the door that a state was begun at. What is no state is refused by the door that it came to.
func (r Returns) To(state string, here Return) Return {
	if door, ok := flow.DoorOf(state); ok && r[door] != nil {
		return r[door]
	}
	return here
}

// Repeated bounds what is repeated of what came from outside.
func Repeated(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// StateCookies bind a state to the browser that set out with it. Each trip has its own, so that
// several tabs may be at providers at once.
type StateCookies struct {
	Secure bool // the server is reached by TLS
}

// name names the cookie of a state. Where there is TLS, no other host can set one of this name.
func (c StateCookies) name(state string) string {
	name := "postern-" + hex.EncodeToString(tokens.HashSecret(state)[:8])
	if c.Secure {
		return "__Host-" + name
	}
	return name
}

// Set gives the browser what it must come back with. A page of the provider that posts
// the form, or a page of the application on another site that asks for the link, has the cookie come
// along only if it is told to; browsers take that over TLS alone, or on this machine.
func (c StateCookies) Set(w http.ResponseWriter, s flow.ProviderStarted) {
	if s.Cookie == "" {
		return
	}
	sameSite := http.SameSiteLaxMode
	if s.PostBack || s.Link && c.Secure {
		sameSite = http.SameSiteNoneMode
	}
	c.write(w, s.State, s.Cookie, int(flow.StateLife.Seconds()), sameSite)
}

// Drop has the browser forget it.
func (c StateCookies) Drop(w http.ResponseWriter, state string) {
	c.write(w, state, "", -1, http.SameSiteLaxMode)
}

func (c StateCookies) write(w http.ResponseWriter, state, value string, maxAge int, sameSite http.SameSite) {
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- without TLS, on a developer's machine, a Secure cookie would not come back
		Name: c.name(state), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: c.Secure || sameSite == http.SameSiteNoneMode, SameSite: sameSite,
	})
}

// Of is what the browser kept. Two of one name are none: somebody else set one of them.
func (c StateCookies) Of(r *http.Request, state string) string {
	if kept := r.CookiesNamed(c.name(state)); len(kept) == 1 {
		return kept[0].Value
	}
	return ""
}
