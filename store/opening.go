package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// LateBy is how long after its time an entry may be sealed without being worth a word. Sealers need a second.
const LateBy = time.Hour

// clockSkew is how far the clocks of servers may be apart.
const clockSkew = 5 * time.Minute

// after is how long after its time an entry was sealed; less than nothing where its time was yet to come.
func (s sealedRow) after() time.Duration {
	switch s.EntryAt.InfinityModifier {
	case pgtype.Infinity:
		return -1 << 63
	case pgtype.NegativeInfinity:
		return 1<<63 - 1
	case pgtype.Finite:
	}
	return s.SealedAt.Time.Sub(s.EntryAt.Time) // ends at the longest there is
}

// An Opening is a moment at which the chain began, or went on after it was found broken. What was before is not proved
// by what came after, so the head keeps all of them, signed, for ever.
type Opening struct {
	At      time.Time `json:"at"` // by the clock of the one who did it
	Restart bool      `json:"restart,omitempty"`
	Behind  Seal      `json:"behind"` // the last seal that was there
	// Through is the number of the last seal that was made in that moment, for entries that waited: nothing tells when they
	// were written. Late is how many of them bore a time of more than LateBy before.
	Through int64 `json:"through"`
	Late    int64 `json:"late,omitempty"`

	// Of a restart: what the head said was the last seal, and whether it was the sealer's own, else its word is nothing.
	Was    Seal `json:"was"`
	Proved bool `json:"proved,omitempty"`
	// Unsealed is how many entries had neither a seal nor waited for one.
	Unsealed int64 `json:"unsealed,omitempty"`
}

// Doubtful tells whether something before is not proved.
func (o Opening) Doubtful() bool { return o.Restart || o.Late > 0 }

// String says when it was, and what is not proved.
func (o Opening) String() string {
	at := o.At.UTC().Format(time.RFC3339)
	waited := fmt.Sprintf("%d entries waited, %d of them from more than an hour before, and nothing proves when they were written", o.Through-o.Behind.No, o.Late)
	if !o.Restart {
		if o.Late == 0 {
			return "begun at " + at
		}
		return "begun at " + at + ": " + waited
	}
	missing := fmt.Sprintf("%d seals are missing before", o.Was.No-o.Behind.No)
	switch {
	case !o.Proved:
		missing = "the head was not the sealer's, so how many seals are missing before is not known"
	case o.Was.No < o.Behind.No:
		missing = fmt.Sprintf("%d seals before are not the sealer's", o.Behind.No-o.Was.No)
	case o.Was.No == o.Behind.No && !bytes.Equal(o.Was.Seal, o.Behind.Seal):
		missing = "the last seal before was another"
	}
	return fmt.Sprintf("restarted at %s behind seal %d: %s; %s", at, o.Behind.No, missing, waited)
}

// openings reads the history of a head that is signed.
func (h head) openings() (list []Opening, err error) {
	if h.History == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(h.History), &list); err != nil {
		return nil, fmt.Errorf("store: the history of auth.audit_head was signed by a newer Postern: %w", err)
	}
	return list, nil
}

// open seals what waits, and adds to the history of a head what is signed there, so that it has a bound in the chain.
func (db *DB) open(ctx context.Context, c *Chain, h *head, o Opening) (Opening, error) {
	before, err := h.openings()
	if err != nil {
		return o, err
	}
	for o.Through = h.No; ; {
		did, err := db.sealStep(ctx, c.keys[0], h, openingStep, o.At)
		if err != nil {
			return o, err
		}
		o.Through = did.Last.No
		o.Late += int64(did.Late)
		if did.Waited < openingStep {
			break
		}
	}
	history, err := json.Marshal(append(before, o))
	if err != nil {
		return o, err
	}
	h.History = string(history)
	h.sign(c.keys[0])
	b := &pgx.Batch{}
	queueHead(b, *h)
	return o, guardedBatch(ctx, db, b, 1)
}

const openingStep = 2000 // entries that are sealed at once

// BeginChain signs a head that nobody signed yet, as a server does once when it starts, and seals what was there before.
// It gives where the chain ends, and the opening when this began it.
func (db *DB) BeginChain(ctx context.Context, c *Chain, now time.Time) (last Seal, begun *Opening, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		found, err := tx.readHead(ctx, waitHeadSQL)
		if err != nil {
			return err
		}
		last, begun = Seal{found.No, found.Seal}, nil
		if !found.isNew() || found.LastNo != 0 {
			return nil // whether it is right, the next seal tells
		}
		h := head{Seal: []byte{}, AnchorSeal: []byte{}} // what else an unsigned one says is nobody's word
		o, err := tx.open(ctx, c, &h, Opening{At: now.UTC(), Behind: last})
		last, begun = Seal{h.No, h.Seal}, &o
		return err
	})
	return last, begun, err
}

// ErrNotBegun says that there is no chain to restart.
var ErrNotBegun = errors.New("store: the audit log is empty and nobody has begun to seal it: a server that starts does")

// Restarted is what a restart of the chain signed, and what it found.
type Restarted struct {
	Opening
	Last      Seal      // where the chain ends now
	Anchor    Seal      // what the first seal that is there follows
	KeptSince time.Time // entries from before may be gone; zero is none may
}

func (r Restarted) facts() map[string]any {
	facts := map[string]any{
		"was": r.Was.No, "wasSeal": hex.EncodeToString(r.Was.Seal), "no": r.Behind.No, "seal": hex.EncodeToString(r.Behind.Seal),
		"proved": r.Proved, "unsealed": r.Unsealed, "anchor": r.Anchor.No, "anchorSeal": hex.EncodeToString(r.Anchor.Seal),
	}
	if !r.KeptSince.IsZero() {
		facts["keptSince"] = r.KeptSince.UTC().Format(time.RFC3339)
	}
	return facts
}

// RestartChain has the chain go on from where it is, after it was found broken: what is wrong with it stays wrong, and the
// head tells for ever of the restart, as a note in the log does. A head that is not the sealer's is not believed: what
// it allows to be missing would be allowed for good.
func (db *DB) RestartChain(ctx context.Context, c *Chain, n Note) (r Restarted, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		found, err := tx.readHead(ctx, waitHeadSQL)
		if err != nil {
			return err
		}
		if found.LastNo > lastNumber {
			return fmt.Errorf("%w: the row %d of auth.audit_seals is no sealer's; keep a copy, and delete it", ErrChainBroken, found.LastNo)
		}
		r = Restarted{Opening: Opening{At: n.At.UTC(), Restart: true, Was: Seal{found.No, found.Seal}, Proved: found.provedBy(c)}}
		if err := tx.restartable(ctx, found, &r); err != nil {
			return err
		}
		if !r.Proved {
			if err := tx.disbelieve(ctx, c, &found); err != nil {
				return err
			}
		}
		h := found.head
		h.No, h.Seal = found.LastNo, found.LastSeal
		r.Behind, r.Anchor = Seal{h.No, h.Seal}, Seal{h.AnchorNo, h.AnchorSeal}
		if h.KeptSince.Valid {
			r.KeptSince = h.KeptSince.Time
		}
		n.Event, n.Facts = "audit.restarted", r.facts()
		if err := tx.AddNote(ctx, n); err != nil {
			return err
		}
		r.Opening, err = tx.open(ctx, c, &h, r.Opening)
		r.Last = Seal{h.No, h.Seal}
		return err
	})
	return r, err
}

const lastNumber = 1 << 62 // no sealer gets that far

// restartable counts what has no seal, and refuses where there is nothing to restart.
func (db *DB) restartable(ctx context.Context, found foundHead, r *Restarted) error {
	if found.isNew() && found.LastNo == 0 {
		var some bool
		err := db.QueryRow(ctx, anyEntrySQL).Scan(&some)
		if err == nil && !some {
			err = ErrNotBegun
		}
		if err != nil {
			return err
		}
	}
	return db.QueryRow(ctx, countUnsealedSQL).Scan(&r.Unsealed)
}

const anyEntrySQL = `select exists (select from auth.audit_entries)`

// disbelieve takes out of a head that somebody changed what nothing else proves. An anchor is proved by the seal that
// follows it.
func (db *DB) disbelieve(ctx context.Context, c *Chain, found *foundHead) error {
	found.KeptSince, found.History = pgtype.Timestamptz{}, ""
	first, err := one[sealedRow](ctx, db, firstSealsSQL, 1)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && first.No == found.AnchorNo+1 {
		if k, i := c.find(first.Key); i >= 0 && hmac.Equal(first.bind(k, found.AnchorSeal), first.Seal) {
			return nil
		}
	}
	found.AnchorNo, found.AnchorSeal = 0, []byte{}
	if err != nil { // no seal is left
		found.LastNo, found.LastSeal = 0, []byte{}
	}
	return nil
}
