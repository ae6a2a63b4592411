package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// Register creates a user as WithPassword does, and tells nobody who has an account: where addresses must be
// confirmed, whoever signs up with one that somebody has gets the answer of a newcomer. Who has confirmed it is
// mailed nothing. Whoever has not is mailed once more, and the mail is of this sign-up: who opens it has the password
// and the metadata of this one, whoever came before.
func (f *SignUp) Register(ctx context.Context, in PasswordSignUp) (SignedUp, error) {
	start := f.Now()
	out, err := f.WithPassword(ctx, in)
	if auth.CodeOf(err) != auth.EmailTaken || !f.Policy.RequireVerifiedEmail {
		return out, err
	}
	user, err := f.Store.UserByEmail(ctx, in.Email)
	if errors.Is(err, store.ErrNotFound) {
		return out, auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second} // gone since
	}
	if err != nil {
		return out, err
	}
	out.Taken = true
	if out.User, err = f.Policy.newcomer(tokens.NewUUID(), in.Email, in.Options, start); err != nil {
		return out, err
	}
	if !f.Policy.waitsFor(user, start) { // known, or locked
		return out, nil
	}
	again, err := f.sealAgain(signedUpAgain{Hash: out.hash, Metadata: out.User.Metadata})
	if err != nil {
		return out, err
	}
	redirectTo, err := f.Policy.Redirect(in.Options.RedirectTo)
	if err != nil {
		return out, err
	}
	out.Taken, out.User.ID, out.User.CreatedAt, out.User.UpdatedAt = false, user.ID, user.CreatedAt, user.UpdatedAt
	return out, f.inTx(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{
			user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, challenge: in.CodeChallenge,
			payload: again, client: in.Client, now: start,
		})
	})
}

// signedUpAgain is what a mail knows of the sign-up that it confirms, where it was not the first with the address.
type signedUpAgain struct {
	Hash     string          `json:"hash"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// againSeal says what is sealed.
const againSeal = "sign-up"

func (k *Kit) sealAgain(s signedUpAgain) (json.RawMessage, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(againSeal, plain)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	payload, err := json.Marshal(map[string][]byte{"again": sealed})
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return payload, nil
}

// again is the sign-up that a mail confirms, where it was not the first.
func (k *Kit) again(found store.Found) (s signedUpAgain, is bool, err error) {
	var p struct {
		Again []byte `json:"again"`
	}
	if found.TicketPurpose != auth.VerifyEmail || len(found.TicketPayload) == 0 {
		return s, false, nil
	}
	if err := json.Unmarshal(found.TicketPayload, &p); err != nil {
		return s, false, fmt.Errorf("flow: ticket %s: %w", found.TicketID, err)
	}
	if len(p.Again) == 0 {
		return s, false, nil
	}
	plain, err := k.Keys.Open(againSeal, p.Again)
	if err == nil {
		err = json.Unmarshal(plain, &s)
	}
	if err != nil {
		return s, false, fmt.Errorf("flow: ticket %s: %w", found.TicketID, err)
	}
	return s, true, nil
}

// confirmAgain gives an account to whoever confirmed the address by the mail of a later sign-up: what the first one
// had set up is gone. A second factor is nothing that a mail may take away.
func (k *Kit) confirmAgain(ctx context.Context, tx *store.DB, found store.Found, s signedUpAgain, o opening) error {
	u := found.User
	if u.EmailVerified || u.ActiveMFAType != "" {
		return nil
	}
	e := k.entry("user.disowned", u.ID, o.client, o.now)
	e.Detail = map[string]any{"method": "email"}
	if err := tx.Disown(ctx, u.ID, found.TicketEmail, e); err != nil {
		return err
	}
	if err := tx.GivePassword(ctx, u.ID, found.TicketEmail, s.Hash, k.entry("password.changed", u.ID, o.client, o.now)); err != nil {
		return err
	}
	if len(s.Metadata) == 0 {
		return nil
	}
	return tx.SetMetadata(ctx, u.ID, s.Metadata)
}

// claimed is the user as confirmAgain leaves them.
func (s signedUpAgain) claimed(u auth.User) auth.User {
	if u.EmailVerified || u.ActiveMFAType != "" {
		return u
	}
	u = disowned(u)
	if len(s.Metadata) > 0 {
		u.Metadata = s.Metadata
	}
	return u
}
