package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Verification says what to verify of the audit log.
type Verification struct {
	From     int64                   // the first seal that is looked at; the one before it is believed. 0 is the oldest
	Includes Seal                    // that must be in the chain; the zero Seal is none
	Late     time.Duration           // how long after its time an entry may be sealed without a remark; 0 is LateBy
	Now      time.Time               // by which entries wait for too long; zero is they never do
	Remark   func(Break)             // called for each remark; nil is nobody
	Progress func(done, total int64) // called now and then; nil is nobody
}

// Verified is what a verification found.
type Verified struct {
	Seals    int64 // that were looked at
	Expired  int64 // of them, those whose entries retention dropped
	Waiting  int64 // entries that are committed and not yet sealed
	Head     Seal
	Oldest   int64 // the number of the oldest seal that is kept
	Included bool  // the seal that was asked for is in the chain
	Broken   *Break
	// Remarks counts the seals that are whole and were made at a time that does not fit.
	Remarks int64
	// Openings are when the chain began and was restarted, as the head has it signed; none where the head is not right.
	Openings []Opening
}

// Doubts lists the openings before which something is not proved, beside those that are believed for being before
// a seal.
func (v Verified) Doubts(from int64) (list []Opening) {
	for _, o := range v.Openings {
		if o.Doubtful() && o.Through >= from {
			list = append(list, o)
		}
	}
	return list
}

const verifyStep = 5000 // seals that are read at once

// VerifyChain looks at every seal and the entry it is for, and names the first that is not as it was. It reads one
// state of the database, whatever is written meanwhile.
func (db *DB) VerifyChain(ctx context.Context, c *Chain, v Verification) (Verified, error) {
	var found Verified
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		w := walk{db: &DB{querier: tx, pool: db.pool, tx: tx}, chain: c, ask: v}
		err := w.run(ctx)
		found = w.found
		return err
	})
	return found, err
}

// walk is a verification under way.
type walk struct {
	db    *DB
	chain *Chain
	ask   Verification
	head  head
	found Verified

	last   Seal               // the seal before the next
	skips  bool               // not all seals are looked at
	first  pgtype.Timestamptz // when the first that is looked at was made
	latest time.Time          // the latest time of sealing so far
	key    int                // the place of the last seal's key among those known; older keys come later in the list
}

func (w *walk) run(ctx context.Context) error {
	state, err := collect[foundHead](ctx, w.db, headSQL)
	if err != nil {
		return err
	}
	if w.ask.Late == 0 {
		w.ask.Late = LateBy
	}
	w.head, w.key = state.head, len(w.chain.keys)
	w.found.Head, w.found.Oldest = Seal{w.head.No, w.head.Seal}, w.head.AnchorNo+1
	if err := w.waiting(ctx); err != nil {
		return err
	}
	headProblem, err := w.checkHead()
	if err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil || w.found.Broken != nil {
		return err
	}
	if err := w.seals(ctx); err != nil || w.found.Broken != nil {
		return err
	}
	if w.head.isNew() {
		headProblem, err = w.neverSigned(ctx)
		if err != nil {
			return err
		}
	}
	if headProblem == "" && (w.last.No != w.head.No || !bytes.Equal(w.last.Seal, w.head.Seal)) {
		headProblem = fmt.Sprintf("the chain ends at seal %d, and %d were made: the newest were taken away", w.last.No, w.head.No)
		if w.last.No >= w.head.No {
			headProblem = fmt.Sprintf("the chain ends at seal %d, and only %d were made: the newest were put there by somebody else, or the row of auth.audit_head was changed", w.last.No, w.head.No)
		}
	}
	if headProblem != "" {
		return w.breakAfter(ctx, headProblem)
	}
	return w.unsealed(ctx)
}

// neverSigned says what is wrong with a head that nobody signed: nothing, while the log is empty.
func (w *walk) neverSigned(ctx context.Context) (problem string, err error) {
	var some bool
	if err = w.db.QueryRow(ctx, anyEntrySQL).Scan(&some); err != nil || !some {
		return "", err
	}
	return "the row of auth.audit_head is not signed: no server has started yet, or somebody made the log anew", nil
}

// checkHead says what is wrong with the row of the head, or nothing.
func (w *walk) checkHead() (problem string, err error) {
	if w.head.isNew() {
		return "", nil
	}
	k, i := w.chain.find(w.head.Key)
	switch {
	case i < 0:
		return "", ErrChainKey
	case !hmac.Equal(w.head.bind(k), w.head.Mac):
		// What it says of retention is not believed either.
		w.head.KeptSince = pgtype.Timestamptz{}
		return "the row of auth.audit_head, which says where the chain ends, was changed", nil
	}
	w.found.Openings, err = w.head.openings()
	return "", err
}

// begin finds the seal that the first one to be looked at follows.
func (w *walk) begin(ctx context.Context) error {
	w.last = Seal{w.head.AnchorNo, w.head.AnchorSeal}
	if w.ask.From <= w.last.No+1 {
		return nil
	}
	w.last, w.skips = Seal{No: w.ask.From - 1}, true
	err := w.db.QueryRow(ctx, sealOfSQL, w.last.No).Scan(&w.last.Seal)
	if errors.Is(err, pgx.ErrNoRows) {
		w.found.Broken = &Break{No: w.last.No, Problem: "there is no such seal to begin after"}
		return nil
	}
	return err
}

// seenRow is a seal with the entry that is there for it.
type seenRow struct {
	sealedRow
	HasEvent *string
	UserID, ActorID,
	SessionID, AddressPrefix,
	UserAgent, Detail *string
}

func (r seenRow) entry() loggedRow {
	return loggedRow{
		At: r.EntryAt, ID: r.EntryID, Event: r.HasEvent, UserID: r.UserID, ActorID: r.ActorID, SessionID: r.SessionID,
		AddressPrefix: r.AddressPrefix, UserAgent: r.UserAgent, Detail: r.Detail,
	}
}

// seals walks along the chain until its end, or the first break.
func (w *walk) seals(ctx context.Context) error {
	total := w.head.No - w.last.No
	for {
		rows, err := w.db.Query(ctx, readChainSQL, w.last.No, verifyStep)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByName[seenRow])
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := w.step(ctx, r); err != nil || w.found.Broken != nil {
				return err
			}
		}
		if len(list) < verifyStep {
			return nil
		}
		if w.ask.Progress != nil {
			w.ask.Progress(w.found.Seals, total)
		}
	}
}

const readChainSQL = `
	select s.no, s.entry_at, s.entry_id, s.event, s.sealed_at, s.version, s.key, s.digest, s.seal,
		e.event as has_event, e.user_id, e.actor_id, e.session_id, e.address_prefix, e.user_agent, e.detail
	from (select * from auth.audit_seals where no > $1 order by no limit $2) s
	left join lateral (select` + loggedColumns + ` from auth.audit_entries e where e.at = s.entry_at and e.id = s.entry_id limit 1) e on true
	order by s.no`

// step looks at one seal.
func (w *walk) step(ctx context.Context, r seenRow) error {
	if r.No != w.last.No+1 {
		return w.breakAfter(ctx, fmt.Sprintf("the seals %d to %d were taken away", w.last.No+1, r.No-1))
	}
	k, i := w.chain.find(r.Key)
	switch {
	case i < 0:
		return w.breakAt(r, "it was sealed with a key that is not known: name it in AUTH_ENCRYPTION_KEY_PREVIOUS, or begin behind it with --from")
	case i > w.key:
		return w.breakAt(r, "it was sealed with an older key than the entry before it")
	case !hmac.Equal(r.bind(k, w.last.Seal), r.Seal):
		return w.breakAt(r, "its seal does not fit: the seal was changed, or what it follows")
	}
	problem, err := w.entryProblem(ctx, r, k)
	if err != nil {
		return err
	}
	if problem != "" {
		return w.breakAt(r, problem)
	}
	w.remarkTime(r.sealedRow)
	w.last, w.key = Seal{r.No, r.Seal}, i
	w.found.Seals++
	if s := w.ask.Includes; s.No == r.No && bytes.HasPrefix(r.Seal, s.Seal) {
		w.found.Included = true
	}
	return nil
}

// entryProblem says what is wrong with the entry of a seal, or nothing.
func (w *walk) entryProblem(ctx context.Context, r seenRow, k chainKey) (string, error) {
	switch {
	case r.Version == entryGone:
		return "it was deleted before it was sealed", nil
	case r.HasEvent == nil && w.head.expired(r.EntryAt):
		w.found.Expired++
		return "", nil
	case r.HasEvent == nil:
		return w.whereTo(ctx, r)
	case r.Version != entryV1:
		return fmt.Sprintf("it was sealed in form %d, by a newer Postern", r.Version), nil
	case !hmac.Equal(r.entry().digest(k, r.Version), r.Digest):
		return "it was changed", nil
	}
	return "", nil
}

// whereTo says what became of an entry that is not where it was.
func (w *walk) whereTo(ctx context.Context, r seenRow) (string, error) {
	var at pgtype.Timestamptz
	err := w.db.QueryRow(ctx, entryElsewhereSQL, r.EntryID).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return "it was deleted", nil
	}
	if err != nil || at.InfinityModifier != pgtype.Finite {
		return "its time was changed", err
	}
	return "its time was changed, to " + stamp(at.Time), nil
}

const entryElsewhereSQL = `select at from auth.audit_entries where id = $1 limit 1`

func (w *walk) breakAt(r seenRow, problem string) error {
	b := r.named(problem)
	w.found.Broken = &b
	return nil
}

// breakAfter names what is gone behind the last seal that was right, if its entry is still there.
func (w *walk) breakAfter(ctx context.Context, problem string) error {
	if err := w.unsealed(ctx); err != nil {
		return err
	}
	if w.found.Broken == nil {
		w.found.Broken = &Break{}
	}
	w.found.Broken.No, w.found.Broken.Problem = w.last.No+1, problem
	return nil
}
