package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// ClientSession is a session that a user gave to a client of the OAuth server, with its user.
type ClientSession struct {
	Refreshed
	ClientID string
	Door     string // the dialect at whose endpoints it was given
	Scopes   []string
	AuthTime time.Time
}

// FoundGrant is the code of a user who said yes, with who they are and the session that they said it in.
type FoundGrant struct {
	auth.User
	TicketID, TicketChallenge string
	TicketPayload             json.RawMessage
	SessionID                 string
	AAL                       int
	AMR                       []auth.Method
	SessionCreatedAt          time.Time
	FactorDue                 bool
}

// FindOAuthCode looks for a live code, whose user is there and whose user's session is alive.
func (db *DB) FindOAuthCode(ctx context.Context, hash []byte, alive Alive) (FoundGrant, error) {
	return one[FoundGrant](ctx, db, findOAuthCodeSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, hash)
}

const findOAuthCodeSQL = `select` + userColumns + `,
		k.id::text as ticket_id, coalesce(k.challenge, '') as ticket_challenge, k.payload as ticket_payload,
		t.id::text as session_id, t.aal::int as aal, t.amr, t.created_at as session_created_at, t.factor_due and` + hasFactor + ` as factor_due
	from auth.tickets k join auth.users u on u.id = k.user_id
	join auth.refresh_tokens t on t.id = (k.payload ->> 'session')::uuid and t.user_id = u.id and` + isAlive + `
	where k.purpose = 'oauth-grant' and k.secret_hash = $4 and k.expires_at > $1`

// NewClientSession is what a code is exchanged for.
type NewClientSession struct {
	auth.Session
	TicketID    string // of the code
	From        string // the session in which the user said yes
	RefreshHash string
	EndsAt      time.Time // zero means never
	ClientID    string
	Door        string
	Scopes      []string
	AuthTime    time.Time
	Client      auth.Client
	Entry       Entry
	Alive       Alive
}

// OpenClientSession uses a code up and writes the session that it stands for, in one statement. A code that somebody else used,
// a user who may not come in any more, a session of theirs that is over and a client that is gone are ErrChanged: then the code is
// left as it was. What a personal access token opened ends with it, and so does this.
func (db *DB) OpenClientSession(ctx context.Context, s NewClientSession) error {
	amr, err := json.Marshal(s.AMR)
	if err != nil {
		return err
	}
	return db.guarded(ctx, openClientSessionSQL,
		s.Alive.Now, s.Alive.UsedAfter, s.Alive.OpenedAfter, // 1-3
		s.TicketID, s.UserID, s.From, s.ID, s.RefreshHash, s.ExpiresAt, nullableTime(s.EndsAt), s.AAL, amr, // 4-12
		nullable(UserAgent(s.Client)), nullable(s.Client.Prefix()), s.ClientID, s.Door, s.Scopes, s.AuthTime, // 13-18
		s.Entry.Event, s.Entry.detail(), s.Entry.payload(), nullable(s.Client.Logged())) // 19-22
}

const openClientSessionSQL = `
	with owner as (
		select u.id, t.factor_id from auth.users u
		join auth.refresh_tokens t on t.id = $6::uuid and t.user_id = u.id and` + isAlive + `
		where u.id = $5 and` + isOpen + `$1) and exists (select from auth.oauth_clients c where c.id = $15 and c.deleted_at is null)
		for key share of u, t
	), code as (
		delete from auth.tickets where id = $4 and purpose = 'oauth-grant' and expires_at > $1 and exists (select from owner) returning id
	), session as (
		insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, ends_at, aal, amr, user_agent, address_prefix, rotated_at, type, factor_id)
		select $7::uuid, owner.id, $8, $1, least($9::timestamptz, $10::timestamptz), $10, $11, $12::jsonb, $13, $14, $1, 'oauth', owner.factor_id from owner, code
		returning id, user_id
	), given as (
		insert into auth.oauth_sessions (session_id, client_id, door, scopes, auth_time) select id, $15, $16, $17::text[], $18::timestamptz from session
	), audited as (
		insert into auth.audit_entries (at, event, user_id, session_id, address_prefix, user_agent, detail)
		select $1, $19, user_id, id, $22, $13, $20::jsonb from session
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from session
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at) select user_id, last, $19, $21::jsonb, $1 from head
	)
	select id from session`

// ClientRotation exchanges the refresh token of a client.
type ClientRotation struct {
	Rotation
	ClientID, Door string
}

// RotateClient exchanges the current refresh token of a client's session, as Rotate does for a user's own. Where it is not the
// current one of a session that may go on, or of another client, nothing is written: ErrNotFound.
func (db *DB) RotateClient(ctx context.Context, r ClientRotation) (ClientSession, error) {
	return one[ClientSession](ctx, db, rotateClientSQL, append(r.args()[:11], r.ClientID, r.Door)...)
}

const (
	clientSessionColumns = `
		t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr, false as factor_due,
		o.client_id, o.door, o.scopes, o.auth_time`

	rotateClientSQL = `
	with t as (
		update auth.refresh_tokens t
		set refresh_token_hash = $5, rotated_at = $1, expires_at = least($6::timestamptz, t.ends_at, t.created_at + $10::interval),
			ends_at = least(t.ends_at, t.created_at + $10::interval), user_agent = $7, address_prefix = $8
		from auth.users u, auth.oauth_sessions o
		where t.refresh_token_hash = $4 and` + isClientAlive + `
			and o.session_id = t.id and o.client_id = $12 and o.door = $13
			and u.id = t.user_id and` + isOpen + `$1) and (not $9 or u.email_verified or u.email is null or u.is_anonymous
				or $11 and exists (select from auth.user_providers i where i.user_id = u.id))
		returning t.*
	)
	select` + userColumns + `,` + clientSessionColumns + `
	from t join auth.users u on u.id = t.user_id join auth.oauth_sessions o on o.session_id = t.id`
)

// ClientSessionOfTokens finds the session of a client that one of the hashes is the current token of. It promises nothing: what it
// is worth is judged later.
func (db *DB) ClientSessionOfTokens(ctx context.Context, hashes []string) (ClientSession, error) {
	return one[ClientSession](ctx, db, clientSessionOfTokensSQL, hashes)
}

// ClientSessionByID finds a live session of a client.
func (db *DB) ClientSessionByID(ctx context.Context, id string, alive Alive) (ClientSession, error) {
	return one[ClientSession](ctx, db, clientSessionByIDSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, id)
}

const (
	clientSessions = `select` + userColumns + `,` + clientSessionColumns + `
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id join auth.oauth_sessions o on o.session_id = t.id
	where t.type = 'oauth' and `
	clientSessionOfTokensSQL = clientSessions + `t.refresh_token_hash = any($1::text[]) limit 1`
	clientSessionByIDSQL     = clientSessions + `t.id = $4 and` + isClientAlive + ` and exists (select from auth.oauth_clients c where c.id = o.client_id and c.deleted_at is null)`
)

// HeldClient is a client's session whose row a transaction has locked.
type HeldClient struct {
	ClientSession
	CurrentHash string
	RotatedAt   *time.Time
	EndsAt      *time.Time
}

// HoldClientSession locks the session of a client that one of the hashes is the current token of. It must run in a transaction.
func (db *DB) HoldClientSession(ctx context.Context, hashes []string, clientID, door string) (HeldClient, error) {
	return one[HeldClient](ctx, db, holdClientSessionSQL, hashes, clientID, door)
}

const holdClientSessionSQL = `select` + userColumns + `,` + clientSessionColumns + `,
		t.refresh_token_hash as current_hash, t.rotated_at, t.ends_at
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id join auth.oauth_sessions o on o.session_id = t.id
	where t.type = 'oauth' and t.refresh_token_hash = any($1::text[]) and o.client_id = $2 and o.door = $3
	limit 1 for update of t`

// EndClientSession ends a session of a client, with its entry. One that is not there, or another client's, ends nothing: ErrNotFound.
// opened, where it is not zero, spares a session that began before.
func (db *DB) EndClientSession(ctx context.Context, id, clientID string, opened time.Time, e Entry) error {
	return db.InTx(ctx, func(tx *DB) error {
		row, err := one[struct{ UserID string }](ctx, tx, endClientSessionSQL, id, clientID, opened)
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		e.UserID, e.SessionID = row.UserID, id
		queueEntry(b, e)
		_, err = changed(ctx, tx, b)
		return err
	})
}

// EndSessionsOfClient ends all sessions of a client and forgets what users allowed it, as is due when it is deleted. It must run in
// a transaction.
func (db *DB) EndSessionsOfClient(ctx context.Context, clientID string) (sessions int64, err error) {
	b := &pgx.Batch{}
	b.Queue(endSessionsOfClientSQL, clientID)
	b.Queue(dropConsentsOfClientSQL, clientID)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

const (
	endClientSessionSQL = `delete from auth.refresh_tokens t using auth.oauth_sessions o
		where t.id = $1 and o.session_id = t.id and o.client_id = $2 and t.type = 'oauth' and t.created_at >= $3::timestamptz returning t.user_id`
	endSessionsOfClientSQL = `delete from auth.refresh_tokens where id in (select t.id from auth.refresh_tokens t
		join auth.oauth_sessions o on o.session_id = t.id where o.client_id = $1 order by t.id for update of t)`
	dropConsentsOfClientSQL = `delete from auth.oauth_consents where client_id = $1`
)

// EndHeldClientSession ends a session that is held, with its entry. It must run in the transaction that holds it.
func (db *DB) EndHeldClientSession(ctx context.Context, id string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(endHeldClientSQL, id)
	queueEntry(b, e)
	_, err := changed(ctx, db, b)
	return err
}

const endHeldClientSQL = `delete from auth.refresh_tokens where id = $1 and type = 'oauth'`
