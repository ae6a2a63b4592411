package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/emails"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

// post is what leaves with a transaction where hooks send messages in the place of the queue.
//
// Such a transaction is rehearsed and rolled back first. Then, while none is open, the hooks are asked
// to send what it would have queued; and only when they have is it run again and kept. So a message
// that cannot be sent leaves nothing half written, its error reaches the client, and what is drawn at
// random is the same both times.
type post struct {
	drawn    []string
	next     int  // of drawn, when it is run again
	repeated bool // it is run again
	mails    []hooks.MailDue
	texts    []hooks.SMSDue
}

// errRehearsed rolls a rehearsal back.
var errRehearsed = errors.New("flow: rehearsed")

// errUnlike is a transaction that wants to send something else than it did in its rehearsal.
var errUnlike = fmt.Errorf("%w: what a message is about changed while it was sent", auth.Overloaded)

func (k *Kit) takesMails() bool { return k.Hooks != nil && k.Hooks.MailDue.Bound() }
func (k *Kit) takesTexts() bool { return k.Hooks != nil && k.Hooks.SMSDue.Bound() }

// inTx runs f in a transaction of the store. Messages that f queues are sent by hooks instead, where
// some are bound.
func (k *Kit) inTx(ctx context.Context, f func(tx *store.DB) error) error {
	if !k.takesMails() && !k.takesTexts() {
		return k.Store.InTx(ctx, f)
	}
	p := &post{}
	err := k.Store.InTx(ctx, func(tx *store.DB) error {
		*p = post{}
		if err := f(tx.Carrying(p)); err != nil || len(p.mails)+len(p.texts) == 0 {
			return err
		}
		return errRehearsed
	})
	if !errors.Is(err, errRehearsed) {
		return err
	}
	for i := range p.mails {
		if err := k.Hooks.MailDue.Ask(ctx, &p.mails[i]); err != nil {
			return err
		}
	}
	for i := range p.texts {
		if err := k.Hooks.SMSDue.Ask(ctx, &p.texts[i]); err != nil {
			return err
		}
	}
	p.repeated = true
	return k.Store.InTx(ctx, func(tx *store.DB) error {
		p.next = 0
		return f(tx.Carrying(p))
	})
}

// draw gives what was drawn in the rehearsal, or the fresh one.
func draw(tx *store.DB, fresh string) (string, error) {
	p, ok := tx.Carried().(*post)
	switch {
	case !ok:
		return fresh, nil
	case !p.repeated:
		p.drawn = append(p.drawn, fresh)
		return fresh, nil
	case p.next == len(p.drawn):
		return "", errUnlike
	}
	p.next++
	return p.drawn[p.next-1], nil
}

// about is what a mail is about, for hooks.
type about struct {
	user      auth.User
	purpose   auth.Purpose
	challenge string
	ticket    string // that the link carries
	code      string // to type
}

// carriesMail takes a mail in the place of the queue, where hooks do.
func (k *Kit) carriesMail(tx *store.DB, m emails.Message, a about) bool {
	p, ok := tx.Carried().(*post)
	if !ok || !k.takesMails() {
		return false
	}
	if p.repeated {
		return true
	}
	due := hooks.MailDue{
		Event: hooks.Event{ID: m.ID, At: k.Now()}, User: a.user, To: m.To, Template: m.Template, Purpose: a.purpose, Challenge: a.challenge,
		Ticket: hooks.Secret(a.ticket), Link: hooks.Secret(m.Variables["link"]), Code: hooks.Secret(a.code),
		RedirectTo: m.Variables["redirectTo"],
	}
	if m.Template == "email-changed" {
		due.Detail = map[string]string{"oldEmail": m.To}
	}
	p.mails = append(p.mails, due)
	return true
}

// carriesText takes a text message in the place of the queue, where hooks do.
func (k *Kit) carriesText(tx *store.DB, t text) bool {
	p, ok := tx.Carried().(*post)
	if !ok || !k.takesTexts() {
		return false
	}
	if !p.repeated {
		p.texts = append(p.texts, hooks.SMSDue{
			Event: hooks.Event{ID: tokens.NewUUID(), At: k.Now()}, User: t.user, Phone: t.to, Code: hooks.Secret(t.code), Purpose: t.purpose,
		})
	}
	return true
}
