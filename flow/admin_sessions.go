package flow

import (
	"context"
	"errors"
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
// sessions, a note with the number.
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

// endEverybodys goes through all sessions in steps, each a transaction of its own, for as long as a request
// may take. The note is in the last of them; where one breaks off, it tells of those before.
func (f *Admin) endEverybodys(ctx context.Context, by Operator, in SessionEnding) (out SessionsEnded, err error) {
	began := f.Now()
	before := began
	facts := map[string]any{}
	if in.Before != nil {
		facts["before"] = in.Before.UTC().Format(time.RFC3339)
		if in.Before.Before(began) {
			before = *in.Before
		}
	}
	note := func() store.Note {
		facts["count"], facts["pats"], facts["more"] = out.Sessions, out.PATs, out.More
		return f.note(by, "sessions.ended", facts)
	}
	last := firstID
	for step := 0; ; step++ {
		done := out
		over := false
		err = f.Store.InTx(ctx, func(tx *store.DB) error {
			out, over = done, false
			if step == 0 {
				n, err := tx.EndImpersonations(ctx, before, began)
				if err != nil {
					return err
				}
				out.Sessions += n
			}
			s, err := tx.EndSessionsOfAll(ctx, last, before, in.PATs, endingStep)
			if err != nil {
				return err
			}
			out.Sessions, out.PATs, last = out.Sessions+s.Sessions, out.PATs+s.PATs, s.LastID
			out.More = s.Seen == endingStep && f.Now().Sub(began) >= endingSpell
			if over = s.Seen < endingStep || out.More; over {
				return tx.AddNote(ctx, note())
			}
			return nil
		})
		switch {
		case err != nil:
			if out = done; step > 0 {
				out.More = true
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
				defer cancel()
				err = errors.Join(err, f.Store.AddNote(ctx, note()))
			}
			return SessionsEnded{}, err
		case over:
			return out, nil
		}
	}
}
