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
	Password      string
	Options       Options
	CodeChallenge string // PKCE: the link in the mail then leads to a code instead of a session
	Said          Said
	Client        auth.Client
}

// WithPassword creates a user. It gives a nil grant when the user must confirm the address first.
func (f *SignUp) WithPassword(ctx context.Context, in PasswordSignUp) (*auth.Grant, error) {
	if f.Policy.DisableSignUp {
		return nil, auth.SignUpDisabled
	}
	var err error
	if in.Options.granted, err = f.signUpRequested(ctx, request{Said: in.Said, method: "password", client: in.Client}); err != nil {
		return nil, err
	}
	if err := f.Policy.admit(in.Email); err != nil {
		return nil, err
	}
	if err := f.PasswordPolicy.Check(ctx, in.Password); err != nil {
		return nil, err
	}
	now := f.Now()
	redirectTo, err := f.Policy.Redirect(in.Options.RedirectTo)
	if err != nil {
		return nil, err
	}
	user, err := f.Policy.newcomer(tokens.NewUUID(), in.Email, in.Options, now)
	if err != nil {
		return nil, err
	}
	if f.Policy.RequireVerifiedEmail && !f.MailReady {
		return nil, auth.MailNotConfigured
	}
	if user, err = f.creating(ctx, birth{user: user, method: "password", password: in.Password, client: in.Client, now: now}); err != nil {
		return nil, err
	}
	hash, err := f.Passwords.Hash(ctx, in.Password)
	if err != nil {
		return nil, err
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
		return nil, fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return admission.Grant, err
}
