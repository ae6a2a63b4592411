package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// LinkSignIn is a person who wants a mail with a link to sign in by.
type LinkSignIn struct {
	Email         string
	Options       Options // of the user that a first sign-in creates; otherwise only RedirectTo counts
	CodeChallenge string
	OnlyKnown     bool // who is unknown gets no account, and is told so
	Said          Said
	Client        auth.Client
}

// WithLink mails a link that signs in. Whoever is unknown gets an account, unless the operator
// wants sign-ups to be asked for as such: then nothing is sent, and the answer is the same.
func (f *SignIn) WithLink(ctx context.Context, in LinkSignIn) (refused error) {
	end, err := f.sends(ctx, mailTo(turnEnter, in.Email))
	if err != nil {
		return err
	}
	defer end(&refused)
	ask, err := f.askLink(in)
	if err != nil {
		return err
	}
	ask.quiet = f.Policy.DisableAutoSignUp
	user, err := f.Store.UserByEmail(ctx, in.Email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known := err == nil
	if err := f.linkRequested(ctx, &ask, f.makesUsers() && !known); err != nil {
		return err
	}
	switch {
	case known:
		if err := f.Policy.gateMember(user, f.Now()); err != nil && auth.CodeOf(err) != auth.UserUnverified {
			return err
		}
		return f.mailLink(ctx, ask, user)
	case in.OnlyKnown:
		return fmt.Errorf("%w: unknown address", auth.InvalidCredentials)
	case f.Policy.DisableAutoSignUp:
		return f.Answers.settle(ctx, ask.start, f.Now)
	}
	err = f.addByLink(ctx, ask)
	if auth.CodeOf(err) != auth.EmailTaken {
		return err
	}
	// Somebody signed up with the address a moment ago: it was this person, with another click.
	if user, err = f.Store.UserByEmail(ctx, in.Email); err != nil {
		return err
	}
	return f.mailLink(ctx, ask, user)
}

// WithLink creates a user and mails the link that signs in. To an address that somebody has
// already nothing is sent, and the answer is the same.
func (f *SignUp) WithLink(ctx context.Context, in LinkSignIn) error {
	ask, err := f.askLink(in)
	if err != nil {
		return err
	}
	ask.quiet = true
	if err := f.linkRequested(ctx, &ask, true); err != nil {
		return err
	}
	switch _, err := f.Store.UserByEmail(ctx, in.Email); {
	case err == nil:
		return f.Answers.settle(ctx, ask.start, f.Now)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	err = f.addByLink(ctx, ask)
	if auth.CodeOf(err) == auth.EmailTaken {
		return f.Answers.settle(ctx, ask.start, f.Now)
	}
	return err
}

// askedLink is a LinkSignIn that was looked at: what it asks for is allowed.
type askedLink struct {
	LinkSignIn
	newcomer   auth.User // who they would be, if they are new
	redirectTo string
	quiet      bool // to those who are known, or to those who are not, nothing is sent
	start      time.Time
}

// askLink checks all that can be checked before anybody is looked up, so that the refusals are the
// same for everybody.
func (k *Kit) askLink(in LinkSignIn) (ask askedLink, err error) {
	ask = askedLink{LinkSignIn: in, start: k.Now()}
	if !k.Policy.SignInByLink {
		return ask, auth.EndpointDisabled
	}
	if err := k.Policy.admit(in.Email); err != nil {
		return ask, err
	}
	if ask.redirectTo, err = k.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return ask, err
	}
	if ask.newcomer, err = k.Policy.newcomer(tokens.NewUUID(), in.Email, in.Options, ask.start); err != nil {
		return ask, err
	}
	if !k.MailReady {
		return ask, auth.MailNotConfigured
	}
	return ask, nil
}

// makesUsers tells whether somebody who is unknown becomes a user by signing in.
func (k *Kit) makesUsers() bool { return !k.Policy.DisableAutoSignUp && !k.Policy.DisableSignUp }

// linkRequested has hooks asked about a request for a link: whether it signs up or in is known from whether the
// address is, unless no sign-in makes users. Then what hooks say must not tell who has an account.
func (k *Kit) linkRequested(ctx context.Context, ask *askedLink, signsUp bool) error {
	roles, err := k.eitherRequested(ctx, signsUp, request{Said: ask.Said, method: "link", client: ask.Client})
	ask.newcomer.Roles = granted(ask.newcomer.Roles, roles)
	return err
}

// addByLink creates the user and mails the link, or nothing of both.
func (k *Kit) addByLink(ctx context.Context, ask askedLink) error {
	if k.Policy.DisableSignUp {
		return auth.SignUpDisabled
	}
	b := birth{user: ask.newcomer, method: "link", client: ask.Client, now: ask.start}
	var err error
	if b.user, err = k.creating(ctx, b); err != nil {
		return err
	}
	ask.newcomer = b.user
	err = k.inTxFor(ctx, ask.quiet, func(tx *store.DB) error {
		created := k.entry("user.created", ask.newcomer.ID, ask.Client, ask.start)
		created.Detail = map[string]any{"method": "link"}
		if err := k.add(ctx, tx, store.NewUser{User: ask.newcomer}, created); err != nil || ask.newcomer.Disabled {
			return err
		}
		return k.sendLink(ctx, tx, ask.link(ask.newcomer))
	})
	if err == nil {
		err = k.created(ctx, b)
	}
	if err == nil && ask.newcomer.Disabled {
		return fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	if err != nil {
		return err
	}
	return k.answered(ctx, ask.start)
}

// mailLink mails the link to somebody who is known.
func (k *Kit) mailLink(ctx context.Context, ask askedLink, user auth.User) error {
	err := k.inTxFor(ctx, ask.quiet, func(tx *store.DB) error {
		if k.Policy.waitsFor(user, ask.start) {
			if err := tx.ContestUnless(ctx, user.ID, ask.newcomer.DisplayName, ask.newcomer.Metadata); err != nil {
				return err
			}
		}
		return k.sendLink(ctx, tx, ask.link(user))
	})
	if err != nil {
		return err
	}
	return k.answered(ctx, ask.start)
}

func (ask askedLink) link(user auth.User) link {
	return link{
		user: user, to: user.Email, purpose: auth.SignInByEmail,
		redirectTo: ask.redirectTo, challenge: ask.CodeChallenge, client: ask.Client, now: ask.start,
	}
}
