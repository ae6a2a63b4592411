package auth

import "time"

// Passkey is a WebAuthn credential of a user: the public half of a key that never leaves its
// authenticator. Nothing in it is secret.
type Passkey struct {
	ID             string // UUID
	UserID         string
	CredentialID   string // as the authenticator named it, in base64url without padding
	PublicKey      []byte // a COSE_Key in CBOR (RFC 9052)
	Counter        int64  // of signatures, as the authenticator last told it; many never count
	Nickname       string // what the user calls it; may be empty
	AddedAt        time.Time
	UsedAt         time.Time // zero when never, or before this was kept
	AAGUID         string    // UUID of the authenticator's model; empty when it does not say
	BackupEligible *bool     // may be copied to other devices; nil when it was registered before this was kept
	BackedUp       *bool     // was copied, when it was last used
}
