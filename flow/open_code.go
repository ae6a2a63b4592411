package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// TypedVisit is somebody who types the code of a mail in the place of opening its link; see Mails.Codes.
type TypedVisit struct {
	Email  string
	Code   string
	For    []auth.Purpose // of the links that the code may have come with, the likeliest first
	Client auth.Client
}

// Type does what the link would do that came with a code. A wrong code, an expired one, one that nobody was
// sent and one of an account that there is not are refused alike and after the same time.
func (f *Links) Type(ctx context.Context, in TypedVisit) (Visited, error) {
	start := f.Now()
	found, tried, err := f.typed(ctx, in, start)
	switch auth.CodeOf(err) {
	case "":
	case auth.InvalidOTP, auth.TooManyOTPs, auth.TooManyRequests:
		if tried.Live {
			f.Answers.worked(start, f.Now())
		}
		// Only accounts that there are use tries up.
		return Visited{}, f.settled(ctx, start, fmt.Errorf("%w: %s", auth.InvalidOTP, err.Error()))
	default:
		return Visited{}, err
	}
	if err := f.Policy.gateHolder(found, start); err != nil {
		return Visited{}, f.turnedAway(ctx, attemptOf{userID: found.User.ID, method: "otp", client: in.Client}, err)
	}
	admission, err := f.redeemBy(ctx, found, "otp", in.Client, start, func(tx *store.DB) error { return tx.TakeCode(ctx, tried, start) })
	if auth.CodeOf(err) == auth.InvalidTicket {
		err = fmt.Errorf("%w: %w", auth.InvalidOTP, err)
	}
	return Visited{Purpose: found.TicketPurpose, Admission: admission, Half: isHalf(found)}, err
}

// typed finds the link that a code came with. Of those who are unknown nothing is there to find, and as much is
// looked for.
func (f *Links) typed(ctx context.Context, in TypedVisit, now time.Time) (found store.Found, tried store.Tried, err error) {
	user, err := f.Store.UserByEmail(ctx, in.Email)
	account := accountOf(user)
	if errors.Is(err, store.ErrNotFound) {
		account, err = accountOfEmail(in.Email), nil
	}
	if err != nil {
		return found, tried, err
	}
	refusal := fmt.Errorf("%w: of no purpose", auth.InvalidOTP)
	for _, t := range typedWith(in, account) {
		got, err := f.tryCode(ctx, typedCode{purpose: t.purpose.Code(), account: t.account, digits: in.Code, client: in.Client, method: "otp", now: now})
		if err == nil && t.purpose == auth.ConfirmEmailChange {
			user, err = f.Store.UserOfActor(ctx, auth.Actor{UserID: got.UserID}, store.Alive{})
		}
		if err == nil {
			return store.Found{User: user, TicketPurpose: t.purpose, TicketEmail: got.TicketEmail, TicketPayload: got.Payload, Contested: got.Contested}, got, nil
		}
		if auth.CodeOf(err) != auth.InvalidOTP {
			return found, got, err
		}
		if got.Live || !tried.Live {
			tried, refusal = got, err
		}
	}
	return found, tried, refusal
}

// typedFor is what a typed code may be, and whose it then is in the counters.
type typedFor struct {
	purpose auth.Purpose
	account string
}

// typedWith lists what a code may be that was typed with an address. That of a change went to an address that is nobody's yet, or to the
// current one.
func typedWith(in TypedVisit, account string) (list []typedFor) {
	for _, purpose := range in.For {
		if purpose == auth.ConfirmEmailChange {
			list = append(list, typedFor{purpose, accountOfEmail(in.Email)})
			if account == accountOfEmail(in.Email) {
				continue
			}
		}
		list = append(list, typedFor{purpose, account})
	}
	return list
}
