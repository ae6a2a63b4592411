package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// ErrChainKey says that the chain was last sealed with a key that is not known here, as while another
// server has a newer one already.
var ErrChainKey = errors.New("store: the audit log is sealed with a key that is neither AUTH_ENCRYPTION_KEY nor in AUTH_ENCRYPTION_KEY_PREVIOUS")

// ErrChainBroken says that the end of the chain is not as the last sealer left it. Going on would hide that,
// so nothing more is sealed.
var ErrChainBroken = errors.New("store: the audit log was changed behind its last seal")

// A Seal is a place in the chain. Two that are known at different times tell whether what was between them
// is still there.
type Seal struct {
	No   int64
	Seal []byte
}

// MarshalText writes the place as heads are printed: number:hex.
func (s Seal) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d:%x", s.No, s.Seal), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Seal) UnmarshalText(b []byte) (err error) {
	no, seal, _ := strings.Cut(string(b), ":")
	if s.No, err = strconv.ParseInt(no, 10, 64); err == nil {
		s.Seal, err = hex.DecodeString(seal)
	}
	return err
}

// Waits tells whether an entry waits to be sealed.
func (db *DB) Waits(ctx context.Context) (waits bool, err error) {
	err = db.QueryRow(ctx, waitsSQL).Scan(&waits)
	return waits, err
}

const waitsSQL = `select exists (select from auth.audit_pending order by at, id limit 1)`

// A Sealing is what one step of a sealer did.
type Sealing struct {
	Waited int  // entries that were taken, whether they got a seal or not
	Late   int  // of them, those that were sealed more than LateBy after their time
	Last   Seal // where the chain ends now
}

// SealEntries binds entries that wait to the chain, so many at most, as of now. While another one seals, it seals
// nothing.
//
// known is a place in the chain that the caller has seen, which must still be in it; the zero Seal is none.
func (db *DB) SealEntries(ctx context.Context, c *Chain, known Seal, most int, now time.Time) (did Sealing, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		did = Sealing{Last: known}
		h, err := tx.holdHead(ctx, c, tryHeadSQL)
		if errors.Is(err, ErrNotFound) {
			return nil // somebody else has it
		}
		if err != nil {
			return err
		}
		if err := tx.leadsTo(ctx, known, h); err != nil {
			return err
		}
		did, err = tx.sealStep(ctx, c.keys[0], &h, most, now)
		return err
	})
	if err != nil {
		return Sealing{Last: known}, err // what was not committed is no place in the chain
	}
	return did, nil
}

// sealStep seals entries that wait, so many at most.
func (db *DB) sealStep(ctx context.Context, k chainKey, h *head, most int, now time.Time) (Sealing, error) {
	waiting, err := db.waiting(ctx, most)
	if err != nil {
		return Sealing{}, err
	}
	late, err := db.bindEntries(ctx, k, h, waiting, now)
	return Sealing{len(waiting), late, Seal{h.No, h.Seal}}, err
}

// holdHead locks the head of the chain, and checks that it is as it was left: the head itself, the row of the
// last seal, and that none comes after. ErrNotFound means that somebody else holds it.
func (db *DB) holdHead(ctx context.Context, c *Chain, lock string) (head, error) {
	found, err := db.readHead(ctx, lock)
	if err != nil {
		return head{}, err
	}
	h := found.head
	k, i := c.find(h.Key)
	switch {
	case h.isNew():
		return h, fmt.Errorf("%w: the row of auth.audit_head is not signed, which the first server did when it started", ErrChainBroken)
	case i < 0:
		return h, ErrChainKey
	case !hmac.Equal(h.bind(k), h.Mac):
		return h, fmt.Errorf("%w: the row of auth.audit_head is not the sealer's", ErrChainBroken)
	}
	if found.LastNo != h.No || !bytes.Equal(found.LastSeal, h.Seal) {
		return h, fmt.Errorf("%w: the last row of auth.audit_seals is not the one that the head names", ErrChainBroken)
	}
	return h, nil
}

// foundHead is the head with the last seal that is there.
type foundHead struct {
	head
	LastNo   int64
	LastSeal []byte
}

// readHead locks the head and reads it, in statements of their own: the second sees all of what the sealer before
// committed, or nothing of it.
func (db *DB) readHead(ctx context.Context, lock string) (foundHead, error) {
	b := &pgx.Batch{}
	b.Queue(lock)
	b.Queue(headSQL)
	results := db.SendBatch(ctx, b)
	defer func() { _ = results.Close() }() // what went wrong, the reads tell
	locked, err := results.Exec()
	if err != nil {
		return foundHead{}, err
	}
	rows, err := results.Query()
	if err != nil {
		return foundHead{}, err
	}
	found, err := collected[foundHead](rows)
	if err == nil && locked.RowsAffected() == 0 {
		err = ErrNotFound
	}
	return found, err
}

const (
	tryHeadSQL  = `select from auth.audit_head where one for update skip locked`
	waitHeadSQL = `select from auth.audit_head where one for update`
	headSQL     = `select h.no, h.seal, h.anchor_no, h.anchor_seal, h.kept_since, h.history, h.key, h.mac,
			coalesce(s.no, h.anchor_no) as last_no, coalesce(s.seal, h.anchor_seal) as last_seal
		from auth.audit_head h left join lateral (select no, seal from auth.audit_seals order by no desc limit 1) s on true
		where h.one`
)

// leadsTo checks that a place that was seen is still in the chain: one that was put back to an earlier state, head
// and all, has lost it.
func (db *DB) leadsTo(ctx context.Context, known Seal, h head) error {
	if known.No <= h.AnchorNo {
		return nil
	}
	var seal []byte
	err := db.QueryRow(ctx, sealOfSQL, known.No).Scan(&seal)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !bytes.Equal(seal, known.Seal) {
		return fmt.Errorf("%w: it has lost the seal %d, which this server has seen", ErrChainBroken, known.No)
	}
	return err
}

const sealOfSQL = `select seal from auth.audit_seals where no = $1`

// waitingRow is an entry that waits, whether it is there or not.
type waitingRow struct {
	loggedRow
	Sealed bool // it is in the chain already: somebody has it wait again
}

func (db *DB) waiting(ctx context.Context, most int) ([]waitingRow, error) {
	rows, err := db.Query(ctx, waitingSQL, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[waitingRow])
}

// Each entry is looked up by its key, in the one partition that may have it: a planner left to join them might read
// the whole log for a handful.
const waitingSQL = `
	select p.at, p.id, e.*, s.no is not null as sealed
	from (select at, id from auth.audit_pending order by at, id limit $1) p
	left join lateral (select` + loggedColumns + ` from auth.audit_entries e where e.at = p.at and e.id = p.id limit 1) e on true
	left join lateral (select s.no from auth.audit_seals s where s.entry_at = p.at and s.entry_id = p.id limit 1) s on true
	order by p.at, p.id`

// batch collects what is written of a number of entries.
type batch struct {
	doneAt []pgtype.Timestamptz
	doneID []int64

	no       []int64
	at       []pgtype.Timestamptz
	id       []int64
	event    []string
	version  []int16
	sealedAt pgtype.Timestamptz
	digest   [][]byte
	seal     [][]byte
	counts   map[counted]int64
	presence map[presence]bool
}

type counted struct {
	day   string
	event string
}

type presence struct{ day, user string }

func (b *batch) add(s sealedRow, r loggedRow) {
	b.no, b.at, b.id, b.event = append(b.no, s.No), append(b.at, s.EntryAt), append(b.id, s.EntryID), append(b.event, s.Event)
	b.version, b.digest, b.seal = append(b.version, s.Version), append(b.digest, s.Digest), append(b.seal, s.Seal)
	if s.Version == entryGone || r.At.InfinityModifier != pgtype.Finite {
		return
	}
	if y := r.At.Time.UTC().Year(); y < 1 || y > 9999 {
		return // no server wrote it, and no day of statistics can be named for it
	}
	day := r.At.Time.UTC().Format(time.DateOnly)
	b.counts[counted{day, s.Event}]++
	if s.Event == "session.started" && r.UserID != nil {
		b.presence[presence{day, *r.UserID}] = true
	}
}

// bindEntries writes the seals of entries, the head, and what is counted. It tells how many were sealed late.
func (db *DB) bindEntries(ctx context.Context, k chainKey, h *head, waiting []waitingRow, now time.Time) (late int, err error) {
	b := batch{counts: map[counted]int64{}, presence: map[presence]bool{}, sealedAt: pgtype.Timestamptz{Time: now, Valid: true}}
	for _, w := range waiting {
		b.doneAt, b.doneID = append(b.doneAt, w.At), append(b.doneID, w.ID)
		gone := w.Event == nil
		if w.Sealed || gone && h.expired(w.At) {
			continue
		}
		s := sealedRow{No: h.No + 1, EntryAt: w.At, EntryID: w.ID, SealedAt: b.sealedAt, Version: entryV1}
		if gone {
			s.Version = entryGone
		} else {
			s.Event = *w.Event
		}
		s.Digest = w.digest(k, s.Version)
		s.Seal = s.bind(k, h.Seal)
		h.No, h.Seal = s.No, s.Seal
		if s.after() > LateBy {
			late++
		}
		b.add(s, w.loggedRow)
	}
	if len(waiting) == 0 && bytes.Equal(h.Key, k.id) {
		return 0, nil
	}
	h.sign(k)
	return late, db.writeBatch(ctx, k, *h, b)
}

func (db *DB) writeBatch(ctx context.Context, k chainKey, h head, b batch) error {
	q := &pgx.Batch{}
	q.Queue(addSealsSQL, b.no, b.at, b.id, b.event, b.version, k.id, b.digest, b.seal, b.sealedAt)
	q.Queue(moveHeadSQL, h.No, h.Seal, h.Key, h.Mac)
	q.Queue(donePendingSQL, b.doneAt, b.doneID)
	var days, events, presentDays, users []string
	var counts []int64
	for c, n := range b.counts {
		days, events, counts = append(days, c.day), append(events, c.event), append(counts, n)
	}
	for p := range b.presence {
		presentDays, users = append(presentDays, p.day), append(users, p.user)
	}
	q.Queue(addCountsSQL, days, events, counts)
	if len(users) > 0 {
		q.Queue(addPresenceSQL, presentDays, users)
	}
	_, err := changed(ctx, db, q)
	return err
}

const (
	addSealsSQL = `insert into auth.audit_seals (no, entry_at, entry_id, event, sealed_at, version, key, digest, seal)
		select g.no, g.at, g.id, g.event, $9::timestamptz, g.version, $6::bytea, g.digest, g.seal
		from unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::smallint[], $7::bytea[], $8::bytea[]) as g(no, at, id, event, version, digest, seal)`
	moveHeadSQL    = `update auth.audit_head set no = $1, seal = $2, key = $3, mac = $4 where one`
	donePendingSQL = `delete from auth.audit_pending p using unnest($1::timestamptz[], $2::bigint[]) as g(at, id) where p.at = g.at and p.id = g.id`
	addCountsSQL   = `insert into auth.audit_counts as c (day, event, count)
		select g.day::date, g.event, g.count from unnest($1::text[], $2::text[], $3::bigint[]) as g(day, event, count)
		on conflict (day, event) do update set count = c.count + excluded.count`
	addPresenceSQL = `insert into auth.active_users (day, user_id)
		select g.day::date, g.user_id::uuid from unnest($1::text[], $2::text[]) as g(day, user_id) on conflict do nothing`
)

// queueHead writes all of the head.
func queueHead(b *pgx.Batch, h head) {
	b.Queue(setHeadSQL, h.No, h.Seal, h.AnchorNo, h.AnchorSeal, h.KeptSince, h.History, h.Key, h.Mac)
}

const setHeadSQL = `update auth.audit_head set no = $1, seal = $2, anchor_no = $3, anchor_seal = $4, kept_since = $5, history = $6, key = $7, mac = $8 where one`

// expired tells whether an entry's time to be kept is over.
func (h head) expired(at pgtype.Timestamptz) bool {
	return h.KeptSince.Valid && at.Valid && (at.InfinityModifier == pgtype.NegativeInfinity ||
		at.InfinityModifier == pgtype.Finite && at.Time.Before(h.KeptSince.Time))
}
