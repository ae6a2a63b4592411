package graph

import (
	"context"

	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// Roles lists the roles.
func (q *query) Roles(ctx context.Context, first *int, after *string, last *int, before *string) (*wire.RoleConnection, error) {
	p, err := q.Admin.Roles(ctx, operator(ctx), flow.Paging{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(p.Items))
	for i, r := range p.Items {
		names[i] = r.Role
	}
	c, on := &wire.RoleConnection{PageInfo: pageInfo(p)}, wire.NewPage(names...)
	for i, r := range p.Items {
		node := pageRole(r, on)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.RoleEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Admin.CountRoles(ctx, operator(ctx))
	}
	return c, err
}

// pageRole is a role on a page with others.
func pageRole(r flow.Role, on *wire.Page) *wire.Role {
	role := &wire.Role{Page: on, Role: r.Role, InUse: r.InUse, NeededBy: r.NeededBy, Protected: r.Protected()}
	if role.NeededBy == nil {
		role.NeededBy = []string{}
	}
	return role
}

type role struct{ *Door }

// Role leads to what is counted of roles only when it is asked for.
func (r *root) Role() wire.RoleResolver { return &role{r.Door} }

// UserCount counts the users who may take a role.
func (r *role) UserCount(ctx context.Context, of *wire.Role) (int, error) {
	counts, err := r.counts(ctx, of)
	return counts[of.Role].Allowed, err
}

// DefaultUserCount counts the users whose default role it is.
func (r *role) DefaultUserCount(ctx context.Context, of *wire.Role) (int, error) {
	counts, err := r.counts(ctx, of)
	return counts[of.Role].DefaultOf, err
}

// counts are those of all roles of a page.
func (r *role) counts(ctx context.Context, of *wire.Role) (map[string]store.RoleCount, error) {
	return wire.OfPage(of.Page, "counts", 0, func(names []string) (map[string]store.RoleCount, error) {
		return r.Admin.UsersOfRoles(ctx, operator(ctx), names)
	})
}

// CreateRole makes a role.
func (m *mutation) CreateRole(ctx context.Context, in wire.CreateRoleInput) (*wire.CreateRolePayload, error) {
	r, err := m.Admin.CreateRole(ctx, operator(ctx), in.Role)
	return &wire.CreateRolePayload{Role: pageRole(r, wire.NewPage(r.Role))}, under("input", err)
}

// DeleteRole deletes a role.
func (m *mutation) DeleteRole(ctx context.Context, in wire.DeleteRoleInput) (*wire.DeleteRolePayload, error) {
	return &wire.DeleteRolePayload{Role: in.Role}, under("input", m.Admin.DeleteRole(ctx, operator(ctx), in.Role))
}
