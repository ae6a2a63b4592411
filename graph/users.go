package graph

import (
	"context"
	"errors"
	"time"

	"postern/auth"
	"postern/flow"
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
	return oneUser(u), nil
}

// oneUser is a user who is alone on their page.
func oneUser(u store.UserRecord) *wire.User { return pageUser(u, wire.NewPage(u.ID)) }

// pageUser is a user on a page with others, in the words of the schema.
func pageUser(u store.UserRecord, on *wire.Page) *wire.User {
	return &wire.User{
		Page: on, ID: u.ID, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastSeen: nullableTime(u.LastSeen),
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

// Users lists users.
func (q *query) Users(ctx context.Context, where *store.UserFilter, orderBy *wire.UserOrder, first *int, after *string, last *int, before *string) (*wire.UserConnection, error) {
	order := store.UserOrder{By: store.UsersByCreatedAt, Descending: true}
	if orderBy != nil {
		order = store.UserOrder{By: orderBy.By, Descending: orderBy.Direction == wire.OrderDirectionDesc}
	}
	var filter store.UserFilter
	if where != nil {
		filter = *where
	}
	page, err := q.Admin.Users(ctx, operator(ctx), filter, order, flow.Paging{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, err
	}
	list := &wire.UserConnection{Filter: filter, PageInfo: pageInfo(page), Nodes: []*wire.User{}, Edges: []*wire.UserEdge{}}
	ids := make([]string, len(page.Items))
	for i, u := range page.Items {
		ids[i] = u.ID
	}
	on := wire.NewPage(ids...)
	for i, u := range page.Items {
		node := pageUser(u.UserRecord, on)
		list.Nodes = append(list.Nodes, node)
		list.Edges = append(list.Edges, &wire.UserEdge{Cursor: page.Cursors[i], Node: node})
	}
	return list, nil
}

type userConnection struct{ *Door }

// UserConnection leads to what is found out of a list of users only when it is asked for.
func (r *root) UserConnection() wire.UserConnectionResolver { return &userConnection{r.Door} }

// TotalCount counts the users of a list.
func (c *userConnection) TotalCount(ctx context.Context, list *wire.UserConnection, mode wire.CountMode) (int, error) {
	n, err := c.Admin.CountUsers(ctx, operator(ctx), list.Filter, mode == wire.CountModeExact)
	return int(n), err
}
