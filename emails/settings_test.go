package emails

import (
	"strings"
	"testing"
	"time"
)

func TestSettingsThatDoNotFit(t *testing.T) {
	t.Parallel()
	good := Settings{Host: "mail.example.com", Port: 587, Sender: "Example <auth@example.com>", TLS: "auto", Helo: "postern"}
	for name, test := range map[string]struct {
		change func(*Settings)
		wrong  string // the variable, or empty
	}{
		"good":                      {func(*Settings) {}, ""},
		"nothing set":               {func(s *Settings) { *s = Settings{} }, ""},
		"no sender":                 {func(s *Settings) { s.Sender = "" }, "AUTH_SMTP_SENDER"},
		"no address":                {func(s *Settings) { s.Sender = "Example" }, "AUTH_SMTP_SENDER"},
		"two senders":               {func(s *Settings) { s.Sender = "a@b.example, c@d.example" }, "AUTH_SMTP_SENDER"},
		"a sender with a header":    {func(s *Settings) { s.Sender = "a@b.example\r\nBcc: c@d.example" }, "AUTH_SMTP_SENDER"},
		"postmark without a token":  {func(s *Settings) { s.Host = PostmarkHost }, "AUTH_SMTP_PASS"},
		"postmark":                  {func(s *Settings) { s.Host, s.Pass = PostmarkHost, "x" }, ""},
		"host with port":            {func(s *Settings) { s.Host = "mail.example.com:25" }, "AUTH_SMTP_HOST"},
		"URL":                       {func(s *Settings) { s.Host = "smtp://mail.example.com" }, "AUTH_SMTP_HOST"},
		"IPv6":                      {func(s *Settings) { s.Host = "::1" }, ""},
		"both TLS and none":         {func(s *Settings) { s.Secure, s.TLS = true, "off" }, "AUTH_SMTP_TLS"},
		"a header of two lines":     {func(s *Settings) { s.SMTPAPI = "{}\r\nBcc: x" }, "AUTH_SMTP_X_SMTPAPI_HEADER"},
		"a greeting of two words":   {func(s *Settings) { s.Helo = "my host" }, "AUTH_SMTP_HELO"},
		"a greeting of two lines":   {func(s *Settings) { s.Helo = "x\r\nMAIL" }, "AUTH_SMTP_HELO"},
		"sender in another script":  {func(s *Settings) { s.Sender = "Ада <ada@bücher.example>" }, ""},
		"sender with a bare domain": {func(s *Settings) { s.Sender = "root@localhost" }, ""},
	} {
		s := good
		test.change(&s)
		var wrong []string
		s.Check(func(env, problem string) {
			wrong = append(wrong, env)
			if problem == "" {
				t.Errorf("%s: no words for %s", name, env)
			}
		})
		if got := strings.Join(wrong, " "); got != test.wrong {
			t.Errorf("%s: got %q, want %q", name, got, test.wrong)
		}
	}
}

// Without a mail server Postern starts; whoever asks for a mail is told.
func TestOpenWithoutMailServer(t *testing.T) {
	t.Parallel()
	m, err := Open(Settings{}, "en", time.Now)
	if err != nil || m.Configured() {
		t.Fatalf("%v, configured %t", err, m.Configured())
	}
	if _, err := m.Send(t.Context(), Sample(EmailVerify, "en", "1", "a@b.example")); err == nil || IsPermanent(err) {
		t.Errorf("got %v, want a failure that passes", err)
	}
	var none *Mailer
	if none.Configured() {
		t.Error("no mailer is configured")
	}
}

func TestOpenRefusesBrokenTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "de/email-verify/body.html", "line one\n${link")
	write(t, dir, "en/email-verify/subject.txt", "${?code}")
	_, err := Open(Settings{TemplatesPath: dir}, "en", time.Now)
	if err == nil {
		t.Fatal("broken templates were taken")
	}
	for _, want := range []string{"de/email-verify/body.html:2", "en/email-verify/subject.txt:1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := Open(Settings{}, "../x", time.Now); err == nil {
		t.Error("a path was taken as the default locale")
	}
}
