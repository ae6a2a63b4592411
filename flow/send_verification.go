package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// SendVerification mails the link to confirm an address once more. Links sent before stay good.
func (f *Account) SendVerification(ctx context.Context, in Ask) error {
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
		return fmt.Errorf("%w: unknown address", auth.InvalidCredentials)
	case err != nil:
		return err
	case user.EmailVerified:
		return fmt.Errorf("%w: user %s", auth.EmailVerified, user.ID)
	}
	if err := f.Policy.gateMember(user, f.Now()); err != nil && auth.CodeOf(err) != auth.UserUnverified {
		return err
	}
	return f.inTx(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: f.Now(),
		})
	})
}

// Resend is SendVerification for dialects that tell nobody who has an account: the answer is the same, and takes as long, whether
// anything is sent or not.
func (f *Account) Resend(ctx context.Context, in Ask) (refused error) {
	end, err := f.sends(ctx, mailTo(turnConfirm, in.Email))
	if err != nil {
		return err
	}
	defer end(&refused)
	start := f.Now()
	err = f.SendVerification(ctx, in)
	switch auth.CodeOf(err) { //nolint:exhaustive // the others are told
	case "":
		return f.answered(ctx, start)
	case auth.InvalidCredentials, auth.EmailVerified, auth.UserDisabled, auth.UserBanned, auth.UserAnonymous, auth.EmailNotAllowed:
		return f.Answers.settle(ctx, start, f.Now)
	}
	return err
}
