package store

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// A Break is the first entry that is not as it was sealed, or one that a remark is about.
type Break struct {
	No      int64     // of its seal; 0 for an entry without one
	ID      int64     // of the entry; 0 when not even that is left
	At      time.Time // zero when that is not known
	Event   string
	Problem string
}

// String names the entry and says what is wrong.
func (b Break) String() string {
	name := "an entry"
	if b.ID != 0 {
		name = fmt.Sprintf("entry %d", b.ID)
	}
	if !b.At.IsZero() {
		name += " of " + stamp(b.At)
	}
	if b.Event != "" {
		name += ", " + b.Event
	}
	if b.No != 0 {
		name += fmt.Sprintf(" (seal %d)", b.No)
	}
	return name + ": " + b.Problem
}

// named is a seal's entry with what is to be said of it.
func (s sealedRow) named(problem string) Break {
	b := Break{No: s.No, ID: s.EntryID, Event: s.Event, Problem: problem}
	if s.EntryAt.InfinityModifier == pgtype.Finite {
		b.At = s.EntryAt.Time
	}
	return b
}
