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
	Entry       Entry           // session.started
	Alive       Alive           // which of the user's other sessions count; Now is when this one opens
	Limit       int             // how many the user may have, this one included; the oldest of the others end. 0 means any number
	Beside      string          // the session it is asked from and takes no place beside; empty for none
	PAT         string          // the personal access token that opens it; empty for none
	Metadata    json.RawMessage // that the user has from now on; nil to keep theirs
	// What must still be true for the session to open:
	CheckedHash string  // the password hash that was compared, of a password that need not be changed; empty when no password was
	NewHash     string  // the same password, hashed as passwords are now; empty to keep it
	Guards      []Guard // counters that must not have been used up meanwhile
	Clears      string  // the counter that success sets back; empty for none
	NoFactor    bool    // the user must have turned on no second factor meanwhile, for none was asked for
}

// OpenSession writes a session with its audit row and its event in one statement, unless the user
// was disabled, the password changed, a second factor was turned on or a guard was used up since they
// were read: then it is ErrChanged. Where sessions are limited, the oldest ones that are too many end in the same statement.
//
// Of several that open at once each must see the sessions of the others. So they take the user's row
// in turns, and the statement that counts begins when the turn has come. It finds the user's sessions
// locked already, in the order of their ids as everywhere.
func (db *DB) OpenSession(ctx context.Context, s NewSession) error {
	amr, err := json.Marshal(s.AMR)
	if err != nil {
		return err
	}
	keys, most := spread(s.Guards)
	var limit *int32
	if s.Limit > 0 {
		n := int32(min(s.Limit, 1<<30)) // #nosec G115 -- bounded
		limit = &n
	}
	args := []any{
		s.Alive.Now, s.Alive.UsedAfter, s.Alive.OpenedAfter, // 1-3
		s.ID, s.UserID, s.RefreshHash, s.ExpiresAt, nullableTime(s.EndsAt), s.AAL, amr, // 4-10
		nullable(UserAgent(s.Client)), nullable(s.Client.Prefix()), // 11-12
		nullable(s.CheckedHash), nullable(s.NewHash), keys, most, // 13-16
		s.Entry.Event, s.Entry.detail(), s.Entry.payload(), s.Clears, // 17-20
		limit, nullable(s.Beside), nullable(s.PAT), s.NoFactor, jsonOrNull(s.Metadata), nullable(s.Client.Logged()), // 21-26
		s.FactorDue, // 27
	}
	if limit == nil {
		return db.guarded(ctx, openSessionSQL, args...)
	}
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, s.UserID)
	b.Queue(holdSessionsSQL, s.UserID)
	b.Queue(openSessionSQL, args...)
	counts, err := changed(ctx, db, b)
	if err == nil && counts[2] == 0 {
		err = ErrChanged
	}
	return err
}

const (
	holdSessionsSQL = `select from auth.refresh_tokens where user_id = $1 and type = 'regular' order by id for update`
	openSessionSQL  = `
	with owner as (
		update auth.users u set last_seen = $1, last_sign_in_at = $1, password_hash = coalesce($14, u.password_hash), metadata = coalesce($25::jsonb, u.metadata)
		where u.id = $5 and` + isOpen + `$1) and ($13::text is null or u.password_hash = $13 and not u.password_must_change) and not ($24::boolean and` + hasFactor + `)
		and not exists (select from auth.security_counters c join unnest($15::text[], $16::int[]) as g(key, most) using (key)
			where c.count >= g.most and c.window_ends_at > $1)
		returning u.id
	), ended as (
		delete from auth.refresh_tokens where $21::int is not null and exists (select from owner) and id in (
			select t.id from auth.refresh_tokens t where t.user_id = $5 and t.id is distinct from $22::uuid and` + isAlive + `
			order by t.created_at desc, t.id desc offset greatest($21::int - 1, 0))
		returning id
	), session as (
		insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, ends_at, aal, amr, user_agent, address_prefix, rotated_at, type, factor_id, factor_due)
		select $4, id, $6, $1, least($7::timestamptz, $8::timestamptz), $8, $9, $10::jsonb, $11, $12, $1, 'regular', $23::uuid, $27::boolean from owner
		where (select count(*) from ended) >= 0 -- after they have gone
		returning id, user_id
	), cleared as (
		delete from auth.security_counters where key = $20 and exists (select from session)
	), audited as (
		insert into auth.audit_entries (at, event, user_id, session_id, address_prefix, user_agent, detail)
		select $1, 'session.ended', $5, id, $26::text, $11, '{"reason": "limit"}' from ended
		union all select $1, $17, user_id, id, $26::text, $11, $18::jsonb from session
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 + (select count(*) from ended) from session
		on conflict (user_id) do update set last = auth.event_heads.last + excluded.last returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at)
		select head.user_id, head.last - row_number() over (order by ended.id), 'session.ended',
			jsonb_build_object('userId', head.user_id, 'sessionId', ended.id, 'reason', 'limit'), $1 from head, ended
		union all select user_id, last, $17, $19::jsonb, $1 from head
	)
	select id from session`
)

// Alive says which sessions are alive: at that time they have not come to their own end, and the
// operator's limits of today, which may be tighter than when they were opened, leave them alive.
type Alive struct {
	Now         time.Time
	UsedAfter   time.Time // of the last refresh; zero where there is no limit
	OpenedAfter time.Time // the same for the beginning
}

// isAlive is the condition that a session t is alive, in statements whose first three parameters are
// an Alive. When Hasura Auth refreshed its sessions is not known: they begin to count as idle at their
// first refresh here.
const (
	isAlive = ` t.type = 'regular' and` + isInTime
	// isClientAlive is the same of a session that the user gave to a client of the OAuth server, and isAnyAlive of either.
	isClientAlive = ` t.type = 'oauth' and` + isInTime
	isAnyAlive    = ` t.type in ('regular', 'oauth') and` + isInTime
	isInTime      = ` t.expires_at > $1::timestamptz and (t.ends_at is null or t.ends_at > $1::timestamptz)
	and (t.rotated_at is null or t.rotated_at > $2::timestamptz) and t.created_at > $3::timestamptz`
)

// Rotation exchanges a refresh token for the next one.
type Rotation struct {
	Hash, NextHash string
	ExpiresAt      time.Time     // the new end of the session, unless it must end before
	MaxLife        time.Duration // how long a session may last in all; 0 means any time
	RequireEmail   bool          // an unverified e-mail address stops the refresh
	Vouching       bool          // though not where a provider knows the user
	TakesDue       bool          // a session whose second factor is due may go on
	Client         auth.Client
	Alive          Alive
}

// Refreshed is a session after a refresh, with its user.
type Refreshed struct {
	auth.User
	SessionID        string
	SessionCreatedAt time.Time
	SessionExpiresAt time.Time
	AAL              int
	AMR              []auth.Method
	FactorDue        bool
}

// RotateWhole is Rotate, with what is known of the user beside their row, in the same round trip.
func (db *DB) RotateWhole(ctx context.Context, r Rotation) (s Refreshed, d auth.Details, err error) {
	b := &pgx.Batch{}
	b.Queue(rotateSQL, r.args()...)
	b.Queue(detailsOfTokenSQL, r.NextHash)
	results := db.SendBatch(ctx, b)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, err := results.Query()
	if err != nil {
		return s, d, refusal(err)
	}
	if s, err = collected[Refreshed](rows); err != nil {
		return s, d, err
	}
	d, err = readDetails(results)
	return s, d, err
}

// Rotate exchanges the current refresh token of a live session in one statement. When the token is
// not the current one of a session that may go on, nothing is written: ErrNotFound.
//
// It holds the session's row when it comes to the user's, while a change of the password takes them
// the other way round. So it never waits for the user: whoever holds that row, last_seen can be
// written the next time.
func (db *DB) Rotate(ctx context.Context, r Rotation) (Refreshed, error) {
	return one[Refreshed](ctx, db, rotateSQL, r.args()...)
}

func (r Rotation) args() []any {
	return []any{
		r.Alive.Now, r.Alive.UsedAfter, r.Alive.OpenedAfter, r.Hash, r.NextHash, r.ExpiresAt,
		nullable(UserAgent(r.Client)), nullable(r.Client.Prefix()), r.RequireEmail, nullableDuration(r.MaxLife), r.Vouching, r.TakesDue,
	}
}

const (
	rotateSQL = `
	with turned as (
		update auth.refresh_tokens t
		set refresh_token_hash = $5, rotated_at = $1, expires_at = least($6::timestamptz, t.ends_at, t.created_at + $10::interval),
			ends_at = least(t.ends_at, t.created_at + $10::interval), user_agent = $7, address_prefix = $8
		from auth.users u
		where t.refresh_token_hash = $4 and` + isAlive + `
			and u.id = t.user_id and` + isOpen + `$1) and (not $9 or u.email_verified or u.email is null or u.is_anonymous
				or $11 and exists (select from auth.user_providers i where i.user_id = u.id))
			and ($12 or not t.factor_due or not` + hasFactor + `)
		returning t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr, t.user_id,
			t.factor_due and` + hasFactor + ` as factor_due
	), seen as (
		update auth.users s set last_seen = $1 from (
			select u.id from turned t join auth.users u on u.id = t.user_id
			where u.last_seen is null or u.last_seen < $1::timestamptz - interval '1 minute'
			for no key update of u skip locked) due
		where s.id = due.id
	)
	select` + userColumns + `, t.session_id, t.session_created_at, t.session_expires_at, t.aal, t.amr, t.factor_due
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
		t.factor_due and` + hasFactor + ` as factor_due, t.refresh_token_hash as current_hash, t.rotated_at, t.ends_at,
		coalesce(t.user_agent, '') as user_agent, coalesce(t.address_prefix, '') as address_prefix
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id
	where t.type = 'regular' and t.id in (
			select f.id from auth.refresh_tokens f where f.refresh_token_hash = any($1::text[])
			union all select w.session_id from auth.refresh_tripwires w where w.hash = any($1::text[]))
		and (t.refresh_token_hash = any($1::text[])
			or exists (select from auth.refresh_tripwires w where w.session_id = t.id and w.hash = any($1::text[])))
	limit 1 for update of t`

// SessionOfTokens finds the session that one of the hashes belongs to, as its current token or as one
// of its tripwires. It holds nothing and promises nothing: what the session is worth is judged later.
func (db *DB) SessionOfTokens(ctx context.Context, hashes []string) (Refreshed, error) {
	return one[Refreshed](ctx, db, sessionOfTokensSQL, hashes)
}

const sessionOfTokensSQL = `select` + userColumns + `,
		t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr,
		t.factor_due and` + hasFactor + ` as factor_due
	from auth.refresh_tokens t join auth.users u on u.id = t.user_id
	where t.type = 'regular' and t.id in (
			select f.id from auth.refresh_tokens f where f.refresh_token_hash = any($1::text[])
			union all select w.session_id from auth.refresh_tripwires w where w.hash = any($1::text[]))
	limit 1`

// Branch gives a held session another current token and leaves a tripwire in the place of the one
// that nobody used. It must run in a transaction.
func (db *DB) Branch(ctx context.Context, sessionID, unusedHash string, r Rotation) error {
	b := &pgx.Batch{}
	b.Queue(branchSQL, sessionID, unusedHash, r.NextHash, r.Alive.Now, r.ExpiresAt, nullable(UserAgent(r.Client)), nullable(r.Client.Prefix()), nullableDuration(r.MaxLife))
	b.Queue(addTripwireSQL, unusedHash, sessionID, r.Alive.Now)
	return guardedBatch(ctx, db, b, 1)
}

const (
	branchSQL = `update auth.refresh_tokens set refresh_token_hash = $3, rotated_at = $4,
		expires_at = least($5::timestamptz, ends_at, created_at + $8::interval), ends_at = least(ends_at, created_at + $8::interval),
		user_agent = $6, address_prefix = $7
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

// EndOtherSessions ends every session of a user but one, which must still be there: otherwise it is ErrChanged. A change of address
// that was asked for in any other is off: whoever is thrown out does not come back by a mail. It must run in a transaction.
func (db *DB) EndOtherSessions(ctx context.Context, userID, keep string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, userID)
	b.Queue(keepSessionSQL, userID, nullable(keep))
	b.Queue(endOtherSessionsSQL, userID, nullable(keep))
	b.Queue(dropOtherChangesSQL, userID, keep, []auth.Purpose{auth.ConfirmEmailChange, auth.ConfirmEmailChange.Code()})
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const dropOtherChangesSQL = `
	with gone as (
		delete from auth.tickets where user_id = $1 and purpose = any($3::text[]) and coalesce(payload->>'session', '') <> $2 returning id
	)
	update auth.users u set new_email = null where u.id = $1 and exists (select from gone)
		and not exists (select from auth.tickets t where t.user_id = u.id and t.purpose = any($3::text[]) and t.payload->>'session' = $2)`

// EndSessionOfToken ends the session that one of the hashes is the token of, in one statement. An
// unknown token ends nothing and is no error.
func (db *DB) EndSessionOfToken(ctx context.Context, hashes []string, e Entry) error {
	_, err := one[struct{ ID string }](ctx, db, endSessionOfTokenSQL, hashes, e.At, e.Event,
		nullable(e.Client.Logged()), nullable(UserAgent(e.Client)), e.detail())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// EndAllSessions ends every session of a user in one statement, and revokes the personal access
// tokens too: they are rows of the same table, and Hasura Auth does so. An actor whose own session has
// ended, or who is gone, ends nothing: ErrNotFound.
func (db *DB) EndAllSessions(ctx context.Context, a auth.Actor, alive Alive, e Entry) error {
	_, err := one[struct{ UserID string }](ctx, db, endAllSessionsSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, a.UserID, nullable(a.SessionID), e.Event,
		nullable(e.Client.Logged()), nullable(UserAgent(e.Client)), e.detail(), e.payload())
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
		select t.id, (` + isAlive + `) as alive from auth.refresh_tokens t where t.user_id = $4 order by t.id for update
	), actor as (
		select id as user_id from auth.users where id = $4 and ($5::uuid is null or exists (select from held where held.id = $5 and alive))
	), ended as (
		delete from auth.refresh_tokens where id in (select id from held) and exists (select from actor)
	), audited as (
		insert into auth.audit_entries (at, event, user_id, address_prefix, user_agent, detail)
		select $1, $6, user_id, $7, $8, $9::jsonb from actor
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from actor
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at) select user_id, last, $6, $10::jsonb, $1 from head
	)
	select user_id from actor`
)

func nullableTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func nullableDuration(d time.Duration) *time.Duration {
	if d == 0 {
		return nil
	}
	return &d
}
