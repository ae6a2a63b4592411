package hasura

import (
	"fmt"
	"net/http"
	"strings"

	"postern/auth"
)

// actor is the bearer of the request's access token. The header must read exactly
// "Bearer <token>", once.
func (d *Door) actor(r *http.Request) (auth.Actor, error) {
	token, err := bearerOf(r.Header.Values("Authorization"))
	if err != nil {
		return auth.Actor{}, err
	}
	claims, err := d.Signer.Verify(token, d.Front.Now())
	if err != nil {
		return auth.Actor{}, err
	}
	return claims.Actor(), nil
}

// bearerOf reads the token of the one Authorization header that there must be.
func bearerOf(values []string) (string, error) {
	if len(values) != 1 {
		return "", fmt.Errorf("%w: %d Authorization headers", auth.Unauthorized, len(values))
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok || token == "" || strings.ContainsAny(token, " \t") {
		return "", fmt.Errorf("%w: the Authorization header is not Bearer and a token", auth.Unauthorized)
	}
	return token, nil
}

// optionalActor is the bearer where there may be none: clients send an expired token with every
// call, so a bad one counts as none.
func (d *Door) optionalActor(r *http.Request) *auth.Actor {
	a, err := d.actor(r)
	if err != nil {
		return nil
	}
	return &a
}

// bearerIn strips the scheme that some clients leave in front of a token.
func bearerIn(token string) string { return strings.TrimPrefix(token, "Bearer ") }
