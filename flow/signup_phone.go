package flow

import (
	"context"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// RegisterByPhone creates a user with a number and a password, and sends the code that proves the number and signs in. It tells
// nobody who has an account, and knows of those who sign up twice: see Register.
func (f *SignUp) RegisterByPhone(ctx context.Context, in PasswordSignUp) (out SignedUp, refused error) {
	end, err := f.sends(ctx, textTo(turnConfirm, in.PhoneNumber))
	if err != nil {
		return SignedUp{}, err
	}
	defer end(&refused)
	if f.Policy.DisableSignUp {
		return SignedUp{}, auth.SignUpDisabled
	}
	if err := f.textsOn(auth.SignInBySMS); err != nil {
		return SignedUp{}, err
	}
	number, err := phoneNumber(in.PhoneNumber)
	if err != nil {
		return SignedUp{}, err
	}
	if in.Options.DisplayName == "" {
		in.Options.DisplayName = number
	}
	newcomer, _, err := f.asNewcomer(ctx, &in)
	if err != nil {
		return SignedUp{}, err
	}
	newcomer.PhoneNumber = number
	out = SignedUp{User: newcomer}
	for range 2 {
		found, err := f.Store.LookUp(ctx, store.Lookup{Phone: number, Now: newcomer.CreatedAt})
		switch {
		case err != nil:
			return SignedUp{}, err
		case found.Known:
			return f.textAgain(ctx, in, found.Login, out)
		}
		err = f.addByPhone(ctx, in, &out.User)
		if auth.CodeOf(err) != auth.PhoneTaken { // else somebody signed up with it at this moment
			return out, err
		}
	}
	return SignedUp{}, auth.PhoneTaken
}

// addByPhone creates the user and sends the code, or nothing of both.
func (f *SignUp) addByPhone(ctx context.Context, in PasswordSignUp, user *auth.User) error {
	b := birth{user: *user, method: "password", password: in.Password, client: in.Client, now: user.CreatedAt}
	var err error
	if b.user, err = f.creating(ctx, b); err != nil {
		return err
	}
	*user = b.user
	hash, err := f.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		created := f.entry("user.created", user.ID, in.Client, b.now)
		created.Detail = map[string]any{"method": "password"}
		if err := f.add(ctx, tx, store.NewUser{User: *user, PasswordHash: hash}, created); err != nil || user.Disabled {
			return err
		}
		return f.textCode(ctx, tx, *user, in.Client, b.now)
	})
	if err == nil {
		err = f.created(ctx, b)
	}
	if err == nil && user.Disabled {
		err = fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return err
}

// textAgain answers who signs up with a number that somebody has. Who has proved it is sent nothing, and who has not another code.
func (f *SignUp) textAgain(ctx context.Context, in PasswordSignUp, known store.Login, out SignedUp) (SignedUp, error) {
	if !f.Policy.waitsForNumber(known.User, out.User.CreatedAt) {
		out.Taken = true
		_, err := f.Passwords.Hash(ctx, in.Password) // as long as it takes
		return out, err
	}
	same, err := f.isSame(ctx, known, in.Password)
	if err != nil {
		return out, err
	}
	now := out.User.CreatedAt
	out.User.ID, out.User.CreatedAt, out.User.UpdatedAt = known.User.ID, known.User.CreatedAt, known.User.UpdatedAt
	if err := f.typedOut(ctx, accountOf(known.User), now); err != nil {
		return out, err
	}
	return out, f.inTx(ctx, func(tx *store.DB) error {
		if !same {
			if err := tx.Contest(ctx, known.User.ID); err != nil {
				return err
			}
		}
		return f.textCode(ctx, tx, known.User, in.Client, now)
	})
}

// textCode sends the code that proves a number and signs in. Who was sent too many lately is sent no more.
func (k *Kit) textCode(ctx context.Context, tx *store.DB, user auth.User, c auth.Client, now time.Time) error {
	_, _, err := k.sendCode(ctx, tx, newCode{
		purpose: auth.SignInBySMS, user: user, account: accountOf(user), phone: user.PhoneNumber, client: c, now: now,
	})
	return err
}
