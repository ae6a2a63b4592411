package flow

import (
	"context"
	"errors"
	"fmt"

	"postern/auth"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// BeginPasskey asks a signed-in user for another passkey.
func (f *Account) BeginPasskey(ctx context.Context, a auth.Actor) (PasskeyCreation, error) {
	if err := f.passkeysOn(); err != nil {
		return PasskeyCreation{}, err
	}
	user, err := f.memberOfBoth(ctx, a, f.memberEnrolling)
	if err != nil {
		return PasskeyCreation{}, err
	}
	keys, err := f.Store.PasskeysOf(ctx, user.ID)
	if err != nil {
		return PasskeyCreation{}, err
	}
	if len(keys) >= f.Policy.MostPasskeys {
		return PasskeyCreation{}, TooManyPasskeys{f.Policy.MostPasskeys}
	}
	exclude := credentialIDs(keys)
	if user.HasFactorOf(auth.WebAuthnFactor) { // an authenticator that is the second factor does not open the account alone
		factors, err := f.Store.FactorKeysOf(ctx, user.ID)
		if err != nil {
			return PasskeyCreation{}, err
		}
		exclude = append(exclude, credentialIDs(factors)...)
	}
	challenge, err := f.newChallenge(ctx, auth.PasskeyAdd, passkeyChallenge{UserID: user.ID}, f.Now())
	return PasskeyCreation{
		RP: f.Passkeys, PasskeyChallenge: challenge, UserID: user.ID, Name: user.DisplayName, Exclude: exclude,
	}, err
}

// NewPasskey is a key that a signed-in user adds.
type NewPasskey struct {
	Actor       auth.Actor
	ChallengeID string // that the client says it answers; empty when it says nothing
	Answer      passkeys.Created
	Nickname    string
	NameIt      bool // without a nickname, it is called by its model
	Client      auth.Client
}

// AddPasskey keeps the key and ends the user's other sessions: a new way in is a change of
// credentials. The user is told by mail.
func (f *Account) AddPasskey(ctx context.Context, in NewPasskey) (auth.Passkey, error) {
	if err := f.passkeysOn(); err != nil {
		return auth.Passkey{}, err
	}
	now := f.Now()
	user, err := f.memberOfBoth(ctx, in.Actor, f.memberEnrolling)
	if err != nil {
		return auth.Passkey{}, err
	}
	challenge, asked, err := f.takeChallenge(ctx, auth.PasskeyAdd, in.ChallengeID, in.Answer.ClientData, now)
	if err != nil {
		return auth.Passkey{}, err
	}
	if asked.UserID != user.ID {
		return auth.Passkey{}, fmt.Errorf("%w: the challenge was for user %s, user %s came with it", auth.InvalidPasskey, asked.UserID, user.ID)
	}
	made, err := f.Passkeys.Register(in.Answer, challenge, user.ID)
	if err != nil {
		return auth.Passkey{}, err
	}
	if in.Nickname == "" && in.NameIt {
		in.Nickname = passkeys.ModelName(made.Key.AAGUID)
	}
	key := made.Key
	key.ID, key.Nickname, key.AddedAt = tokens.NewUUID(), in.Nickname, now
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("passkey.added", user.ID, in.Client, now)
		e.SessionID, e.Detail = in.Actor.SessionID, map[string]any{"passkeyId": key.ID}
		if err := tx.AddPasskey(ctx, key, f.Policy.MostPasskeys, e); err != nil {
			return err
		}
		return f.notify(ctx, tx, notice{template: "passkey-added", to: user.Email, user: user, client: in.Client, detail: map[string]string{"factorType": "webauthn"}})
	})
	if errors.Is(err, store.ErrTooMany) {
		return auth.Passkey{}, TooManyPasskeys{f.Policy.MostPasskeys}
	}
	if errors.Is(err, store.ErrChanged) {
		return auth.Passkey{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return key, err
}
