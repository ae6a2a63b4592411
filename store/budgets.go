package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// A Budget bounds how often a short secret may be guessed, over days and over years: Burst times at
// once, and one more each time that Every has passed. A right guess is given back, so whoever knows
// the secret has all of it and whoever guesses has it once.
//
// Its counter's window ends when the whole of it is there again.
type Budget struct {
	Key   string // whose secret, of what kind: "totp:<user>"
	Burst int
	Every time.Duration
}

// In is how many guesses fit into a time, however they are spread.
func (b Budget) In(d time.Duration) int { return b.Burst + int(d/b.Every) + 1 }

// Spend takes one guess, and one try from a ticket when there is one, both before anything is compared:
// however many guess at once, on however many replicas, no more of them get to compare than there are
// guesses. Without one left it is auth.TooSoon; a ticket without tries is ErrChanged, and takes nothing.
func (db *DB) Spend(ctx context.Context, b Budget, ticketID string, now time.Time) error {
	got, err := one[struct{ Spent, Tried bool }](ctx, db, spendSQL, b.Key, now, b.Every, time.Duration(b.Burst)*b.Every, nullable(ticketID))
	switch {
	case err != nil:
		return err
	case got.Spent && got.Tried:
		return nil
	case got.Spent:
		return ErrChanged
	}
	// What stood in the way is looked at once more: others may have spent while the statement waited.
	why, err := one[struct {
		Live    bool
		WholeAt time.Time
	}](ctx, db, unspentSQL, b.Key, now, nullable(ticketID))
	if err != nil {
		return err
	}
	if !why.Live {
		return ErrChanged
	}
	wait := why.WholeAt.Add(b.Every).Sub(now) - time.Duration(b.Burst)*b.Every
	return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: max(wait, time.Second)}
}

// Somebody else may have taken the ticket's last try between the two looks at it. Then a guess is
// taken that nobody makes.
const spendSQL = `
	with spent as (
		insert into auth.security_counters as c (key, count, window_ends_at)
		select $1::text, 1, $2::timestamptz + $3::interval
		where $5::uuid is null or exists (select from auth.tickets k where k.id = $5 and k.attempts_left > 0)
		on conflict (key) do update set count = c.count + 1, window_ends_at = greatest(c.window_ends_at, $2) + $3
		where greatest(c.window_ends_at, $2) + $3 <= $2 + $4::interval
		returning c.key
	), tried as (
		update auth.tickets k set attempts_left = k.attempts_left - 1
		where k.id = $5 and k.attempts_left > 0 and exists (select from spent)
		returning k.id
	)
	select exists (select from spent) as spent, $5::uuid is null or exists (select from tried) as tried`

const unspentSQL = `select $3::uuid is null or exists (select from auth.tickets k where k.id = $3 and k.attempts_left > 0) as live,
	coalesce((select c.window_ends_at from auth.security_counters c where c.key = $1), $2::timestamptz) as whole_at`

// GiveBack returns a guess that was right. It must run in the transaction of what the guess was for.
func (db *DB) GiveBack(ctx context.Context, b Budget) error {
	batch := &pgx.Batch{}
	batch.Queue(giveBackSQL, b.Key, b.Every)
	_, err := changed(ctx, db, batch)
	return err
}

const giveBackSQL = `update auth.security_counters set count = greatest(count - 1, 0), window_ends_at = window_ends_at - $2::interval where key = $1`

// TryTicket takes one try from a ticket for a secret that is too long to be guessed. A ticket without
// tries is ErrChanged.
func (db *DB) TryTicket(ctx context.Context, ticketID string) error {
	return db.guarded(ctx, tryTicketSQL, ticketID)
}

// ReturnTry gives a ticket back the try that a right secret took, where nothing came of it.
func (db *DB) ReturnTry(ctx context.Context, ticketID string) error {
	_, err := db.Exec(ctx, returnTrySQL, ticketID)
	return err
}

const returnTrySQL = `update auth.tickets set attempts_left = attempts_left + 1 where id = $1 and attempts_left is not null`

const tryTicketSQL = `update auth.tickets set attempts_left = attempts_left - 1 where id = $1 and attempts_left > 0`
