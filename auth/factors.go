package auth

import "slices"

// The kinds of second factors.
const (
	TOTPFactor     = "totp" // an authenticator app
	PhoneFactor    = "phone"
	WebAuthnFactor = "webauthn"
)

// The words in amr of who proved a second factor. This list is the only one: what reads amr asks ProvesFactor, and the statements of the
// store are put together from it.
const (
	ByTOTP         = "totp"
	ByPhone        = "mfa/phone"
	ByWebAuthn     = "mfa/webauthn"
	ByRecoveryCode = "recovery-code" // in the place of a factor of any kind
)

// ProvesFactor tells whether a word in amr is of a second factor.
func ProvesFactor(method string) bool {
	return slices.Contains([]string{ByTOTP, ByPhone, ByWebAuthn, ByRecoveryCode}, method)
}

// ProofOf is the word in amr of who proved a factor of a kind.
func ProofOf(kind string) string {
	switch kind {
	case PhoneFactor:
		return ByPhone
	case WebAuthnFactor:
		return ByWebAuthn
	}
	return ByTOTP
}

// HasFactor tells whether the user has a second factor, of any kind: whoever has one owes it, wherever second factors are asked for.
func (u User) HasFactor() bool { return u.ActiveMFAType != "" || len(u.OtherFactors) > 0 }

// HasFactorOf tells whether the user has a second factor of a kind.
func (u User) HasFactorOf(kind string) bool {
	if kind == TOTPFactor {
		return u.ActiveMFAType == TOTPFactor
	}
	return slices.Contains(u.OtherFactors, kind)
}

// WithFactor is the user who has turned a factor of a kind on.
func (u User) WithFactor(kind string) User {
	switch {
	case kind == TOTPFactor:
		u.ActiveMFAType = TOTPFactor
	case !u.HasFactorOf(kind):
		u.OtherFactors = append(slices.Clone(u.OtherFactors), kind)
	}
	return u
}
