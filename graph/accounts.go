package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"postern/flow"
	"postern/graph/wire"
)

// CreateUser makes a user.
func (m *mutation) CreateUser(ctx context.Context, in wire.CreateUserInput) (*wire.CreateUserPayload, error) {
	u, err := m.Admin.CreateUser(ctx, operator(ctx), creation(in))
	if err != nil {
		return nil, under("input", err)
	}
	return &wire.CreateUserPayload{User: oneUser(u)}, nil
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

// UpdateUser changes a user.
func (m *mutation) UpdateUser(ctx context.Context, in wire.UpdateUserInput) (*wire.UpdateUserPayload, error) {
	u, err := m.Admin.UpdateUser(ctx, operator(ctx), flow.UserChange{
		ID: in.ID, IfUpdatedAt: given(in.IfUpdatedAt), Email: field(in.Email), EmailVerified: field(in.EmailVerified),
		PhoneNumber: field(in.PhoneNumber), PhoneNumberVerified: field(in.PhoneNumberVerified),
		DisplayName: field(in.DisplayName), AvatarURL: field(in.AvatarURL), Locale: field(in.Locale),
		DefaultRole: field(in.DefaultRole), Roles: listField(in.Roles), Metadata: listField(in.Metadata), MetadataPatch: listField(in.MetadataPatch),
		Disabled: field(in.Disabled), BannedUntil: field(in.BannedUntil),
	})
	if err != nil {
		return nil, under("input", err)
	}
	return &wire.UpdateUserPayload{User: oneUser(u)}, nil
}

// field is what is said of a field: nothing, null, or its value.
func field[T any](o graphql.Omittable[*T]) flow.Field[T] {
	p, said := o.ValueOK()
	if p == nil {
		return flow.Field[T]{Given: said, Null: said}
	}
	return flow.Field[T]{Given: true, Value: *p}
}

// listField is field for a list, and for JSON.
func listField[L ~[]E, E any](o graphql.Omittable[L]) flow.Field[L] {
	list, said := o.ValueOK()
	return flow.Field[L]{Given: said, Null: said && list == nil, Value: list}
}
