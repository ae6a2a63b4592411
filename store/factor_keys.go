package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// ErrNameTaken says that a factor of the user has the name already, so nothing was written.
var ErrNameTaken = errors.New("store: the name is taken")

// FactorKeysOf lists the keys of a user's factors, the oldest first. The ID of each is that of its factor.
func (db *DB) FactorKeysOf(ctx context.Context, userID string) ([]auth.Passkey, error) {
	rows, err := db.Query(ctx, factorKeysOfSQL, userID)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[auth.Passkey])
}

const factorKeysOfSQL = `select k.factor_id as id, f.user_id, k.credential_id, k.public_key, k.counter, coalesce(f.name, '') as nickname, f.created_at as added_at,
		coalesce(k.used_at, '0001-01-01Z'::timestamptz) as used_at, coalesce(k.aaguid::text, '') as aaguid, k.backup_eligible, k.backed_up
	from auth.factors f join auth.factor_keys k on k.factor_id = f.id
	where f.user_id = $1 and f.kind = 'webauthn' and f.status = 'active' order by f.created_at, f.id`

// StagedKey is a key that is about to be a factor.
type StagedKey struct {
	ID    string
	Name  string    // may be empty
	Most  int       // factors that a user may have
	Since time.Time // factors that were begun before and never confirmed are forgotten
}

// StageKey writes a factor for a key that is yet to be made, beside all others of the user. Where they have as many as they may, it is
// ErrTooMany, and where one of them has the name, ErrNameTaken. It must run in a transaction.
func (db *DB) StageKey(ctx context.Context, k StagedKey, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, e.UserID, e.At)
	b.Queue(keepSessionSQL, e.UserID, nullable(e.SessionID))
	b.Queue(dropStaleKeysSQL, e.UserID, k.Since)
	b.Queue(hasNoFactorNamedSQL, e.UserID, nullable(k.Name))
	b.Queue(stageKeySQL, k.ID, e.UserID, nullable(k.Name), e.At, k.Most)
	queueEntry(b, e)
	return refusing(ctx, db, b, ErrChanged, ErrChanged, nil, ErrNameTaken, ErrTooMany)
}

const (
	dropStaleKeysSQL    = `delete from auth.factors where user_id = $1 and kind = 'webauthn' and status = 'pending' and created_at < $2`
	hasNoFactorNamedSQL = `select from auth.users u where u.id = $1 and not exists (select from auth.factors f where f.user_id = u.id and f.name = $2::text)`
	stageKeySQL         = `insert into auth.factors (id, user_id, kind, status, name, created_at)
		select $1::uuid, $2::uuid, 'webauthn', 'pending', $3::text, $4::timestamptz where (select count(*) from auth.factors where user_id = $2) < $5`
)

// AddFactorKey writes the key of a factor that the same transaction has turned on. One that an authenticator has for another factor, or as
// a passkey, is ErrPasskeyTaken, whoever's that is: whoever holds it would hold both.
func (db *DB) AddFactorKey(ctx context.Context, k auth.Passkey) error {
	err := db.guarded(ctx, addFactorKeySQL, k.ID, k.CredentialID, k.PublicKey, k.Counter, nullable(k.AAGUID), k.BackupEligible, k.BackedUp)
	if errors.Is(err, ErrChanged) {
		return ErrPasskeyTaken
	}
	return err
}

const addFactorKeySQL = `insert into auth.factor_keys (factor_id, credential_id, public_key, counter, aaguid, backup_eligible, backed_up)
	select $1::uuid, $2::text, $3::bytea, $4::bigint, $5::uuid, $6::boolean, $7::boolean
	where not exists (select from auth.user_security_keys s where s.credential_id = $2)`

// UseFactorKey notes that the key of a factor has signed. It is ErrChanged when the factor is gone, or when another signature with this
// counter or a later one was noted meanwhile. It must run in the transaction of what the signature is for, as its first statement.
func (db *DB) UseFactorKey(ctx context.Context, u PasskeyUse) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, u.Key.UserID, u.At)
	b.Queue(useFactorKeySQL, u.Key.ID, u.Key.UserID, u.Counter, u.BackedUp, u.At)
	return guardedBatch(ctx, db, b, 2)
}

const useFactorKeySQL = `update auth.factor_keys k set counter = $3, backed_up = $4, used_at = $5
	from auth.factors f where k.factor_id = $1 and f.id = k.factor_id and f.user_id = $2 and f.status = 'active' and (k.counter < $3 or k.counter = 0 and $3 = 0)`
