package userobject

import (
	"time"

	"postern/auth"
)

// Factor is something a user can prove themselves with once more.
type Factor struct {
	ID             string     `json:"id"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	Status         string     `json:"status"` // "verified" or "unverified"
	FriendlyName   string     `json:"friendly_name,omitempty"`
	Type           string     `json:"factor_type"`
	Phone          string     `json:"phone"`
	LastChallenged *time.Time `json:"last_challenged_at"`
}

// Factors lists those of a user. Nil when there are none, since clients look for the member.
func Factors(d auth.Details) []Factor {
	var list []Factor
	for _, f := range d.Factors {
		out := Factor{ID: f.ID, CreatedAt: f.CreatedAt.UTC(), UpdatedAt: f.CreatedAt.UTC(), Status: "unverified", FriendlyName: f.Name, Type: f.Kind, Phone: Bare(f.PhoneNumber)}
		if !f.ConfirmedAt.IsZero() {
			out.Status, out.UpdatedAt = "verified", f.ConfirmedAt.UTC()
		}
		list = append(list, out)
	}
	return list
}
