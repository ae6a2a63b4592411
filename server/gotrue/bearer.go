package gotrue

import (
	"fmt"
	"net/http"
	"regexp"

	"postern/auth"
)

// bearerPattern is how the Authorization header reads with GoTrue.
var bearerPattern = regexp.MustCompile(`^(?i:bearer) (\S+)$`)

// actor is the user whose access token a request has.
func (d *Door) actor(r *http.Request) (auth.Actor, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return auth.Actor{}, refusal{http.StatusUnauthorized, "no_authorization", "This endpoint requires a Bearer token"}
	}
	parts := bearerPattern.FindStringSubmatch(values[0])
	if parts == nil {
		return auth.Actor{}, refusal{http.StatusUnauthorized, "no_authorization", "This endpoint requires a Bearer token"}
	}
	claims, err := d.Signer.Verify(parts[1], d.Front.Now())
	if err != nil {
		return auth.Actor{}, fmt.Errorf("%w: %w", refusal{http.StatusForbidden, "bad_jwt", "invalid JWT: it is expired, of another server, or no token of a user"}, err)
	}
	return claims.Actor(), nil
}
