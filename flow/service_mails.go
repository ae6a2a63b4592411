package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/sms"
	"postern/store"
	"postern/tokens"
)

const (
	testsPerHour = 30 // test messages of one operator, and to one address
	maxVariable  = 2000
	testTime     = 4 * time.Second // of sending one
)

// Templates lists the templates of mails and text messages, in every language.
func (f *Service) Templates(_ context.Context, by Operator) ([]emails.Listed, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	return f.Mailer.Renderer.List()
}

// Template finds a template in a language, which need not have one of its own.
func (f *Service) Template(ctx context.Context, name, locale string, by Operator) (emails.Listed, bool, error) {
	all, err := f.Templates(ctx, by)
	for _, t := range all {
		if t.Name == name && strings.EqualFold(t.Locale, locale) {
			return t, true, nil
		}
	}
	return emails.Listed{}, false, err
}

// TemplateFill says what to fill a template with.
type TemplateFill struct {
	Name, Locale string
	Variables    map[string]string // in the place of samples; nil for samples alone
}

func (t TemplateFill) message(to string) (emails.Message, error) {
	m := emails.Sample(t.Name, t.Locale, tokens.NewUUID(), to)
	for name, value := range t.Variables {
		if !slices.Contains(emails.VariableNames(), name) {
			return m, auth.Invalid{Field: "variables", Problem: "must have names of " + strings.Join(emails.VariableNames(), ", ")}
		}
		if len(value) > maxVariable {
			return m, auth.Invalid{Field: "variables", Problem: fmt.Sprintf("must have texts of %d bytes at most", maxVariable)}
		}
		m.Variables[name] = value
	}
	return m, nil
}

// Render fills a template. Nothing is sent.
func (f *Service) Render(ctx context.Context, t TemplateFill, by Operator) (emails.Rendered, error) {
	if err := by.mayRead(); err != nil {
		return emails.Rendered{}, err
	}
	m, err := t.message("ada.lovelace@example.org")
	if err != nil {
		return emails.Rendered{}, err
	}
	r, err := f.Mailer.Renderer.Render(ctx, m)
	return r, unrendered(err)
}

// unrendered turns a template that cannot be filled into a refusal.
func unrendered(err error) error {
	if err != nil && emails.IsPermanent(err) {
		return auth.Invalid{Field: "name", Problem: "must be a template that can be filled with these values: emailTemplates lists them"}
	}
	return err
}

// TestSent is what became of a test message: that it was not taken is an answer too.
type TestSent struct {
	Sent     bool
	Problem  string
	Rendered emails.Rendered
	Took     time.Duration
}

// SendTestMail sends one mail now, past the queue, so that what the mail server says is seen.
func (f *Service) SendTestMail(ctx context.Context, t TemplateFill, to string, by Operator) (TestSent, error) {
	if err := by.mayChange(); err != nil {
		return TestSent{}, err
	}
	if !f.Mailer.Configured() {
		return TestSent{}, auth.MailNotConfigured
	}
	if t.Name == emails.SignInSMS {
		return TestSent{}, auth.Invalid{Field: "name", Problem: "must be the template of a mail: sendTestSms sends that of a text message"}
	}
	if !emails.IsAddress(to) {
		return TestSent{}, auth.Invalid{Field: "to", Problem: "must be one e-mail address"}
	}
	return f.sendTest(ctx, t, to, "mail", by, func(ctx context.Context, m emails.Message) (emails.Rendered, error) { return f.Mailer.Send(ctx, m) })
}

// SendTestText sends one text message now.
func (f *Service) SendTestText(ctx context.Context, locale, to string, by Operator) (TestSent, error) {
	if err := by.mayChange(); err != nil {
		return TestSent{}, err
	}
	if !f.SMS.Configured() || f.SMS.HoldsCodes() {
		return TestSent{}, auth.SMSNotConfigured
	}
	if !sms.ValidNumber(to) {
		return TestSent{}, auth.Invalid{Field: "to", Problem: "must be a phone number such as +41791234567"}
	}
	t := TemplateFill{Name: emails.SignInSMS, Locale: locale}
	return f.sendTest(ctx, t, to, "sms", by, func(ctx context.Context, m emails.Message) (emails.Rendered, error) {
		r, err := f.Mailer.Renderer.Render(ctx, m)
		if err != nil {
			return r, err
		}
		return r, f.SMS.Send(ctx, sms.Message{ID: m.ID, To: m.To, Text: strings.TrimSpace(r.Text)})
	})
}

// sendTest sends a test message within the limits, and notes it.
func (f *Service) sendTest(ctx context.Context, t TemplateFill, to, kind string, by Operator, send func(context.Context, emails.Message) (emails.Rendered, error)) (TestSent, error) {
	m, err := t.message(to)
	if err != nil {
		return TestSent{}, err
	}
	if _, err := f.Mailer.Renderer.Render(ctx, m); err != nil {
		return TestSent{}, unrendered(err)
	}
	for _, whose := range []string{"operator:" + by.UserID, "to:" + strings.ToLower(to)} {
		b := store.Budget{Key: "test-" + kind + ":" + whose, Burst: testsPerHour, Every: time.Hour / testsPerHour}
		if err := f.Store.Spend(ctx, b, "", f.Now()); err != nil {
			return TestSent{}, err
		}
	}
	sending, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	began := f.Now()
	r, err := send(sending, m)
	s := TestSent{Sent: err == nil, Rendered: r, Took: f.Now().Sub(began)}
	if err != nil {
		s.Problem = err.Error()
	}
	facts := map[string]any{"kind": kind, "template": t.Name, "to": masked(to), "sent": s.Sent}
	return s, f.Store.AddNote(context.WithoutCancel(ctx), f.note(by, "message.tested", facts))
}

// masked is an address or a number as the audit log keeps it.
func masked(to string) string {
	if strings.Contains(to, "@") {
		return mask(to)
	}
	return sms.Masked(to)
}
