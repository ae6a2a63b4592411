package flow

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"postern/auth"
	"postern/store"
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

// totpFactors are authenticator apps.
type totpFactors struct{ *Kit }

func (k totpFactors) mayEnrol() bool { return k.Policy.MFA }

func (k totpFactors) begin(context.Context, challenging) (begun, error) { return begun{}, nil }

func (k totpFactors) check(ctx context.Context, t typed) (proof, error) {
	switch {
	case !t.user.HasFactorOf(auth.TOTPFactor):
		return proof{}, fmt.Errorf("%w: user %s", auth.FactorNotActive, t.user.ID)
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
	if err := triedOut(k.Store.Spend(ctx, factorBudget(t.user.ID), t.ticketID, t.now)); err != nil {
		return proof{}, err
	}
	step, ok := totp.Check(secret, t.code, t.now)
	switch {
	case !ok:
		return proof{}, fmt.Errorf("%w: wrong code of user %s", auth.InvalidTOTP, t.user.ID)
	case step <= factor.LastStep:
		return proof{}, fmt.Errorf("%w: user %s has used the code, or a later one", auth.InvalidTOTP, t.user.ID)
	}
	var sealed []byte // the secret that Hasura Auth kept, sealed by us from now on
	if len(factor.Sealed) == 0 && !k.HandBack {
		if sealed, err = k.Keys.Seal(factorSeal(t.user.ID), []byte(secret.Base32())); err != nil {
			return proof{}, fmt.Errorf("flow: %w", err)
		}
	}
	if t.factorID = factor.ID; t.factorID == "" {
		t.factorID = t.user.ID // as which it was told of, see auth.Details
	}
	factor.ID = t.factorID
	return proof{typed: t, method: auth.ByTOTP, budget: factorBudget(t.user.ID), use: func(ctx context.Context, tx *store.DB) error {
		return tx.AcceptStep(ctx, t.user.ID, factor, step, sealed, t.now)
	}}, nil
}

func (k totpFactors) confirm(ctx context.Context, t typed, factor auth.Factor) (proof, error) {
	first, err := k.firstCode(ctx, t.user, t.code, t.now)
	if err == nil && first.factor.ID != factor.ID {
		err = fmt.Errorf("%w: user %s has enrolled another meanwhile", auth.NoFactorSecret, t.user.ID)
	}
	return proof{typed: t, method: auth.ByTOTP, use: func(ctx context.Context, tx *store.DB) error {
		return k.turnFactorOn(ctx, tx, t, first.activation(false))
	}}, err
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
