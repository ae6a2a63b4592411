package flow

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/providers"
	"postern/store"
)

// sealedTokens begins what we sealed ourselves; what Hasura Auth sealed is hexadecimal.
const sealedTokens = "sealed:"

// keptTokens is how a provider's tokens are kept, in the members that Hasura Auth has for them.
type keptTokens struct {
	AccessToken  string    `json:"accessToken"`
	ExpiresIn    int       `json:"expiresIn"`
	ExpiresAt    time.Time `json:"expiresAt"`
	RefreshToken string    `json:"refreshToken,omitempty"`
}

// sealTokens is how the tokens of an identity are kept. Where Hasura Auth may be started again they are
// sealed as it does, or not kept at all.
func (k *Kit) sealTokens(identityID string, t *providers.Tokens) (string, error) {
	if t == nil || t.Access == "" {
		return store.NoTokens, nil
	}
	kept := keptTokens{AccessToken: t.Access, ExpiresAt: t.ExpiresAt.UTC(), RefreshToken: t.Refresh}
	if !t.ExpiresAt.IsZero() {
		kept.ExpiresIn = int(t.ExpiresAt.Sub(k.Now()) / time.Second)
	}
	plain, err := json.Marshal(kept) // #nosec G117 -- it is sealed before it goes anywhere
	if err != nil {
		return "", fmt.Errorf("flow: %w", err)
	}
	if k.HandBack {
		if sealed, ok := k.Keys.SealAsHasuraAuth(plain); ok {
			return sealed, nil
		}
		return store.NoTokens, nil
	}
	sealed, err := k.Keys.Seal(tokensSeal(identityID), plain)
	if err != nil {
		return "", fmt.Errorf("flow: %w", err)
	}
	return sealedTokens + base64.StdEncoding.EncodeToString(sealed), nil
}

func tokensSeal(identityID string) string { return "provider tokens " + identityID }

// openTokens reads what sealTokens or Hasura Auth wrote.
func (k *Kit) openTokens(identityID, text string) (providers.Tokens, error) {
	var plain []byte
	var err error
	if ours, ok := strings.CutPrefix(text, sealedTokens); ok {
		var sealed []byte
		if sealed, err = base64.StdEncoding.DecodeString(ours); err == nil {
			plain, err = k.Keys.Open(tokensSeal(identityID), sealed)
		}
	} else {
		plain, err = k.Keys.OpenOfHasuraAuth(text)
	}
	if err != nil {
		return providers.Tokens{}, fmt.Errorf("flow: provider tokens of identity %s: %w", identityID, err)
	}
	var kept keptTokens
	if err := json.Unmarshal(plain, &kept); err != nil {
		return providers.Tokens{}, fmt.Errorf("flow: provider tokens of identity %s: %w", identityID, err)
	}
	return providers.Tokens{Access: kept.AccessToken, Refresh: kept.RefreshToken, ExpiresAt: kept.ExpiresAt}, nil
}

// ProviderAsk is a user who asks about one of their providers.
type ProviderAsk struct {
	Actor    auth.Actor
	Provider string
	Client   auth.Client
}

// ProviderTokens hands out what the provider gave at the latest sign-in there, once.
func (f *Account) ProviderTokens(ctx context.Context, in ProviderAsk) (providers.Tokens, error) {
	now := f.Now()
	user, err := f.asker(ctx, in)
	if err != nil {
		return providers.Tokens{}, err
	}
	var id, sealed string
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("provider.tokens.read", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		e.Detail = map[string]any{"provider": in.Provider}
		id, sealed, err = tx.TakeTokens(ctx, user.ID, in.Provider, e)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return providers.Tokens{}, fmt.Errorf("%w: no tokens of %s are kept, or they were handed out", auth.NotFound, in.Provider)
	}
	if err != nil {
		return providers.Tokens{}, err
	}
	secrets, err := f.openTokens(id, sealed)
	if err != nil { // of another key, or from before they were sealed: as good as none
		return providers.Tokens{}, fmt.Errorf("%w: %w", auth.NotFound, err)
	}
	return secrets, nil
}

// RefreshProviderTokens asks a provider for new tokens. They are handed out and not kept.
func (f *Account) RefreshProviderTokens(ctx context.Context, in ProviderAsk, refreshToken string) (providers.Tokens, error) {
	now := f.Now()
	user, err := f.asker(ctx, in)
	if err != nil {
		return providers.Tokens{}, err
	}
	p, err := f.provider(in.Provider)
	if err != nil {
		return providers.Tokens{}, err
	}
	refresher, ok := p.(providers.Refresher)
	if !ok {
		return providers.Tokens{}, fmt.Errorf("%w: %s gives no refresh tokens", auth.EndpointDisabled, in.Provider)
	}
	owns, err := f.Store.OwnsIdentity(ctx, user.ID, in.Provider)
	if err != nil {
		return providers.Tokens{}, err
	}
	if !owns {
		return providers.Tokens{}, fmt.Errorf("%w: user %s has linked no identity of %s", auth.NotFound, user.ID, in.Provider)
	}
	secrets, err := refresher.Refresh(ctx, refreshToken)
	if err != nil {
		return providers.Tokens{}, providerRefusal(err)
	}
	e := f.entry("provider.tokens.refreshed", user.ID, in.Client, now)
	e.SessionID = in.Actor.SessionID
	e.Detail = map[string]any{"provider": in.Provider}
	return secrets, f.Store.Tell(ctx, e)
}

// asker is a member who asks about a provider that there is.
func (f *Account) asker(ctx context.Context, in ProviderAsk) (auth.User, error) {
	if _, known, _ := f.Providers.Find(in.Provider); !known {
		return auth.User{}, auth.Invalid{Field: "provider", Problem: "must be the name of a provider that this server knows"}
	}
	user, err := f.actor(ctx, in.Actor)
	if err != nil {
		return auth.User{}, err
	}
	return user, f.Policy.gateMember(user, f.Now())
}
