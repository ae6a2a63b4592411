// Package sms hands text messages to a gateway. It knows nothing of users or of queues: what to
// send is decided above, and whether to try again is decided by whoever calls, who learns from
// IsPermanent whether it makes sense. No error of this package holds a code, the text of a message,
// a credential or an address with one in it.
package sms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
	"unicode/utf8"
)

// maxText is the most runes that a message may have: Twilio's limit, about ten SMS in a row.
const maxText = 1600

// Message is one text message.
type Message struct {
	// ID names the message for ever, the same at every attempt, so that a gateway which cares can
	// tell a repetition from a second message.
	ID   string
	To   string // as ValidNumber has it
	Text string
}

// Transport hands one message to the outside world. An error for which IsPermanent is false is worth
// another attempt.
type Transport interface {
	Send(ctx context.Context, m Message) error
}

// Options are what the settings don't say.
type Options struct {
	Now func() time.Time // of the signatures
	// Caught is told of each message that the gateway "dev" gets. Nil means nobody is.
	Caught func(Message)
	// Client makes the requests; nil means a client of our own, which follows no redirects.
	Client *http.Client
}

// Gateway is the way that text messages leave the house.
type Gateway struct {
	transport Transport
	verify    *twilioVerify // instead of a transport: it makes and checks the codes itself
	words     *words        // of the operator; nil where the templates have them
}

// Open builds the gateway that the settings describe. It is not Configured when they describe none,
// or not the whole of one.
func Open(s Settings, o Options) (*Gateway, error) {
	if !s.Configured() {
		return &Gateway{}, nil
	}
	g, err := open(s, o)
	if err != nil {
		return nil, err
	}
	if g.words, err = parseWords(s.Template); err != nil {
		return nil, fmt.Errorf("AUTH_SMS_TEMPLATE: %w", err)
	}
	return g, nil
}

func open(s Settings, o Options) (*Gateway, error) {
	c := client{http: o.Client, timeout: 10 * time.Second}
	if c.http == nil {
		c.http = newClient()
	}
	switch s.Provider {
	case Twilio:
		account := twilio{client: c, base: s.TwilioURL, account: s.TwilioAccount, token: s.TwilioToken}
		if s.usesVerify() {
			return &Gateway{verify: &twilioVerify{twilio: account, service: s.TwilioService}}, nil
		}
		return &Gateway{transport: &twilioMessaging{twilio: account, sender: s.TwilioService}}, nil
	case Modica:
		c.timeout = 30 * time.Second
		return &Gateway{transport: &modica{client: c, base: s.ModicaURL, user: s.ModicaUser, password: s.ModicaPassword}}, nil
	case Generic:
		c.timeout = s.GenericTimeout
		g, err := newGeneric(s, c, o.Now)
		if err != nil {
			return nil, err
		}
		return &Gateway{transport: g}, nil
	case Dev:
		if s.DevOutputDir != "" {
			if err := os.MkdirAll(s.DevOutputDir, 0o700); err != nil {
				return nil, fmt.Errorf("AUTH_SMS_DEV_OUTPUT_DIR: %w", err)
			}
		}
		return &Gateway{transport: &devSink{dir: s.DevOutputDir, caught: o.Caught}}, nil
	}
	if r, ok := rowOf(s.Provider); ok {
		return &Gateway{transport: &listed{client: c, row: r, settings: s}}, nil
	}
	return nil, fmt.Errorf("AUTH_SMS_PROVIDER: there is no gateway %q", s.Provider)
}

// Configured reports whether there is a gateway to send through.
func (g *Gateway) Configured() bool { return g != nil && (g.transport != nil || g.verify != nil) }

// HoldsCodes reports whether the gateway makes the codes, keeps them and checks them (Twilio
// Verify). Then StartCode and CheckCode take the place of Send, and a code lives for CodeLife.
func (g *Gateway) HoldsCodes() bool { return g != nil && g.verify != nil }

// CodeLife is how long a code of a gateway that HoldsCodes is good for.
const CodeLife = 10 * time.Minute

// Send hands the message over.
func (g *Gateway) Send(ctx context.Context, m Message) error {
	switch {
	case !g.Configured():
		return errNotConfigured()
	case g.transport == nil:
		return hopeless(errors.New("twilio verify: it sends codes of its own, and no other text"))
	case !ValidNumber(m.To):
		return hopeless(errBadNumber())
	case m.Text == "" || utf8.RuneCountInString(m.Text) > maxText || !utf8.ValidString(m.Text):
		return hopeless(fmt.Errorf("the text is empty, longer than %d letters or not UTF-8", maxText))
	}
	return g.transport.Send(ctx, m)
}

// StartCode asks a gateway that HoldsCodes to make a code and to send it. Asked again while that
// code lives, it sends the same.
func (g *Gateway) StartCode(ctx context.Context, to, locale string) error {
	switch {
	case !g.Configured():
		return errNotConfigured()
	case g.verify == nil:
		return hopeless(errHoldsNoCodes())
	case !ValidNumber(to):
		return hopeless(errBadNumber())
	}
	return g.verify.start(ctx, to, locale)
}

// CheckCode asks a gateway that HoldsCodes whether this is the code it sent to the number. A right
// code is right once. An error means that the gateway did not say.
func (g *Gateway) CheckCode(ctx context.Context, to, code string) (bool, error) {
	switch {
	case !g.Configured():
		return false, errNotConfigured()
	case g.verify == nil:
		return false, hopeless(errHoldsNoCodes())
	case !ValidNumber(to), !looksLikeCode(code):
		return false, nil
	}
	return g.verify.check(ctx, to, code)
}

func errNotConfigured() error {
	return errors.New("no gateway for text messages is configured (AUTH_SMS_PROVIDER and its settings)")
}

func errHoldsNoCodes() error { return errors.New("this gateway keeps no codes") }

func errBadNumber() error {
	return errors.New("the number is not a telephone number with + and country code")
}
