package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// LinkProvider sends a user to a provider to add an identity to their account.
func (f *Account) LinkProvider(ctx context.Context, actor auth.Actor, in ProviderStart) (ProviderStarted, error) {
	in.Link = &actor
	return f.toProvider(ctx, in)
}

// Identities lists the identities that a user has linked.
func (f *Account) Identities(ctx context.Context, actor auth.Actor) ([]auth.Identity, error) {
	user, err := f.viewer(ctx, actor)
	if err != nil {
		return nil, err
	}
	if err := f.Policy.gateMember(user, f.Now()); err != nil {
		return nil, err
	}
	return f.Store.Identities(ctx, user.ID)
}

// Unlinking is a user who takes an identity off their account.
type Unlinking struct {
	Actor      auth.Actor
	IdentityID string
	Client     auth.Client
}

// Unlink takes an identity off an account, and ends the account's other sessions, for whoever had the
// identity may have opened them. The last way in stays.
func (f *Account) Unlink(ctx context.Context, in Unlinking) error {
	now := f.Now()
	user, err := f.member(ctx, in.Actor)
	if err != nil {
		return err
	}
	provider, err := f.providerOf(ctx, user, in.IdentityID)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("identity.unlinked", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		e.Detail = map[string]any{"identityId": in.IdentityID}
		if err := tx.RemoveIdentity(ctx, user.ID, in.IdentityID, in.Actor.SessionID, e); err != nil {
			return err
		}
		if err := f.stillGetsIn(ctx, tx, user.ID); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{
			template: "identity-unlinked", to: user.Email, user: user, client: in.Client, detail: map[string]string{"provider": provider},
		})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: user %s has no such identity", auth.NotFound, user.ID)
	}
	return err
}

// providerOf finds where an identity is from.
func (k *Kit) providerOf(ctx context.Context, user auth.User, identityID string) (string, error) {
	identities, err := k.Store.Identities(ctx, user.ID)
	if err != nil {
		return "", err
	}
	for _, i := range identities {
		if i.ID == identityID {
			return i.Provider, nil
		}
	}
	return "", fmt.Errorf("%w: user %s has no such identity", auth.NotFound, user.ID)
}
