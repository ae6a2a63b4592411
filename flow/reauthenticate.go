package flow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"postern/auth"
	"postern/store"
)

// reauthenticatedFor is how long after a sign-in nobody has to type a code to change their password.
const reauthenticatedFor = 24 * time.Hour

// Reauthenticate sends a code to somebody who is signed in, by which they change their password: to the address, or to
// the number where there is no address.
func (f *Account) Reauthenticate(ctx context.Context, a auth.Actor, c auth.Client) (refused error) {
	user, err := f.actor(ctx, a)
	if err != nil {
		return err
	}
	now := f.Now()
	code := newCode{purpose: auth.Reauthenticate, user: user, account: accountOf(user), client: c, now: now}
	switch {
	case user.Email != "" && !user.EmailVerified:
		return fmt.Errorf("%w: user %s", auth.UserUnverified, user.ID)
	case user.Email != "" && !f.MailReady:
		return auth.MailNotConfigured
	case user.Email != "":
		code.email = user.Email
	case user.PhoneNumber == "" || !user.PhoneNumberVerified:
		return auth.Invalid{Field: "email", Problem: "or phone: the account must have one to send the code to"}
	case !f.textsReady(auth.Reauthenticate):
		return auth.SMSNotConfigured
	default:
		if code.phone, err = phoneNumber(user.PhoneNumber); err != nil {
			return err
		}
	}
	if err := f.typedOut(ctx, code.account, now); err != nil {
		return err
	}
	end, err := f.sends(ctx, turn{keys: []string{turnReauth + user.ID}, texts: code.phone != ""})
	if err != nil {
		return err
	}
	defer end(&refused)
	return f.inTx(ctx, func(tx *store.DB) error {
		until, sent, err := f.sendCode(ctx, tx, code)
		if err == nil && !sent {
			return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
		}
		return err
	})
}

// openedLately tells whether the session of an actor is so young that its sign-in is proof enough.
func (f *Account) openedLately(ctx context.Context, a auth.Actor, now time.Time) (bool, error) {
	session, err := f.Store.ProofsOf(ctx, a)
	if err != nil {
		return false, fmt.Errorf("%w: the session is gone: %w", auth.Unauthorized, err)
	}
	return now.Sub(session.CreatedAt) < reauthenticatedFor, nil
}

// openedByMessage tells whether it was a mail or a text message that let an actor in, so lately that they may have forgotten
// their password.
func (f *Account) openedByMessage(ctx context.Context, a auth.Actor, now time.Time) (bool, error) {
	session, err := f.Store.ProofsOf(ctx, a)
	if err != nil {
		return false, fmt.Errorf("%w: the session is gone: %w", auth.Unauthorized, err)
	}
	return len(session.AMR) > 0 && slices.Contains(byMessage, session.AMR[0].Method) && now.Sub(session.CreatedAt) < reauthenticatedFor, nil
}

// byMessage are the proofs that somebody reads a mail or a text message.
var byMessage = []string{"link", "otp", "sms"}

// proved refuses who would change their password in a session without a fresh proof, where the operator wants one. The doors
// that take no code and no current password with the new one know elevated sessions.
func (f *Account) proved(ctx context.Context, a auth.Actor) error {
	if a.Elevated {
		return nil
	}
	if f.Policy.Reauthenticate {
		if young, err := f.openedLately(ctx, a, f.Now()); err != nil {
			return err
		} else if !young {
			return fmt.Errorf("%w: the session of user %s is old", auth.NotElevated, a.UserID)
		}
	}
	if !f.Policy.KnowsPassword {
		return nil
	}
	ways, err := f.Store.WaysIn(ctx, a.UserID)
	if err != nil || !ways.Password {
		return err
	}
	if lately, err := f.openedByMessage(ctx, a, f.Now()); lately || err != nil {
		return err
	}
	return fmt.Errorf("%w: user %s has a password, and does not show that they know it", auth.NotElevated, a.UserID)
}

// reauthenticated looks at the code of somebody who changes their password, where they need one. Nil means that they do not.
func (f *Account) reauthenticated(ctx context.Context, in AccountChange, u auth.User, now time.Time) (*store.Tried, error) {
	if in.Password == nil || !f.Policy.Reauthenticate {
		return nil, nil
	}
	if young, err := f.openedLately(ctx, in.Actor, now); young || err != nil {
		return nil, err
	}
	if in.Nonce == "" {
		return nil, fmt.Errorf("%w: user %s typed none", auth.InvalidOTP, u.ID)
	}
	tried, err := f.tryCode(ctx, typedCode{purpose: auth.Reauthenticate, account: accountOf(u), digits: in.Nonce, client: in.Client, now: now})
	if err == nil && tried.TicketEmail != "" && tried.TicketEmail != u.Email {
		err = fmt.Errorf("%w: it was sent to an address that user %s no longer has", auth.InvalidOTP, u.ID)
	}
	return &tried, err
}
