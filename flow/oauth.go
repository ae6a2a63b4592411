package flow

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/clientdocs"
	"postern/hooks"
)

// OAuthSettings are what operators may say about the OAuth server.
type OAuthSettings struct {
	Enabled          bool          `env:"AUTH_OAUTH2_PROVIDER_ENABLED" default:"false" doc:"Be an OAuth 2.1 and OpenID Connect server (/oauth2/*), so that users can let other applications in on their account. AUTH_SERVER_URL is the issuer, and HASURA_GRAPHQL_JWT_SECRET must have a key pair."`
	LoginURL         string        `env:"AUTH_OAUTH2_PROVIDER_LOGIN_URL" format:"url" doc:"Page of the application that signs users in and asks whether they let a client in; it gets request_id. Unset, it is AUTH_CLIENT_URL and /oauth2/login."`
	AccessTokenLife  time.Duration `env:"AUTH_OAUTH2_PROVIDER_ACCESS_TOKEN_TTL" unit:"s" default:"900" gotrue:"3600" min:"1s" max:"24h" doc:"How long an access token lives that a client of the OAuth server gets, and an ID token."`
	RefreshTokenLife time.Duration `env:"AUTH_OAUTH2_PROVIDER_REFRESH_TOKEN_TTL" unit:"s" default:"2592000" min:"1s" doc:"How long a client of the OAuth server may stay away until it must ask the user again."`

	ReadsDocuments    bool `env:"AUTH_OAUTH2_PROVIDER_CIMD_ENABLED" default:"false" doc:"Take clients that nobody registered, whose id is the https address of a document that says what they are (OAuth Client ID Metadata Documents). Whoever has a website is a client then; users are asked before any of them learns anything. Where the documents may be, AUTH_OUTBOUND_ALLOWED_NETWORKS and AUTH_OUTBOUND_ALLOWED_PORTS say."`
	InsecureDocuments bool `env:"AUTH_OAUTH2_PROVIDER_CIMD_ALLOW_INSECURE_TRANSPORT" default:"false" doc:"For development: such documents may be at http addresses, on this machine and in private networks, too."`
}

// Page is where users are asked.
func (s OAuthSettings) Page(clientURL string) string {
	if s.LoginURL != "" {
		return s.LoginURL
	}
	return strings.TrimRight(clientURL, "/") + "/oauth2/login"
}

// OAuth is the desk where users let other applications, its clients, in on their account (OAuth 2.1, RFC 9700). Each door has
// one of its own, with its own address: what is given at one is nothing at another.
type OAuth struct {
	Kit     // AccessTokenLife is that of clients
	Clients *OAuthClients
	Issuer  string // the public address of the door
	// Page asks the user, and is told the request by Parameter.
	Page, Parameter string
	Scopes          []string // that there are at the door
	DefaultScopes   []string // of who asks for none
	// Speaks has every access token say what the dialect's tokens of users say, whatever its scopes.
	Speaks bool
	// Remembers has users asked once what they allowed before.
	Remembers bool
	// About is what a client learns of a user by scopes.
	About            func(u auth.User, scopes []string) map[string]any
	RefreshTokenLife time.Duration
	RequestLife      time.Duration // how long a request waits for its user; 0 is ten minutes
}

// oauthRequestLife is how long a request waits for its user where nothing else is said, and oauthCodeLife is how long an answer waits for its
// client.
const (
	oauthRequestLife = 10 * time.Minute
	oauthCodeLife    = 5 * time.Minute
)

// byCode is how a client proves itself, in amr.
const byCode = "oauth_provider/authorization_code"

// offered are the scopes that make sense: without a key pair nobody could verify an ID token, and without claims of Hasura
// no token speaks to it.
func (f *OAuth) offered() []string {
	return slices.DeleteFunc(slices.Clone(f.Scopes), func(s string) bool { return s == auth.ScopeOpenID && !f.Signer.Published() })
}

// Metadata is what the server tells of itself (RFC 8414, OpenID Connect Discovery), beside the addresses of its endpoints.
type Metadata struct {
	Issuer    string
	Scopes    []string
	Algorithm string // of ID tokens
}

// Metadata tells what there is.
func (f *OAuth) Metadata() Metadata {
	return Metadata{Issuer: f.Issuer, Scopes: f.offered(), Algorithm: f.Signer.Algorithm()}
}

// oauthWords are the words of RFC 6749, its successors and OpenID Connect for refusals, with a sentence for developers.
var oauthWords = map[auth.Code][2]string{
	auth.BadRequest:          {"invalid_request", "The request makes no sense"},
	auth.RedirectNotAllowed:  {"invalid_request", "redirect_uri must be one that the client has registered, letter by letter"},
	auth.InvalidClient:       {"invalid_client", "The client is unknown, or did not show that it is the one"},
	auth.InvalidGrant:        {"invalid_grant", "The code or refresh token is unknown, expired, used up or of another client"},
	auth.InvalidScope:        {"invalid_scope", "The client asks for a scope that it may not have"},
	auth.WrongResponseType:   {"unsupported_response_type", "response_type must be code"},
	auth.WrongGrantType:      {"unsupported_grant_type", "grant_type must be authorization_code or refresh_token"},
	auth.Unauthorized:        {"invalid_token", "The access token is missing, expired, of another server, or its session has ended"},
	auth.OAuthRequestUnknown: {"invalid_request", "The request is unknown, expired or answered"},
	auth.HookDenied:          {"access_denied", "The operator does not allow it"},
	auth.ClaimMissing:        {"access_denied", "The user lacks a claim that every token must have"},
	auth.TooManyRequests:     {"temporarily_unavailable", "Too many requests, try again later"},
	auth.Overloaded:          {"temporarily_unavailable", "The server is busy, try again in a moment"},
	auth.NotReady:            {"temporarily_unavailable", "The server is not ready"},
	auth.ClaimsUnavailable:   {"temporarily_unavailable", "Claims of the user cannot be computed at the moment"},
	auth.HookFailed:          {"temporarily_unavailable", "A hook of the operator does not answer as it should"},
}

// OAuthWords are how the standards say a refusal.
func OAuthWords(err error) (word, description string) {
	var wrong auth.Invalid
	var no *hooks.Denied
	var published *clientdocs.Problem
	code := auth.CodeOf(err)
	words, ok := oauthWords[code]
	switch {
	case errors.As(err, &published):
		return words[0], published.Refusal()
	case code == auth.InvalidClient && errors.As(err, &wrong):
		return words[0], "what the document at client_id says: " + wrong.Error()
	case errors.As(err, &wrong):
		return "invalid_request", wrong.Error()
	case errors.As(err, &no) && no.Message != "":
		return words[0], no.Message
	case !ok:
		return "server_error", "Internal server error"
	}
	return words[0], words[1]
}

// withQuery adds parameters to an address, whose own stay as they are.
func withQuery(address string, parameters url.Values) string {
	mark := "?"
	if strings.Contains(address, "?") {
		mark = "&"
	}
	if strings.HasSuffix(address, "?") || strings.HasSuffix(address, "&") {
		mark = ""
	}
	return address + mark + parameters.Encode()
}

// back is where the browser goes with an answer to a client. The issuer is in it, so that a client of several servers knows who
// answers (RFC 9207).
func (f *OAuth) back(p oauthPayload, answer url.Values) string {
	answer.Set("iss", f.Issuer)
	if p.State != "" {
		answer.Set("state", p.State)
	}
	return withQuery(p.RedirectURI, answer)
}

// goBack is back with a refusal.
func (f *OAuth) goBack(p oauthPayload, word, description string) string {
	return f.back(p, url.Values{"error": {word}, "error_description": {description}})
}

// errNoGrant is one answer for all that is wrong with a code or a refresh token; the reason is for the log.
func errNoGrant(format string, args ...any) error {
	return fmt.Errorf("%w: %w", auth.InvalidGrant, fmt.Errorf(format, args...))
}

func errNoScope(clientID, scope string) error {
	return fmt.Errorf("%w: client %s may not have %.60q", auth.InvalidScope, clientID, scope)
}
