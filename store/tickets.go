package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Ticket is a one-time secret: a mail link, a code to exchange. Only its hash is kept.
type Ticket struct {
	ID          string
	Purpose     auth.Purpose
	SecretHash  []byte
	UserID      string          // empty when it belongs to nobody yet
	ParentID    string          // the ticket that this one was made from; spending either spends both
	Email       string          // the address that the secret was sent to, and so proves
	PhoneNumber string          // the same for a number
	Challenge   string          // S256 of the verifier that redeems it (RFC 7636); empty when there is none
	Payload     json.RawMessage // what the purpose needs to know again; nothing secret, unless it is sealed
	Attempts    int             // how often it may be tried; 0 when that is not counted
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// AddTicket writes a ticket unless the user has had most of this purpose since a time: mails to one
// person are limited whoever asks for them. It tells whether it wrote one.
func (db *DB) AddTicket(ctx context.Context, t Ticket, most int, since time.Time) (bool, error) {
	b := &pgx.Batch{}
	if t.ParentID == "" { // a code must not wait for the user while its ticket is being spent
		b.Queue(holdUserSQL, t.UserID)
	}
	b.Queue(addTicketSQL, t.ID, t.Purpose, t.SecretHash, t.UserID, nullable(t.ParentID),
		nullable(t.Email), nullable(t.Challenge), t.CreatedAt, t.ExpiresAt, most, since,
		nullable(t.PhoneNumber), jsonOrNull(t.Payload), attempts(t.Attempts))
	counts, err := changed(ctx, db, b)
	return err == nil && counts[len(counts)-1] == 1, err
}

// AddChallenge writes the challenge of a second factor for a session, which may have so many open: another one ends the oldest. Its
// payload names the session.
func (db *DB) AddChallenge(ctx context.Context, t Ticket, sessionID string, most int) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, t.UserID)
	b.Queue(dropOldChallengesSQL, t.UserID, t.Purpose, sessionID, most-1)
	b.Queue(addChallengeSQL, t.ID, t.Purpose, t.SecretHash, t.UserID, jsonOrNull(t.Payload), attempts(t.Attempts), t.CreatedAt, t.ExpiresAt)
	_, err := changed(ctx, db, b)
	return err
}

const (
	dropOldChallengesSQL = `delete from auth.tickets where id in (select id from auth.tickets
		where user_id = $1 and purpose = $2 and payload ->> 'sessionId' = $3::text order by created_at desc, id desc offset $4::int)`
	addChallengeSQL = `insert into auth.tickets (id, purpose, secret_hash, user_id, payload, attempts_left, created_at, expires_at)
		values ($1, $2, $3, $4, $5::jsonb, $6::smallint, $7, $8)`
)

// HoldOrdinary keeps a user from being changed until the transaction ends, unless they are locked, gone or have
// one of some roles: then it is ErrChanged.
func (db *DB) HoldOrdinary(ctx context.Context, userID string, roles []string, now time.Time) error {
	if _, err := db.Exec(ctx, holdUserSQL, userID); err != nil {
		return refusal(err)
	}
	return db.guarded(ctx, ordinarySQL, userID, roles, now)
}

// ordinarySQL sees the roles as they are once the user is held.
const ordinarySQL = `select from auth.users where id = $1 and` + isOpen + `$3) and default_role <> all($2::text[])
	and not exists (select from auth.user_roles r where r.user_id = $1 and r.role = any($2::text[]))`

// holdUserSQL lets those who count what a user has, to add one more, do so one after the other. The
// count is a statement of its own, so that it sees what the one before added.
const holdUserSQL = `select from auth.users where id = $1 for no key update`

const addTicketSQL = `insert into auth.tickets (id, purpose, secret_hash, user_id, parent_id, email, challenge, created_at, expires_at, phone_number, payload, attempts_left)
	select $1::uuid, $2::text, $3::bytea, u.id, $5::uuid, $6::text, $7::text, $8::timestamptz, $9::timestamptz, $12::text, $13::jsonb, $14::smallint
	from auth.users u where u.id = $4 and
		(select count(*) from auth.tickets o where o.user_id = u.id and o.purpose = $2 and o.created_at > $11) < $10`

// attempts is how often a ticket may be tried, or null where nobody counts.
func attempts(n int) *int16 {
	if n == 0 {
		return nil
	}
	most := int16(min(n, 1000)) // #nosec G115 -- bounded
	return &most
}

// AddFreeTicket writes a ticket that need not belong to anybody: the challenge of a passkey, the
// state of a person who is at another provider.
func (db *DB) AddFreeTicket(ctx context.Context, t Ticket) error {
	return db.guarded(ctx, addFreeTicketSQL, t.ID, t.Purpose, t.SecretHash, nullable(t.UserID), nullable(t.Email), nullable(t.Challenge),
		jsonOrNull(t.Payload), t.CreatedAt, t.ExpiresAt)
}

const addFreeTicketSQL = `insert into auth.tickets (id, purpose, secret_hash, user_id, email, challenge, payload, created_at, expires_at)
	values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9)`

// TakeFreeTicket finds a live ticket of one purpose and uses it up, in one statement: of many who
// come with it one gets it, whatever comes of it then. The others find nothing: ErrNotFound.
func (db *DB) TakeFreeTicket(ctx context.Context, p auth.Purpose, hash []byte, now time.Time) (Ticket, error) {
	return one[Ticket](ctx, db, takeFreeTicketSQL, p, hash, now)
}

const takeFreeTicketSQL = `delete from auth.tickets where purpose = $1 and secret_hash = $2 and expires_at > $3
	returning id, purpose, secret_hash, coalesce(user_id::text, '') as user_id, coalesce(parent_id::text, '') as parent_id,
		coalesce(email, '') as email, coalesce(phone_number, '') as phone_number, coalesce(challenge, '') as challenge,
		payload, coalesce(attempts_left, 0) as attempts, created_at, expires_at`

// A FactorTicket is the ticket of a user who has proved the first factor and not yet the second.
type FactorTicket struct {
	Ticket
	// What must still be true of the first factor, as in NewSession:
	CheckedHash string
	NewHash     string
	Guards      []Guard
	Clears      string
	Metadata    json.RawMessage
}

// AddFactorTicket writes the ticket, unless the user was disabled, the password changed or a guard was
// used up since they were read: then it is ErrChanged.
func (db *DB) AddFactorTicket(ctx context.Context, t FactorTicket) error {
	keys, most := spread(t.Guards)
	return db.guarded(ctx, addFactorTicketSQL, t.ID, t.Purpose, t.SecretHash, t.UserID, jsonOrNull(t.Payload), attempts(t.Attempts), t.CreatedAt, t.ExpiresAt,
		nullable(t.CheckedHash), nullable(t.NewHash), keys, most, t.Clears, jsonOrNull(t.Metadata))
}

const addFactorTicketSQL = `
	with owner as (
		update auth.users u set password_hash = coalesce($10, u.password_hash), metadata = coalesce($14::jsonb, u.metadata)
		where u.id = $4 and` + isOpen + `$7) and ($9::text is null or u.password_hash = $9 and not u.password_must_change)
		and not exists (select from auth.security_counters c join unnest($11::text[], $12::int[]) as g(key, most) using (key)
			where c.count >= g.most and c.window_ends_at > $7)
		returning u.id
	), cleared as (
		delete from auth.security_counters where key = $13 and exists (select from owner)
	)
	insert into auth.tickets (id, purpose, secret_hash, user_id, payload, attempts_left, created_at, expires_at)
	select $1::uuid, $2::text, $3::bytea, id, $5::jsonb, $6::smallint, $7::timestamptz, $8::timestamptz from owner`

// DropTickets forgets every one-time secret of a user.
func (db *DB) DropTickets(ctx context.Context, userID string) error {
	_, err := db.Exec(ctx, dropTicketsSQL, userID)
	return refusal(err)
}

// Found is a ticket with its user.
type Found struct {
	auth.User
	TicketID        string // empty for a ticket that Hasura Auth wrote
	TicketPurpose   auth.Purpose
	TicketEmail     string
	TicketPhone     string
	TicketChallenge string
	TicketPayload   json.RawMessage
	AttemptsLeft    int    // 0 also when nobody counts
	ParentID        string // of a code: the ticket it spends
	Adopted         bool   // Hasura Auth wrote it, as auth.users.ticket
	Contested       bool   // others signed up with the address, too: whoever confirms it gets the account without what they set up
}

// ticketColumns are the columns of a Found beside those of its user, for every statement that names
// the table k.
const ticketColumns = `
	coalesce(k.email, '') as ticket_email, coalesce(k.phone_number, '') as ticket_phone, coalesce(k.challenge, '') as ticket_challenge,
	k.payload as ticket_payload, coalesce(k.attempts_left, 0) as attempts_left, false as adopted, u.contested`

// FindTicket looks for a live ticket of one purpose without using it up.
func (db *DB) FindTicket(ctx context.Context, p auth.Purpose, hash []byte, now time.Time) (Found, error) {
	return one[Found](ctx, db, findTicketSQL, p, hash, now)
}

const findTicketSQL = `select` + userColumns + `,
		k.id::text as ticket_id, k.purpose as ticket_purpose, coalesce(k.parent_id::text, '') as parent_id,` + ticketColumns + `
	from auth.tickets k join auth.users u on u.id = k.user_id
	where k.purpose = $1 and k.secret_hash = $2 and k.expires_at > $3`

// FindAdoptedTicket looks for a live ticket that Hasura Auth wrote before it was replaced.
func (db *DB) FindAdoptedTicket(ctx context.Context, p auth.Purpose, text string, now time.Time) (Found, error) {
	return one[Found](ctx, db, findAdoptedTicketSQL, p, text, now)
}

const findAdoptedTicketSQL = `select` + userColumns + `,
		'' as ticket_id, $1::text as ticket_purpose,
		coalesce(case when $1 = 'emailConfirmChange' then u.new_email::text else u.email::text end, '') as ticket_email,
		'' as ticket_phone, '' as ticket_challenge, null::jsonb as ticket_payload, 0 as attempts_left, '' as parent_id, true as adopted, u.contested
	from auth.users u where u.ticket = $2 and u.ticket_expires_at > $3`

// FindCode looks for a live code that the challenge redeems, with the ticket it came from. A wrong
// verifier finds nothing and uses nothing up.
func (db *DB) FindCode(ctx context.Context, hash []byte, challenge string, now time.Time) (Found, error) {
	return one[Found](ctx, db, findCodeSQL, auth.ExchangeCode, hash, challenge, now)
}

const findCodeSQL = `select` + userColumns + `,
		k.id::text as ticket_id, p.purpose as ticket_purpose, coalesce(p.email, '') as ticket_email, coalesce(p.phone_number, '') as ticket_phone,
		k.challenge as ticket_challenge, p.payload as ticket_payload, 0 as attempts_left, p.id::text as parent_id, false as adopted, u.contested
	from auth.tickets k
	join auth.tickets p on p.id = k.parent_id and p.expires_at > $4
	join auth.users u on u.id = k.user_id
	where k.purpose = $1 and k.secret_hash = $2 and k.challenge = $3 and k.expires_at > $4`

// TakeTicket uses a ticket up, and with it every code that was made from it. Whoever comes second
// finds it gone: ErrChanged. It must run in the transaction that does what the ticket is for.
func (db *DB) TakeTicket(ctx context.Context, f Found, text string) error {
	if f.Adopted {
		return db.guarded(ctx, takeAdoptedTicketSQL, f.ID, text)
	}
	id := f.TicketID
	if f.ParentID != "" {
		id = f.ParentID
	}
	return db.guarded(ctx, takeTicketSQL, id)
}

const (
	takeTicketSQL        = `delete from auth.tickets where id = $1`
	takeAdoptedTicketSQL = `update auth.users set ticket = null where id = $1 and ticket = $2`
)

// Sweep deletes what expired: tickets, sessions, counters and events whose time is over; of events
// that have not arrived at a receiver, those from before another time. It works in small steps, so
// that no lock is held for long, waits for no row that somebody else holds, and tells how many rows it
// deleted.
func (db *DB) Sweep(ctx context.Context, now, eventsBefore, deadBefore time.Time) (int64, error) {
	var total int64
	for _, s := range []struct {
		sql string
		at  time.Time
	}{
		{sweepTicketsSQL, now},
		{sweepSessionsSQL, now},
		{sweepImpersonationsSQL, now},
		{sweepCountersSQL, now},
		{sweepEventsSQL, eventsBefore},
		{sweepDeadSQL, earlier(eventsBefore, deadBefore)},
	} {
		for {
			tag, err := db.Exec(ctx, s.sql, s.at)
			if err != nil {
				return total, err
			}
			total += tag.RowsAffected()
			if tag.RowsAffected() < sweepStep {
				break
			}
		}
	}
	return total, db.EnsurePartitions(ctx, now)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

const (
	sweepStep              = 1000
	sweepTicketsSQL        = `delete from auth.tickets where id in (select id from auth.tickets where expires_at < $1 limit 1000 for update skip locked)`
	sweepSessionsSQL       = `delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens where expires_at < $1 limit 1000 for update skip locked)`
	sweepImpersonationsSQL = `delete from auth.impersonations where id in (select id from auth.impersonations where expires_at < $1 limit 1000 for update skip locked)`
	sweepCountersSQL       = `delete from auth.security_counters where key in (select key from auth.security_counters where window_ends_at < $1 limit 1000 for update skip locked)`
	sweepEventsSQL         = `
	with gone as (
		delete from auth.events where id in (select e.id from auth.events e where e.at < $1
			and not exists (select from auth.event_lanes l where l.user_id = e.user_id and l.sent < e.seq and l.due_at is not null)
			and not exists (select from auth.event_letters t where t.user_id = e.user_id and t.seq = e.seq) limit 1000)` + sweptEvents
	sweepDeadSQL = `
	with gone as (
		delete from auth.events where id in (select id from auth.events where at < $1 limit 1000)` + sweptEvents
	// What only speaks of events that are gone goes with them. A lane that is made anew begins at the
	// events that are left.
	sweptEvents = ` returning id, user_id, seq
	), letters as (
		delete from auth.event_letters t using gone g where t.user_id = g.user_id and t.seq = g.seq
	), lanes as (
		delete from auth.event_lanes l where l.user_id in (select user_id from gone) and l.due_at is null
			and not exists (select from auth.events e where e.user_id = l.user_id and not exists (select from gone g where g.id = e.id))
	)
	select id from gone`
)
