package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Turn is a place that was taken of each of several guards, by which it is given back.
type Turn struct {
	keys []string
	ends []time.Time
}

// TakeTurn takes a place of every guard, or of none and refuses with auth.TooSoon. However many ask at once, on however many
// replicas, no more of them get one than there are.
func (db *DB) TakeTurn(ctx context.Context, guards []Guard, now time.Time) (Turn, error) {
	keys, most := spread(guards)
	got, err := one[struct {
		Keys  []string
		Ends  []time.Time
		Until *time.Time
	}](ctx, db, takeTurnSQL, keys, most, ends(guards, now), now)
	if err != nil {
		return Turn{}, err
	}
	turn := Turn{got.Keys, got.Ends}
	if len(got.Keys) == len(guards) {
		return turn, nil
	}
	if len(got.Keys) > 0 { // somebody else took the rest at this moment
		if err := db.ReturnTurn(ctx, turn); err != nil {
			return Turn{}, err
		}
	}
	until := slices.MaxFunc(ends(guards, now), time.Time.Compare)
	if got.Until != nil {
		until = *got.Until
	}
	return Turn{}, auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
}

// Counters are locked in one order, so that two statements never wait for each other.
const takeTurnSQL = `
	with counted as (
		insert into auth.security_counters as c (key, count, window_ends_at)
		select g.key, 1, g.ends_at from unnest($1::text[], $3::timestamptz[]) as g(key, ends_at)
		where not exists (select from auth.security_counters s join unnest($1::text[], $2::int[]) as m(key, most) using (key)
			where s.count >= m.most and s.window_ends_at > $4)
		order by g.key
		on conflict (key) do update set
			count = case when c.window_ends_at <= $4 then 1 else c.count + 1 end,
			window_ends_at = case when c.window_ends_at <= $4 then excluded.window_ends_at else c.window_ends_at end
		where c.window_ends_at <= $4 or c.count < (select g.most from unnest($1::text[], $2::int[]) as g(key, most) where g.key = c.key)
		returning key, window_ends_at
	)
	select coalesce((select array_agg(key order by key) from counted), '{}') as keys,
		coalesce((select array_agg(window_ends_at order by key) from counted), '{}') as ends,
		(select max(c.window_ends_at) from auth.security_counters c join unnest($1::text[], $2::int[]) as g(key, most) using (key)
			where c.count >= g.most and c.window_ends_at > $4) as until`

// ReturnTurn gives back what was taken, of which nothing came. What others took since stays taken.
func (db *DB) ReturnTurn(ctx context.Context, t Turn) error {
	b := &pgx.Batch{}
	b.Queue(forgiveTrySQL, t.keys, t.ends)
	_, err := changed(ctx, db, b)
	return err
}
