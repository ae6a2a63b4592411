package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Receiver is where events go, as the lanes know it.
type Receiver struct {
	Name  string
	Since time.Time // what happened before is not for it
	Types []string  // of events, as patterns of SQL's like
}

// Claim is a lane that somebody holds until a moment that is set with every event: one user's events
// on their way to one receiver.
type Claim struct {
	Receiver Receiver
	ID       string // of this claim
	UserID   string
	Sent     int64 // the number of the last event that is done with
	Attempts int   // failed ones, of the event that is next
}

// Event is one event that waits for a receiver.
type Event struct {
	ID      string
	UserID  string
	Seq     int64
	Type    string
	Payload string // JSON
	At      time.Time
	Again   bool      // somebody asked for it again
	WaitsAt time.Time // since when it waits
}

// Letter is what became of an event that is given up.
type Letter struct {
	Attempts int
	Error    string
	At       time.Time
}

// EnsureReceiver notes a receiver when it is first seen, and tells since when it gets events.
func (db *DB) EnsureReceiver(ctx context.Context, name string, now time.Time) (time.Time, error) {
	row, err := one[struct{ Since time.Time }](ctx, db, ensureReceiverSQL, name, now)
	return row.Since, err
}

const ensureReceiverSQL = `
	with added as (
		insert into auth.event_endpoints (name, since) values ($1, $2) on conflict (name) do nothing returning since
	)
	select since from added union all select since from auth.event_endpoints where name = $1 limit 1`

// FindDue puts users into the lanes of a receiver who have events for it from after a moment that
// nobody has sent, and tells how many it found. Which events are sent does not depend on that
// moment, only which users are found: all that waits goes, in its order.
func (db *DB) FindDue(ctx context.Context, r Receiver, after, now time.Time) (int64, error) {
	if after.Before(r.Since) {
		after = r.Since
	}
	b := &pgx.Batch{}
	b.Queue(findDueSQL, r.Name, r.Since, r.Types, after, now)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

const findDueSQL = `
	with fresh as (
		select user_id, max(seq) as seq from auth.events where at >= $4 and type like any($3::text[]) group by user_id
	)
	insert into auth.event_lanes (user_id, endpoint, sent, due_at)
	select f.user_id, $1, coalesce((select b.seq from auth.events b where b.user_id = f.user_id and b.at < $2 order by b.seq desc limit 1), 0), $5
	from fresh f left join auth.event_lanes l on l.user_id = f.user_id and l.endpoint = $1
	where l.user_id is null or l.due_at is null and l.sent < f.seq
	order by f.user_id
	on conflict (user_id, endpoint) do update set due_at = excluded.due_at where event_lanes.due_at is null`

// ClaimLanes takes lanes of a receiver that are due, the longest waiting first and never one that
// somebody else holds. They are the caller's until the moment given.
func (db *DB) ClaimLanes(ctx context.Context, r Receiver, claim string, most int, now, until time.Time) ([]Claim, error) {
	rows, err := db.Query(ctx, claimLanesSQL, r.Name, now, most, until, claim)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Claim, error) {
		c := Claim{Receiver: r, ID: claim}
		return c, row.Scan(&c.UserID, &c.Sent, &c.Attempts)
	})
}

const claimLanesSQL = `
	with due as (
		select user_id from auth.event_lanes where endpoint = $1 and due_at <= $2 order by due_at limit $3 for update skip locked
	)
	update auth.event_lanes l set due_at = $4, claim = $5 from due where l.endpoint = $1 and l.user_id = due.user_id
	returning l.user_id, l.sent, l.attempts`

// NextEvents reads what a claimed lane holds, in the order in which it is sent: first what was asked
// for again.
func (db *DB) NextEvents(ctx context.Context, c Claim, most int) ([]Event, error) {
	rows, err := db.Query(ctx, nextEventsSQL, c.UserID, c.Receiver.Name, c.Sent, c.Receiver.Types, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Event])
}

const nextEventsSQL = `
	select * from (
		(select e.id, e.user_id, e.seq, e.type, e.payload::text as payload, e.at, true as again, l.again_at as waits_at
			from auth.event_letters l join auth.events e on e.user_id = l.user_id and e.seq = l.seq
			where l.user_id = $1 and l.endpoint = $2 and l.again_at is not null order by e.seq limit $5)
		union all
		(select e.id, e.user_id, e.seq, e.type, e.payload::text, e.at, false, e.at
			from auth.events e where e.user_id = $1 and e.seq > $3 and e.type like any($4::text[]) order by e.seq limit $5)
	) n order by again desc, seq limit $5`

// Delivered notes that an event of a claimed lane has arrived, and holds the lane for longer.
// ErrChanged means that the lane is no longer the caller's.
func (db *DB) Delivered(ctx context.Context, c Claim, e Event, until time.Time) error {
	if e.Again {
		return db.guarded(ctx, deliveredAgainSQL, c.UserID, c.Receiver.Name, c.ID, e.Seq, until)
	}
	return db.guarded(ctx, deliveredSQL, c.UserID, c.Receiver.Name, c.ID, e.Seq, until)
}

const (
	deliveredSQL = `update auth.event_lanes set sent = greatest(sent, $4), attempts = 0, error = null, due_at = $5
		where user_id = $1 and endpoint = $2 and claim = $3 returning user_id`
	deliveredAgainSQL = `
	with held as (
		update auth.event_lanes set attempts = 0, error = null, due_at = $5
		where user_id = $1 and endpoint = $2 and claim = $3 returning user_id
	), done as (
		delete from auth.event_letters where user_id = $1 and endpoint = $2 and seq = $4 and exists (select from held)
	)
	select user_id from held`
)

// Leave gives a claimed lane back. When more waits in it, it is due at once.
func (db *DB) Leave(ctx context.Context, c Claim, now time.Time) error {
	b := &pgx.Batch{}
	b.Queue(holdLaneSQL, c.UserID, c.Receiver.Name, c.ID)
	b.Queue(leaveSQL, c.UserID, c.Receiver.Name, c.ID, now, c.Receiver.Types)
	return guardedBatch(ctx, db, b, 2)
}

// The lane is held before anybody looks what waits in it, so that whoever asked for an event again
// meanwhile is seen.
const holdLaneSQL = `select from auth.event_lanes where user_id = $1 and endpoint = $2 and claim = $3 for update`

const leaveSQL = `update auth.event_lanes l set claim = null, due_at = case when
		exists (select from auth.event_letters t join auth.events e on e.user_id = t.user_id and e.seq = t.seq
			where t.user_id = $1 and t.endpoint = $2 and t.again_at is not null)
		or exists (select from auth.events e where e.user_id = $1 and e.seq > l.sent and e.type like any($5::text[]))
		then $4::timestamptz end
	where l.user_id = $1 and l.endpoint = $2 and l.claim = $3 returning l.user_id`

// Postpone gives a claimed lane back after an attempt that failed, until the moment given. No
// reason keeps the one of the attempt before.
func (db *DB) Postpone(ctx context.Context, c Claim, attempts int, reason string, until time.Time) error {
	return db.guarded(ctx, postponeSQL, c.UserID, c.Receiver.Name, c.ID, attempts, nullable(clean(reason, maxReason)), until)
}

const (
	maxReason   = 300
	postponeSQL = `update auth.event_lanes set claim = null, attempts = $4, error = coalesce($5, error), due_at = $6
		where user_id = $1 and endpoint = $2 and claim = $3 returning user_id`
)

// Bury gives an event of a claimed lane up: it is kept as a dead letter, and what comes after it goes on.
func (db *DB) Bury(ctx context.Context, c Claim, e Event, l Letter) error {
	sent := e.Seq
	if e.Again {
		sent = 0
	}
	return db.guarded(ctx, burySQL, c.UserID, c.Receiver.Name, c.ID, sent, e.Seq, l.At, l.Attempts, clean(l.Error, maxReason))
}

const burySQL = `
	with held as (
		update auth.event_lanes set claim = null, sent = greatest(sent, $4), attempts = 0, error = null, due_at = $6
		where user_id = $1 and endpoint = $2 and claim = $3 returning user_id, endpoint
	), buried as (
		insert into auth.event_letters (user_id, endpoint, seq, dead_at, attempts, error)
		select user_id, endpoint, $5, $6, $7, $8 from held
		on conflict (user_id, endpoint, seq) do update
			set dead_at = excluded.dead_at, again_at = null, attempts = excluded.attempts, error = excluded.error
	)
	select user_id from held`

// Rouse makes all lanes of a receiver due that wait after a failure: it takes events again.
func (db *DB) Rouse(ctx context.Context, r Receiver, now time.Time) (int64, error) {
	b := &pgx.Batch{}
	b.Queue(rouseSQL, r.Name, now)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

const rouseSQL = `update auth.event_lanes set due_at = $2 where endpoint = $1 and user_id in (
		select user_id from auth.event_lanes where endpoint = $1 and due_at > $2 and claim is null and attempts > 0
		order by user_id for update skip locked)`
