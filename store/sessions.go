package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// NewSession is a session about to be opened.
type NewSession struct {
	auth.Session
	RefreshHash string    // of its first refresh token
	EndsAt      time.Time // when it must end however often it is refreshed; zero means never
	Client      auth.Client
	Entry       Entry // session.started
	// What must still be true for the session to open:
	CheckedHash string  // the password hash that was compared; empty when no password was
	NewHash     string  // the same password, hashed as passwords are now; empty to keep it
	Guards      []Guard // counters that must not have been used up meanwhile
	Clears      string  // the counter that success sets back; empty for none
}

// OpenSession writes a session with its audit row and its event in one statement, unless the user
// was disabled, the password changed or a guard was used up since they were read: then it is
// ErrChanged.
func (db *DB) OpenSession(ctx context.Context, s NewSession) error {
	amr, err := json.Marshal(s.AMR)
	if err != nil {
		return err
	}
	keys, most := spread(s.Guards)
	return db.guarded(ctx, openSessionSQL,
		s.ID, s.UserID, s.RefreshHash, s.CreatedAt, s.ExpiresAt, nullableTime(s.EndsAt), s.AAL, amr, // 1-8
		nullable(UserAgent(s.Client)), nullable(s.Client.Prefix()), // 9-10
		nullable(s.CheckedHash), nullable(s.NewHash), keys, most, // 11-14
		s.Entry.Event, s.Entry.detail(), s.Entry.payload(), s.Clears) // 15-18
}

const openSessionSQL = `
	with owner as (
		update auth.users u set last_seen = $4, password_hash = coalesce($12, u.password_hash)
		where u.id = $2 and not u.disabled and ($11::text is null or u.password_hash = $11)
		and not exists (select from auth.security_counters c join unnest($13::text[], $14::int[]) as g(key, most) using (key)
			where c.count >= g.most and c.window_ends_at > $4)
		returning u.id
	), session as (
		insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, ends_at, aal, amr, user_agent, address_prefix, rotated_at, type)
		select $1, id, $3, $4, least($5::timestamptz, coalesce($6::timestamptz, $5)), $6, $7, $8::jsonb, $9, $10, $4, 'regular' from owner
		returning id, user_id
	), cleared as (
		delete from auth.security_counters where key = $18 and exists (select from session)
	), audited as (
		insert into auth.audit_entries (at, event, user_id, session_id, address_prefix, user_agent, detail)
		select $4, $15, user_id, id, $10, $9, $16::jsonb from session
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from session
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at) select user_id, last, $15, $17::jsonb, $4 from head
	)
	select id from session`

// Rotation exchanges a refresh token for the next one.
type Rotation struct {
	Hash, NextHash string
	ExpiresAt      time.Time // the new end of the session, unless it must end before
	RequireEmail   bool      // an unverified e-mail address stops the refresh
	Client         auth.Client
	Now            time.Time
}

// Refreshed is a session after a refresh, with its user.
type Refreshed struct {
	auth.User
	SessionID        string
	SessionCreatedAt time.Time
	SessionExpiresAt time.Time
	AAL              int
	AMR              []auth.Method
}

// Rotate exchanges the current refresh token of a live session in one statement. When the token is
// not the current one of a session that may go on, nothing is written: ErrNotFound.
//
// It holds the session's row when it comes to the user's, while a change of the password takes them
// the other way round. So it never waits for the user: whoever holds that row, last_seen can be
// written the next time.
func (db *DB) Rotate(ctx context.Context, r Rotation) (Refreshed, error) {
	return one[Refreshed](ctx, db, rotateSQL, r.Hash, r.NextHash, r.Now, r.ExpiresAt,
		nullable(UserAgent(r.Client)), nullable(r.Client.Prefix()), r.RequireEmail)
}

const (
	rotateSQL = `
	with turned as (
		update auth.refresh_tokens t
		set refresh_token_hash = $2, rotated_at = $3, expires_at = least($4::timestamptz, coalesce(t.ends_at, $4)), user_agent = $5, address_prefix = $6
		from auth.users u
		where t.refresh_token_hash = $1 and t.type = 'regular' and t.expires_at > $3 and (t.ends_at is null or t.ends_at > $3)
			and u.id = t.user_id and not u.disabled and (not $7 or u.email_verified or u.email is null or u.is_anonymous)
		returning t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr, t.user_id
	), seen as (
		update auth.users s set last_seen = $3 from (
			select u.id from turned t join auth.users u on u.id = t.user_id
			where u.last_seen is null or u.last_seen < $3::timestamptz - interval '1 minute'
			for no key update of u skip locked) due
		where s.id = due.id
	)
	select` + userColumns + `, t.session_id, t.session_created_at, t.session_expires_at, t.aal, t.amr
	from turned t join auth.users u on u.id = t.user_id`
)

// Held is a session whose row a transaction has locked, to judge a token that is not its current
// one.
type Held struct {
	Refreshed
	CurrentHash   string
	RotatedAt     *time.Time
	EndsAt        *time.Time
	UserAgent     string
	AddressPrefix string
}

// HoldSession locks the session that one of the hashes belongs to, as its current token or as one
// of its tripwires. It must run in a transaction.
//
// The statement asks twice: first for the session's id, in a way that two indexes answer, and then,
// once the row is locked, whether the hash still belongs to it: somebody else may have rotated it to
// a token of another chain.
func (db *DB) HoldSession(ctx context.Context, hashes []string) (Held, error) {
	return one[Held](ctx, db, holdSessionSQL, hashes)
}

const holdSessionSQL = `select` + userColumns + `,
		t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr,
		t.refresh_token_hash as current_hash, t.rotated_at, t.ends_at,
		coalesce(t.user_agent, '') as user_agent, coalesce(t.address_prefix, '') as address_prefix
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id
	where t.type = 'regular' and t.id in (
			select f.id from auth.refresh_tokens f where f.refresh_token_hash = any($1::text[])
			union all select w.session_id from auth.refresh_tripwires w where w.hash = any($1::text[]))
		and (t.refresh_token_hash = any($1::text[])
			or exists (select from auth.refresh_tripwires w where w.session_id = t.id and w.hash = any($1::text[])))
	limit 1 for update of t`

// Branch gives a held session another current token and leaves a tripwire in the place of the one
// that nobody used. It must run in a transaction.
func (db *DB) Branch(ctx context.Context, sessionID, unusedHash string, r Rotation) error {
	b := &pgx.Batch{}
	b.Queue(branchSQL, sessionID, unusedHash, r.NextHash, r.Now, r.ExpiresAt, nullable(UserAgent(r.Client)), nullable(r.Client.Prefix()))
	b.Queue(addTripwireSQL, unusedHash, sessionID, r.Now)
	return guardedBatch(ctx, db, b, 1)
}

const (
	branchSQL = `update auth.refresh_tokens set refresh_token_hash = $3, rotated_at = $4,
		expires_at = least($5::timestamptz, coalesce(ends_at, $5)), user_agent = $6, address_prefix = $7
		where id = $1 and refresh_token_hash = $2`
	addTripwireSQL = `insert into auth.refresh_tripwires (hash, session_id, created_at) values ($1, $2, $3)`
)

// EndSession ends one session and records why. Ending it twice is no error.
func (db *DB) EndSession(ctx context.Context, sessionID string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(endSessionSQL, sessionID)
	queueEntry(b, e)
	_, err := changed(ctx, db, b)
	return err
}

const endSessionSQL = `delete from auth.refresh_tokens where id = $1 and type = 'regular'`

// EndSessionOfToken ends the session that one of the hashes is the token of, in one statement. An
// unknown token ends nothing and is no error.
func (db *DB) EndSessionOfToken(ctx context.Context, hashes []string, e Entry) error {
	_, err := one[struct{ ID string }](ctx, db, endSessionOfTokenSQL, hashes, e.At, e.Event,
		nullable(e.Client.Prefix()), nullable(UserAgent(e.Client)), e.detail())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// EndAllSessions ends every session of a user in one statement, and revokes the personal access
// tokens too: they are rows of the same table, and Hasura Auth does so. An actor whose own session has
// ended, or who is gone, ends nothing: ErrNotFound.
func (db *DB) EndAllSessions(ctx context.Context, a auth.Actor, e Entry) error {
	_, err := one[struct{ UserID string }](ctx, db, endAllSessionsSQL, a.UserID, nullable(a.SessionID), e.At, e.Event,
		nullable(e.Client.Prefix()), nullable(UserAgent(e.Client)), e.detail(), e.payload())
	return err
}

const (
	endSessionOfTokenSQL = `
	with ended as (
		delete from auth.refresh_tokens where refresh_token_hash = any($1::text[]) and type = 'regular' returning id, user_id
	), audited as (
		insert into auth.audit_entries (at, event, user_id, session_id, address_prefix, user_agent, detail)
		select $2, $3, user_id, id, $4, $5, $6::jsonb from ended
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from ended
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at)
		select head.user_id, head.last, $3, jsonb_build_object('userId', head.user_id, 'sessionId', ended.id), $2 from head join ended using (user_id)
	)
	select id from ended limit 1`
	// Where several sessions end, they are locked in the order of their ids, so that two statements
	// never wait for each other.
	endAllSessionsSQL = `
	with held as (
		select id from auth.refresh_tokens where user_id = $1 order by id for update
	), actor as (
		select id as user_id from auth.users where id = $1 and ($2::uuid is null or exists (select from held where held.id = $2))
	), ended as (
		delete from auth.refresh_tokens where id in (select id from held) and exists (select from actor)
	), audited as (
		insert into auth.audit_entries (at, event, user_id, address_prefix, user_agent, detail)
		select $3, $4, user_id, $5, $6, $7::jsonb from actor
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from actor
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at) select user_id, last, $4, $8::jsonb, $3 from head
	)
	select user_id from actor`
)

func nullableTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
