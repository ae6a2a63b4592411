package testmail

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Stage is a point of the conversation.
type Stage int

// The stages, in order.
const (
	Greeting    Stage = iota + 1 // before the server's first line
	Credentials                  // AUTH
	From                         // MAIL FROM
	Recipient                    // RCPT TO
	Dot                          // after the whole mail, before the answer
)

// Fault is how one connection goes wrong. The zero Fault is None.
type Fault struct {
	at     Stage
	code   int
	silent bool
	cut    bool
	stored bool // the mail is kept all the same
}

// None is good behaviour.
var None = Fault{}

// Reply answers with the code at the stage: 421, 450, 451, 550 and so on.
func Reply(at Stage, code int) Fault { return Fault{at: at, code: code} }

// Silent never answers at the stage, and keeps the connection open: a black hole.
func Silent(at Stage) Fault { return Fault{at: at, silent: true} }

// Cut closes the connection at the stage without a word.
func Cut(at Stage) Fault { return Fault{at: at, cut: true} }

// CutAfterDot keeps the mail and then closes the connection before it says so: the client cannot
// know whether the mail arrived.
func CutAfterDot() Fault { return Fault{at: Dot, cut: true, stored: true} }

// SilentAfterDot keeps the mail and never says so.
func SilentAfterDot() Fault { return Fault{at: Dot, silent: true, stored: true} }

// door lets connections in, and deals with those that fail at the greeting.
type door struct {
	net.Listener
	server *Server
}

// line is a connection that knows its fault.
type line struct {
	net.Conn
	fault  Fault
	server *Server
}

// Close ends the connection.
func (l *line) Close() error {
	l.server.mu.Lock()
	delete(l.server.open, l)
	l.server.mu.Unlock()
	return l.Conn.Close()
}

// Accept gives the next connection that gets past the greeting.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l := d.server.register(c)
		if l.fault.at != Greeting {
			return l, nil
		}
		switch {
		case l.fault.silent:
			d.server.stall()
			continue
		case l.fault.code != 0:
			_ = l.SetDeadline(time.Now().Add(time.Second))
			_, _ = fmt.Fprintf(l, "%d mail.test is not well\r\n", l.fault.code)
		}
		_ = l.Close()
	}
}

func (s *Server) register(c net.Conn) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &line{Conn: c, fault: s.always, server: s}
	if len(s.faults) > 0 {
		l.fault, s.faults = s.faults[0], s.faults[1:]
	}
	s.attempts++
	s.open[l] = struct{}{}
	s.tell()
	return l
}

// faultOf finds the fault of a connection, under TLS too.
func faultOf(c net.Conn) Fault {
	for {
		switch v := c.(type) {
		case *tls.Conn:
			c = v.NetConn()
		case *line:
			return v.fault
		default:
			return None
		}
	}
}
