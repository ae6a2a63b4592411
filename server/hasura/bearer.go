package hasura

import (
	"net/http"
	"strings"

	"postern/auth"
	"postern/server"
)

// actor is the bearer of the request's access token. The header must read exactly
// "Bearer <token>", once.
func (d *Door) actor(r *http.Request) (auth.Actor, error) {
	token, err := server.Bearer(r.Header.Values("Authorization"))
	if err != nil {
		return auth.Actor{}, err
	}
	claims, err := d.Signer.Verify(token, d.Front.Now())
	if err != nil {
		return auth.Actor{}, err
	}
	return claims.Actor(), nil
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
