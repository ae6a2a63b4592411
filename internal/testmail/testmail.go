// Package testmail is a mail server for tests. It listens on this machine, keeps every mail it is
// given and can be told to misbehave in the ways that real servers do.
package testmail

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// patience is how long Wait waits in a test without a deadline.
const patience = 30 * time.Second

// Server is a mail server in this process. It ends with its test.
type Server struct {
	Addr string // host:port
	Host string
	Port int

	settings
	roots *x509.CertPool
	over  chan struct{} // closed when the test ends

	mu       sync.Mutex
	kept     []Message
	attempts int
	stalled  int           // conversations in which the server has fallen silent
	changed  chan struct{} // closed and replaced at every change
	faults   []Fault       // of the next connections, one each
	always   Fault         // of connections beyond those
	open     map[*line]struct{}
}

type settings struct {
	starttls, implicit bool
	user, pass         string
	mechanisms         []string
}

// Option changes what the server offers.
type Option func(*settings)

// STARTTLS makes the server offer STARTTLS with a certificate of Roots.
func STARTTLS() Option { return func(s *settings) { s.starttls = true } }

// TLS makes the server speak TLS from the first byte, with a certificate of Roots.
func TLS() Option { return func(s *settings) { s.implicit = true } }

// Auth makes the server insist on this user and password by one of the mechanisms, which are
// PLAIN, LOGIN and CRAM-MD5. None means all of them.
func Auth(user, pass string, mechanisms ...string) Option {
	return func(s *settings) {
		s.user, s.pass, s.mechanisms = user, pass, mechanisms
		if len(mechanisms) == 0 {
			s.mechanisms = []string{"PLAIN", "LOGIN", "CRAM-MD5"}
		}
	}
}

// New starts a server on a free port of the loopback address.
func New(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{over: make(chan struct{}), changed: make(chan struct{}), open: map[*line]struct{}{}}
	for _, o := range options {
		o(&s.settings)
	}
	inner := smtp.NewServer(smtp.BackendFunc(s.session))
	inner.Domain = "mail.test"
	inner.AllowInsecureAuth = true
	inner.EnableSMTPUTF8 = true
	inner.ErrorLog = log.New(io.Discard, "", 0)
	if s.starttls || s.implicit {
		certificate, roots, err := certify()
		if err != nil {
			t.Fatalf("testmail: %v", err)
		}
		s.roots = roots
		inner.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testmail: %v", err)
	}
	s.Addr = listener.Addr().String()
	host, port, _ := net.SplitHostPort(s.Addr)
	s.Host = host
	s.Port, _ = strconv.Atoi(port)
	door := net.Listener(&door{Listener: listener, server: s})
	if s.implicit {
		door = tls.NewListener(door, inner.TLSConfig)
		inner.TLSConfig = nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = inner.Serve(door)
	}()
	t.Cleanup(func() {
		close(s.over)
		_ = inner.Close()
		_ = door.Close() // Serve may not have begun, and then inner does not know it
		s.hangUp()
		<-ended
	})
	return s
}

// Roots are the authorities a client must trust to speak TLS with the server. The certificate is
// for 127.0.0.1, localhost and mail.test.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Closed gives an address of this machine where nobody answers.
func Closed(t testing.TB) (host string, port int) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testmail: %v", err)
	}
	defer listener.Close()
	host, text, _ := net.SplitHostPort(listener.Addr().String())
	port, _ = strconv.Atoi(text)
	return host, port
}

// Fail gives each of the next connections its fault, in order; None stands for good behaviour.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// FailAlways gives every connection for which Fail named nothing this fault, until told otherwise.
func (s *Server) FailAlways(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

// Attempts counts the connections so far, the refused ones too.
func (s *Server) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// Messages lists everything the server has kept, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.kept...)
}

// To lists what the server has kept for an address, in any letter case.
func (s *Server) To(address string) []Message {
	var list []Message
	for _, m := range s.Messages() {
		if strings.EqualFold(m.To, address) {
			list = append(list, m)
		}
	}
	return list
}

// Wait blocks until the server has kept n mails for the address, and returns them. The test fails
// when that has not happened shortly before its deadline.
func (s *Server) Wait(t testing.TB, to string, n int) []Message {
	t.Helper()
	return s.waitForMails(t, to, n, func() []Message { return s.To(to) })
}

// WaitAll blocks until the server has kept n mails, for whomever.
func (s *Server) WaitAll(t testing.TB, n int) []Message {
	t.Helper()
	return s.waitForMails(t, "anybody", n, s.Messages)
}

func (s *Server) waitForMails(t testing.TB, whose string, n int, mails func() []Message) []Message {
	t.Helper()
	timer := time.NewTimer(patienceOf(t))
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		list := mails()
		if len(list) >= n {
			return list
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("testmail: %d mails for %s, want %d; there are %d in all", len(list), whose, n, len(s.Messages()))
		}
	}
}

// WaitAttempts blocks until the server has seen n connections.
func (s *Server) WaitAttempts(t testing.TB, n int) {
	t.Helper()
	s.waitFor(t, "connections", n, &s.attempts)
}

// WaitSilent blocks until the server has fallen silent in n conversations, as Silent and
// SilentAfterDot make it.
func (s *Server) WaitSilent(t testing.TB, n int) {
	t.Helper()
	s.waitFor(t, "silent conversations", n, &s.stalled)
}

// waitFor blocks until the counter has come to n.
func (s *Server) waitFor(t testing.TB, what string, n int, counter *int) {
	t.Helper()
	timer := time.NewTimer(patienceOf(t))
	defer timer.Stop()
	for {
		s.mu.Lock()
		changed, seen := s.changed, *counter
		s.mu.Unlock()
		if seen >= n {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("testmail: %d %s, want %d", seen, what, n)
		}
	}
}

func patienceOf(t testing.TB) time.Duration {
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return patience
	}
	deadline, set := d.Deadline()
	if !set {
		return patience
	}
	return min(patience, max(time.Until(deadline)-time.Second, time.Millisecond))
}

// Last is the newest mail for the address; the test fails when there is none.
func (s *Server) Last(t testing.TB, to string) Message {
	t.Helper()
	list := s.To(to)
	if len(list) == 0 {
		t.Fatalf("testmail: no mail for %s", to)
	}
	return list[len(list)-1]
}

func (s *Server) keep(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, m)
	s.tell()
}

// stall notes that the server has fallen silent.
func (s *Server) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalled++
	s.tell()
}

// tell wakes those who wait. The lock must be held.
func (s *Server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// hangUp closes every connection that is still open.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.open {
		_ = l.Conn.Close()
	}
}
