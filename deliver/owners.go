package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"postern/auth"
	"postern/emails"
	"postern/hooks"
	"postern/store"
)

// handMail asks whoever sends mails in the place of the mail server to send one that was queued. Nothing
// is sent otherwise while somebody is bound, not even what was queued before.
func (c *Carriers) handMail(ctx context.Context, job *river.Job[store.MailJob], m emails.Message) error {
	w, user, err := c.waited(ctx, m, job.Args.UserID)
	if err != nil {
		return c.unless(ctx, job.JobRow, err)
	}
	e := w.Mail(m.ID)
	e.User, e.To, e.Template, e.Link = user, m.To, m.Template, hooks.Secret(m.Variables["link"])
	return c.unless(ctx, job.JobRow, c.Hooks.MailDue.Ask(ctx, &e))
}

// handText asks whoever sends text messages in the place of the gateway to send one that was queued. Where
// they send only some, the others are the gateway's.
func (c *Carriers) handText(ctx context.Context, job *river.Job[store.SMSJob]) (taken bool, err error) {
	m, err := c.unseal(store.SMSSeal, job.Args.Sealed)
	if err != nil {
		return false, c.giveUp(ctx, job.JobRow, err)
	}
	w, user, err := c.waited(ctx, m, job.Args.UserID)
	if err == nil && w.Code == "" {
		err = fmt.Errorf("deliver: the gateway was to make the code, and now a hook sends text messages: %w", errInVain)
	}
	if errors.Is(err, errInVain) && !c.Hooks.SMSDue.TakesAll() {
		return false, nil
	}
	if err != nil {
		return false, c.unless(ctx, job.JobRow, err)
	}
	e := w.SMS(m.ID)
	e.User, e.Phone = user, m.To
	taken, err = c.Hooks.SMSDue.Take(ctx, &e)
	return taken, c.unless(ctx, job.JobRow, err)
}

// waited reads what hooks are told of a message that waited: what was known when it was queued, and its
// user as they are now.
func (c *Carriers) waited(ctx context.Context, m emails.Message, userID string) (hooks.Waiting, auth.User, error) {
	var w hooks.Waiting
	if err := json.Unmarshal(m.Due, &w); err != nil {
		return w, auth.User{}, fmt.Errorf("deliver: a message of an earlier version, which says too little for a hook: %w", errInVain)
	}
	user, err := c.Store.UserOfActor(ctx, auth.Actor{UserID: userID}, store.Alive{Now: c.Now()})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("deliver: the user is gone: %w", errInVain)
	}
	return w, user, err
}

// unless gives a job up whose error no other attempt would change. A hook that says no has decided, unless
// its status stands for trouble; one that fails is asked again.
func (c *Carriers) unless(ctx context.Context, job *rivertype.JobRow, err error) error {
	var no *hooks.Denied
	if errors.As(err, &no) && !no.MayPass() || errors.Is(err, errInVain) {
		return c.giveUp(ctx, job, err)
	}
	return err
}
