package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// User gives the user an access token speaks of.
func (f *Account) User(ctx context.Context, a auth.Actor) (auth.User, error) {
	return f.actor(ctx, a)
}

// actor loads the user behind a token and checks that the token's session and the account are
// still good: a token outlives neither.
func (k *Kit) actor(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.Store.UserOfActor(ctx, a, k.Now())
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return auth.User{}, err
	}
	return u, k.Policy.gate(u)
}

// member is an actor who is not a guest and has proved themselves lately where that is required.
func (k *Kit) member(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.actor(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	if err := k.Policy.gateMember(u); err != nil {
		return auth.User{}, err
	}
	return u, k.elevated(ctx, a)
}

// elevated refuses an actor whose proof is too old for changing credentials.
func (k *Kit) elevated(ctx context.Context, a auth.Actor) error {
	if a.Elevated || k.Policy.Elevation == "disabled" || k.Policy.Elevation == "" {
		return nil
	}
	if k.Policy.Elevation == "recommended" {
		owns, err := k.Store.OwnsSecurityKey(ctx, a.UserID)
		if err != nil || !owns {
			return err
		}
	}
	return fmt.Errorf("%w: user %s", auth.NotElevated, a.UserID)
}
