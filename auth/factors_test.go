package auth_test

import (
	"slices"
	"testing"

	"postern/auth"
)

// TestFactorsOfAnyKindAreOwed has every kind alone, and together with the others.
func TestFactorsOfAnyKindAreOwed(t *testing.T) {
	t.Parallel()
	kinds := []string{auth.TOTPFactor, auth.PhoneFactor, auth.WebAuthnFactor}
	var all auth.User
	if all.HasFactor() {
		t.Error("who has none owes one")
	}
	for _, kind := range kinds {
		u := auth.User{}.WithFactor(kind)
		for _, of := range kinds {
			if u.HasFactorOf(of) != (of == kind) {
				t.Errorf("who has %s, has %s: %v", kind, of, u.HasFactorOf(of))
			}
		}
		if !u.HasFactor() || !auth.ProvesFactor(auth.ProofOf(kind)) {
			t.Errorf("who has %s owes nothing, or proves nothing by it", kind)
		}
		all = all.WithFactor(kind).WithFactor(kind)
	}
	if !slices.Equal(all.OtherFactors, []string{auth.PhoneFactor, auth.WebAuthnFactor}) || all.ActiveMFAType != auth.TOTPFactor {
		t.Errorf("who has all has %q and %q", all.ActiveMFAType, all.OtherFactors)
	}
	if !(auth.User{ActiveMFAType: "sms"}).HasFactor() {
		t.Error("a factor of a kind that only Hasura Auth knows is not owed")
	}
	for _, method := range []string{"password", "webauthn", "sms", ""} {
		if auth.ProvesFactor(method) {
			t.Errorf("%q proves a second factor", method)
		}
	}
}
