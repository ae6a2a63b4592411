package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// OAuthClient is an application that users let in on their account.
type OAuthClient struct {
	ID           string
	SecretHash   []byte // by tokens.Keyring.HashClientSecret, or bcrypt; nil without a secret
	Name         string // may be empty, as the next two
	URI, LogoURI string
	RedirectURIs []string
	Scopes       []string // what it may ask for
	GrantTypes   []string
	AuthMethod   string // auth.ClientSecretBasic and its like
	Origin       string // auth.ClientRegistered and its like
	FetchedAt    *time.Time
	CreatedBy    string // the operator's id, where it was a user
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DeletedAt    *time.Time
}

// Public tells whether the client has no secret.
func (c OAuthClient) Public() bool { return c.AuthMethod == auth.NoClientSecret }

// OAuthClient finds an OAuth client that is not deleted.
func (db *DB) OAuthClient(ctx context.Context, id string) (OAuthClient, error) {
	return one[OAuthClient](ctx, db, oauthClientSQL, id)
}

// OAuthClientEver finds an OAuth client, one that is deleted included.
func (db *DB) OAuthClientEver(ctx context.Context, id string) (OAuthClient, error) {
	return one[OAuthClient](ctx, db, oauthClientEverSQL, id)
}

const (
	oauthClientColumns = `select id, secret_hash, name, uri, logo_uri, redirect_uris, scopes, grant_types, auth_method, origin, fetched_at,
		coalesce(created_by::text, '') as created_by, created_at, updated_at, deleted_at from auth.oauth_clients`
	oauthClientEverSQL = oauthClientColumns + ` where id = $1`
	oauthClientSQL     = oauthClientEverSQL + ` and deleted_at is null`
)

// AddOAuthClient writes a new OAuth client, no more of its origin than there may be. It must run in a transaction.
func (db *DB) AddOAuthClient(ctx context.Context, c OAuthClient, most int, n Note) error {
	if err := db.lockOAuthClients(ctx); err != nil {
		return err
	}
	if err := db.roomForOAuthClient(ctx, c, most); err != nil {
		return err
	}
	_, err := db.changeNoted(ctx, n, addOAuthClientSQL, c.ID, c.SecretHash, c.Name, c.URI, c.LogoURI, c.RedirectURIs, c.Scopes, c.GrantTypes,
		c.AuthMethod, c.Origin, nullable(c.CreatedBy), c.CreatedAt)
	return err
}

// unusedOAuthLife is how long a client that nobody vouches for has to be used for the first time, or again, where another one wants its
// place. Whoever is being asked about it answers sooner, though they were sent by a document that had been read an hour before.
const unusedOAuthLife = 90 * time.Minute

// lockOAuthClients has no others count or write OAuth clients until the transaction ends. It comes before whatever else the transaction does: two
// that had written already would wait for each other.
func (db *DB) lockOAuthClients(ctx context.Context) error {
	_, err := db.Exec(ctx, `lock table auth.oauth_clients in share row exclusive mode`)
	return err
}

// roomForOAuthClient makes room for another OAuth client, while they are locked. One that no operator made, and that nobody has let in or keeps a session with, gives its
// place to the next: else whoever registers many would keep all others out.
func (db *DB) roomForOAuthClient(ctx context.Context, c OAuthClient, most int) error {
	row, err := one[struct{ Count int }](ctx, db, countOAuthClientsOfSQL, c.Origin)
	if err != nil || row.Count < most {
		return err
	}
	gone, err := db.Exec(ctx, dropUnusedOAuthClientSQL, c.Origin, c.CreatedAt.Add(-unusedOAuthLife))
	if err == nil && gone.RowsAffected() == 0 {
		err = auth.Invalid{Field: "input", Problem: fmt.Sprintf("is one client too many: there may be %d that are %s", most, c.Origin)}
	}
	return err
}

// KeepOAuthDocument keeps what a client has published of itself. One that is deleted meanwhile stays so. It must run in a transaction.
func (db *DB) KeepOAuthDocument(ctx context.Context, c OAuthClient, most int) error {
	if err := db.lockOAuthClients(ctx); err != nil {
		return err
	}
	again, err := db.Exec(ctx, refreshOAuthDocumentSQL, c.ID, c.Name, c.URI, c.LogoURI, c.RedirectURIs, c.Scopes, c.GrantTypes, c.FetchedAt)
	if err != nil || again.RowsAffected() > 0 {
		return err
	}
	if err := db.roomForOAuthClient(ctx, c, most); err != nil {
		return err
	}
	_, err = db.Exec(ctx, addOAuthDocumentSQL, c.ID, c.Name, c.URI, c.LogoURI, c.RedirectURIs, c.Scopes, c.GrantTypes, c.FetchedAt)
	return err
}

// OAuthClientChange is what becomes different in an OAuth client; nil stays as it is.
type OAuthClientChange struct {
	Name, URI, LogoURI               *string
	RedirectURIs, Scopes, GrantTypes []string // each as a whole
	AuthMethod                       *string  // of those with a secret: no client gets one or loses it
	SecretHash                       []byte   // of those with a secret
}

// ChangeOAuthClient changes an OAuth client that says not itself what it is, and gives it as it is then. It must run in a
// transaction.
func (db *DB) ChangeOAuthClient(ctx context.Context, id string, c OAuthClientChange, n Note) (OAuthClient, error) {
	rows, err := db.changeNoted(ctx, n, changeOAuthClientSQL, id, c.Name, c.URI, c.LogoURI, c.RedirectURIs, c.Scopes, c.GrantTypes, c.AuthMethod, c.SecretHash, n.At)
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return OAuthClient{}, err
	}
	return db.OAuthClient(ctx, id)
}

// DeleteOAuthClient deletes an OAuth client. Its row stays, without its secret. It must run in a transaction.
func (db *DB) DeleteOAuthClient(ctx context.Context, id string, n Note) error {
	rows, err := db.changeNoted(ctx, n, deleteOAuthClientSQL, id, n.At)
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}

// HashOAuthClientAnew puts another hash of the same secret in the place of one.
func (db *DB) HashOAuthClientAnew(ctx context.Context, id string, old, fresh []byte) error {
	_, err := db.Exec(ctx, `update auth.oauth_clients set secret_hash = $3 where id = $1 and secret_hash = $2`, id, old, fresh)
	return err
}

// OAuthClientSlice lists a part of the OAuth clients in the order of their ids.
func (db *DB) OAuthClientSlice(ctx context.Context, s Slice) ([]OAuthClient, error) {
	return byID[OAuthClient](ctx, db, oauthClientSliceSQL, s)
}

// OAuthClientPage lists a numbered part of the OAuth clients, the newest first.
func (db *DB) OAuthClientPage(ctx context.Context, offset int64, most int) ([]OAuthClient, error) {
	rows, err := db.Query(ctx, oauthClientPageSQL, offset, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[OAuthClient])
}

// CountOAuthClients tells how many OAuth clients there are.
func (db *DB) CountOAuthClients(ctx context.Context) (int, error) {
	row, err := one[struct{ Count int }](ctx, db, countOAuthClientsSQL)
	return row.Count, err
}

const (
	countOAuthClientsSQL   = `select count(*)::int as count from auth.oauth_clients where deleted_at is null`
	countOAuthClientsOfSQL = countOAuthClientsSQL + ` and origin = $1`
	addOAuthClientSQL      = `insert into auth.oauth_clients
		(id, secret_hash, name, uri, logo_uri, redirect_uris, scopes, grant_types, auth_method, origin, created_by, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid, $12, $12)`
	dropUnusedOAuthClientSQL = `delete from auth.oauth_clients where id = (
		select id from auth.oauth_clients c where origin = $1 and origin <> 'registered' and deleted_at is null and updated_at < $2
			and not exists (select from auth.oauth_sessions s where s.client_id = c.id)
			and not exists (select from auth.oauth_consents a where a.client_id = c.id)
		order by updated_at limit 1)`
	refreshOAuthDocumentSQL = `update auth.oauth_clients set name = $2, uri = $3, logo_uri = $4, redirect_uris = $5, scopes = $6, grant_types = $7,
		fetched_at = $8, updated_at = $8 where id = $1 and origin = 'metadata_document' and deleted_at is null`
	addOAuthDocumentSQL = `insert into auth.oauth_clients (id, name, uri, logo_uri, redirect_uris, scopes, grant_types, fetched_at, created_at, updated_at, auth_method, origin)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, 'none', 'metadata_document') on conflict (id) do nothing`
	changeOAuthClientSQL = `update auth.oauth_clients set name = coalesce($2, name), uri = coalesce($3, uri), logo_uri = coalesce($4, logo_uri),
		redirect_uris = coalesce($5, redirect_uris), scopes = coalesce($6, scopes), grant_types = coalesce($7, grant_types),
		auth_method = coalesce($8, auth_method), secret_hash = coalesce($9, secret_hash), updated_at = $10
		where id = $1 and deleted_at is null and origin <> 'metadata_document'
			and (($8::text is null and $9::bytea is null) or (auth_method <> 'none' and $8 is distinct from 'none'))`
	deleteOAuthClientSQL = `update auth.oauth_clients set deleted_at = $2, updated_at = $2, secret_hash = null where id = $1 and deleted_at is null`
	oauthClientSliceSQL  = oauthClientColumns + ` where deleted_at is null and ($1::text is null or id > $1) and ($2::text is null or id < $2)
		order by case when $3 then id end desc, id limit $4`
	oauthClientPageSQL = oauthClientColumns + ` where deleted_at is null order by created_at desc, id desc offset $1 limit $2`
)

// AdoptOAuthClients copies the OAuth clients that Hasura Auth has in its own table, where there is one: those that are new
// there, those that changed there since, and that some were deleted there. A client that an operator changed or deleted here
// stays as it is until it changes there.
func (db *DB) AdoptOAuthClients(ctx context.Context, now time.Time) error {
	row, err := one[struct{ There bool }](ctx, db, `select coalesce(has_table_privilege(to_regclass('auth.oauth2_clients')::oid, 'select'), false) as there`)
	if err != nil || !row.There {
		return err
	}
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.lockOAuthClients(ctx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, copyOAuthClients, now); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, forgetOAuthClients, now)
		return err
	})
}

// The columns of the other table are read by name at each row: they are not the same in all versions. Scopes that nobody
// here knows allow nothing, so they are left out; so are hashes that are none of bcrypt.
const (
	copyOAuthClients = `insert into auth.oauth_clients as c
			(id, secret_hash, name, uri, logo_uri, redirect_uris, scopes, grant_types, auth_method, origin, adopted, created_by, created_at, updated_at)
		select o ->> 'client_id', convert_to(hash, 'UTF8'), left(coalesce(o -> 'metadata' ->> 'client_name', ''), 255), '', '', redirects,
			array(select s from unnest(scopes) s where s in ('openid', 'profile', 'email', 'phone', 'offline_access', 'graphql')),
			'{authorization_code,refresh_token}', case when hash is null then 'none' else 'client_secret' end, 'registered', true,
			(o ->> 'created_by')::uuid, made, changed
		from (select to_jsonb(r) as o from auth.oauth2_clients r) x, lateral (select
			o ->> 'client_secret_hash' as hash,
			array(select jsonb_array_elements_text(o -> 'redirect_uris')) as redirects,
			array(select jsonb_array_elements_text(coalesce(o -> 'scopes', '["openid", "profile", "email", "phone", "offline_access", "graphql"]'))) as scopes,
			coalesce((o ->> 'created_at')::timestamptz, $1) as made,
			coalesce((o ->> 'updated_at')::timestamptz, (o ->> 'created_at')::timestamptz, $1) as changed) v
		where coalesce(o ->> 'type', 'registered') = 'registered' and (hash is null or hash ~ '^[$]2[aby][$]')
		on conflict (id) do update set secret_hash = excluded.secret_hash, name = excluded.name, redirect_uris = excluded.redirect_uris,
			scopes = excluded.scopes, auth_method = excluded.auth_method, updated_at = excluded.updated_at, deleted_at = null
		where c.adopted and excluded.updated_at > c.updated_at`
	forgetOAuthClients = `update auth.oauth_clients c set deleted_at = $1, updated_at = $1, secret_hash = null
		where adopted and deleted_at is null and not exists (select from auth.oauth2_clients r where r.client_id = c.id)`
)
