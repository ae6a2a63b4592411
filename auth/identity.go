package auth

import (
	"encoding/json"
	"time"
)

// Identity is an account at another provider that its owner may sign in with here.
type Identity struct {
	ID             string // UUID
	Provider       string // "github"
	ProviderUserID string // who they are there
	Email          string // as the provider said lately; empty when it says none
	EmailVerified  bool   // the provider says that the address is theirs
	DisplayName    string
	Profile        json.RawMessage // what the provider said lately, as one JSON object; nil when nothing was kept
	CreatedAt      time.Time       // when it was linked
	UpdatedAt      time.Time
	SignedInAt     time.Time // zero when nobody has signed in with it since that is noted
}
