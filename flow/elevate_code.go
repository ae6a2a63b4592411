package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// CodeElevation is a signed-in user who proves once more who they are, by a code that is sent to the
// address or the number that they have proved before.
type CodeElevation struct {
	Actor  auth.Actor
	By     auth.Purpose // auth.ElevateByEmail or auth.ElevateBySMS
	Code   string       // what they typed, when they did
	Client auth.Client
}

// SendElevationCode sends the code.
func (f *Account) SendElevationCode(ctx context.Context, in CodeElevation) error {
	now := f.Now()
	c, err := f.elevationCode(ctx, in)
	if err != nil {
		return err
	}
	if err := f.typedOut(ctx, c.account, now); err != nil {
		return err
	}
	c.now = now
	return f.inTx(ctx, func(tx *store.DB) error {
		until, sent, err := f.sendCode(ctx, tx, c)
		if err == nil && !sent {
			return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
		}
		return err
	})
}

// elevationCode finds who asks and where their code goes.
func (f *Account) elevationCode(ctx context.Context, in CodeElevation) (newCode, error) {
	none := newCode{}
	if in.By == auth.ElevateByEmail && !f.Policy.SignInByEmailCode {
		return none, auth.EndpointDisabled
	}
	if in.By == auth.ElevateBySMS {
		if err := f.textsOn(auth.ElevateBySMS); err != nil {
			return none, err
		}
	}
	user, err := f.actor(ctx, in.Actor)
	if err == nil {
		err = f.Policy.gateMember(user, f.Now())
	}
	if err != nil {
		return none, err
	}
	c := newCode{purpose: in.By, user: user, account: accountOf(user), client: in.Client}
	if in.By == auth.ElevateBySMS {
		if !user.PhoneNumberVerified {
			return none, fmt.Errorf("%w: user %s has proved no number", auth.CannotSendSMS, user.ID)
		}
		c.phone, err = phoneNumber(user.PhoneNumber)
		return c, err
	}
	switch {
	case user.Email == "" || !user.EmailVerified:
		return none, fmt.Errorf("%w: user %s has proved no address", auth.UserUnverified, user.ID)
	case !f.MailReady:
		return none, auth.MailNotConfigured
	}
	c.email = user.Email
	return c, nil
}

// ElevateByCode opens another session of the user, whose access token says that the proof is fresh.
// The session it is asked from goes on, and what it proved counts in the new one.
func (f *Account) ElevateByCode(ctx context.Context, in CodeElevation) (auth.Admission, error) {
	none := auth.Admission{}
	now := f.Now()
	c, err := f.elevationCode(ctx, in)
	if err != nil {
		return none, notSent(err)
	}
	before, err := f.Store.ProofsOf(ctx, in.Actor)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return none, err
	}
	tried, err := f.tryCode(ctx, typedCode{purpose: in.By, account: c.account, phone: c.phone, digits: in.Code, client: in.Client, now: now})
	if err != nil {
		return none, err
	}
	method := "sms"
	if in.By == auth.ElevateByEmail {
		method = "otp"
		if tried.TicketEmail != c.email {
			return none, fmt.Errorf("%w: it proves an address that user %s no longer has", auth.InvalidOTP, c.user.ID)
		}
	}
	o, err := f.ask(ctx, opening{
		user: c.user, method: method, after: before.AMR, aal: before.AAL, elevated: true, beside: in.Actor.SessionID, client: in.Client, now: now,
	}, c.user)
	if err != nil {
		return none, f.returnTry(ctx, tried.TicketID, err)
	}
	var admission auth.Admission
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.TakeCode(ctx, tried, now); err != nil {
			return usedUp(err)
		}
		if err := tx.KeepSession(ctx, in.Actor); err != nil {
			return err
		}
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	if errors.Is(err, store.ErrChanged) {
		return none, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return admission, err
}
