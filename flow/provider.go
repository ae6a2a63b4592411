package flow

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"postern/auth"
	"postern/providers"
	"postern/store"
	"postern/tokens"
)

// StateLife is how long a person may take at a provider.
const StateLife = 10 * time.Minute

// maxLinks bounds how many identities one user may be about to link.
const maxLinks = 20

// ProviderStart is a person who sets out for a provider.
type ProviderStart struct {
	Provider      string
	SignUp        bool              // an account must be made: who has one is refused
	Link          *auth.Actor       // the identity is to be linked to this account, instead of signing in
	Options       Options           // of the user that a first sign-in creates; otherwise only RedirectTo counts
	State         string            // the application's own, which comes back with the person
	CodeChallenge string            // PKCE: the application gets a code instead of a session
	Params        map[string]string // for the provider
	Free          map[string]string // for the provider, whatever it makes of them
	Scopes        []string          // to ask the provider for beside the usual
	Browser       bool              // who sets out keeps the cookie, and comes back with it
	Enters        bool              // who links an identity gets a session besides
	Exchanges     bool              // and is bound by the code challenge in the place of the cookie: it is linked when the code is exchanged
	DropTokens    bool              // what the provider lets us do for the person is not kept
	Client        auth.Client
}

// ProviderStarted says where the person goes, and what their browser must come back with.
type ProviderStarted struct {
	URL      string
	State    string // names the cookie
	Cookie   string // empty when the application's challenge stands in its place
	PostBack bool   // the provider comes back by a form that its own page posts
	Link     bool   // an identity is to be linked
}

// providerState is what is known of a person who is at a provider. It is sealed: some of it proves to
// the provider that we are who began.
type providerState struct {
	Provider   string
	SignUp     bool
	Session    string // of the account that the identity is to be linked to
	Options    Options
	State      string
	Challenge  string
	Cookie     []byte // hash of what the browser keeps; nil where the challenge binds
	DropTokens bool
	Enters     bool
	Verifier   string
	Nonce      string
	Temporary  string
	Callback   string // the address that the provider was told
}

const (
	stateSeal       = "provider state"
	linkStatePrefix = "link-" // in the state's text, so that each purpose has its own key
)

// ToProvider sends a person to a provider to sign in.
func (f *SignIn) ToProvider(ctx context.Context, in ProviderStart) (ProviderStarted, error) {
	return f.toProvider(ctx, in)
}

func (k *Kit) toProvider(ctx context.Context, in ProviderStart) (ProviderStarted, error) {
	now := k.Now()
	var member auth.User // who links, if that is what for
	if in.Link != nil {
		var err error
		if member, err = k.linker(ctx, *in.Link); err != nil {
			return ProviderStarted{}, err
		}
	}
	if _, err := k.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return ProviderStarted{}, err
	}
	p, err := k.provider(in.Provider)
	if err != nil {
		return ProviderStarted{}, err
	}
	state := providerState{
		Provider: in.Provider, SignUp: in.SignUp, Options: in.Options, State: in.State, Challenge: in.CodeChallenge,
		DropTokens: in.DropTokens, Enters: in.Enters, Verifier: tokens.NewVerifier(), Nonce: tokens.NewUUID(), Callback: k.callbackURL(in.Provider),
	}
	text := k.newState()
	switch {
	case in.Link != nil:
		state.Session, text = in.Link.SessionID, linkStatePrefix+text
		if in.Exchanges && in.CodeChallenge == "" {
			return ProviderStarted{}, auth.Invalid{Field: "codeChallenge", Problem: "must be there, or nothing binds the link to who asks for it"}
		}
	case !in.Browser && in.CodeChallenge == "":
		return ProviderStarted{}, auth.Invalid{Field: "codeChallenge", Problem: "must be given by a program that asks for this address; without it a browser must go there itself, and keep the cookie"}
	}
	out := ProviderStarted{State: text, Link: in.Link != nil}
	if in.Browser || in.Link != nil && !in.Exchanges {
		out.Cookie = tokens.NewUUID()
		state.Cookie = tokens.HashSecret(out.Cookie)
	}
	begun, err := p.Begin(ctx, providers.Start{
		CallbackURL: state.Callback, State: text, Verifier: state.Verifier, Nonce: state.Nonce, Params: in.Params, Free: in.Free, Scopes: in.Scopes,
	})
	if err != nil {
		return ProviderStarted{}, providerRefusal(err)
	}
	out.URL, state.Temporary = begun.URL, begun.Temporary
	if posts, ok := p.(providers.PostsBack); ok {
		out.PostBack = posts.PostsBack()
	}
	return out, k.keepState(ctx, member.ID, text, state, now)
}

// keepState writes the state down until the person comes back.
func (k *Kit) keepState(ctx context.Context, owner, text string, state providerState, now time.Time) error {
	payload, err := k.sealPayload(stateSeal, state)
	if err != nil {
		return err
	}
	t := store.Ticket{
		ID: tokens.NewUUID(), Purpose: statePurpose(text), SecretHash: tokens.HashSecret(text), UserID: owner,
		Payload: payload, CreatedAt: now, ExpiresAt: now.Add(StateLife),
	}
	if owner == "" {
		return k.Store.AddFreeTicket(ctx, t)
	}
	added, err := k.Store.AddTicket(ctx, t, maxLinks, now.Add(-StateLife))
	if err == nil && !added {
		err = auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: StateLife}
	}
	return err
}

// newState draws the text of a state, with the mark of the door.
func (k *Kit) newState() string {
	if k.Door == "" {
		return tokens.NewUUID()
	}
	return k.Door + "." + tokens.NewUUID()
}

// DoorOf reads the mark of the door off a state, which may be that of the door without one. What is no state has none.
func DoorOf(state string) (door string, ok bool) {
	state = strings.TrimPrefix(state, linkStatePrefix)
	door, secret, marked := strings.Cut(state, ".")
	if !marked {
		door, secret = "", state
	}
	return door, tokens.IsUUID(secret)
}

func statePurpose(text string) auth.Purpose {
	if strings.HasPrefix(text, linkStatePrefix) {
		return auth.ProviderLink
	}
	return auth.ProviderState
}

// callbackURL is where a provider sends people back to: the one address that it has been told of, or the door's own.
func (k *Kit) callbackURL(provider string) string {
	if registered := k.Providers.CallbackURL(provider); registered != "" {
		return registered
	}
	if k.Callback != "" {
		return k.Callback
	}
	return k.Policy.ServerURL + "/signin/provider/" + url.PathEscape(provider) + "/callback"
}

// provider finds one that people may sign in at.
func (k *Kit) provider(name string) (providers.Provider, error) {
	p, known, enabled := k.Providers.Find(name)
	switch {
	case !known:
		return nil, auth.Invalid{Field: "provider", Problem: "must be the name of a provider that this server knows"}
	case !enabled:
		return nil, fmt.Errorf("%w: %s", auth.EndpointDisabled, name)
	}
	return p, nil
}

// providerRefusal turns what went wrong at a provider into a code.
func providerRefusal(err error) error {
	var no *providers.Refused
	switch {
	case errors.As(err, &no):
		return fmt.Errorf("%w: %w", auth.ProviderRefused, err)
	case errors.Is(err, providers.ErrParameters):
		return auth.Invalid{Field: "query", Problem: "must have the parameters that this provider needs"}
	case errors.Is(err, providers.ErrExchange):
		return fmt.Errorf("%w: %w", auth.ProviderExchange, err)
	case errors.Is(err, providers.ErrProfile):
		return fmt.Errorf("%w: %w", auth.ProviderProfile, err)
	case errors.Is(err, providers.ErrIDToken):
		return fmt.Errorf("%w: %w", auth.InvalidIDToken, err)
	}
	return err
}

// ProviderReturn is a person who comes back from a provider.
type ProviderReturn struct {
	Provider string // of the address they come to; empty where all come to one
	State    string
	Cookie   string     // what their browser kept; empty when it kept nothing
	Values   url.Values // what the provider says
	Client   auth.Client
}

// ProviderReturned says where the person goes on to, also when they are refused, and with what. It has
// neither a session, nor a ticket, nor a code, when an identity was linked, or when an address must be
// confirmed first.
type ProviderReturned struct {
	auth.Admission
	Code       string
	Provider   string
	Tokens     *providers.Tokens // what the provider lets us do for the person; nil when it is not to be kept, or comes with the code
	RedirectTo string
	State      string             // the application's own
	Refused    *providers.Refused // in the provider's words
}

// FromProvider ends the trip: whoever the provider vouches for is signed in, or signed up, or has the
// identity linked. All that decides is what was written down at the start and what the provider says.
func (f *SignIn) FromProvider(ctx context.Context, in ProviderReturn) (ProviderReturned, error) {
	now := f.Now()
	out := ProviderReturned{RedirectTo: f.Policy.ClientURL}
	state, owner, err := f.takeState(ctx, in, now)
	if err != nil {
		return out, err
	}
	out.State, out.Provider = state.State, state.Provider
	redirectTo, err := f.Policy.Redirect(state.Options.RedirectTo)
	if err != nil {
		return out, err
	}
	p, err := f.provider(state.Provider)
	if err != nil {
		out.RedirectTo = redirectTo
		return out, err
	}
	if out.RedirectTo, err = redirectTo, f.returnRequested(ctx, in, state, owner); err != nil {
		return out, err
	}
	profile, secrets, err := p.Finish(ctx, providers.Callback{
		CallbackURL: cmp.Or(state.Callback, f.callbackURL(state.Provider)), Values: in.Values,
		Verifier: state.Verifier, Nonce: state.Nonce, Temporary: state.Temporary,
	})
	if err != nil {
		errors.As(err, &out.Refused)
		return out, providerRefusal(err)
	}
	who := arrival{
		provider: state.Provider, profile: profile, secrets: &secrets, options: state.Options, redirectTo: redirectTo,
		challenge: state.Challenge, signUp: state.SignUp, said: f.saidOf(in, state), client: in.Client, now: now, method: "oauth",
	}
	if state.DropTokens {
		who.secrets = nil
	}
	if owner != "" {
		return f.linkReturned(ctx, out, state, auth.Actor{UserID: owner, SessionID: state.Session}, who)
	}
	ended, err := f.arrive(ctx, who)
	out.Admission, out.Code = ended.Admission, ended.code
	if out.Code == "" {
		out.Tokens = who.secrets
	}
	return out, err
}

// returnRequested has hooks asked about the sign-in that somebody comes back for. Who set out to sign up is asked
// about when it is known who they are, and who links an identity, or was refused by the provider, not at all.
func (f *SignIn) returnRequested(ctx context.Context, in ProviderReturn, state providerState, owner string) error {
	if owner != "" || state.SignUp || in.Values.Get("error") != "" || in.Values.Get("denied") != "" {
		return nil
	}
	return f.signInRequested(ctx, request{Said: f.saidOf(in, state), method: "oauth", provider: state.Provider, client: in.Client})
}

// saidOf puts what a browser comes back with into JSON, as clients that come by themselves send it.
func (f *SignIn) saidOf(in ProviderReturn, state providerState) Said {
	data, err := json.Marshal(struct {
		Code        string `json:"code,omitempty"`
		RedirectURI string `json:"redirect_uri"`
		State       string `json:"state,omitempty"`
	}{cmp.Or(in.Values.Get("code"), in.Values.Get("oauth_verifier")), cmp.Or(state.Callback, f.callbackURL(state.Provider)), state.State})
	if err != nil {
		return Said{} // three texts can always be written
	}
	return Said{Data: data}
}

// takeState finds what was written down at the start and uses it up, whether this is the browser that
// set out or not.
func (k *Kit) takeState(ctx context.Context, in ProviderReturn, now time.Time) (state providerState, owner string, err error) {
	ticket, err := k.Store.TakeFreeTicket(ctx, statePurpose(in.State), tokens.HashSecret(in.State), now)
	if errors.Is(err, store.ErrNotFound) {
		return state, "", fmt.Errorf("%w: unknown, expired or used up", auth.InvalidState)
	}
	if err != nil {
		return state, "", err
	}
	if err := k.openPayload(stateSeal, ticket.Payload, &state); err != nil {
		return state, "", fmt.Errorf("%w: %w", auth.InvalidState, err)
	}
	switch {
	case in.Provider != "" && state.Provider != in.Provider:
		return state, "", fmt.Errorf("%w: it is of a sign-in at %s, not %s", auth.InvalidState, state.Provider, in.Provider)
	case state.Cookie != nil && subtle.ConstantTimeCompare(state.Cookie, tokens.HashSecret(in.Cookie)) != 1:
		return state, "", fmt.Errorf("%w: another browser set out with it, or this one keeps no cookies", auth.InvalidState)
	}
	return state, ticket.UserID, nil
}

// sealPayload makes a value the payload of a ticket that only this server can read.
func (k *Kit) sealPayload(purpose string, v any) (json.RawMessage, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(purpose, plain)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	payload, err := json.Marshal(sealedPayload{sealed})
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return payload, nil
}

func (k *Kit) openPayload(purpose string, payload json.RawMessage, into any) error {
	var p sealedPayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	plain, err := k.Keys.Open(purpose, p.Sealed)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	return json.Unmarshal(plain, into)
}

type sealedPayload struct {
	Sealed []byte `json:"sealed"`
}
