package emails

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	stdmail "net/mail"
	"strings"
	"testing"
	"time"

	"postern/internal/testmail"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))

// smtpTo is a transport to the test server.
func smtpTo(s *testmail.Server) *SMTP {
	return &SMTP{
		Host: s.Host, Port: s.Port, Timeout: 5 * time.Second,
		Sender: &stdmail.Address{Name: "Example", Address: "auth@example.com"},
	}
}

// mailTo is a mail of two parts.
func mailTo(to string) Outgoing {
	return Outgoing{
		Message: Message{ID: "0190-abc", To: to, Template: EmailVerify, Variables: map[string]string{
			"link":   "https://auth.example.com/verify?redirectTo=https%3A%2F%2Fapp.example.com&ticket=verifyEmail%3Aabc&type=emailVerify",
			"ticket": "verifyEmail:abc", "redirectTo": "https://app.example.com",
		}},
		Rendered: Rendered{Subject: "Confirm your address", HTML: "<p>Grüße, <b>é</b></p>", Text: "Grüße\n", Locale: "en"},
		Date:     noon,
	}
}

func TestMailIsCarriedWhole(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	out := mailTo("ada@example.org")
	transport := smtpTo(server)
	transport.SMTPAPI = `{"category": "auth"}`
	if err := transport.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	got := server.Last(t, "ada@example.org")
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	for what, pair := range map[string][2]string{
		"envelope sender": {got.From, "auth@example.com"},
		"greeting":        {got.Helo, "postern"},
		"subject":         {got.Subject, out.Subject},
		"text":            {got.Text, "Grüße\r\n"},
		"HTML":            {got.HTML, out.HTML},
		"link":            {got.Link, out.Variables["link"]},
		"ticket":          {got.Ticket, "verifyEmail:abc"},
		"redirect":        {got.Headers.Get("X-Redirect-To"), "https://app.example.com"},
		"template":        {got.Headers.Get("X-Email-Template"), "email-verify"},
		"X-SMTPAPI":       {got.Headers.Get("X-SMTPAPI"), `{"category": "auth"}`},
		"Message-ID":      {got.Headers.Get("Message-ID"), "<0190-abc@example.com>"},
		"date":            {got.Headers.Get("Date"), "Sun, 01 Mar 2026 12:00:00 +0100"},
		"From":            {got.Headers.Get("From"), `"Example" <auth@example.com>`},
		"To":              {got.Headers.Get("To"), "<ada@example.org>"},
		"X-Mailer":        {got.Headers.Get("X-Mailer"), ""},
		"User-Agent":      {got.Headers.Get("User-Agent"), ""},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(string(got.Raw), "\r\nX-Link: "+out.Variables["link"]+"\r\n") {
		t.Errorf("X-Link is folded or encoded:\n%s", got.Raw)
	}
}

// Every way a mail server fails: the answer comes within the time limit, and says whether to try
// again.
func TestF09FailuresAreToldApart(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	tests := []struct {
		name      string
		fault     testmail.Fault
		permanent bool
		code      int
		kept      int // mails the server has after the failed attempt
	}{
		{"refused at the greeting", testmail.Reply(testmail.Greeting, 421), false, 421, 0},
		{"sent away at the greeting", testmail.Reply(testmail.Greeting, 554), false, 554, 0},
		{"black hole", testmail.Silent(testmail.Greeting), false, 0, 0},
		{"hung up at the greeting", testmail.Cut(testmail.Greeting), false, 0, 0},
		{"sender deferred", testmail.Reply(testmail.From, 451), false, 451, 0},
		{"sender refused", testmail.Reply(testmail.From, 550), true, 550, 0},
		{"we must authenticate", testmail.Reply(testmail.From, 530), false, 530, 0},
		{"greylisted", testmail.Reply(testmail.Recipient, 450), false, 450, 0},
		{"mailbox unknown", testmail.Reply(testmail.Recipient, 550), true, 550, 0},
		{"silent at the recipient", testmail.Silent(testmail.Recipient), false, 0, 0},
		{"mail deferred", testmail.Reply(testmail.Dot, 451), false, 451, 0},
		{"mail refused", testmail.Reply(testmail.Dot, 554), true, 554, 0},
		{"silent after the dot", testmail.SilentAfterDot(), false, 0, 1},
		{"cut after the dot", testmail.CutAfterDot(), false, 0, 1},
		{"cut at the recipient", testmail.Cut(testmail.Recipient), false, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := testmail.New(t)
			server.Fail(test.fault)
			transport := smtpTo(server)
			transport.Timeout = limit
			start := time.Now()
			err := transport.Send(t.Context(), mailTo("ada@example.org"))
			took := time.Since(start)
			var failed *SendError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a SendError", err)
			}
			if IsPermanent(err) != test.permanent || failed.Code != test.code {
				t.Errorf("got permanent %t, code %d, want %t, %d: %v", IsPermanent(err), failed.Code, test.permanent, test.code, err)
			}
			if took > 10*limit {
				t.Errorf("took %s with a limit of %s", took, limit)
			}
			if n := len(server.To("ada@example.org")); n != test.kept {
				t.Errorf("the server has %d mails, want %d", n, test.kept)
			}
			transport.Timeout = 10 * time.Second
			if err := transport.Send(t.Context(), mailTo("ada@example.org")); err != nil {
				t.Fatalf("second attempt: %v", err)
			}
			list := server.Wait(t, "ada@example.org", test.kept+1)
			if len(list) != test.kept+1 {
				t.Fatalf("the server has %d mails, want %d", len(list), test.kept+1)
			}
			first, last := list[0].Headers.Get("Message-ID"), list[len(list)-1].Headers.Get("Message-ID")
			if first != last {
				t.Errorf("the repeated mail is %s, the first was %s", last, first)
			}
		})
	}
}

func TestF09NobodyAnswers(t *testing.T) {
	t.Parallel()
	host, port := testmail.Closed(t)
	transport := &SMTP{Host: host, Port: port, Sender: &stdmail.Address{Address: "auth@example.com"}}
	err := transport.Send(t.Context(), mailTo("ada@example.org"))
	if err == nil || IsPermanent(err) {
		t.Errorf("got %v, want a failure that passes", err)
	}
}

func TestContextEndsASilentConversation(t *testing.T) {
	t.Parallel()
	for _, at := range []testmail.Stage{testmail.Greeting, testmail.From, testmail.Dot} {
		server := testmail.New(t)
		server.FailAlways(testmail.Silent(at))
		transport := smtpTo(server)
		transport.Timeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- transport.Send(ctx, mailTo("ada@example.org")) }()
		server.WaitSilent(t, 1)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("stage %d: got %v, want %v", at, err, context.Canceled)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, pass string
		offered      []string
		works        bool
	}{
		{"PLAIN", "secret", nil, true},
		{"LOGIN", "secret", nil, true},
		{"CRAM-MD5", "secret", nil, true},
		{"", "secret", nil, true},
		{"PLAIN", "wrong", nil, false},
		{"LOGIN", "wrong", nil, false},
		{"CRAM-MD5", "wrong", nil, false},
		{"PLAIN", "secret", []string{"LOGIN"}, false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.method, test.pass, test.offered), func(t *testing.T) {
			t.Parallel()
			server := testmail.New(t, testmail.Auth("postern", "secret", test.offered...))
			transport := smtpTo(server)
			transport.User, transport.Pass, transport.AuthMethod = "postern", test.pass, test.method
			err := transport.Send(t.Context(), mailTo("ada@example.org"))
			if (err == nil) != test.works {
				t.Fatalf("got %v, want success %t", err, test.works)
			}
			if IsPermanent(err) {
				t.Error("a wrong password must not end the mail: the operator can mend it")
			}
			if test.works && server.Last(t, "ada@example.org").User != "postern" {
				t.Error("the server does not know who sent the mail")
			}
		})
	}
}

// Somebody on the way may hide STARTTLS. The password must not leave in the clear then.
func TestF09PasswordNeedsEncryption(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, host, method, policy string
		options                    []testmail.Option
		works, encrypted           bool
	}{
		{"plain, nothing offered", "mail.test", "PLAIN", "auto", nil, false, false},
		{"login, nothing offered", "mail.test", "LOGIN", "auto", nil, false, false},
		{"challenge, nothing offered", "mail.test", "CRAM-MD5", "auto", nil, true, false},
		{"challenge, but TLS is required", "mail.test", "CRAM-MD5", "required", nil, false, false},
		{"plain, offered", "mail.test", "PLAIN", "auto", []testmail.Option{testmail.STARTTLS()}, true, true},
		{"login, required", "mail.test", "LOGIN", "required", []testmail.Option{testmail.STARTTLS()}, true, true},
		{"plain, turned off", "mail.test", "PLAIN", "off", []testmail.Option{testmail.STARTTLS()}, true, false},
		{"plain, this machine", "127.0.0.1", "PLAIN", "auto", nil, true, false},
		{"plain, name of this machine", "localhost", "PLAIN", "auto", nil, true, false},
		{"login, mailhog", "mailhog", "LOGIN", "auto", nil, true, false},
		{"plain, from the first byte", "mail.test", "PLAIN", "", []testmail.Option{testmail.TLS()}, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := testmail.New(t, append(test.options, testmail.Auth("postern", "secret"))...)
			transport := smtpTo(server)
			transport.Host, transport.User, transport.Pass = test.host, "postern", "secret"
			transport.AuthMethod, transport.StartTLS, transport.Implicit = test.method, test.policy, test.policy == ""
			transport.TLSConfig = &tls.Config{RootCAs: server.Roots(), MinVersion: tls.VersionTLS12}
			transport.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, server.Addr)
			}
			err := transport.Send(t.Context(), mailTo("ada@example.org"))
			if (err == nil) != test.works {
				t.Fatalf("got %v, want success %t", err, test.works)
			}
			if IsPermanent(err) {
				t.Errorf("%v must not end the mail", err)
			}
			if test.works && server.Last(t, "ada@example.org").TLS != test.encrypted {
				t.Errorf("encrypted is not %t", test.encrypted)
			}
		})
	}
}

func TestF09CertificateOfAStranger(t *testing.T) {
	t.Parallel()
	for implicit, option := range map[bool]testmail.Option{false: testmail.STARTTLS(), true: testmail.TLS()} {
		server := testmail.New(t, option)
		transport := smtpTo(server)
		transport.Implicit = implicit
		err := transport.Send(t.Context(), mailTo("ada@example.org"))
		if err == nil || IsPermanent(err) || len(server.Messages()) != 0 {
			t.Errorf("got %v, want a failure that passes and no mail", err)
		}
	}
}

func TestAddressesInOtherScripts(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	transport := smtpTo(server)
	transport.Sender = &stdmail.Address{Name: "Прибор №1", Address: "auth@example.com"}
	if err := transport.Send(t.Context(), mailTo("jörg@bücher.example")); err != nil {
		t.Fatal(err)
	}
	got := server.Last(t, "jörg@xn--bcher-kva.example")
	if from := got.Headers.Get("From"); from != `Прибор №1 <auth@example.com>` {
		t.Errorf("From: got %q", from)
	}
}

func TestRecipientIsOneBareAddress(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	for _, to := range []string{
		"", "ada", "@example.org", "a@b, c@d", "Ada <ada@example.org>", "<ada@example.org>", "ada@example.org\r\nBcc: eve@example.net",
		"ada@example.org\nx", "ada @example.org", "ada@example.org\x00", `"a b"@example.org`, "group: a@b;", "ada@example.org (comment)",
		"ada@example.org\u2028Bcc: eve@example.net", strings.Repeat("a", 400) + "@example.org",
	} {
		err := smtpTo(server).Send(t.Context(), mailTo(to))
		if !IsPermanent(err) {
			t.Errorf("%q: got %v, want a permanent refusal", to, err)
		}
	}
	if n := server.Attempts(); n != 0 {
		t.Errorf("the server was bothered %d times", n)
	}
}
