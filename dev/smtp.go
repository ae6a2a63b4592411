package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A catcher is a mail server on the loopback address that puts every mail into the inbox.
type catcher struct {
	listener net.Listener
	server   *smtp.Server
	done     chan error
}

func catchMail(ctx context.Context, in *Inbox) (*catcher, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{inbox: in}, nil }))
	server.Domain = "localhost"
	server.AllowInsecureAuth = true // it never leaves this machine
	server.EnableSMTPUTF8 = true
	server.ErrorLog = log.New(io.Discard, "", 0) // a client that hangs up is no news
	server.MaxMessageBytes = maxMail
	server.MaxRecipients = 100
	server.MaxLineLength = 100_000
	server.ReadTimeout = time.Minute
	server.WriteTimeout = time.Minute
	c := &catcher{listener: l, server: server, done: make(chan error, 1)}
	go func() { c.done <- server.Serve(l) }()
	return c, nil
}

func (c *catcher) address() (host string, port int) {
	a := c.listener.Addr().(*net.TCPAddr)
	return a.IP.String(), a.Port
}

func (c *catcher) close() error {
	err := c.server.Close()
	_ = c.listener.Close() // the server closes it too, unless it was stopped before it began
	if served := <-c.done; !errors.Is(served, smtp.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
		err = errors.Join(err, served)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// session is one connection of a mail client. It believes everything.
type session struct {
	inbox *Inbox
	from  string
	to    []string
}

// AuthMechanisms offers what clients usually try.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth lets everybody in.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == sasl.Login {
		return &loginServer{}, nil
	}
	return sasl.NewPlainServer(func(_, _, _ string) error { return nil }), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data keeps the mail before it is acknowledged.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := parseMail(raw)
	m.To = strings.Join(s.to, ", ")
	if m.From == "" {
		m.From = s.from
	}
	return s.inbox.add(m)
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// loginServer asks for name and password as the LOGIN mechanism does, and forgets them.
type loginServer struct{ asked int }

func (l *loginServer) Next([]byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		return []byte("Password:"), false, nil
	}
	return nil, true, nil
}
