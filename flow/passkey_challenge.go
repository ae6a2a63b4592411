package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// maxPasskeys is how many passkeys one user may have.
const maxPasskeys = 50

// PasskeyCreation is what a browser is asked for to make a new key.
type PasskeyCreation struct {
	RP        *passkeys.RP
	Challenge string
	UserID    string
	Name      string   // of the user, as the browser shows it
	Exclude   []string // the keys that the user has already
}

// PasskeyRequest is what a browser is asked for to sign with a key.
type PasskeyRequest struct {
	RP        *passkeys.RP
	Challenge string
	Allow     []string // keys that may sign; empty lets the person choose
}

// passkeyChallenge is what is remembered of a challenge: for whom it is, if that is known, and what a
// person said who is about to sign up.
type passkeyChallenge struct {
	UserID  string   `json:"userId,omitempty"`
	Email   string   `json:"email,omitempty"`
	Options *Options `json:"options,omitempty"`
}

// passkeysOn refuses while the operator has not turned passkeys on.
func (k *Kit) passkeysOn() error {
	if !k.Policy.Passkeys || k.Passkeys == nil {
		return fmt.Errorf("%w: AUTH_WEBAUTHN_ENABLED", auth.EndpointDisabled)
	}
	return nil
}

// newChallenge makes a challenge that one answer may be given to, for one purpose.
func (k *Kit) newChallenge(ctx context.Context, p auth.Purpose, c passkeyChallenge, now time.Time) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("flow: %w", err)
	}
	challenge := passkeys.NewChallenge()
	return challenge, k.Store.AddFreeTicket(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: p, SecretHash: tokens.HashSecret(challenge), Payload: payload,
		CreatedAt: now, ExpiresAt: now.Add(k.Passkeys.Timeout),
	})
}

// takeChallenge uses up the challenge that an answer is to, whether the answer then proves good or
// not: it gives the challenge to one of those who come with it, on whatever replica.
func (k *Kit) takeChallenge(ctx context.Context, p auth.Purpose, clientData []byte, now time.Time) (challenge string, c passkeyChallenge, err error) {
	challenge, err = passkeys.Challenge(clientData)
	if err != nil {
		return "", c, err
	}
	ticket, err := k.Store.TakeFreeTicket(ctx, p, tokens.HashSecret(challenge), now)
	if errors.Is(err, store.ErrNotFound) {
		return "", c, fmt.Errorf("%w: an unknown, used or expired challenge", auth.InvalidPasskey)
	}
	if err != nil {
		return "", c, err
	}
	if err := json.Unmarshal(ticket.Payload, &c); err != nil {
		return "", c, fmt.Errorf("flow: a challenge that was not written by this server: %w", err)
	}
	return challenge, c, nil
}

// proved is a user who has signed with their key.
type proved struct {
	user    auth.User
	key     auth.Passkey
	proof   passkeys.Proof
	now     time.Time
	answers bool // the challenge was ours: it counts as an attempt, whatever comes of it
}

// provePasskey finds the key of an answer and judges it. Whoever the challenge was for, and only they,
// may answer it.
func (k *Kit) provePasskey(ctx context.Context, p auth.Purpose, in passkeys.Asserted, c auth.Client) (proved, error) {
	now := k.Now()
	challenge, asked, err := k.takeChallenge(ctx, p, in.ClientData, now)
	if err != nil {
		return proved{}, err
	}
	owner, err := k.Store.PasskeyOwner(ctx, in.Name())
	if errors.Is(err, store.ErrNotFound) {
		return proved{answers: true}, fmt.Errorf("%w: an unknown key", auth.InvalidPasskey)
	}
	if err != nil {
		return proved{}, err
	}
	if asked.UserID != "" && asked.UserID != owner.User.ID {
		return proved{user: owner.User, answers: true}, fmt.Errorf("%w: the key is of user %s, the challenge was for another", auth.InvalidPasskey, owner.User.ID)
	}
	proof, err := k.Passkeys.Verify(in, challenge, owner.Key)
	var cloned passkeys.Cloned
	if errors.As(err, &cloned) {
		return proved{}, errors.Join(err, k.tellOfClone(ctx, owner, cloned, c, now))
	}
	return proved{owner.User, owner.Key, proof, now, true}, err
}

// tellOfClone records that a key exists twice, or that somebody replays it.
func (k *Kit) tellOfClone(ctx context.Context, owner store.PasskeyOwner, cloned passkeys.Cloned, c auth.Client, now time.Time) error {
	e := k.entry("passkey.cloned", owner.User.ID, c, now)
	e.Detail = map[string]any{"passkeyId": owner.Key.ID, "stored": cloned.Stored, "told": cloned.Told}
	return k.Store.Tell(ctx, e)
}

// usePasskey notes the use of the key in the transaction that the proof is for.
func (k *Kit) usePasskey(ctx context.Context, tx *store.DB, p proved) error {
	err := tx.UsePasskey(ctx, store.PasskeyUse{
		Key: p.key, Counter: p.proof.Counter, BackupEligible: p.proof.BackupEligible, BackedUp: p.proof.BackedUp, At: p.now,
	})
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: key %s was removed, used or its user locked meanwhile", auth.InvalidPasskey, p.key.ID)
	}
	return err
}

// passkeyLevel is the assurance level of a key: one that also saw who the person is counts as two
// factors (NIST SP 800-63B-4, 3.1.7).
func passkeyLevel(userVerified bool) int {
	if userVerified {
		return 2
	}
	return 1
}

// credentialIDs lists the names of keys.
func credentialIDs(keys []auth.Passkey) []string {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.CredentialID
	}
	return ids
}
