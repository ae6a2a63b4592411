package userobject

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
)

// The providers of who signs in with an address or a number of their own.
const (
	Email = "email"
	Phone = "phone"
)

// Identity is a way by which the user came to be known.
type Identity struct {
	IdentityID string         `json:"identity_id"`
	ID         string         `json:"id"` // who they are there, which need be no UUID
	UserID     string         `json:"user_id"`
	Data       map[string]any `json:"identity_data,omitempty"`
	Provider   string         `json:"provider"`
	LastSignIn *time.Time     `json:"last_sign_in_at,omitempty"`
	CreatedAt  time.Time      `json:"created_at"`
	UpdatedAt  time.Time      `json:"updated_at"`
	Email      string         `json:"email,omitempty"`
}

// Identities lists what a user is known by, the oldest first: their own address and number, and accounts at
// providers. An address that came with the first of these accounts is no identity of its own.
func Identities(u auth.User, d auth.Details) []Identity {
	list := []Identity{}
	if u.IsAnonymous {
		return list
	}
	vouched := len(d.Identities) > 0 && !d.Identities[0].CreatedAt.After(u.CreatedAt)
	if u.Email != "" && !vouched {
		list = append(list, own(u, Email))
	}
	if u.PhoneNumber != "" {
		list = append(list, own(u, Phone))
	}
	for _, i := range d.Identities {
		list = append(list, Identity{
			IdentityID: i.ID, ID: i.ProviderUserID, UserID: u.ID, Data: dataOf(i), Provider: i.Provider, Email: strings.ToLower(i.Email),
			LastSignIn: moment(i.SignedInAt), CreatedAt: i.CreatedAt.UTC(), UpdatedAt: i.UpdatedAt.UTC(),
		})
	}
	slices.SortStableFunc(list, func(a, b Identity) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// own is the identity of an address or a number. It has no row: what it says is in the user's.
func own(u auth.User, provider string) Identity {
	i := Identity{
		IdentityID: OwnIdentity(u.ID, provider), ID: u.ID, UserID: u.ID, Provider: provider, Data: Claimed(u),
		LastSignIn: moment(u.LastSeen), CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.CreatedAt.UTC(),
	}
	if provider == Email {
		i.Email = strings.ToLower(u.Email)
	}
	return i
}

// Claimed is what users say of themselves by signing up with an address or a number.
func Claimed(u auth.User) map[string]any {
	data := map[string]any{"sub": u.ID, "email_verified": u.EmailVerified, "phone_verified": u.PhoneNumberVerified}
	if u.Email != "" {
		data["email"] = strings.ToLower(u.Email)
	}
	if u.PhoneNumber != "" {
		data["phone"] = Bare(u.PhoneNumber)
	}
	return data
}

// OwnIdentity is the id of the identity that a user's address or number is: the same every time, since no row
// has it.
func OwnIdentity(userID, provider string) string {
	h := sha256.Sum256([]byte("postern identity\x00" + provider + "\x00" + userID))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // a UUID of version 8, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// dataOf is what a provider said of somebody, in the words of OpenID Connect and in those of old clients.
func dataOf(i auth.Identity) map[string]any {
	var said map[string]any
	if json.Unmarshal(i.Profile, &said) != nil {
		said = nil
	}
	data := map[string]any{"sub": i.ProviderUserID, "provider_id": i.ProviderUserID, "email_verified": i.EmailVerified, "phone_verified": false}
	put := func(value string, names ...string) {
		for _, name := range names {
			if value != "" {
				data[name] = value
			}
		}
	}
	text := func(names ...string) string {
		texts := make([]string, len(names))
		for n, name := range names {
			texts[n], _ = said[name].(string)
		}
		return cmp.Or(texts...)
	}
	for _, name := range []string{"iss", "given_name", "family_name", "middle_name", "nickname", "profile", "website", "gender", "birthdate", "zoneinfo", "locale"} {
		put(text(name), name)
	}
	put(strings.ToLower(i.Email), "email")
	put(cmp.Or(i.DisplayName, text("name")), "name", "full_name")
	put(text("picture", "avatar_url"), "picture", "avatar_url")
	put(text("preferred_username", "login", "user_name", "username"), "preferred_username", "user_name")
	return data
}

// ProvidersOf lists where a user comes from, the first first, and each once.
func ProvidersOf(identities []Identity) []string {
	list := []string{}
	for _, i := range identities {
		if !slices.Contains(list, i.Provider) {
			list = append(list, i.Provider)
		}
	}
	return list
}

// moment is a time that may be unknown.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
