package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// OAuthAsk is what a client has a browser ask (RFC 6749, 4.1.1; RFC 7636; OpenID Connect Core, 3.1.2.1), as it came.
type OAuthAsk struct {
	ClientID, RedirectURI         string
	ResponseType, ResponseMode    string
	Scope, State, Nonce           string
	Challenge, ChallengeMethod    string
	Resource, Prompt, MaxAge      string
	RequestObject, RequestAddress string // of requests that are tokens, which nobody here reads
}

// OAuthAsked is where the browser goes then.
type OAuthAsked struct {
	To        string
	RequestID string // what the user is asked by; empty where the client is refused
	Refused   error  // why it is, for the log: To tells the client
}

// oauthPayload is what is kept of a request, and then of a code.
type oauthPayload struct {
	Door        string    `json:"door"`
	ClientID    string    `json:"client"`
	RedirectURI string    `json:"redirect"`
	Scopes      []string  `json:"scopes"`
	State       string    `json:"state,omitempty"`
	Nonce       string    `json:"nonce,omitempty"`
	Resource    string    `json:"resource,omitempty"`
	Asks        bool      `json:"asks,omitempty"`  // though the user allowed it before
	Since       time.Time `json:"since,omitzero"`  // no proof of the user may be older
	MaxAge      *int64    `json:"maxAge,omitzero"` // in seconds, when the user answers
}

// The seals of what is kept: one is never read as the other.
const (
	oauthRequestSeal = "oauth-request"
	oauthCodeSeal    = "oauth-code"
)

// Authorize looks at what a client asks and sends the browser on to where the user is asked. Until it is proved which client
// that is, and that the address to go back to is the client's, a refusal is an error and sends nobody anywhere; after that a
// client that an operator made gets to know.
func (f *OAuth) Authorize(ctx context.Context, in OAuthAsk) (OAuthAsked, error) {
	if err := in.bounded(); err != nil {
		return OAuthAsked{}, err
	}
	client, err := f.Clients.Arriving(ctx, in.ClientID)
	if err != nil {
		return OAuthAsked{}, err
	}
	if !registered(client.RedirectURIs, in.RedirectURI) {
		return OAuthAsked{}, fmt.Errorf("%w: no address of client %.100q", auth.RedirectNotAllowed, client.ID)
	}
	now := f.Now()
	p := oauthPayload{Door: f.Door, ClientID: client.ID, RedirectURI: in.RedirectURI, State: in.State, Nonce: in.Nonce, Resource: in.Resource}
	if in.Prompt == "none" { // nobody here knows who is at the browser: that is the page's part
		return f.refuse(client, p, fmt.Errorf("%w: prompt is none", auth.BadRequest), "login_required", "The user must be asked")
	}
	refuse := func(err error) (OAuthAsked, error) {
		word, text := OAuthWords(err)
		return f.refuse(client, p, err, word, text)
	}
	if err := f.judgeAsk(&p, in, client, now); err != nil {
		return refuse(err)
	}
	id := tokens.NewUUID()
	payload, err := f.sealPayload(oauthRequestSeal, p)
	if err != nil {
		return refuse(err)
	}
	err = f.Store.AddFreeTicket(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: auth.OAuthRequest, SecretHash: tokens.HashSecret(id), Challenge: in.Challenge,
		Payload: payload, CreatedAt: now, ExpiresAt: now.Add(cmp.Or(f.RequestLife, oauthRequestLife)),
	})
	if err != nil {
		return refuse(err)
	}
	page := url.Values{f.Parameter: {id}}
	if in.Prompt != "" {
		page.Set("prompt", in.Prompt)
	}
	return OAuthAsked{To: withQuery(f.Page, page), RequestID: id}, nil
}

// refuse tells a client why it gets nothing. One that nobody vouches for, since it registered itself, does not get to know: anybody
// could make links here that lead to any address, with nobody asked (RFC 9700, 4.11.2).
func (f *OAuth) refuse(c store.OAuthClient, p oauthPayload, err error, word, text string) (OAuthAsked, error) {
	if c.Origin != auth.ClientRegistered {
		return OAuthAsked{}, err
	}
	return OAuthAsked{To: f.goBack(p, word, text), Refused: err}, nil
}

// maxOAuthParameter is how long a parameter may be: it goes through addresses.
const maxOAuthParameter = 4096

// bounded refuses what no client sends.
func (in OAuthAsk) bounded() error {
	for name, value := range map[string]string{
		"client_id": in.ClientID, "redirect_uri": in.RedirectURI, "response_type": in.ResponseType, "response_mode": in.ResponseMode,
		"scope": in.Scope, "state": in.State, "nonce": in.Nonce, "code_challenge": in.Challenge, "code_challenge_method": in.ChallengeMethod,
		"resource": in.Resource, "prompt": in.Prompt, "max_age": in.MaxAge,
	} {
		if len(value) > maxOAuthParameter || !utf8.ValidString(value) || strings.ContainsFunc(value, isControl) {
			return auth.Invalid{Field: name, Problem: fmt.Sprintf("must be at most %d characters of text", maxOAuthParameter)}
		}
	}
	for name, value := range map[string]string{"client_id": in.ClientID, "redirect_uri": in.RedirectURI} {
		if value == "" {
			return auth.Invalid{Field: name, Problem: "must be there"}
		}
	}
	return nil
}

// judgeAsk refuses what the client is told of.
func (f *OAuth) judgeAsk(p *oauthPayload, in OAuthAsk, client store.OAuthClient, now time.Time) error {
	switch {
	case in.RequestObject != "" || in.RequestAddress != "":
		return auth.Invalid{Field: "request", Problem: "must not be there: requests that are tokens are not read"}
	case in.ResponseType == "":
		return auth.Invalid{Field: "response_type", Problem: "must be code"}
	case in.ResponseType != "code":
		return fmt.Errorf("%w: client %s", auth.WrongResponseType, client.ID)
	case in.ResponseMode != "" && in.ResponseMode != "query":
		return auth.Invalid{Field: "response_mode", Problem: "must be query, or not there"}
	case in.Challenge == "":
		return auth.Invalid{Field: "code_challenge", Problem: "must be there: PKCE is required of every client (RFC 7636)"}
	case in.ChallengeMethod != "S256":
		return auth.Invalid{Field: "code_challenge_method", Problem: "must be S256"}
	case !tokens.ValidChallenge(in.Challenge):
		return auth.Invalid{Field: "code_challenge", Problem: "must be 43 characters of base64url"}
	case !isResource(in.Resource):
		return auth.Invalid{Field: "resource", Problem: "must be an absolute address without a fragment"}
	}
	var err error
	if p.Scopes, err = f.scopesOf(in.Scope, client); err != nil {
		return err
	}
	return p.ask(in, now)
}

// scopesOf are the scopes that a client asks for, each once. All must be its own, and there.
func (f *OAuth) scopesOf(text string, client store.OAuthClient) ([]string, error) {
	asked := strings.Fields(text)
	if len(asked) == 0 {
		asked = f.DefaultScopes
	}
	offered := f.offered()
	var scopes []string
	for _, s := range asked {
		if !slices.Contains(offered, s) || !slices.Contains(client.Scopes, s) {
			return nil, errNoScope(client.ID, s)
		}
		scopes = with(scopes, s)
	}
	return scopes, nil
}

// ask notes how the user is to be asked.
func (p *oauthPayload) ask(in OAuthAsk, now time.Time) error {
	for _, word := range strings.Fields(in.Prompt) {
		switch word {
		case "consent":
			p.Asks = true
		case "login":
			p.Since = now
		case "select_account":
		default:
			return auth.Invalid{Field: "prompt", Problem: "must be none, or of login, consent and select_account"}
		}
	}
	if in.MaxAge == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(in.MaxAge, 10, 32)
	if err != nil || seconds < 0 {
		return auth.Invalid{Field: "max_age", Problem: "must be a number of seconds"}
	}
	p.MaxAge = &seconds
	return nil
}

// fresh refuses a proof that is older than the client wants.
func (p oauthPayload) fresh(proved, now time.Time) error {
	// A JWT knows whole seconds, and clients check auth_time by them.
	if proved.Before(p.Since.Truncate(time.Second)) || p.MaxAge != nil && now.Sub(proved) > time.Duration(*p.MaxAge+1)*time.Second {
		return fmt.Errorf("%w: the client wants the user to sign in once more", auth.NotElevated)
	}
	return nil
}

// isResource tells whether a text may say what a token is for (RFC 8707). It is kept, and nothing follows from it.
func isResource(text string) bool {
	u, err := url.Parse(text)
	return text == "" || err == nil && u.IsAbs() && u.Fragment == "" && !strings.Contains(text, "#")
}

// registered tells whether a client may have users sent back to an address: one of its own, letter by letter. An application
// on a device listens at whatever port is free, so on an address of the loopback any port will do (RFC 8252, 7.3). What Hasura Auth
// registered was never looked at, so that an address that runs something in a page may be among it.
func registered(list []string, address string) bool {
	if runs(address) {
		return false
	}
	if slices.Contains(list, address) {
		return true
	}
	bare, ok := withoutPort(address)
	return ok && slices.ContainsFunc(list, func(own string) bool {
		own, ok := withoutPort(own)
		return ok && own == bare
	})
}

// withoutPort takes the port out of an address of the loopback that is written as one would write it.
func withoutPort(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.String() != address {
		return "", false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil || !ip.IsLoopback() {
		return "", false
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", false
		}
	}
	u.Host = "[" + ip.String() + "]"
	return u.String(), true
}

// openOAuth reads what is kept of a request or a code, of this door.
func (f *OAuth) openOAuth(seal string, payload json.RawMessage) (p oauthPayload, err error) {
	if err = f.openPayload(seal, payload, &p); err == nil && p.Door != f.Door {
		err = fmt.Errorf("it is of the door %q", p.Door)
	}
	return p, err
}
