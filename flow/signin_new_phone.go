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

// WithNewPhone gives a user another number by the code that was sent there, and signs them in: as with a mailed link, whoever types
// the code need not be signed in where they do. The session in which the number was asked for must still be there, and is the only
// older one that goes on. A wrong code, an expired one and one that nobody was sent are refused alike.
func (f *SignIn) WithNewPhone(ctx context.Context, in TypedCode) (auth.Admission, error) {
	start := f.Now()
	p, err := f.proveNewPhone(ctx, in, start)
	switch auth.CodeOf(err) {
	case "":
	case auth.InvalidOTP, auth.TooManyOTPs, auth.TooManyRequests:
		if p.tried.Live {
			f.Answers.worked(start, f.Now())
		}
		return auth.Admission{}, f.settled(ctx, start, err)
	default:
		return auth.Admission{}, err
	}
	guest := p.user.IsAnonymous && f.Policy.GuestsProve
	if err := f.Policy.gateMember(p.user, f.Now()); err != nil && !(guest && auth.CodeOf(err) == auth.UserAnonymous) {
		return auth.Admission{}, f.turnedAway(ctx, attemptOf{userID: p.user.ID, method: p.method, client: in.Client}, err)
	}
	user, err := f.withNumber(ctx, p, in, start)
	if err != nil {
		return auth.Admission{}, f.returnTry(ctx, p.tried.TicketID, err)
	}
	o, err := f.ask(ctx, opening{user: user, method: p.method, client: in.Client, now: start}, p.user)
	if err != nil {
		return auth.Admission{}, f.returnTry(ctx, p.tried.TicketID, err)
	}
	var admission auth.Admission
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.TakeCode(ctx, p.tried, start); err != nil {
			return err
		}
		session := payloadOf(p.tried.Payload).Session
		if guest {
			err = f.becomeProved(ctx, tx, o, session)
		} else {
			err = f.giveNumber(ctx, tx, p.user, p.number, session, in.Client, start)
		}
		if err != nil {
			return err
		}
		o.details = nil // which are others now
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	return admission, usedUp(err)
}

// withNumber is the user with the number that they have proved. For a guest that is a sign-up.
func (f *SignIn) withNumber(ctx context.Context, p codeProof, in TypedCode, now time.Time) (auth.User, error) {
	if p.user.IsAnonymous {
		return f.outOfGuestProved(ctx, guestProof{guest: p.user, number: p.number, said: in.Said, method: p.method, client: in.Client, now: now})
	}
	p.user.PhoneNumber, p.user.PhoneNumberVerified = p.number, true
	return p.user, f.signInRequested(ctx, request{Said: in.Said, method: p.method, phone: p.number, client: in.Client})
}

// proveNewPhone compares the code that was sent to another number, and finds out whose that is to be.
func (f *SignIn) proveNewPhone(ctx context.Context, in TypedCode, now time.Time) (p codeProof, err error) {
	if err := f.textsOn(auth.ChangePhone); err != nil {
		return p, err
	}
	p.method = "sms"
	if p.number, err = phoneNumber(in.PhoneNumber); err != nil {
		return p, notSent(err)
	}
	p.tried, err = f.tryCode(ctx, typedCode{
		purpose: auth.ChangePhone, account: accountOfPhone(p.number), phone: p.number, digits: in.Code, client: in.Client,
		also: []store.Guard{f.numberBudget(p.number)}, method: p.method, now: now,
	})
	if err != nil {
		return p, err
	}
	asked := auth.Actor{UserID: p.tried.UserID, SessionID: payloadOf(p.tried.Payload).Session}
	if asked.SessionID == "" {
		return p, fmt.Errorf("%w: user %s asked for the number in no session", auth.InvalidOTP, p.tried.UserID)
	}
	p.user, err = f.Store.UserOfActor(ctx, asked, f.Policy.alive(now))
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: the session is gone in which user %s asked for the number", auth.InvalidOTP, p.tried.UserID)
	}
	return p, err
}

// ResendNewPhone sends another code to a number that a user asked to change to, for whoever names that number or the one that the user
// has. The answer is the same, and takes as long, whether anybody did.
func (f *SignIn) ResendNewPhone(ctx context.Context, in CodeSignIn) (refused error) {
	end, err := f.sends(ctx, textTo(turnPhoneChange, in.PhoneNumber))
	if err != nil {
		return err
	}
	defer end(&refused)
	start := f.Now()
	if err := f.textsOn(auth.ChangePhone); err != nil {
		return err
	}
	number, err := phoneNumber(in.PhoneNumber)
	if err != nil {
		return err
	}
	pending, err := f.Store.PendingNumber(ctx, number, tokens.CodeID(auth.ChangePhone, accountOfPhone(number)), start)
	if errors.Is(err, store.ErrNotFound) {
		return f.Answers.settle(ctx, start, f.Now)
	}
	if err != nil {
		return err
	}
	c := newCode{
		purpose: auth.ChangePhone, user: pending.User, account: accountOfPhone(pending.TicketPhone), phone: pending.TicketPhone,
		knows: codePayload{Session: payloadOf(pending.TicketPayload).Session}, client: in.Client, now: start,
	}
	if err := f.Policy.gateMember(pending.User, start); err != nil && auth.CodeOf(err) != auth.UserAnonymous || f.typedOut(ctx, c.account, start) != nil {
		return f.Answers.settle(ctx, start, f.Now)
	}
	err = f.quietly(ctx, func(tx *store.DB) error {
		_, _, err := f.sendCode(ctx, tx, c)
		return err
	})
	if err != nil {
		return err
	}
	return f.answered(ctx, start)
}
