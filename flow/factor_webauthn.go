package flow

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	"postern/auth"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// keyFactors are keys of WebAuthn: security keys, and whatever else signs as they do. They are apart from passkeys, by which people sign
// in: one of these opens nothing by itself, and one of those proves no factor.
type keyFactors struct{ *Kit }

func (k keyFactors) mayEnrol() bool { return k.Policy.KeyFactors && k.Passkeys != nil }

// begin asks for a new key, or for a signature by the key of the factor. The challenge is remembered as its hash.
func (k keyFactors) begin(ctx context.Context, c challenging) (begun, error) {
	if err := k.known(); err != nil {
		return begun{}, err
	}
	keys, err := k.Store.FactorKeysOf(ctx, c.user.ID)
	if err != nil {
		return begun{}, err
	}
	asked := PasskeyChallenge{Challenge: passkeys.NewChallenge()}
	memo, err := json.Marshal(tokens.HashSecret(asked.Challenge))
	if err != nil {
		return begun{}, fmt.Errorf("flow: %w", err)
	}
	b := begun{memo: memo, life: k.Passkeys.Timeout}
	if !c.factor.ConfirmedAt.IsZero() {
		key, err := keyOf(keys, c.factor.ID)
		b.request = &PasskeyRequest{RP: k.Passkeys, PasskeyChallenge: asked, Allow: []string{key.CredentialID}}
		return b, err
	}
	if !k.mayEnrol() {
		return begun{}, FactorsOff{auth.WebAuthnFactor}
	}
	// An authenticator that opens the account alone is no second factor: whoever steals it would have both.
	ways, err := k.Store.PasskeysOf(ctx, c.user.ID)
	b.creation = &PasskeyCreation{
		RP: k.Passkeys, PasskeyChallenge: asked, UserID: c.user.ID, Name: nameOf(c.user), Exclude: credentialIDs(append(keys, ways...)),
	}
	return b, err
}

// known refuses where there is no domain that keys could be of.
func (k keyFactors) known() error {
	if k.Passkeys == nil {
		return FactorsOff{auth.WebAuthnFactor}
	}
	return nil
}

// keyOf finds the key of a factor.
func keyOf(keys []auth.Passkey, factorID string) (auth.Passkey, error) {
	for _, key := range keys {
		if key.ID == factorID {
			return key, nil
		}
	}
	return auth.Passkey{}, fmt.Errorf("%w: factor %s has no key", auth.FactorNotActive, factorID)
}

// check looks at a signature. It must be by the key of the factor, whatever other keys the user has.
func (k keyFactors) check(ctx context.Context, t typed) (proof, error) {
	if err := k.known(); err != nil {
		return proof{}, err
	}
	if t.signed == nil {
		return proof{}, fmt.Errorf("%w: no signature", auth.InvalidPasskey)
	}
	if err := triedOut(k.Store.TryTicket(ctx, t.ticketID)); err != nil {
		return proof{}, err
	}
	challenge, err := answeredTo(t.memo, t.signed.ClientData)
	if err != nil {
		return proof{}, err
	}
	keys, err := k.Store.FactorKeysOf(ctx, t.user.ID)
	if err != nil {
		return proof{}, err
	}
	key, err := keyOf(keys, t.factorID)
	if err != nil {
		return proof{}, err
	}
	if t.signed.Name() != key.CredentialID {
		return proof{}, fmt.Errorf("%w: the key is another than that of factor %s", auth.InvalidPasskey, t.factorID)
	}
	seen, err := k.Passkeys.Verify(*t.signed, challenge, key)
	var cloned passkeys.Cloned
	if errors.As(err, &cloned) {
		err = errors.Join(err, k.tellOfFactorClone(ctx, t, cloned))
	}
	return proof{typed: t, method: auth.ByWebAuthn, use: func(ctx context.Context, tx *store.DB) error {
		return tx.UseFactorKey(ctx, store.PasskeyUse{Key: key, Counter: seen.Counter, BackedUp: seen.BackedUp, At: t.now})
	}}, err
}

// answeredTo reads which challenge an answer is to, which must be the one that was remembered.
func answeredTo(memo json.RawMessage, clientData []byte) (string, error) {
	challenge, err := passkeys.Challenge(clientData)
	if err != nil {
		return "", err
	}
	var hash []byte
	if err := json.Unmarshal(memo, &hash); err != nil {
		return "", fmt.Errorf("flow: what a challenge was made with: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, tokens.HashSecret(challenge)) != 1 {
		return "", fmt.Errorf("%w: an answer to another challenge", auth.InvalidPasskey)
	}
	return challenge, nil
}

// tellOfFactorClone records that the key of a factor exists twice, or that somebody replays it.
func (k keyFactors) tellOfFactorClone(ctx context.Context, t typed, cloned passkeys.Cloned) error {
	e := k.entry("factor.cloned", t.user.ID, t.client, t.now)
	e.SessionID, e.Detail = t.session, map[string]any{"factorId": t.factorID, "stored": cloned.Stored, "told": cloned.Told}
	return k.Store.Tell(ctx, e)
}

// confirm looks at a new key.
func (k keyFactors) confirm(_ context.Context, t typed, factor auth.Factor) (proof, error) {
	if t.made == nil {
		return proof{}, fmt.Errorf("%w: no new key", auth.InvalidPasskey)
	}
	challenge, err := answeredTo(t.memo, t.made.ClientData)
	if err != nil {
		return proof{}, err
	}
	made, err := k.Passkeys.Register(*t.made, challenge, t.user.ID)
	if err != nil {
		return proof{}, err
	}
	key := made.Key
	key.ID = factor.ID
	return proof{typed: t, method: auth.ByWebAuthn, use: func(ctx context.Context, tx *store.DB) error {
		if err := k.turnFactorOn(ctx, tx, t, store.Activation{PendingID: factor.ID}); err != nil {
			return err
		}
		return tx.AddFactorKey(ctx, key)
	}}, nil
}
