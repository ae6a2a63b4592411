package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"postern/config"
	"postern/emails"
	"postern/tokens"
)

type emailsCmds struct {
	Preview  previewCmd  `cmd:"" help:"Write a page with every mail in every language."`
	SendTest sendTestCmd `cmd:"" help:"Send one mail with sample values."`
}

// mailer is the mailer that a server would have.
func (a *app) mailer() (*emails.Mailer, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	return emails.Open(c.Emails, c.Flow.DefaultLocale, time.Now)
}

// templateProblems words what is wrong with templates as what is wrong with settings: the file, then
// the reason.
func templateProblems(errs ...error) []config.Problem {
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	var problems []config.Problem
	for line := range strings.SplitSeq(err.Error(), "\n") {
		file, what, found := strings.Cut(line, ": ")
		if !found {
			file, what = "AUTH_EMAIL_TEMPLATES_PATH", line
		}
		problems = append(problems, config.Problem{Name: file, What: what})
	}
	return problems
}

type previewCmd struct {
	File string `arg:"" optional:"" default:"emails.html" help:"Where to write the page; - is the standard output."`
}

// Run renders every template. Templates of the operator are among them.
func (c previewCmd) Run(ctx context.Context, a *app) error {
	m, err := a.mailer()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := m.Renderer.Preview(ctx, &page); err != nil {
		return err
	}
	notices := config.Report{Warnings: templateProblems(m.Renderer.Lint()...)}
	_, _ = fmt.Fprint(a.stderr, notices.Text(a.stderrColour))
	if c.File == "-" {
		_, err := a.stdout.Write(page.Bytes())
		return err
	}
	if err := os.WriteFile(c.File, page.Bytes(), 0o644); err != nil { // #nosec G306 -- sample values alone
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "Open %s in a browser.\n", c.File)
	return err
}

type sendTestCmd struct {
	To       string `arg:"" help:"Address to send to."`
	Template string `default:"email-verify" help:"Which mail."`
	Locale   string `help:"In which language; the default locale if not given."`
}

// Run sends one mail now, past the queue, so that what the mail server says is seen.
func (c sendTestCmd) Run(ctx context.Context, a *app) error {
	m, err := a.mailer()
	if err != nil {
		return err
	}
	if !m.Configured() {
		return stepError{errors.New("no mail server is configured"), "set AUTH_SMTP_HOST and AUTH_SMTP_SENDER"}
	}
	sent, err := m.Send(ctx, emails.Sample(c.Template, c.Locale, tokens.NewUUID(), c.To))
	notices := config.Report{Warnings: templateProblems(sent.Warnings...)}
	_, _ = fmt.Fprint(a.stderr, notices.Text(a.stderrColour))
	if err != nil {
		next := "look at AUTH_SMTP_* with 'postern config show'"
		if sent.Source == "" { // no mail server was asked
			next = ""
		}
		return stepError{fmt.Errorf("the mail was not sent: %w", err), next}
	}
	_, err = fmt.Fprintf(a.stdout, "Sent %s (%s, %s) to %s.\n", c.Template, sent.Locale, sent.Source, c.To)
	return err
}
