package flow

import (
	"context"

	"postern/auth"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// BeginPasskey asks for a signature: of one of the keys of whoever has the address, or, without an
// address, of whatever key the person chooses. An address that nobody has, or whose owner has no key,
// is asked for keys that nobody has either, so that the answer does not tell who has an account.
func (f *SignIn) BeginPasskey(ctx context.Context, email string) (PasskeyRequest, error) {
	if err := f.passkeysOn(); err != nil {
		return PasskeyRequest{}, err
	}
	begun := f.Now()
	request := PasskeyRequest{RP: f.Passkeys}
	var asked passkeyChallenge
	if email != "" {
		if err := f.Policy.admit(email); err != nil {
			return PasskeyRequest{}, err
		}
		keys, err := f.Store.PasskeysByEmail(ctx, email)
		if err != nil {
			return PasskeyRequest{}, err
		}
		decoys := passkeys.Decoys(f.Keys.Peppers()[0], email)
		if len(keys) > 0 {
			asked.UserID, request.Allow = keys[0].UserID, credentialIDs(keys)
		} else {
			asked.UserID, request.Allow = tokens.NewUUID(), decoys
		}
	}
	var err error
	if request.PasskeyChallenge, err = f.newChallenge(ctx, auth.PasskeySignIn, asked, begun); err != nil {
		return PasskeyRequest{}, err
	}
	if email == "" {
		return request, nil
	}
	f.Refusals.worked(begun, f.Now())
	return request, f.Refusals.settle(ctx, begun, f.Now)
}

// PasskeyAnswer is a signature by a passkey.
type PasskeyAnswer struct {
	ChallengeID string // that the client says it answers; empty when it says nothing
	Answer      passkeys.Asserted
	Said        Said
	Client      auth.Client
}

// WithPasskey signs a person in by a signature of their key. A key that saw who the person is stands
// for both factors; any other leaves a second factor due, if the user has one.
func (f *SignIn) WithPasskey(ctx context.Context, in PasskeyAnswer) (auth.Admission, error) {
	if err := f.passkeysOn(); err != nil {
		return auth.Admission{}, err
	}
	begun := f.Now()
	p, err := f.provePasskey(ctx, auth.PasskeySignIn, in)
	attempt := attemptOf{userID: p.user.ID, method: "webauthn", client: in.Client}
	if auth.CodeOf(err) == auth.InvalidPasskey {
		if p.answers {
			err = f.turnedAway(ctx, attempt, err)
		}
		// A key that exists is looked at longer than one that does not.
		f.Refusals.worked(begun, f.Now())
		if late := f.Refusals.settle(ctx, begun, f.Now); late != nil {
			return auth.Admission{}, late
		}
	}
	if err != nil {
		return auth.Admission{}, err
	}
	if err := f.Policy.gateMember(p.user, f.Now()); err != nil {
		return auth.Admission{}, f.turnedAway(ctx, attempt, err)
	}
	if err := f.signInRequested(ctx, request{Said: in.Said, method: "webauthn", client: in.Client}); err != nil {
		return auth.Admission{}, err
	}
	o, err := f.ask(ctx, opening{user: p.user, method: "webauthn", aal: passkeyLevel(p.proof.UserVerified), client: in.Client, now: p.now}, p.user)
	if err != nil {
		return auth.Admission{}, err
	}
	var admission auth.Admission
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.usePasskey(ctx, tx, p); err != nil {
			return err
		}
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	return admission, err
}
