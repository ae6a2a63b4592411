package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// oauth speaks OAuth 2 with one provider: the authorization code with PKCE, and OpenID Connect
// where the provider has it.
type oauth struct {
	row      row
	settings Client
	http     *http.Client
	now      func() time.Time
	issuer   *issuer // nil where there are no id tokens
}

// endpoints are the addresses of a provider, with all settings in their places.
type endpoints struct {
	authorize, token, refresh, userinfo, emails string
	inHeader                                    bool
}

// endpoints fills in the row's addresses, or asks the issuer for its own.
func (o *oauth) endpoints(ctx context.Context) (endpoints, error) {
	if o.row.authorize == "" {
		d, err := o.issuer.document(ctx)
		if err != nil {
			return endpoints{}, err
		}
		return endpoints{
			authorize: d.Authorize, token: d.Token, refresh: d.Token, userinfo: d.Userinfo,
			inHeader: d.inHeader(),
		}, nil
	}
	e := endpoints{
		authorize: first(o.settings.AuthorizeURL, o.fill(o.row.authorize)), token: first(o.settings.TokenURL, o.fill(o.row.token)),
		userinfo: first(o.settings.ProfileURL, o.fill(o.row.userinfo)), inHeader: o.row.inHeader,
	}
	e.refresh = first(o.row.refresh, e.token)
	e.emails = strings.ReplaceAll(o.row.emails, "{userinfo}", strings.TrimRight(e.userinfo, "/"))
	return e, nil
}

// fill puts settings in their places.
func (o *oauth) fill(address string) string {
	base := strings.TrimRight(first(o.settings.URL, o.settings.Issuer, o.row.base), "/")
	return strings.NewReplacer("{base}", base, "{tenant}", first(o.settings.Tenant, "common")).Replace(address)
}

func (o *oauth) config(e endpoints, tokenURL, callbackURL string) (*oauth2.Config, error) {
	secret := o.settings.Secret
	if o.row.kind == kindApple {
		var err error
		if secret, err = appleSecret(o.settings, o.now()); err != nil {
			return nil, err
		}
	}
	style := oauth2.AuthStyleInParams // never tried out: that would show the code twice
	if e.inHeader {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: o.settings.ID, ClientSecret: secret, RedirectURL: callbackURL, Scopes: o.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: e.authorize, TokenURL: tokenURL, AuthStyle: style},
	}, nil
}

// scopes are those of the settings, or of the row. Where everything rests on the id token there is
// no doing without openid.
func (o *oauth) scopes() []string {
	list := o.settings.Scopes
	if len(list) == 0 {
		list = o.row.scopes
	}
	if o.row.userinfo == "" && o.issuer != nil && o.row.kind == kindPlain && !slices.Contains(list, "openid") {
		list = append([]string{"openid"}, list...)
	}
	return list
}

// expectsIDToken says whether tokens come with an id token, whose nonce then counts.
func (o *oauth) expectsIDToken() bool {
	return o.row.nonce && (o.row.kind == kindApple || slices.Contains(o.scopes(), "openid"))
}

// isReserved tells of the parameters by which we and a provider find one another, and by which it knows where to send its answer
// and in which form: clients leave these alone, in whatever letters. A request object (RFC 9101) has them all in it.
func isReserved(name string) bool {
	return slices.Contains([]string{
		"client_id", "client_secret", "client_assertion", "client_assertion_type", "redirect_uri", "response_type", "response_mode", "state", "nonce", "scope",
		"code_challenge", "code_challenge_method", "code_verifier", "request", "request_uri", "registration", "oauth_token", "oauth_callback",
	}, strings.ToLower(name))
}

// Begin makes the address of the provider's page.
func (o *oauth) Begin(ctx context.Context, s Start) (Begun, error) {
	e, err := o.endpoints(ctx)
	if err != nil {
		return Begun{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	if s.State == "" || s.CallbackURL == "" || (o.row.pkce && s.Verifier == "") || (o.expectsIDToken() && s.Nonce == "") {
		return Begun{}, errors.New("a sign-in at a provider begins with a state, a callback, a verifier and a nonce")
	}
	params := maps.Clone(o.row.params)
	if params == nil {
		params = map[string]string{}
	}
	for _, name := range o.row.ask {
		if value := s.Params[name]; value != "" {
			params[name] = value
		}
	}
	for name, value := range s.Free {
		if !isReserved(name) {
			params[name] = value
		}
	}
	if o.row.kind == kindWorkOS {
		if params, err = workosParams(params, o.settings); err != nil {
			return Begun{}, err
		}
	}
	scopes := o.scopes()
	for _, scope := range s.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(slices.Clip(scopes), scope)
		}
	}
	var options []oauth2.AuthCodeOption
	for name, value := range params {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	if o.row.comma && len(scopes) > 0 {
		options = append(options, oauth2.SetAuthURLParam("scope", strings.Join(scopes, ",")))
	}
	if o.row.pkce {
		options = append(options, oauth2.S256ChallengeOption(s.Verifier))
	}
	if o.expectsIDToken() {
		options = append(options, oauth2.SetAuthURLParam("nonce", s.Nonce))
	}
	c := &oauth2.Config{ClientID: o.settings.ID, RedirectURL: s.CallbackURL, Scopes: scopes, Endpoint: oauth2.Endpoint{AuthURL: e.authorize}}
	return Begun{URL: c.AuthCodeURL(s.State, options...)}, nil
}

// Finish turns what came back into tokens and the profile.
func (o *oauth) Finish(ctx context.Context, c Callback) (Profile, Tokens, error) {
	if err := refusal(c.Values); err != nil {
		return Profile{}, Tokens{}, err
	}
	if iss := c.Values.Get("iss"); iss != "" && o.issuer != nil && !o.issuer.mayBe(ctx, iss) {
		return Profile{}, Tokens{}, fmt.Errorf("%w: the callback is from another issuer", ErrExchange) // RFC 9207
	}
	if len(c.Values["code"]) != 1 || c.Values.Get("code") == "" {
		return Profile{}, Tokens{}, fmt.Errorf("%w: the callback has no code", ErrExchange)
	}
	e, err := o.endpoints(ctx)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	config, err := o.config(e, e.token, c.CallbackURL)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	var options []oauth2.AuthCodeOption
	if o.row.pkce {
		options = append(options, oauth2.VerifierOption(c.Verifier))
	}
	token, err := config.Exchange(o.context(ctx), c.Values.Get("code"), options...)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrExchange, readable(err))
	}
	tokens, err := o.tokens(token)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	profile, err := o.profile(ctx, e, token, c)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return profile, tokens, nil
}

// profile asks all that the provider has to say about the person.
func (o *oauth) profile(ctx context.Context, e endpoints, token *oauth2.Token, c Callback) (Profile, error) {
	var a answers
	var err error
	if o.expectsIDToken() {
		raw, _ := token.Extra("id_token").(string)
		if raw == "" {
			return Profile{}, errors.New("no id token came with the tokens")
		}
		if c.Nonce == "" {
			return Profile{}, errors.New("there is no nonce to compare")
		}
		// The id of this application alone: tokens for its other clients come by other ways.
		a.claims, err = o.issuer.verify(ctx, raw, c.Nonce, []string{o.settings.ID}, exact)
		if err != nil {
			return Profile{}, err
		}
	}
	if e.userinfo != "" && (o.row.userinfo != "" || needsUserinfo(a.claims)) {
		if a.user, err = o.userinfo(ctx, e.userinfo, token.AccessToken); err != nil {
			return Profile{}, err
		}
		if o.row.userinfo == "" && a.user.id("sub") != a.claims.id("sub") {
			return Profile{}, errors.New("the userinfo is about somebody else than the id token")
		}
	}
	if e.emails != "" {
		if a.emails, err = o.emails(ctx, e.emails, token.AccessToken); err != nil {
			return Profile{}, err
		}
	}
	if o.row.kind == kindApple {
		a.user = appleUser(c.Values)
	}
	return o.row.read(a)
}

// read makes the profile out of the answers.
func (r row) read(a answers) (Profile, error) {
	p, err := r.profile(a).tidy()
	if err != nil {
		return Profile{}, err
	}
	p.Raw = a.raw()
	return p, nil
}

// needsUserinfo says whether an id token leaves something to ask for.
func needsUserinfo(claims object) bool {
	return claims.text("email") == "" || claims.text("name") == ""
}

func (o *oauth) header(accessToken string) http.Header {
	h := http.Header{}
	for name, value := range o.row.headers {
		h.Set(name, strings.ReplaceAll(value, "{client}", o.settings.ID))
	}
	h.Set("Authorization", "Bearer "+accessToken)
	return h
}

func (o *oauth) userinfo(ctx context.Context, address, accessToken string) (object, error) {
	body, _, err := fetch(ctx, o.http, address, o.header(accessToken))
	if err != nil {
		return nil, err
	}
	return decodeObject(body)
}

// emails lists a person's addresses. A provider that does not let us see them is one that has none
// for us.
func (o *oauth) emails(ctx context.Context, address, accessToken string) (any, error) {
	body, _, err := fetch(ctx, o.http, address, o.header(accessToken))
	var status statusError
	if errors.As(err, &status) && (status == http.StatusForbidden || status == http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(body)
}

// Refresh renews tokens.
func (o *oauth) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	if refreshToken == "" {
		return Tokens{}, fmt.Errorf("%w: there is no refresh token", ErrExchange)
	}
	e, err := o.endpoints(ctx)
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	config, err := o.config(e, e.refresh, "")
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	token, err := config.TokenSource(o.context(ctx), &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrExchange, readable(err))
	}
	tokens, err := o.tokens(token)
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	return tokens, nil
}

// context tells x/oauth2 which client to use.
func (o *oauth) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, o.http)
}

// tokens takes over what a provider gave, by our own clock.
func (o *oauth) tokens(t *oauth2.Token) (Tokens, error) {
	if len(t.AccessToken) > mostTokens || len(t.RefreshToken) > mostTokens {
		return Tokens{}, errors.New("the tokens are too long to be kept")
	}
	out := Tokens{Access: t.AccessToken, Refresh: t.RefreshToken}
	switch {
	case t.ExpiresIn > 0 && t.ExpiresIn < int64(century/time.Second):
		out.ExpiresAt = o.now().Add(time.Duration(t.ExpiresIn) * time.Second)
	case t.ExpiresIn == 0 && !t.Expiry.IsZero():
		out.ExpiresAt = t.Expiry
	}
	switch scope := t.Extra("scope").(type) {
	case string:
		out.Scope = strings.Join(strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' || r == ',' }), " ")
	case []any:
		var list []string
		for _, s := range scope {
			if text, ok := s.(string); ok {
				list = append(list, text)
			}
		}
		out.Scope = strings.Join(list, " ")
	}
	if len(out.Scope) > mostTokens {
		out.Scope = ""
	}
	return out, nil
}

const (
	mostTokens = 32 << 10               // bytes of each token
	century    = 36500 * 24 * time.Hour // beyond it durations would overflow
)

// readable words an error of x/oauth2 without the answer's body, which holds tokens if anything.
func readable(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("answered %d with %s", status, code(refused.ErrorCode))
	}
	if bared := bare(err); bared != err { //nolint:errorlint // asks whether bare took something off
		return bared
	}
	return errors.New("the answer holds no tokens")
}
