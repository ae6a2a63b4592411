package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// User finds a user. Nobody of the id is auth.NotFound.
func (f *Admin) User(ctx context.Context, by Operator, id string) (store.UserRecord, error) {
	if err := by.mayRead(); err != nil {
		return store.UserRecord{}, err
	}
	u, err := f.Store.UserRecord(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: user %s", auth.NotFound, id)
	}
	return u, err
}
