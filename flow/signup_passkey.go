package flow

import (
	"cmp"
	"context"
	"fmt"

	"postern/auth"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// PasskeySignUp is a person who wants an account with a passkey in the place of a password.
type PasskeySignUp struct {
	Email   string
	Options Options
}

// BeginPasskey asks for the passkey. Whether the address is somebody's already is told only at the
// end, to whoever comes with a key.
func (f *SignUp) BeginPasskey(ctx context.Context, in PasskeySignUp) (PasskeyCreation, error) {
	if err := f.passkeysOn(); err != nil {
		return PasskeyCreation{}, err
	}
	now := f.Now()
	asked := passkeyChallenge{UserID: tokens.NewUUID(), Email: in.Email, Options: &in.Options}
	user, _, err := f.passkeyNewcomer(asked)
	if err != nil {
		return PasskeyCreation{}, err
	}
	challenge, err := f.newChallenge(ctx, auth.PasskeySignUp, asked, now)
	return PasskeyCreation{RP: f.Passkeys, PasskeyChallenge: challenge, UserID: user.ID, Name: user.DisplayName}, err
}

// passkeyNewcomer decides whether somebody may sign up, and who they would be.
func (f *SignUp) passkeyNewcomer(asked passkeyChallenge) (user auth.User, redirectTo string, err error) {
	if f.Policy.DisableSignUp {
		return user, "", auth.SignUpDisabled
	}
	if err := f.Policy.admit(asked.Email); err != nil {
		return user, "", err
	}
	if redirectTo, err = f.Policy.Redirect(asked.Options.RedirectTo); err != nil {
		return user, "", err
	}
	if user, err = f.Policy.newcomer(asked.UserID, asked.Email, *asked.Options, f.Now()); err != nil {
		return user, "", err
	}
	if f.Policy.RequireVerifiedEmail && !f.MailReady {
		return user, "", auth.MailNotConfigured
	}
	return user, redirectTo, nil
}

// PasskeySignUpAnswer is the new key, and what the person says once more about themselves.
type PasskeySignUpAnswer struct {
	Answer        passkeys.Created
	Nickname      string
	Options       Options // what is said here counts more than what was said at the beginning
	CodeChallenge string
	Said          Said
	Client        auth.Client
}

// WithPasskey creates the user with the key. The admission is empty when the user must confirm the
// address first.
func (f *SignUp) WithPasskey(ctx context.Context, in PasskeySignUpAnswer) (admission auth.Admission, err error) {
	if err := f.passkeysOn(); err != nil {
		return admission, err
	}
	// What can be refused without the challenge does not use it up.
	if f.Policy.DisableSignUp {
		return admission, auth.SignUpDisabled
	}
	if _, err := f.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return admission, err
	}
	now := f.Now()
	challenge, asked, err := f.takeChallenge(ctx, auth.PasskeySignUp, "", in.Answer.ClientData, now)
	if err != nil {
		return admission, err
	}
	if asked.Options == nil {
		asked.Options = &Options{}
	}
	*asked.Options = in.Options.over(*asked.Options)
	about := request{Said: in.Said, method: "webauthn", email: asked.Email, client: in.Client}
	if asked.Options.granted, err = f.signUpRequested(ctx, about); err != nil {
		return admission, err
	}
	user, redirectTo, err := f.passkeyNewcomer(asked)
	if err != nil {
		return admission, err
	}
	made, err := f.Passkeys.Register(in.Answer, challenge, user.ID)
	if err != nil {
		return admission, err
	}
	if user, err = f.creating(ctx, birth{user: user, method: "webauthn", client: in.Client, now: now}); err != nil {
		return admission, err
	}
	made.Key.ID, made.Key.Nickname, made.Key.AddedAt = tokens.NewUUID(), in.Nickname, now

	o := opening{user: user, method: "webauthn", aal: passkeyLevel(made.UserVerified), client: in.Client, now: now}
	admission, err = f.enterNew(ctx, o, func(tx *store.DB) (bool, error) {
		created := f.entry("user.created", user.ID, in.Client, now)
		created.Detail = map[string]any{"method": "webauthn", "passkeyId": made.Key.ID}
		if err := f.add(ctx, tx, store.NewUser{User: user}, created); err != nil {
			return false, err
		}
		if err := tx.AddFirstPasskey(ctx, made.Key); err != nil {
			return false, err
		}
		switch {
		case user.Disabled:
			return false, nil
		case f.Policy.RequireVerifiedEmail:
			return false, f.sendLink(ctx, tx, link{
				user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: now,
			})
		}
		return true, nil
	})
	if err == nil && user.Disabled {
		err = fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return admission, err
}

// over gives the options said last, and of the earlier ones those that were not said again.
func (o Options) over(earlier Options) Options {
	o.DefaultRole = cmp.Or(o.DefaultRole, earlier.DefaultRole)
	o.DisplayName = cmp.Or(o.DisplayName, earlier.DisplayName)
	o.Locale = cmp.Or(o.Locale, earlier.Locale)
	o.RedirectTo = cmp.Or(o.RedirectTo, earlier.RedirectTo)
	if len(o.AllowedRoles) == 0 {
		o.AllowedRoles = earlier.AllowedRoles
	}
	if len(o.Metadata) == 0 {
		o.Metadata = earlier.Metadata
	}
	return o
}
