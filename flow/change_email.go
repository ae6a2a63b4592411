package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// EmailChange is a user who wants another address.
type EmailChange struct {
	Actor         auth.Actor
	NewEmail      string
	RedirectTo    string
	CodeChallenge string
	Client        auth.Client
}

// ChangeEmail mails a link to the new address. Until it is opened nothing changes but the note of
// what was asked.
func (f *Account) ChangeEmail(ctx context.Context, in EmailChange) error {
	user, err := f.member(ctx, in.Actor)
	if err != nil {
		return err
	}
	mail, err := f.newAddress(ctx, in, user)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error { return f.askAddress(ctx, tx, in.Actor.SessionID, mail) })
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// newAddress checks another address of a user, and gives the mail that asks for its confirmation.
func (f *Account) newAddress(ctx context.Context, in EmailChange, u auth.User) (link, error) {
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return link{}, err
	}
	if err := f.Policy.admit(in.NewEmail); err != nil {
		return link{}, err
	}
	if !f.MailReady {
		return link{}, auth.MailNotConfigured
	}
	if err := f.free(ctx, in.NewEmail, u); err != nil {
		return link{}, err
	}
	u.NewEmail = in.NewEmail
	return link{
		user: u, to: in.NewEmail, purpose: auth.ConfirmEmailChange, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: f.Now(),
	}, nil
}

// free refuses an address that somebody has, as another one of a user.
func (k *Kit) free(ctx context.Context, email string, u auth.User) error {
	_, err := k.Store.UserByEmail(ctx, email)
	switch {
	case err == nil:
		return fmt.Errorf("%w: for user %s", auth.EmailTaken, u.ID)
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// askAddress notes what a user asked for in a session, and mails it.
func (f *Account) askAddress(ctx context.Context, tx *store.DB, session string, mail link) error {
	e := f.entry("email.change_requested", mail.user.ID, mail.client, mail.now)
	e.SessionID = session
	if err := tx.AskEmailChange(ctx, mail.user.ID, mail.to, e); err != nil {
		return err
	}
	return f.sendLink(ctx, tx, mail)
}
