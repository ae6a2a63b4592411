package server

import (
	"net/http"
	"slices"
	"strings"

	"postern/auth"
	"postern/flow"
)

// Serving answers where there is what the handler is for. Elsewhere its address is as good as none.
func Serving(there bool, h Handler) Handler {
	if there {
		return h
	}
	return func(http.ResponseWriter, *http.Request) error { return auth.EndpointDisabled }
}

// OAuthAsk is what a browser was sent to ask of the OAuth server (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2.1).
func OAuthAsk(get map[string]string) flow.OAuthAsk {
	return flow.OAuthAsk{
		ClientID: get["client_id"], RedirectURI: get["redirect_uri"], ResponseType: get["response_type"], ResponseMode: get["response_mode"],
		Scope: get["scope"], State: get["state"], Nonce: get["nonce"], Challenge: get["code_challenge"], ChallengeMethod: get["code_challenge_method"],
		Resource: get["resource"], Prompt: get["prompt"], MaxAge: get["max_age"], RequestObject: get["request"], RequestAddress: get["request_uri"],
	}
}

// SendOn sends the browser where it goes with what it asked. The next page does not learn the address, which has the request in it.
func SendOn(w http.ResponseWriter, asked flow.OAuthAsked) {
	if asked.Refused != nil {
		Note(w, asked.Refused)
	}
	w.Header().Set("Location", asked.To)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusFound)
}

// Credentials are how a client shows who it is: in the header or in the body, not in both (RFC 6749, 2.3). secret is nil where the body
// has none.
func Credentials(h http.Header, id string, secret *string) (flow.OAuthCredentials, error) {
	headerID, headerSecret, basic := Basic(h)
	switch {
	case len(h.Values("Authorization")) > 1:
		return flow.OAuthCredentials{}, auth.Invalid{Field: "Authorization", Problem: "must be there once"}
	case basic && (secret != nil || id != "" && id != headerID):
		return flow.OAuthCredentials{}, auth.Invalid{Field: "Authorization", Problem: "must not come with another way to show the client"}
	case basic:
		return flow.OAuthCredentials{ClientID: headerID, Secret: headerSecret, Method: auth.ClientSecretBasic}, nil
	case secret != nil:
		return flow.OAuthCredentials{ClientID: id, Secret: *secret, Method: auth.ClientSecretPost}, nil
	}
	return flow.OAuthCredentials{ClientID: id, Method: auth.NoClientSecret}, nil
}

// FormCredentials are Credentials of a client that sends its parameters as they are in get.
func FormCredentials(h http.Header, get map[string]string) (flow.OAuthCredentials, error) {
	var secret *string
	if text, ok := get["client_secret"]; ok {
		secret = &text
	}
	return Credentials(h, get["client_id"], secret)
}

// AsClient does what a client asks for. Wrong secrets are counted for each client and place: who guessed too often is heard no more.
func (g Guards) AsClient(from auth.Client, clientID string, do func() error) error {
	guesser, now := from.Bucket()+" "+clientID, g.Front.Now()
	if wait, spent := g.Front.Limits.Spent("client secrets", guesser, g.Limits.BruteForce(), now); spent {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	err := do()
	if auth.CodeOf(err) == auth.InvalidClient {
		g.Front.Limits.Take("client secrets", guesser, g.Limits.BruteForce(), now)
	}
	return err
}

// ClientsFault tells whether a client of the OAuth server could mend what it is refused for. The standards have no words for the rest.
func ClientsFault(err error) bool {
	return !slices.Contains([]auth.Code{auth.Internal, auth.TooManyRequests, auth.Overloaded, auth.NotReady, auth.ClaimsUnavailable, auth.HookFailed}, auth.CodeOf(err))
}

// OAuthTokens is what a client gets (RFC 6749, 5.1).
type OAuthTokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

// TokensOf is what a client gets by a grant. The letters of the type are the dialect's: clients must not mind them.
func TokensOf(g flow.OAuthGrant, tokenType string) OAuthTokens {
	return OAuthTokens{g.AccessToken, tokenType, int(g.Life.Seconds()), g.RefreshToken, g.IDToken, strings.Join(g.Scopes, " ")}
}

// OAuthMetadata is what every door says of the OAuth server (RFC 8414, OpenID Connect Discovery). Addresses are the doors' own.
type OAuthMetadata struct {
	Issuer           string   `json:"issuer"`
	Authorize        string   `json:"authorization_endpoint"`
	Token            string   `json:"token_endpoint"`
	Userinfo         string   `json:"userinfo_endpoint"`
	Keys             string   `json:"jwks_uri"`
	Scopes           []string `json:"scopes_supported"`
	ResponseTypes    []string `json:"response_types_supported"`
	ResponseModes    []string `json:"response_modes_supported"`
	GrantTypes       []string `json:"grant_types_supported"`
	SubjectTypes     []string `json:"subject_types_supported"`
	Algorithms       []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	ChallengeMethods []string `json:"code_challenge_methods_supported"`
	Claims           []string `json:"claims_supported"`
	SaysWho          bool     `json:"authorization_response_iss_parameter_supported"`
}

// MetadataOf is what the OAuth server does at every door. The requests of clients are below a path of the issuer.
func MetadataOf(m flow.Metadata, below string) OAuthMetadata {
	at := m.Issuer + below
	return OAuthMetadata{
		Issuer: m.Issuer, Authorize: at + "authorize", Token: at + "token", Userinfo: at + "userinfo", Scopes: m.Scopes,
		ResponseTypes: []string{"code"}, ResponseModes: []string{"query"}, GrantTypes: []string{auth.GrantCode, auth.GrantRefresh},
		SubjectTypes: []string{"public"}, Algorithms: []string{m.Algorithm}, ChallengeMethods: []string{"S256"}, SaysWho: true,
		AuthMethods: []string{auth.ClientSecretBasic, auth.ClientSecretPost, auth.NoClientSecret},
	}
}
