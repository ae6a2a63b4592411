package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Told is an event with what became of it at one receiver.
type Told struct {
	ID       string
	UserID   string
	Seq      int64
	Type     string
	At       time.Time
	Endpoint string
	State    string // of TellStates
	Attempts int
	Error    string
	NextAt   *time.Time // of the next attempt, when one failed
}

// The states of an event at a receiver.
const (
	TellWaiting   = "waiting"
	TellDelivered = "delivered"
	TellDead      = "dead"
	TellNone      = "" // there is no receiver
)

// EventsAsked says which events somebody wants to see, or to have sent again. A zero field asks for any.
type EventsAsked struct {
	ID     string
	UserID string
	Type   string // a pattern of SQL's like
	Since  time.Time
	Until  time.Time // what happened then is not among them
	Dead   bool      // only those that were given up
	Most   int       // in a list; of a replay, more than so many are counted and not sent, and 0 sends all
}

func (a EventsAsked) args() []any {
	return []any{nullable(a.ID), nullable(a.UserID), nullable(a.Type), nullableTime(a.Since), nullableTime(a.Until)}
}

// ListEvents lists events as they are at one receiver, the newest first. A receiver without a name
// stands for none.
func (db *DB) ListEvents(ctx context.Context, r Receiver, a EventsAsked) ([]Told, error) {
	sql, args := listEventsSQL, append([]any{r.Name}, a.args()...)
	if a.Dead {
		sql = listDeadSQL
		args = append(args, a.Most)
	} else {
		args = append(args, a.Most, r.Since, r.Types)
	}
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Told])
}

const (
	eventsAsked = ` ($2::uuid is null or e.id = $2) and ($3::uuid is null or e.user_id = $3) and ($4::text is null or e.type like $4)
		and ($5::timestamptz is null or e.at >= $5) and ($6::timestamptz is null or e.at < $6)`

	listEventsSQL = `
	select e.id, e.user_id, e.seq, e.type, e.at, $1 as endpoint,
		case when $1 = '' then '' when t.dead_at is not null then 'dead' when t.again_at is not null then 'waiting'
			when e.seq <= l.sent then 'delivered' else 'waiting' end as state,
		coalesce(t.attempts, 0) + case when e.seq = l.sent + 1 or t.again_at is not null then l.attempts else 0 end as attempts,
		coalesce(t.error, case when e.seq > l.sent or t.again_at is not null then l.error end, '') as error,
		case when l.attempts > 0 and (e.seq > l.sent or t.again_at is not null) then l.due_at end as next_at
	from auth.events e left join auth.event_lanes l on l.user_id = e.user_id and l.endpoint = $1
		left join auth.event_letters t on t.user_id = e.user_id and t.endpoint = $1 and t.seq = e.seq
	where` + eventsAsked + ` and ($1 = '' or t.user_id is not null or e.at >= $8 and e.type like any($9::text[]))
	order by e.at desc, e.seq desc limit $7`

	listDeadSQL = `
	select e.id, e.user_id, e.seq, e.type, e.at, t.endpoint, 'dead' as state, t.attempts, coalesce(t.error, '') as error, null::timestamptz as next_at
	from auth.event_letters t join auth.events e on e.user_id = t.user_id and e.seq = t.seq
	where t.endpoint = $1 and t.dead_at is not null and` + eventsAsked + `
	order by t.dead_at desc, e.seq desc limit $7`
)

// mostReplayCounted is how far events are counted that are too many to be sent again.
const mostReplayCounted = 100_000

// Replay has events sent to a receiver again, in their order for each user and before what waits, and
// tells how many. What waits anyway is not among them. More than the most are counted, up to a hundred thousand,
// and nothing is written.
func (db *DB) Replay(ctx context.Context, r Receiver, a EventsAsked, now time.Time) (int64, error) {
	sql, args := replayEventsSQL, append([]any{r.Name}, a.args()...)
	args = append(args, r.Since, now)
	if a.Most == 0 {
		args = append(args, nil, nil)
	} else {
		args = append(args, a.Most, mostReplayCounted)
	}
	if a.Dead {
		sql = replayDeadSQL
	} else {
		args = append(args, r.Types)
	}
	row, err := one[struct{ Count int64 }](ctx, db, sql, args...)
	return row.Count, err
}

const (
	replayEventsSQL = `
	with chosen as (
		select e.user_id, e.seq from auth.events e left join auth.event_lanes l on l.user_id = e.user_id and l.endpoint = $1
		where` + eventsAsked + ` and e.type like any($11::text[]) and (e.at < $7 or e.seq <= l.sent)` + replayChosen

	replayDeadSQL = `
	with chosen as (
		select e.user_id, e.seq from auth.event_letters t join auth.events e on e.user_id = t.user_id and e.seq = t.seq
		where t.endpoint = $1 and t.dead_at is not null and` + eventsAsked + replayChosen

	replayChosen = `
		limit $10::bigint
	), letters as (
		insert into auth.event_letters (user_id, endpoint, seq, again_at) select user_id, $1, seq, $8 from chosen
			where $9::bigint is null or (select count(*) from chosen) <= $9 order by user_id, seq
		on conflict (user_id, endpoint, seq) do update set again_at = excluded.again_at, dead_at = null, attempts = 0, error = null
		returning user_id
	), lanes as (
		insert into auth.event_lanes (user_id, endpoint, sent, due_at)
		select u.user_id, $1, coalesce((select b.seq from auth.events b where b.user_id = u.user_id and b.at < $7 order by b.seq desc limit 1), 0), $8
		from (select distinct user_id from letters) u order by u.user_id
		on conflict (user_id, endpoint) do update set due_at = excluded.due_at where event_lanes.claim is null
	)
	select count(*) from chosen`
)
