package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// Invite is an operator who asks somebody in by an address.
type Invite struct {
	Email       string
	Metadata    json.RawMessage // of a new user
	DisplayName *string         // the same
	RedirectTo  string
}

// InviteByEmail makes a user who is mailed an invitation, or mails another one to who never came in and has not
// confirmed the address. Whoever has is auth.EmailTaken.
func (f *Admin) InviteByEmail(ctx context.Context, by Operator, in Invite) (store.WholeUser, error) {
	if err := by.mayChange(); err != nil {
		return store.WholeUser{}, err
	}
	user, err := f.Store.UserByEmail(ctx, in.Email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return f.CreateWhole(ctx, by, UserCreation{
			Email: in.Email, Metadata: in.Metadata, DisplayName: in.DisplayName, Invited: true, RedirectTo: in.RedirectTo,
		})
	case err != nil:
		return store.WholeUser{}, err
	case user.EmailVerified:
		return store.WholeUser{}, fmt.Errorf("%w: user %s", auth.EmailTaken, user.ID)
	}
	if err := f.SendMail(ctx, by, AdminMail{UserID: user.ID, Purpose: auth.Invitation, RedirectTo: in.RedirectTo}); err != nil {
		return store.WholeUser{}, err
	}
	return f.WholeUser(ctx, by, user.ID)
}
