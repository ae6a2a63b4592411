package deliver

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"postern/sms"
	"postern/store"
)

// smsWorker sends one text message: the template of a mail in the words of its locale, through the
// gateway.
type smsWorker struct {
	river.WorkerDefaults[store.SMSJob]
	carriers *Carriers
}

// Work sends the message, or says whether it is worth another try.
func (w *smsWorker) Work(ctx context.Context, job *river.Job[store.SMSJob]) error {
	c := w.carriers
	if !c.Now().Before(job.Args.ExpiresAt) {
		return c.giveUp(ctx, job.JobRow, errors.New("deliver: the code in the text message has expired"))
	}
	if c.Hooks != nil && c.Hooks.SMSDue.Bound() {
		if taken, err := c.handText(ctx, job); taken || err != nil {
			return err
		}
	}
	if !c.SMS.Configured() {
		return errors.New("deliver: no gateway for text messages is configured (AUTH_SMS_PROVIDER and its settings)")
	}
	err := w.send(ctx, job.Args)
	if err != nil && (sms.IsPermanent(err) || errors.Is(err, errInVain)) {
		return c.giveUp(ctx, job.JobRow, err)
	}
	return err
}

// errInVain is in errors that no other attempt would change.
var errInVain = errors.New("it would be in vain to try again")

func (w *smsWorker) send(ctx context.Context, job store.SMSJob) error {
	c := w.carriers
	m, err := c.unseal(store.SMSSeal, job.Sealed)
	if err != nil {
		return errors.Join(errInVain, err)
	}
	// A code of ours would not be the one that such a gateway sends, and the other way round.
	if c.SMS.HoldsCodes() != (m.Variables["code"] == "") {
		return errors.Join(errInVain, errors.New("deliver: AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID was changed between a Verify service, which makes codes itself, and another way to send them"))
	}
	if c.SMS.HoldsCodes() {
		return c.SMS.StartCode(ctx, m.To, m.Locale)
	}
	if text, ok := c.SMS.Words(m.Variables["code"]); ok {
		return c.SMS.Send(ctx, sms.Message{ID: m.ID, To: m.To, Text: text})
	}
	rendered, err := c.Mailer.Renderer.Render(ctx, m)
	c.warn(ctx, m.Template, rendered)
	if err != nil {
		return err
	}
	return c.SMS.Send(ctx, sms.Message{ID: m.ID, To: m.To, Text: strings.TrimSpace(rendered.Text)})
}

// Timeout bounds one attempt.
func (w *smsWorker) Timeout(*river.Job[store.SMSJob]) time.Duration { return attemptTimeout }

// NextRetry waits as pause says.
func (w *smsWorker) NextRetry(job *river.Job[store.SMSJob]) time.Time {
	return w.carriers.Now().Add(pause(job.Attempt))
}
