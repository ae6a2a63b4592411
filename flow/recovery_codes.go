package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// recoveryCodes is how many a user gets.
const recoveryCodes = 10

// RecoveryCodes is a user who wants new recovery codes.
type RecoveryCodes struct {
	Actor  auth.Actor
	Code   string // of the app; empty when the session has proved the factor just now
	Client auth.Client
}

// RenewRecoveryCodes makes recovery codes in the place of those that were left. It is the only time
// that anybody sees them.
//
// They stand in for the second factor, so the second factor must be proved: another fresh proof, such
// as a code in a mail, would make two factors one.
func (f *Account) RenewRecoveryCodes(ctx context.Context, in RecoveryCodes) ([]string, error) {
	user, err := f.factorMember(ctx, in.Actor)
	if err != nil {
		return nil, err
	}
	if !user.HasFactor() {
		return nil, fmt.Errorf("%w: user %s", auth.FactorNotActive, user.ID)
	}
	now := f.Now()
	var p proof
	switch {
	case in.Code == "":
		err = f.provedLately(ctx, in.Actor)
	case tokens.IsRecoveryCode(in.Code):
		err = fmt.Errorf("%w: a recovery code makes no others", auth.InvalidTOTP)
	default:
		p, err = f.prove(ctx, typed{user: user, kind: auth.TOTPFactor, code: in.Code, client: in.Client, now: now})
	}
	if err != nil {
		return nil, err
	}
	codes, ids, hashes := make([]string, recoveryCodes), make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		codes[i], ids[i] = tokens.NewRecoveryCode(), tokens.NewUUID()
		hashes[i] = tokens.HashSecret(codes[i])
	}
	e := f.entry("recovery_codes.renewed", user.ID, in.Client, now)
	e.SessionID = in.Actor.SessionID
	err = f.inTx(ctx, func(tx *store.DB) error {
		if in.Code != "" {
			if err := f.useProof(ctx, tx, p); err != nil {
				return err
			}
		}
		if err := tx.RenewRecoveryCodes(ctx, user.ID, ids, hashes, e); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{template: "recovery-codes-renewed", to: user.Email, user: user, client: in.Client})
	})
	if errors.Is(err, store.ErrChanged) {
		return nil, fmt.Errorf("%w: the session, the user or the factor is gone", auth.Unauthorized)
	}
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// provedLately refuses an actor whose token is not of a fresh proof of a second factor.
func (f *Account) provedLately(ctx context.Context, a auth.Actor) error {
	refusal := fmt.Errorf("%w: user %s", auth.NotElevated, a.UserID)
	if !a.Elevated {
		return refusal
	}
	s, err := f.Store.ProofsOf(ctx, a)
	if errors.Is(err, store.ErrNotFound) {
		return refusal
	}
	if err != nil {
		return err
	}
	if s.AAL < 2 || len(s.AMR) == 0 {
		return refusal
	}
	if by := s.AMR[len(s.AMR)-1].Method; by == "webauthn" || by != auth.ByRecoveryCode && auth.ProvesFactor(by) {
		return nil
	}
	return refusal
}

// RecoveryCodesLeft tells how many recovery codes the user has not used yet.
func (f *Account) RecoveryCodesLeft(ctx context.Context, a auth.Actor) (int, error) {
	user, err := f.factorMember(ctx, a)
	if err != nil {
		return 0, err
	}
	if !user.HasFactor() {
		return 0, nil
	}
	return f.Store.RecoveryCodesLeft(ctx, user.ID)
}
