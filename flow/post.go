package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
// random is the same both times. Functions that take part in the transaction refuse in the rehearsal,
// before anything is sent, and are told of the same event when it is run again.
//
// What nobody waits for, and what must not be told apart from nothing at all, goes through the queue
// all the same: see notify and quietly.
type post struct {
	drawn    []string
	next     int  // of drawn, when it is run again
	sent     int  // of mails, when it is run again
	repeated bool // it is run again
	mails    []hooks.MailDue
	texts    []hooks.SMSDue
	taken    []bool // by somebody who sends them, of the texts; what is not is queued
	text     int    // as next, of texts
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
	if err := k.countSending(ctx, p); err != nil {
		return err
	}
	if err := k.send(ctx, p); err != nil {
		return k.uncountSending(ctx, p, err)
	}
	p.repeated = true
	return k.Store.InTx(ctx, func(tx *store.DB) error {
		p.next, p.sent, p.text = 0, 0, 0
		err := f(tx.Carrying(p))
		if err == nil && p.sent+p.text != len(p.mails)+len(p.texts) {
			err = errUnlike
		}
		return err
	})
}

// send has hooks send what waits.
func (k *Kit) send(ctx context.Context, p *post) error {
	for i := range p.mails {
		if err := k.Hooks.MailDue.Ask(ctx, &p.mails[i]); err != nil {
			return err
		}
	}
	for i := range p.texts {
		taken, err := k.Hooks.SMSDue.Take(ctx, &p.texts[i])
		switch {
		case err != nil:
			return err
		case !taken && !k.SMSReady:
			return fmt.Errorf("%w: no hook wants the message either", auth.SMSNotConfigured)
		}
		p.taken = append(p.taken, taken)
	}
	return nil
}

// countSending counts messages before anybody is asked to send them. What the transaction counts of them it
// counts when it is kept: of many who ask at once each is the first in its rehearsal, and whoever takes too
// long to answer may have sent the message all the same.
func (k *Kit) countSending(ctx context.Context, p *post) error {
	return k.Store.CountFailure(ctx, k.sendingGuards(p), k.Now())
}

// uncountSending takes back what was counted of messages that were not sent, as whoever was asked says.
func (k *Kit) uncountSending(ctx context.Context, p *post, refusal error) error {
	var no *hooks.Denied
	if !errors.As(refusal, &no) {
		return refusal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return errors.Join(refusal, k.Store.UncountFailure(ctx, k.sendingGuards(p)))
}

// sendingGuards count what an address and a number are sent, of one kind each.
func (k *Kit) sendingGuards(p *post) []store.Guard {
	var guards []store.Guard
	add := func(key string, most int) {
		if !slices.ContainsFunc(guards, func(g store.Guard) bool { return g.Key == key }) {
			guards = append(guards, store.Guard{Key: key, Max: most, Window: time.Hour})
		}
	}
	for _, m := range p.mails {
		add("hook:mailed:"+m.Template+":"+strings.ToLower(m.To), k.Policy.MailsPerHour)
	}
	for _, t := range p.texts {
		add("hook:texted:"+t.Phone, k.Policy.MessagesPerHour)
	}
	return guards
}

// quietly is inTx for an answer that is the same whether or not there is anything to send. What
// there is goes through the queue, whoever sends it: neither that they refuse nor how long they take may
// reach the client.
func (k *Kit) quietly(ctx context.Context, f func(tx *store.DB) error) error {
	return k.Store.InTx(ctx, f)
}

// inTxFor is one of the two.
func (k *Kit) inTxFor(ctx context.Context, quiet bool, f func(tx *store.DB) error) error {
	if quiet {
		return k.quietly(ctx, f)
	}
	return k.inTx(ctx, f)
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
	client    auth.Client
	purpose   auth.Purpose
	challenge string
	ticket    string // that the link carries
	code      string // to type
	detail    map[string]string
}

// mailDue is a mail as hooks are told of it.
func (k *Kit) mailDue(m emails.Message, a about) hooks.MailDue {
	return hooks.MailDue{
		Event: hooks.Event{ID: m.ID, At: k.Now(), Client: a.client}, User: a.user, To: m.To, Template: m.Template, Purpose: a.purpose, Challenge: a.challenge,
		Ticket: hooks.Secret(a.ticket), Link: hooks.Secret(m.Variables["link"]), Code: hooks.Secret(a.code),
		RedirectTo: m.Variables["redirectTo"], Detail: a.detail,
	}
}

// textDue is a text message as hooks are told of it.
func (k *Kit) textDue(t text) hooks.SMSDue {
	return hooks.SMSDue{
		Event: hooks.Event{ID: tokens.NewUUID(), At: k.Now(), Client: t.client}, User: t.user, Phone: t.to, Code: hooks.Secret(t.code), Purpose: t.purpose,
	}
}

// carriesMail takes a mail in the place of the queue, where hooks do.
func (k *Kit) carriesMail(tx *store.DB, due hooks.MailDue) (bool, error) {
	p, ok := tx.Carried().(*post)
	switch {
	case !ok || !k.takesMails():
		return false, nil
	case !p.repeated:
		p.mails = append(p.mails, due)
		return true, nil
	case !slices.ContainsFunc(p.mails, func(sent hooks.MailDue) bool {
		return sent.To == due.To && sent.Template == due.Template && sent.Ticket == due.Ticket && sent.Code == due.Code
	}):
		return false, errUnlike
	}
	p.sent++
	return true, nil
}

// carriesText takes a text message in the place of the queue, where hooks do.
func (k *Kit) carriesText(tx *store.DB, due hooks.SMSDue) (bool, error) {
	p, ok := tx.Carried().(*post)
	switch {
	case !ok || !k.takesTexts():
		return false, nil
	case !p.repeated:
		p.texts = append(p.texts, due)
		return true, nil
	case p.text == len(p.texts):
		return false, errUnlike
	}
	was, taken := p.texts[p.text], p.taken[p.text]
	if was.Phone != due.Phone || taken && was.Code != due.Code {
		return false, errUnlike
	}
	p.text++
	return taken, nil
}

// takesText tells whether a hook sends the next text message of the transaction. While it is rehearsed
// nobody knows yet; out of the queue only they do who send all.
func (k *Kit) takesText(tx *store.DB) bool {
	p, ok := tx.Carried().(*post)
	switch {
	case !k.takesTexts():
		return false
	case !ok:
		return k.Hooks.SMSDue.TakesAll()
	case p.repeated:
		return p.text < len(p.taken) && p.taken[p.text]
	}
	return true
}
