package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/store"
)

// PhoneChange is a user who wants another phone number.
type PhoneChange struct {
	Actor     auth.Actor
	NewNumber string
	Client    auth.Client
}

// ChangePhone sends a code to the new number. Until it is typed nothing changes: the number waits
// with the code.
func (f *Account) ChangePhone(ctx context.Context, in PhoneChange) error {
	now := f.Now()
	user, number, err := f.mayChangePhone(ctx, in.Actor, in.NewNumber)
	if err != nil {
		return err
	}
	if err := f.typedOut(ctx, accountOf(user), now); err != nil {
		return err
	}
	return f.inTx(ctx, func(tx *store.DB) error {
		until, sent, err := f.sendCode(ctx, tx, newCode{purpose: auth.ChangePhone, user: user, account: accountOf(user), phone: number, client: in.Client, now: now})
		if err == nil && !sent {
			return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
		}
		if err != nil {
			return err
		}
		e := f.entry("phone.change_requested", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		return tx.Note(ctx, e)
	})
}

// mayChangePhone finds who asks, and the number as it is kept. A number that somebody else has proved
// is not to be had.
func (f *Account) mayChangePhone(ctx context.Context, a auth.Actor, typed string) (auth.User, string, error) {
	if err := f.textsOn(auth.ChangePhone); err != nil {
		return auth.User{}, "", err
	}
	user, err := f.member(ctx, a)
	if err != nil {
		return user, "", err
	}
	number, err := phoneNumber(typed)
	if err != nil {
		return user, "", err
	}
	owner, err := f.Store.UserByPhone(ctx, number, typed)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return user, number, nil
	case err == nil && owner.ID != user.ID && owner.PhoneNumberVerified:
		return user, number, fmt.Errorf("%w: asked for by user %s", auth.PhoneTaken, user.ID)
	}
	return user, number, err
}

// PhoneProof is a user who types the code that was sent to their new number.
type PhoneProof struct {
	Actor     auth.Actor
	NewNumber string
	Code      string
	Client    auth.Client
}

// ConfirmPhone gives the user the new number, and ends every other session: whoever could sign in by
// the old one is out. Somebody who has the number without having proved it loses it.
func (f *Account) ConfirmPhone(ctx context.Context, in PhoneProof) error {
	now := f.Now()
	user, number, err := f.mayChangePhone(ctx, in.Actor, in.NewNumber)
	if err != nil {
		return notSent(err)
	}
	tried, err := f.tryCode(ctx, typedCode{
		purpose: auth.ChangePhone, account: accountOf(user), phone: number, digits: in.Code, client: in.Client,
		also: []store.Guard{f.numberBudget(number)}, now: now,
	})
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.TakeCode(ctx, tried, now); err != nil {
			return usedUp(err)
		}
		from, err := tx.ReleasePhone(ctx, number, user.ID)
		if err != nil {
			return err
		}
		if from != "" {
			if err := tx.Note(ctx, f.entry("phone.released", from, auth.Client{}, now)); err != nil {
				return err
			}
		}
		e := f.entry("phone.changed", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		if err := tx.ChangePhone(ctx, user.ID, number, in.Actor.SessionID, e); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{
			template: "phone-changed", to: user.Email, user: user, client: in.Client, detail: map[string]string{"oldPhone": user.PhoneNumber},
		})
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}
