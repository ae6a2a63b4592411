package testmail

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5 is defined with it (RFC 2195)
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one conversation.
type session struct {
	server   *Server
	conn     *smtp.Conn
	fault    Fault
	user     string
	from, to string
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c, fault: faultOf(c.Conn())}, nil
}

// misbehave does what the fault says, when it is its turn.
func (s *session) misbehave(at Stage) error {
	if s.fault.at != at {
		return nil
	}
	switch {
	case s.fault.silent:
		s.server.stall()
		<-s.server.over
	case s.fault.cut:
		_ = s.conn.Conn().Close()
	default:
		return &smtp.SMTPError{
			Code: s.fault.code, EnhancedCode: smtp.EnhancedCode{s.fault.code / 100, 0, 0}, Message: "as the test wished",
		}
	}
	return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.NoEnhancedCode, Message: "gone"}
}

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if len(s.server.mechanisms) > 0 && s.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.from = from
	return s.misbehave(From)
}

// Rcpt names a recipient; a mail of Postern has one.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.misbehave(Recipient)
}

// Data takes the mail.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.fault.at != Dot || s.fault.stored {
		_, encrypted := s.conn.TLSConnectionState()
		s.server.keep(read(Message{
			From: s.from, To: s.to, User: s.user, TLS: encrypted, Helo: s.conn.Hostname(), Raw: raw,
		}))
	}
	return s.misbehave(Dot)
}

// Reset forgets the mail at hand.
func (s *session) Reset() { s.from, s.to = "", "" }

// Logout ends the conversation.
func (s *session) Logout() error { return nil }

// AuthMechanisms lists what the server takes.
func (s *session) AuthMechanisms() []string { return s.server.mechanisms }

// Auth begins to check credentials.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, pass string) error { return s.admit(user, pass) }), nil
	case "LOGIN":
		return &login{admit: s.admit}, nil
	case "CRAM-MD5":
		return &cram{session: s}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) admit(user, pass string) error {
	if err := s.misbehave(Credentials); err != nil {
		return err
	}
	if user != s.server.user || subtle.ConstantTimeCompare([]byte(pass), []byte(s.server.pass)) != 1 {
		return smtp.ErrAuthFailed
	}
	s.user = user
	return nil
}

// login is the server's side of LOGIN.
type login struct {
	admit func(user, pass string) error
	step  int
	user  string
}

// Next answers one line of the client.
func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.admit(l.user, string(response))
}

// cram is the server's side of CRAM-MD5.
type cram struct {
	session   *session
	challenge string
}

// Next answers one line of the client.
func (c *cram) Next(response []byte) (challenge []byte, done bool, err error) {
	if c.challenge == "" {
		c.challenge = "<" + rand.Text() + "@mail.test>"
		return []byte(c.challenge), false, nil
	}
	server := c.session.server
	sum := hmac.New(md5.New, []byte(server.pass))
	sum.Write([]byte(c.challenge))
	want := fmt.Sprintf("%s %s", server.user, hex.EncodeToString(sum.Sum(nil)))
	if subtle.ConstantTimeCompare(response, []byte(want)) != 1 {
		return nil, true, smtp.ErrAuthFailed
	}
	return nil, true, c.session.admit(server.user, server.pass)
}
