package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// NoTokens stands where no tokens of a provider are kept, as Hasura Auth writes it.
const NoTokens = "unset"

// EnsureProviders makes sure that the providers in use are listed, as identities refer to them.
func (db *DB) EnsureProviders(ctx context.Context, names []string) error {
	if _, err := db.Exec(ctx, ensureProvidersSQL, names); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const ensureProvidersSQL = `insert into auth.providers (id) select unnest($1::text[]) on conflict do nothing`

// Arrived is the user whom somebody who comes from a provider turns out to be.
type Arrived struct {
	auth.User
	IdentityID string // empty when the identity is not theirs yet, and only the address is the same
}

// Arrive finds the user who has an identity or, when nobody has it, the one who has the address.
func (db *DB) Arrive(ctx context.Context, provider, providerUserID, email string) (Arrived, error) {
	return one[Arrived](ctx, db, arriveSQL, provider, providerUserID, nullable(email))
}

const arriveSQL = `select` + userColumns + `, coalesce(a.identity_id::text, '') as identity_id
	from (
		select i.user_id, i.id as identity_id from auth.user_providers i where i.provider_id = $1 and i.provider_user_id = $2
		union all
		select o.id, null from auth.users o where o.email = $3::text::public.citext
			and not exists (select from auth.user_providers i where i.provider_id = $1 and i.provider_user_id = $2)
	) a join auth.users u on u.id = a.user_id`

// NewIdentity is an identity about to be linked.
type NewIdentity struct {
	auth.Identity
	UserID  string
	Profile json.RawMessage
	Tokens  string // of the provider, sealed; or NoTokens
	// What must still be true of the user for the identity to be linked:
	ForEmail string // they have this address; empty when it does not matter
	Session  string // this session of theirs has not ended; empty when it does not matter
	Disabled bool   // they are disabled, as the transaction made them; banned or deleted they must never be
}

// AddIdentity links an identity to a user, with the entry that tells of it. When
// the user is another than when they were read, it is ErrChanged. It must run in a transaction.
func (db *DB) AddIdentity(ctx context.Context, i NewIdentity, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, i.UserID)
	b.Queue(addIdentitySQL, i.ID, i.UserID, i.Provider, i.ProviderUserID, i.Tokens, jsonOrNull(i.Profile),
		nullable(i.Email), i.EmailVerified, i.CreatedAt, nullable(i.ForEmail), nullableTime(i.SignedInAt), i.Disabled)
	b.Queue(keepSessionSQL, i.UserID, nullable(i.Session))
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 3)
}

const addIdentitySQL = `insert into auth.user_providers (id, user_id, provider_id, provider_user_id, access_token, profile, email, email_verified, created_at, updated_at, signed_in_at)
	select $1::uuid, u.id, $3::text, $4::text, $5::text, $6::jsonb, $7::text, $8::boolean, $9::timestamptz, $9, $11::timestamptz
	from auth.users u where u.id = $2 and u.disabled = $12 and u.deleted_at is null and (u.banned_until is null or u.banned_until <= $9) and ($10::text is null or u.email = $10::text::public.citext)`

// UseIdentity notes that somebody signs in with an identity, and what the provider said. An identity
// that was unlinked meanwhile is ErrChanged. It must run in a transaction, which then holds the user.
func (db *DB) UseIdentity(ctx context.Context, i NewIdentity) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, i.UserID)
	b.Queue(useIdentitySQL, i.ID, i.UserID, nullableTokens(i.Tokens), jsonOrNull(i.Profile), nullable(i.Email), i.EmailVerified, i.SignedInAt)
	return guardedBatch(ctx, db, b, 2)
}

const useIdentitySQL = `update auth.user_providers set access_token = coalesce($3::text, access_token), refresh_token = case when $3 is null then refresh_token end,
		profile = $4::jsonb, email = $5, email_verified = $6, signed_in_at = $7
	where id = $1 and user_id = $2`

// nullableTokens keeps the tokens that are there when there are no new ones.
func nullableTokens(s string) *string {
	if s == NoTokens {
		return nil
	}
	return nullable(s)
}

// Identities lists what a user has linked, the oldest first.
func (db *DB) Identities(ctx context.Context, userID string) ([]auth.Identity, error) {
	rows, err := db.Query(ctx, identitiesSQL, userID)
	if err != nil {
		return nil, refusal(err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[auth.Identity])
}

const identitiesSQL = `select id, provider_id as provider, provider_user_id, coalesce(email, '') as email, coalesce(email_verified, false) as email_verified,
		coalesce(profile->>'name', '') as display_name, profile, created_at, updated_at, coalesce(signed_in_at, '0001-01-01Z'::timestamptz) as signed_in_at
	from auth.user_providers where user_id = $1 order by created_at, id`

// RemoveIdentity unlinks an identity, ends the user's other sessions and drops their one-time
// secrets, for any of them may have come through it. One that is not theirs is ErrChanged. It must run
// in a transaction.
func (db *DB) RemoveIdentity(ctx context.Context, userID, id, keep string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	b.Queue(removeIdentitySQL, id, userID)
	b.Queue(keepSessionSQL, userID, nullable(keep))
	b.Queue(endOtherSessionsSQL, userID, nullable(keep))
	b.Queue(dropTicketsSQL, userID)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 3)
}

const removeIdentitySQL = `delete from auth.user_providers where id = $1 and user_id = $2`

// TakeTokens gives the sealed tokens that a provider gave with a user's latest sign-in there, and
// forgets them: they are handed out once. There may be none: ErrNotFound. It must run in a
// transaction.
func (db *DB) TakeTokens(ctx context.Context, userID, provider string, e Entry) (identityID, sealed string, err error) {
	taken, err := one[struct{ ID, AccessToken string }](ctx, db, takeTokensSQL, userID, provider)
	if err != nil {
		return "", "", err
	}
	b := &pgx.Batch{}
	queueEntry(b, e)
	_, err = changed(ctx, db, b)
	return taken.ID, taken.AccessToken, err
}

const takeTokensSQL = `with latest as (
		select id, access_token from auth.user_providers
		where user_id = $1 and provider_id = $2 and access_token <> '` + NoTokens + `'
		order by signed_in_at desc nulls last, created_at desc, id limit 1 for update
	), emptied as (
		update auth.user_providers p set access_token = '` + NoTokens + `', refresh_token = null from latest where p.id = latest.id returning p.id
	)
	select latest.id::text as id, latest.access_token from latest join emptied using (id)`

// OwnsIdentity tells whether a user has linked an identity of a provider.
func (db *DB) OwnsIdentity(ctx context.Context, userID, provider string) (owns bool, err error) {
	err = db.QueryRow(ctx, ownsIdentitySQL, userID, provider).Scan(&owns)
	return owns, err
}

const ownsIdentitySQL = `select exists (select from auth.user_providers where user_id = $1 and provider_id = $2)`

// Disown takes an account with an address that nobody has confirmed away from whoever made it, for
// the person who has just proved that the address is theirs: the address is confirmed, and all that
// could let anybody else in is gone. An account that was confirmed or changed meanwhile is ErrChanged.
// It must run in a transaction.
func (db *DB) Disown(ctx context.Context, userID, email string, e Entry) error {
	return db.disown(ctx, disownSQL, userID, email, e)
}

// DisownByPhone is Disown of an account without an address, for whoever has just proved that its number is theirs.
func (db *DB) DisownByPhone(ctx context.Context, userID, number string, e Entry) error {
	return db.disown(ctx, disownByPhoneSQL, userID, number, e)
}

func (db *DB) disown(ctx context.Context, sql, userID, proved string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(sql, userID, proved, e.At)
	b.Queue(dropIdentitiesSQL, userID)
	b.Queue(dropPasskeysSQL, userID)
	b.Queue(dropFactorsSQL, userID)
	b.Queue(dropRecoveryCodesSQL, userID)
	b.Queue(endEverythingSQL, userID)
	b.Queue(dropTicketsSQL, userID)
	b.Queue(dropConsentsSQL, userID) // or who made the account has a client of theirs let in unasked
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

// HasOtherWays tells whether an account has anything, besides its address, that somebody gets in by,
// is in by, or could be. In a transaction it holds the user, so that nobody adds some before it ends.
// One that is gone is ErrChanged.
func (db *DB) HasOtherWays(ctx context.Context, userID string) (bool, error) {
	if _, err := db.Exec(ctx, holdUserSQL, userID); err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	has, err := one[struct{ Has bool }](ctx, db, hasOtherWaysSQL, userID)
	if errors.Is(err, ErrNotFound) {
		err = ErrChanged
	}
	return has.Has, err
}

const hasOtherWaysSQL = `select coalesce(u.password_hash, '') <> '' or u.new_email is not null or u.phone_number is not null
		or` + hasFactor + ` or u.totp_secret is not null
		or exists (select from auth.refresh_tokens where user_id = u.id) or exists (select from auth.user_providers where user_id = u.id)
		or exists (select from auth.user_security_keys where user_id = u.id) or exists (select from auth.factors where user_id = u.id)
		or exists (select from auth.recovery_codes where user_id = u.id) or exists (select from auth.oauth_consents where user_id = u.id) as has
	from auth.users u where u.id = $1`

const (
	disowned = `contested = false, password_hash = null, password_must_change = false, new_email = null,
			totp_secret = null, active_mfa_type = null, ticket = null, ticket_expires_at = $3, otp_hash = null, otp_hash_expires_at = $3,
			otp_method_last_used = null, webauthn_current_challenge = null`
	disownSQL = `update auth.users set email_verified = true, phone_number = null, phone_number_verified = false, ` + disowned + `
		where id = $1 and email = $2::text::public.citext and not email_verified and` + isOpen + `$3)`
	disownByPhoneSQL = `update auth.users set phone_number_verified = true, ` + disowned + `
		where id = $1 and phone_number = $2 and email is null and not phone_number_verified and` + isOpen + `$3)`
	dropIdentitiesSQL    = `delete from auth.user_providers where user_id = $1`
	dropPasskeysSQL      = `delete from auth.user_security_keys where user_id = $1`
	dropFactorsSQL       = `delete from auth.factors where user_id = $1`
	dropRecoveryCodesSQL = `delete from auth.recovery_codes where user_id = $1`
	endEverythingSQL     = `delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens where user_id = $1 order by id for update)`
)
