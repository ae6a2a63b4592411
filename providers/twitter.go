package providers

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// twitter is Twitter as it was: OAuth 1.0a. There is no state parameter, so the state travels in
// the callback's address; the request token's secret is what must be kept meanwhile. The token
// that comes out of it never expires and is worth nothing without its secret, so neither is handed
// on: whoever wants tokens uses x.
type twitter struct {
	row      row
	settings Client
	http     *http.Client
	now      func() time.Time
}

const twitterRequestToken = "https://api.twitter.com/oauth/request_token"

// Begin asks for a request token and makes the address of Twitter's page.
func (t *twitter) Begin(ctx context.Context, s Start) (Begun, error) {
	callback, err := url.Parse(s.CallbackURL)
	if err != nil || s.State == "" {
		return Begun{}, errors.New("a sign-in at a provider begins with a state and a callback")
	}
	q := callback.Query()
	q.Set("state", s.State)
	callback.RawQuery = q.Encode()
	values, err := t.post(ctx, twitterRequestToken, t.signer("", ""), map[string]string{"oauth_callback": callback.String()})
	if err != nil {
		return Begun{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	token, secret := values.Get("oauth_token"), values.Get("oauth_token_secret")
	if token == "" || secret == "" || values.Get("oauth_callback_confirmed") != "true" {
		return Begun{}, fmt.Errorf("%w: the answer is not a request token", ErrExchange)
	}
	return Begun{
		URL:       t.row.authorize + "?" + url.Values{"oauth_token": {token}}.Encode(),
		Temporary: url.Values{"oauth_token": {token}, "oauth_token_secret": {secret}}.Encode(),
	}, nil
}

// Finish turns the request token into an access token and asks who the person is.
func (t *twitter) Finish(ctx context.Context, c Callback) (Profile, Tokens, error) {
	if c.Values.Has("denied") {
		return Profile{}, Tokens{}, &Refused{Code: "access_denied"}
	}
	if err := refusal(c.Values); err != nil {
		return Profile{}, Tokens{}, err
	}
	kept, err := url.ParseQuery(c.Temporary)
	token, verifier := c.Values.Get("oauth_token"), c.Values.Get("oauth_verifier")
	if err != nil || token == "" || verifier == "" || subtle.ConstantTimeCompare([]byte(token), []byte(kept.Get("oauth_token"))) != 1 {
		return Profile{}, Tokens{}, fmt.Errorf("%w: the callback does not belong to the request token", ErrExchange)
	}
	values, err := t.post(ctx, t.row.token, t.signer(token, kept.Get("oauth_token_secret")), map[string]string{"oauth_verifier": verifier})
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrExchange, err)
	}
	access, secret := values.Get("oauth_token"), values.Get("oauth_token_secret")
	if access == "" || secret == "" {
		return Profile{}, Tokens{}, fmt.Errorf("%w: the answer is not an access token", ErrExchange)
	}
	user, err := t.user(ctx, access, secret)
	if err != nil {
		return Profile{}, Tokens{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	profile, err := t.row.read(answers{user: user})
	return profile, Tokens{}, err
}

func (t *twitter) user(ctx context.Context, token, secret string) (object, error) {
	address, err := url.Parse(t.row.userinfo + "?include_email=true&include_entities=false&skip_status=true")
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	header := http.Header{"Authorization": {t.signer(token, secret).header(http.MethodGet, address, nil, nil, t.now())}}
	body, _, err := fetch(ctx, t.http, address.String(), header)
	if err != nil {
		return nil, err
	}
	return decodeObject(body)
}

// post sends a signed request without a body and reads the form in the answer.
func (t *twitter) post(ctx context.Context, raw string, by signer, extra map[string]string) (url.Values, error) {
	address, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, raw, nil)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	req.Header.Set("Authorization", by.header(http.MethodPost, address, nil, extra, t.now()))
	body, _, err := send(t.http, req)
	if err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the answer is no form")
	}
	return values, nil
}

func (t *twitter) signer(token, secret string) signer {
	return signer{consumerKey: t.settings.ID, consumerSecret: t.settings.Secret, token: token, tokenSecret: secret}
}
