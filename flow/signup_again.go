package flow

import (
	"context"
	"encoding/json"

	"postern/auth"
	"postern/store"
)

// Register creates a user as WithPassword does, and tells nobody who has an account: where addresses must be
// confirmed, whoever signs up with one that somebody has gets the answer of a newcomer, after the same time. Who
// has confirmed it is mailed nothing, and who has not is mailed once more.
//
// Who signs up again with another password may be somebody else, and nobody knows which of the two reads the mail. From then on
// whoever confirms the address, by whatever mail, has the account without a password and without what either said.
func (f *SignUp) Register(ctx context.Context, in PasswordSignUp) (out SignedUp, refused error) {
	start := f.Now()
	if !f.Policy.RequireVerifiedEmail || f.Policy.DisableSignUp {
		return f.WithPassword(ctx, in)
	}
	end, err := f.sends(ctx, mailTo(turnConfirm, in.Email))
	if err != nil {
		return SignedUp{}, err
	}
	defer end(&refused)
	found, err := f.Store.LookUp(ctx, store.Lookup{Email: in.Email, Now: start})
	if err != nil {
		return SignedUp{}, err
	}
	if !found.Known {
		return f.WithPassword(ctx, in)
	}
	newcomer, redirectTo, err := f.asNewcomer(ctx, &in)
	if err != nil {
		return SignedUp{}, err
	}
	out = SignedUp{User: newcomer, Taken: true}
	if !f.Policy.waitsFor(found.User, start) { // known, or locked
		_, err := f.Passwords.Hash(ctx, in.Password) // as long as it takes
		return out, err
	}
	same, err := f.isSame(ctx, found.Login, in.Password)
	if err != nil {
		return out, err
	}
	out.Taken, out.User.ID, out.User.CreatedAt, out.User.UpdatedAt = false, found.User.ID, found.User.CreatedAt, found.User.UpdatedAt
	return out, f.inTx(ctx, func(tx *store.DB) error {
		if !same {
			if err := tx.Contest(ctx, found.User.ID); err != nil {
				return err
			}
		}
		return f.sendLink(ctx, tx, link{
			user: found.User, to: found.User.Email, purpose: auth.VerifyEmail, redirectTo: redirectTo, challenge: in.CodeChallenge, client: in.Client, now: start,
		})
	})
}

// isSame tells whether a password is the one of an account. It hashes as often when there is none.
func (k *Kit) isSame(ctx context.Context, login store.Login, password string) (bool, error) {
	if login.PasswordHash == "" {
		_, err := k.Passwords.Hash(ctx, password)
		return false, err
	}
	same, _, err := k.Passwords.Verify(ctx, login.PasswordHash, password)
	if err != nil && auth.CodeOf(err) == auth.Internal && ctx.Err() == nil {
		return false, nil // a hash of a kind we do not know
	}
	return same, err
}

// claimContested gives an account that several signed up for to whoever confirmed the address. A second factor is nothing that a
// mail may take away.
func (k *Kit) claimContested(ctx context.Context, tx *store.DB, found store.Found, o opening) error {
	u := found.User
	if u.EmailVerified || u.HasFactor() {
		return nil
	}
	e := k.entry("user.disowned", u.ID, o.client, o.now)
	e.Detail = map[string]any{"method": "email"}
	if err := tx.Disown(ctx, u.ID, found.TicketEmail, e); err != nil {
		return err
	}
	return tx.ForgetSaid(ctx, u.ID)
}

// onlyApps is metadata without what users say.
func onlyApps(metadata json.RawMessage) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(metadata, &all) != nil || all[auth.AppMetadata] == nil {
		return nil
	}
	apps, err := json.Marshal(map[string]json.RawMessage{auth.AppMetadata: all[auth.AppMetadata]})
	if err != nil {
		return nil
	}
	return apps
}
