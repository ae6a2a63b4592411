package flow

import (
	"context"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

const (
	mostEnded   = 100             // ids of users, and of sessions, in one request
	endingStep  = 1000            // sessions in one transaction
	endingSpell = 3 * time.Second // that a request goes on with everybody's
	firstID     = "00000000-0000-0000-0000-000000000000"
)

// SessionEnding says which sessions an operator ends: by their ids, of users, or of everybody.
type SessionEnding struct {
	UserIDs    []string
	SessionIDs []string
	All        bool       // everybody's
	Before     *time.Time // only those that began before
	PATs       bool       // personal access tokens as well, which would open new ones
}

// SessionsEnded is what ended.
type SessionsEnded struct {
	Sessions int
	PATs     int
	Users    int  // of how many; 0 where everybody's ended
	More     bool // there is more to end: ask again
}

// EndSessions ends sessions, and with them what operators have in the place of the users. What is not there
// counts as nothing: ending twice is no error. Of each user concerned it leaves an entry; of everybody's
// sessions, notes with the numbers.
func (f *Admin) EndSessions(ctx context.Context, by Operator, in SessionEnding) (SessionsEnded, error) {
	if err := by.mayChange(); err != nil {
		return SessionsEnded{}, err
	}
	if err := in.check(); err != nil {
		return SessionsEnded{}, err
	}
	if in.All {
		return f.endEverybodys(ctx, by, in)
	}
	detail := map[string]any{"reason": byOperator}
	e := store.Ending{UserIDs: in.UserIDs, SessionIDs: in.SessionIDs, PATs: in.PATs, Entry: f.entry(by, "session.ended", "", detail)}
	if in.Before != nil {
		e.Before, detail["before"] = *in.Before, in.Before.UTC().Format(time.RFC3339)
	} else if len(in.UserIDs) > 0 {
		detail["all"] = true
	}
	var out SessionsEnded
	err := f.Store.InTx(ctx, func(tx *store.DB) error {
		ended, err := tx.EndSessions(ctx, e)
		out = SessionsEnded{Users: len(ended)}
		for _, u := range ended {
			out.Sessions += u.Sessions
			out.PATs += u.PATs
		}
		return err
	})
	return out, err
}

func (in SessionEnding) check() error {
	switch {
	case len(in.UserIDs) > mostEnded:
		return auth.Invalid{Field: "input.userIds", Problem: fmt.Sprintf("must not be more than %d", mostEnded)}
	case len(in.SessionIDs) > mostEnded:
		return auth.Invalid{Field: "input.sessionIds", Problem: fmt.Sprintf("must not be more than %d", mostEnded)}
	case in.All && len(in.UserIDs)+len(in.SessionIDs) > 0:
		return auth.Invalid{Field: "input.all", Problem: "cannot be given together with userIds or sessionIds"}
	case len(in.UserIDs) > 0 && len(in.SessionIDs) > 0:
		return auth.Invalid{Field: "input.sessionIds", Problem: "cannot be given together with userIds"}
	case !in.All && len(in.UserIDs)+len(in.SessionIDs) == 0:
		return auth.Invalid{Field: "input", Problem: "must name users or sessions, or say all"}
	case len(in.SessionIDs) > 0 && in.PATs:
		return auth.Invalid{Field: "input.includePersonalAccessTokens", Problem: "goes with userIds or all"}
	}
	return nil
}

// endEverybodys goes through all sessions in steps, each a transaction of its own with a note of what it ended, for
// as long as a request may take: whenever it breaks off, the audit log has all that is gone.
func (f *Admin) endEverybodys(ctx context.Context, by Operator, in SessionEnding) (out SessionsEnded, err error) {
	began := f.Now()
	e := everybodys{before: began, began: began, pats: in.PATs, last: firstID}
	facts := map[string]any{}
	if in.Before != nil {
		facts["before"] = in.Before.UTC().Format(time.RFC3339)
		if in.Before.Before(began) {
			e.before = *in.Before
		}
	}
	for first := true; ; first = false {
		var s store.Swept
		more := false
		err = f.Store.InTx(ctx, func(tx *store.DB) (err error) {
			if s, err = e.step(ctx, tx, first); err != nil {
				return err
			}
			if more = s.Seen == endingStep; !more && !first && s.Sessions+s.PATs == 0 {
				return nil // the step before was the last
			}
			facts["count"], facts["pats"], facts["more"] = s.Sessions, s.PATs, more
			return tx.AddNote(ctx, f.note(by, "sessions.ended", facts))
		})
		if err != nil {
			return SessionsEnded{}, err
		}
		out.Sessions, out.PATs, e.last = out.Sessions+s.Sessions, out.PATs+s.PATs, s.LastID
		out.More = more && f.Now().Sub(began) >= endingSpell
		if !more || out.More {
			return out, nil
		}
	}
}

// everybodys is how far the sessions of everybody are ended.
type everybodys struct {
	before, began time.Time
	pats          bool
	last          string
}

// step ends some, and with the first all that operators have in the place of users.
func (e everybodys) step(ctx context.Context, tx *store.DB, first bool) (s store.Swept, err error) {
	acted := 0
	if first {
		if acted, err = tx.EndImpersonations(ctx, e.before, e.began); err != nil {
			return s, err
		}
	}
	s, err = tx.EndSessionsOfAll(ctx, e.last, e.before, e.pats, endingStep)
	s.Sessions += acted
	return s, err
}
