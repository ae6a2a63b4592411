package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Ending says which sessions somebody ends who is not their user.
type Ending struct {
	UserIDs    []string  // all of these users
	SessionIDs []string  // and these
	Before     time.Time // none that began then or later; zero for any
	PATs       bool      // the personal access tokens of the users as well, and all that they opened
	Entry      Entry     // told of each user concerned, with the number
}

// Ended is what ended of a user.
type Ended struct {
	UserID   string
	Sessions int
	PATs     int
}

// EndSessions ends sessions, what operators have in the place of the users, and what the users have as operators
// in the place of others, with one entry for each user of whom any ended. It must run in a transaction.
//
// Personal access tokens are held first: what they opened until then, the statement that drops must see.
func (db *DB) EndSessions(ctx context.Context, e Ending) ([]Ended, error) {
	before := nullableTime(e.Before)
	if e.PATs {
		if _, err := db.Exec(ctx, holdPATsSQL, e.UserIDs, before); err != nil {
			return nil, refusal(err)
		}
	}
	c := e.Entry.Client
	rows, err := db.Query(ctx, endSessionsSQL, e.UserIDs, e.SessionIDs, e.PATs, before, e.Entry.At,
		e.Entry.Event, nullable(e.Entry.ActorID), nullable(c.Prefix()), nullable(UserAgent(c)), e.Entry.detail())
	if err != nil {
		return nil, refusal(err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Ended])
}

// Rows are locked in the order of their ids, and heads of events in that of their users, as everywhere.
const (
	holdPATsSQL = `select from auth.refresh_tokens where user_id = any($1::uuid[]) and type = 'pat' and ($2::timestamptz is null or created_at < $2) order by id for update`

	endSessionsSQL = `
	with pats as (
		select p.id from auth.refresh_tokens p where $3::boolean and p.user_id = any($1::uuid[]) and p.type = 'pat' and ($4::timestamptz is null or p.created_at < $4)
	), held as (
		select t.id from auth.refresh_tokens t
		where (t.user_id = any($1::uuid[]) or t.id = any($2::uuid[])) and (t.ends_at is null or t.ends_at > $5) and t.expires_at > $5
			and (t.type in ('regular', 'oauth') and ($4::timestamptz is null or t.created_at < $4 or t.factor_id in (select id from pats)) or t.id in (select id from pats))
		order by t.id for update
	), dropped as (
		delete from auth.refresh_tokens where id in (select id from held) returning id, user_id, type = 'pat' as pat
	), acted as (
		delete from auth.impersonations where (user_id = any($1::uuid[]) or actor_id = any($1::uuid[]) or id = any($2::uuid[]) or actor_session_id = any($2::uuid[])) and ($4::timestamptz is null or created_at < $4) and expires_at > $5
		returning id, user_id, false as pat
	), gone as (
		select user_id, count(*) filter (where not pat) as sessions, count(*) filter (where pat) as pats, (array_agg(id) filter (where not pat))[1] as session_id
		from (select * from dropped union all select * from acted) x group by user_id
	), facts as (
		select user_id, sessions, pats, case when sessions = 1 and pats = 0 then session_id end as session_id,
			$10::jsonb || jsonb_build_object('count', sessions) || case when pats > 0 then jsonb_build_object('pats', pats) else '{}' end as detail
		from gone
	), audited as (
		insert into auth.audit_entries (at, event, user_id, actor_id, session_id, address_prefix, user_agent, detail)
		select $5, $6, user_id, $7, session_id, $8, $9, detail from facts
	), head as (
		insert into auth.event_heads (user_id, last) select user_id, 1 from facts order by user_id
		on conflict (user_id) do update set last = auth.event_heads.last + 1 returning user_id, last
	), told as (
		insert into auth.events (user_id, seq, type, payload, at)
		select head.user_id, head.last, $6, facts.detail || jsonb_strip_nulls(jsonb_build_object('userId', head.user_id, 'sessionId', facts.session_id)), $5
		from head join facts using (user_id)
	)
	select user_id, sessions::int, pats::int from facts`
)

// Swept is one step of ending the sessions of everybody.
type Swept struct {
	Sessions int
	PATs     int
	Seen     int
	LastID   string // where the next step begins
}

// EndSessionsOfAll ends the sessions of everybody that began before a time, in the order of their ids and so
// many at once: no lock is held for long. What a personal access token opened goes with it.
func (db *DB) EndSessionsOfAll(ctx context.Context, afterID string, before time.Time, pats bool, most int) (Swept, error) {
	return one[Swept](ctx, db, endSessionsOfAllSQL, afterID, before, pats, most)
}

const endSessionsOfAllSQL = `
	with held as (
		select t.id, t.type from auth.refresh_tokens t where t.id > $1::uuid
			and (t.type in ('regular', 'oauth') and (t.created_at < $2::timestamptz or $3::boolean and t.factor_id is not null
				and not exists (select from auth.refresh_tokens p where p.id = t.factor_id and p.created_at >= $2))
			or $3 and t.type = 'pat' and t.created_at < $2)
		order by t.id limit $4 for update
	), dropped as (
		delete from auth.refresh_tokens where id in (select id from held) returning id, type
	)
	select (select count(*)::int from dropped where type <> 'pat') as sessions, (select count(*)::int from dropped where type = 'pat') as pats,
		(select count(*)::int from held) as seen, coalesce((select id::text from held order by id desc limit 1), '') as last_id`

// EndImpersonations ends all that operators have in the place of users since before a time, and tells how many.
func (db *DB) EndImpersonations(ctx context.Context, before, now time.Time) (int, error) {
	b := &pgx.Batch{}
	b.Queue(endImpersonationsSQL, before, now)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return 0, err
	}
	return int(counts[0]), nil
}

const endImpersonationsSQL = `delete from auth.impersonations where created_at < $1 and expires_at > $2`
