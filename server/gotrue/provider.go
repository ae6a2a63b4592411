package gotrue

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// Mark is what tells states of this door from those of others.
const Mark = "gotrue"

// authorize sends the browser to a provider.
func (d *Door) authorize(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead { // it changes nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	start, err := d.startIn(r)
	if err != nil {
		return err
	}
	start.Browser, start.Client = server.Navigates(r), server.Client(w)
	started, err := d.SignIn.ToProvider(r.Context(), start)
	if err != nil {
		return here(err, unsupported)
	}
	d.cookies().Set(w, started)
	w.Header().Set("Location", started.URL)
	w.WriteHeader(http.StatusFound)
	return nil
}

// unsupported is what is said of a provider that is known and off, as of one that nobody knows.
var unsupported = map[auth.Code]refusal{
	auth.EndpointDisabled: {http.StatusBadRequest, "validation_failed", "Unsupported provider: provider is not enabled"},
}

// The bounds of what a client may hand on to a provider.
const (
	maxScopes = 1024
	maxParams = 30
	maxParam  = 1024
)

// ours are the parameters that are for this server, and not handed on.
var ours = []string{"provider", "redirect_to", "scopes", "code_challenge", "code_challenge_method", "invite_token", "skip_http_redirect"}

// otherNames are the providers that clients call otherwise.
var otherNames = map[string]string{"linkedin_oidc": "linkedin", "slack_oidc": "slack"}

// ourName is a provider by its name here.
func ourName(provider string) string { return cmp.Or(otherNames[provider], provider) }

// startIn reads the query of a start. What is not known here is the provider's.
func (d *Door) startIn(r *http.Request) (flow.ProviderStart, error) {
	q, err := server.Values(r.URL.RawQuery, "query", ours...)
	if err != nil {
		return flow.ProviderStart{}, err
	}
	how := pkce{Challenge: q.Get("code_challenge"), Method: q.Get("code_challenge_method")}
	scopes, err := scopesIn(q.Get("scopes"))
	if err := cmp.Or(err, how.check()); err != nil {
		return flow.ProviderStart{}, err
	}
	provider := ourName(strings.ToLower(q.Get("provider")))
	if provider == "" {
		return flow.ProviderStart{}, auth.Invalid{Field: "provider", Problem: "must be the name of a provider that this server knows"}
	}
	for _, name := range ours {
		q.Del(name)
	}
	free, err := freeIn(q)
	return flow.ProviderStart{
		Provider: provider, Options: flow.Options{RedirectTo: d.redirectTo(r)}, CodeChallenge: how.Challenge, Scopes: scopes, Free: free,
	}, err
}

// scopesIn reads a list of scopes, separated by commas or blanks: names as OAuth 2.0 has them (RFC 6749, 3.3).
func scopesIn(list string) ([]string, error) {
	if len(list) > maxScopes {
		return nil, auth.Invalid{Field: "scopes", Problem: "must not be longer than 1024 bytes"}
	}
	if strings.ContainsFunc(list, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return nil, auth.Invalid{Field: "scopes", Problem: "must be names of scopes, separated by commas"}
	}
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' }), nil
}

// freeIn reads what a client hands on to the provider.
func freeIn(q url.Values) (map[string]string, error) {
	if len(q) > maxParams {
		return nil, auth.Invalid{Field: "query", Problem: "must not have more than 30 parameters for the provider"}
	}
	free := map[string]string{}
	for name, values := range q {
		switch v := values[len(values)-1]; {
		case name == "" || len(name) > maxParam || len(v) > maxParam:
			return nil, auth.Invalid{Field: "query", Problem: "must not have names or values longer than 1024 bytes"}
		case !utf8.ValidString(name+v) || strings.ContainsRune(name+v, 0):
			return nil, auth.Invalid{Field: "query", Problem: "must be valid UTF-8 without NUL characters"}
		default:
			free[name] = v
		}
	}
	return free, nil
}

// callback is where providers send people back to.
func (d *Door) callback(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead { // it changes nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	said, err := server.ProviderCallback(r)
	if err != nil {
		return d.sendHome(w, here(err, map[auth.Code]refusal{auth.BadRequest: {http.StatusBadRequest, "bad_oauth_callback", "OAuth callback is not as it must be: " + err.Error()}}))
	}
	return d.Returns.To(said.Get("state"), d.Return)(w, r, "", said)
}

// Return answers those who set out from this door and come back, to whichever door.
func (d *Door) Return(w http.ResponseWriter, r *http.Request, provider string, said url.Values) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	state := said.Get("state")
	out, err := d.SignIn.FromProvider(r.Context(), flow.ProviderReturn{
		Provider: provider, State: state, Cookie: d.cookies().Of(r, state), Values: said, Client: server.Client(w),
	})
	d.cookies().Drop(w, state)
	switch {
	case auth.CodeOf(err) == auth.InvalidState:
		return d.sendHome(w, err)
	case err != nil:
		return refuseReturn(w, out, saidNothing(said, err))
	case out.Code != "":
		return found(w, withQuery(out.RedirectTo, url.Values{"code": {out.Code}}))
	case out.Grant == nil && out.FactorTicket == "":
		return refuseReturn(w, out, refusal{http.StatusUnprocessableEntity, "provider_email_needs_verification", "Unverified email with " + out.Provider + ". A confirmation email has been sent to the address"})
	case out.Grant == nil:
		return refuseReturn(w, out, auth.FactorRequired)
	}
	s := d.toSession(out.Grant)
	v := url.Values{
		"access_token": {s.AccessToken}, "expires_at": {strconv.FormatInt(s.ExpiresAt, 10)}, "expires_in": {strconv.Itoa(s.ExpiresIn)},
		"refresh_token": {s.RefreshToken}, "token_type": {s.TokenType}, "provider": {out.Provider}, "sb": {""},
	}
	if t := out.Tokens; t != nil && t.Access != "" {
		v.Set("provider_token", t.Access)
		if t.Refresh != "" {
			v.Set("provider_refresh_token", t.Refresh)
		}
	}
	return found(w, withFragment(out.RedirectTo, v))
}

// saidNothing says of a callback with neither a code nor a refusal that it is none.
func saidNothing(said url.Values, err error) error {
	if auth.CodeOf(err) != auth.ProviderExchange || said.Get("code") != "" || said.Get("oauth_verifier") != "" {
		return err
	}
	return here(err, map[auth.Code]refusal{auth.ProviderExchange: {http.StatusBadRequest, "bad_oauth_callback", "OAuth callback with missing authorization code"}})
}

// denies are refusals that say no to the person, whatever their status.
var denies = []string{"signup_disabled", "user_banned", "provider_email_needs_verification"}

// refuseReturn sends the browser on with the refusal: in the query, for servers, and behind the #, for pages.
func refuseReturn(w http.ResponseWriter, out flow.ProviderReturned, err error) error {
	server.Note(w, err)
	v := refusedCallback(err)
	if p := out.Refused; p != nil {
		v = url.Values{"error": {server.Repeated(p.Code)}, "error_description": {server.Repeated(p.Description)}}
	}
	to := withQuery(out.RedirectTo, v)
	v = maps.Clone(v)
	v.Set("sb", "")
	return found(w, withFragment(to, v))
}

// refusedCallback is a refusal in the words of OAuth.
func refusedCallback(err error) url.Values {
	no := words(auth.CodeOf(err), err)
	word := cmp.Or(redirected[no.status], "server_error")
	for _, code := range denies {
		if no.code == code {
			word = "access_denied"
		}
	}
	return url.Values{"error": {word}, "error_code": {no.code}, "error_description": {no.message}}
}

// sendHome refuses somebody of whom it is not known where they were going: they get to the application.
func (d *Door) sendHome(w http.ResponseWriter, err error) error {
	server.Note(w, err)
	return send(w, withQuery(d.Policy.ClientURL, refusedCallback(err)))
}

func found(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return nil
}

func (d *Door) cookies() server.StateCookies {
	return server.StateCookies{Secure: strings.HasPrefix(d.URL, "https://")}
}
