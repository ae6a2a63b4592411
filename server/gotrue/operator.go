package gotrue

import (
	"fmt"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// forOperator answers an operator.
type forOperator func(w http.ResponseWriter, r *http.Request, by flow.Operator) error

// forOperators lets operators through and nobody else, before anything is read of what they send. What each of them may do,
// the desk knows.
func (d *Door) forOperators(h forOperator) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		by, err := d.operator(w, r)
		if err != nil {
			return err
		}
		if err := d.Secret.TakeTurn(by); err != nil {
			return err
		}
		return named(h(w, r, by))
	}
}

// operator finds out who asks.
func (d *Door) operator(w http.ResponseWriter, r *http.Request) (flow.Operator, error) {
	by := flow.Operator{Client: server.Client(w)}
	claim, shown, err := d.Secret.Claim(r, by.Client)
	if err == nil && !shown {
		claim, err = d.bearerClaim(r)
	}
	if err != nil {
		return by, here(err, map[auth.Code]refusal{auth.Unauthorized: refusals[auth.Forbidden]})
	}
	by.Actor, err = d.Admin.Operator(r.Context(), claim)
	return by, err
}

// bearerClaim is what a token shows: that of a user, who may be an operator by a role that they hold; or a key, which is
// nobody's.
func (d *Door) bearerClaim(r *http.Request) (claim flow.OperatorClaim, err error) {
	token, err := bearerOf(r)
	if err != nil {
		return claim, err
	}
	now := d.Front.Now()
	said, err := d.Signer.Verify(token, now)
	if err == nil {
		actor := said.Actor()
		return flow.OperatorClaim{Bearer: &actor, Roles: said.Roles}, nil
	}
	key, notKey := d.Signer.VerifyService(token, now)
	if notKey != nil {
		return claim, badJWT(fmt.Errorf("%w; %w", err, notKey))
	}
	return flow.OperatorClaim{KeyRole: key.Role}, nil
}

// userID is the id of a user in a path.
func userID(r *http.Request) (string, error) { return pathID(r, "user_id") }

// pathID is an id in a path.
func pathID(r *http.Request, name string) (string, error) {
	id := r.PathValue(name)
	if !tokens.IsUUID(id) {
		return "", refusal{http.StatusNotFound, "validation_failed", name + " must be an UUID"}
	}
	return id, nil
}

// noUser is what it means to operators that somebody is not there: no page is missing.
var noUser = map[auth.Code]refusal{auth.NotFound: {http.StatusNotFound, "user_not_found", "User not found"}}

// operatorsNames are what operators call the fields of a user here.
var operatorsNames = map[string]string{
	"emailVerified": "email_confirm", "phoneNumber": "phone", "phoneNumberVerified": "phone_confirm", "metadata": "user_metadata",
	"metadataPatch": "user_metadata", "appMetadataPatch": "app_metadata", "passwordHash": "password_hash", "bannedUntil": "ban_duration", "input": "body", "input.userId": "email", "invitation": "email",
}
