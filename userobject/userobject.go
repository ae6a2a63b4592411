// Package userobject has the object in which GoTrue, and Supabase Auth after it, speak of a user. Their
// hooks and webhooks tell it.
package userobject

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/auth"
)

// Authenticated is the audience and the role in the database of everybody who has signed in.
const Authenticated = "authenticated"

// User is the user object, as far as there is data for it.
type User struct {
	ID               string         `json:"id"`
	Audience         string         `json:"aud"`
	Role             string         `json:"role"`
	Email            string         `json:"email"`
	EmailConfirmed   *time.Time     `json:"email_confirmed_at,omitempty"`
	InvitedAt        *time.Time     `json:"invited_at,omitempty"`
	Phone            string         `json:"phone"`
	PhoneConfirmed   *time.Time     `json:"phone_confirmed_at,omitempty"`
	Confirmed        *time.Time     `json:"confirmed_at,omitempty"`
	ConfirmationSent *time.Time     `json:"confirmation_sent_at,omitempty"`
	NewEmail         string         `json:"new_email,omitempty"`
	NewPhone         string         `json:"new_phone,omitempty"`
	PhoneChangeSent  *time.Time     `json:"phone_change_sent_at,omitempty"`
	LastSignIn       *time.Time     `json:"last_sign_in_at,omitempty"`
	AppMetadata      map[string]any `json:"app_metadata"`
	UserMetadata     map[string]any `json:"user_metadata"`
	Factors          []Factor       `json:"factors,omitempty"`
	Identities       []Identity     `json:"identities"`
	CreatedAt        time.Time      `json:"created_at"`
	UpdatedAt        time.Time      `json:"updated_at"`
	BannedUntil      *time.Time     `json:"banned_until,omitempty"`
	DeletedAt        *time.Time     `json:"deleted_at,omitempty"` // of whom nothing but the row is left
	IsAnonymous      bool           `json:"is_anonymous"`
}

// forever is the end of a ban that has none.
func forever() *time.Time {
	t := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	return &t
}

// Known is somebody who is stored already. Of an address that is confirmed only that is known and not
// when, so it is said to have been so from the beginning.
func Known(u auth.User, provider string) User {
	o := User{
		ID: u.ID, Audience: Authenticated, Role: Authenticated, Email: strings.ToLower(u.Email), Phone: Bare(u.PhoneNumber),
		NewEmail: u.NewEmail, AppMetadata: AppMetadata(u, provider), UserMetadata: About(u), Identities: []Identity{},
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
	switch {
	case u.Disabled || !u.DeletedAt.IsZero():
		o.BannedUntil = forever()
	case !u.BannedUntil.IsZero():
		until := u.BannedUntil.UTC()
		o.BannedUntil = &until
	}
	return o
}

// Coming is somebody who is not stored yet: without role, and without the times of a row.
func Coming(u auth.User, provider string) User {
	o := Known(u, provider)
	o.Role, o.CreatedAt, o.UpdatedAt = "", time.Time{}, time.Time{}
	o.EmailConfirmed, o.PhoneConfirmed, o.Confirmed = nil, nil, nil
	return o
}

// Split takes the metadata of a user apart: into what they and the application say of them, and into what
// belongs to the application alone.
func Split(metadata json.RawMessage) (users, apps map[string]any) {
	d := json.NewDecoder(bytes.NewReader(metadata))
	d.UseNumber()
	if len(metadata) == 0 || d.Decode(&users) != nil || users == nil {
		users = map[string]any{} // no object, which is what it must be here
	}
	apps, _ = users[auth.AppMetadata].(map[string]any)
	delete(users, auth.AppMetadata)
	if apps == nil {
		apps = map[string]any{}
	}
	return users, apps
}

// Join is what Split took apart.
func Join(users, apps map[string]any) map[string]any {
	all := maps.Clone(users)
	if len(apps) > 0 {
		all[auth.AppMetadata] = apps
	}
	return all
}

// AppMetadata is what belongs to the application, and where somebody comes from. That is left out where it is
// not known, and of guests.
func AppMetadata(u auth.User, provider string) map[string]any {
	_, all := Split(u.Metadata)
	delete(all, "provider")
	delete(all, "providers")
	if provider != "" && !u.IsAnonymous {
		all["provider"], all["providers"] = provider, []string{provider}
	}
	return all
}

// About is the metadata of a user, with name, avatar_url and locale where they do not have members of that
// name.
func About(u auth.User) map[string]any {
	all, _ := Split(u.Metadata)
	for name, value := range map[string]string{"name": u.DisplayName, "avatar_url": u.AvatarURL, "locale": u.Locale} {
		if _, taken := all[name]; !taken && value != "" {
			all[name] = value
		}
	}
	return all
}

// Bare is a number without the plus.
func Bare(phone string) string { return strings.TrimPrefix(phone, "+") }

// ProviderOf guesses the provider from how somebody proved who they are. Empty means that it is not known.
func ProviderOf(provider, method string) string {
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
