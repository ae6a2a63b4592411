package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// ElevationMethods lists the ways in which the user can give a fresh proof on this server: the
// Elevate words, the strongest first.
func (f *Account) ElevationMethods(ctx context.Context, a auth.Actor) ([]string, error) {
	user, err := f.viewer(ctx, a)
	if err != nil {
		return nil, err
	}
	return f.elevationMethods(ctx, user)
}

// FactorElevation is a signed-in user who proves the second factor once more.
type FactorElevation struct {
	Actor  auth.Actor
	Code   string // of the app, or a recovery code
	Client auth.Client
}

// ElevateByFactor opens another session of the user, whose access token says that the proof is fresh.
// The session it is asked from goes on, and what it proved counts in the new one.
func (f *Account) ElevateByFactor(ctx context.Context, in FactorElevation) (*auth.Grant, error) {
	user, err := f.factorMember(ctx, in.Actor)
	if err != nil {
		return nil, err
	}
	now := f.Now()
	before, err := f.Store.ProofsOf(ctx, in.Actor)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: the session is gone", auth.Unauthorized)
	}
	if err != nil {
		return nil, err
	}
	p, err := f.prove(ctx, typed{user: user, kind: auth.TOTPFactor, code: in.Code, client: in.Client, now: now})
	if err != nil {
		return nil, err
	}
	o, err := f.ask(ctx, opening{
		user: user, method: p.method, after: before.AMR, aal: 2, elevated: true, beside: in.Actor.SessionID, client: in.Client, now: now,
	}, user)
	if err != nil {
		return nil, f.returnProof(ctx, p, err)
	}
	var grant *auth.Grant
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useProof(ctx, tx, p); err != nil {
			return err
		}
		if err := tx.KeepSession(ctx, in.Actor); err != nil {
			return err
		}
		grant, err = f.open(ctx, tx, o)
		return err
	})
	if errors.Is(err, store.ErrChanged) || auth.CodeOf(err) == auth.InvalidCredentials {
		return nil, fmt.Errorf("%w: the session or the user is gone: %w", auth.Unauthorized, err)
	}
	return grant, err
}
