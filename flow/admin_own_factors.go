package flow

import (
	"context"
	"fmt"

	"postern/auth"
	"postern/store"
)

// RemoveFactor takes a second factor off a user by its id, and tells what it was. As there is one of a kind, all that comes with it
// goes, too: see ResetFactors.
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
		_, err := f.ResetFactors(ctx, by, FactorReset{UserID: in.UserID, Lockout: in.Lockout})
		return factor, err
	}
	return auth.Factor{}, fmt.Errorf("%w: user %s has no factor of the id", auth.FactorNotActive, in.UserID)
}

// PasskeysOf lists the passkeys of a user. Nobody of the id is auth.NotFound.
func (f *Admin) PasskeysOf(ctx context.Context, by Operator, userID string) ([]store.ListedPasskey, error) {
	if _, err := f.User(ctx, by, userID); err != nil {
		return nil, err
	}
	all, err := f.PasskeysOfUsers(ctx, by, []string{userID}, mostOfPage)
	return all[userID], err
}
