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

// TOTPEnrolment is a user who wants an authenticator app to be a second factor.
type TOTPEnrolment struct {
	Actor    auth.Actor
	Name     string // of the factor; may be empty
	Issuer   string // as the app shows it; empty for the operator's
	Replaces bool   // whoever has an active factor may enrol another, which takes its place once that is proved
	Client   auth.Client
}

// EnrolledTOTP is what the user's app is given.
type EnrolledTOTP struct {
	totp.Enrolment
	FactorID string
}

// EnrolTOTP makes a secret for an authenticator app. Nothing is asked of it until its first code has
// confirmed it, and a factor that is active stays active.
func (f *Account) EnrolTOTP(ctx context.Context, in TOTPEnrolment) (EnrolledTOTP, error) {
	none := EnrolledTOTP{}
	user, err := f.mayEnrolTOTP(ctx, in)
	if err != nil {
		return none, err
	}
	settings := f.TOTP
	if in.Issuer != "" {
		settings.Issuer = in.Issuer
		if problem := settings.Problem(); problem != "" {
			return none, auth.Invalid{Field: "issuer", Problem: problem}
		}
	}
	enrolment, err := settings.Enrol(nameOf(user))
	if err != nil {
		return none, err
	}
	sealed, err := f.Keys.Seal(factorSeal(user.ID), []byte(enrolment.Secret.Base32()))
	if err != nil {
		return none, fmt.Errorf("flow: %w", err)
	}
	e := f.entry("factor.staged", user.ID, in.Client, f.Now())
	e.SessionID = in.Actor.SessionID
	id := tokens.NewUUID()
	return EnrolledTOTP{enrolment, id}, f.stage(ctx, user.ID, func(tx *store.DB) error {
		return tx.StageFactor(ctx, store.Factor{ID: id, Kind: auth.TOTPFactor, Name: in.Name, Sealed: sealed}, e)
	})
}

// stage has a factor written that proves nothing yet.
func (f *Account) stage(ctx context.Context, userID string, write func(tx *store.DB) error) error {
	err := f.inTx(ctx, write)
	switch {
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	case errors.Is(err, store.ErrNameTaken):
		return fmt.Errorf("%w: user %s", auth.FactorNameTaken, userID)
	case errors.Is(err, store.ErrTooMany):
		return TooManyFactors{mostFactors}
	}
	return err
}

func (f *Account) mayEnrolTOTP(ctx context.Context, in TOTPEnrolment) (auth.User, error) {
	if !f.Policy.MFA {
		return auth.User{}, auth.EndpointDisabled
	}
	user, err := f.memberEnrolling(ctx, in.Actor)
	if err != nil || in.Replaces && user.HasFactorOf(auth.TOTPFactor) {
		return user, err
	}
	if err = f.ofBoth(ctx, in.Actor, user); err == nil && user.ActiveMFAType != "" {
		err = fmt.Errorf("%w: user %s", auth.FactorActive, user.ID)
	}
	return user, err
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
	if in.Activate && !f.Policy.MFA {
		return auth.EndpointDisabled
	}
	if in.Activate {
		return f.activateFactor(ctx, in, user, f.Now())
	}
	return f.deactivateFactor(ctx, in, user, f.Now())
}

func (f *Account) activateFactor(ctx context.Context, in FactorChange, user auth.User, now time.Time) error {
	replaces := user.HasFactorOf(auth.TOTPFactor) && in.CurrentCode != ""
	if user.ActiveMFAType != "" && !replaces {
		return fmt.Errorf("%w: user %s", auth.FactorActive, user.ID)
	}
	if !replaces { // or a session of one factor could make itself the other
		if err := f.ofBoth(ctx, in.Actor, user); err != nil {
			return err
		}
	}
	first, err := f.firstCode(ctx, user, in.Code, now)
	if err != nil {
		return err
	}
	var current proof
	if replaces {
		if current, err = f.prove(ctx, in.typed(user, in.CurrentCode, now)); err != nil {
			return err
		}
	}
	return f.inTx(ctx, func(tx *store.DB) error {
		if replaces {
			if err := f.useProof(ctx, tx, current); err != nil {
				return err
			}
		}
		return f.turnFactorOn(ctx, tx, in.typed(user, in.Code, now), first.activation(replaces))
	})
}

// typed is a code of an authenticator app.
func (in FactorChange) typed(user auth.User, code string, now time.Time) typed {
	return typed{user: user, kind: auth.TOTPFactor, code: code, session: in.Actor.SessionID, client: in.Client, now: now}
}

// firstCode is a right first code of a factor that was enrolled.
type firstCode struct {
	factor store.Factor
	step   int64
	shared string // the secret as Hasura Auth keeps it, where it may come back
}

func (c firstCode) activation(replaces bool) store.Activation {
	return store.Activation{PendingID: c.factor.ID, Step: c.step, Shared: c.shared, Replaces: replaces}
}

// firstCode looks at the first code of a factor. It is not counted: whoever asks was given the secret.
func (k *Kit) firstCode(ctx context.Context, user auth.User, code string, now time.Time) (firstCode, error) {
	pending, err := k.Store.PendingFactor(ctx, user.ID, now.Add(-stagedLife))
	if errors.Is(err, store.ErrNotFound) {
		return firstCode{}, fmt.Errorf("%w: user %s has enrolled nothing lately", auth.NoFactorSecret, user.ID)
	}
	if err != nil {
		return firstCode{}, err
	}
	secret, err := k.factorSecret(user.ID, pending)
	if err != nil {
		return firstCode{}, err
	}
	step, ok := totp.Check(secret, code, now)
	if !ok {
		return firstCode{factor: pending}, fmt.Errorf("%w: wrong first code of user %s", auth.InvalidTOTP, user.ID)
	}
	shared, err := k.sharedSecret(secret)
	if err != nil {
		return firstCode{}, fmt.Errorf("flow: %w", err)
	}
	return firstCode{pending, step, shared}, nil
}

func (f *Account) deactivateFactor(ctx context.Context, in FactorChange, user auth.User, now time.Time) error {
	if !user.HasFactorOf(auth.TOTPFactor) {
		return fmt.Errorf("%w: user %s", auth.FactorNotActive, user.ID)
	}
	t := in.typed(user, in.Code, now)
	p, err := f.prove(ctx, t)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useProof(ctx, tx, p); err != nil {
			return err
		}
		return f.turnFactorOff(ctx, tx, t, auth.Factor{Kind: auth.TOTPFactor})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}
