package flow

import (
	"context"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// Deanonymization is a guest who signs up by an address: with a password, or by a link.
type Deanonymization struct {
	Actor         auth.Actor
	Email         string
	Password      string // empty for a link
	Options       Options
	CodeChallenge string
	Said          Said
	Client        auth.Client
}

// Deanonymize makes a guest a user who keeps the id, and so all that is theirs. That they are a guest
// is read from the database: a token may say so long after it is no longer true.
//
// It is a sign-up and asks what a sign-up asks. Where the address must be proved first, and with a
// link always, every session of the guest ends: it must not become a session of whoever owns the
// address.
func (f *Account) Deanonymize(ctx context.Context, in Deanonymization) error {
	now := f.Now()
	guest, err := f.guest(ctx, in.Actor)
	if err != nil {
		return err
	}
	if in.Options.granted, err = f.signUpRequested(ctx, request{Said: in.Said, method: methodOf(in), client: in.Client}); err != nil {
		return err
	}
	user, redirectTo, err := f.outOfGuest(guest, in, now)
	if err != nil {
		return err
	}
	member := store.NewUser{User: user}
	if in.Password != "" {
		if err := f.PasswordPolicy.Check(ctx, in.Password); err != nil {
			return err
		}
		if member.PasswordHash, err = f.Passwords.Hash(ctx, in.Password); err != nil {
			return err
		}
	}
	purpose, mails := f.Policy.proofOf(in)
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("user.deanonymized", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		e.Detail = map[string]any{"method": methodOf(in)}
		if err := f.makeRoles(ctx, tx, user.Roles); err != nil {
			return err
		}
		err := tx.Deanonymize(ctx, store.Deanonymization{NewUser: member, Asking: in.Actor.SessionID, Keep: !mails && !user.Disabled, Entry: e})
		if err != nil || !mails || user.Disabled {
			return err
		}
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: purpose, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: now,
		})
	})
	return outcome(user, err)
}

// guest is an actor who is a guest and may become a user.
func (k *Kit) guest(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.actor(ctx, a)
	switch {
	case err != nil:
		return u, err
	case !u.IsAnonymous:
		return u, fmt.Errorf("%w: user %s", auth.UserNotAnonymous, u.ID)
	case k.Policy.DisableSignUp:
		return u, auth.SignUpDisabled
	}
	return u, nil
}

// outOfGuest decides as whom a guest goes on, or refuses it. What they said as a guest is replaced, as
// in Hasura Auth.
func (k *Kit) outOfGuest(guest auth.User, in Deanonymization, now time.Time) (user auth.User, redirectTo string, err error) {
	purpose, mails := k.Policy.proofOf(in)
	if purpose == auth.SignInByEmail && !k.Policy.SignInByLink {
		return user, "", fmt.Errorf("%w: links do not sign in here", auth.EndpointDisabled)
	}
	if err := k.Policy.admit(in.Email); err != nil {
		return user, "", err
	}
	if redirectTo, err = k.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return user, "", err
	}
	if user, err = k.Policy.newcomer(guest.ID, in.Email, in.Options, now); err != nil {
		return user, "", err
	}
	if mails && !k.MailReady {
		return user, "", auth.MailNotConfigured
	}
	return user, redirectTo, nil
}

// proofOf says which mail proves the address, and whether one must.
func (p *Policy) proofOf(in Deanonymization) (purpose auth.Purpose, mails bool) {
	if in.Password == "" {
		return auth.SignInByEmail, true
	}
	return auth.VerifyEmail, p.RequireVerifiedEmail
}

func methodOf(in Deanonymization) string {
	if in.Password == "" {
		return "link"
	}
	return "password"
}
