package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/passkeys"
	"postern/store"
	"postern/tokens"
)

// factorKind is how second factors of one kind are proved. What is the same for all of them is in this file and in raise.go; what is
// not has a file for each kind.
type factorKind interface {
	// mayEnrol tells whether users may turn such factors on here. Those that are on are asked for all the same.
	mayEnrol() bool
	// begin makes what a challenge of a factor needs.
	begin(ctx context.Context, c challenging) (begun, error)
	// check looks at the answer to an active factor. The try is counted before anything is compared.
	check(ctx context.Context, t typed) (proof, error)
	// confirm looks at the first answer of a factor, whose challenge has counted the try. Using its proof turns the factor on.
	confirm(ctx context.Context, t typed, factor auth.Factor) (proof, error)
}

// factorsOf finds how factors of a kind are proved.
func (k *Kit) factorsOf(kind string) (factorKind, error) {
	switch kind {
	case auth.TOTPFactor:
		return totpFactors{k}, nil
	case auth.WebAuthnFactor:
		return keyFactors{k}, nil
	case auth.PhoneFactor:
		return phoneFactors{k}, nil
	}
	return nil, fmt.Errorf("%w: factors of kind %q", auth.EndpointDisabled, kind)
}

// typed is a second factor as somebody typed it: the answer to a factor, or a recovery code.
type typed struct {
	user     auth.User
	kind     string // of the factor
	code     string // of the factor, or a recovery code
	made     *passkeys.Created
	signed   *passkeys.Asserted
	memo     json.RawMessage // that the challenge was made with
	ticketID string          // that it is typed for, and that counts the tries; empty when there is none
	factorID string          // that it is said to be of; empty when there is only one
	session  string          // that it is typed in; empty when there is none yet
	client   auth.Client
	now      time.Time
}

// method is the word in amr of what was typed, if it is right.
func (t typed) method() string {
	if tokens.IsRecoveryCode(t.code) {
		return auth.ByRecoveryCode
	}
	return auth.ProofOf(t.kind)
}

// said is what hooks are told was typed.
func (t typed) said() string {
	if tokens.IsRecoveryCode(t.code) {
		return auth.ByRecoveryCode
	}
	return t.kind
}

// proof is a second factor that was right when it was looked at. It counts once it is used.
type proof struct {
	typed
	method string
	budget store.Budget // that a right answer has back; without a key for none
	// use makes it count, in the transaction of what it is for. Of those who come with the same one all but the first
	// have store.ErrChanged.
	use func(ctx context.Context, tx *store.DB) error
}

// prove looks at what was typed for an active factor, and asks the hooks of second factors. The try is counted before anything
// is compared.
func (k *Kit) prove(ctx context.Context, t typed) (proof, error) {
	p, err := k.compare(ctx, t)
	if err = k.factorChecked(ctx, t, p, err); err != nil {
		return proof{}, err
	}
	return p, nil
}

func (k *Kit) compare(ctx context.Context, t typed) (proof, error) {
	if !t.user.HasFactor() {
		return proof{}, fmt.Errorf("%w: user %s", auth.FactorNotActive, t.user.ID)
	}
	if tokens.IsRecoveryCode(t.code) {
		return k.proveByRecoveryCode(ctx, t)
	}
	kind, err := k.factorsOf(t.kind)
	if err != nil {
		return proof{}, err
	}
	return kind.check(ctx, t)
}

func (k *Kit) proveByRecoveryCode(ctx context.Context, t typed) (proof, error) {
	if t.ticketID != "" {
		if err := triedOut(k.Store.TryTicket(ctx, t.ticketID)); err != nil {
			return proof{}, err
		}
	}
	hash := tokens.HashSecret(t.code)
	known, err := k.Store.KnowsRecoveryCode(ctx, t.user.ID, hash)
	if err != nil {
		return proof{}, err
	}
	if !known {
		return proof{}, fmt.Errorf("%w: user %s has no such recovery code, or used it", auth.InvalidTOTP, t.user.ID)
	}
	return proof{typed: t, method: auth.ByRecoveryCode, use: func(ctx context.Context, tx *store.DB) error {
		if err := tx.UseRecoveryCode(ctx, t.user.ID, hash, k.entry("recovery_code.used", t.user.ID, t.client, t.now)); err != nil {
			return err
		}
		return k.notify(ctx, tx, notice{template: "recovery-code-used", to: t.user.Email, user: t.user, client: t.client})
	}}, nil
}

// triedOut says what it means that a challenge, or its user, has no try left.
func triedOut(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: it was tried too often", auth.InvalidTicket)
	}
	return err
}

// useProof makes a proof count, in the transaction of what it is for and before all else there. Of many
// who come with the same one, on however many replicas, one succeeds.
func (k *Kit) useProof(ctx context.Context, tx *store.DB, p proof) error {
	err := p.use(ctx, tx)
	if err == nil && p.budget.Key != "" {
		err = tx.GiveBack(ctx, p.budget)
	}
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: user %s used it, or changed the factor, meanwhile", auth.InvalidTOTP, p.user.ID)
	}
	return err
}

// turnFactorOn turns on a factor whose first answer was right.
func (k *Kit) turnFactorOn(ctx context.Context, tx *store.DB, t typed, a store.Activation) error {
	a.Kind, a.Entry = t.kind, k.factorEntry("factor.enabled", t)
	a.Entry.Detail["replaced"] = a.Replaces
	err := tx.ActivateFactor(ctx, t.user.ID, a)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: user %s enrolled or confirmed another meanwhile", auth.FactorActive, t.user.ID)
	case err != nil:
		return err
	}
	return k.notify(ctx, tx, factorOnNotice(t.user, t.kind, t.client))
}

// turnFactorOff turns a factor off in the transaction of whatever allows it.
func (k *Kit) turnFactorOff(ctx context.Context, tx *store.DB, t typed, factor auth.Factor) error {
	if err := tx.DeactivateFactor(ctx, t.user.ID, factor, k.factorEntry("factor.disabled", t)); err != nil {
		return err
	}
	return k.notify(ctx, tx, factorOffNotice(t.user, t.kind, t.client))
}

// factorNotices are the templates of what users are told of their factors, by kind.
var factorNotices = map[string]struct{ on, off string }{
	auth.TOTPFactor:     {emails.TOTPEnabled, emails.TOTPDisabled},
	auth.PhoneFactor:    {emails.PhoneFactorEnabled, emails.PhoneFactorDisabled},
	auth.WebAuthnFactor: {emails.SecurityKeyEnabled, emails.SecurityKeyDisabled},
}

func factorOnNotice(u auth.User, kind string, c auth.Client) notice {
	return factorNotice(factorNotices[kind].on, u, kind, c)
}

func factorOffNotice(u auth.User, kind string, c auth.Client) notice {
	return factorNotice(factorNotices[kind].off, u, kind, c)
}

func factorNotice(template string, u auth.User, kind string, c auth.Client) notice {
	return notice{template: template, to: u.Email, user: u, client: c, detail: map[string]string{"factorType": kind}}
}

func (k *Kit) factorEntry(event string, t typed) store.Entry {
	e := k.entry(event, t.user.ID, t.client, t.now)
	e.SessionID, e.Detail = t.session, map[string]any{"factor": t.kind}
	return e
}

// factorMember is an actor who may have a second factor. Who has one goes on having it where nobody may turn one on: it
// is asked for, so it must be possible to prove it, and to turn it off.
func (k *Kit) factorMember(ctx context.Context, a auth.Actor) (auth.User, error) {
	user, err := k.actor(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	if !k.Policy.MFA && !k.Policy.MFAPhone && !k.Policy.KeyFactors && !user.HasFactor() {
		return auth.User{}, auth.EndpointDisabled
	}
	return user, k.Policy.gateMember(user, k.Now())
}
