package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Withdrawn is what somebody took off an account who is not its user.
type Withdrawn struct {
	TOTP          bool
	Phone         bool
	WebAuthn      int
	RecoveryCodes int
	Passkeys      int
	Sessions      int
}

// WithdrawFactors turns the second factors of a user off, whoever proved them, with the recovery codes and what
// was begun to be set up; with passkeys, those as well. All sessions end: none is to claim what is gone. A
// user who has nothing of it is ErrChanged, nobody ErrNotFound. It must run in a transaction.
func (db *DB) WithdrawFactors(ctx context.Context, userID string, withPasskeys bool) (Withdrawn, error) {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	b.Queue(withdrawFactorSQL, userID)
	b.Queue(dropFactorsOfSQL, userID, auth.TOTPFactor)
	b.Queue(dropFactorsOfSQL, userID, auth.PhoneFactor)
	b.Queue(dropFactorsOfSQL, userID, auth.WebAuthnFactor)
	b.Queue(dropRecoveryCodesSQL, userID)
	b.Queue(endOtherSessionsSQL, userID, nil)
	b.Queue(dropFactorTicketsSQL, userID)
	if withPasskeys {
		b.Queue(dropPasskeysSQL, userID)
		b.Queue(dropPasskeyTicketsSQL, userID)
	}
	counts, err := changed(ctx, db, b)
	if err != nil {
		return Withdrawn{}, err
	}
	w := Withdrawn{TOTP: counts[1]+counts[2] > 0, Phone: counts[3] > 0, WebAuthn: int(counts[4]), RecoveryCodes: int(counts[5]), Sessions: int(counts[6])}
	if withPasskeys {
		w.Passkeys = int(counts[8])
	}
	switch {
	case counts[0] == 0:
		return w, ErrNotFound
	case !w.TOTP && !w.Phone && w.WebAuthn == 0 && w.RecoveryCodes == 0 && w.Passkeys == 0:
		return w, ErrChanged
	}
	return w, nil
}

// WithdrawFactor turns one second factor of a user off, or forgets one that was begun to be enrolled; the recovery codes go with the
// last. All sessions end. One that is not theirs is ErrNotFound. It must run in a transaction.
func (db *DB) WithdrawFactor(ctx context.Context, userID string, f auth.Factor) (Withdrawn, error) {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	if f.ConfirmedAt.IsZero() {
		b.Queue(dropPendingFactorSQL, f.ID, userID)
	} else {
		queueDrop(b, userID, f)
	}
	found := b.Len()
	b.Queue(dropStrayCodesSQL, userID)
	b.Queue(endOtherSessionsSQL, userID, nil)
	b.Queue(dropFactorTicketsSQL, userID)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return Withdrawn{}, err
	}
	if counts[1] == 0 {
		return Withdrawn{}, ErrNotFound
	}
	w := Withdrawn{TOTP: f.Kind == auth.TOTPFactor, Phone: f.Kind == auth.PhoneFactor, RecoveryCodes: int(counts[found]), Sessions: int(counts[found+1])}
	if f.Kind == auth.WebAuthnFactor {
		w.WebAuthn = 1
	}
	return w, nil
}

// FactorChange is what an operator changes of a second factor.
type FactorChange struct {
	ID     string
	Name   string // empty to keep it
	Number string // the same
}

// ChangeFactor gives a factor of a user a name or a number. With another number all sessions end, and what was sent to the old one proves
// nothing. One that is not theirs is ErrNotFound, and another factor may have the name: ErrNameTaken. It must run in a transaction.
func (db *DB) ChangeFactor(ctx context.Context, userID string, c FactorChange) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	b.Queue(holdOneFactorSQL, userID, c.ID)
	b.Queue(changeFactorSQL, userID, c.ID, nullable(c.Name), nullable(c.Number))
	if c.Number != "" {
		b.Queue(endOtherSessionsSQL, userID, nil)
		b.Queue(dropFactorTicketsSQL, userID)
	}
	counts, err := changed(ctx, db, b)
	switch {
	case err != nil:
		return err
	case counts[1] == 0:
		return ErrNotFound
	case counts[2] == 0:
		return ErrNameTaken
	}
	return nil
}

const (
	holdOneFactorSQL = `select from auth.factors where user_id = $1 and id = $2 for no key update`
	changeFactorSQL  = `update auth.factors f set name = coalesce($3::text, f.name), phone_number = coalesce($4::text, f.phone_number) where user_id = $1 and id = $2
		and not exists (select from auth.factors o where o.user_id = f.user_id and o.name = $3::text and o.id <> f.id)`
)

const (
	withdrawFactorSQL     = `update auth.users set active_mfa_type = null, totp_secret = null where id = $1 and (active_mfa_type is not null or totp_secret is not null)`
	dropPasskeyTicketsSQL = `delete from auth.tickets where user_id = $1 and purpose in ('passkey-signup', 'passkey-signin', 'passkey-add', 'passkey-elevate')`
)

// WithdrawPasskey takes a passkey off a user and ends all their sessions. One that is not theirs is
// ErrNotFound. It must run in a transaction.
func (db *DB) WithdrawPasskey(ctx context.Context, userID, id string) error {
	return withdraw(ctx, db, userID, func(b *pgx.Batch) {
		b.Queue(removePasskeySQL, id, userID)
		b.Queue(endOtherSessionsSQL, userID, nil)
		b.Queue(dropFactorTicketsSQL, userID)
	})
}

// WithdrawIdentity takes an identity off a user, ends all their sessions and drops their one-time secrets:
// any of them may have come through it. One that is not theirs is ErrNotFound. It must run in a transaction.
func (db *DB) WithdrawIdentity(ctx context.Context, userID, id string) error {
	return withdraw(ctx, db, userID, func(b *pgx.Batch) {
		b.Queue(removeIdentitySQL, id, userID)
		b.Queue(endOtherSessionsSQL, userID, nil)
		b.Queue(dropTicketsSQL, userID)
	})
}

// WithdrawPAT takes a personal access token off a user and ends the sessions that it opened. One that is not
// theirs is ErrNotFound. It must run in a transaction.
func (db *DB) WithdrawPAT(ctx context.Context, userID, id string) error {
	if _, err := db.Exec(ctx, holdOwnSQL, id, userID); err != nil { // what it opened until now must be seen
		return refusal(err)
	}
	return withdraw(ctx, db, userID, func(b *pgx.Batch) {
		b.Queue(withdrawPATSQL, id, userID)
		b.Queue(endSessionsOfPATSQL, id, userID)
	})
}

const (
	withdrawPATSQL      = `delete from auth.refresh_tokens where id = $1 and user_id = $2 and type = 'pat'`
	endSessionsOfPATSQL = `delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens
		where user_id = $2 and factor_id = $1 and type in ('regular', 'oauth') order by id for update)`
)

// withdraw runs what takes something off a user, the first of whose statements must find it.
func withdraw(ctx context.Context, db *DB, userID string, queue func(b *pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	queue(b)
	counts, err := changed(ctx, db, b)
	if err == nil && counts[1] == 0 {
		err = ErrNotFound
	}
	return err
}
