package flow

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"postern/auth"
)

// access is who may have an account, by e-mail address.
type access struct {
	blocked, allowed               map[string]bool
	blockedDomains, allowedDomains map[string]bool
}

func newAccess(s Settings) access {
	return access{set(s.BlockedEmails), set(s.AllowedEmails), set(s.BlockedDomains), set(s.AllowedDomains)}
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[strings.ToLower(s)] = true
	}
	return m
}

// admits decides in the order of Hasura Auth's Go generation: a single address outranks its
// domain, and a block outranks a permission of the same rank. Letter case never matters.
func (a access) admits(email string) bool {
	email = strings.ToLower(email)
	_, domain, ok := strings.Cut(email, "@")
	switch {
	case !ok || strings.Contains(domain, "@"):
		return false
	case a.blocked[email]:
		return false
	case a.allowed[email]:
		return true
	case a.blockedDomains[domain]:
		return false
	case a.allowedDomains[domain]:
		return true
	}
	return len(a.allowed) == 0 && len(a.allowedDomains) == 0
}

// picks tells whether only those addresses are let in that a list has.
func (a access) picks() bool { return len(a.allowed) > 0 || len(a.allowedDomains) > 0 }

// admit refuses an address that the access lists keep out.
func (p *Policy) admit(email string) error {
	if !p.access.admits(email) {
		return fmt.Errorf("%w: %s is kept out by the access lists", auth.EmailNotAllowed, mask(email))
	}
	return nil
}

// gate is the state an account must be in, checked once the person has proved to be its owner, so
// that nobody else learns the state. Guests and users without an address have none to verify.
func (p *Policy) gate(u auth.User, now time.Time) error {
	locked := u.Locked(now)
	switch {
	case locked != nil:
		return fmt.Errorf("%w: user %s", locked, u.ID)
	case u.Email != "" && !u.IsAnonymous && !p.access.admits(u.Email):
		return fmt.Errorf("%w: user %s", auth.EmailNotAllowed, u.ID)
	case p.RequireVerifiedEmail && u.Email != "" && !u.IsAnonymous && !u.EmailVerified && !(u.Vouched && p.vouching()):
		return fmt.Errorf("%w: user %s", auth.UserUnverified, u.ID)
	}
	return nil
}

// gateByEmail is the gate for who signs in by an address, which a provider's word is not enough for.
func (p *Policy) gateByEmail(u auth.User, now time.Time) error {
	u.Vouched = false
	return p.gateMember(u, now)
}

// waitsFor tells whether a user may come in as soon as the address is confirmed.
func (p *Policy) waitsFor(u auth.User, now time.Time) bool {
	return auth.CodeOf(p.gateMember(u, now)) == auth.UserUnverified
}

// vouching tells whether a provider that knows a user is enough for them to sign in with an address
// that nobody has confirmed. It is not where the address itself is what lets people in.
func (p *Policy) vouching() bool { return !p.access.picks() }

// gateMember is the gate for what guests may not do.
func (p *Policy) gateMember(u auth.User, now time.Time) error {
	if err := p.gate(u, now); err != nil {
		return err
	}
	if u.IsAnonymous {
		return fmt.Errorf("%w: user %s", auth.UserAnonymous, u.ID)
	}
	return nil
}

// emailPattern is the HTML5 pattern of an address, the one that the database's auth.email has.
var emailPattern = regexp.MustCompile("^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$")

// ValidEmail tells whether a text is an address that mail can be sent to and the database takes: a
// plain ASCII address of at most 254 characters (RFC 5321), 64 of them before the @.
func ValidEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	if len(s) > 254 || at < 1 || at > 64 || !emailPattern.MatchString(s) {
		return false
	}
	_, err := mail.ParseAddress(s) // refuses what a mail header cannot carry: "a..b@c", ".a@c"
	return err == nil
}

// mask shortens an address for the log.
func mask(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	if len(local) > 1 {
		local = local[:1] + "…"
	}
	return local + "@" + domain
}
