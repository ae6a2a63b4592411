package tokens

import (
	"crypto/sha256"
	"crypto/sha512"
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

// clientType is the type of the access tokens that clients of the OAuth server have (RFC 9068). It is not that of the
// tokens of users' own sessions, so none of our doors takes one for the other.
const clientType = "at+jwt"

// ForClient is what an access token says beside of the client that it is for.
type ForClient struct {
	ID      string
	Issuer  string // the address of the OAuth server, which it is found by; not the issuer of the secret
	TokenID string
	Scopes  []string
	Engine  bool // it says to Hasura what the tokens of the user's own sessions say
}

// of puts into a payload what is true of the client. The audience is the client, and whoever checks the tokens of users that
// this one is to serve as.
func (c *ForClient) of(payload map[string]any, others []string) {
	payload["iss"], payload["client_id"], payload["jti"] = c.Issuer, c.ID, c.TokenID
	payload["scope"] = strings.Join(c.Scopes, " ")
	payload["aud"] = c.ID
	if len(others) > 0 {
		payload["aud"] = slices.Concat([]string{c.ID}, others)
	}
}

// clientAudience is whom the token of a client is for beside the client.
func (s *Signer) clientAudience(a Access) (others []string) {
	if a.Audience != "" {
		others = append(others, a.Audience)
	}
	if a.Client.Engine {
		others = append(others, s.s.audience...)
	}
	return others
}

// ClientClaims is what the access token of a client says.
type ClientClaims struct {
	UserID, SessionID, ClientID string
	Scopes                      []string
	IssuedAt, ExpiresAt         time.Time
	Issuer                      string
	// Custom are the custom claims by full name in lower case, of a token that speaks to Hasura; nil of any other.
	Custom map[string]string
}

// VerifyClient reads an access token that was signed for a client by one of the issuers. Every refusal unwraps to
// auth.Unauthorized.
func (s *Signer) VerifyClient(token string, issuers []string, now time.Time) (ClientClaims, error) {
	c, err := s.readClient(token, issuers, now)
	if err != nil {
		return ClientClaims{}, fmt.Errorf("%w: token of a client: %w", auth.Unauthorized, err)
	}
	return c, nil
}

func (s *Signer) readClient(token string, issuers []string, now time.Time) (c ClientClaims, err error) {
	payload, err := s.open(token, clientType)
	if err != nil {
		return c, err
	}
	if c.IssuedAt, c.ExpiresAt, err = payload.lifetime(now, s.s.skew); err != nil {
		return c, err
	}
	for name, into := range map[string]*string{"iss": &c.Issuer, "client_id": &c.ClientID, "sub": &c.UserID, sessionClaim: &c.SessionID} {
		if *into, err = payload.text(name); err != nil {
			return c, err
		}
	}
	switch {
	case !slices.Contains(issuers, c.Issuer):
		return c, errors.New("issued by another")
	case !IsUUID(c.UserID) || !IsUUID(c.SessionID) || c.ClientID == "":
		return c, errors.New("sub, session_id or client_id is none")
	}
	if err := payload.audience([]string{c.ClientID}); err != nil {
		return c, err
	}
	scope, err := payload.text("scope")
	if err != nil {
		return c, err
	}
	c.Scopes = strings.Fields(scope)
	var said Claims
	said.UserID = c.UserID
	if all, err := s.s.readClaims(payload, &said); err == nil && !s.bare {
		c.Custom = customOf(all)
	}
	return c, nil
}

// customOf gives the custom claims that are strings, by full name in lower case.
func customOf(all members) map[string]string {
	custom := make(map[string]string, max(0, len(all)-len(builtIn)))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		folded := strings.ToLower(name)
		if !strings.HasPrefix(folded, claimPrefix) || slices.Contains(builtIn, folded) {
			continue
		}
		if _, twice := custom[folded]; twice {
			continue
		}
		if value, err := all.text(name); err == nil {
			custom[folded] = value
		}
	}
	return custom
}

// IDToken tells a client who signed in (OpenID Connect Core, 2).
type IDToken struct {
	Issuer, UserID, ClientID string
	Nonce                    string // as the client sent it; empty for none
	AuthTime                 time.Time
	AccessToken              string // given with it
	Life                     time.Duration
	Claims                   map[string]any // about the user
}

// Published tells whether others can verify what is signed: there is a public key.
func (s *Signer) Published() bool { return s.s.alg.family != hmacKeys }

// Algorithm is how tokens are signed, as JWTs name it.
func (s *Signer) Algorithm() string { return s.s.alg.method.Alg() }

// ChecksLoosely tells whether Hasura, with this secret, takes its claims from wherever claims_map has it look, and looks at no
// audience. Then it may take any token that the key signs for that of a user.
func (s *Signer) ChecksLoosely() bool {
	_, mapped := s.s.members["claims_map"]
	return mapped && len(s.s.audience) == 0
}

// OwnIssuer is the issuer that the secret names, so that Hasura checks it; empty where it names none.
func (s *Signer) OwnIssuer() string {
	if _, named := s.s.members["issuer"]; named {
		return s.s.issuer
	}
	return ""
}

// SignIDToken makes an ID token. It is no access token of ours: its audience is the client, and it names no session.
func (s *Signer) SignIDToken(t IDToken, now time.Time) (string, error) {
	if !s.Published() {
		return "", errors.New("an ID token needs a key that clients can verify by")
	}
	payload := maps.Clone(t.Claims)
	if payload == nil {
		payload = map[string]any{}
	}
	maps.Copy(payload, map[string]any{
		"iss": t.Issuer, "sub": t.UserID, "aud": t.ClientID, "iat": now.Unix(), "exp": now.Unix() + int64(t.Life/time.Second),
		"auth_time": t.AuthTime.Unix(), "at_hash": s.halfHash(t.AccessToken),
	})
	if t.Nonce != "" {
		payload["nonce"] = t.Nonce
	}
	return s.signed(s.header, payload)
}

// halfHash is the left half of a hash, by which an ID token belongs to an access token (OpenID Connect Core, 3.1.3.6).
func (s *Signer) halfHash(token string) string {
	switch alg := s.Algorithm(); {
	case strings.HasSuffix(alg, "256"):
		sum := sha256.Sum256([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	case strings.HasSuffix(alg, "384"):
		sum := sha512.Sum384([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:24])
	}
	sum := sha512.Sum512([]byte(token)) // that of Ed25519, too
	return base64.RawURLEncoding.EncodeToString(sum[:32])
}

// signed signs a payload under a header.
func (s *Signer) signed(header string, payload map[string]any) (string, error) {
	body, err := json.Marshal(payload, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("claims of the token: %w", err)
	}
	unsigned := header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := s.s.alg.method.Sign(unsigned, s.signKey)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// CodeSession is the id of the session that an authorization code opens. It follows from the code, so that a code that comes a
// second time ends what it opened the first time.
func CodeSession(code string) string {
	return uuidText(HashSecret("postern code session 1\x00" + code))
}

// Namespace is the member of a token that holds the claims of Hasura, or the first one on the way to them.
func (s *Signer) Namespace() string {
	if len(s.s.namespace) == 0 {
		return defaultNamespace
	}
	return s.s.namespace[0]
}
