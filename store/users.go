package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// userColumns are the columns of an auth.User, for every statement that names the table u. What is
// infinite in the database is very late here, or very early: a ban may have been written in SQL.
const userColumns = `
	u.id, u.created_at, u.updated_at, coalesce(u.last_seen, '0001-01-01Z'::timestamptz) as last_seen, u.disabled,
	least(greatest(u.banned_until, '0001-01-01Z'::timestamptz), '9999-12-31Z'::timestamptz) as banned_until,
	case when u.deleted_at is null then '0001-01-01Z'::timestamptz else least(greatest(u.deleted_at, '1970-01-01Z'::timestamptz), '9999-12-31Z'::timestamptz) end as deleted_at,
	u.display_name, u.avatar_url, u.locale, coalesce(u.email::text, '') as email, u.email_verified,
	coalesce(u.new_email::text, '') as new_email, coalesce(u.phone_number, '') as phone_number,
	u.phone_number_verified, u.default_role, u.is_anonymous,
	coalesce(u.active_mfa_type, '') as active_mfa_type, coalesce(u.other_factors, '{}') as other_factors, u.metadata,
	not u.email_verified and exists (select from auth.user_providers i where i.user_id = u.id) as vouched,
	array(select r.role from auth.user_roles r where r.user_id = u.id order by r.created_at, r.role) as roles`

// hasFactor is the condition that a user u has a second factor, of any kind.
const hasFactor = ` (u.active_mfa_type is not null or u.other_factors is not null)`

// isOpen is the condition that nobody has locked a user. What follows it is the time that counts, and a
// closing bracket.
const isOpen = ` not disabled and deleted_at is null and (banned_until is null or banned_until <= `

// Login is a user with what proves them. It never leaves a flow.
type Login struct {
	auth.User
	PasswordHash       string // empty when the user has no password
	PasswordMustChange bool   // it lets nobody in, but to choose another one
}

// Lookup is a look for who signs in by an address, or by a number.
type Lookup struct {
	Email  string
	Phone  string // in the place of the address
	Guards []Guard
	Whole  bool // with what is known of the user beside their row
	Now    time.Time
}

// LookedUp is whom a Lookup found.
type LookedUp struct {
	Login
	Known   bool
	Details *auth.Details // nil unless they were asked for
}

// LookUp finds a user with their password hash and, in the same round trip, reads the
// counters of failed attempts that stand in the way. An unknown address or number is no error.
func (db *DB) LookUp(ctx context.Context, l Lookup) (found LookedUp, err error) {
	b := &pgx.Batch{}
	queueGuards(b, l.Guards, l.Now)
	login, details, by := loginByEmailSQL, detailsOfEmailSQL, l.Email
	if l.Phone != "" {
		login, details, by = loginByPhoneSQL, detailsOfPhoneSQL, l.Phone
	}
	b.Queue(login, by)
	if l.Whole {
		b.Queue(details, by)
	}
	results := db.SendBatch(ctx, b)
	defer func() {
		if e := results.Close(); e != nil && err == nil {
			err = e
		}
	}()
	if err := readGuards(results, l.Guards, l.Now); err != nil {
		return found, err
	}
	rows, err := results.Query()
	if err != nil {
		return found, err
	}
	found.Login, err = collected[Login](rows)
	if errors.Is(err, ErrNotFound) {
		return LookedUp{}, nil
	}
	found.Known = err == nil
	if err == nil && l.Whole {
		var d auth.Details
		d, err = readDetails(results)
		found.Details = &d
	}
	return found, err
}

const (
	loginColumns    = userColumns + `, coalesce(u.password_hash, '') as password_hash, u.password_must_change`
	loginByEmailSQL = `select` + loginColumns + ` from auth.users u where u.email = $1::text::public.citext`
	loginByPhoneSQL = `select` + loginColumns + ` from auth.users u where u.phone_number = $1`
)

// UserByEmail finds a user. The comparison ignores case.
func (db *DB) UserByEmail(ctx context.Context, email string) (auth.User, error) {
	return one[auth.User](ctx, db, userByEmailSQL, email)
}

const userByEmailSQL = `select` + userColumns + ` from auth.users u where u.email = $1::text::public.citext`

// UserOfActor finds the user an access token speaks of, provided that its session, when it names
// one, has not ended.
func (db *DB) UserOfActor(ctx context.Context, a auth.Actor, alive Alive) (auth.User, error) {
	return one[auth.User](ctx, db, userOfActorSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, a.UserID, nullable(a.SessionID))
}

const userOfActorSQL = `select` + userColumns + ` from auth.users u
	where u.id = $4 and ($5::uuid is null or exists (select from auth.refresh_tokens t where t.id = $5 and t.user_id = u.id and` + isAlive + `))`

// NewUser is a user about to be.
type NewUser struct {
	auth.User
	PasswordHash       string
	PasswordMustChange bool // the password lets nobody in, but to choose another one
}

// AddUser writes a user with their roles and the entry that tells of it. It must run in a
// transaction.
func (db *DB) AddUser(ctx context.Context, u NewUser, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(addUserSQL, u.ID, u.CreatedAt, u.Disabled, u.DisplayName, u.AvatarURL, u.Locale,
		nullable(u.Email), u.EmailVerified, nullable(u.PasswordHash), u.DefaultRole, u.IsAnonymous, jsonOrNull(u.Metadata),
		nullable(u.PhoneNumber), u.PhoneNumberVerified, u.PasswordMustChange, nullableTime(u.BannedUntil))
	b.Queue(addRolesSQL, u.ID, u.Roles, u.CreatedAt)
	queueEntry(b, e)
	_, err := changed(ctx, db, b)
	return err
}

const (
	addUserSQL = `insert into auth.users (id, created_at, updated_at, disabled, display_name, avatar_url, locale, email,
			email_verified, password_hash, default_role, is_anonymous, metadata, phone_number, phone_number_verified, password_must_change, banned_until, ticket_expires_at, otp_hash_expires_at)
		values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $2, $2)`
	addRolesSQL = `insert into auth.user_roles (user_id, role, created_at) select $1, unnest($2::text[]), $3`
)

// SetPassword changes the password hash and ends what the old password let in: every session but
// keep (an empty keep ends all), and every one-time secret of the user. It lifts the lockout that
// wrong guesses of the old one caused. It must run in a transaction.
//
// Whoever changes it from a session must still have the session: a change that waited while the
// owner ended it comes too late, and is ErrChanged.
func (db *DB) SetPassword(ctx context.Context, userID, hash, keep, lockoutKey string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(setPasswordSQL, userID, hash, e.At)
	b.Queue(keepSessionSQL, userID, nullable(keep))
	b.Queue(endOtherSessionsSQL, userID, nullable(keep))
	b.Queue(dropTicketsSQL, userID)
	b.Queue(dropCounterSQL, lockoutKey)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const (
	setPasswordSQL = `update auth.users set password_hash = $2, password_must_change = false, ticket = null, ticket_expires_at = $3 where id = $1 and` + isOpen + `$3)`
	// A statement of its own: it begins once the one before has the user's row, and so sees what was
	// committed while that one waited.
	keepSessionSQL = `select from auth.users u where u.id = $1 and ($2::uuid is null or exists (
		select from auth.refresh_tokens t where t.id = $2 and t.user_id = u.id and t.type = 'regular' for key share))`
	endOtherSessionsSQL = `delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens
		where user_id = $1 and type in ('regular', 'oauth') and id is distinct from $2::uuid order by id for update)`
	dropTicketsSQL = `delete from auth.tickets where user_id = $1`
	dropCounterSQL = `delete from auth.security_counters where key = $1`
)

// GivePassword gives a password to a user who has none, and still has the address. Nothing ends by it.
// Of several that come at once, one is written; for the others it is ErrChanged. It must run in a
// transaction.
func (db *DB) GivePassword(ctx context.Context, userID, email, hash string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(givePasswordSQL, userID, email, hash, e.At)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const givePasswordSQL = `update auth.users set password_hash = $3, password_must_change = false
	where id = $1 and email = $2::text::public.citext and` + isOpen + `$4) and coalesce(password_hash, '') = ''`

// AskEmailChange notes the address a user wants to change to. Nothing else changes until the new
// address is confirmed. It must run in a transaction.
func (db *DB) AskEmailChange(ctx context.Context, userID, newEmail string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(askEmailChangeSQL, userID, newEmail, e.At)
	b.Queue(keepSessionSQL, userID, nullable(e.SessionID))
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const askEmailChangeSQL = `update auth.users set new_email = $2 where id = $1 and` + isOpen + `$3)`

// PendingAddress finds the latest change of address that waits for its confirmation, of the user who has an address. Only those count that were asked for in
// a session which is still there.
func (db *DB) PendingAddress(ctx context.Context, email string, now time.Time) (Found, error) {
	return one[Found](ctx, db, pendingAddressSQL, auth.ConfirmEmailChange, email, now)
}

const pendingAddressSQL = `select` + userColumns + `,
		k.id::text as ticket_id, k.purpose as ticket_purpose, '' as parent_id,` + ticketColumns + `
	from auth.users u cross join lateral (select * from auth.tickets t
		where t.user_id = u.id and t.purpose = $1 and t.expires_at > $3 and exists (select from auth.refresh_tokens s where s.id::text = t.payload ->> 'session' and s.user_id = u.id)
		order by t.created_at desc limit 1) k
	where u.email = $2::text::public.citext and coalesce(k.payload ->> 'for', k.email) = u.new_email::text`

// ConfirmEmail marks the user's address as confirmed, if it is still the one that was proved. It
// must run in a transaction.
func (db *DB) ConfirmEmail(ctx context.Context, userID, email string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(confirmEmailSQL, userID, email)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const confirmEmailSQL = `update auth.users set email_verified = true where id = $1 and email = $2::text::public.citext and not contested`

// Contest notes that somebody signed up with the address of a user who has not confirmed it, and is somebody else for all
// anybody knows.
func (db *DB) Contest(ctx context.Context, userID string) error {
	_, err := db.Exec(ctx, contestSQL, userID)
	return refusal(err)
}

const contestSQL = `update auth.users set contested = true where id = $1 and not email_verified`

// ContestUnless is Contest by somebody who asks to be let in without a password, unless the user has none either and says the
// same of themselves.
func (db *DB) ContestUnless(ctx context.Context, userID, displayName string, metadata json.RawMessage) error {
	_, err := db.Exec(ctx, contestUnlessSQL, userID, displayName, jsonOrNull(metadata), auth.AppMetadata)
	return refusal(err)
}

const contestUnlessSQL = `update auth.users set contested = true where id = $1 and not email_verified
	and (coalesce(password_hash, '') <> '' or display_name <> $2
		or case when jsonb_typeof(metadata) = 'object' then metadata - $4::text else '{}' end
		<> case when jsonb_typeof($3::jsonb) = 'object' then $3::jsonb - $4::text else '{}' end)`

// ForgetSaid takes off a user what they said of themselves, and leaves what the application did. It must run in a transaction.
func (db *DB) ForgetSaid(ctx context.Context, userID string) error {
	return db.guarded(ctx, forgetSaidSQL, userID, auth.AppMetadata)
}

const forgetSaidSQL = `update auth.users set display_name = coalesce(email::text, phone_number, ''), avatar_url = '',
	metadata = case when metadata ? $2 then jsonb_build_object($2::text, metadata->$2) end where id = $1`

// SetMetadata puts an object in the place of a user's metadata.
func (db *DB) SetMetadata(ctx context.Context, userID string, metadata json.RawMessage) error {
	return db.guarded(ctx, setMetadataSQL, userID, []byte(metadata))
}

const setMetadataSQL = `update auth.users set metadata = $2::jsonb where id = $1`

// MergeMetadata puts the members of an object into a user's metadata, and takes others out. Whoever asks for it from a
// session must still have it: otherwise it is ErrChanged. It must run in a transaction.
//
// They may not become longer than most bytes: ErrTooLong.
func (db *DB) MergeMetadata(ctx context.Context, userID, session string, put json.RawMessage, out []string, most int, now time.Time) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, userID, now)
	b.Queue(keepSessionSQL, userID, nullable(session))
	b.Queue(mergeMetadataSQL, userID, []byte(put), out, now, most)
	return refusing(ctx, db, b, ErrChanged, ErrChanged, ErrTooLong)
}

const mergeMetadataSQL = `update auth.users set metadata = ` + mergedMetadata + `
	where id = $1 and` + isOpen + `$4) and octet_length((` + mergedMetadata + `)::text) <= $5`

// mergedMetadata is a user's metadata with the members of $2 and without those named in $3.
const mergedMetadata = `(case when jsonb_typeof(metadata) = 'object' then metadata else '{}' end || $2::jsonb) - coalesce($3::text[], '{}')`

// ChangeEmail puts the new address in the place of the old one, if it is still the one that the
// user asked for, and drops the one-time secrets that prove the old address. It must run in a
// transaction.
func (db *DB) ChangeEmail(ctx context.Context, userID, newEmail string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(changeEmailSQL, userID, newEmail)
	b.Queue(dropTicketsSQL, userID)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const changeEmailSQL = `update auth.users set email = new_email, new_email = null, email_verified = true, ticket = null
	where id = $1 and new_email = $2::text::public.citext`

// OwnsSecurityKey tells whether a user has registered a security key.
func (db *DB) OwnsSecurityKey(ctx context.Context, userID string) (owns bool, err error) {
	err = db.QueryRow(ctx, ownsSecurityKeySQL, userID).Scan(&owns)
	return owns, err
}

const ownsSecurityKeySQL = `select exists (select from auth.user_security_keys where user_id = $1)`

// AddRoles gives a user roles that exist. It must run in a transaction.
func (db *DB) AddRoles(ctx context.Context, userID string, roles []string, at time.Time) error {
	if _, err := db.Exec(ctx, addMoreRolesSQL, userID, roles, at); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const addMoreRolesSQL = `insert into auth.user_roles (user_id, role, created_at) select $1, unnest($2::text[]), $3 on conflict do nothing`

// EnsureRoles makes sure that the configured roles exist.
func (db *DB) EnsureRoles(ctx context.Context, roles []string) error {
	if _, err := db.Exec(ctx, ensureRolesSQL, roles); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

const ensureRolesSQL = `insert into auth.roles (role) select unnest($1::text[]) on conflict do nothing`

// HashKinds lists the kinds of password hashes in use, as their prefixes ("$2a$10", "$argon2id$…"),
// so that refusals can be paced by the slowest.
func (db *DB) HashKinds(ctx context.Context) ([]string, error) {
	rows, err := db.Query(ctx, hashKindsSQL)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const hashKindsSQL = `select distinct coalesce(substring(password_hash from '^(\$2[aby]\$\d\d)'), substring(password_hash from '^(\$argon2id?\$v=\d+\$[^$]+)'),
		substring(password_hash from '^(\$fbscrypt\$v=\d+,n=\d+,r=\d+,p=\d+)'))
	from (select password_hash from auth.users where password_hash <> '' limit 100000) sample
	where password_hash ~ '^\$(2[aby]\$\d\d|argon2id?\$v=\d+\$|fbscrypt\$v=\d+,n=\d+,r=\d+,p=\d+,)'`

// guarded runs a statement that must write a row.
func (db *DB) guarded(ctx context.Context, sql string, args ...any) error {
	tag, err := db.Exec(ctx, sql, args...)
	if err != nil {
		return refusal(err)
	}
	if tag.RowsAffected() == 0 {
		return ErrChanged
	}
	return nil
}

// guardedBatch runs statements of which the first few must each touch a row.
func guardedBatch(ctx context.Context, q querier, b *pgx.Batch, guards int) error {
	return refusing(ctx, q, b, slices.Repeat([]error{ErrChanged}, guards)...)
}

// refusing runs statements. One that touches no row refuses with the error in its place; one whose place has none may touch none.
func refusing(ctx context.Context, q querier, b *pgx.Batch, refusals ...error) error {
	counts, err := changed(ctx, q, b)
	if err != nil {
		return err
	}
	for i, refusal := range refusals {
		if refusal != nil && counts[i] == 0 {
			return refusal
		}
	}
	return nil
}

// nullable makes an empty string an SQL null.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func jsonOrNull(m json.RawMessage) any {
	if len(m) == 0 {
		return nil
	}
	return []byte(m)
}

// HoldUser holds a user until the transaction ends. It must run in a transaction.
func (db *DB) HoldUser(ctx context.Context, userID string) error {
	_, err := db.Exec(ctx, holdUserSQL, userID)
	return refusal(err)
}

// MarkHalf notes on what was sent to one of two addresses that the other has confirmed the change. Where nothing is left of it, it is
// ErrChanged. It must run in a transaction.
func (db *DB) MarkHalf(ctx context.Context, userID, newEmail string, current bool, now time.Time) error {
	tag, err := db.Exec(ctx, markHalfSQL, userID, newEmail, current, now)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrChanged
	}
	return refusal(err)
}

const markHalfSQL = `update auth.tickets set payload = payload || '{"half":true}' where user_id = $1 and payload->'both' = 'true'
	and payload->>'for' = $2 and coalesce((payload->>'current')::boolean, false) = $3 and expires_at > $4`

// AddressesOf gives the addresses of users, by their ids.
func (db *DB) AddressesOf(ctx context.Context, ids []string) (map[string]string, error) {
	rows, err := db.Query(ctx, addressesOfSQL, ids)
	if err != nil {
		return nil, refusal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ ID, Address string }])
	found := make(map[string]string, len(list))
	for _, u := range list {
		found[u.ID] = u.Address
	}
	return found, err
}

const addressesOfSQL = `select id::text, coalesce(email::text, phone_number, '') from auth.users where id = any($1::uuid[])`
