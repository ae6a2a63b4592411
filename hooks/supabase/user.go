package supabase

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"postern/auth"
)

// authenticated is the audience and the role in the database of everybody who has signed in.
const authenticated = "authenticated"

// user is the user object of Supabase Auth, as far as there is data for it.
type user struct {
	ID             string         `json:"id"`
	Audience       string         `json:"aud"`
	Role           string         `json:"role"`
	Email          string         `json:"email"`
	EmailConfirmed *time.Time     `json:"email_confirmed_at,omitempty"`
	Phone          string         `json:"phone"`
	PhoneConfirmed *time.Time     `json:"phone_confirmed_at,omitempty"`
	Confirmed      *time.Time     `json:"confirmed_at,omitempty"`
	NewEmail       string         `json:"new_email,omitempty"`
	LastSignIn     *time.Time     `json:"last_sign_in_at,omitempty"`
	AppMetadata    appMetadata    `json:"app_metadata"`
	UserMetadata   map[string]any `json:"user_metadata"`
	Identities     []identity     `json:"identities"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at"`
	BannedUntil    *time.Time     `json:"banned_until,omitempty"`
	IsAnonymous    bool           `json:"is_anonymous"`
}

// identity is one of theirs. None is loaded for a hook, so the list is empty.
type identity struct{}

// appMetadata says where the user comes from. It is empty where that is not known, and of guests.
type appMetadata struct {
	Provider  string   `json:"provider,omitempty"`
	Providers []string `json:"providers,omitempty"`
}

// forever is the end of a ban that has none.
var forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// known is somebody who is stored already. Of an address that is confirmed only that is known and not
// when, so it is said to have been so from the beginning.
func known(u auth.User, provider string) user {
	o := user{
		ID: u.ID, Audience: authenticated, Role: authenticated, Email: strings.ToLower(u.Email), Phone: bare(u.PhoneNumber),
		NewEmail: u.NewEmail, AppMetadata: from(u, provider), UserMetadata: about(u), Identities: []identity{},
		CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.CreatedAt.UTC(), IsAnonymous: u.IsAnonymous,
	}
	since := o.CreatedAt
	if u.EmailVerified && u.Email != "" {
		o.EmailConfirmed, o.Confirmed = &since, &since
	}
	if u.PhoneNumberVerified && u.PhoneNumber != "" {
		o.PhoneConfirmed, o.Confirmed = &since, &since
	}
	if !u.LastSeen.IsZero() {
		seen := u.LastSeen.UTC()
		o.LastSignIn = &seen
	}
	if u.Disabled {
		o.BannedUntil = &forever
	}
	return o
}

// coming is somebody who is not stored yet: without role, and without the times of a row.
func coming(u auth.User, provider string) user {
	o := known(u, provider)
	o.Role, o.CreatedAt, o.UpdatedAt = "", time.Time{}, time.Time{}
	o.EmailConfirmed, o.PhoneConfirmed, o.Confirmed = nil, nil, nil
	return o
}

// from says where somebody comes from.
func from(u auth.User, provider string) appMetadata {
	if provider == "" || u.IsAnonymous {
		return appMetadata{}
	}
	return appMetadata{Provider: provider, Providers: []string{provider}}
}

// about is the metadata of the application, with name, avatar_url and locale where it does not have
// members of that name.
func about(u auth.User) map[string]any {
	all := map[string]any{}
	if len(u.Metadata) > 0 {
		if err := json.Unmarshal(u.Metadata, &all); err != nil || all == nil {
			all = map[string]any{} // no object, which is what it must be here
		}
	}
	for name, value := range map[string]string{"name": u.DisplayName, "avatar_url": u.AvatarURL, "locale": u.Locale} {
		if _, taken := all[name]; !taken && value != "" {
			all[name] = value
		}
	}
	return all
}

// bare is a number without the plus.
func bare(phone string) string { return strings.TrimPrefix(phone, "+") }

// providerOf guesses the provider from how somebody proved who they are. Empty means that it is not known.
func providerOf(provider, method string) string {
	switch {
	case provider != "":
		return provider
	case slices.Contains([]string{"password", "link", "otp"}, method):
		return "email"
	case method == "sms":
		return "phone"
	}
	return ""
}

// methods are Supabase's words for ours in amr. The others are the same.
var methods = map[string]string{
	"link": "magiclink", "sms": "otp", "idtoken": "oauth", "webauthn": "passkey",
}

func methodOf(ours string) string {
	if theirs, ok := methods[ours]; ok {
		return theirs
	}
	return ours
}

// proof is one entry of amr.
type proof struct {
	Method    string `json:"method"`
	Timestamp int64  `json:"timestamp"`
}

// proofs are amr, the newest first.
func proofs(amr []auth.Method) []proof {
	list := make([]proof, 0, len(amr))
	for _, m := range slices.Backward(amr) {
		list = append(list, proof{methodOf(m.Method), m.Timestamp.Unix()})
	}
	return list
}
