// Package passkeys speaks WebAuthn: it asks authenticators for new keys and for signatures, and
// judges what comes back. It keeps nothing. That a challenge is used once, and by whom, is the
// business of whoever stores it.
package passkeys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"postern/auth"
)

// RP is the relying party: the application that passkeys are made for. It is safe for concurrent use.
type RP struct {
	ID      string
	Name    string
	Timeout time.Duration // for an answer; challenges live no longer

	origins []string
	lib     *webauthn.WebAuthn
}

// Open makes settings ready. clientURL is the application's own address.
func Open(s Settings, clientURL string) (*RP, error) {
	rp := &RP{ID: s.RPID, Name: s.RPName, Timeout: s.Timeout}
	home, err := url.Parse(clientURL)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	if rp.ID == "" {
		rp.ID = home.Hostname()
	}
	if rp.ID == "" {
		return nil, errors.New("AUTH_WEBAUTHN_RP_ID must be set for passkeys and security keys where AUTH_CLIENT_URL is not: it is the domain that they belong to")
	}
	if err := checkRPID(rp.ID); err != nil {
		return nil, fmt.Errorf("AUTH_WEBAUTHN_RP_ID is %q and %w", rp.ID, err)
	}
	if rp.Name == "" {
		rp.Name = rp.ID
	}
	origins := slices.Clone(s.Origins)
	if clientURL != "" {
		origins = append(origins, clientURL)
	}
	if len(origins) == 0 {
		return nil, errors.New("AUTH_WEBAUTHN_RP_ORIGINS must be set for passkeys and security keys where AUTH_CLIENT_URL is not: it is where they may be used")
	}
	for _, o := range origins {
		origin, err := originOf(o)
		if err != nil {
			return nil, fmt.Errorf("AUTH_WEBAUTHN_RP_ORIGINS %w", err)
		}
		if !slices.Contains(rp.origins, origin) {
			rp.origins = append(rp.origins, origin)
		}
	}
	rp.lib, err = webauthn.New(&webauthn.Config{RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: rp.origins})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return rp, nil
}

// Origins are where passkeys may be used.
func (rp *RP) Origins() []string { return slices.Clone(rp.origins) }

// Serves tells whether keys may be used by pages of a host, which is the domain that they are made for or below it, and at all of some
// origins. What a client says it is decides nothing: the browser that signs names its origin itself. But a page that is not where its
// operator thinks it is hears so before anybody touches a key.
func (rp *RP) Serves(host string, origins []string) bool {
	return (host == rp.ID || strings.HasSuffix(host, "."+rp.ID)) && !slices.ContainsFunc(origins, func(o string) bool { return !slices.Contains(rp.origins, o) })
}

// Algorithms are the signatures that a new key may make, as COSE numbers them, the best first.
func Algorithms() []int {
	var list []int
	for _, p := range webauthn.CredentialParametersDefault() {
		list = append(list, int(p.Algorithm))
	}
	return list
}

// NewChallenge makes what an authenticator signs: 32 random bytes in base64url.
func NewChallenge() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// The bounds of what a client may send, in bytes. They are far above what authenticators make, and
// far below what would cost much to judge.
const (
	MaxCredentialID      = 1023 // WebAuthn's own
	MaxClientData        = 8 << 10
	MaxAttestation       = 32 << 10
	MaxAuthenticatorData = 8 << 10
	MaxSignature         = 8 << 10
	MaxUserHandle        = 128

	minModulus      = 256     // RSA of 2,048 bits
	maxPublicKey    = 2 << 10 // RSA of 8,192 bits and more
	maxCertificate  = 8 << 10
	maxCertificates = 8
)

// refused is every refusal of this package. The reason is for the log alone.
func refused(format string, args ...any) error {
	reason := []rune(fmt.Sprintf(format, args...))
	if len(reason) > 300 {
		reason = append(reason[:300], '…')
	}
	return fmt.Errorf("%w: %s", auth.InvalidPasskey, string(reason))
}

// why is what the library has against an answer.
func why(err error) string {
	if e, ok := err.(*protocol.Error); ok { //nolint:errorlint // the library wraps none of its own
		return e.Details + " " + e.DevInfo
	}
	return err.Error()
}
