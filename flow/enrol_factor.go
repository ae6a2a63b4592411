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
	err = f.inTx(ctx, func(tx *store.DB) error {
		return tx.StageFactor(ctx, store.Factor{ID: id, Name: in.Name, Sealed: sealed}, e)
	})
	if errors.Is(err, store.ErrChanged) {
		return none, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return EnrolledTOTP{enrolment, id}, err
}

func (f *Account) mayEnrolTOTP(ctx context.Context, in TOTPEnrolment) (auth.User, error) {
	if !f.Policy.MFA {
		return auth.User{}, auth.EndpointDisabled
	}
	if in.Replaces {
		return f.memberEnrolling(ctx, in.Actor)
	}
	user, err := f.memberOfBoth(ctx, in.Actor, f.memberEnrolling)
	if err == nil && user.ActiveMFAType != "" {
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
	replaces := user.ActiveMFAType == byTOTP && in.CurrentCode != ""
	if user.ActiveMFAType != "" && !replaces {
		return fmt.Errorf("%w: user %s", auth.FactorActive, user.ID)
	}
	first, err := f.firstCode(ctx, user, in.Code, now)
	if err != nil {
		return err
	}
	var current proof
	if replaces {
		if current, err = f.prove(ctx, typed{user: user, code: in.CurrentCode, client: in.Client, now: now}); err != nil {
			return err
		}
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if replaces {
			if err := f.useProof(ctx, tx, current); err != nil {
				return err
			}
		}
		return f.turnFactorOn(ctx, tx, in, user, first, replaces)
	})
	return activated(user, err)
}

// firstCode is a right first code of a factor that was enrolled.
type firstCode struct {
	factor store.Factor
	step   int64
	shared string // the secret as Hasura Auth keeps it, where it may come back
	now    time.Time
}

// firstCode looks at the first code of a factor. It is not counted: whoever asks was given the secret.
func (f *Account) firstCode(ctx context.Context, user auth.User, code string, now time.Time) (firstCode, error) {
	pending, err := f.Store.PendingFactor(ctx, user.ID, now.Add(-stagedLife))
	if errors.Is(err, store.ErrNotFound) {
		return firstCode{}, fmt.Errorf("%w: user %s has enrolled nothing lately", auth.NoFactorSecret, user.ID)
	}
	if err != nil {
		return firstCode{}, err
	}
	secret, err := f.factorSecret(user.ID, pending)
	if err != nil {
		return firstCode{}, err
	}
	step, ok := totp.Check(secret, code, now)
	if !ok {
		return firstCode{factor: pending}, fmt.Errorf("%w: wrong first code of user %s", auth.InvalidTOTP, user.ID)
	}
	shared, err := f.sharedSecret(secret)
	if err != nil {
		return firstCode{}, fmt.Errorf("flow: %w", err)
	}
	return firstCode{pending, step, shared, now}, nil
}

// turnFactorOn turns on the factor whose first code was right.
func (f *Account) turnFactorOn(ctx context.Context, tx *store.DB, in FactorChange, user auth.User, first firstCode, replaces bool) error {
	e := f.factorEntry("factor.enabled", in, first.now)
	e.Detail["replaced"] = replaces
	err := tx.ActivateFactor(ctx, user.ID, store.Activation{PendingID: first.factor.ID, Step: first.step, Shared: first.shared, Replaces: replaces, Entry: e})
	if err != nil {
		return err
	}
	return f.notify(ctx, tx, notice{template: "totp-enabled", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": byTOTP}})
}

// activated says what the end of the transaction means that turned a factor on.
func activated(user auth.User, err error) error {
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
		return f.dropFactor(ctx, tx, in, user, now)
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// dropFactor turns a factor off in the transaction of whatever allows it.
func (f *Account) dropFactor(ctx context.Context, tx *store.DB, in FactorChange, user auth.User, now time.Time) error {
	if err := tx.DeactivateFactor(ctx, user.ID, f.factorEntry("factor.disabled", in, now)); err != nil {
		return err
	}
	return f.notify(ctx, tx, notice{template: "totp-disabled", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": byTOTP}})
}

func (f *Account) factorEntry(event string, in FactorChange, now time.Time) store.Entry {
	e := f.entry(event, in.Actor.UserID, in.Client, now)
	e.SessionID, e.Detail = in.Actor.SessionID, map[string]any{"factor": byTOTP}
	return e
}
