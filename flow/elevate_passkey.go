package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// BeginElevationByPasskey asks a signed-in user for a signature of one of their keys.
func (f *Account) BeginElevationByPasskey(ctx context.Context, a auth.Actor) (PasskeyRequest, error) {
	if err := f.passkeysOn(); err != nil {
		return PasskeyRequest{}, err
	}
	user, err := f.passkeyMember(ctx, a)
	if err != nil {
		return PasskeyRequest{}, err
	}
	keys, err := f.Store.PasskeysOf(ctx, user.ID)
	if err != nil {
		return PasskeyRequest{}, err
	}
	if len(keys) == 0 {
		return PasskeyRequest{}, fmt.Errorf("%w: user %s", auth.NoPasskey, user.ID)
	}
	challenge, err := f.newChallenge(ctx, auth.PasskeyElevate, passkeyChallenge{UserID: user.ID}, f.Now())
	return PasskeyRequest{RP: f.Passkeys, PasskeyChallenge: challenge, Allow: credentialIDs(keys)}, err
}

// passkeyMember is an actor who is not a guest.
func (f *Account) passkeyMember(ctx context.Context, a auth.Actor) (auth.User, error) {
	user, err := f.actor(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	return user, f.Policy.gateMember(user, f.Now())
}

// ElevateByPasskey opens another session of the user, whose access token says that the proof is
// fresh. The session it is asked from goes on, and what it proved counts in the new one. Where all of it
// is one factor, and the user has a second, that is asked for as at any sign-in.
func (f *Account) ElevateByPasskey(ctx context.Context, a auth.Actor, in PasskeyAnswer) (admission auth.Admission, err error) {
	if err := f.passkeysOn(); err != nil {
		return admission, err
	}
	user, err := f.passkeyMember(ctx, a)
	if err != nil {
		return admission, err
	}
	p, err := f.provePasskey(ctx, auth.PasskeyElevate, in)
	if err != nil {
		return admission, err
	}
	if p.user.ID != user.ID {
		return admission, fmt.Errorf("%w: the key is of user %s, who asks is %s", auth.InvalidPasskey, p.user.ID, user.ID)
	}
	before, err := f.Store.ProofsOf(ctx, a)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return admission, err
	}
	o, err := f.ask(ctx, opening{
		user: p.user, method: "webauthn", after: before.AMR, aal: max(before.AAL, passkeyLevel(p.proof.UserVerified)),
		elevated: true, beside: a.SessionID, client: in.Client, now: p.now,
	}, p.user)
	if err != nil {
		return admission, err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.usePasskey(ctx, tx, p); err != nil {
			return err
		}
		if err := tx.KeepSession(ctx, a); err != nil {
			return err
		}
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	if errors.Is(err, store.ErrChanged) {
		return admission, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return admission, err
}
