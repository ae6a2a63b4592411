// Package emails turns a template and some values into a mail and hands it to a mail server. It
// knows nothing of users or of queues: what to send is decided above, and whether to try again is
// decided by whoever calls, who learns from IsPermanent whether it makes sense.
package emails

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// The templates of the house.
const (
	EmailVerify          = "email-verify"         // confirm the address of a sign-up
	EmailConfirmChange   = "email-confirm-change" // confirm a new address; goes to the new one
	PasswordReset        = "password-reset"       // choose a new password
	SignInPasswordless   = "signin-passwordless"  // magic link
	Invitation           = "invitation"           // link to come in for the first time
	SignInOTP            = "signin-otp"           // code to sign in with
	PasswordChanged      = "password-changed"     // notice: the credentials changed
	EmailChanged         = "email-changed"        // notice to the old address: it no longer counts
	TOTPEnabled          = "totp-enabled"         // this and what follows: notices of a change
	TOTPDisabled         = "totp-disabled"
	PhoneFactorEnabled   = "phone-factor-enabled"
	PhoneFactorDisabled  = "phone-factor-disabled"
	SecurityKeyEnabled   = "security-key-enabled" // as a second factor, which is no passkey
	SecurityKeyDisabled  = "security-key-disabled"
	RecoveryCodeUsed     = "recovery-code-used"
	RecoveryCodesRenewed = "recovery-codes-renewed"
	PasskeyAdded         = "passkey-added"
	PasskeyRemoved       = "passkey-removed"
	PhoneChanged         = "phone-changed"
	IdentityLinked       = "identity-linked"
	IdentityUnlinked     = "identity-unlinked"
	TokenCreated         = "token-created"           // a personal access token
	SignInSMS            = "signin-passwordless-sms" // text message with a code; has no subject and no HTML
)

// Templates lists the templates of the house.
func Templates() []string {
	return []string{
		EmailVerify, EmailConfirmChange, PasswordReset, SignInPasswordless, Invitation, SignInOTP,
		PasswordChanged, EmailChanged, TOTPEnabled, TOTPDisabled, PhoneFactorEnabled, PhoneFactorDisabled,
		SecurityKeyEnabled, SecurityKeyDisabled, RecoveryCodeUsed, RecoveryCodesRenewed,
		PasskeyAdded, PasskeyRemoved, PhoneChanged, IdentityLinked, IdentityUnlinked, TokenCreated, SignInSMS,
	}
}

// Notices lists the templates that tell of a change that was made. Nothing is asked of the reader, so
// they have neither link nor code.
func Notices() []string {
	all := Templates()
	return all[slices.Index(all, PasswordChanged):slices.Index(all, SignInSMS)]
}

// VariableNames lists the names a template may use as ${name}.
func VariableNames() []string {
	return []string{
		"link", "displayName", "email", "newEmail", "ticket", "redirectTo", "locale", "serverUrl",
		"clientUrl", "code",
	}
}

// Message is a wish to send one mail. It is plain data, so that it can wait in a queue.
type Message struct {
	// ID names the mail for ever: it is the left half of the Message-ID, the same at every attempt,
	// so that a receiver can tell a repeated delivery from a second mail.
	ID        string            `json:"id"`
	To        string            `json:"to"`        // bare address
	Template  string            `json:"template"`  // one of Templates, or one of the operator's own
	Locale    string            `json:"locale"`    // "de", "pt-BR"; empty means the default
	Variables map[string]string `json:"variables"` // by VariableNames; what is missing is empty
	// Due is what somebody is told who sends mails in the place of the mail server, as JSON. Templates and
	// transports know nothing of it.
	Due json.RawMessage `json:"due,omitempty"`
	// Own is there in mails of GoTrue's dialect, whose templates know more.
	Own *Own `json:"own,omitempty"`
}

// Rendered is a template with its values filled in.
type Rendered struct {
	Subject string
	HTML    string // empty for text messages
	Text    string
	Locale  string // the one that was used, after fallback
	Source  string // where the body came from: "remote", "directory", "built-in" or "gotrue"
	// Warnings say what was not as the operator wanted it: a remote that is down, a broken file. The
	// mail is good all the same.
	Warnings []error
}

// Outgoing is what a Transport carries.
type Outgoing struct {
	Message
	Rendered
	Date time.Time
}

// Transport hands one mail to the outside world. An error for which IsPermanent is false is worth
// another attempt.
type Transport interface {
	Send(ctx context.Context, m Outgoing) error
}

// Mailer renders messages and sends them.
type Mailer struct {
	Renderer  *Renderer
	Transport Transport // nil when no mail server is configured
	Now       func() time.Time
}

// Open builds the Mailer that the settings describe. Templates of the operator are read once, so
// that a broken one is found now and not at the first mail.
func Open(s Settings, defaultLocale string, now func() time.Time) (*Mailer, error) {
	r := &Renderer{Directory: s.TemplatesPath, DefaultLocale: defaultLocale}
	if s.FetchURL != "" {
		r.Remote = &Remote{Base: s.FetchURL}
	}
	if s.GoTrue.used() {
		r.own = newGoTemplates(s.GoTrue, now)
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	m := &Mailer{Renderer: r, Now: now}
	if !s.Configured() {
		return m, nil
	}
	sender, err := parseSender(s.Sender)
	if err != nil {
		return nil, err
	}
	if s.Host == PostmarkHost {
		m.Transport = &Postmark{Token: s.Pass, Sender: sender, Timeout: s.Timeout, DefaultLocale: defaultLocale}
		return m, nil
	}
	m.Transport = &SMTP{
		Host: s.Host, Port: s.Port, User: s.User, Pass: s.Pass, AuthMethod: s.AuthMethod,
		Sender: sender, Implicit: s.Secure, StartTLS: s.TLS, Helo: s.Helo, Timeout: s.Timeout,
		SMTPAPI: s.SMTPAPI, Extra: s.Headers,
	}
	return m, nil
}

// Configured reports whether there is a mail server to send through.
func (m *Mailer) Configured() bool { return m != nil && m.Transport != nil }

// Send renders the message and hands it over. The Rendered is returned for its warnings; its text
// holds secrets and is not for logs.
func (m *Mailer) Send(ctx context.Context, msg Message) (Rendered, error) {
	if !m.Configured() {
		return Rendered{}, errors.New("no mail server is configured (AUTH_SMTP_HOST, AUTH_SMTP_SENDER)")
	}
	to, err := recipient(msg.To)
	if err != nil {
		return Rendered{}, &SendError{Permanent: true, Err: err}
	}
	msg.To = to
	r, err := m.Renderer.Render(ctx, msg)
	if err != nil {
		return Rendered{}, err
	}
	return r, m.Transport.Send(ctx, Outgoing{Message: msg, Rendered: r, Date: m.Now()})
}

// recipient reads one bare address. Anything beside it (a name, a second address, a line break)
// refuses the mail.
func recipient(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 320 {
		return "", errors.New("the recipient is not one bare mail address")
	}
	return asciiDomain(s)
}

// asciiDomain gives the address with its domain as A-labels ("xn--…").
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "", errors.New("the address has no domain")
	}
	domain := address[at+1:]
	if isASCII(domain) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", fmt.Errorf("the domain of the address: %w", err)
	}
	return address[:at+1] + domain, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
