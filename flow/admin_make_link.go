package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// LinkWanted is a link that a program of the operator mails itself, in the place of ours.
type LinkWanted struct {
	Purpose     auth.Purpose // VerifyEmail, Invitation, SignInByEmail, ResetPassword or ConfirmEmailChange
	Email       string
	NewEmail    string          // of ConfirmEmailChange: where the link is going to be mailed
	Current     bool            // of ConfirmEmailChange: it is going to be mailed to the current address, which confirms the change, too
	Password    string          // of a new user, with VerifyEmail
	Metadata    json.RawMessage // of a new user, or members for one whose address is not confirmed
	DisplayName *string         // of a new user
	RedirectTo  string
}

// MadeLink is a link, and the code that can be typed in its place. Whoever has either is in.
type MadeLink struct {
	User       store.WholeUser
	Purpose    auth.Purpose // another than was wanted where the user is new
	URL        string
	Ticket     string
	Code       string
	RedirectTo string
}

// MakeLink makes the link and the code that a mail would have, and mails nothing. They take the place of those before
// them, and do what mailed ones do: what is mailed to an address by somebody whom the operator trusts proves it as
// much. So it takes all rights, as choosing a password does; the links that other operators hand over are
// those of GenerateLink. Who is not known is made, unless the link needs somebody who is.
func (f *Admin) MakeLink(ctx context.Context, by Operator, in LinkWanted) (out MadeLink, err error) {
	switch {
	case by.Rights < auth.AllRights:
		return out, fmt.Errorf("%w: only who has a service key or the admin secret makes such links", auth.Forbidden)
	case !f.Settings.Links:
		return out, fmt.Errorf("%w: AUTH_ADMIN_LINKS is not set", auth.EndpointDisabled)
	}
	if out.RedirectTo, err = f.Policy.Redirect(in.RedirectTo); err != nil {
		return out, err
	}
	user, purpose, err := f.linked(ctx, by, in)
	if err != nil {
		return out, err
	}
	l := link{user: user, to: user.Email, purpose: purpose, redirectTo: out.RedirectTo, client: by.Client, now: f.Now()}
	if purpose == auth.ConfirmEmailChange {
		if l, err = f.changeLink(l, in); err != nil {
			return out, err
		}
	}
	err = f.Store.InTx(ctx, func(tx *store.DB) (err error) {
		if purpose == auth.ConfirmEmailChange {
			if err := tx.AskEmailChange(ctx, user.ID, in.NewEmail, f.entry(by, "email.change_requested", user.ID, nil)); err != nil {
				return err
			}
		}
		out.Ticket, out.Code, err = f.writeLink(ctx, tx, l)
		if err != nil {
			return err
		}
		return tx.Tell(ctx, f.entry(by, "link.generated", user.ID, map[string]any{
			"template": mailKinds[purpose].template, "expiresAt": l.now.Add(f.Mails.life(purpose)).UTC().Format(time.RFC3339),
		}))
	})
	if errors.Is(err, store.ErrChanged) {
		return out, fmt.Errorf("%w: user %s is locked, or gone", auth.UserDisabled, user.ID)
	}
	if err != nil {
		return out, err
	}
	out.URL, out.Purpose = f.linkURL(out.Ticket, mailKinds[purpose].linkType, l), purpose
	out.User, err = f.WholeUser(ctx, by, user.ID)
	return out, err
}

// changeLink is the link of a change of address, for one of the addresses that confirm it.
func (f *Admin) changeLink(l link, in LinkWanted) (link, error) {
	l.to, l.user.NewEmail = in.NewEmail, in.NewEmail
	asked := f.Policy.changeMails(l)
	if !in.Current {
		return asked[0], nil
	}
	if len(asked) < 2 {
		return l, auth.Invalid{Field: "type", Problem: "must be email_change_new: the current address is not asked, since nobody has confirmed it or AUTH_GOTRUE_SECURE_EMAIL_CHANGE_ENABLED is off"}
	}
	return asked[1], nil
}

// linked is who gets a link, and what it is for.
func (f *Admin) linked(ctx context.Context, by Operator, in LinkWanted) (auth.User, auth.Purpose, error) {
	user, err := f.Store.UserByEmail(ctx, in.Email)
	switch purpose := in.Purpose; {
	case errors.Is(err, store.ErrNotFound):
		return f.newlyLinked(ctx, by, in)
	case err != nil:
		return user, purpose, err
	case (purpose == auth.VerifyEmail || purpose == auth.Invitation) && user.EmailVerified:
		return user, purpose, fmt.Errorf("%w: user %s", auth.EmailTaken, user.ID)
	case purpose == auth.VerifyEmail:
		return user, purpose, f.signedUpAgain(ctx, by, user, in)
	case purpose == auth.ConfirmEmailChange:
		if err := f.Policy.admit(in.NewEmail); err != nil {
			return user, purpose, err
		}
		return user, purpose, f.free(ctx, in.NewEmail, user)
	}
	return user, in.Purpose, nil
}

// signedUpAgain is somebody who signs up with an address that a stranger may have signed up with before: see Register.
func (f *Admin) signedUpAgain(ctx context.Context, by Operator, user auth.User, in LinkWanted) error {
	if len(in.Metadata) > 0 {
		if _, err := f.UpdateUser(ctx, by, UserChange{ID: user.ID, MetadataPatch: Field[json.RawMessage]{Given: true, Value: in.Metadata}}); err != nil {
			return err
		}
	}
	if !f.Policy.RequireVerifiedEmail {
		return nil
	}
	found, err := f.Store.LookUp(ctx, store.Lookup{Email: in.Email, Now: f.Now()})
	if err != nil {
		return err
	}
	same, err := f.isSame(ctx, found.Login, in.Password)
	if err != nil || same {
		return err
	}
	return f.Store.Contest(ctx, user.ID)
}

// newlyLinked makes who is not known yet.
func (f *Admin) newlyLinked(ctx context.Context, by Operator, in LinkWanted) (auth.User, auth.Purpose, error) {
	creation := UserCreation{Email: in.Email, Metadata: in.Metadata, DisplayName: in.DisplayName}
	purpose := in.Purpose
	switch purpose {
	case auth.VerifyEmail:
		creation.Password = &in.Password
	case auth.SignInByEmail:
		purpose = auth.VerifyEmail
	case auth.Invitation:
	default:
		return auth.User{}, purpose, fmt.Errorf("%w: unknown address", auth.NotFound)
	}
	made, err := f.CreateUser(ctx, by, creation)
	return made.User, purpose, err
}

// writeLink writes what a link and its code are compared with.
func (f *Admin) writeLink(ctx context.Context, tx *store.DB, l link) (ticket, code string, err error) {
	ticket, code = string(l.purpose)+":"+tokens.NewUUID(), tokens.NewCode(f.Policy.CodeLength)
	c := l.withCode()
	t := f.typedCode(c, code)
	t.Link = f.linkBeside(*c.mailed, ticket)
	if t.Payload, err = c.knows.encoded(); err != nil {
		return "", "", err
	}
	_, _, err = tx.WriteCode(ctx, t) // nobody counts them: there is always room
	return ticket, code, err
}
