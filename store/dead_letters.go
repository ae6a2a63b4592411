package store

import (
	"context"
	"fmt"
	"time"
)

// DeadLetter is an event, a mail or a text message that was given up.
type DeadLetter struct {
	Key      string // "event:<endpoint>:<event>", "mail:<job>" or "sms:<job>"
	Kind     string // event, mail or sms
	At       time.Time
	About    string // the type of an event, the template of a message
	Endpoint string // of events
	ItemID   string // of the event or the message
	UserID   string // may be empty
	Attempts int
	Error    string
}

// DeadLetterSlice lists a part of the dead letters, the newest first; empty kind is all. A key is a moment
// and the letter's.
func (db *DB) DeadLetterSlice(ctx context.Context, kind string, s Slice) ([]DeadLetter, error) {
	return latestSlice[DeadLetter](ctx, db, `select * from (`+deadLettersSQL+`) d where ($1::text = '' or kind = $1)`, "at", "key", "text", s, []any{kind})
}

// CountDeadLetters tells how many dead letters there are.
func (db *DB) CountDeadLetters(ctx context.Context, kind string) (int, error) {
	row, err := one[struct{ Count int }](ctx, db, `select count(*)::int as count from (`+deadLettersSQL+`) d where ($1::text = '' or kind = $1)`, kind)
	return row.Count, err
}

// FindDeadLetter finds one.
func (db *DB) FindDeadLetter(ctx context.Context, key string) (DeadLetter, error) {
	return one[DeadLetter](ctx, db, `select * from (`+deadLettersSQL+`) d where key = $1`, key)
}

const (
	deadLettersSQL = `
	select 'event:' || t.endpoint || ':' || e.id as key, 'event' as kind, t.dead_at as at, e.type as about, t.endpoint, e.id::text as item_id,
		e.user_id::text as user_id, t.attempts, coalesce(t.error, '') as error
	from auth.event_letters t join auth.events e on e.user_id = t.user_id and e.seq = t.seq where t.dead_at is not null
	union all
	select case j.kind when 'postern_sms' then 'sms:' else 'mail:' end || j.id, case j.kind when 'postern_sms' then 'sms' else 'mail' end, j.finalized_at,
		coalesce(j.args ->> 'template', ''), '', coalesce(j.args ->> 'id', ''), coalesce(j.args ->> 'userId', ''), j.attempt::int,
		left(coalesce(j.errors[array_upper(j.errors, 1)] ->> 'error', ''), 300)
	from postern_river.river_job j where j.state in ('cancelled', 'discarded') and j.finalized_at is not null and j.kind in ('postern_mail', 'postern_sms')`

	dropLetterSQL = `delete from auth.event_letters t using auth.events e
		where e.id = $1::uuid and t.user_id = e.user_id and t.seq = e.seq and t.endpoint = $2 and t.dead_at is not null`
	lockDeadJobSQL = `select coalesce((j.args ->> 'expiresAt')::timestamptz, 'infinity') > $2 as lives from postern_river.river_job j
		where j.id = $1 and j.state in ('cancelled', 'discarded') and j.kind in ('postern_mail', 'postern_sms') for update`
)

// DropEventLetter forgets an event that was given up for a receiver. It must run in a transaction.
func (db *DB) DropEventLetter(ctx context.Context, eventID, endpoint string, n Note) error {
	rows, err := db.changeNoted(ctx, n, dropLetterSQL, eventID, endpoint)
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}

// RetryJob has a message that was given up tried once more. ErrChanged means that the secret in it is good for
// nothing any more. It must run in a transaction.
func (db *DB) RetryJob(ctx context.Context, id int64, now time.Time, n Note) error {
	dead, err := one[struct{ Lives bool }](ctx, db, lockDeadJobSQL, id, now)
	switch {
	case err != nil:
		return err
	case !dead.Lives:
		return ErrChanged
	}
	if _, err := db.jobs.JobRetryTx(ctx, db.tx, id); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return db.AddNote(ctx, n)
}

// DropJob forgets a message that was given up. It must run in a transaction.
func (db *DB) DropJob(ctx context.Context, id int64, now time.Time, n Note) error {
	if _, err := one[struct{ Lives bool }](ctx, db, lockDeadJobSQL, id, now); err != nil {
		return err
	}
	if _, err := db.jobs.JobDeleteTx(ctx, db.tx, id); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return db.AddNote(ctx, n)
}
