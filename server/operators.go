package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/limits"
	"postern/tokens"
)

// The headers that Hasura's engine sends to a remote schema, and that others send to be operators.
const (
	secretHeader = "X-Hasura-Admin-Secret"
	roleHeader   = "X-Hasura-Role"
	userHeader   = "X-Hasura-User-Id"
	proofHeader  = "X-Hasura-Auth-Elevated" // the id of a user who proved themselves lately
)

// AdminSecret opens a door to operators. Doors that have one count wrong ones together.
type AdminSecret struct {
	Front  *Front
	Limits limits.Settings
	Value  string // empty opens nothing
	// Refused notes that somebody showed a wrong one.
	Refused func(context.Context, auth.Client) error
}

// Claim is what a request shows that has the admin secret; false where it has none. What the headers say of a role and
// a user counts beside the secret alone: anybody can write them.
func (s AdminSecret) Claim(r *http.Request, c auth.Client) (claim flow.OperatorClaim, shown bool, err error) {
	for _, h := range []string{secretHeader, roleHeader, userHeader, proofHeader, "Authorization"} {
		if len(r.Header.Values(h)) > 1 {
			return claim, false, fmt.Errorf("%w: several headers %s", auth.Unauthorized, h)
		}
	}
	secret := r.Header.Get(secretHeader)
	if secret == "" {
		return claim, false, nil
	}
	if err := s.check(r.Context(), secret, c); err != nil {
		return claim, true, err
	}
	user := r.Header.Get(userHeader)
	if user != "" && !tokens.IsUUID(user) {
		return claim, true, auth.Invalid{Field: userHeader, Problem: "must be a UUID"}
	}
	return flow.OperatorClaim{Secret: true, Role: r.Header.Get(roleHeader), UserID: user, Elevated: user != "" && r.Header.Get(proofHeader) == user}, true, nil
}

// check compares the admin secret. Wrong ones are counted for each client, who is heard no more when
// there were too many, even with the right one. Each that is counted leaves an entry in the audit log.
func (s AdminSecret) check(ctx context.Context, secret string, c auth.Client) error {
	now, limit := s.Front.Now(), s.Limits.BruteForce()
	if wait, spent := s.Front.Limits.Spent("admin-secret", c.Bucket(), limit, now); spent {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	ours, theirs := sha256.Sum256([]byte(s.Value)), sha256.Sum256([]byte(secret))
	if s.Value != "" && subtle.ConstantTimeCompare(ours[:], theirs[:]) == 1 {
		return nil
	}
	if wait, ok := s.Front.Limits.Take("admin-secret", c.Bucket(), limit, now); !ok {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	refused := fmt.Errorf("%w: not the admin secret", auth.Unauthorized)
	if limit.Unlimited() {
		if _, ok := s.Front.Limits.Take("admin-secret entries", c.Bucket(), s.Limits.Entries(), now); !ok {
			return refused
		}
	}
	return errors.Join(refused, s.Refused(ctx, c))
}

// TakeTurn counts the requests of an operator, as often as a machine may ask.
func (s AdminSecret) TakeTurn(by flow.Operator) error {
	key := by.UserID
	if key == "" {
		key = by.Client.Bucket()
	}
	if wait, ok := s.Front.Limits.Take("operator", key, s.Limits.Management(), s.Front.Now()); !ok {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	return nil
}
