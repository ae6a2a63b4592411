// Package providers lets people sign in at other people's doors. A plain provider is one row of a
// table; a few odd ones have a file each. Nothing here keeps state of a sign-in: what must survive
// the trip to the provider and back goes to the caller, who keeps it.
package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Profile is what a provider says about a person.
type Profile struct {
	ID            string // at the provider, and never anybody else's there
	Email         string // may be empty: not every provider has one
	EmailVerified bool   // the provider itself said so, with the boolean true
	Name          string
	AvatarURL     string          // http or https, or empty
	Raw           json.RawMessage // what the provider sent, as one JSON object
}

// Tokens are what a provider gives us to act for the person there. They are secrets.
type Tokens struct {
	Access, Refresh string
	ExpiresAt       time.Time // zero when the provider does not say
	Scope           string    // what was granted, separated by blanks, when the provider says it
}

// Start is what a sign-in begins with.
type Start struct {
	CallbackURL string            // where the provider sends the browser back to
	State       string            // comes back unchanged in the callback
	Verifier    string            // PKCE verifier; its challenge goes to providers that take one
	Nonce       string            // comes back inside the id token of providers that have one
	Params      map[string]string // what the client adds: connection and organization for WorkOS
	Scopes      []string          // what the client asks for beside the usual
	Free        map[string]string // further parameters for the provider's page, taken where they change nothing of how it answers
}

// Begun says where to send the browser.
type Begun struct {
	URL       string
	Temporary string // a secret that Finish needs again; most providers have none
}

// Callback is what came back. What it shares with Start is the same as there.
type Callback struct {
	CallbackURL string
	Values      url.Values // of the query, or of the form where the provider posts
	Verifier    string
	Nonce       string
	Temporary   string
}

// Provider signs people in somewhere else. Finish tells why it failed with ErrExchange, ErrProfile
// or a Refused; no secret is in any error.
type Provider interface {
	Begin(ctx context.Context, start Start) (Begun, error)
	Finish(ctx context.Context, callback Callback) (Profile, Tokens, error)
}

// Refresher is a provider whose tokens can be renewed. A provider that hands out no new refresh
// token leaves the old one in force, and then it is in the answer.
type Refresher interface {
	Refresh(ctx context.Context, refreshToken string) (Tokens, error)
}

// PostsBack is a provider whose callback may be a form that its page posts from its own origin, so
// that a cookie must be SameSite=None to come along.
type PostsBack interface {
	PostsBack() bool
}

// IDTokenVerifier judges tokens that a client got from the provider by itself. The nonce is the one
// that the client chose, as it is; in the token it may stand as it is or as the hexadecimal form of
// its SHA-256. A token that has a nonce needs it. An access token that the client tells, too, must be the one that the token names, if it
// names one.
type IDTokenVerifier interface {
	VerifyIDToken(ctx context.Context, raw, nonce, accessToken string) (Profile, error)
}

var (
	// ErrParameters says that the sign-in cannot begin as the client asked for it.
	ErrParameters = errors.New("provider parameters are missing or wrong")
	// ErrExchange says that the provider did not give tokens for what came back.
	ErrExchange = errors.New("provider gave no tokens")
	// ErrProfile says that the provider did not tell who the person is.
	ErrProfile = errors.New("provider gave no profile")
	// ErrIDToken says that an id token is not one to believe.
	ErrIDToken = errors.New("id token is not valid")
)

// Refused is what a provider answered instead of a code: mostly, that the person said no.
type Refused struct {
	Code        string // error of the callback, such as access_denied
	Description string // error_description
	URI         string // error_uri
}

// Error names the code alone: the rest is the provider's prose.
func (r *Refused) Error() string { return fmt.Sprintf("provider refused: %.64q", r.Code) }

// refusal finds the provider's refusal in a callback.
func refusal(v url.Values) error {
	if code := v.Get("error"); code != "" {
		return &Refused{Code: code, Description: v.Get("error_description"), URI: v.Get("error_uri")}
	}
	return nil
}
