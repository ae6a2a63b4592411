package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// ListPasskeys lists the passkeys of a signed-in user, the oldest first. It works also while nobody can
// sign in by them.
func (f *Account) ListPasskeys(ctx context.Context, a auth.Actor) ([]auth.Passkey, error) {
	user, err := f.viewer(ctx, a)
	if err == nil {
		err = f.Policy.gateMember(user, f.Now())
	}
	if err != nil {
		return nil, err
	}
	return f.Store.PasskeysOf(ctx, user.ID)
}

// PasskeyChange names a key of the actor.
type PasskeyChange struct {
	Actor    auth.Actor
	ID       string
	Nickname string // the new name; not used when the key goes
	Client   auth.Client
}

// RenamePasskey gives a key of the user another name. Whoever has a second factor must have proved it in the session.
func (f *Account) RenamePasskey(ctx context.Context, in PasskeyChange) (auth.Passkey, error) {
	user, err := f.proven(ctx, in.Actor)
	if err == nil {
		err = f.Policy.gateMember(user, f.Now())
	}
	if err != nil {
		return auth.Passkey{}, err
	}
	var renamed auth.Passkey
	err = f.inTx(ctx, func(tx *store.DB) error {
		renamed, err = tx.RenamePasskey(ctx, in.ID, in.Nickname, f.passkeyEntry("passkey.renamed", in))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: user %s has no such key", auth.NotFound, user.ID)
	}
	return renamed, err
}

// RemovePasskey takes a key of the user away, unless nothing would be left to sign in by, and ends
// the user's other sessions. The user is told by mail.
func (f *Account) RemovePasskey(ctx context.Context, in PasskeyChange) error {
	user, err := f.memberOfBoth(ctx, in.Actor, f.member)
	if err != nil {
		return err
	}
	keys, err := f.Store.PasskeysOf(ctx, user.ID)
	if err != nil {
		return err
	}
	known := false
	for _, key := range keys {
		known = known || key.ID == in.ID
	}
	if !known {
		return fmt.Errorf("%w: user %s has no such key", auth.NotFound, user.ID)
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.RemovePasskey(ctx, in.ID, in.Actor.SessionID, f.passkeyEntry("passkey.removed", in)); err != nil {
			return err
		}
		if err := f.stillGetsIn(ctx, tx, user.ID); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{template: "passkey-removed", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": "webauthn"}})
	})
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: the session, the user or the key is gone", auth.Unauthorized)
	}
	return err
}

// passkeyEntry begins a journal entry about a key.
func (f *Account) passkeyEntry(event string, in PasskeyChange) store.Entry {
	e := f.entry(event, in.Actor.UserID, in.Client, f.Now())
	e.SessionID, e.Detail = in.Actor.SessionID, map[string]any{"passkeyId": in.ID}
	return e
}
