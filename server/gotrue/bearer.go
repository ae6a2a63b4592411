package gotrue

import (
	"fmt"
	"net/http"
	"regexp"

	"postern/auth"
)

// bearerPattern is how the Authorization header reads with GoTrue.
var bearerPattern = regexp.MustCompile(`^(?i:bearer) (\S+)$`)

// actor is the user whose access token a request has, one whose second factor is due included: it can be proved here.
func (d *Door) actor(r *http.Request) (auth.Actor, error) {
	token, err := bearerOf(r)
	if err != nil {
		return auth.Actor{}, err
	}
	claims, err := d.Signer.VerifyAny(token, d.Front.Now())
	if err != nil {
		return auth.Actor{}, badJWT(err)
	}
	return claims.Actor(), nil
}

// bearerOf is the token that a request has.
func bearerOf(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 1 {
		if parts := bearerPattern.FindStringSubmatch(values[0]); parts != nil {
			return parts[1], nil
		}
	}
	return "", refusal{http.StatusUnauthorized, "no_authorization", "This endpoint requires a Bearer token"}
}

func badJWT(err error) error {
	return fmt.Errorf("%w: %w", refusal{http.StatusForbidden, "bad_jwt", "invalid JWT: it is expired, of another server, or no token of a user"}, err)
}
