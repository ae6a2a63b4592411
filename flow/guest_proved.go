package flow

import (
	"context"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// mayProve refuses a guest who asks for nothing by which they could become a user: a password alone would let nobody in.
func (p *Policy) mayProve(in AccountChange, guest auth.User) error {
	switch {
	case !guest.IsAnonymous:
		return nil
	case p.DisableSignUp:
		return auth.SignUpDisabled
	case in.NewEmail == "" && in.NewPhone == "":
		return fmt.Errorf("%w: user %s wants a password, and nothing to sign in with it by", auth.UserAnonymous, guest.ID)
	}
	return nil
}

// guestProof is a guest who has proved an address or a number that they asked for.
type guestProof struct {
	guest         auth.User
	email, number string // one of the two
	said          Said
	method        string
	client        auth.Client
	now           time.Time
}

// outOfGuestProved decides as whom a guest goes on. It is a sign-up, and asks what a sign-up asks; what they said of themselves as a
// guest stays.
func (k *Kit) outOfGuestProved(ctx context.Context, p guestProof) (auth.User, error) {
	switch {
	case !k.Policy.GuestsProve:
		return p.guest, fmt.Errorf("%w: user %s", auth.UserAnonymous, p.guest.ID)
	case k.Policy.DisableSignUp:
		return p.guest, auth.SignUpDisabled
	}
	options := Options{Locale: p.guest.Locale}
	var err error
	if options.granted, err = k.signUpRequested(ctx, request{Said: p.said, method: p.method, email: p.email, phone: p.number, client: p.client}); err != nil {
		return p.guest, err
	}
	if options.DisplayName = p.guest.DisplayName; options.DisplayName == guestName {
		options.DisplayName = p.email + p.number
	}
	user, err := k.Policy.newcomer(p.guest.ID, p.email, options, p.now)
	if err != nil {
		return p.guest, err
	}
	user.CreatedAt, user.UpdatedAt, user.Metadata = p.guest.CreatedAt, p.guest.UpdatedAt, p.guest.Metadata
	user.EmailVerified, user.PhoneNumber, user.PhoneNumberVerified = p.email != "", p.number, p.number != ""
	if user.Disabled {
		return p.guest, fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return user, nil
}

// becomeProved makes a guest the user that outOfGuestProved decided on, who keeps the session that asked for it and no other. It must
// still be there, or somebody ended it who knew why.
func (k *Kit) becomeProved(ctx context.Context, tx *store.DB, o opening, session string) error {
	if o.user.PhoneNumber != "" {
		from, err := tx.ReleasePhone(ctx, o.user.PhoneNumber, o.user.ID)
		if err != nil {
			return err
		}
		if from != "" {
			if err := tx.Note(ctx, k.entry("phone.released", from, auth.Client{}, o.now)); err != nil {
				return err
			}
		}
	}
	if err := k.makeRoles(ctx, tx, o.user.Roles); err != nil {
		return err
	}
	e := k.entry("user.deanonymized", o.user.ID, o.client, o.now)
	e.SessionID = session
	e.Detail = map[string]any{"method": o.method}
	return tx.Deanonymize(ctx, store.Deanonymization{NewUser: store.NewUser{User: o.user}, Asking: session, Keep: true, Hash: true, Entry: e})
}
