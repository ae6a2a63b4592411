package flow

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
	"postern/totp"
)

// How often the code of a second factor may be guessed, whoever guesses and in whichever way it is asked
// for: fifty wrong codes at once, and one more every 32 hours. Of the million codes three are right at
// any moment, so somebody who uses all of it up succeeds with a chance below one in a thousand in a
// year; a test computes it. Right codes do not count, and recovery codes, which nobody guesses, work
// while it is used up.
const (
	factorBurst = 50
	factorEvery = 32 * time.Hour
)

func factorBudget(userID string) store.Budget {
	return store.Budget{Key: "totp:account:" + userID, Burst: factorBurst, Every: factorEvery}
}

// The words in amr for a second factor.
const (
	byTOTP         = "totp"
	byRecoveryCode = "recovery-code"
)

// typed is a second factor as somebody typed it: a code of the app, or a recovery code.
type typed struct {
	user     auth.User
	code     string
	ticketID string // that it is typed for, and that counts the tries; empty when there is none
	factorID string // that it is said to be of; empty when there is only one
	client   auth.Client
	now      time.Time
}

// proof is a second factor that was right when it was looked at. It counts once it is used.
type proof struct {
	typed
	method   string
	factor   store.Factor
	step     int64
	sealed   []byte // the secret that Hasura Auth kept, sealed by us from now on; else nil
	recovery []byte // the hash of a recovery code; nil for a code of the app
}

// prove looks at what was typed, and asks the hooks of second factors. The try is counted before anything
// is compared.
func (k *Kit) prove(ctx context.Context, t typed) (proof, error) {
	p, err := k.compare(ctx, t)
	if err = k.factorChecked(ctx, t, p, err); err != nil {
		return proof{}, err
	}
	return p, nil
}

func (k *Kit) compare(ctx context.Context, t typed) (proof, error) {
	switch {
	case t.user.ActiveMFAType != byTOTP:
		return proof{}, fmt.Errorf("%w: user %s", auth.FactorNotActive, t.user.ID)
	case tokens.IsRecoveryCode(t.code):
		return k.proveByRecoveryCode(ctx, t)
	case !totp.Plausible(t.code):
		return proof{}, fmt.Errorf("%w: not six digits", auth.InvalidTOTP)
	}
	factor, err := k.Store.ActiveFactor(ctx, t.user.ID)
	if errors.Is(err, store.ErrNotFound) {
		return proof{}, fmt.Errorf("%w: user %s", auth.FactorNotActive, t.user.ID)
	}
	if err != nil {
		return proof{}, err
	}
	secret, err := k.factorSecret(t.user.ID, factor)
	if err != nil {
		return proof{}, err
	}
	err = k.Store.Spend(ctx, factorBudget(t.user.ID), t.ticketID, t.now)
	if errors.Is(err, store.ErrChanged) {
		return proof{}, fmt.Errorf("%w: it was tried too often", auth.InvalidTicket)
	}
	if err != nil {
		return proof{}, err
	}
	step, ok := totp.Check(secret, t.code, t.now)
	switch {
	case !ok:
		return proof{}, fmt.Errorf("%w: wrong code of user %s", auth.InvalidTOTP, t.user.ID)
	case step <= factor.LastStep:
		return proof{}, fmt.Errorf("%w: user %s has used the code, or a later one", auth.InvalidTOTP, t.user.ID)
	}
	p := proof{typed: t, method: byTOTP, factor: factor, step: step}
	if len(factor.Sealed) == 0 && !k.HandBack {
		if p.sealed, err = k.Keys.Seal(factorSeal(t.user.ID), []byte(secret.Base32())); err != nil {
			return proof{}, fmt.Errorf("flow: %w", err)
		}
	}
	return p, nil
}

func (k *Kit) proveByRecoveryCode(ctx context.Context, t typed) (proof, error) {
	if t.ticketID != "" {
		err := k.Store.TryTicket(ctx, t.ticketID)
		if errors.Is(err, store.ErrChanged) {
			return proof{}, fmt.Errorf("%w: it was tried too often", auth.InvalidTicket)
		}
		if err != nil {
			return proof{}, err
		}
	}
	hash := tokens.HashSecret(t.code)
	known, err := k.Store.KnowsRecoveryCode(ctx, t.user.ID, hash)
	if err != nil {
		return proof{}, err
	}
	if !known {
		return proof{}, fmt.Errorf("%w: user %s has no such recovery code, or used it", auth.InvalidTOTP, t.user.ID)
	}
	return proof{typed: t, method: byRecoveryCode, recovery: hash}, nil
}

// useProof makes a proof count, in the transaction of what it is for and before all else there. Of many
// who come with the same one, on however many replicas, one succeeds.
func (k *Kit) useProof(ctx context.Context, tx *store.DB, p proof) error {
	var err error
	if p.recovery != nil {
		err = tx.UseRecoveryCode(ctx, p.user.ID, p.recovery, k.entry("recovery_code.used", p.user.ID, p.client, p.now))
		if err == nil {
			err = k.notify(ctx, tx, notice{template: "recovery-code-used", to: p.user.Email, user: p.user, client: p.client})
		}
	} else {
		if p.factor.ID == "" {
			p.factor.ID = p.user.ID // as which it was told of, see auth.Details
		}
		err = tx.AcceptStep(ctx, p.user.ID, p.factor, p.step, p.sealed, p.now)
		if err == nil {
			err = tx.GiveBack(ctx, factorBudget(p.user.ID))
		}
	}
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: user %s used it, or changed the factor, meanwhile", auth.InvalidTOTP, p.user.ID)
	}
	return err
}

// factorSeal is the purpose that a user's secret is sealed for.
func factorSeal(userID string) string { return "totp:" + userID }

// sealedByHasuraAuth is what tells a secret that Hasura Auth encrypted from a plain one, which has
// digits up to seven and capitals.
var sealedByHasuraAuth = regexp.MustCompile(`^([0-9a-f]{2}){29,}$`)

// factorSecret reads the secret of a factor, from wherever it is kept. One that cannot be read proves
// nothing.
func (k *Kit) factorSecret(userID string, f store.Factor) (totp.Secret, error) {
	text := f.Shared
	switch {
	case len(f.Sealed) > 0:
		plain, err := k.Keys.Open(factorSeal(userID), f.Sealed)
		if err != nil {
			return totp.Secret{}, fmt.Errorf("flow: the TOTP secret of user %s: %w", userID, err)
		}
		text = string(plain)
	case f.Shared == "":
		return totp.Secret{}, fmt.Errorf("%w: user %s", auth.NoFactorSecret, userID)
	case sealedByHasuraAuth.MatchString(f.Shared):
		plain, err := k.Keys.OpenShared(f.Shared)
		if err != nil {
			return totp.Secret{}, fmt.Errorf("flow: the TOTP secret of user %s: %w", userID, err)
		}
		text = string(plain)
	}
	secret, err := totp.ParseSecret(text)
	if err != nil {
		return totp.Secret{}, fmt.Errorf("flow: user %s: %w", userID, err)
	}
	return secret, nil
}

// sharedSecret is a secret as auth.users keeps it for a Hasura Auth that may come back; empty when none
// may.
func (k *Kit) sharedSecret(s totp.Secret) (string, error) {
	switch {
	case !k.HandBack:
		return "", nil
	case k.HandBackSealed && k.Keys.CanShare():
		return k.Keys.SealShared([]byte(s.Base32()))
	}
	return s.Base32(), nil
}

// factorMember is an actor who may have a second factor. Who has one goes on having it where nobody may turn one on: it
// is asked for, so it must be possible to prove it, and to turn it off.
func (k *Kit) factorMember(ctx context.Context, a auth.Actor) (auth.User, error) {
	user, err := k.actor(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	if !k.Policy.MFA && user.ActiveMFAType == "" {
		return auth.User{}, auth.EndpointDisabled
	}
	return user, k.Policy.gateMember(user, k.Now())
}
