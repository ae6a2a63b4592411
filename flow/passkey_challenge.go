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

// ErrNoChallenge is in the refusal of an answer to a challenge that is unknown, expired, answered already or another than
// the client says.
var ErrNoChallenge = fmt.Errorf("%w: an unknown, used or expired challenge", auth.InvalidPasskey)

// ErrPasskeyTaken is in the refusal of a key that somebody has registered already.
var ErrPasskeyTaken = store.ErrPasskeyTaken

// TooManyPasskeys refuses another passkey to somebody who has as many as they may.
type TooManyPasskeys struct{ Most int }

// Error is for the log.
func (e TooManyPasskeys) Error() string { return e.Unwrap().Error() }

// Unwrap says what would be right.
func (e TooManyPasskeys) Unwrap() error {
	return auth.Invalid{Field: "passkeys", Problem: fmt.Sprintf("must be no more than %d: remove one first", e.Most)}
}

// PasskeyChallenge is what an authenticator signs, once.
type PasskeyChallenge struct {
	ChallengeID string
	Challenge   string
	ExpiresAt   time.Time
}

// PasskeyCreation is what a browser is asked for to make a new key.
type PasskeyCreation struct {
	PasskeyChallenge
	RP      *passkeys.RP
	UserID  string
	Name    string   // of the user, as the browser shows it
	Exclude []string // the keys that the user has already
}

// PasskeyRequest is what a browser is asked for to sign with a key.
type PasskeyRequest struct {
	PasskeyChallenge
	RP    *passkeys.RP
	Allow []string // keys that may sign; empty lets the person choose
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
func (k *Kit) newChallenge(ctx context.Context, p auth.Purpose, c passkeyChallenge, now time.Time) (PasskeyChallenge, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("flow: %w", err)
	}
	made := PasskeyChallenge{tokens.NewUUID(), passkeys.NewChallenge(), now.Add(k.Passkeys.Timeout)}
	return made, k.Store.AddFreeTicket(ctx, store.Ticket{
		ID: made.ChallengeID, Purpose: p, SecretHash: tokens.HashSecret(made.Challenge), Payload: payload,
		CreatedAt: now, ExpiresAt: made.ExpiresAt,
	})
}

// takeChallenge uses up the challenge that an answer is to, whether the answer then proves good or
// not: it gives the challenge to one of those who come with it, on whatever replica. Where the client says which
// challenge it answers, it must be that one.
func (k *Kit) takeChallenge(ctx context.Context, p auth.Purpose, id string, clientData []byte, now time.Time) (challenge string, c passkeyChallenge, err error) {
	challenge, err = passkeys.Challenge(clientData)
	if err != nil {
		return "", c, err
	}
	ticket, err := k.Store.TakeFreeTicket(ctx, p, tokens.HashSecret(challenge), now)
	if errors.Is(err, store.ErrNotFound) || err == nil && id != "" && ticket.ID != id {
		return "", c, ErrNoChallenge
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
func (k *Kit) provePasskey(ctx context.Context, p auth.Purpose, answer PasskeyAnswer) (proved, error) {
	now, in, c := k.Now(), answer.Answer, answer.Client
	challenge, asked, err := k.takeChallenge(ctx, p, answer.ChallengeID, in.ClientData, now)
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
