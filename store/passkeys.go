package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// passkeyColumns are the columns of an auth.Passkey, for every statement that names the table s.
const passkeyColumns = `
	s.id, s.user_id, s.credential_id, coalesce(s.credential_public_key, '') as public_key, s.counter, coalesce(s.nickname, '') as nickname,
	coalesce(s.added_at, '0001-01-01Z'::timestamptz) as added_at, coalesce(s.used_at, '0001-01-01Z'::timestamptz) as used_at,
	coalesce(s.aaguid::text, '') as aaguid, s.backup_eligible, s.backed_up`

// PasskeysOf lists a user's passkeys, the oldest first.
func (db *DB) PasskeysOf(ctx context.Context, userID string) ([]auth.Passkey, error) {
	return passkeys(ctx, db, passkeysOfUserSQL, userID)
}

// PasskeysByEmail lists the passkeys of whoever has an address. An unknown one has none.
func (db *DB) PasskeysByEmail(ctx context.Context, email string) ([]auth.Passkey, error) {
	return passkeys(ctx, db, passkeysByEmailSQL, email)
}

func passkeys(ctx context.Context, q querier, sql, of string) ([]auth.Passkey, error) {
	rows, err := q.Query(ctx, sql, of)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[auth.Passkey])
}

const (
	passkeysOfUserSQL = `select` + passkeyColumns + ` from auth.user_security_keys s
		where s.user_id = $1 order by s.added_at nulls first, s.id`
	passkeysByEmailSQL = `select` + passkeyColumns + ` from auth.users u join auth.user_security_keys s on s.user_id = u.id
		where u.email = $1::text::public.citext order by s.added_at nulls first, s.id`
)

// PasskeyOwner is a passkey with its user.
type PasskeyOwner struct {
	User auth.User
	Key  auth.Passkey
}

// PasskeyOwner finds a passkey, and whose it is, by the name its authenticator gave it.
func (db *DB) PasskeyOwner(ctx context.Context, credentialID string) (PasskeyOwner, error) {
	row, err := one[struct {
		auth.User
		KeyID, CredentialID string
		PublicKey           []byte
		Counter             int64
		BackupEligible      *bool
	}](ctx, db, passkeyOwnerSQL, credentialID)
	return PasskeyOwner{row.User, auth.Passkey{
		ID: row.KeyID, UserID: row.ID, CredentialID: row.CredentialID, PublicKey: row.PublicKey,
		Counter: row.Counter, BackupEligible: row.BackupEligible,
	}}, err
}

const passkeyOwnerSQL = `select` + userColumns + `, s.id::text as key_id, s.credential_id,
		coalesce(s.credential_public_key, '') as public_key, s.counter, s.backup_eligible
	from auth.user_security_keys s join auth.users u on u.id = s.user_id where s.credential_id = $1`

// AddFirstPasskey writes the passkey of a user whom the same transaction made. A key that is a second factor, whoever's, is
// ErrPasskeyTaken.
func (db *DB) AddFirstPasskey(ctx context.Context, k auth.Passkey) error {
	b := &pgx.Batch{}
	b.Queue(notAFactorSQL, k.CredentialID)
	b.Queue(addPasskeySQL, append(passkeyArguments(k), 1)...)
	counts, err := changed(ctx, db, b)
	switch {
	case err != nil:
		return err
	case counts[0] == 0:
		return ErrPasskeyTaken
	case counts[1] == 0:
		return ErrChanged
	}
	return nil
}

// AddPasskey writes another passkey of a user, unless they have so many already: ErrTooMany. It ends the user's sessions
// but the one it is added from, that of the entry, which must still live: otherwise it is ErrChanged. It must run in a transaction.
func (db *DB) AddPasskey(ctx context.Context, k auth.Passkey, most int, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, k.UserID, e.At)
	b.Queue(keepSessionSQL, k.UserID, nullable(e.SessionID))
	b.Queue(notAFactorSQL, k.CredentialID)
	b.Queue(addPasskeySQL, append(passkeyArguments(k), most)...)
	b.Queue(endOtherSessionsSQL, k.UserID, nullable(e.SessionID))
	queueEntry(b, e)
	return refusing(ctx, db, b, ErrChanged, ErrChanged, ErrPasskeyTaken, ErrTooMany)
}

func passkeyArguments(k auth.Passkey) []any {
	return []any{k.ID, k.UserID, k.CredentialID, k.PublicKey, k.Counter, nullable(k.Nickname), k.AddedAt, nullable(k.AAGUID), k.BackupEligible, k.BackedUp}
}

const (
	holdEnabledUserSQL = `select from auth.users where id = $1 and` + isOpen + `$2) for no key update`
	// A key that is a second factor is no way in.
	notAFactorSQL = `select where not exists (select from auth.factor_keys where credential_id = $1)`
	addPasskeySQL = `insert into auth.user_security_keys
			(id, user_id, credential_id, credential_public_key, counter, nickname, added_at, aaguid, backup_eligible, backed_up)
		select $1::uuid, $2::uuid, $3::text, $4::bytea, $5::bigint, $6::text, $7::timestamptz, $8::uuid, $9::boolean, $10::boolean
		where (select count(*) from auth.user_security_keys where user_id = $2) < $11`
)

// PasskeyUse is what a signature says of the key that made it.
type PasskeyUse struct {
	Key            auth.Passkey
	Counter        int64
	BackupEligible bool
	BackedUp       bool
	At             time.Time
}

// UsePasskey notes that a key has signed. It is ErrChanged when the key is gone, or when another
// signature with this counter or a later one was noted meanwhile. It must run in the transaction of
// what the signature is for.
func (db *DB) UsePasskey(ctx context.Context, u PasskeyUse) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, u.Key.UserID, u.At) // whoever takes a key away holds its user first, too
	b.Queue(usePasskeySQL, u.Key.ID, u.Key.UserID, u.Counter, u.BackupEligible, u.BackedUp, u.At)
	return guardedBatch(ctx, db, b, 2)
}

const usePasskeySQL = `update auth.user_security_keys set counter = $3, used_at = $6, backup_eligible = coalesce(backup_eligible, $4), backed_up = $5
	where id = $1 and user_id = $2 and (counter < $3 or counter = 0 and $3 = 0)`

// RenamePasskey gives a key of the user another name. Somebody else's is ErrNotFound. It must run in a
// transaction.
func (db *DB) RenamePasskey(ctx context.Context, id, nickname string, e Entry) (auth.Passkey, error) {
	k, err := one[auth.Passkey](ctx, db, renamePasskeySQL, id, e.UserID, nullable(nickname))
	if err != nil {
		return k, err
	}
	return k, db.Tell(ctx, e)
}

const renamePasskeySQL = `update auth.user_security_keys s set nickname = $3 where s.id = $1 and s.user_id = $2 returning` + passkeyColumns

// RemovePasskey takes a key of the user away and ends the user's sessions but the one it is removed
// from, which must still live: otherwise, and when the key is somebody else's, it is ErrChanged. A
// user who has no second factor left has no session that claims one. It must run in a transaction.
func (db *DB) RemovePasskey(ctx context.Context, id, keep string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, e.UserID, e.At)
	b.Queue(keepSessionSQL, e.UserID, nullable(keep))
	b.Queue(removePasskeySQL, id, e.UserID)
	b.Queue(endOtherSessionsSQL, e.UserID, nullable(keep))
	b.Queue(lowerSessionsSQL, e.UserID)
	b.Queue(dropFactorTicketsSQL, e.UserID) // the first factor may have been this key
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 3)
}

const (
	removePasskeySQL = `delete from auth.user_security_keys where id = $1 and user_id = $2`
	lowerSessionsSQL = `update auth.refresh_tokens t set aal = 1 from auth.users u
		where t.user_id = $1 and t.aal > 1 and u.id = t.user_id and not` + hasFactor + `
		and not exists (select from auth.user_security_keys s where s.user_id = u.id)`
)
