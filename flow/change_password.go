package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// PasswordChange sets a new password: of the actor, or of whoever holds the ticket of a reset mail.
type PasswordChange struct {
	Actor       *auth.Actor // nil when nobody is signed in
	Ticket      string
	NewPassword string
	Client      auth.Client
}

// ChangePassword sets a new password and ends every other session of the user: whoever knew the
// old one is out.
func (f *Account) ChangePassword(ctx context.Context, in PasswordChange) error {
	now := f.Now()
	right, err := f.rightToChange(ctx, in, now)
	if err != nil {
		return err
	}
	if err := f.PasswordPolicy.Check(ctx, in.NewPassword); err != nil {
		return err
	}
	hash, err := f.Passwords.Hash(ctx, in.NewPassword)
	if err != nil {
		return err
	}
	changed := hooks.PasswordChanged{Event: event(in.Client, now), User: right.user}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if right.ticket != nil {
			if err := tx.TakeTicket(ctx, *right.ticket, in.Ticket); err != nil {
				return err
			}
			if err := f.disown(ctx, tx, right, in.Client, now); err != nil {
				return err
			}
		}
		return f.setPassword(ctx, tx, hash, right.session, in.Client, changed)
	})
	switch {
	case err == nil:
		f.passwordChanged(ctx, changed)
		return nil
	case !errors.Is(err, store.ErrChanged):
		return err
	case right.ticket != nil:
		return fmt.Errorf("%w: used up or changed meanwhile", auth.InvalidTicket)
	}
	return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
}

// setPassword gives a user another password and tells of it. Of their sessions only the one that is named goes on.
func (f *Account) setPassword(ctx context.Context, tx *store.DB, hash, session string, c auth.Client, changed hooks.PasswordChanged) error {
	u := changed.User
	e := f.entry("password.changed", u.ID, c, changed.At)
	e.SessionID = session
	if err := tx.SetPassword(ctx, u.ID, hash, session, f.lockoutKey(passwordAccount(u)), e); err != nil {
		return err
	}
	if err := f.tellOfPassword(ctx, tx, changed); err != nil {
		return err
	}
	return f.notify(ctx, tx, notice{template: "password-changed", to: u.Email, user: u, client: c})
}

// disown takes an account whose address nobody has confirmed away from whoever made it: the ticket
// proves that the address is somebody's who does not know the password, and the maker may have linked
// identities and keys of their own. A second factor is nothing that a mail may take away.
func (f *Account) disown(ctx context.Context, tx *store.DB, right right, c auth.Client, now time.Time) error {
	if right.user.EmailVerified || right.user.Email == "" || right.user.HasFactor() {
		return nil
	}
	e := f.entry("user.disowned", right.user.ID, c, now)
	e.Detail = map[string]any{"by": "password reset"}
	return tx.Disown(ctx, right.user.ID, right.user.Email, e)
}

// right is why somebody may set a new password: their session, or a ticket.
type right struct {
	user    auth.User
	session string       // lives on; empty in tokens of an older server, and with a ticket
	ticket  *store.Found // is used up; nil with a session
}

// rightToChange finds the right. A good session counts more than a ticket, as in Hasura Auth.
func (f *Account) rightToChange(ctx context.Context, in PasswordChange, now time.Time) (right, error) {
	var ticket store.Found
	noTicket := fmt.Errorf("%w: no ticket", auth.InvalidTicket)
	if in.Ticket != "" {
		ticket, noTicket = f.findTicket(ctx, auth.ResetPassword, in.Ticket, now)
	}
	if in.Actor != nil {
		user, err := f.member(ctx, *in.Actor)
		if err == nil {
			err = f.proved(ctx, *in.Actor)
		}
		switch code := auth.CodeOf(err); {
		case err == nil && noTicket == nil && ticket.User.ID != user.ID:
			return right{}, fmt.Errorf("%w: it is of user %s, the session of user %s", auth.InvalidTicket, ticket.User.ID, user.ID)
		case err == nil:
			return right{user: user, session: in.Actor.SessionID}, nil
		case in.Ticket == "" || code != auth.Unauthorized && code != auth.NotElevated:
			return right{}, err
		}
		// Clients send the access token they have with every call. One whose session is over, or
		// whose proof is too old, does not stand in the way of a ticket.
	}
	switch {
	case in.Ticket == "":
		return right{}, fmt.Errorf("%w: neither a session nor a ticket", auth.BadRequest)
	case noTicket != nil:
		return right{}, noTicket
	}
	return right{user: ticket.User, ticket: &ticket}, f.Policy.gateHolder(ticket, f.Now())
}
