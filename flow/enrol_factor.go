package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
	"postern/totp"
)

// stagedLife is how long a user may take to confirm a factor with its first code.
const stagedLife = time.Hour

// EnrolTOTP makes a secret for an authenticator app. Nothing is asked of it until its first code has
// confirmed it, and a factor that is active stays active.
func (f *Account) EnrolTOTP(ctx context.Context, a auth.Actor, c auth.Client) (totp.Enrolment, error) {
	if !f.Policy.MFA {
		return totp.Enrolment{}, auth.EndpointDisabled
	}
	user, err := f.memberEnrolling(ctx, a)
	if err != nil {
		return totp.Enrolment{}, err
	}
	enrolment, err := f.TOTP.Enrol(nameOf(user))
	if err != nil {
		return totp.Enrolment{}, err
	}
	sealed, err := f.Keys.Seal(factorSeal(user.ID), []byte(enrolment.Secret.Base32()))
	if err != nil {
		return totp.Enrolment{}, fmt.Errorf("flow: %w", err)
	}
	e := f.entry("factor.staged", user.ID, c, f.Now())
	e.SessionID = a.SessionID
	err = f.inTx(ctx, func(tx *store.DB) error {
		return tx.StageFactor(ctx, store.Factor{ID: tokens.NewUUID(), Sealed: sealed}, e)
	})
	if errors.Is(err, store.ErrChanged) {
		return totp.Enrolment{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return enrolment, err
}

// nameOf is what the app shows beside the issuer.
func nameOf(u auth.User) string {
	for _, name := range []string{u.Email, u.DisplayName} {
		if name != "" {
			return name
		}
	}
	return u.ID
}

// FactorChange turns a second factor on or off.
type FactorChange struct {
	Actor       auth.Actor
	Activate    bool
	Code        string // of the factor that is turned on, or off
	CurrentCode string // of the factor that the new one replaces; empty when there is none
	Client      auth.Client
}

// ChangeFactor turns a second factor on or off, and ends the user's other sessions. Whoever turns one
// off, or replaces it, must prove it.
func (f *Account) ChangeFactor(ctx context.Context, in FactorChange) error {
	user, err := f.factorMember(ctx, in.Actor)
	if err != nil {
		return err
	}
	if in.Activate {
		return f.activateFactor(ctx, in, user, f.Now())
	}
	return f.deactivateFactor(ctx, in, user, f.Now())
}

func (f *Account) activateFactor(ctx context.Context, in FactorChange, user auth.User, now time.Time) error {
	replaces := user.ActiveMFAType == byTOTP && in.CurrentCode != ""
	if user.ActiveMFAType != "" && !replaces {
		return fmt.Errorf("%w: user %s", auth.FactorActive, user.ID)
	}
	pending, err := f.Store.PendingFactor(ctx, user.ID, now.Add(-stagedLife))
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: user %s has enrolled nothing lately", auth.NoFactorSecret, user.ID)
	}
	if err != nil {
		return err
	}
	secret, err := f.factorSecret(user.ID, pending)
	if err != nil {
		return err
	}
	step, ok := totp.Check(secret, in.Code, now) // not counted: whoever asks was given the secret
	if !ok {
		return fmt.Errorf("%w: wrong first code of user %s", auth.InvalidTOTP, user.ID)
	}
	var current proof
	if replaces {
		if current, err = f.prove(ctx, typed{user: user, code: in.CurrentCode, client: in.Client, now: now}); err != nil {
			return err
		}
	}
	shared, err := f.sharedSecret(secret)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	e := f.factorEntry("factor.enabled", in, now)
	e.Detail["replaced"] = replaces
	err = f.inTx(ctx, func(tx *store.DB) error {
		if replaces {
			if err := f.useProof(ctx, tx, current); err != nil {
				return err
			}
		}
		if err := tx.ActivateFactor(ctx, user.ID, store.Activation{PendingID: pending.ID, Step: step, Shared: shared, Replaces: replaces, Entry: e}); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{template: "totp-enabled", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": byTOTP}})
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: user %s enrolled or confirmed another meanwhile", auth.FactorActive, user.ID)
	}
	return err
}

func (f *Account) deactivateFactor(ctx context.Context, in FactorChange, user auth.User, now time.Time) error {
	p, err := f.prove(ctx, typed{user: user, code: in.Code, client: in.Client, now: now})
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useProof(ctx, tx, p); err != nil {
			return err
		}
		if err := tx.DeactivateFactor(ctx, user.ID, f.factorEntry("factor.disabled", in, now)); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{template: "totp-disabled", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": byTOTP}})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

func (f *Account) factorEntry(event string, in FactorChange, now time.Time) store.Entry {
	e := f.entry(event, in.Actor.UserID, in.Client, now)
	e.SessionID, e.Detail = in.Actor.SessionID, map[string]any{"factor": byTOTP}
	return e
}
