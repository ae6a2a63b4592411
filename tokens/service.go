package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
)

// Service is what the key of a program says that speaks for no user: what Supabase calls service_role and anon keys.
type Service struct {
	Role      string
	ExpiresAt time.Time
}

// foreignIssuers are what Supabase's own tools write into such keys: those that an application has go on working with
// the secret that signed them.
var foreignIssuers = []string{"supabase", "supabase-demo"}

// ofUsers are the members that tokens of users have. Every one of theirs has sub, which nobody who has a say in what
// tokens say can take out or put there.
var ofUsers = []string{"sub", sessionClaim, actorClaim}

// VerifyService reads a key that names a role and nobody. What has anything of a user in it is none, whatever role it
// names: claims of users are open to hooks, and to what users say of themselves. Every refusal unwraps to
// auth.Unauthorized.
func (s *Signer) VerifyService(token string, now time.Time) (Service, error) {
	key, err := s.readService(token, now)
	if err != nil {
		return Service{}, fmt.Errorf("%w: service key: %w", auth.Unauthorized, err)
	}
	return key, nil
}

func (s *Signer) readService(token string, now time.Time) (key Service, err error) {
	payload, err := s.open(token, "JWT")
	if err != nil {
		return key, err
	}
	if _, key.ExpiresAt, err = payload.lifetime(now, s.s.skew); err != nil {
		return key, err
	}
	for name := range payload {
		if slices.ContainsFunc(ofUsers, func(n string) bool { return strings.EqualFold(n, name) }) || s.s.holdsClaims(name) {
			return key, fmt.Errorf("has %s, which tokens of users have", name)
		}
	}
	if _, ok := payload["iss"]; ok {
		issuer, err := payload.text("iss")
		if err != nil || issuer != s.s.issuer && !slices.Contains(foreignIssuers, issuer) {
			return key, errors.New("issued by another")
		}
	}
	if _, ok := payload["aud"]; ok {
		if err := payload.audience(s.s.audience); err != nil {
			return key, err
		}
	}
	if key.Role, err = payload.text("role"); err != nil || key.Role == "" {
		return key, errors.New("names no role")
	}
	return key, nil
}

// holdsClaims tells whether a member of a payload is where Hasura finds claims of a user.
func (s *secret) holdsClaims(name string) bool {
	if len(s.namespace) > 0 {
		return strings.EqualFold(name, s.namespace[0])
	}
	return strings.HasPrefix(strings.ToLower(name), claimPrefix)
}
