package flow

import (
	"context"
	"fmt"

	"postern/auth"
	"postern/providers"
)

// IDTokenSignIn is a person whom an application has let sign in at a provider by itself.
type IDTokenSignIn struct {
	Provider string
	IDToken  string
	Nonce    string // the one that the application chose, as it is
	// AccessToken came with the token, if the application tells: then it is checked that it did.
	AccessToken string
	Options     Options
	Said        Said
	Client      auth.Client
}

// WithIDToken signs a person in by the ID token of a provider. Whoever is new gets an account, unless
// the operator wants sign-ups to be asked for as such.
func (f *SignIn) WithIDToken(ctx context.Context, in IDTokenSignIn) (auth.Admission, error) {
	return f.arriveByIDToken(ctx, in, false)
}

// WithIDToken makes an account of an ID token. Who has one already is refused.
func (f *SignUp) WithIDToken(ctx context.Context, in IDTokenSignIn) (auth.Admission, error) {
	return f.arriveByIDToken(ctx, in, true)
}

func (k *Kit) arriveByIDToken(ctx context.Context, in IDTokenSignIn, signUp bool) (auth.Admission, error) {
	redirectTo, err := k.Policy.Redirect(in.Options.RedirectTo)
	if err != nil {
		return auth.Admission{}, err
	}
	asked := request{Said: in.Said, method: "idtoken", provider: in.Provider, client: in.Client}
	if in.Options.granted, err = k.eitherRequested(ctx, signUp, asked); err != nil {
		return auth.Admission{}, err
	}
	profile, err := k.readIDToken(ctx, in.Provider, in.IDToken, in.Nonce, in.AccessToken)
	if err != nil {
		return auth.Admission{}, err
	}
	ended, err := k.arrive(ctx, arrival{
		provider: in.Provider, profile: profile, options: in.Options, redirectTo: redirectTo, signUp: signUp,
		method: "idtoken", said: in.Said, agreed: signUp, client: in.Client, now: k.Now(),
	})
	return ended.Admission, err
}

// readIDToken gives the profile of a token that the provider made for this application.
func (k *Kit) readIDToken(ctx context.Context, provider, raw, nonce, accessToken string) (providers.Profile, error) {
	verifier, ok := k.Providers.IDTokens(provider)
	if !ok {
		if _, known, _ := k.Providers.Find(provider); !known {
			return providers.Profile{}, auth.Invalid{Field: "provider", Problem: "must be the name of a provider that this server knows"}
		}
		return providers.Profile{}, fmt.Errorf("%w: ID tokens of %s", auth.EndpointDisabled, provider)
	}
	profile, err := verifier.VerifyIDToken(ctx, raw, nonce, accessToken)
	return profile, providerRefusal(err)
}

// IDTokenLink is a user who adds an identity to their account.
type IDTokenLink struct {
	Actor    auth.Actor
	Provider string
	IDToken  string
	Nonce    string
	// AccessToken came with the token, if the application tells: then it is checked that it did.
	AccessToken string
	Client      auth.Client
}

// LinkIDToken links the identity of an ID token to the account.
func (f *Account) LinkIDToken(ctx context.Context, in IDTokenLink) error {
	if _, err := f.member(ctx, in.Actor); err != nil {
		return err
	}
	profile, err := f.readIDToken(ctx, in.Provider, in.IDToken, in.Nonce, in.AccessToken)
	if err != nil {
		return err
	}
	return f.linkArrival(ctx, in.Actor, arrival{provider: in.Provider, profile: profile, client: in.Client, now: f.Now(), method: "idtoken"})
}
