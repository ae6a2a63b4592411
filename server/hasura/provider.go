package hasura

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
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
	d.cookies().Set(w, started)
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
	case !server.Navigates(r):
		return nil, false, auth.Invalid{Field: "connect", Problem: "is for browsers that go to this address; programs ask POST /link/provider/{provider}"}
	case site == "same-origin" || site == "same-site" || from != "" && d.Policy.TrustsOrigin(server.PageOrigin(from)):
		return &a, false, nil
	case site != "" || from != "": // also a link in a mail, which comes from nowhere
		return nil, false, auth.Invalid{Field: "connect", Problem: "must be opened from a page of the application, which must not hide its origin (Referrer-Policy)"}
	}
	return &a, true, nil
}

// startIn reads the query of a start. What is not known is left to the providers that it is for.
func startIn(r *http.Request) (start flow.ProviderStart, connect string, err error) {
	q, err := server.Values(r.URL.RawQuery, "query", "allowedRoles", "defaultRole", "displayName", "locale", "metadata", "redirectTo",
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
		Params: params, Browser: server.Navigates(r),
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

const maxParam = 200

func stateIn(s string) error {
	if len(s) > server.MaxState {
		return auth.Invalid{Field: "state", Problem: "must not be longer than 1024 bytes"}
	}
	return nil
}

// providerCallback is where a provider sends people back to.
func (d *Door) providerCallback(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	q, err := server.ProviderCallback(r)
	if err != nil {
		return err
	}
	return d.Returns.To(q.Get("state"), d.Return)(w, r, r.PathValue("provider"), q)
}

// Return answers those who set out from this door and come back, to whichever door.
func (d *Door) Return(w http.ResponseWriter, r *http.Request, provider string, q url.Values) error {
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	state := q.Get("state")
	out, err := d.SignIn.FromProvider(r.Context(), flow.ProviderReturn{
		Provider: provider, State: state, Cookie: d.cookies().Of(r, state), Values: q, Client: server.Client(w),
	})
	d.cookies().Drop(w, state)
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
		q.Set("provider_state", server.Repeated(state))
	}
	if out.Refused != nil {
		out.RedirectTo = d.Policy.ClientURL // as Hasura Auth does
	}
	if p := out.Refused; p != nil && no.id == refusals[auth.ProviderRefused].id {
		q.Set("provider_error", server.Repeated(p.Code))
		q.Set("provider_error_description", server.Repeated(p.Description))
		q.Set("provider_error_url", server.Repeated(p.URI))
	}
	server.Note(w, err)
	return d.redirect(w, status, out.RedirectTo, q)
}

func (d *Door) cookies() server.StateCookies {
	return server.StateCookies{Secure: strings.HasPrefix(d.Policy.ServerURL, "https://")}
}
