package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Happened is an event.
type Happened struct {
	ID      string
	UserID  string
	Seq     int64
	Type    string
	Payload json.RawMessage
	At      time.Time
}

// EventSlice lists a part of the events that are asked for, the newest first. A key is a moment and an id.
func (db *DB) EventSlice(ctx context.Context, a EventsAsked, s Slice) ([]Happened, error) {
	where, args := a.where()
	sql := `select e.id, e.user_id, e.seq, e.type, e.payload, e.at from auth.events e where` + where
	return latestSlice[Happened](ctx, db, sql, "e.at", "e.id", "uuid", s, args)
}

// CountEvents tells how many events there are of those that are asked for, and counts no further than most.
func (db *DB) CountEvents(ctx context.Context, a EventsAsked, most int) (int, error) {
	where, args := a.where()
	row, err := one[struct{ Count int }](ctx, db, fmt.Sprintf(`select count(*)::int as count from (select from auth.events e where%s limit $%d) n`, where, len(args)+1), append(args, most)...)
	return row.Count, err
}

// where is the condition on events. What is not asked for is not in it, so that each question finds its index.
func (a EventsAsked) where() (string, []any) {
	var args []any
	parts := []string{" true"}
	add := func(part string, arg any) {
		args = append(args, arg)
		parts = append(parts, fmt.Sprintf(part, len(args)))
	}
	if a.ID != "" {
		add("e.id = $%d::uuid", a.ID)
	}
	if a.UserID != "" {
		add("e.user_id = $%d::uuid", a.UserID)
	}
	if a.Type != "" {
		add("e.type like $%d", a.Type)
	}
	if !a.Since.IsZero() {
		add("e.at >= $%d::timestamptz", a.Since)
	}
	if !a.Until.IsZero() {
		add("e.at < $%d::timestamptz", a.Until)
	}
	return strings.Join(parts, " and "), args
}

// latestSlice reads a slice of a list whose key is a moment and an id, the newest first.
func latestSlice[T any](ctx context.Context, db *DB, sql, at, id, idType string, s Slice, args []any) ([]T, error) {
	order := " desc"
	if s.Backward {
		order = ""
	}
	for i, key := range [][]string{s.After, s.Before} {
		if len(key) != 2 {
			continue
		}
		sql += fmt.Sprintf(" and (%s, %s) %s ($%d::text::timestamptz, $%d::text::%s)", at, id, []string{"<", ">"}[i], len(args)+1, len(args)+2, idType)
		args = append(args, key[0], key[1])
	}
	sql += fmt.Sprintf(" order by %s%s, %s%s limit $%d", at, order, id, order, len(args)+1)
	rows, err := db.Query(ctx, sql, append(args, s.Most+1)...)
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if s.Backward {
		slices.Reverse(found)
	}
	return found, refusal(err)
}

// Delivery is what became of an event at a receiver.
type Delivery struct {
	EventID  string
	Endpoint string
	State    string // of TellStates
	Attempts int
	Error    string
	NextAt   *time.Time
}

// Deliveries tells what became of events at receivers, in one statement. An event that a receiver does not get
// has no line.
func (db *DB) Deliveries(ctx context.Context, eventIDs []string, receivers []Receiver) ([]Delivery, error) {
	if len(eventIDs) == 0 || len(receivers) == 0 {
		return nil, nil
	}
	rows, err := db.Query(ctx, deliveriesSQL, eventIDs, receiversJSON(receivers))
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Delivery])
	return found, refusal(err)
}

// EventOfUser is an event with what became of it at every receiver that gets it.
type EventOfUser struct {
	Happened
	Deliveries []Delivery // without the event's id
}

// EventsOfUsers lists what happened to each of several users, so many events of each at most, the newest first.
func (db *DB) EventsOfUsers(ctx context.Context, userIDs []string, receivers []Receiver, most int) (map[string][]EventOfUser, error) {
	return ofUsers(ctx, db, func(e EventOfUser) string { return e.UserID }, eventsOfUsersSQL, userIDs, receiversJSON(receivers), most)
}

// receiversJSON are receivers as statements take them.
func receiversJSON(receivers []Receiver) []byte {
	type receiver struct {
		Name  string   `json:"name"`
		Types []string `json:"types"`
	}
	list := make([]receiver, len(receivers))
	for i, r := range receivers {
		list[i] = receiver{r.Name, r.Types}
	}
	text, _ := json.Marshal(list) // texts always can be
	return text
}

const (
	// What became of an event e at the receivers of $2, one row for each that gets it.
	deliveriesOfEvent = `select r.name as endpoint,
		case when t.dead_at is not null then 'dead' when t.again_at is not null then 'waiting'
			when e.seq <= l.sent then 'delivered' else 'waiting' end as state,
		coalesce(t.attempts, 0) + case when e.seq = l.sent + 1 or t.again_at is not null then l.attempts else 0 end as attempts,
		coalesce(t.error, case when e.seq > l.sent or t.again_at is not null then l.error end, '') as error,
		case when l.attempts > 0 and (e.seq > l.sent or t.again_at is not null) then l.due_at end as next_at
		from jsonb_to_recordset($2::jsonb) as r(name text, types text[])
		join auth.event_endpoints p on p.name = r.name
		left join auth.event_lanes l on l.user_id = e.user_id and l.endpoint = r.name
		left join auth.event_letters t on t.user_id = e.user_id and t.endpoint = r.name and t.seq = e.seq
		where t.user_id is not null or e.at >= p.since and e.type like any(r.types)`

	deliveriesSQL = `select e.id as event_id, d.* from auth.events e cross join lateral (` + deliveriesOfEvent + `) d
		where e.id = any($1::uuid[]) order by e.id, d.endpoint`

	eventsOfUsersSQL = `select e.id, e.user_id, e.seq, e.type, e.payload, e.at, d.deliveries
		from unnest($1::uuid[]) as u(of)
		cross join lateral (select e.* from auth.events e where e.user_id = u.of order by e.seq desc limit $3) e
		cross join lateral (select coalesce(jsonb_agg(jsonb_build_object('endpoint', d.endpoint, 'state', d.state, 'attempts', d.attempts, 'error', d.error, 'nextAt', d.next_at)
			order by d.endpoint), '[]'::jsonb) as deliveries from (` + deliveriesOfEvent + `) d) d
		order by e.seq desc`

	backlogsSQL = `
	select r.name as endpoint, p.since, coalesce(w.count, 0)::int as waiting, w.oldest,
		(select count(*)::int from auth.event_letters d where d.endpoint = r.name and d.dead_at is not null) as dead,
		coalesce((select x.error from auth.event_lanes x where x.endpoint = r.name and x.due_at is not null and x.attempts > 0 order by x.due_at desc limit 1), '') as error
	from jsonb_to_recordset($1::jsonb) as r(name text, types text[])
		left join auth.event_endpoints p on p.name = r.name
		left join lateral (select count(*) as count, min(at) as oldest from (
			select e.at from auth.event_lanes l join auth.events e on e.user_id = l.user_id and e.seq > l.sent and e.type like any(r.types)
				where l.endpoint = r.name and l.due_at is not null
			union all
			select t.again_at from auth.event_letters t where t.endpoint = r.name and t.again_at is not null
			limit $2) n) w on true
	order by r.name`
)

// Backlog is what waits for a receiver.
type Backlog struct {
	Endpoint string
	Since    *time.Time // since when the receiver gets events; nil before it was first seen
	Waiting  int        // counted no further than asked for
	Oldest   *time.Time
	Dead     int
	Error    string // of the last attempt that failed, where one waits to be tried again
}

// Backlogs tells what waits for receivers.
func (db *DB) Backlogs(ctx context.Context, receivers []Receiver, most int) ([]Backlog, error) {
	rows, err := db.Query(ctx, backlogsSQL, receiversJSON(receivers), most)
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Backlog])
	return found, refusal(err)
}
