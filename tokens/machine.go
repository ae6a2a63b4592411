package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"postern/auth"
)

// machinePurpose sets tokens of machines apart from all others.
const machinePurpose = "machine"

// maxMachineToken is the longest token that is made for a machine: it must fit a header.
const maxMachineToken = 12 << 10

// Machine is what the token of a machine client says.
type Machine struct {
	ClientID string
	Secret   string // which of the client's secrets it was got with; see SecretMark
	Audience string // whom it is for
	Scopes   []string
	Extra    map[string]any // further claims, whose names are URLs
	Life     time.Duration
}

// machineGrant is how tokens for machines say what they are, as Auth0's do.
const machineGrant = "client-credentials"

// SignMachine makes a token for a machine client. Its type and its key are those of no other token, and
// no public key verifies it: to whoever reads our published keys it is no token at all, and to nobody is
// it the token of a user.
func (s *Signer) SignMachine(m Machine, now time.Time) (string, error) {
	if m.ClientID == "" || m.Audience == "" || m.Life < time.Second {
		return "", errors.New("a machine's token needs a client, an audience and a life of a second at least")
	}
	payload := map[string]any{}
	for name, value := range m.Extra {
		if !strings.HasPrefix(name, "https://") && !strings.HasPrefix(name, "http://") || s.isNamespace(name) {
			return "", fmt.Errorf("a machine's token cannot have the claim %q", name)
		}
		payload[name] = value
	}
	maps.Copy(payload, map[string]any{
		"iss": s.s.issuer, "sub": m.ClientID + "@clients", "azp": m.ClientID, "aud": m.Audience, "gty": machineGrant,
		"scope": strings.Join(m.Scopes, " "), "sec": m.Secret, "iat": now.Unix(), "exp": now.Unix() + int64(m.Life/time.Second),
	})
	key, err := s.purposeKey(machinePurpose)
	if err != nil {
		return "", err
	}
	header, err := headerPart("HS256", "", purposeType(machinePurpose))
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(payload, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("claims of a machine's token: %w", err)
	}
	unsigned := header + "." + base64.RawURLEncoding.EncodeToString(body)
	if len(unsigned) > maxMachineToken {
		return "", errors.New("a machine's token would be too long for a header")
	}
	signature, err := algorithms["HS256"].method.Sign(unsigned, key)
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// isNamespace tells whether Hasura looks for the claims of users under a name.
func (s *Signer) isNamespace(name string) bool {
	return name == defaultNamespace || len(s.s.namespace) > 0 && name == s.s.namespace[0]
}

// VerifyMachine reads a token that SignMachine made for one of the audiences. Every refusal unwraps to
// auth.Unauthorized.
func (s *Signer) VerifyMachine(token string, audiences []string, now time.Time) (Machine, error) {
	m, err := s.readMachine(token, audiences, now)
	if err != nil {
		return Machine{}, fmt.Errorf("%w: machine token: %w", auth.Unauthorized, err)
	}
	return m, nil
}

func (s *Signer) readMachine(token string, audiences []string, now time.Time) (m Machine, err error) {
	key, err := s.purposeKey(machinePurpose)
	if err != nil {
		return m, err
	}
	payload, err := open(token, purposeType(machinePurpose), algorithms["HS256"], key)
	if err != nil {
		return m, err
	}
	if _, _, err := payload.lifetime(now, 0); err != nil {
		return m, err
	}
	if issuer, err := payload.text("iss"); err != nil || issuer != s.s.issuer {
		return m, errors.New("issued by another")
	}
	if kind, err := payload.text("gty"); err != nil || kind != machineGrant {
		return m, errors.New("made for another grant")
	}
	if m.Audience, err = payload.text("aud"); err != nil || !slices.Contains(audiences, m.Audience) {
		return m, errors.New("made for another audience")
	}
	if m.ClientID, err = payload.text("azp"); err != nil || m.ClientID == "" {
		return m, errors.New("made for nobody")
	}
	if m.Secret, err = payload.text("sec"); err != nil {
		return m, err
	}
	scope, err := payload.text("scope")
	m.Scopes = strings.Fields(scope)
	return m, err
}

// HashClientSecret is what is kept of a machine client's secret. It is one hash and not many rounds,
// since such secrets are long and random; it needs a key that the database does not have, so that
// whoever reads the database can try none.
func (r *Keyring) HashClientSecret(clientID, secret string) []byte {
	return clientHash(r.clients[0], clientID, secret)
}

// IsClientSecret tells whether this is the secret that was hashed, with the current key or an older one.
// It takes as long whatever the answer is.
func (r *Keyring) IsClientSecret(hash []byte, clientID, secret string) bool {
	is := false
	for _, pepper := range r.clients {
		if hmac.Equal(hash, clientHash(pepper, clientID, secret)) {
			is = true
		}
	}
	return is
}

// SecretMark tells one secret of a client from another, and nothing else about it.
func SecretMark(hash []byte) string {
	sum := sha256.Sum256(append([]byte("postern client secret mark 1\x00"), hash...))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func clientHash(pepper []byte, clientID, secret string) []byte {
	h := hmac.New(sha256.New, pepper)
	for _, part := range []string{clientID, secret} {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return h.Sum(nil)
}
