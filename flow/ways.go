package flow

import (
	"context"
	"fmt"

	"postern/auth"
	"postern/store"
)

// stillGetsIn refuses a change, in the transaction that made it, that leaves the user without a way to
// sign in. Ways that the operator has turned off are none.
func (k *Kit) stillGetsIn(ctx context.Context, tx *store.DB, userID string) error {
	ways, err := tx.WaysIn(ctx, userID)
	if err != nil {
		return err
	}
	if !k.getsIn(ways) {
		return fmt.Errorf("%w: user %s", auth.LastWayIn, userID)
	}
	return nil
}

// getsIn tells whether somebody can sign in by one of these ways.
func (k *Kit) getsIn(w store.WaysIn) bool {
	p := k.Policy
	if p.RequireVerifiedEmail && w.Email != "" && !w.EmailVerified {
		return k.hasProvider(w.Identities) // whose word counts instead; see Policy.gate
	}
	switch {
	case w.Password && w.Email != "":
		return true
	case w.Email != "" && w.EmailVerified && (p.SignInByLink || p.SignInByEmailCode) && k.MailReady:
		return true
	case w.Phone != "" && p.SignInBySMS && k.SMSReady:
		return true
	}
	return w.Passkeys > 0 && p.Passkeys || k.hasProvider(w.Identities)
}

// hasProvider tells whether people can sign in at one of the providers.
func (k *Kit) hasProvider(names []string) bool {
	for _, name := range names {
		if _, _, enabled := k.Providers.Find(name); enabled {
			return true
		}
		if _, reads := k.Providers.IDTokens(name); reads {
			return true
		}
	}
	return false
}
