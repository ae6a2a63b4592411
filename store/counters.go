package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// A Guard is a counter of failed attempts that must stay below Max. Counters live in Postgres, so
// that every replica counts the same failures and a restart forgets none.
type Guard struct {
	Key    string        // who is counted, for what: "password:client:203.0.113.7"
	Max    int           // attempts that may fail within Window
	Window time.Duration // from the first failure on
}

// queueGuards asks for the end of the window of each guard that is used up.
func queueGuards(b *pgx.Batch, guards []Guard, now time.Time) {
	keys, most := spread(guards)
	b.Queue(spentGuardsSQL, keys, most, now)
}

func readGuards(results pgx.BatchResults, guards []Guard, now time.Time) error {
	var until *time.Time
	if err := results.QueryRow().Scan(&until); err != nil {
		return err
	}
	if len(guards) == 0 || until == nil {
		return nil
	}
	return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
}

// CountFailure adds a failed attempt to each guard and refuses with auth.TooSoon once one of them
// has had more than its due, this attempt included.
func (db *DB) CountFailure(ctx context.Context, guards []Guard, now time.Time) error {
	if len(guards) == 0 {
		return nil
	}
	keys, most := spread(guards)
	ends := make([]time.Time, len(guards))
	for i, g := range guards {
		ends[i] = now.Add(g.Window)
	}
	var until *time.Time
	if err := db.QueryRow(ctx, countFailureSQL, keys, most, ends, now).Scan(&until); err != nil {
		return err
	}
	if until == nil {
		return nil
	}
	return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
}

// Keys are locked in one order, so that two attempts never wait for each other.
const countFailureSQL = countedFailure + countedOver

const (
	countedFailure = `
	with counted as (
		insert into auth.security_counters as c (key, count, window_ends_at)
		select g.key, 1, g.ends_at from unnest($1::text[], $3::timestamptz[]) as g(key, ends_at) order by g.key
		on conflict (key) do update set
			count = case when c.window_ends_at <= $4 then 1 else c.count + 1 end,
			window_ends_at = case when c.window_ends_at <= $4 then excluded.window_ends_at else c.window_ends_at end
		returning key, count, window_ends_at)`
	countedOver = `
	select max(c.window_ends_at) from counted c join unnest($1::text[], $2::int[]) as g(key, most) using (key) where c.count > g.most`
)

const spentGuardsSQL = `select max(c.window_ends_at) from auth.security_counters c
	join unnest($1::text[], $2::int[]) as g(key, most) using (key) where c.count >= g.most and c.window_ends_at > $3`

// UncountFailure takes back what CountFailure counted, of an attempt that did not fail after all.
func (db *DB) UncountFailure(ctx context.Context, guards []Guard) error {
	keys, _ := spread(guards)
	_, err := db.Exec(ctx, uncountFailureSQL, keys)
	return err
}

const uncountFailureSQL = `
	with held as (select key from auth.security_counters where key = any($1::text[]) order by key for update)
	update auth.security_counters c set count = greatest(c.count - 1, 0) from held where c.key = held.key`

func spread(guards []Guard) (keys []string, most []int32) {
	keys, most = make([]string, len(guards)), make([]int32, len(guards))
	for i, g := range guards {
		keys[i], most[i] = g.Key, int32(min(g.Max, 1<<30)) // #nosec G115 -- bounded
	}
	return keys, most
}

// CheckGuards refuses with auth.TooSoon when one of the guards is used up. It counts nothing.
func (db *DB) CheckGuards(ctx context.Context, guards []Guard, now time.Time) error {
	keys, most := spread(guards)
	var until *time.Time
	if err := db.QueryRow(ctx, spentGuardsSQL, keys, most, now).Scan(&until); err != nil {
		return err
	}
	if until == nil {
		return nil
	}
	return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
}
