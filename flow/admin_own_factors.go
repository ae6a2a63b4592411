package flow

import (
	"context"
	"fmt"

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
