package flow

import (
	"context"
	"fmt"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// PasswordSignUp is a person who wants an account.
type PasswordSignUp struct {
	Email         string
	PhoneNumber   string // in the place of the address: see RegisterByPhone
	Password      string
	Options       Options
	CodeChallenge string // PKCE: the link in the mail then leads to a code instead of a session
	Said          Said
	Client        auth.Client
}

// SignedUp is how a sign-up ends: with a user, who is let in unless the address must be confirmed first.
type SignedUp struct {
	User  auth.User
	Grant *auth.Grant // nil while the address must be confirmed
	// Taken says that somebody has the address already, whom nobody hears of: the user is one that there is not.
	Taken bool
}

// WithPassword creates a user.
func (f *SignUp) WithPassword(ctx context.Context, in PasswordSignUp) (out SignedUp, err error) {
	if f.Policy.DisableSignUp {
		return out, auth.SignUpDisabled
	}
	user, redirectTo, err := f.asNewcomer(ctx, &in)
	if err != nil {
		return out, err
	}
	now := user.CreatedAt
	if user, err = f.creating(ctx, birth{user: user, method: "password", password: in.Password, client: in.Client, now: now}); err != nil {
		return out, err
	}
	hash, err := f.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return out, err
	}

	o := opening{user: user, method: "password", client: in.Client, now: now}
	admission, err := f.enterNew(ctx, o, func(tx *store.DB) (bool, error) {
		created := f.entry("user.created", user.ID, in.Client, now)
		created.Detail = map[string]any{"method": "password"}
		if err := f.add(ctx, tx, store.NewUser{User: user, PasswordHash: hash}, created); err != nil {
			return false, err
		}
		switch {
		case user.Disabled:
			return false, nil
		case f.Policy.RequireVerifiedEmail:
			return false, f.sendLink(ctx, tx, link{
				user: user, to: user.Email, purpose: auth.VerifyEmail,
				redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: now,
			})
		}
		return true, nil
	})
	if err == nil && user.Disabled {
		return out, fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	out.User, out.Grant = user, admission.Grant
	return out, err
}

// asNewcomer checks a sign-up, notes what hooks granted to it, and gives who they would be and where their mail would lead.
func (f *SignUp) asNewcomer(ctx context.Context, in *PasswordSignUp) (user auth.User, redirectTo string, err error) {
	if in.Options.granted, err = f.signUpRequested(ctx, request{Said: in.Said, method: "password", client: in.Client}); err != nil {
		return user, "", err
	}
	if in.PhoneNumber == "" {
		if err = f.Policy.admit(in.Email); err != nil {
			return user, "", err
		}
	}
	if err = f.PasswordPolicy.Check(ctx, in.Password); err != nil {
		return user, "", err
	}
	if redirectTo, err = f.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return user, "", err
	}
	if user, err = f.Policy.newcomer(tokens.NewUUID(), in.Email, in.Options, f.Now()); err != nil {
		return user, "", err
	}
	if in.PhoneNumber == "" && f.Policy.RequireVerifiedEmail && !f.MailReady {
		return user, "", auth.MailNotConfigured
	}
	return user, redirectTo, nil
}
