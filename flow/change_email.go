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
	now := f.Now()
	user, err := f.member(ctx, in.Actor)
	if err != nil {
		return err
	}
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return err
	}
	if err := f.Policy.admit(in.NewEmail); err != nil {
		return err
	}
	if !f.MailReady {
		return auth.MailNotConfigured
	}
	switch _, err := f.Store.UserByEmail(ctx, in.NewEmail); {
	case err == nil:
		return fmt.Errorf("%w: asked for by user %s", auth.EmailTaken, user.ID)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	user.NewEmail = in.NewEmail
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("email.change_requested", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		if err := tx.AskEmailChange(ctx, user.ID, in.NewEmail, e); err != nil {
			return err
		}
		return f.sendLink(ctx, tx, link{
			user: user, to: in.NewEmail, purpose: auth.ConfirmEmailChange, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: now,
		})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}
