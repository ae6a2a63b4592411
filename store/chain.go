package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// A Chain is what the audit log is sealed with: keys that the database does not have. The first one
// seals, all of them verify.
type Chain struct{ keys []chainKey }

type chainKey struct {
	id     []byte // as seals name it
	secret []byte
}

// NewChain takes the keys of the audit log, the current one first.
func NewChain(keys [][]byte) *Chain {
	c := &Chain{}
	for _, secret := range keys {
		k := chainKey{secret: secret}
		k.id = k.sum("key")[:8]
		c.keys = append(c.keys, k)
	}
	return c
}

// find is the key with an id, and its place in the list.
func (c *Chain) find(id []byte) (chainKey, int) {
	i := slices.IndexFunc(c.keys, func(k chainKey) bool { return hmac.Equal(k.id, id) })
	if i < 0 {
		return chainKey{}, -1
	}
	return c.keys[i], i
}

// sum is a keyed hash of fields. What it is for is one of them, and each goes in with its length, so that
// no two different lists are the same bytes.
func (k chainKey) sum(purpose string, fields ...[]byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	for _, f := range append([][]byte{[]byte(purpose)}, fields...) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(f)))
		h.Write(size[:])
		h.Write(f)
	}
	return h.Sum(nil)
}

// How an entry is turned into bytes.
const (
	entryGone int16 = 0 // there was nothing left of it when it was to be sealed
	entryV1   int16 = 1
)

// loggedRow is an entry as the log has it: every column, those of no fixed form as text.
type loggedRow struct {
	At                       pgtype.Timestamptz
	ID                       int64
	Event                    *string // nil when there is no such entry
	UserID, ActorID          *string
	SessionID, AddressPrefix *string
	UserAgent, Detail        *string
}

// loggedColumns are the columns of a loggedRow of the table e, beside time and id.
const loggedColumns = ` e.event, e.user_id::text as user_id, e.actor_id::text as actor_id, e.session_id::text as session_id,
	e.address_prefix, e.user_agent, e.detail::text as detail`

// digest is the keyed hash of an entry's content.
func (r loggedRow) digest(k chainKey, version int16) []byte {
	if version == entryGone {
		return k.sum("gone", instant(r.At), number(r.ID))
	}
	return k.sum("entry", number(int64(version)), instant(r.At), number(r.ID), text(r.Event), text(r.UserID), text(r.ActorID),
		text(r.SessionID), text(r.AddressPrefix), text(r.UserAgent), text(r.Detail))
}

// sealedRow is a seal: the entry it is for, and how it is bound to the seal before.
type sealedRow struct {
	No      int64
	EntryAt pgtype.Timestamptz
	EntryID int64
	Event   string
	// SealedAt is when it was sealed, by the clock of the server that did it.
	SealedAt pgtype.Timestamptz
	Version  int16
	Key      []byte
	Digest   []byte
	Seal     []byte
}

// bind is what the seal must be.
func (s sealedRow) bind(k chainKey, before []byte) []byte {
	return k.sum("seal", number(s.No), before, number(int64(s.Version)), instant(s.EntryAt), number(s.EntryID), []byte(s.Event),
		instant(s.SealedAt), s.Digest)
}

// head is the state of the chain.
type head struct {
	No         int64
	Seal       []byte
	AnchorNo   int64
	AnchorSeal []byte
	KeptSince  pgtype.Timestamptz
	History    string // openings, as JSON
	Key        []byte
	Mac        []byte
}

func (h head) bind(k chainKey) []byte {
	return k.sum("head", number(h.No), h.Seal, number(h.AnchorNo), h.AnchorSeal, instant(h.KeptSince), []byte(h.History))
}

// sign makes the head the current key's.
func (h *head) sign(k chainKey) { h.Key, h.Mac = k.id, h.bind(k) }

// provedBy tells whether the head is as a key of the chain signed it.
func (h head) provedBy(c *Chain) bool {
	k, i := c.find(h.Key)
	return i >= 0 && hmac.Equal(h.bind(k), h.Mac)
}

// isNew tells whether nothing was ever sealed.
func (h head) isNew() bool { return h.No == 0 && h.AnchorNo == 0 && len(h.Mac) == 0 }

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) } // #nosec G115 -- the bits are what counts

// text is a text, or nothing, which an empty text is not.
func text(s *string) []byte {
	if s == nil {
		return nil
	}
	return append([]byte{1}, *s...)
}

// instant is a time as Postgres keeps it, in microseconds; the infinite ones and none are no number of them.
func instant(t pgtype.Timestamptz) []byte {
	switch {
	case !t.Valid:
		return nil
	case t.InfinityModifier == pgtype.Infinity:
		return number(math.MaxInt64)
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return number(math.MinInt64)
	}
	return number(t.Time.UnixMicro())
}
