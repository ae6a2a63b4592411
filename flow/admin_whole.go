package flow

import (
	"context"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// What is here is for dialects that tell operators all that is known of a user with each answer, and list users by
// the number of a page.

// WholeUser finds a user with what is known beside their row. Nobody of the id is auth.NotFound.
func (f *Admin) WholeUser(ctx context.Context, by Operator, id string) (store.WholeUser, error) {
	if err := by.mayRead(); err != nil {
		return store.WholeUser{}, err
	}
	u, err := f.Store.WholeUser(ctx, id)
	return u, unknown(err, id)
}

// CreateWhole is CreateUser.
func (f *Admin) CreateWhole(ctx context.Context, by Operator, in UserCreation) (store.WholeUser, error) {
	made, err := f.CreateUser(ctx, by, in)
	if err != nil {
		return store.WholeUser{}, err
	}
	return f.WholeUser(ctx, by, made.ID)
}

// UpdateWhole is UpdateUser. Nothing to change is no error: the user is told as they are.
func (f *Admin) UpdateWhole(ctx context.Context, by Operator, in UserChange) (store.WholeUser, error) {
	if err := by.mayChange(); err != nil {
		return store.WholeUser{}, err
	}
	if !reflect.DeepEqual(in, UserChange{ID: in.ID}) {
		if _, err := f.UpdateUser(ctx, by, in); err != nil {
			return store.WholeUser{}, err
		}
	}
	return f.WholeUser(ctx, by, in.ID)
}

// NumberedPage asks for users by the number of a page, the first of which is 1.
type NumberedPage struct {
	Number, Size int
	Contains     string // in address or name
	Ascending    bool   // the oldest first
}

// UsersPage is such a page.
type UsersPage struct {
	Users []store.WholeUser
	Total int64 // on all pages
}

const (
	mostOfNumbered = 1000    // users of a page: scripts go through all of them
	mostPages      = 1 << 31 // beyond what anybody has
	listingTime    = 5 * time.Second
)

// check refuses pages that cannot be.
func (p NumberedPage) check() error {
	switch {
	case p.Number < 1 || p.Number > mostPages:
		return auth.Invalid{Field: "page", Problem: "must be a number from 1 on"}
	case p.Size < 1 || p.Size > mostOfNumbered:
		return auth.Invalid{Field: "per_page", Problem: fmt.Sprintf("must be a number from 1 to %d", mostOfNumbered)}
	}
	return nil
}

// NumberedUsers lists a page of users. What is looked for in addresses and names is looked for in all of them, so
// that bounds how long it may take.
func (f *Admin) NumberedUsers(ctx context.Context, by Operator, p NumberedPage) (out UsersPage, err error) {
	if err := by.mayRead(); err != nil {
		return out, err
	}
	if err := p.check(); err != nil {
		return out, err
	}
	if !utf8.ValidString(p.Contains) || utf8.RuneCountInString(p.Contains) > mostFilterText {
		return out, auth.Invalid{Field: "filter", Problem: fmt.Sprintf("must be a text of %d characters at most", mostFilterText)}
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) (err error) {
		if err := tx.Within(ctx, listingTime); err != nil {
			return err
		}
		out.Users, out.Total, err = tx.PageOfUsers(ctx, store.UserPage{
			Contains: p.Contains, Ascending: p.Ascending, Offset: int64(p.Number-1) * int64(p.Size), Most: p.Size,
		})
		return err
	})
	if store.IsTimedOut(err) {
		err = fmt.Errorf("%w: %w", auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Minute}, err)
	}
	return out, err
}

// chosenPassword is the hash of the password that an operator chooses for somebody; empty where none is. It takes all
// rights, and a setting: whoever may do it gets in as anybody.
func (f *Admin) chosenPassword(ctx context.Context, by Operator, in UserChange) (string, error) {
	switch {
	case !in.Password.Given:
		return "", nil
	case by.Rights < auth.AllRights:
		return "", fmt.Errorf("%w: only who has a service key or the admin secret chooses passwords", auth.Forbidden)
	case !f.Settings.Passwords:
		return "", fmt.Errorf("%w: AUTH_ADMIN_PASSWORDS is not set", auth.EndpointDisabled)
	}
	if _, err := f.User(ctx, by, in.ID); err != nil {
		return "", err
	}
	if err := f.PasswordPolicy.Check(ctx, in.Password.Value); err != nil {
		return "", err
	}
	return f.Passwords.Hash(ctx, in.Password.Value)
}

// tellOfChosen tells of a password that an operator chose as of one that the user did.
func (f *Admin) tellOfChosen(ctx context.Context, tx *store.DB, told hooks.PasswordChanged) error {
	if err := f.tellOfPassword(ctx, tx, told); err != nil {
		return err
	}
	u := told.User
	return f.notify(ctx, tx, notice{template: "password-changed", to: u.Email, user: u, client: told.Client})
}
