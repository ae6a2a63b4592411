package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// OAuthRequest is what a client of the OAuth server asked, and waits for a user's answer.
type OAuthRequest struct {
	ID        string
	UserID    string // whom it was shown to, where it is shown to one alone; empty before
	Challenge string
	Payload   json.RawMessage
	CreatedAt time.Time
}

// FindOAuthRequest looks for a live request that is nobody's yet, or the user's. A request that is another user's is not there.
// An empty user finds any.
func (db *DB) FindOAuthRequest(ctx context.Context, hash []byte, userID string, now time.Time) (OAuthRequest, error) {
	return one[OAuthRequest](ctx, db, findOAuthRequestSQL, hash, nullable(userID), now)
}

// BindOAuthRequest makes a live request the user's, unless it is another's: then it is not there.
func (db *DB) BindOAuthRequest(ctx context.Context, hash []byte, userID string, now time.Time) (OAuthRequest, error) {
	return one[OAuthRequest](ctx, db, bindOAuthRequestSQL, hash, userID, now)
}

const (
	oauthRequestColumns = ` id, coalesce(user_id::text, '') as user_id, coalesce(challenge, '') as challenge, payload, created_at`
	oauthRequestIs      = ` purpose = 'oauth-request' and secret_hash = $1 and expires_at > $3 and ($2::uuid is null or user_id is null or user_id = $2)`

	findOAuthRequestSQL = `select` + oauthRequestColumns + ` from auth.tickets where` + oauthRequestIs
	bindOAuthRequestSQL = `update auth.tickets set user_id = $2 where` + oauthRequestIs + ` returning` + oauthRequestColumns
)

// OAuthAnswer is what a user says to a request.
type OAuthAnswer struct {
	RequestID string
	Actor     auth.Actor
	Alive     Alive
	Code      *Ticket  // what the client gets; nil where the user says no
	ClientID  string   // whose scopes the user allows from now on, beside those before
	Scopes    []string // which nobody asks the user about again
	Entry     Entry
}

// AnswerOAuthRequest uses a request up, in one statement with what comes of it. A request that is answered already, or is another
// user's, an actor whose session is over and a user who may not come in are ErrChanged.
func (db *DB) AnswerOAuthRequest(ctx context.Context, a OAuthAnswer) error {
	var code Ticket
	if a.Code != nil {
		code = *a.Code
	}
	b := &pgx.Batch{}
	b.Queue(answerOAuthRequestSQL, a.Alive.Now, a.Alive.UsedAfter, a.Alive.OpenedAfter, a.RequestID, a.Actor.UserID, a.Actor.SessionID, // 1-6
		nullable(code.ID), code.SecretHash, nullable(code.Challenge), jsonOrNull(code.Payload), nullableTime(code.ExpiresAt), // 7-11
		a.ClientID, a.Scopes) // 12-13
	// The entry is written with it or not at all: the batch is one transaction, and a guard that does not hold undoes it.
	return db.InTx(ctx, func(tx *DB) error {
		queued := *b
		queueEntry(&queued, a.Entry)
		return guardedBatch(ctx, tx, &queued, 1)
	})
}

const answerOAuthRequestSQL = `
	with owner as (
		select u.id from auth.users u where u.id = $5 and` + isOpen + `$1)
			and exists (select from auth.refresh_tokens t where t.id = $6::uuid and t.user_id = u.id and` + isAlive + `)
		for key share
	), request as (
		delete from auth.tickets where id = $4 and purpose = 'oauth-request' and expires_at > $1 and (user_id is null or user_id = $5) and exists (select from owner)
		returning id
	), allowed as (
		insert into auth.oauth_consents as c (user_id, client_id, scopes, granted_at)
		select $5, $12::text, $13::text[], $1 from request where $7::uuid is not null
		on conflict (user_id, client_id) do update set granted_at = excluded.granted_at,
			scopes = array(select distinct s from unnest(c.scopes || excluded.scopes) s order by s)
	), code as (
		insert into auth.tickets (id, purpose, secret_hash, user_id, challenge, payload, created_at, expires_at)
		select $7::uuid, 'oauth-grant', $8::bytea, $5, $9::text, $10::jsonb, $1, $11::timestamptz from request where $7::uuid is not null
	)
	select id from request`

// Consent is what a user has allowed a client.
type Consent struct {
	ClientID  string
	Scopes    []string
	GrantedAt time.Time
}

// ConsentOf gives what a user has allowed a client.
func (db *DB) ConsentOf(ctx context.Context, userID, clientID string) (Consent, error) {
	return one[Consent](ctx, db, consentOfSQL, userID, clientID)
}

// Grant is what a user has allowed a client, with what is known of the client.
type Grant struct {
	Consent
	Name, URI, LogoURI string
}

// GrantsOf lists what a user has allowed to clients that there are, the latest first: what nobody asks about again, and what sessions have.
func (db *DB) GrantsOf(ctx context.Context, userID string, most int) ([]Grant, error) {
	rows, err := db.Query(ctx, grantsOfSQL, userID, most)
	if err != nil {
		return nil, refusal(err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Grant])
}

// DropConsent takes back what a user has allowed a client, whose sessions of the user end with it. Where nothing was allowed, it
// is ErrNotFound. Codes that are under way are worth nothing from then on.
func (db *DB) DropConsent(ctx context.Context, userID, clientID string, e Entry) error {
	return db.InTx(ctx, func(tx *DB) error {
		b := &pgx.Batch{}
		b.Queue(holdUserSQL, userID)
		b.Queue(dropConsentSQL, userID, clientID)
		b.Queue(dropOAuthCodesSQL, userID)
		b.Queue(endSessionsOfGrantSQL, userID, clientID)
		queueEntry(b, e)
		counts, err := changed(ctx, tx, b)
		if err == nil && counts[1]+counts[3] == 0 {
			err = ErrNotFound
		}
		return err
	})
}

const (
	consentOfSQL = `select client_id, scopes, granted_at from auth.oauth_consents where user_id = $1 and client_id = $2`
	grantsOfSQL  = `select c.client_id, c.granted_at, o.name, o.uri, o.logo_uri,
			array(select unnest(c.scopes) union select unnest(s.scopes) from auth.oauth_sessions s join auth.refresh_tokens t on t.id = s.session_id
				where t.user_id = c.user_id and s.client_id = c.client_id order by 1) as scopes
		from auth.oauth_consents c join auth.oauth_clients o on o.id = c.client_id and o.deleted_at is null
		where c.user_id = $1 order by c.granted_at desc, c.client_id limit $2`
	dropConsentSQL        = `delete from auth.oauth_consents where user_id = $1 and client_id = $2`
	dropConsentsSQL       = `delete from auth.oauth_consents where user_id = $1`
	dropOAuthCodesSQL     = `delete from auth.tickets where user_id = $1 and purpose = 'oauth-grant'`
	endSessionsOfGrantSQL = `delete from auth.refresh_tokens where id in (select t.id from auth.refresh_tokens t
		join auth.oauth_sessions o on o.session_id = t.id where t.user_id = $1 and o.client_id = $2 order by t.id for update of t)`
)
