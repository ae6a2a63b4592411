package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// SeenSession is a session as its user sees it.
type SeenSession struct {
	auth.Session
	LastUsedAt    time.Time
	UserAgent     string
	AddressPrefix string
	ClientID      string // the client of the OAuth server that the user gave it to; empty for their own
	ClientName    string
}

// SessionsOf lists the live sessions of a user, the latest used first, so many at most.
func (db *DB) SessionsOf(ctx context.Context, userID string, alive Alive, most int) ([]SeenSession, error) {
	rows, err := db.Query(ctx, sessionsOfSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, userID, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[SeenSession])
}

const sessionsOfSQL = `select t.id, t.user_id, t.created_at, least(t.expires_at, t.ends_at) as expires_at, t.aal, t.amr, t.factor_due,
		coalesce(t.rotated_at, t.created_at) as last_used_at, coalesce(t.user_agent, '') as user_agent, coalesce(t.address_prefix, '') as address_prefix,
		coalesce(o.client_id, '') as client_id, coalesce(c.name, '') as client_name
	from auth.refresh_tokens t left join auth.oauth_sessions o on o.session_id = t.id left join auth.oauth_clients c on c.id = o.client_id
	where t.user_id = $4 and` + isAnyAlive + `
	order by last_used_at desc, t.id limit $5`

// EndOwnSession ends one session of an actor whose own is alive, with its audit row and its event.
// One that is not there, has ended, or is somebody else's is ErrNotFound.
func (db *DB) EndOwnSession(ctx context.Context, a auth.Actor, id string, alive Alive, e Entry) error {
	return db.dropOwn(ctx, endOwnSessionSQL, a, id, alive, e)
}

// DropPAT revokes one personal access token of an actor whose session is alive, and ends the sessions
// that it opened, in the same way.
func (db *DB) DropPAT(ctx context.Context, a auth.Actor, id string, alive Alive, e Entry) error {
	return db.dropOwn(ctx, dropPATSQL, a, id, alive, e)
}

// dropOwn takes the row first: what it opened until then, the statement that drops must see.
func (db *DB) dropOwn(ctx context.Context, sql string, a auth.Actor, id string, alive Alive, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdOwnSQL, id, a.UserID)
	b.Queue(sql, alive.Now, alive.UsedAfter, alive.OpenedAfter, a.UserID, nullable(a.SessionID), id,
		e.Event, nullable(e.Client.Logged()), nullable(UserAgent(e.Client)), e.detail(), e.payload())
	counts, err := changed(ctx, db, b)
	if err == nil && counts[1] == 0 {
		err = ErrNotFound
	}
	return err
}

const holdOwnSQL = `select from auth.refresh_tokens where id = $1 and user_id = $2 for update`

// What the actor may drop is locked first, in the order of the ids as everywhere; it is nothing unless
// the row that was asked for is among it.
const (
	endOwnSessionSQL = dropOwn + `t.id = $6 and` + isAnyAlive + dropped
	dropPATSQL       = dropOwn + `(t.id = $6 and t.type = 'pat' and t.expires_at > $1 or t.factor_id = $6 and t.type in ('regular', 'oauth'))` + dropped

	dropOwn = `
	with held as (
		select t.id from auth.refresh_tokens t where t.user_id = $4
			and ($5::uuid is null or exists (select from auth.refresh_tokens t where t.id = $5 and t.user_id = $4 and` + isAlive + `))
			and `
	dropped = `
		order by t.id for update
	), dropped as (
		delete from auth.refresh_tokens where id in (select id from held) and exists (select from held where id = $6)
		returning id, user_id
	), audited as (
		insert into auth.audit_entries (at, event, user_id, session_id, address_prefix, user_agent, detail)
		select $1, case when id = $6 then $7 else 'session.ended' end, user_id, case when id <> $6 or $7 = 'session.ended' then id end, $8, $9, $10::jsonb from dropped
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, count(*) from dropped group by user_id
		on conflict (user_id) do update set last = auth.event_heads.last + excluded.last returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at)
		select head.user_id, head.last + 1 - row_number() over (order by dropped.id), case when dropped.id = $6 then $7 else 'session.ended' end,
			case when dropped.id = $6 then $11::jsonb else jsonb_build_object('userId', head.user_id, 'sessionId', dropped.id, 'reason', 'pat-revoked') end, $1
		from head, dropped
	)
	select id from dropped where id = $6`
)

// PAT is a personal access token. What it is worth is its secret, of which only the hash is kept.
type PAT struct {
	ID         string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt *time.Time // nil when it was never used
	Metadata   json.RawMessage
}

// AddPAT writes a personal access token as Hasura Auth does, beside its refresh tokens, unless the
// user has so many already: then it tells so. An actor whose session has ended is ErrChanged. It must
// run in a transaction.
func (db *DB) AddPAT(ctx context.Context, a auth.Actor, p PAT, hash string, most int, e Entry) (added bool, err error) {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, a.UserID)
	b.Queue(keepSessionSQL, a.UserID, nullable(a.SessionID))
	b.Queue(addPATSQL, p.ID, a.UserID, hash, p.CreatedAt, p.ExpiresAt, jsonOrNull(p.Metadata), most)
	queueEntry(b, e)
	counts, err := changed(ctx, db, b)
	if err == nil && (counts[0] == 0 || counts[1] == 0) {
		err = ErrChanged
	}
	return err == nil && counts[2] == 1, err
}

const addPATSQL = `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, metadata, type)
	select $1::uuid, $2::uuid, $3::text, $4::timestamptz, $5::timestamptz, $6::jsonb, 'pat'
	where (select count(*) from auth.refresh_tokens o where o.user_id = $2::uuid and o.type = 'pat' and o.expires_at > $4::timestamptz) < $7::int`

// PATsOf lists the live personal access tokens of a user, the newest first, so many at most.
func (db *DB) PATsOf(ctx context.Context, userID string, now time.Time, most int) ([]PAT, error) {
	rows, err := db.Query(ctx, patsOfSQL, userID, now, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[PAT])
}

const patsOfSQL = `select t.id, t.created_at, t.expires_at, t.rotated_at as last_used_at, t.metadata
	from auth.refresh_tokens t where t.user_id = $1 and t.type = 'pat' and t.expires_at > $2 order by t.created_at desc, t.id limit $3`

// FoundPAT is a live personal access token with its user.
type FoundPAT struct {
	auth.User
	TokenID        string
	TokenExpiresAt time.Time
}

// FindPAT looks a live personal access token up by the hash of its secret.
func (db *DB) FindPAT(ctx context.Context, hash string, now time.Time) (FoundPAT, error) {
	return one[FoundPAT](ctx, db, findPATSQL, hash, now)
}

const findPATSQL = `select` + userColumns + `, t.id::text as token_id, t.expires_at as token_expires_at
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id
	where t.refresh_token_hash = $1 and t.type = 'pat' and t.expires_at > $2`

// UsePAT notes that a personal access token signs in now. One that was revoked since it was found is
// ErrChanged. It must run in the transaction of the sign-in.
func (db *DB) UsePAT(ctx context.Context, id string, now time.Time) error {
	return db.guarded(ctx, usePATSQL, id, now)
}

const usePATSQL = `update auth.refresh_tokens set rotated_at = $2 where id = $1 and type = 'pat' and expires_at > $2`
