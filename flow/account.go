package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// User gives the user an access token speaks of.
func (f *Account) User(ctx context.Context, a auth.Actor) (auth.User, error) {
	return f.actor(ctx, a)
}

// actor loads the user behind a token and checks that the token's session and the account are
// still good: a token outlives neither.
func (k *Kit) actor(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.Store.UserOfActor(ctx, a, k.Now())
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return auth.User{}, err
	}
	return u, k.Policy.gate(u)
}

// member is an actor who is not a guest and has proved themselves lately where that is required.
func (k *Kit) member(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.actor(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	if err := k.Policy.gateMember(u); err != nil {
		return auth.User{}, err
	}
	return u, k.elevated(ctx, a)
}

// elevated refuses an actor whose proof is too old for changing credentials.
func (k *Kit) elevated(ctx context.Context, a auth.Actor) error {
	if a.Elevated || k.Policy.Elevation == "disabled" || k.Policy.Elevation == "" {
		return nil
	}
	if k.Policy.Elevation == "recommended" {
		owns, err := k.Store.OwnsSecurityKey(ctx, a.UserID)
		if err != nil || !owns {
			return err
		}
	}
	return fmt.Errorf("%w: user %s", auth.NotElevated, a.UserID)
}

// Verify checks an access token the way the endpoints do that take one.
func (f *Sessions) Verify(ctx context.Context, a auth.Actor) error {
	_, err := f.actor(ctx, a)
	return err
}

// VerifyToken checks an access token that came as a value: signature, issuer and time.
func (f *Sessions) VerifyToken(token string) error {
	if _, err := f.Signer.Verify(token, f.Now()); err != nil {
		return fmt.Errorf("%w: %w", auth.InvalidToken, err)
	}
	return nil
}

// PasswordChange sets a new password: of the actor, or of whoever holds the ticket of a reset mail.
type PasswordChange struct {
	Actor       *auth.Actor // nil when nobody is signed in
	Ticket      string
	NewPassword string
	Client      auth.Client
}

// ChangePassword sets a new password and ends every other session of the user: whoever knew the
// old one is out.
func (f *Account) ChangePassword(ctx context.Context, in PasswordChange) error {
	now := f.Now()
	var user auth.User
	var found store.Found
	var keep string
	var err error
	if in.Actor != nil {
		user, err = f.member(ctx, *in.Actor)
		// Clients send the access token they have with every call. One whose session is over, or
		// whose proof is too old, does not stand in the way of a ticket.
		if code := auth.CodeOf(err); in.Ticket != "" && (code == auth.Unauthorized || code == auth.NotElevated) {
			in.Actor = nil
		}
	}
	switch {
	case in.Actor != nil && err == nil && in.Ticket != "":
		keep = in.Actor.SessionID
		// The session counts, as in Hasura Auth; but a ticket of somebody else says that the request
		// does not mean this user.
		if other, e := f.findTicket(ctx, auth.ResetPassword, in.Ticket, now); e == nil && other.User.ID != user.ID {
			err = fmt.Errorf("%w: it is of user %s, the session of user %s", auth.InvalidTicket, other.User.ID, user.ID)
		}
	case in.Actor != nil:
		keep = in.Actor.SessionID
	case in.Ticket != "":
		found, err = f.findTicket(ctx, auth.ResetPassword, in.Ticket, now)
		if err == nil {
			user, err = found.User, f.Policy.gateHolder(found)
		}
	default:
		err = fmt.Errorf("%w: neither a session nor a ticket", auth.BadRequest)
	}
	if err != nil {
		return err
	}
	if err := f.PasswordPolicy.Check(ctx, in.NewPassword); err != nil {
		return err
	}
	hash, err := f.Passwords.Hash(ctx, in.NewPassword)
	if err != nil {
		return err
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		if in.Actor == nil {
			if err := tx.TakeTicket(ctx, found, in.Ticket); err != nil {
				return err
			}
		}
		e := f.entry("password.changed", user.ID, in.Client, now)
		e.SessionID = keep
		if err := tx.SetPassword(ctx, user.ID, hash, keep, f.lockoutKey(user.Email), e); err != nil {
			return err
		}
		return f.notify(ctx, tx, "password-changed", user.Email, user)
	})
	if errors.Is(err, store.ErrChanged) {
		if in.Actor != nil {
			return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
		}
		return fmt.Errorf("%w: used up or changed meanwhile", auth.InvalidTicket)
	}
	return err
}

// Ask is somebody who asks for a mail by an address, signed in or not.
type Ask struct {
	Email         string
	RedirectTo    string
	CodeChallenge string
	Client        auth.Client
}

// ResetPassword mails a link to set a new password, if the address belongs to somebody who may
// sign in. The answer is the same, and takes as long, whether it does or not.
func (f *Account) ResetPassword(ctx context.Context, in Ask) error {
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
	case f.Policy.gateMember(user) != nil:
		return f.Answers.settle(ctx, start, f.Now)
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: auth.ResetPassword, redirectTo: redirectTo, challenge: in.CodeChallenge, now: start,
		})
	})
	if err != nil {
		return err
	}
	f.Answers.worked(start, f.Now())
	return f.Answers.settle(ctx, start, f.Now)
}

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
	if err := f.Policy.gateMember(user); err != nil && auth.CodeOf(err) != auth.UserUnverified {
		return err
	}
	return f.Store.InTx(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, challenge: in.CodeChallenge, now: f.Now(),
		})
	})
}

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
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		e := f.entry("email.change_requested", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		if err := tx.AskEmailChange(ctx, user.ID, in.NewEmail, e); err != nil {
			return err
		}
		return f.sendLink(ctx, tx, link{
			user: user, to: in.NewEmail, purpose: auth.ConfirmEmailChange, redirectTo: redirectTo, challenge: in.CodeChallenge, now: now,
		})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// findTicket looks for a live ticket by the text that clients hold ("passwordReset:<uuid>").
func (k *Kit) findTicket(ctx context.Context, p auth.Purpose, text string, now time.Time) (store.Found, error) {
	found, err := k.Store.FindTicket(ctx, p, tokens.HashSecret(text), now)
	if errors.Is(err, store.ErrNotFound) && now.Before(k.AdoptedUntil) {
		found, err = k.Store.FindAdoptedTicket(ctx, p, text, now)
	}
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("%w: unknown, expired or used up", auth.InvalidTicket)
	}
	return found, err
}
