package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// PhoneDeanonymization is a guest who signs up by a phone number.
type PhoneDeanonymization struct {
	Actor       auth.Actor
	PhoneNumber string
	Options     Options
	Client      auth.Client
}

// DeanonymizeByPhone makes a guest a user with a number that is yet to be proved, and sends the code
// that signs in and proves it. As with a link, every session of the guest ends.
func (f *Account) DeanonymizeByPhone(ctx context.Context, in PhoneDeanonymization) error {
	now := f.Now()
	guest, err := f.guest(ctx, in.Actor)
	if err != nil {
		return err
	}
	user, err := f.outOfGuestByPhone(ctx, guest, in, now)
	if err != nil {
		return err
	}
	if err := f.typedOut(ctx, accountOf(user), now); err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("user.deanonymized", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		e.Detail = map[string]any{"method": "sms"}
		err := tx.Deanonymize(ctx, store.Deanonymization{NewUser: store.NewUser{User: user}, Asking: in.Actor.SessionID, Entry: e})
		if err != nil || user.Disabled {
			return err
		}
		until, sent, err := f.sendCode(ctx, tx, newCode{purpose: auth.SignInBySMS, user: user, account: accountOf(user), phone: user.PhoneNumber, client: in.Client, now: now})
		if err == nil && !sent {
			return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(now)}
		}
		return err
	})
	return outcome(user, err)
}

// outOfGuestByPhone decides as whom a guest goes on, or refuses the number.
func (k *Kit) outOfGuestByPhone(ctx context.Context, guest auth.User, in PhoneDeanonymization, now time.Time) (auth.User, error) {
	if err := k.textsOn(auth.SignInBySMS); err != nil {
		return guest, err
	}
	number, err := phoneNumber(in.PhoneNumber)
	if err != nil {
		return guest, err
	}
	if _, err := k.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return guest, err
	}
	if in.Options.DisplayName == "" {
		in.Options.DisplayName = number
	}
	user, err := k.Policy.newcomer(guest.ID, "", in.Options, now)
	if err != nil {
		return guest, err
	}
	user.PhoneNumber = number
	switch _, err := k.Store.UserByPhone(ctx, number, in.PhoneNumber); {
	case err == nil:
		return guest, fmt.Errorf("%w: asked for by user %s", auth.PhoneTaken, guest.ID)
	case !errors.Is(err, store.ErrNotFound):
		return guest, err
	}
	return user, nil
}

// outcome says what the end of a transaction means to somebody who was a guest.
func outcome(user auth.User, err error) error {
	switch {
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: user %s was one a moment ago", auth.UserNotAnonymous, user.ID)
	case err == nil && user.Disabled:
		return fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return err
}
