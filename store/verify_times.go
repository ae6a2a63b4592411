package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// remarkTime makes a remark of a seal whose time does not fit: to that of its entry, or to those of the seals before.
func (w *walk) remarkTime(s sealedRow) {
	if s.SealedAt.InfinityModifier != pgtype.Finite {
		w.remark(s, "it was sealed at no time that a server has")
		return
	}
	if !w.first.Valid {
		w.first = s.SealedAt
	}
	switch after := s.after(); {
	case after > w.ask.Late && !w.waited(s.No):
		w.remark(s, fmt.Sprintf("it was sealed %s after its time, at %s: somebody wrote it then and dated it back, or no server ran meanwhile", long(after), stamp(s.SealedAt.Time)))
	case after < -clockSkew:
		w.remark(s, fmt.Sprintf("it was sealed %s before its time, at %s: somebody dated it ahead, or the clock of a server is wrong", long(after), stamp(s.SealedAt.Time)))
	case s.SealedAt.Time.Before(w.latest.Add(-clockSkew)):
		w.remark(s, fmt.Sprintf("it was sealed at %s, and one before it at %s: the clock of a server is wrong", stamp(s.SealedAt.Time), stamp(w.latest)))
		w.latest = s.SealedAt.Time // said once
	}
	if s.SealedAt.Time.After(w.latest) {
		w.latest = s.SealedAt.Time
	}
}

// waiting counts the entries that wait for a seal, and makes a remark of the oldest when it waits for longer than a
// sealer needs: an entry that waits is open to change.
func (w *walk) waiting(ctx context.Context) error {
	oldest := sealedRow{SealedAt: pgtype.Timestamptz{Time: w.ask.Now, Valid: true}}
	if err := w.db.QueryRow(ctx, countPendingSQL).Scan(&w.found.Waiting, &oldest.EntryAt, &oldest.EntryID); err != nil {
		return err
	}
	if after := oldest.after(); w.found.Waiting > 0 && !w.ask.Now.IsZero() && after > w.ask.Late {
		w.remark(oldest, fmt.Sprintf("it waits for its seal %s after its time: no server runs, somebody holds up the sealing, or has just dated it back", long(after)))
	}
	return nil
}

func (w *walk) remark(s sealedRow, problem string) {
	w.found.Remarks++
	if w.ask.Remark != nil {
		w.ask.Remark(s.named(problem))
	}
}

// waited tells whether a seal was made when the chain was opened, for an entry that waited for it.
func (w *walk) waited(no int64) bool {
	for _, o := range w.found.Openings {
		if no > o.Behind.No && no <= o.Through {
			return true
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// long is a length of time for people.
func long(d time.Duration) string {
	if d = d.Abs(); d < 1<<62 {
		return d.Round(time.Second).String()
	}
	return "ages"
}

// unsealed finds the first entry that is in no seal and does not wait for one.
func (w *walk) unsealed(ctx context.Context) error {
	found, err := w.firstUnsealed(ctx, pgtype.Timestamptz{})
	if err != nil || found == nil || !w.skips {
		w.found.Broken = found
		return err
	}
	// Not all seals were looked at, so those of earlier entries may be what is wrong with them. Earlier is not what an entry
	// says of itself: it is what was there when the first seal was made that was looked at, and no more of them than seals are missing.
	if w.first.Valid {
		late, err := w.firstUnsealed(ctx, pgtype.Timestamptz{Time: w.first.Time.Add(clockSkew), Valid: true})
		if err != nil || late != nil {
			w.found.Broken = late
			return err
		}
	}
	excused, err := w.missingBefore(ctx)
	if err != nil {
		return err
	}
	var n int64
	if err := w.db.QueryRow(ctx, countUnsealedSQL).Scan(&n); err != nil {
		return err
	}
	if n > excused {
		found.Problem = fmt.Sprintf("it has no seal, as %d entries, and %d seals are missing before --from: somebody else put entries there", n, excused)
		w.found.Broken = found
	}
	return nil
}

// missingBefore tells how many entries may be without a seal since seals before the first that was looked at are gone.
func (w *walk) missingBefore(ctx context.Context) (n int64, err error) {
	var there int64
	if err = w.db.QueryRow(ctx, countSealsSQL, w.head.AnchorNo, w.ask.From).Scan(&there); err != nil {
		return 0, err
	}
	n = w.ask.From - 1 - w.head.AnchorNo - there
	for _, o := range w.found.Openings {
		if o.Behind.No < w.ask.From {
			n = max(n, o.Unsealed)
		}
	}
	return n, nil
}

func (w *walk) firstUnsealed(ctx context.Context, since pgtype.Timestamptz) (*Break, error) {
	var at pgtype.Timestamptz
	b := Break{Problem: "it has no seal: somebody else put it there, or took its seal away"}
	err := w.db.QueryRow(ctx, firstUnsealedSQL, since).Scan(&b.ID, &at, &b.Event)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if at.InfinityModifier == pgtype.Finite {
		b.At = at.Time
	}
	return &b, err
}

const (
	withoutSeal = ` from auth.audit_entries e
		where not exists (select from auth.audit_seals s where s.entry_at = e.at and s.entry_id = e.id)
			and not exists (select from auth.audit_pending p where p.at = e.at and p.id = e.id)`
	firstUnsealedSQL = `select e.id, e.at, e.event` + withoutSeal + ` and ($1::timestamptz is null or e.at > $1) order by e.at, e.id limit 1`
	countUnsealedSQL = `select count(*)` + withoutSeal
	countPendingSQL  = `select (select count(*) from auth.audit_pending), p.at, coalesce(p.id, 0) from (values (1)) as one
		left join lateral (select at, id from auth.audit_pending order by at, id limit 1) p on true`
	countSealsSQL = `select count(*) from auth.audit_seals where no > $1 and no < $2`
)
