package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// EmailChange is a user who wants another address.
type EmailChange struct {
	Actor         auth.Actor
	NewEmail      string
	RedirectTo    string
	CodeChallenge string
	Client        auth.Client
}

// ChangeEmail mails a link to the new address. Until it is opened nothing changes but the note of
// what was asked.
func (f *Account) ChangeEmail(ctx context.Context, in EmailChange) error {
	user, err := f.member(ctx, in.Actor)
	if err != nil {
		return err
	}
	mail, err := f.newAddress(ctx, in, user)
	if err != nil {
		return err
	}
	err = f.inTx(ctx, func(tx *store.DB) error { return f.askAddress(ctx, tx, in.Actor.SessionID, mail) })
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// newAddress checks another address of a user, and gives the mail that asks for its confirmation.
func (f *Account) newAddress(ctx context.Context, in EmailChange, u auth.User) (link, error) {
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return link{}, err
	}
	if err := f.Policy.admit(in.NewEmail); err != nil {
		return link{}, err
	}
	if !f.MailReady {
		return link{}, auth.MailNotConfigured
	}
	if err := f.free(ctx, in.NewEmail, u); err != nil {
		return link{}, err
	}
	u.NewEmail = in.NewEmail
	return link{
		user: u, knows: codePayload{Session: in.Actor.SessionID}, to: in.NewEmail, purpose: auth.ConfirmEmailChange, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: f.Now(),
	}, nil
}

// free refuses an address that somebody has, as another one of a user.
func (k *Kit) free(ctx context.Context, email string, u auth.User) error {
	_, err := k.Store.UserByEmail(ctx, email)
	switch {
	case err == nil:
		return fmt.Errorf("%w: for user %s", auth.EmailTaken, u.ID)
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// askAddress notes what a user asked for in a session, and mails it.
func (f *Account) askAddress(ctx context.Context, tx *store.DB, session string, mail link) error {
	e := f.entry("email.change_requested", mail.user.ID, mail.client, mail.now)
	e.SessionID = session
	if err := tx.AskEmailChange(ctx, mail.user.ID, mail.to, e); err != nil {
		return err
	}
	return f.askBoth(ctx, tx, mail)
}

// askBoth mails whoever is asked about a change of address.
func (f *Account) askBoth(ctx context.Context, tx *store.DB, mail link) error {
	for _, m := range f.Policy.changeMails(mail) {
		if err := f.sendLink(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// changeMails are the mails that ask for the confirmation of another address: one to the new address and, where both confirm, one to
// the current one. An address that nobody has confirmed says nothing.
func (p *Policy) changeMails(mail link) []link {
	if !p.BothAddresses || mail.user.Email == "" || !mail.user.EmailVerified {
		return []link{mail}
	}
	mail.knows.Both, mail.knows.For = true, mail.to
	current := mail
	current.to, current.knows.Current = mail.user.Email, true
	return []link{mail, current}
}

// ResendNewAddress mails once more what asks for the confirmation of another address, for whoever names the address that the user has. What one of
// two addresses confirmed meanwhile is asked again. The answer is the same, and takes as long, whether anybody waits for such mails.
func (f *Account) ResendNewAddress(ctx context.Context, in Ask) (refused error) {
	end, err := f.sends(ctx, mailTo(turnEmailChange, in.Email))
	if err != nil {
		return err
	}
	defer end(&refused)
	start := f.Now()
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return err
	}
	if !f.MailReady {
		return auth.MailNotConfigured
	}
	pending, err := f.Store.PendingAddress(ctx, in.Email, start)
	if errors.Is(err, store.ErrNotFound) || err == nil && f.Policy.gateMember(pending.User, start) != nil {
		return f.Answers.settle(ctx, start, f.Now)
	}
	if err != nil {
		return err
	}
	user := pending.User
	user.NewEmail = newAddressOf(pending)
	mail := link{
		user: user, knows: codePayload{Session: payloadOf(pending.TicketPayload).Session}, to: user.NewEmail, purpose: auth.ConfirmEmailChange, redirectTo: redirectTo,
		challenge: in.CodeChallenge, client: in.Client, now: start,
	}
	err = f.quietly(ctx, func(tx *store.DB) error { return f.askBoth(ctx, tx, mail) })
	if err != nil {
		return err
	}
	return f.answered(ctx, start)
}

// isHalf tells whether a ticket is for a change of address that the other address is yet to confirm, too.
func isHalf(found store.Found) bool {
	p := payloadOf(found.TicketPayload)
	return found.TicketPurpose == auth.ConfirmEmailChange && p.Both && !p.Half
}

// proveHalf notes that one of two addresses confirmed a change. Of two that do so at once, one is told to try again.
func (k *Kit) proveHalf(ctx context.Context, found store.Found, c auth.Client, now time.Time, take func(*store.DB) error) error {
	known := payloadOf(found.TicketPayload)
	return k.inTx(ctx, func(tx *store.DB) error {
		if err := tx.HoldUser(ctx, found.User.ID); err != nil {
			return err
		}
		if err := take(tx); err != nil {
			return err
		}
		if err := tx.MarkHalf(ctx, found.User.ID, known.For, !known.Current, now); err != nil {
			return err
		}
		return tx.Note(ctx, k.entry("email.change_approved", found.User.ID, c, now))
	})
}

// newAddressOf is the address that a ticket of a change is for.
func newAddressOf(found store.Found) string {
	if p := payloadOf(found.TicketPayload); p.Both {
		return p.For
	}
	return found.TicketEmail
}
