package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Ticket is a one-time secret: a mail link, a code to exchange. Only its hash is kept.
type Ticket struct {
	ID         string
	Purpose    auth.Purpose
	SecretHash []byte
	UserID     string
	ParentID   string // the ticket that opening made this code from; spending the code spends it
	Email      string // the address that the secret was sent to, and so proves
	Challenge  string // S256 of the verifier that redeems it (RFC 7636); empty when there is none
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// AddTicket writes a ticket unless the user has had most of this purpose since a time: mails to one
// person are limited whoever asks for them. It tells whether it wrote one.
func (db *DB) AddTicket(ctx context.Context, t Ticket, most int, since time.Time) (bool, error) {
	b := &pgx.Batch{}
	if t.ParentID == "" { // a code must not wait for the user while its ticket is being spent
		b.Queue(holdUserSQL, t.UserID)
	}
	b.Queue(addTicketSQL, t.ID, t.Purpose, t.SecretHash, t.UserID, nullable(t.ParentID),
		nullable(t.Email), nullable(t.Challenge), t.CreatedAt, t.ExpiresAt, most, since)
	counts, err := changed(ctx, db, b)
	return err == nil && counts[len(counts)-1] == 1, err
}

// holdUserSQL lets those who count what a user has, to add one more, do so one after the other. The
// count is a statement of its own, so that it sees what the one before added.
const holdUserSQL = `select from auth.users where id = $1 for no key update`

const addTicketSQL = `insert into auth.tickets (id, purpose, secret_hash, user_id, parent_id, email, challenge, created_at, expires_at)
	select $1::uuid, $2::text, $3::bytea, u.id, $5::uuid, $6::text, $7::text, $8::timestamptz, $9::timestamptz
	from auth.users u where u.id = $4 and
		(select count(*) from auth.tickets o where o.user_id = u.id and o.purpose = $2 and o.created_at > $11) < $10`

// Found is a ticket with its user.
type Found struct {
	auth.User
	TicketID        string // empty for a ticket that Hasura Auth wrote
	TicketPurpose   auth.Purpose
	TicketEmail     string
	TicketChallenge string
	ParentID        string // of a code: the ticket it spends
	Adopted         bool   // Hasura Auth wrote it, as auth.users.ticket
}

// FindTicket looks for a live ticket of one purpose without using it up.
func (db *DB) FindTicket(ctx context.Context, p auth.Purpose, hash []byte, now time.Time) (Found, error) {
	return one[Found](ctx, db, findTicketSQL, p, hash, now)
}

const findTicketSQL = `select` + userColumns + `,
		k.id::text as ticket_id, k.purpose as ticket_purpose, coalesce(k.email, '') as ticket_email,
		coalesce(k.challenge, '') as ticket_challenge, '' as parent_id, false as adopted
	from auth.tickets k join auth.users u on u.id = k.user_id
	where k.purpose = $1 and k.secret_hash = $2 and k.expires_at > $3`

// FindAdoptedTicket looks for a live ticket that Hasura Auth wrote before it was replaced.
func (db *DB) FindAdoptedTicket(ctx context.Context, p auth.Purpose, text string, now time.Time) (Found, error) {
	return one[Found](ctx, db, findAdoptedTicketSQL, p, text, now)
}

const findAdoptedTicketSQL = `select` + userColumns + `,
		'' as ticket_id, $1::text as ticket_purpose,
		coalesce(case when $1 = 'emailConfirmChange' then u.new_email::text else u.email::text end, '') as ticket_email,
		'' as ticket_challenge, '' as parent_id, true as adopted
	from auth.users u where u.ticket = $2 and u.ticket_expires_at > $3`

// FindCode looks for a live code that the challenge redeems, with the ticket it came from. A wrong
// verifier finds nothing and uses nothing up.
func (db *DB) FindCode(ctx context.Context, hash []byte, challenge string, now time.Time) (Found, error) {
	return one[Found](ctx, db, findCodeSQL, auth.ExchangeCode, hash, challenge, now)
}

const findCodeSQL = `select` + userColumns + `,
		k.id::text as ticket_id, p.purpose as ticket_purpose, coalesce(p.email, '') as ticket_email,
		k.challenge as ticket_challenge, p.id::text as parent_id, false as adopted
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

// Sweep deletes what expired: tickets, sessions, counters and events whose time is over. It works
// in small steps, so that no lock is held for long, waits for no row that somebody else holds, and
// tells how many rows it deleted.
func (db *DB) Sweep(ctx context.Context, now, eventsBefore time.Time) (int64, error) {
	var total int64
	for _, s := range []struct {
		sql string
		at  time.Time
	}{
		{sweepTicketsSQL, now}, {sweepSessionsSQL, now}, {sweepCountersSQL, now}, {sweepEventsSQL, eventsBefore},
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
	b := &pgx.Batch{}
	b.Queue(ensureAuditPartitionsSQL, now)
	_, err := changed(ctx, db, b)
	return total, err
}

const (
	sweepStep                = 1000
	sweepTicketsSQL          = `delete from auth.tickets where id in (select id from auth.tickets where expires_at < $1 limit 1000 for update skip locked)`
	sweepSessionsSQL         = `delete from auth.refresh_tokens where id in (select id from auth.refresh_tokens where expires_at < $1 limit 1000 for update skip locked)`
	sweepCountersSQL         = `delete from auth.security_counters where key in (select key from auth.security_counters where window_ends_at < $1 limit 1000 for update skip locked)`
	sweepEventsSQL           = `delete from auth.events where id in (select id from auth.events where at < $1 limit 1000)`
	ensureAuditPartitionsSQL = `select auth.ensure_audit_partitions($1)`
)
