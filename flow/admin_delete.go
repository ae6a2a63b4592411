package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// UserDeletion is a user whom an operator deletes: softly, so that the row stays and what refers to it
// holds, without anything personal and without a way in; or hard, so that the row goes.
type UserDeletion struct {
	ID   string
	Soft bool
}

// DeletedUser is what a deletion came to.
type DeletedUser struct {
	At     time.Time
	Report store.DeletionReport // as it was before
}

const (
	// deletionTime bounds what the database does to delete a user: what refers to them goes along, and
	// may be looked for in all of a table.
	deletionTime = 3 * time.Second
	// reportTime bounds counting what refers to them.
	reportTime = time.Second
)

// DeletionReport counts what goes with a user, or keeps them.
func (f *Admin) DeletionReport(ctx context.Context, by Operator, id string) (store.DeletionReport, error) {
	if err := by.mayRead(); err != nil {
		return store.DeletionReport{}, err
	}
	if _, err := f.User(ctx, by, id); err != nil {
		return store.DeletionReport{}, err
	}
	return f.Store.DeletionReport(ctx, id, reportTime)
}

// DeleteUser deletes a user. Whoever is deleted softly already is left as they are, and may be deleted hard;
// of somebody who is gone nothing is known.
func (f *Admin) DeleteUser(ctx context.Context, by Operator, in UserDeletion) (DeletedUser, error) {
	if err := by.mayChange(); err != nil {
		return DeletedUser{}, err
	}
	for range changeTries {
		deleted, err := f.deleteOnce(ctx, by, in)
		var met again
		if !errors.As(err, &met) {
			return deleted, err
		}
	}
	return DeletedUser{}, auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}
}

func (f *Admin) deleteOnce(ctx context.Context, by Operator, in UserDeletion) (deleted DeletedUser, err error) {
	now := f.Now()
	was, err := f.Store.UserRecord(ctx, in.ID)
	if err != nil {
		return deleted, unknown(err, in.ID)
	}
	if deleted.Report, err = f.Store.DeletionReport(ctx, in.ID, reportTime); err != nil {
		return deleted, err
	}
	if err := by.mayReach(was.User); err != nil {
		return deleted, err
	}
	if in.Soft && !was.DeletedAt.IsZero() {
		deleted.At = was.DeletedAt
		return deleted, nil
	}
	if err := f.deleting(ctx, by, was.User, now); err != nil {
		return deleted, err
	}
	mode := "hard"
	if in.Soft {
		mode = "soft"
	}
	e := f.entry(by, "user.deleted", in.ID, map[string]any{"reason": byOperator, "mode": mode})
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		if err := tx.Within(ctx, deletionTime); err != nil {
			return err
		}
		if err := f.stillReached(ctx, tx, by, in.ID); err != nil {
			return err
		}
		if in.Soft {
			return tx.EraseUser(ctx, in.ID, e)
		}
		return tx.DeleteUser(ctx, in.ID, e)
	})
	deleted.At = e.At
	return deleted, notDeleted(err)
}

// stillReached looks once more, with the user held, whether an operator may do what opens or closes their ways in.
func (f *Admin) stillReached(ctx context.Context, tx *store.DB, by Operator, userID string) error {
	if by.Rights >= auth.AllRights {
		return nil
	}
	held, err := tx.HoldUserRecord(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // as who does it finds out
	}
	if err != nil {
		return err
	}
	return by.mayReach(held.User)
}

// notDeleted is why a user stayed, to operators. Somebody else may have deleted them at the same moment.
func notDeleted(err error) error {
	var referenced auth.Referenced
	switch {
	case errors.Is(err, store.ErrChanged):
		return again{err}
	case store.Refers(err, &referenced):
		return fmt.Errorf("%w: %w", referenced, err)
	case store.IsTimedOut(err):
		return fmt.Errorf("%w: %w", auth.DeletionTooSlow, err)
	}
	return err
}

// deleting has hooks asked about a user whom an operator deletes.
func (f *Admin) deleting(ctx context.Context, by Operator, u auth.User, now time.Time) error {
	if f.Hooks == nil || !f.Hooks.UserDeleted.Bound() {
		return nil
	}
	e := hooks.UserDeleted{Event: event(by.Client, now), User: u}
	return f.Hooks.UserDeleted.Ask(ctx, &e)
}
