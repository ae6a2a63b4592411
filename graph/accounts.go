package graph

import (
	"context"

	"postern/flow"
	"postern/graph/wire"
)

// CreateUser makes a user.
func (m *mutation) CreateUser(ctx context.Context, in wire.CreateUserInput) (*wire.CreateUserPayload, error) {
	u, err := m.Admin.CreateUser(ctx, operator(ctx), creation(in))
	if err != nil {
		return nil, under("input", err)
	}
	return &wire.CreateUserPayload{User: toUser(u)}, nil
}

// creation is what is asked for in the words of the flow.
func creation(in wire.CreateUserInput) flow.UserCreation {
	c := flow.UserCreation{
		ID: given(in.ID), Email: given(in.Email), EmailVerified: given(in.EmailVerified),
		PhoneNumber: given(in.PhoneNumber), PhoneNumberVerified: given(in.PhoneNumberVerified),
		DisplayName: in.DisplayName, AvatarURL: in.AvatarURL, Locale: in.Locale,
		DefaultRole: in.DefaultRole, Roles: in.Roles, RolesGiven: in.Roles != nil, Metadata: in.Metadata, Disabled: given(in.Disabled),
		Password: in.Password, PasswordHash: in.PasswordHash, Invited: in.Invitation != nil,
	}
	if in.Invitation != nil {
		c.RedirectTo = given(in.Invitation.RedirectTo)
	}
	return c
}

// given is what a pointer points to; of nil it is the zero value.
func given[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
