package hasura

import (
	"cmp"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// providerRoutes are the way to other people's doors and back.
func (d *Door) providerRoutes() []route {
	return []route{
		// HEAD as well, which changes nothing.
		{method: "GET", path: "/signin/provider/{provider}", handle: d.signInProvider},
		{method: "GET", path: "/signup/provider/{provider}", handle: d.signUpProvider, buckets: []bucket{signups}},
		{method: "GET", path: "/signin/provider/{provider}/callback", handle: d.providerCallback},
		{method: "POST", path: "/signin/provider/{provider}/callback", handle: d.providerCallback},
		{method: "GET", path: "/signin/provider/{provider}/callback/tokens", handle: d.providerTokens},
		{method: "POST", path: "/token/provider/{provider}", handle: d.refreshProviderTokens},
		{method: "POST", path: "/signin/idtoken", handle: d.signInIDToken},
		{method: "POST", path: "/signup/idtoken", handle: d.signUpIDToken, buckets: []bucket{signups}, captcha: true},
		{method: "POST", path: "/link/idtoken", handle: d.linkIDToken},
		{method: "POST", path: "/link/provider/{provider}", handle: d.linkProvider},
		{method: "GET", path: "/user/providers", handle: d.identities},
		{method: "DELETE", path: "/user/providers/{id}", handle: d.unlink},
	}
}

func (d *Door) signInProvider(w http.ResponseWriter, r *http.Request) error {
	return d.startProvider(w, r, false)
}

func (d *Door) signUpProvider(w http.ResponseWriter, r *http.Request) error {
	return d.startProvider(w, r, true)
}

// startProvider sends the browser to a provider. The refusals before the address to come back to is
// known to be good are answered here, the others there.
func (d *Door) startProvider(w http.ResponseWriter, r *http.Request, signUp bool) error {
	w.Header().Set("Referrer-Policy", "no-referrer") // the address may hold an access token
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	start, connect, err := startIn(r)
	if err != nil {
		return err
	}
	redirectTo, err := d.Policy.Redirect(start.Options.RedirectTo)
	if err != nil {
		return err
	}
	start.SignUp, start.Client = signUp, server.Client(w)
	if connect != "" && !signUp {
		start.Link, start.DropTokens, err = d.connecting(r, connect)
	}
	var started flow.ProviderStarted
	if err == nil {
		started, err = d.SignIn.ToProvider(r.Context(), start)
	}
	if err != nil {
		return d.refuseGoing(w, http.StatusFound, redirectTo, start.State, err)
	}
	d.setStateCookie(w, started)
	w.Header().Set("Location", started.URL)
	w.WriteHeader(http.StatusFound)
	return nil
}

// refuseGoing sends the browser on with a refusal and what the application wants to have back.
// Requests that make no sense are answered here, and so is our own trouble.
func (d *Door) refuseGoing(w http.ResponseWriter, status int, to, state string, err error) error {
	code := auth.CodeOf(err)
	no := d.words(err)
	if code == auth.BadRequest || code == auth.TooManyRequests || no.status >= 500 || to == "" {
		return err
	}
	server.Note(w, err)
	return d.redirect(w, status, to, withState(refused(no), state))
}

func withState(q url.Values, state string) url.Values {
	if state != "" {
		q.Set("state", state)
	}
	return q
}

// connecting is the old way to link an identity: the access token is in the address. An address is
// something that anybody can make somebody open, with a token of their own in it, so that the
// identity of the one is linked to the account of the other. Where the browser tells that the
// application is not where it comes from, nothing is linked; where it does not tell, the tokens of
// the provider are not kept.
func (d *Door) connecting(r *http.Request, token string) (actor *auth.Actor, dropTokens bool, err error) {
	claims, err := d.Signer.Verify(bearerIn(token), d.Front.Now())
	if err != nil {
		return nil, false, err
	}
	a := claims.Actor()
	from := r.Header.Get("Referer")
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case !navigates(r):
		return nil, false, auth.Invalid{Field: "connect", Problem: "is for browsers that go to this address; programs ask POST /link/provider/{provider}"}
	case site == "same-origin" || site == "same-site" || from != "" && d.Policy.TrustsOrigin(pageOrigin(from)):
		return &a, false, nil
	case site != "" || from != "": // also a link in a mail, which comes from nowhere
		return nil, false, auth.Invalid{Field: "connect", Problem: "must be opened from a page of the application, which must not hide its origin (Referrer-Policy)"}
	}
	return &a, true, nil
}

func pageOrigin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// navigates tells whether a browser goes to the address itself, and so keeps the cookie and comes back
// with it, or whether a program asks for it. Browsers say so; those that are too old to are known by
// their wish for a page.
func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// startIn reads the query of a start. What is not known is left to the providers that it is for.
func startIn(r *http.Request) (start flow.ProviderStart, connect string, err error) {
	q, err := values(r.URL.RawQuery, "query", "allowedRoles", "defaultRole", "displayName", "locale", "metadata", "redirectTo",
		"connect", "state", "codeChallenge", "connection", "organization")
	if err != nil {
		return start, "", err
	}
	given := func(name string) *string {
		if v := q.Get(name); v != "" {
			return &v
		}
		return nil
	}
	options := signUpOptions{DefaultRole: given("defaultRole"), DisplayName: given("displayName"), Locale: given("locale"), RedirectTo: q.Get("redirectTo")}
	if list := q.Get("allowedRoles"); list != "" {
		options.AllowedRoles = strings.Split(list, ",")
	}
	if text := q.Get("metadata"); text != "" {
		if options.Metadata, err = server.Object("metadata", text); err != nil {
			return start, "", err
		}
	}
	if err := cmp.Or(options.check(""), challengeIn(given("codeChallenge")), stateIn(q.Get("state"))); err != nil {
		return start, "", err
	}
	params, err := paramsIn("", q.Get)
	return flow.ProviderStart{
		Provider: r.PathValue("provider"), Options: options.toFlow(), State: q.Get("state"), CodeChallenge: q.Get("codeChallenge"),
		Params: params, Browser: navigates(r),
	}, q.Get("connect"), err
}

// paramsIn are the parameters that a client may hand on to a provider.
func paramsIn(at string, get func(string) string) (map[string]string, error) {
	params := map[string]string{}
	for _, name := range []string{"connection", "organization"} {
		v := get(name)
		if len(v) > maxParam {
			return nil, auth.Invalid{Field: at + name, Problem: "must not be longer than 200 characters"}
		}
		if v != "" {
			params[name] = v
		}
	}
	return params, nil
}

const (
	maxParam = 200
	maxState = 1024
)

func stateIn(s string) error {
	if len(s) > maxState {
		return auth.Invalid{Field: "state", Problem: "must not be longer than 1024 bytes"}
	}
	return nil
}

// values reads a query or a form in which none of the names may appear twice.
func values(encoded, field string, names ...string) (url.Values, error) {
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

// providerCallback is where a provider sends people back to.
func (d *Door) providerCallback(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	q, err := callbackIn(r)
	if err != nil {
		return err
	}
	state := q.Get("state")
	out, err := d.SignIn.FromProvider(r.Context(), flow.ProviderReturn{
		Provider: r.PathValue("provider"), State: state, Cookie: d.stateCookie(r, state), Values: q, Client: server.Client(w),
	})
	d.dropStateCookie(w, state)
	if err != nil {
		return d.refuseReturn(w, status, out, state, err)
	}
	return d.redirect(w, status, out.RedirectTo, withState(d.returned(out), out.State))
}

// returned is what a person comes back with.
func (d *Door) returned(out flow.ProviderReturned) url.Values {
	switch {
	case out.Code != "":
		return url.Values{"code": {out.Code}}
	case out.FactorTicket != "" || out.Grant != nil:
		return d.admitted(out.Admission)
	}
	return url.Values{}
}

// refuseReturn sends the browser on with the refusal.
func (d *Door) refuseReturn(w http.ResponseWriter, status int, out flow.ProviderReturned, state string, err error) error {
	code := auth.CodeOf(err)
	no := d.words(err)
	if code == auth.TooManyRequests || no.status >= 500 || out.RedirectTo == "" {
		return err
	}
	q := withState(refused(no), out.State)
	if code == auth.InvalidState {
		q.Set("provider_state", short(state))
	}
	if p := out.Refused; p != nil && no.id == refusals[auth.ProviderRefused].id {
		q.Set("provider_error", short(p.Code))
		q.Set("provider_error_description", short(p.Description))
		q.Set("provider_error_url", short(p.URI))
	}
	server.Note(w, err)
	return d.redirect(w, status, out.RedirectTo, q)
}

// short bounds what is repeated of what came from outside.
func short(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// callbackIn reads what a provider says: of the query, or of the form that its page posts.
func callbackIn(r *http.Request) (url.Values, error) {
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
	q, err := values(encoded, field, "state", "code", "id_token", "oauth_token", "oauth_verifier", "error", "error_description", "error_uri", "user", "iss", "denied")
	if err != nil {
		return nil, err
	}
	if s := q.Get("state"); s == "" || len(s) > maxState {
		return nil, auth.Invalid{Field: "state", Problem: "must be the state that the sign-in began with"}
	}
	return q, nil
}

const maxForm = 64 << 10

// The cookie binds a state to the browser that set out with it. Each trip has its own, so that
// several tabs may be at providers at once.

func (d *Door) secure() bool { return strings.HasPrefix(d.Policy.ServerURL, "https://") }

// cookieName names the cookie of a state. Where there is TLS, no other host can set one of this name.
func (d *Door) cookieName(state string) string {
	name := "postern-" + hex.EncodeToString(tokens.HashSecret(state)[:8])
	if d.secure() {
		return "__Host-" + name
	}
	return name
}

// setStateCookie gives the browser what it must come back with. A page of the provider that posts
// the form, or a page of the application on another site that asks for the link, has the cookie come
// along only if it is told to; browsers take that over TLS alone, or on this machine.
func (d *Door) setStateCookie(w http.ResponseWriter, s flow.ProviderStarted) {
	if s.Cookie == "" {
		return
	}
	sameSite := http.SameSiteLaxMode
	if s.PostBack || s.Link && d.secure() {
		sameSite = http.SameSiteNoneMode
	}
	d.writeStateCookie(w, s.State, s.Cookie, int(flow.StateLife.Seconds()), sameSite)
}

func (d *Door) dropStateCookie(w http.ResponseWriter, state string) {
	d.writeStateCookie(w, state, "", -1, http.SameSiteLaxMode)
}

func (d *Door) writeStateCookie(w http.ResponseWriter, state, value string, maxAge int, sameSite http.SameSite) {
	http.SetCookie(w, &http.Cookie{ // #nosec G124 -- without TLS, on a developer's machine, a Secure cookie would not come back
		Name: d.cookieName(state), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: d.secure() || sameSite == http.SameSiteNoneMode, SameSite: sameSite,
	})
}

// stateCookie is what the browser kept. Two of one name are none: somebody else set one of them.
func (d *Door) stateCookie(r *http.Request, state string) string {
	if kept := r.CookiesNamed(d.cookieName(state)); len(kept) == 1 {
		return kept[0].Value
	}
	return ""
}
