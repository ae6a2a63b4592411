package flow

import (
	"context"
	"errors"

	"postern/auth"
	"postern/store"
)

// Ask is somebody who asks for a mail by an address, signed in or not.
type Ask struct {
	Email         string
	RedirectTo    string
	CodeChallenge string
	Client        auth.Client
}

// ResetPassword mails a link to set a new password, if the address belongs to somebody who may
// sign in. The answer is the same, and takes as long, whether it does or not.
func (f *Account) ResetPassword(ctx context.Context, in Ask) (refused error) {
	end, err := f.sends(ctx, mailTo(turnEnter, in.Email))
	if err != nil {
		return err
	}
	defer end(&refused)
	start := f.Now()
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return err
	}
	if !f.MailReady {
		return auth.MailNotConfigured
	}
	user, err := f.Store.UserByEmail(ctx, in.Email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return f.Answers.settle(ctx, start, f.Now)
	case err != nil:
		return err
	case f.mayReset(user) != nil:
		return f.Answers.settle(ctx, start, f.Now)
	}
	err = f.quietly(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: auth.ResetPassword, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: start,
		})
	})
	if err != nil {
		return err
	}
	return f.answered(ctx, start)
}

// mayReset tells who gets no mail.
func (f *Account) mayReset(u auth.User) error {
	err := f.Policy.gateByEmail(u, f.Now())
	if auth.CodeOf(err) == auth.UserUnverified && f.Policy.ResetsProve {
		return nil
	}
	return err
}
