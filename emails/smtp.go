package emails

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	stdmail "net/mail"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SMTP sends through a mail server.
type SMTP struct {
	Host       string
	Port       int
	User, Pass string // without a user there is no authentication
	AuthMethod string // PLAIN, LOGIN or CRAM-MD5; empty means PLAIN
	Sender     *stdmail.Address
	Implicit   bool          // TLS from the first byte
	StartTLS   string        // auto, required or off; empty means auto
	Helo       string        // empty means "postern"
	Timeout    time.Duration // of one mail, from dialling to the last answer; zero means ten seconds
	SMTPAPI    string
	Extra      ExtraHeaders
	TLSConfig  *tls.Config // nil means the system's roots
	// Dial opens the connection, for a proxy on the way; nil dials directly.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Send hands the mail to the server, over a connection of its own. It ends with the context or the
// time limit, wherever the server has fallen silent.
func (s *SMTP) Send(ctx context.Context, m Outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	msg, err := s.message(m)
	if err != nil {
		return &SendError{Permanent: true, Err: err}
	}
	client, session, hangUp, err := s.greet(ctx)
	defer hangUp()
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(session, msg)
	if msg.IsDelivered() { // the server has it; what came after is not worth a second mail
		_ = session.Quit()
		return nil
	}
	if err == nil {
		err = errors.New("the mail server did not confirm the mail")
	}
	return refused(ctx, err, true)
}

// greet opens a connection and a session on it. Whoever asked hangs up, also after an error.
//
// The library heeds the context only while it dials, and leaves the connection open when the greeting fails.
// So the connection is ours: it is closed with the context and at the end.
func (s *SMTP) greet(ctx context.Context) (client *mail.Client, session *smtp.Client, hangUp func(), err error) {
	var conn net.Conn
	stop := func() bool { return true }
	hangUp = func() {
		stop()
		if conn != nil {
			_ = conn.Close()
		}
	}
	client, err = s.client(func(dialling context.Context, _, _ string) (net.Conn, error) {
		dialled, err := s.dial(dialling)
		if err != nil {
			return nil, err
		}
		conn = dialled
		stop = context.AfterFunc(ctx, func() { _ = dialled.Close() })
		return dialled, nil
	})
	if err != nil {
		return nil, nil, hangUp, &SendError{Err: err}
	}
	if session, err = client.DialToSMTPClientWithContext(ctx); err != nil {
		return nil, nil, hangUp, refused(ctx, err, false)
	}
	return client, session, hangUp, nil
}

// probe greets the server, proves who we are, and leaves.
func (s *SMTP) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	_, session, hangUp, err := s.greet(ctx)
	defer hangUp()
	if err != nil {
		return err
	}
	if err := session.Noop(); err != nil {
		return refused(ctx, err, false)
	}
	return session.Quit()
}

func (s *SMTP) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 10 * time.Second
	}
	return s.Timeout
}

// client sets the library up: no name of this machine in the greeting, no extra round trips.
func (s *SMTP) client(dial mail.DialContextFunc) (*mail.Client, error) {
	helo := s.Helo
	if helo == "" {
		helo = "postern"
	}
	policy := mail.TLSOpportunistic
	switch {
	case s.Implicit, s.StartTLS == "off":
		policy = mail.NoTLS
	case s.StartTLS == "required":
		policy = mail.TLSMandatory
	}
	options := []mail.Option{
		mail.WithTimeout(s.timeout()), mail.WithHELO(helo), mail.WithTLSPolicy(policy),
		mail.WithTLSConfig(s.tls()), mail.WithDialContextFunc(dial), mail.WithoutNoop(), mail.WithoutRset(),
	}
	if s.User != "" {
		options = append(options, mail.WithSMTPAuth(s.auth()), mail.WithUsername(s.User), mail.WithPassword(s.Pass))
	}
	client, err := mail.NewClient(s.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return client, nil
}

// auth chooses the mechanism. The ones that tell the password run over TLS only, except on this
// machine, to a mailhog, or where the operator turned TLS off.
func (s *SMTP) auth() mail.SMTPAuthType {
	openly := s.StartTLS == "off" && !s.Implicit || local(s.Host)
	switch s.AuthMethod {
	case "CRAM-MD5":
		return mail.SMTPAuthCramMD5
	case "LOGIN":
		if openly {
			return mail.SMTPAuthLoginNoEnc
		}
		return mail.SMTPAuthLogin
	}
	if openly {
		return mail.SMTPAuthPlainNoEnc
	}
	return mail.SMTPAuthPlain
}

// local reports whether the way to the host can be trusted without TLS.
func local(host string) bool {
	if host == "localhost" || host == "mailhog" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (s *SMTP) tls() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLSConfig != nil {
		c = s.TLSConfig.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = s.Host
	}
	return c
}

func (s *SMTP) dial(ctx context.Context) (net.Conn, error) {
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil || !s.Implicit {
		return conn, err
	}
	encrypted := tls.Client(conn, s.tls())
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// message builds the mail: the same bytes at every attempt, but for the date and the boundary.
func (s *SMTP) message(m Outgoing) (*mail.Msg, error) {
	if s.Sender == nil || !strings.Contains(s.Sender.Address, "@") {
		return nil, errors.New("there is no sender")
	}
	id := messageID(m.ID, s.Sender.Address)
	if strings.HasPrefix(id, "@") {
		return nil, errors.New("the mail has no ID")
	}
	to, err := recipient(m.To)
	if err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.Sender)
	msg.ToMailAddress(&stdmail.Address{Address: to})
	msg.SetDateWithValue(m.Date)
	msg.SetMessageIDWithValue(id)
	msg.SetGenHeaderPreformatted(mail.HeaderSubject, headerValue("Subject", cleanLine(m.Subject)))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notices, please
	for name, v := range headers(m, s.SMTPAPI) {
		msg.SetGenHeaderPreformatted(mail.Header(name), v)
	}
	for name, v := range s.Extra.of(m.Template) {
		msg.SetGenHeaderPreformatted(mail.Header(name), v)
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

// refused describes a failure. Only a reply about this very mail can end it for good.
func refused(ctx context.Context, err error, aboutMail bool) error {
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	code := 0
	var reply *textproto.Error
	var sent *mail.SendError
	switch {
	case errors.As(err, &reply):
		code = reply.Code
	case errors.As(err, &sent):
		code = sent.ErrorCode()
	}
	return &SendError{Permanent: aboutMail && hopeless(code), Code: code, Err: err}
}

// hopeless reports whether the reply ends the mail for good. Replies about our own account (530,
// 534, 535, 538) do not: the operator can mend that, and the mail waits.
func hopeless(code int) bool {
	switch code {
	case 530, 534, 535, 538:
		return false
	}
	return code >= 500 && code <= 599
}
