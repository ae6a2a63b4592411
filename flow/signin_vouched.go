package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

// withUnknownPassword asks hooks about a password of somebody who has none here, and signs in whom they
// vouch for. refusal is the answer to everybody else.
//
// Each question is counted like a wrong password, before it is put: however many guess at once, hooks
// hear of no more guesses than there may be. One that was right is given back.
func (f *SignIn) withUnknownPassword(ctx context.Context, a attempt, user auth.User, known bool, refusal error) (auth.Admission, error) {
	if !f.Policy.maybeVouched(a.Email, user, known, f.Now()) {
		return auth.Admission{}, f.refusePassword(ctx, a, refusal)
	}
	if err := f.countFirst(ctx, &a); err != nil {
		return auth.Admission{}, f.refusePassword(ctx, a, err)
	}
	var about *auth.User
	if known {
		about = &user
	}
	v, err := f.passwordUnknown(ctx, a, about, refusal)
	if gone := ctx.Err(); gone != nil {
		return auth.Admission{}, gone
	}
	if err == nil && known && !v.EmailVerified {
		err = f.nobodysYet(ctx, user)
	}
	if err != nil {
		return auth.Admission{}, f.refusePassword(ctx, a, err)
	}
	if err := f.Store.UncountFailure(ctx, a.guards); err != nil {
		return auth.Admission{}, err
	}
	a.counted = false
	if known {
		return f.givePassword(ctx, a, user, v)
	}
	return f.moveIn(ctx, a, v)
}

// maybeVouched tells of whom a hook may know the password: somebody who could sign in by it. An account
// with an address that nobody has confirmed and a second factor is its maker's, whoever that is.
func (p *Policy) maybeVouched(email string, user auth.User, known bool, now time.Time) bool {
	if !ValidEmail(email) || !p.access.admits(email) {
		return false
	}
	return !known || !user.IsLocked(now) && !user.IsAnonymous && (user.EmailVerified || !user.HasFactor())
}

// nobodysYet refuses a password of somebody whose address whoever vouches does not know to be theirs, for
// an account that somebody has: it may be another person's.
func (f *SignIn) nobodysYet(ctx context.Context, user auth.User) error {
	has := user.EmailVerified
	if !has {
		var err error
		if has, err = f.Store.HasOtherWays(ctx, user.ID); err != nil {
			return changedMeanwhile(err)
		}
	}
	if has {
		return fmt.Errorf("%w: a hook vouches for the password, but not for the address, of user %s", auth.InvalidCredentials, user.ID)
	}
	return nil
}

// moveIn makes the user whom a hook vouches for. They are no newcomer, so it does not count whether
// those may sign up, nor what passwords they may choose; the other checks of a sign-up hold.
func (f *SignIn) moveIn(ctx context.Context, a attempt, v hooks.Vouched) (auth.Admission, error) {
	now := f.Now()
	user, err := f.Policy.newcomer(tokens.NewUUID(), a.Email, Options{DisplayName: cleanName(v.DisplayName)}, now)
	if err != nil {
		return auth.Admission{}, err
	}
	if len(v.Metadata) > 0 {
		if user.Metadata, err = json.Marshal(v.Metadata); err != nil {
			return auth.Admission{}, fmt.Errorf("flow: %w", err)
		}
	}
	user.EmailVerified = v.EmailVerified
	unverified := f.Policy.RequireVerifiedEmail && !user.EmailVerified
	if unverified && !f.MailReady {
		return auth.Admission{}, auth.MailNotConfigured
	}
	if user, err = f.creating(ctx, birth{user: user, method: "password", password: a.Password, client: a.Client, now: now}); err != nil {
		return auth.Admission{}, metAnother(err)
	}
	hash, err := f.Passwords.Hash(ctx, a.Password)
	if err != nil {
		return auth.Admission{}, err
	}
	o := f.passwordOpening(a, user)
	admission, err := f.entered(ctx, a, func() (auth.Admission, error) {
		return f.enterNew(ctx, o, func(tx *store.DB) (bool, error) {
			created := f.entry("user.created", user.ID, a.Client, now)
			created.Detail = map[string]any{"method": "password", "vouched": true}
			if err := f.add(ctx, tx, store.NewUser{User: user, PasswordHash: hash}, created); err != nil {
				return false, metAnother(err)
			}
			if user.Disabled || !unverified {
				return !user.Disabled, nil
			}
			return false, f.sendFirstLink(ctx, tx, user, o)
		})
	})
	switch {
	case err == nil && user.Disabled:
		err = fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	case err == nil && unverified:
		err = fmt.Errorf("%w: user %s was vouched for, without the address", auth.UserUnverified, user.ID)
	}
	return admission, err
}

// sendFirstLink mails the link that confirms the address of somebody who was vouched for.
func (f *SignIn) sendFirstLink(ctx context.Context, tx *store.DB, user auth.User, o opening) error {
	redirectTo, err := f.Policy.Redirect("")
	if err != nil {
		return err
	}
	return f.sendLink(ctx, tx, link{user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, client: o.client, now: o.now})
}

// givePassword gives a user without a password the one that a hook vouches for. With the address it goes
// as with any proof of it: an account that its maker has not confirmed is taken from them.
func (f *SignIn) givePassword(ctx context.Context, a attempt, was auth.User, v hooks.Vouched) (auth.Admission, error) {
	user := was
	if v.EmailVerified {
		user = f.Policy.claimed(was, f.Policy.RequireVerifiedEmail)
	}
	o := f.passwordOpening(a, user)
	gate := f.Policy.gateByEmail(user, f.Now())
	unverified := auth.CodeOf(gate) == auth.UserUnverified
	var err error
	switch {
	case unverified && !f.MailReady:
		return auth.Admission{}, auth.MailNotConfigured
	case gate != nil && !unverified:
		return auth.Admission{}, f.turnedAway(ctx, a.of(), gate)
	case !unverified:
		if o, err = f.ask(ctx, o, was); err != nil {
			return auth.Admission{}, err
		}
	}
	hash, err := f.Passwords.Hash(ctx, a.Password)
	if err != nil {
		return auth.Admission{}, err
	}
	return f.entered(ctx, a, func() (admission auth.Admission, err error) {
		err = f.inTx(ctx, func(tx *store.DB) error {
			if err := f.takeOver(ctx, tx, o, was, v); err != nil {
				return changedMeanwhile(err)
			}
			e := f.entry("password.changed", user.ID, a.Client, o.now)
			e.Detail = map[string]any{"vouched": true}
			if err := tx.GivePassword(ctx, user.ID, was.Email, hash, e); err != nil {
				return changedMeanwhile(err)
			}
			if unverified {
				return f.sendFirstLink(ctx, tx, user, o)
			}
			admission, err = f.enter(ctx, tx, o)
			return err
		})
		if err == nil && unverified {
			err = gate
		}
		return admission, err
	})
}

// takeOver readies an account for who is vouched for, and tells whoever has it already that there is a
// password now.
func (f *SignIn) takeOver(ctx context.Context, tx *store.DB, o opening, was auth.User, v hooks.Vouched) error {
	others, err := tx.HasOtherWays(ctx, was.ID)
	switch {
	case err != nil:
		return err
	case !v.EmailVerified && others:
		return store.ErrChanged
	case v.EmailVerified:
		e := f.entry("user.disowned", was.ID, o.client, o.now)
		e.Detail = map[string]any{"by": "hook"}
		if err := f.claimBy(ctx, tx, was, was.Email, f.Policy.RequireVerifiedEmail, e); err != nil {
			return err
		}
	}
	if was.EmailVerified && others {
		return f.notify(ctx, tx, notice{template: "password-changed", to: was.Email, user: o.user, client: o.client})
	}
	return nil
}
