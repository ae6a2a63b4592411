package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testmail"
)

// onPage checks that docs/emails.md shows this output of this command.
func onPage(t *testing.T, command, output string) {
	t.Helper()
	page, err := os.ReadFile("docs/emails.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$ postern " + command + "\n" + output + "```\n"; !strings.Contains(string(page), want) {
		t.Errorf("docs/emails.md does not show\n%s", want)
	}
}

// templateFolder makes a folder of templates of an operator.
func templateFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSendTestSendsWhatAUserWouldGet(t *testing.T) {
	t.Parallel()
	mail := testmail.New(t)
	env := map[string]string{
		"AUTH_SMTP_HOST": mail.Host, "AUTH_SMTP_PORT": strconv.Itoa(mail.Port), "AUTH_SMTP_SENDER": "auth@example.com",
	}
	got := runPostern(t, env, "emails", "send-test", "jane@example.net", "--template", "password-reset", "--locale", "de-AT")
	want := outcome{exitOK, "Sent password-reset (de, built-in) to jane@example.net.\n", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	onPage(t, "emails send-test jane@example.net --template password-reset --locale de", got.Stdout)
	m := mail.Wait(t, "jane@example.net", 1)[0]
	if !strings.HasPrefix(m.Ticket, "passwordReset:") || !strings.Contains(m.Text, "/verify?") {
		t.Errorf("the ticket is %q, want one like that of a real reset; the text:\n%s", m.Ticket, m.Text)
	}
}

func TestSendTestSaysWhyNothingWasSent(t *testing.T) {
	t.Parallel()
	host, port := testmail.Closed(t)
	tests := []struct{ name, args, want string }{
		{
			"nobody answers", "jane@example.net",
			"postern: the mail was not sent: dial tcp " + net.JoinHostPort(host, strconv.Itoa(port)) + ": connect: connection refused\n" +
				"Next: look at AUTH_SMTP_* with 'postern config show'.\n",
		},
		{"no such template", "jane@example.net --template nope", "postern: the mail was not sent: there is no template nope\n"},
		{"no address", "jane", "postern: the mail was not sent: the recipient is not one bare mail address\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"AUTH_SMTP_HOST": host, "AUTH_SMTP_PORT": strconv.Itoa(port), "AUTH_SMTP_SENDER": "auth@example.com"}
			got := runPostern(t, env, append([]string{"emails", "send-test"}, strings.Fields(tt.args)...)...)
			if diff := cmp.Diff(outcome{exitError, "", tt.want}, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSuspiciousTemplatesAreNotices(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"POSTGRES_CONNECTION": "postgres://me@db/app", "HASURA_GRAPHQL_JWT_SECRET": goodSecret,
		"AUTH_EMAIL_TEMPLATES_PATH": templateFolder(t, map[string]string{
			"en/email-verify/subject.txt": "Welcome",
			"en/email-verify/body.html":   "<p>Hello ${display_name},</p>\n<p><a href=${link}>here you go</a></p>",
		}),
	}
	notices := `2 notices:

  en/email-verify/body.html:1
      ${display_name} is no variable and becomes empty; did you mean ${displayName}?

  en/email-verify/body.html:2
      ${link} stands in an attribute without quotes; write "${link}".
`
	check := runPostern(t, env, "config", "check")
	if check.Code != exitOK || !strings.HasSuffix(check.Stdout, "\n\n"+notices) {
		t.Errorf("config check: %+v", check)
	}
	onPage(t, "emails preview", notices+"Open emails.html in a browser.\n")
	preview := runPostern(t, env, "emails", "preview", "-")
	if preview.Code != exitOK || !strings.Contains(preview.Stdout, "here you go") {
		t.Errorf("emails preview: exit code %d, %d bytes", preview.Code, len(preview.Stdout))
	}
	if diff := cmp.Diff(notices, preview.Stderr); diff != "" {
		t.Errorf("notices of the preview (-want +got):\n%s", diff)
	}
}

// A server does not start with templates that it cannot read, so the check does not call them good.
func TestUnreadableTemplatesAreErrors(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"POSTGRES_CONNECTION": "postgres://me@db/app", "HASURA_GRAPHQL_JWT_SECRET": goodSecret,
		"AUTH_EMAIL_TEMPLATES_PATH": templateFolder(t, map[string]string{
			"en/email-verify/subject.txt": "Welcome",
			"en/email-verify/body.html":   "<p>${?link}</p>",
			"fr/email-verify/body.txt":    "${",
		}),
	}
	want := `2 settings are wrong.

  en/email-verify/body.html:1
      ${?link} has no ${/link}.

  fr/email-verify/body.txt:1
      ${ is not closed.
`
	got := runPostern(t, env, "config", "check")
	if got.Code != exitError || !strings.HasPrefix(got.Stderr, want) {
		t.Errorf("exit code %d, stderr:\n%s\nwant:\n%s", got.Code, got.Stderr, want)
	}
}
