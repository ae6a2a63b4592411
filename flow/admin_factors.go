package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// FactorReset is an operator who helps a user that lost what they prove themselves with.
type FactorReset struct {
	UserID   string
	Passkeys bool // these as well
	Lockout  bool // though nothing may be left to sign in by
}

// ResetFactors takes the second factors of a user away, the recovery codes with it and, if asked, all
// passkeys. The operator learns no secret and chooses none. All sessions of the user end: none may go on with
// what those had proved. The user is told by mail.
func (f *Admin) ResetFactors(ctx context.Context, by Operator, in FactorReset) (store.Withdrawn, error) {
	var gone store.Withdrawn
	err := f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: in.Lockout || !in.Passkeys, reaches: true, absent: auth.FactorNotActive,
		take: func(tx *store.DB, _ auth.User) (event string, detail map[string]any, err error) {
			gone, err = tx.WithdrawFactors(ctx, in.UserID, in.Passkeys)
			return "factor.reset", withdrawnDetail(gone), err
		},
		tells: func(u auth.User) []notice {
			all := withdrawnNotices(u, gone, by.Client)
			if gone.Passkeys > 0 {
				all = append(all, notice{template: "passkey-removed", to: u.Email, user: u, client: by.Client, detail: map[string]string{"factorType": "webauthn"}})
			}
			return all
		},
	})
	return gone, err
}

func withdrawnDetail(gone store.Withdrawn) map[string]any {
	return map[string]any{
		"totp": gone.TOTP, "phone": gone.Phone, "securityKeys": gone.WebAuthn, "recoveryCodes": gone.RecoveryCodes, "passkeys": gone.Passkeys, "sessions": gone.Sessions,
	}
}

// withdrawnNotices tell a user which second factors were taken off them, one mail for each kind.
func withdrawnNotices(u auth.User, gone store.Withdrawn, c auth.Client) (all []notice) {
	if gone.TOTP {
		all = append(all, factorOffNotice(u, auth.TOTPFactor, c))
	}
	if gone.Phone {
		all = append(all, factorOffNotice(u, auth.PhoneFactor, c))
	}
	if gone.WebAuthn > 0 {
		all = append(all, factorOffNotice(u, auth.WebAuthnFactor, c))
	}
	return all
}

// Removal is an operator who takes one thing off a user.
type Removal struct {
	UserID  string
	ID      string // of the passkey, token or identity
	Lockout bool   // though nothing may be left to sign in by
}

// RemovePasskey takes a passkey off a user and ends all their sessions. The user is told by mail.
func (f *Admin) RemovePasskey(ctx context.Context, by Operator, in Removal) error {
	return f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: in.Lockout, reaches: true, absent: auth.NotFound,
		take: func(tx *store.DB, _ auth.User) (string, map[string]any, error) {
			return "passkey.removed", map[string]any{"passkeyId": in.ID}, tx.WithdrawPasskey(ctx, in.UserID, in.ID)
		},
		tells: func(u auth.User) []notice {
			return []notice{{template: "passkey-removed", to: u.Email, user: u, client: by.Client, detail: map[string]string{"factorType": "webauthn"}}}
		},
	})
}

// UnlinkIdentity takes an identity off a user and ends all their sessions. The user is told by mail.
func (f *Admin) UnlinkIdentity(ctx context.Context, by Operator, in Removal) error {
	provider := ""
	return f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: in.Lockout, reaches: true, absent: auth.NotFound,
		take: func(tx *store.DB, u auth.User) (string, map[string]any, error) {
			of := f.Kit
			of.Store = tx
			var err error
			if provider, err = of.providerOf(ctx, u, in.ID); err != nil {
				return "", nil, err
			}
			return "identity.unlinked", map[string]any{"identityId": in.ID}, tx.WithdrawIdentity(ctx, in.UserID, in.ID)
		},
		tells: func(u auth.User) []notice {
			return []notice{{template: "identity-unlinked", to: u.Email, user: u, client: by.Client, detail: map[string]string{"provider": provider}}}
		},
	})
}

// RevokePAT takes a personal access token off a user and ends the sessions that it opened.
func (f *Admin) RevokePAT(ctx context.Context, by Operator, in Removal) error {
	return f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: true, absent: auth.NotFound, // a token is no way in for a person
		take: func(tx *store.DB, _ auth.User) (string, map[string]any, error) {
			return "pat.revoked", map[string]any{"patId": in.ID}, tx.WithdrawPAT(ctx, in.UserID, in.ID)
		},
		tells: func(auth.User) []notice { return nil },
	})
}

// withdrawal is what an operator takes off a user.
type withdrawal struct {
	userID  string
	lockout bool      // nobody asks what is left to sign in by
	reaches bool      // it is a way in, which not every operator takes from everybody
	absent  auth.Code // of a user who has nothing of the kind
	take    func(tx *store.DB, u auth.User) (event string, detail map[string]any, err error)
	tells   func(u auth.User) []notice
}

// withdraw takes something off a user, with one entry and the notices, or changes nothing.
func (f *Admin) withdraw(ctx context.Context, by Operator, w withdrawal) error {
	if err := by.mayChange(); err != nil {
		return err
	}
	user, err := f.User(ctx, by, w.userID)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if w.reaches {
			if err := f.stillReached(ctx, tx, by, w.userID); err != nil {
				return err
			}
		}
		event, detail, err := w.take(tx, user.User)
		if err != nil {
			return err
		}
		if !w.lockout {
			if err := f.stillGetsIn(ctx, tx, w.userID); err != nil {
				return err
			}
		}
		for _, n := range w.tells(user.User) {
			if err := f.notify(ctx, tx, n); err != nil {
				return err
			}
		}
		return tx.Tell(ctx, f.entry(by, event, w.userID, detail))
	})
	switch {
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: user %s", w.absent, w.userID)
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: user %s, or what was to be taken off them", auth.NotFound, w.userID)
	}
	return err
}
