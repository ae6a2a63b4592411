package flow

import (
	"context"
	"fmt"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// mostFactors is how many second factors a user may have, those included that are not confirmed yet.
const mostFactors = 10

// FactorsOff refuses second factors of a kind that nobody may have here.
type FactorsOff struct{ Kind string }

// Error is for the log.
func (e FactorsOff) Error() string {
	return fmt.Sprintf("%s: second factors of the kind %s", auth.EndpointDisabled, e.Kind)
}

// Unwrap gives auth.EndpointDisabled.
func (e FactorsOff) Unwrap() error { return auth.EndpointDisabled }

// TooManyFactors refuses another factor to somebody who has as many as they may.
type TooManyFactors struct{ Most int }

// Error is for the log.
func (e TooManyFactors) Error() string { return e.Unwrap().Error() }

// Unwrap says what would be right.
func (e TooManyFactors) Unwrap() error {
	return auth.Invalid{Field: "factors", Problem: fmt.Sprintf("must be no more than %d: remove one first", e.Most)}
}

// KeyEnrolment is a user who wants a key of WebAuthn to be a second factor, beside those that there are.
type KeyEnrolment struct {
	Actor  auth.Actor
	Name   string // of the factor; may be empty
	Client auth.Client
}

// EnrolKey begins a factor, and gives its id. Its key is made with its first challenge.
func (f *Account) EnrolKey(ctx context.Context, in KeyEnrolment) (id string, err error) {
	if !(keyFactors{&f.Kit}).mayEnrol() {
		return "", FactorsOff{auth.WebAuthnFactor}
	}
	user, err := f.memberOfBoth(ctx, in.Actor, f.memberEnrolling)
	if err != nil {
		return "", err
	}
	now := f.Now()
	e := f.entry("factor.staged", user.ID, in.Client, now)
	e.SessionID = in.Actor.SessionID
	id = tokens.NewUUID()
	return id, f.stage(ctx, user.ID, func(tx *store.DB) error {
		return tx.StageKey(ctx, store.StagedKey{ID: id, Name: in.Name, Most: mostFactors, Since: now.Add(-stagedLife)}, e)
	})
}
