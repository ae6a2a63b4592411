package auth

import "time"

// Details are what is known of a user beside their row: where else they have accounts, what they prove
// themselves with, and when what was confirmed. Some dialects tell all of it with each session.
type Details struct {
	Identities []Identity // at other providers, the oldest first
	Factors    []Factor   // the oldest first

	EmailConfirmedAt time.Time // zero when the address is not confirmed, or nobody noted when it was
	PhoneConfirmedAt time.Time // the same of the number
	NewPhone         string    // a number the user asked to change to and has not proved
	NewPhoneAt       time.Time // when they were sent a code there
	SignedInAt       time.Time // when the latest session was opened; zero when that is not noted
}

// Factor is something a user can prove themselves with once more, beside how they sign in.
type Factor struct {
	ID          string // UUID
	Kind        string // TOTPFactor, PhoneFactor or WebAuthnFactor
	PhoneNumber string // that codes are sent to, of a PhoneFactor
	Name        string // that the user gave it; may be empty
	CreatedAt   time.Time
	ConfirmedAt time.Time // zero until it was confirmed; it proves nothing before
}
