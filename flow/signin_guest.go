package flow

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// guestName is the name of guests who say none.
const guestName = "Anonymous User"

// GuestRole is the role of guests, the only one they may take.
const GuestRole = "anonymous"

// EnsuredRoles lists the roles that must be in the database: those of new users, and of guests where
// there are any.
func (p *Policy) EnsuredRoles() []string {
	if p.Guests {
		return with(slices.Clip(p.AllowedRoles), GuestRole)
	}
	return p.AllowedRoles
}

// GuestSignIn is somebody who wants to look around first.
type GuestSignIn struct {
	DisplayName string
	Locale      string
	Metadata    json.RawMessage
	Said        Said
	Client      auth.Client
}

// AsGuest makes a user without any way to prove who they are, and lets them in: what they do until
// they sign up stays theirs. It is a sign-up, but one of nobody: AUTH_DISABLE_NEW_USERS and
// AUTH_DISABLE_AUTO_SIGNUP do not apply, as in Hasura Auth.
func (f *SignIn) AsGuest(ctx context.Context, in GuestSignIn) (admission auth.Admission, err error) {
	switch {
	case !f.Policy.Guests:
		return admission, auth.EndpointDisabled
	case f.Policy.DisableSignUp:
		return admission, auth.SignUpDisabled
	}
	roles, err := f.signUpRequested(ctx, request{Said: in.Said, method: "anonymous", client: in.Client})
	if err != nil {
		return admission, err
	}
	now := f.Now()
	guest := auth.User{
		ID: tokens.NewUUID(), CreatedAt: now.Truncate(time.Microsecond), LastSeen: now, IsAnonymous: true,
		DisplayName: in.DisplayName, Locale: f.Policy.locale(in.Locale), Metadata: fromClient(in.Metadata),
		DefaultRole: GuestRole, Roles: granted([]string{GuestRole}, roles),
	}
	if guest.DisplayName == "" {
		guest.DisplayName = guestName
	}
	if guest, err = f.creating(ctx, birth{user: guest, method: "anonymous", client: in.Client, now: now}); err != nil {
		return admission, err
	}
	o := opening{user: guest, method: "anonymous", client: in.Client, now: now}
	return f.enterNew(ctx, o, func(tx *store.DB) (bool, error) {
		created := f.entry("user.created", guest.ID, in.Client, now)
		created.Detail = map[string]any{"method": "anonymous"}
		return true, f.add(ctx, tx, store.NewUser{User: guest}, created)
	})
}
