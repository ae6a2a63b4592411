package flow

import (
	"context"
	"errors"
	"slices"

	"postern/auth"
	"postern/store"
)

// attemptOf is whom somebody tried to sign in as, and how.
type attemptOf struct {
	userID   string // empty when nobody is known by what was typed
	method   string
	provider string // that vouched; empty when none did
	client   auth.Client
}

// unknownUser is the reason of a sign-in that failed since nobody is known by what was typed. Only operators see it.
const unknownUser = "unknown"

// failure is what the audit log has of an attempt that was refused.
func (k *Kit) failure(a attemptOf, refusal error) store.Failure {
	reason := string(auth.CodeOf(refusal))
	if a.userID == "" && auth.CodeOf(refusal) == auth.InvalidCredentials {
		reason = unknownUser
	}
	return store.Failure{UserID: a.userID, Method: a.method, Provider: a.provider, Reason: reason, Client: a.client, At: k.Now()}
}

// failsSignIn tells which refusals are about who signs in. What is about the service, or about asking too
// often, leaves no entry: whoever is locked out could fill the log.
func failsSignIn(c auth.Code) bool {
	return slices.Contains([]auth.Code{
		auth.InvalidCredentials, auth.UserDisabled, auth.UserBanned, auth.UserUnverified, auth.UserAnonymous, auth.EmailNotAllowed,
		auth.InvalidTOTP, auth.InvalidOTP, auth.InvalidPasskey, auth.InvalidTicket, auth.HookDenied,
	}, c)
}

// turnedAway leaves an entry of a sign-in that was refused, where nothing else is counted, and gives the refusal
// back. It is left even when the client has hung up.
func (k *Kit) turnedAway(ctx context.Context, a attemptOf, refusal error) error {
	if !failsSignIn(auth.CodeOf(refusal)) {
		return refusal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTime)
	defer cancel()
	return errors.Join(refusal, k.Store.AddFailure(ctx, k.failure(a, refusal)))
}
