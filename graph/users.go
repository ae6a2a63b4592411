package graph

import (
	"context"
	"errors"
	"time"

	"postern/auth"
	"postern/graph/wire"
	"postern/store"
)

// User finds one user.
func (q *query) User(ctx context.Context, id string) (*wire.User, error) {
	u, err := q.Admin.User(ctx, operator(ctx), id)
	if errors.Is(err, auth.NotFound) {
		return nil, nil //nolint:nilnil // a user who is not there is null
	}
	if err != nil {
		return nil, err
	}
	return toUser(u), nil
}

// toUser is a user in the words of the schema.
func toUser(u store.UserRecord) *wire.User {
	return &wire.User{
		ID: u.ID, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastSeen: nullableTime(u.LastSeen),
		Disabled: u.Disabled, BannedUntil: nullableTime(u.BannedUntil), DeletedAt: nullableTime(u.DeletedAt),
		DisplayName: u.DisplayName, AvatarURL: u.AvatarURL, Locale: u.Locale,
		Email: nullable(u.Email), EmailVerified: u.EmailVerified, NewEmail: nullable(u.NewEmail),
		PhoneNumber: nullable(u.PhoneNumber), PhoneNumberVerified: u.PhoneNumberVerified,
		DefaultRole: u.DefaultRole, Roles: u.AllowedRoles(), IsAnonymous: u.IsAnonymous, ActiveMfaType: nullable(u.ActiveMFAType),
		HasPassword: u.HasPassword, PasswordMustChange: u.PasswordMustChange, Metadata: u.Metadata,
	}
}

// nullable is null for an empty text.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// nullableTime is null for no time.
func nullableTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
