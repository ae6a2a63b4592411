package store

import (
	"context"
	"crypto/hmac"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const expireStep = 5000 // seals that are dropped at once

// ExpireAudit drops the entries of the audit log from months that ended before a time, and leaves what the rest is
// verified by: the last seal of those that went. It tells how many months went.
//
// First the chain is told that they may go, with a note in the log, so that at no moment something is missing that
// looks as if somebody took it.
func (db *DB) ExpireAudit(ctx context.Context, c *Chain, before, now time.Time) (months int, err error) {
	y, m, _ := before.UTC().Date()
	cut := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	due, err := db.expired(ctx, cut)
	if err != nil {
		return 0, err
	}
	if len(due) > 0 {
		if err := db.letExpire(ctx, c, cut, Note{Event: "audit.expired", At: now, Facts: map[string]any{"before": cut.Format(time.RFC3339), "partitions": len(due)}}); err != nil {
			return 0, err
		}
	}
	for _, partition := range due {
		if err := db.dropPartition(ctx, partition, cut); err != nil {
			return 0, fmt.Errorf("store: a month of the audit log whose time is over cannot be dropped now: %w", err)
		}
	}
	return len(due), db.expireSeals(ctx, c)
}

var monthly = regexp.MustCompile(`^audit_entries_(\d{4}_\d{2})$`)

const defaultPartition = "audit_entries_default"

// expired names the partitions that hold nothing from after a time, and the default one when it holds something
// from before.
func (db *DB) expired(ctx context.Context, cut time.Time) ([]string, error) {
	rows, err := db.Query(ctx, auditPartitionsSQL)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var due []string
	for _, name := range names {
		if of := monthly.FindStringSubmatch(name); of != nil {
			month, err := time.Parse("2006_01", of[1])
			if err == nil && !month.AddDate(0, 1, 0).After(cut) {
				due = append(due, name)
			}
		}
	}
	var more bool
	if err := db.QueryRow(ctx, strayExpiredSQL, cut).Scan(&more); err != nil {
		return nil, err
	}
	if more {
		due = append(due, defaultPartition)
	}
	return due, nil
}

const (
	auditPartitionsSQL = `select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = 'auth.audit_entries'::regclass order by 1`
	strayExpiredSQL = `select exists (select from auth.audit_entries_default where at < $1)`
	dropStraySQL    = `delete from auth.audit_entries_default where at < $1`
)

// letExpire notes that entries from before a time may be gone.
func (db *DB) letExpire(ctx context.Context, c *Chain, cut time.Time, n Note) error {
	return db.InTx(ctx, func(tx *DB) error {
		h, err := tx.holdHead(ctx, c, waitHeadSQL)
		if err != nil {
			return err
		}
		if h.KeptSince.Valid && !h.KeptSince.Time.Before(cut) {
			return nil // noted before, and not all of it was dropped then
		}
		h.KeptSince.Time, h.KeptSince.Valid = cut, true
		h.sign(c.keys[0])
		b := &pgx.Batch{}
		queueHead(b, h)
		queueNote(b, n)
		return guardedBatch(ctx, tx, b, 1)
	})
}

// lockPatience is how long a change of partitions waits for those who read the log: while it waits, nobody
// else gets at the log.
const lockPatience = `set local lock_timeout = '500ms'`

func (db *DB) dropPartition(ctx context.Context, name string, cut time.Time) error {
	return db.InTx(ctx, func(tx *DB) error {
		if name == defaultPartition {
			_, err := tx.Exec(ctx, dropStraySQL, cut)
			return err
		}
		if _, err := tx.Exec(ctx, lockPatience); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "drop table auth."+pgx.Identifier{name}.Sanitize())
		return err
	})
}

// expireSeals drops the seals at the beginning of the chain whose entries are gone, and keeps the last of them as what
// the rest follows. Seals of such entries between those of later ones stay, and so do those of a key that is not
// known any more. What somebody changed is not dropped: that would sign it away.
func (db *DB) expireSeals(ctx context.Context, c *Chain) error {
	for {
		more := false
		err := db.InTx(ctx, func(tx *DB) error {
			h, err := tx.holdHead(ctx, c, waitHeadSQL)
			if err != nil || !h.KeptSince.Valid {
				return err
			}
			was := h.AnchorNo
			if err := tx.moveAnchor(ctx, c, &h); err != nil || h.AnchorNo == was {
				return err
			}
			more = h.AnchorNo-was == expireStep
			h.sign(c.keys[0])
			b := &pgx.Batch{}
			queueHead(b, h)
			b.Queue(dropSealsSQL, h.AnchorNo)
			return guardedBatch(ctx, tx, b, 2)
		})
		if err != nil || !more {
			return err
		}
	}
}

// moveAnchor follows the chain from its beginning for as long as entries are expired.
func (db *DB) moveAnchor(ctx context.Context, c *Chain, h *head) error {
	rows, err := db.Query(ctx, firstSealsSQL, expireStep)
	if err != nil {
		return err
	}
	first, err := pgx.CollectRows(rows, pgx.RowToStructByName[sealedRow])
	if err != nil {
		return err
	}
	for _, s := range first {
		k, i := c.find(s.Key)
		if i < 0 || !h.expired(s.EntryAt) {
			return nil
		}
		if s.No != h.AnchorNo+1 || !hmac.Equal(s.bind(k, h.AnchorSeal), s.Seal) {
			return fmt.Errorf("%w: the seal %d, whose entry's time to be kept is over, does not fit", ErrChainBroken, s.No)
		}
		h.AnchorNo, h.AnchorSeal = s.No, s.Seal
	}
	return nil
}

const (
	firstSealsSQL = `select no, entry_at, entry_id, event, sealed_at, version, key, digest, seal from auth.audit_seals order by no limit $1`
	dropSealsSQL  = `delete from auth.audit_seals where no <= $1`
)

// EnsurePartitions makes the partitions of the audit log for this month and the two after it. It gives up when
// somebody reads the log for long: entries without a partition of their own are kept in the default one, and moved
// the next time.
func (db *DB) EnsurePartitions(ctx context.Context, now time.Time) error {
	err := db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.Exec(ctx, lockPatience); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, ensureAuditPartitionsSQL, now)
		return err
	})
	if err != nil && strings.Contains(sqlState(err), "55P03") { // lock_not_available
		return nil
	}
	return err
}

const ensureAuditPartitionsSQL = `select auth.ensure_audit_partitions($1)`

// CountActive notes who was seen since a time, counts them for each day, and forgets who was seen on days before
// another time. A user whose only traces of a day are refreshes after the last call of that day, and who is
// seen again before the next call, is not counted for it.
func (db *DB) CountActive(ctx context.Context, since, forget time.Time) error {
	if _, err := db.Exec(ctx, noteActiveSQL, since); err != nil {
		return err
	}
	if _, err := db.Exec(ctx, countActiveSQL, day(since)); err != nil {
		return err
	}
	for {
		tag, err := db.Exec(ctx, forgetActiveSQL, day(forget), sweepStep)
		if err != nil || tag.RowsAffected() < sweepStep {
			return err
		}
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

const (
	noteActiveSQL = `insert into auth.active_users (day, user_id)
		select (u.last_seen at time zone 'UTC')::date, u.id from auth.users u where u.last_seen >= $1 on conflict do nothing`
	countActiveSQL = `insert into auth.active_counts as c (day, count)
		select day, count(*) from auth.active_users where day >= $1::text::date group by day
		on conflict (day) do update set count = excluded.count where c.count < excluded.count`
	forgetActiveSQL = `delete from auth.active_users where (day, user_id) in
		(select day, user_id from auth.active_users where day < $1::text::date limit $2)`
)
