package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"postern/auth"
	"postern/store"
)

// RemoveFactor takes one second factor off a user by its id, and tells what it was. The recovery codes go with the last one, and all
// sessions of the user end. The user is told by mail.
func (f *Admin) RemoveFactor(ctx context.Context, by Operator, in Removal) (auth.Factor, error) {
	if err := by.mayChange(); err != nil {
		return auth.Factor{}, err
	}
	user, err := f.WholeUser(ctx, by, in.UserID)
	if err != nil {
		return auth.Factor{}, err
	}
	for _, factor := range user.Details.Factors {
		if factor.ID != in.ID {
			continue
		}
		return factor, f.withdrawFactor(ctx, by, in, factor)
	}
	return auth.Factor{}, fmt.Errorf("%w: user %s has no factor of the id", auth.FactorNotActive, in.UserID)
}

// FactorEdit is an operator who gives a second factor of a user another name, or a telephone another number.
type FactorEdit struct {
	UserID string
	ID     string
	Name   string // empty to keep it
	Number string // the same; of a telephone alone
}

// ChangeFactor changes a second factor, and tells what it is then. Whoever has the new number of a telephone proves the factor from now on,
// so all sessions of the user end, and the user is told by mail.
func (f *Admin) ChangeFactor(ctx context.Context, by Operator, in FactorEdit) (auth.Factor, error) {
	factor, err := f.factorFor(ctx, by, in)
	if err != nil {
		return factor, err
	}
	moved := in.Number != ""
	err = f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: true, reaches: moved, absent: auth.FactorNotActive,
		take: func(tx *store.DB, _ auth.User) (event string, detail map[string]any, err error) {
			return "factor.changed", map[string]any{"factor": factor.Kind, "number": moved}, tx.ChangeFactor(ctx, in.UserID, in.change(factor))
		},
		tells: func(u auth.User) []notice {
			if !moved || factor.ConfirmedAt.IsZero() {
				return nil
			}
			return []notice{factorOnNotice(u, factor.Kind, by.Client)}
		},
	})
	if errors.Is(err, store.ErrNameTaken) {
		err = fmt.Errorf("%w: user %s", auth.FactorNameTaken, in.UserID)
	}
	return factor, err
}

// change is what of a factor is to be written: what another operator changes meanwhile stays.
func (in FactorEdit) change(factor auth.Factor) store.FactorChange {
	c := store.FactorChange{ID: factor.ID, Name: in.Name}
	if in.Number != "" {
		c.Number = factor.PhoneNumber
	}
	return c
}

// factorFor is a factor as it will be.
func (f *Admin) factorFor(ctx context.Context, by Operator, in FactorEdit) (factor auth.Factor, err error) {
	if err := by.mayChange(); err != nil {
		return factor, err
	}
	user, err := f.WholeUser(ctx, by, in.UserID)
	if err != nil {
		return factor, err
	}
	at := slices.IndexFunc(user.Details.Factors, func(f auth.Factor) bool { return f.ID == in.ID })
	if at < 0 {
		return factor, fmt.Errorf("%w: user %s has no factor of the id", auth.FactorNotActive, in.UserID)
	}
	factor = user.Details.Factors[at]
	if in.Name != "" {
		factor.Name = in.Name
	}
	switch {
	case in.Number == "":
		return factor, nil
	case factor.Kind != auth.PhoneFactor:
		return factor, auth.Invalid{Field: "phone", Problem: "is of telephones alone"}
	}
	factor.PhoneNumber, err = phoneNumber(in.Number)
	return factor, err
}

func (f *Admin) withdrawFactor(ctx context.Context, by Operator, in Removal, factor auth.Factor) error {
	var gone store.Withdrawn
	return f.withdraw(ctx, by, withdrawal{
		userID: in.UserID, lockout: in.Lockout, reaches: true, absent: auth.FactorNotActive,
		take: func(tx *store.DB, _ auth.User) (event string, detail map[string]any, err error) {
			gone, err = tx.WithdrawFactor(ctx, in.UserID, factor)
			return "factor.reset", withdrawnDetail(gone), err
		},
		tells: func(u auth.User) []notice {
			if factor.ConfirmedAt.IsZero() {
				return nil
			}
			return withdrawnNotices(u, gone, by.Client)
		},
	})
}

// PasskeysOf lists the passkeys of a user. Nobody of the id is auth.NotFound.
func (f *Admin) PasskeysOf(ctx context.Context, by Operator, userID string) ([]store.ListedPasskey, error) {
	if _, err := f.User(ctx, by, userID); err != nil {
		return nil, err
	}
	all, err := f.PasskeysOfUsers(ctx, by, []string{userID}, mostOfPage)
	return all[userID], err
}
