package store

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// An Entry is one security-relevant change as the audit log and the events tell it. It is written
// in the transaction that makes it true, and holds no secret.
type Entry struct {
	Event     string // "session.started"; the same word in the log and in the event
	UserID    string
	ActorID   string // who did it, when that is not the user
	By        string // in what capacity, when that is not the user: "operator"
	SessionID string
	Client    auth.Client
	Detail    map[string]any // facts of this event, for people and receivers
	At        time.Time
}

// maxUserAgent is how much of a user agent is kept: a header may be a megabyte long.
const maxUserAgent = 512

// Tell writes an entry that nothing else is written with: something was tried and refused, or only looked at.
func (db *DB) Tell(ctx context.Context, e Entry) error {
	b := &pgx.Batch{}
	queueEntry(b, e)
	_, err := changed(ctx, db, b)
	return err
}

// queueEntry writes an entry to the audit log and hands it to the receivers of events, in order for
// each user.
func queueEntry(b *pgx.Batch, e Entry) {
	detail := e.detail()
	b.Queue(addAuditSQL, e.At, e.Event, e.UserID, nullable(e.ActorID), nullable(e.SessionID),
		nullable(e.Client.Logged()), nullable(UserAgent(e.Client)), detail)
	b.Queue(addEventSQL, e.UserID, e.Event, e.payload(), e.At)
}

const (
	addAuditSQL = `insert into auth.audit_entries (at, event, user_id, actor_id, session_id, address_prefix, user_agent, detail)
		values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)`
	// The head's row lock gives one user's events one order.
	addEventSQL = `with head as (
			insert into auth.event_heads (user_id, last) values ($1, 1)
			on conflict (user_id) do update set last = auth.event_heads.last + 1 returning last)
		insert into auth.events (user_id, seq, type, payload, at) select $1, head.last, $2, $3::jsonb, $4 from head`
)

// A Note is a security-relevant change that concerns no user, such as one of a script that hooks run. It
// is in the audit log alone: events are those of users. It holds no secret either.
type Note struct {
	Event   string // "hook-script.created"
	ActorID string // the user who did it, when it was one
	By      string // in what capacity: "operator"
	Client  auth.Client
	Facts   map[string]any
	At      time.Time
}

// queueNote writes a note to the audit log.
func queueNote(b *pgx.Batch, n Note) {
	b.Queue(addNoteSQL, n.At, n.Event, nullable(n.ActorID), nullable(n.Client.Logged()), nullable(UserAgent(n.Client)), mustJSON(withBy(n.Facts, n.By)))
}

const addNoteSQL = `insert into auth.audit_entries (at, event, actor_id, address_prefix, user_agent, detail) values ($1, $2, $3, $4, $5, $6::jsonb)`

// withBy adds in what capacity somebody acted.
func withBy(facts map[string]any, by string) map[string]any {
	if by == "" {
		return facts
	}
	all := maps.Clone(facts)
	if all == nil {
		all = map[string]any{}
	}
	all["by"] = by
	return all
}

// changeNoted runs one statement with its note, and gives the number of its rows.
func (db *DB) changeNoted(ctx context.Context, n Note, sql string, arguments ...any) (int64, error) {
	b := &pgx.Batch{}
	b.Queue(sql, arguments...)
	queueNote(b, n)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

// AddNote writes a note that nothing else is written with.
func (db *DB) AddNote(ctx context.Context, n Note) error {
	b := &pgx.Batch{}
	queueNote(b, n)
	_, err := changed(ctx, db, b)
	return err
}

// detail is the entry's detail as JSON, or nil.
func (e Entry) detail() []byte {
	detail := withBy(e.Detail, e.By)
	if len(detail) == 0 {
		return nil
	}
	return mustJSON(detail)
}

// payload is what receivers of the event get beside its type and time.
func (e Entry) payload() []byte {
	p := map[string]any{"userId": e.UserID}
	if e.SessionID != "" {
		p["sessionId"] = e.SessionID
	}
	maps.Copy(p, withBy(e.Detail, e.By))
	return mustJSON(p)
}

// mustJSON encodes maps of strings, numbers and booleans, which cannot fail.
func mustJSON(v map[string]any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{}`)
	}
	return b
}

// UserAgent is the client's user agent as it is kept: bounded, valid UTF-8, no control characters.
func UserAgent(c auth.Client) string {
	return clean(c.UserAgent, maxUserAgent)
}
