package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	code := newCode{purpose: auth.ChangePhone, user: user, account: accountOf(user), phone: number, client: in.Client, now: now}
	if err := f.typedOut(ctx, code.account, now); err != nil {
		return err
	}
	return f.inTx(ctx, func(tx *store.DB) error { return f.askNumber(ctx, tx, in.Actor.SessionID, code) })
}

// askNumber notes what a user asked for in a session, and sends the code that proves the number.
func (k *Kit) askNumber(ctx context.Context, tx *store.DB, session string, c newCode) error {
	until, sent, err := k.sendCode(ctx, tx, c)
	if err == nil && !sent {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(c.now)}
	}
	if err != nil {
		return err
	}
	e := k.entry("phone.change_requested", c.user.ID, c.client, c.now)
	e.SessionID = session
	return tx.Note(ctx, e)
}

// mayChangePhone finds who asks, and the number as it is kept.
func (f *Account) mayChangePhone(ctx context.Context, a auth.Actor, typed string) (auth.User, string, error) {
	if err := f.textsOn(auth.ChangePhone); err != nil {
		return auth.User{}, "", err
	}
	user, err := f.member(ctx, a)
	if err != nil {
		return user, "", err
	}
	number, err := f.freeNumber(ctx, typed, user)
	return user, number, err
}

// freeNumber is a number as it is kept. One that somebody else has proved is not to be had.
func (k *Kit) freeNumber(ctx context.Context, typed string, u auth.User) (string, error) {
	number, err := phoneNumber(typed)
	if err != nil {
		return "", err
	}
	owner, err := k.Store.UserByPhone(ctx, number, typed)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return number, nil
	case err == nil && owner.ID != u.ID && owner.PhoneNumberVerified:
		return number, fmt.Errorf("%w: asked for by user %s", auth.PhoneTaken, u.ID)
	}
	return number, err
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
		return f.giveNumber(ctx, tx, user, number, in.Actor.SessionID, in.Client, now)
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// giveNumber gives a user a number that they have proved. Of their sessions only the one that is named goes on.
func (k *Kit) giveNumber(ctx context.Context, tx *store.DB, user auth.User, number, session string, c auth.Client, now time.Time) error {
	from, err := tx.ReleasePhone(ctx, number, user.ID)
	if err != nil {
		return err
	}
	if from != "" {
		if err := tx.Note(ctx, k.entry("phone.released", from, auth.Client{}, now)); err != nil {
			return err
		}
	}
	e := k.entry("phone.changed", user.ID, c, now)
	e.SessionID = session
	if err := tx.ChangePhone(ctx, user.ID, number, session, e); err != nil {
		return err
	}
	return k.notify(ctx, tx, notice{
		template: "phone-changed", to: user.Email, user: user, client: c, detail: map[string]string{"oldPhone": user.PhoneNumber},
	})
}
