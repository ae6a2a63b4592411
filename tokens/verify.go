package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
)

// maxToken is the longest token that is looked at. A token with many claims has 2 KiB; proxies cut
// headers at 8 or 16.
const maxToken = 16 << 10

// clockStep is how far the clocks of two replicas may be apart: a token signed by one a moment ago
// is not of the future to the other. It never makes a token live longer.
const clockStep = time.Second

// Claims is what a good access token said.
type Claims struct {
	UserID       string
	SessionID    string // empty in tokens that an older server issued
	DefaultRole  string
	Roles        []string
	IsAnonymous  bool
	Elevated     bool
	FactorDue    bool // the second factor is not proved; see VerifyAny
	IssuedAt     time.Time
	ExpiresAt    time.Time
	Impersonator string // who acts in the place of the user; empty for the user
}

// Actor is the bearer of the token.
func (c Claims) Actor() auth.Actor {
	return auth.Actor{UserID: c.UserID, SessionID: c.SessionID, Elevated: c.Elevated, FactorDue: c.FactorDue, Impersonator: c.Impersonator, Issued: c.IssuedAt, Ends: c.ExpiresAt}
}

// errFactorDue refuses a token where the second factor cannot be proved.
var errFactorDue = errors.New("the second factor is due")

// Verify reads an access token of somebody who has proved all that they have. Every refusal unwraps to auth.Unauthorized; the text says why and
// is for the log, it repeats nothing of the token.
func (s *Signer) Verify(token string, now time.Time) (Claims, error) {
	claims, _, err := s.verify(token, now)
	if err == nil && claims.FactorDue {
		return Claims{}, fmt.Errorf("%w: access token: %w", auth.Unauthorized, errFactorDue)
	}
	return claims, err
}

// VerifyAny is Verify for whoever can ask for a second factor: it takes tokens, too, whose bearer has one and has not
// proved it. Claims.FactorDue says so.
func (s *Signer) VerifyAny(token string, now time.Time) (Claims, error) {
	claims, _, err := s.verify(token, now)
	return claims, err
}

// VerifyCustom is Verify with the custom claims of the token, by full name in lower case. One whose
// value is no string is left out: to Hasura it would be none either.
func (s *Signer) VerifyCustom(token string, now time.Time) (Claims, map[string]string, error) {
	claims, all, err := s.verify(token, now)
	if err == nil && claims.FactorDue {
		err = fmt.Errorf("%w: access token: %w", auth.Unauthorized, errFactorDue)
	}
	if err != nil {
		return Claims{}, nil, err
	}
	return claims, customOf(all), nil
}

func (s *Signer) verify(token string, now time.Time) (Claims, members, error) {
	c, claims, err := s.read(token, now)
	if err != nil {
		return Claims{}, nil, fmt.Errorf("%w: access token: %w", auth.Unauthorized, err)
	}
	return c, claims, nil
}

// read gives what the token says, and all its x-hasura claims.
func (s *Signer) read(token string, now time.Time) (c Claims, claims members, err error) {
	payload, err := s.open(token, "JWT")
	if err != nil {
		return c, nil, err
	}
	if c.IssuedAt, c.ExpiresAt, err = payload.lifetime(now, s.s.skew); err != nil {
		return c, nil, err
	}
	if issuer, err := payload.text("iss"); err != nil || issuer != s.s.issuer {
		return c, nil, errors.New("issued by another")
	}
	if err := payload.audience(s.s.audience); err != nil {
		return c, nil, err
	}
	if c.UserID, err = payload.text("sub"); err != nil || !IsUUID(c.UserID) {
		return c, nil, errors.New("sub is not the id of a user")
	}
	if _, ok := payload[sessionClaim]; ok {
		if c.SessionID, err = payload.text(sessionClaim); err != nil || !IsUUID(c.SessionID) {
			return c, nil, errors.New("session_id is not the id of a session")
		}
	}
	if c.Impersonator, err = payload.actor(); err != nil {
		return c, nil, err
	}
	if raw, ok := payload[factorClaim]; ok {
		if string(raw) != "true" || c.SessionID == "" {
			return c, nil, errors.New("factor_due is not true, or of no session")
		}
		c.FactorDue = true
		return c, nil, nil
	}
	if s.bare {
		return c, nil, payload.bare(&c)
	}
	claims, err = s.s.readClaims(payload, &c)
	return c, claims, err
}

// bare reads a token without claims of Hasura. It has a session: what else is signed with the key, for a user but by
// others, is not the token of one.
func (m members) bare(c *Claims) error {
	if c.SessionID == "" {
		return errors.New("of no session")
	}
	for name, value := range map[string]*bool{"is_anonymous": &c.IsAnonymous, elevatedClaim: &c.Elevated} {
		raw, ok := m[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, value); err != nil {
			return errors.New(name + " is neither true nor false")
		}
	}
	return nil
}

// readClaims reads the x-hasura claims from where place put them, and gives them all.
func (s *secret) readClaims(payload members, c *Claims) (members, error) {
	claims := payload
	for i, name := range s.namespace {
		raw, ok := claims[name]
		if !ok {
			return nil, errors.New("no claims under the namespace")
		}
		if last := i == len(s.namespace)-1; last && s.stringified {
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				return nil, errors.New("claims are not a string of JSON")
			}
			raw = jsontext.Value(text)
		}
		claims = nil
		if err := json.Unmarshal(raw, &claims); err != nil || claims == nil {
			return nil, errors.New("claims are not an object")
		}
	}
	userID, err := claims.text(claimUserID)
	if err != nil || userID != c.UserID {
		return nil, errors.New("x-hasura-user-id is not sub")
	}
	if c.DefaultRole, err = claims.text(claimDefaultRole); err != nil || c.DefaultRole == "" {
		return nil, errors.New("no default role")
	}
	if err := json.Unmarshal(claims[claimRoles], &c.Roles); err != nil {
		return nil, errors.New("allowed roles are not a list of strings")
	}
	if _, ok := claims[claimAnonymous]; ok {
		anonymous, err := claims.text(claimAnonymous)
		if err != nil {
			return nil, errors.New("x-hasura-user-is-anonymous is not a string")
		}
		c.IsAnonymous = anonymous == "true"
	}
	if _, ok := claims[claimElevated]; ok {
		elevated, err := claims.text(claimElevated)
		c.Elevated = err == nil && elevated == c.UserID
	}
	return claims, nil
}

// members is a JSON object whose values are not read yet.
type members map[string]jsontext.Value

// actor is who acts in the place of the user; empty where nobody does. What cannot be read is refused: it
// must not pass for the user.
func (m members) actor() (string, error) {
	raw, ok := m[actorClaim]
	if !ok {
		return "", nil
	}
	var act members
	if err := json.Unmarshal(raw, &act); err != nil {
		return "", errors.New("act is not an object")
	}
	sub, err := act.text("sub")
	if err != nil || sub == "" {
		return "", errors.New("act does not say who")
	}
	return sub, nil
}

func (m members) text(name string) (string, error) {
	var v string
	if m[name].Kind() != '"' {
		return "", fmt.Errorf("%s is not a string", name)
	}
	err := json.Unmarshal(m[name], &v)
	return v, err
}

// open checks shape, header and signature, in this order, and only then reads the payload. The
// algorithm is the key's; what the header says of keys (jku, x5u, jwk, kid) is not looked at.
func open(token, typ string, alg algorithm, key any) (members, error) {
	if len(token) > maxToken {
		return nil, errors.New("too long")
	}
	if strings.Count(token, ".") != 2 {
		return nil, errors.New("does not have three parts")
	}
	unsigned, last := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
	first, middle, _ := strings.Cut(unsigned, ".")
	header, err := decodePart(first)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := checkHeader(header, typ, alg.method.Alg()); err != nil {
		return nil, err
	}
	signature, err := partBytes(last)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if err := alg.method.Verify(unsigned, signature, key); err != nil {
		return nil, errors.New("signature does not match")
	}
	payload, err := decodePart(middle)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return payload, nil
}

func checkHeader(header members, typ, alg string) error {
	if given, err := header.text("alg"); err != nil || given != alg {
		return errors.New("alg is not that of the key")
	}
	given := ""
	if _, ok := header["typ"]; ok {
		var err error
		if given, err = header.text("typ"); err != nil {
			return err
		}
	}
	// Older servers and other libraries write jwt, or nothing: both mean an access token.
	if !strings.EqualFold(given, typ) && (typ != "JWT" || given != "") {
		return errors.New("made for another purpose")
	}
	for _, refused := range []string{"crit", "b64", "zip", "enc", "cty"} {
		if _, ok := header[refused]; ok {
			return errors.New("header has " + refused + ", which is never used here")
		}
	}
	return nil
}

// partBytes decodes base64url without padding in its one canonical spelling: no line breaks, no
// stray bits, so that no second text is the same token.
func partBytes(part string) ([]byte, error) {
	if part == "" || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("not base64url")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return b, nil
}

// decodePart reads a part as a JSON object in which no name is given twice.
func decodePart(part string) (members, error) {
	b, err := partBytes(part)
	if err != nil {
		return nil, err
	}
	var m members
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		return nil, errors.New("not a JSON object")
	}
	return m, nil
}

// lifetime checks exp, which must be there, iat and nbf.
func (m members) lifetime(now time.Time, skew time.Duration) (issued, expires time.Time, err error) {
	if expires, err = m.date("exp"); err != nil {
		return issued, expires, err
	}
	if !now.Before(expires.Add(skew)) {
		return issued, expires, errors.New("expired")
	}
	future := now.Add(max(skew, clockStep))
	for _, name := range []string{"iat", "nbf"} {
		if _, ok := m[name]; !ok {
			continue
		}
		date, err := m.date(name)
		if err != nil {
			return issued, expires, err
		}
		if date.After(future) {
			return issued, expires, errors.New(name + " is in the future")
		}
		if name == "iat" {
			issued = date
		}
	}
	return issued, expires, nil
}

// date reads a NumericDate: whole seconds since 1970, before the year 10000.
func (m members) date(name string) (time.Time, error) {
	const lastSecond = 253402300799
	seconds, err := strconv.ParseInt(string(m[name]), 10, 64)
	if err != nil || seconds < 0 || seconds > lastSecond {
		return time.Time{}, errors.New(name + " is not a time in whole seconds")
	}
	return time.Unix(seconds, 0), nil
}

// audience checks that the token is for one of us. Where no audience is configured a token that
// names one is for somebody else (RFC 7519, 4.1.3).
func (m members) audience(ours []string) error {
	raw, ok := m["aud"]
	if len(ours) == 0 {
		if !ok {
			return nil
		}
		ours = []string{everybody}
	}
	theirs, _, err := stringOrList(raw)
	if err != nil || !slices.ContainsFunc(theirs, func(a string) bool { return slices.Contains(ours, a) }) {
		return errors.New("made for another audience")
	}
	return nil
}
