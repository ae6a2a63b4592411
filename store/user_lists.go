package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// The lists here are those of several users, read by one statement: so many rows of each user at most, the
// newest first, by the users' ids. Nothing that opens anything is read.

// ListedSession is a live session as an operator sees it.
type ListedSession struct {
	UserID        string
	ID            string
	CreatedAt     time.Time
	ExpiresAt     time.Time
	LastUsedAt    time.Time
	EndsAt        *time.Time
	AAL           int
	AMR           json.RawMessage
	UserAgent     string
	AddressPrefix string
	ClientID      string // of the OAuth server; empty for the user's own
}

// SessionsOfUsers lists the live sessions.
func (db *DB) SessionsOfUsers(ctx context.Context, userIDs []string, alive Alive, most int) (map[string][]ListedSession, error) {
	return ofUsers(ctx, db, func(s ListedSession) string { return s.UserID }, sessionsOfUsersSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, userIDs, most)
}

const sessionsOfUsersSQL = `select t.* from unnest($4::uuid[]) as u(of) cross join lateral (
		select t.user_id::text as user_id, t.id::text as id, t.created_at, t.expires_at, coalesce(t.rotated_at, t.created_at) as last_used_at, t.ends_at, t.aal::int as aal, t.amr,
			coalesce(t.user_agent, '') as user_agent, coalesce(t.address_prefix, '') as address_prefix,
			coalesce((select o.client_id from auth.oauth_sessions o where o.session_id = t.id), '') as client_id
		from auth.refresh_tokens t where t.user_id = u.of and` + isAnyAlive + ` order by t.created_at desc, t.id desc limit $5) t
	order by t.created_at desc, t.id desc`

// ListedIdentity is a linked identity as an operator sees it.
type ListedIdentity struct {
	UserID         string
	ID             string
	Provider       string
	ProviderUserID string
	Email          string
	EmailVerified  bool
	CreatedAt      time.Time
	SignedInAt     *time.Time
}

// IdentitiesOfUsers lists what the users have linked.
func (db *DB) IdentitiesOfUsers(ctx context.Context, userIDs []string, most int) (map[string][]ListedIdentity, error) {
	return ofUsers(ctx, db, func(i ListedIdentity) string { return i.UserID }, identitiesOfUsersSQL, userIDs, most)
}

const identitiesOfUsersSQL = `select i.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select i.user_id::text as user_id, i.id::text as id, i.provider_id as provider, i.provider_user_id, coalesce(i.email, '') as email,
			coalesce(i.email_verified, false) as email_verified, i.created_at, i.signed_in_at
		from auth.user_providers i where i.user_id = u.of order by i.created_at desc, i.id desc limit $2) i
	order by i.created_at desc, i.id desc`

// ListedFactor is a second factor as an operator sees it.
type ListedFactor struct {
	UserID      string
	ID          string // empty for one that Hasura Auth enrolled and that was not used since
	Kind        string
	Status      string
	Name        string
	CreatedAt   *time.Time
	ConfirmedAt *time.Time
}

// FactorsOfUsers lists the factors that are turned on, as the users' rows say, and those that were begun after
// a time and not confirmed.
func (db *DB) FactorsOfUsers(ctx context.Context, userIDs []string, after time.Time, most int) (map[string][]ListedFactor, error) {
	return ofUsers(ctx, db, func(f ListedFactor) string { return f.UserID }, factorsOfUsersSQL, userIDs, after, most)
}

const factorsOfUsersSQL = `select f.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select o.id::text as user_id, coalesce(f.id::text, '') as id, 'totp' as kind, 'active' as status, coalesce(f.name, '') as name, f.created_at, f.confirmed_at
		from auth.users o left join auth.factors f on f.user_id = o.id and f.kind = 'totp' and f.status = 'active'
		where o.id = u.of and o.active_mfa_type = 'totp'
		union all
		select f.user_id::text, f.id::text, f.kind, f.status, coalesce(f.name, ''), f.created_at, f.confirmed_at
		from auth.factors f where f.user_id = u.of and (f.kind <> 'totp' and f.status = 'active' or f.status = 'pending' and f.created_at > $2)
		order by created_at desc nulls last, id limit $3) f
	order by f.created_at desc nulls last, f.id`

// ListedPasskey is a passkey as an operator sees it.
type ListedPasskey struct {
	UserID         string
	ID             string
	Nickname       string
	AddedAt        *time.Time
	UsedAt         *time.Time
	Transports     string // with commas in between
	AAGUID         string
	BackupEligible *bool
	BackedUp       *bool
}

// PasskeysOfUsers lists the passkeys.
func (db *DB) PasskeysOfUsers(ctx context.Context, userIDs []string, most int) (map[string][]ListedPasskey, error) {
	return ofUsers(ctx, db, func(k ListedPasskey) string { return k.UserID }, passkeysOfUsersSQL, userIDs, most)
}

const passkeysOfUsersSQL = `select s.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select s.user_id::text as user_id, s.id::text as id, coalesce(s.nickname, '') as nickname, s.added_at, s.used_at, s.transports,
			coalesce(s.aaguid::text, '') as aaguid, s.backup_eligible, s.backed_up
		from auth.user_security_keys s where s.user_id = u.of order by s.added_at desc nulls last, s.id desc limit $2) s
	order by s.added_at desc nulls last, s.id desc`

// ListedPAT is a live personal access token as an operator sees it.
type ListedPAT struct {
	UserID     string
	ID         string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt *time.Time
	Metadata   json.RawMessage
}

// PATsOfUsers lists the live personal access tokens.
func (db *DB) PATsOfUsers(ctx context.Context, userIDs []string, now time.Time, most int) (map[string][]ListedPAT, error) {
	return ofUsers(ctx, db, func(p ListedPAT) string { return p.UserID }, patsOfUsersSQL, userIDs, now, most)
}

const patsOfUsersSQL = `select t.* from unnest($1::uuid[]) as u(of) cross join lateral (
		select t.user_id::text as user_id, t.id::text as id, t.created_at, t.expires_at, t.rotated_at as last_used_at, t.metadata
		from auth.refresh_tokens t where t.user_id = u.of and t.type = 'pat' and t.expires_at > $2 order by t.created_at desc, t.id desc limit $3) t
	order by t.created_at desc, t.id desc`

// RecoveryCodesOfUsers counts the recovery codes that each user has not used.
func (db *DB) RecoveryCodesOfUsers(ctx context.Context, userIDs []string) (map[string]int, error) {
	rows, err := db.Query(ctx, recoveryCodesOfUsersSQL, userIDs)
	if err != nil {
		return nil, refusal(err)
	}
	left := make(map[string]int, len(userIDs))
	var id string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error { left[id] = n; return nil })
	return left, err
}

const recoveryCodesOfUsersSQL = `select user_id::text, count(*)::int from auth.recovery_codes where user_id = any($1::uuid[]) and used_at is null group by user_id`

// ofUsers reads rows and sorts them by their users.
func ofUsers[T any](ctx context.Context, db *DB, user func(T) string, sql string, args ...any) (map[string][]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, refusal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	byUser := map[string][]T{}
	for _, row := range list {
		byUser[user(row)] = append(byUser[user(row)], row)
	}
	return byUser, err
}
