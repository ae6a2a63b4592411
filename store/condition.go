package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Work is how the background work of one kind is getting on.
type Work struct {
	Kind    string
	Waiting int
	Dead    int
	Oldest  *time.Time // since when the longest waiting job is due
	DoneAt  *time.Time // when one was last finished
}

// WorkOfJobs tells how the jobs of every kind are getting on.
func (db *DB) WorkOfJobs(ctx context.Context, now time.Time) ([]Work, error) {
	rows, err := db.Query(ctx, workSQL, now)
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Work])
	return found, refusal(err)
}

const workSQL = `select kind, count(*) filter (where state in ('available', 'pending', 'running', 'retryable', 'scheduled'))::int as waiting,
		count(*) filter (where state in ('cancelled', 'discarded'))::int as dead,
		min(scheduled_at) filter (where state in ('available', 'pending', 'retryable') and scheduled_at <= $1) as oldest,
		max(finalized_at) filter (where state = 'completed') as done_at
	from postern_river.river_job group by kind order by kind`

// Condition is how the database is getting on.
type Condition struct {
	Migration      int64 // the last that was applied
	Conns          int   // open
	InUse          int
	Most           int
	OldestUnsealed *time.Time // the longest waiting entry of the audit log; nil for none
}

// Condition looks at the database and the pool.
func (db *DB) Condition(ctx context.Context) (Condition, error) {
	row, err := one[struct {
		Migration int64
		Oldest    *time.Time
	}](ctx, db, conditionSQL)
	s := db.pool.Stat()
	return Condition{Migration: row.Migration, OldestUnsealed: row.Oldest, Conns: int(s.TotalConns()), InUse: int(s.AcquiredConns()), Most: int(s.MaxConns())}, err
}

const conditionSQL = `select coalesce((select max(version_id) from auth.postern_migrations where is_applied), 0) as migration,
		(select at from auth.audit_pending order by at, id limit 1) as oldest`
