package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// TypedCode is a code that somebody is to type, short enough to be guessed. There is one of a
// purpose and an account at a time, whose id both determine.
type TypedCode struct {
	Ticket        // UserID is empty when nobody was sent anything: then no code is the right one
	Link   Ticket // in the same mail, to the same end: spending either spends both. The zero Ticket is none
	// How often such codes may be asked for, by account and by where they go. Asking counts.
	Asked []Guard
}

// WriteCode writes a code, in the place of the one before. It tells whether there was room for one
// more in every guard; if not, nothing is written, and until tells when there is some again.
//
// What nobody was sent never takes the place of what somebody was.
func (db *DB) WriteCode(ctx context.Context, c TypedCode) (until time.Time, written bool, err error) {
	keys, most := spread(c.Asked)
	got, err := one[struct {
		Until time.Time
		Room  bool
	}](ctx, db, writeCodeSQL,
		keys, most, ends(c.Asked, c.CreatedAt), c.CreatedAt, // 1-4
		nullable(c.Link.ID), c.Link.Purpose, c.Link.SecretHash, nullable(c.Link.Challenge), nullableTime(c.Link.ExpiresAt), // 5-9
		c.ID, c.Purpose, c.SecretHash, nullable(c.UserID), nullable(c.Email), nullable(c.PhoneNumber), // 10-15
		jsonOrNull(c.Payload), attempts(c.Attempts), c.ExpiresAt, jsonOrNull(c.Link.Payload)) // 16-19
	return got.Until, err == nil && got.Room, err
}

func ends(guards []Guard, now time.Time) []time.Time {
	list := make([]time.Time, len(guards))
	for i, g := range guards {
		list[i] = now.Add(g.Window)
	}
	return list
}

// Counters are locked in one order, so that two statements never wait for each other.
const writeCodeSQL = `
	with counted as (
		insert into auth.security_counters as c (key, count, window_ends_at)
		select g.key, 1, g.ends_at from unnest($1::text[], $3::timestamptz[]) as g(key, ends_at) order by g.key
		on conflict (key) do update set
			count = case when c.window_ends_at <= $4 then 1 else c.count + 1 end,
			window_ends_at = case when c.window_ends_at <= $4 then excluded.window_ends_at else c.window_ends_at end
		where c.window_ends_at <= $4 or c.count < (select g.most from unnest($1::text[], $2::int[]) as g(key, most) where g.key = c.key)
		returning key
	), room as (
		select from (select count(*) as n from counted) x where n = cardinality($1::text[])
	), link as (
		insert into auth.tickets (id, purpose, secret_hash, user_id, email, challenge, created_at, expires_at, payload)
		select $5::uuid, $6::text, $7::bytea, $13::uuid, $14::text, $8::text, $4, $9::timestamptz, $19::jsonb from room where $5::uuid is not null
		returning id
	), code as (
		insert into auth.tickets as k (id, purpose, secret_hash, user_id, parent_id, email, phone_number, payload, attempts_left, created_at, expires_at)
		select $10::uuid, $11::text, $12::bytea, $13::uuid, (select id from link), $14, $15::text, $16::jsonb, $17::smallint, $4, $18::timestamptz from room
		on conflict (id) do update set secret_hash = excluded.secret_hash, user_id = excluded.user_id, parent_id = excluded.parent_id,
			email = excluded.email, phone_number = excluded.phone_number, payload = excluded.payload,
			attempts_left = excluded.attempts_left, created_at = excluded.created_at, expires_at = excluded.expires_at
		where excluded.user_id is not null or k.user_id is null or k.expires_at <= $4
	)
	select exists (select from room) as room, coalesce((select max(c.window_ends_at) from auth.security_counters c
		join unnest($1::text[], $2::int[]) as g(key, most) using (key) where c.count >= g.most and c.window_ends_at > $4), $4) as until`

// Try is a code that somebody typed.
type Try struct {
	TicketID string
	Purpose  auth.Purpose
	Phone    string  // that the code must have been sent to; empty when that does not matter
	Guards   []Guard // of typed codes; each must have room for one more
	Now      time.Time
	// Wrong is the entry that is written when the code is compared here and its hash is none of Right; nil is none.
	// Whose code it is, the statement knows.
	Wrong *Failure
	Right [][]byte
}

// Tried is what there is to compare a typed code with.
type Tried struct {
	TicketID    string
	UserID      string // who was sent the code; empty when nobody was
	TicketEmail string
	TicketPhone string
	SecretHash  []byte
	Payload     json.RawMessage
	Contested   bool // see Found
	Live        bool // there is a code that has not expired
	Compare     bool // it may be compared: it has been tried less often than it may, and so has the account
	Until       time.Time
	CountedKeys []string
	CountedEnds []time.Time
}

// TryCode takes a try before anything is compared: from the code, and from every guard. However
// many try at once, on however many replicas, no more of them may compare than there are tries.
//
// A code that is not there costs nobody anything, nor does one that a guard has no room for: then Until
// tells when it has.
func (db *DB) TryCode(ctx context.Context, t Try) (Tried, error) {
	keys, most := spread(t.Guards)
	var event, network, agent *string
	var detail []byte
	if w := t.Wrong; w != nil {
		event, network, agent, detail = nullable(failedEvent), nullable(w.Client.Logged()), nullable(UserAgent(w.Client)), w.detail()
	}
	return one[Tried](ctx, db, tryCodeSQL, t.TicketID, t.Purpose, t.Now, nullable(t.Phone), keys, most, ends(t.Guards, t.Now),
		event, network, agent, detail, t.Right)
}

const tryCodeSQL = `
	with tried as (
		update auth.tickets k set attempts_left = k.attempts_left - 1
		where k.id = $1 and k.purpose = $2 and k.expires_at > $3 and ($4::text is null or k.phone_number = $4) and k.attempts_left > 0
			and not exists (select from auth.security_counters c join unnest($5::text[], $6::int[]) as g(key, most) using (key)
				where c.count >= g.most and c.window_ends_at > $3)
		returning k.user_id, k.email, k.phone_number, k.secret_hash, k.payload
	), counted as (
		insert into auth.security_counters as c (key, count, window_ends_at)
		select g.key, 1, g.ends_at from unnest($5::text[], $7::timestamptz[]) as g(key, ends_at) where exists (select from tried) order by g.key
		on conflict (key) do update set
			count = case when c.window_ends_at <= $3 then 1 else c.count + 1 end,
			window_ends_at = case when c.window_ends_at <= $3 then excluded.window_ends_at else c.window_ends_at end
		where c.window_ends_at <= $3 or c.count < (select g.most from unnest($5::text[], $6::int[]) as g(key, most) where g.key = c.key)
		returning key, window_ends_at
	), audited as (
		insert into auth.audit_entries (at, event, user_id, address_prefix, user_agent, detail)
		select $3, $8::text, t.user_id, $9::text, $10::text, $11::jsonb from tried t
		where $8::text is not null and (select count(*) from counted) = cardinality($5::text[])
			and t.secret_hash <> all($12::bytea[]) and t.payload->'held' is distinct from 'true'
	)
	select $1::text as ticket_id, coalesce(t.user_id::text, '') as user_id, coalesce(t.email, '') as ticket_email, coalesce(t.phone_number, '') as ticket_phone,
		t.secret_hash, t.payload, coalesce((select u.contested from auth.users u where u.id = t.user_id), false) as contested,
		exists (select from auth.tickets k where k.id = $1 and k.purpose = $2 and k.expires_at > $3 and ($4::text is null or k.phone_number = $4)) as live,
		t.secret_hash is not null and (select count(*) from counted) = cardinality($5::text[]) as compare,
		coalesce((select max(c.window_ends_at) from auth.security_counters c join unnest($5::text[], $6::int[]) as g(key, most) using (key)
			where c.count >= g.most and c.window_ends_at > $3), $3) as until,
		coalesce((select array_agg(key order by key) from counted), '{}') as counted_keys,
		coalesce((select array_agg(window_ends_at order by key) from counted), '{}') as counted_ends
	from (select) one left join tried t on true`

// ForgiveTry gives the guards back what a right code took from them. Other tries stay counted.
func (db *DB) ForgiveTry(ctx context.Context, t Tried) error {
	b := &pgx.Batch{}
	b.Queue(forgiveTrySQL, t.CountedKeys, t.CountedEnds)
	_, err := changed(ctx, db, b)
	return err
}

const forgiveTrySQL = `
	with held as (
		select c.key from auth.security_counters c join unnest($1::text[], $2::timestamptz[]) as g(key, ends_at) using (key)
		where c.window_ends_at = g.ends_at and c.count > 0 order by c.key for update of c)
	update auth.security_counters c set count = c.count - 1 from held where c.key = held.key`

// TakeCode uses a right code up, and the link that came with it. Whoever comes second, or after a
// newer code was written, finds it gone: ErrChanged. It must run in the transaction that does what the
// code is for.
func (db *DB) TakeCode(ctx context.Context, t Tried, now time.Time) error {
	return db.guarded(ctx, takeCodeSQL, t.TicketID, t.SecretHash, now)
}

// The link is deleted and takes the code along, in the order in which opening the link does.
const takeCodeSQL = `delete from auth.tickets d
	where d.id = (select coalesce(k.parent_id, k.id) from auth.tickets k where k.id = $1 and k.secret_hash = $2 and k.expires_at > $3)
	and (d.id <> $1 or d.secret_hash = $2)`
