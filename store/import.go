package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ImportedUser is a user from another system, as they will be here.
type ImportedUser struct {
	ID               string             `json:"id"`
	CreatedAt        time.Time          `json:"created_at"`
	UpdatedAt        time.Time          `json:"updated_at"`
	LastSeen         *time.Time         `json:"last_seen"`
	Disabled         bool               `json:"disabled"`
	BannedUntil      *time.Time         `json:"banned_until"`
	DeletedAt        *time.Time         `json:"deleted_at"`
	DisplayName      string             `json:"display_name"`
	AvatarURL        string             `json:"avatar_url"`
	Locale           string             `json:"locale"`
	Email            *string            `json:"email"`
	EmailConfirmedAt *time.Time         `json:"email_confirmed_at"` // nil when nobody confirmed it
	Phone            *string            `json:"phone"`
	PhoneConfirmedAt *time.Time         `json:"phone_confirmed_at"`
	PasswordHash     *string            `json:"password_hash"`
	DefaultRole      string             `json:"default_role"`
	Roles            []string           `json:"roles"`
	IsAnonymous      bool               `json:"is_anonymous"`
	Metadata         json.RawMessage    `json:"metadata,omitempty"`
	Identities       []ImportedIdentity `json:"identities"`
	Factors          []ImportedFactor   `json:"factors"`
}

// ImportedIdentity is an account at a provider that comes with a user.
type ImportedIdentity struct {
	ID            string          `json:"id"`
	Provider      string          `json:"provider"`
	Subject       string          `json:"subject"`
	Profile       json.RawMessage `json:"profile,omitempty"`
	Email         *string         `json:"email"`
	EmailVerified bool            `json:"email_verified"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at"`
	SignedInAt    *time.Time      `json:"signed_in_at"`
}

// ImportedFactor is an authenticator app, or a telephone, that comes with a user.
type ImportedFactor struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Name      *string   `json:"name"`
	Sealed    []byte    `json:"sealed"` // of an app
	Phone     *string   `json:"phone"`  // of a telephone
	CreatedAt time.Time `json:"created_at"`
}

// ImportConflict is what is in the way of a user who comes from elsewhere.
type ImportConflict struct {
	ID                                   string
	Here, Buried, Email, Phone, Identity bool
}

// ImportConflicts lists what is in the way of users, for those of whom something is.
func (db *DB) ImportConflicts(ctx context.Context, users []ImportedUser) ([]ImportConflict, error) {
	text, err := json.Marshal(users)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	rows, err := db.Query(ctx, importConflictsSQL, text)
	if err != nil {
		return nil, refusal(err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[ImportConflict])
}

// Each look is for one row by its key, and so stays one: as a join, or with exists, it would be planned as a reading of
// the whole table, while that is being filled.
const importConflictsSQL = `select * from (
		select r.id::text as id,
			(select u.id from auth.users u where u.id = r.id) is not null as here,
			(select d.id from auth.deleted_users d where d.id = r.id) is not null as buried,
			coalesce((select u.id from auth.users u where u.email = r.email::public.citext) <> r.id, false) as email,
			coalesce((select u.id from auth.users u where u.phone_number = r.phone) <> r.id, false) as phone,
			exists (select from jsonb_to_recordset(r.identities) as i(provider text, subject text)
				where (select p.user_id from auth.user_providers p where p.provider_id = i.provider and p.provider_user_id = i.subject) <> r.id) as identity
		from jsonb_to_recordset($1::jsonb) as r(id uuid, email text, phone text, identities jsonb)
	) c where here or buried or email or phone or identity`

// ImportUsers writes users from another system, with all that is theirs, and an entry in the audit log for each. Nobody
// else is told: to those who listen they are no newcomers. All are written or none. It must run in a transaction.
func (db *DB) ImportUsers(ctx context.Context, from string, users []ImportedUser, at time.Time) error {
	text, err := json.Marshal(users)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	b := &pgx.Batch{}
	b.Queue(importUsersSQL, text)
	b.Queue(importRolesSQL, text)
	b.Queue(importProvidersSQL, text)
	b.Queue(importIdentitiesSQL, text)
	b.Queue(importFactorsSQL, text)
	b.Queue(importEntriesSQL, text, from, at)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return err
	}
	if counts[0] != int64(len(users)) {
		return fmt.Errorf("store: %d of %d users were written", counts[0], len(users))
	}
	return nil
}

const (
	importUsersSQL = `insert into auth.users (id, created_at, updated_at, last_seen, last_sign_in_at, disabled, banned_until, deleted_at, display_name, avatar_url, locale,
			email, email_verified, email_confirmed_at, phone_number, phone_number_verified, phone_confirmed_at, password_hash, default_role, is_anonymous, metadata, active_mfa_type)
		select id, created_at, updated_at, last_seen, last_seen, disabled, banned_until, deleted_at, display_name, avatar_url, locale,
			email, email_confirmed_at is not null, email_confirmed_at, phone, phone_confirmed_at is not null, phone_confirmed_at, password_hash, default_role, is_anonymous, metadata,
			case when factors @> '[{"kind":"totp"}]' then 'totp' end
		from jsonb_to_recordset($1::jsonb) as r(id uuid, created_at timestamptz, updated_at timestamptz, last_seen timestamptz, disabled boolean, banned_until timestamptz,
			deleted_at timestamptz, display_name text, avatar_url text, locale text, email text, email_confirmed_at timestamptz, phone text, phone_confirmed_at timestamptz,
			password_hash text, default_role text, is_anonymous boolean, metadata jsonb, factors jsonb)`
	importRolesSQL = `insert into auth.user_roles (user_id, role, created_at) select r.id, o.role, r.created_at
		from jsonb_to_recordset($1::jsonb) as r(id uuid, created_at timestamptz, roles jsonb), jsonb_array_elements_text(r.roles) as o(role)`
	importProvidersSQL = `insert into auth.providers (id) select distinct i.provider
		from jsonb_to_recordset($1::jsonb) as r(identities jsonb), jsonb_to_recordset(r.identities) as i(provider text) on conflict do nothing`
	importIdentitiesSQL = `insert into auth.user_providers (id, user_id, provider_id, provider_user_id, access_token, profile, email, email_verified, created_at, updated_at, signed_in_at)
		select i.id, r.id, i.provider, i.subject, '` + NoTokens + `', i.profile, i.email, i.email_verified, i.created_at, i.updated_at, i.signed_in_at
		from jsonb_to_recordset($1::jsonb) as r(id uuid, identities jsonb), jsonb_to_recordset(r.identities) as i(id uuid, provider text, subject text,
			profile jsonb, email text, email_verified boolean, created_at timestamptz, updated_at timestamptz, signed_in_at timestamptz)`
	importFactorsSQL = `insert into auth.factors (id, user_id, kind, status, name, secret, phone_number, created_at, confirmed_at)
		select f.id, r.id, f.kind, 'active', f.name, decode(f.sealed, 'base64'), f.phone, f.created_at, f.created_at
		from jsonb_to_recordset($1::jsonb) as r(id uuid, factors jsonb), jsonb_to_recordset(r.factors) as f(id uuid, kind text, name text, sealed text, phone text, created_at timestamptz)`
	importEntriesSQL = `insert into auth.audit_entries (at, event, user_id, detail)
		select $3::timestamptz, 'user.imported', r.id, jsonb_build_object('from', $2::text) from jsonb_to_recordset($1::jsonb) as r(id uuid)`
)
