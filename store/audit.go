package store

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"postern/auth"
)

// AuditEntry is an entry of the audit log as an operator reads it.
type AuditEntry struct {
	ID            int64
	At            time.Time
	Event         string
	UserID        string // empty when it concerns no user
	ActorID       string // who did it, when that is not the user
	SessionID     string // empty when it is of none
	AddressPrefix string // what is kept of the client's address
	UserAgent     string
	Detail        json.RawMessage // nil when there is none
	SealNo        int64           // the number of its seal; 0 while it waits for one
}

// Key is its place in the log, which is read the newest first.
func (e AuditEntry) Key() []string {
	return []string{strconv.FormatInt(e.At.UnixMicro(), 10), strconv.FormatInt(e.ID, 10)}
}

// AuditAsked says which entries are meant.
type AuditAsked struct {
	UserID, ActorID, SessionID string    // empty for any
	Events                     []string  // any when empty
	Since, Until               time.Time // the second not included; zero for any
}

// ListAudit lists entries, the newest first.
func (db *DB) ListAudit(ctx context.Context, q AuditAsked, s Slice) ([]AuditEntry, error) {
	newest, err := auditPlace(s.After, auditKey{pgtype.Infinity, time.Time{}, math.MaxInt64})
	if err != nil {
		return nil, err
	}
	oldest, err := auditPlace(s.Before, auditKey{pgtype.NegativeInfinity, time.Time{}, math.MinInt64})
	if err != nil {
		return nil, err
	}
	args := append(q.arguments(), newest.at(), newest.id, oldest.at(), oldest.id, s.Most+1)
	rows, err := db.Query(ctx, q.statement(s.Backward), args...)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[AuditEntry])
	if s.Backward {
		slices.Reverse(list)
	}
	return list, err
}

// CountAudit counts entries, up to a number.
func (db *DB) CountAudit(ctx context.Context, q AuditAsked, most int) (n int, err error) {
	sql := map[auditLead]string{
		leadAll: countAuditSQL, leadUser: countAuditOfUserSQL, leadActor: countAuditOfActorSQL, leadSession: countAuditOfSessionSQL,
		leadEvents: countAuditOfEventsSQL,
	}[q.lead()]
	err = db.QueryRow(ctx, sql, append(q.arguments(), most)...).Scan(&n)
	return n, err
}

// AuditOfUsers lists the newest entries about each of several users, so many of each at most.
func (db *DB) AuditOfUsers(ctx context.Context, userIDs []string, most int) (map[string][]AuditEntry, error) {
	return ofUsers(ctx, db, func(e AuditEntry) string { return e.UserID }, auditOfUsersSQL, userIDs, most)
}

// auditKey is a place in the log, or one of its ends.
type auditKey struct {
	end  pgtype.InfinityModifier
	when time.Time
	id   int64
}

func (k auditKey) at() pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: k.when, InfinityModifier: k.end, Valid: true}
}

func auditPlace(key []string, end auditKey) (auditKey, error) {
	if key == nil {
		return end, nil
	}
	wrong := auth.Invalid{Field: "after", Problem: "must be a cursor of this list"}
	if len(key) != 2 {
		return end, wrong
	}
	at, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil {
		return end, wrong
	}
	id, err := strconv.ParseInt(key[1], 10, 64)
	if err != nil {
		return end, wrong
	}
	return auditKey{when: time.UnixMicro(at), id: id}, nil
}

// auditLead is what of a question an index answers.
type auditLead int

const (
	leadAll auditLead = iota
	leadUser
	leadActor
	leadSession
	leadEvents
)

func (q AuditAsked) lead() auditLead {
	switch {
	case q.SessionID != "":
		return leadSession
	case q.UserID != "":
		return leadUser
	case q.ActorID != "":
		return leadActor
	case len(q.Events) > 0:
		return leadEvents
	}
	return leadAll
}

// statement is the one for the question. Each is led by another index: one for all would be planned
// without knowing which of its parameters are given.
func (q AuditAsked) statement(backward bool) string {
	if backward {
		return map[auditLead]string{
			leadAll: oldestAuditSQL, leadUser: oldestAuditOfUserSQL, leadActor: oldestAuditOfActorSQL, leadSession: oldestAuditOfSessionSQL,
			leadEvents: oldestAuditOfEventsSQL,
		}[q.lead()]
	}
	return map[auditLead]string{
		leadAll: newestAuditSQL, leadUser: newestAuditOfUserSQL, leadActor: newestAuditOfActorSQL, leadSession: newestAuditOfSessionSQL,
		leadEvents: newestAuditOfEventsSQL,
	}[q.lead()]
}

// arguments are the first six of each statement.
func (q AuditAsked) arguments() []any {
	since := auditKey{end: pgtype.NegativeInfinity}
	until := auditKey{end: pgtype.Infinity}
	if !q.Since.IsZero() {
		since = auditKey{when: q.Since}
	}
	if !q.Until.IsZero() {
		until = auditKey{when: q.Until}
	}
	var names []string
	if len(q.Events) > 0 {
		names = q.Events
	}
	return []any{since.at(), until.at(), nullable(q.UserID), nullable(q.ActorID), nullable(q.SessionID), names}
}

const (
	auditColumns = ` e.id, e.at, e.event, coalesce(e.user_id::text, '') as user_id, coalesce(e.actor_id::text, '') as actor_id,
		coalesce(e.session_id::text, '') as session_id, coalesce(e.address_prefix, '') as address_prefix,
		coalesce(e.user_agent, '') as user_agent, e.detail`
	withSeals = ` e.*, coalesce((select s.no from auth.audit_seals s where s.entry_at = e.at and s.entry_id = e.id), 0) as seal_no`
	// Times that are none are somebody else's doing, and cannot be shown.
	auditIs = ` e.at >= $1::timestamptz and e.at < $2::timestamptz and e.at > '-infinity'
		and ($3::uuid is null or e.user_id = $3) and ($4::uuid is null or e.actor_id = $4) and ($5::uuid is null or e.session_id = $5)`
	auditNamed   = ` and ($6::text[] is null or e.event = any($6))`
	auditBetween = ` and e.at <= $7::timestamptz and (e.at, e.id) < ($7, $8::bigint) and e.at >= $9::timestamptz and (e.at, e.id) > ($9, $10::bigint)`
	newestFirst  = ` order by e.at desc, e.id desc limit $11`
	oldestFirst  = ` order by e.at, e.id limit $11`

	auditPage   = `select` + withSeals + ` from (select` + auditColumns + ` from auth.audit_entries e where` + auditIs + auditBetween
	newestPage  = newestFirst + `) e order by e.at desc, e.id desc`
	oldestPage  = oldestFirst + `) e order by e.at, e.id`
	eventsPage  = `select` + withSeals + ` from (select e.* from unnest($6::text[]) as v(name) cross join lateral (select` + auditColumns + ` from auth.audit_entries e where e.event = v.name and` + auditIs + auditBetween
	ofUser      = auditNamed + ` and e.user_id = $3`
	ofActor     = auditNamed + ` and e.actor_id = $4`
	ofSession   = auditNamed + ` and e.session_id = $5`
	auditCount  = `select count(*) from (select from auth.audit_entries e where` + auditIs + auditNamed
	countedUpTo = ` limit $7) e`

	newestAuditSQL          = auditPage + auditNamed + newestPage
	newestAuditOfUserSQL    = auditPage + ofUser + newestPage
	newestAuditOfActorSQL   = auditPage + ofActor + newestPage
	newestAuditOfSessionSQL = auditPage + ofSession + newestPage
	newestAuditOfEventsSQL  = eventsPage + newestFirst + `) e` + newestPage
	oldestAuditSQL          = auditPage + auditNamed + oldestPage
	oldestAuditOfUserSQL    = auditPage + ofUser + oldestPage
	oldestAuditOfActorSQL   = auditPage + ofActor + oldestPage
	oldestAuditOfSessionSQL = auditPage + ofSession + oldestPage
	oldestAuditOfEventsSQL  = eventsPage + oldestFirst + `) e` + oldestPage

	countAuditSQL          = auditCount + countedUpTo
	countAuditOfUserSQL    = auditCount + ` and e.user_id = $3` + countedUpTo
	countAuditOfActorSQL   = auditCount + ` and e.actor_id = $4` + countedUpTo
	countAuditOfSessionSQL = auditCount + ` and e.session_id = $5` + countedUpTo
	countAuditOfEventsSQL  = auditCount + ` and e.event = any($6)` + countedUpTo

	auditOfUsersSQL = `select` + withSeals + ` from unnest($1::uuid[]) as u(id) cross join lateral (select` + auditColumns + `
		from auth.audit_entries e where e.user_id = u.id and e.at > '-infinity' and e.at < 'infinity' order by e.at desc, e.id desc limit $2) e
		order by e.at desc, e.id desc`
)

// A Day is what happened on a day, in UTC.
type Day struct {
	Day         string // 2026-01-31
	SignUps     int64
	SignIns     int64
	Failures    int64 // sign-ins that came to nothing
	ActiveUsers int64
}

// DaysBetween lists what happened on the days from one to another, both included, the first one first. Days on
// which nothing did are missing.
func (db *DB) DaysBetween(ctx context.Context, from, to time.Time) ([]Day, error) {
	rows, err := db.Query(ctx, daysSQL, day(from), day(to))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Day])
}

const daysSQL = `
	select day::text as day, coalesce(sum(n) filter (where event = 'user.created'), 0)::bigint as sign_ups,
		coalesce(sum(n) filter (where event = 'session.started'), 0)::bigint as sign_ins,
		coalesce(sum(n) filter (where event = 'signin.failed'), 0)::bigint as failures,
		coalesce(sum(n) filter (where event = ''), 0)::bigint as active_users
	from (
		select c.day, c.event, c.count as n from auth.audit_counts c where c.day between $1::text::date and $2::text::date
			and c.event in ('user.created', 'session.started', 'signin.failed')
		union all select a.day, '', a.count from auth.active_counts a where a.day between $1::text::date and $2::text::date
	) x group by day order by day`
