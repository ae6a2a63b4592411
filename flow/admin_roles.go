package flow

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
)

// Role is a role with what needs it.
type Role struct {
	store.ListedRole
	NeededBy []string // whoever has it; see neededRoles
}

// Protected tells whether the role cannot be deleted.
func (r Role) Protected() bool { return r.InUse || len(r.NeededBy) > 0 }

// Roles lists roles.
func (f *Admin) Roles(ctx context.Context, by Operator, p Paging) (Page[Role], error) {
	if err := by.mayRead(); err != nil {
		return Page[Role]{}, err
	}
	l, err := f.listing(p, "roles")
	if err != nil {
		return Page[Role]{}, err
	}
	found, err := f.Store.RoleSlice(ctx, l.slice)
	if err != nil {
		return Page[Role]{}, err
	}
	needed := f.neededRoles()
	list := make([]Role, len(found))
	for i, r := range found {
		list[i] = Role{r, needed[r.Role]}
	}
	return page(l, list, func(r Role) []string { return []string{r.Role} })
}

// CountRoles tells how many roles there are.
func (f *Admin) CountRoles(ctx context.Context, by Operator) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	return f.Store.CountRoles(ctx, maxCounted)
}

// UsersOfRoles counts the users who have each of several roles, by their names, in one statement.
func (f *Admin) UsersOfRoles(ctx context.Context, by Operator, roles []string) (map[string]store.RoleCount, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	if len(roles) > mostOfPage {
		return nil, auth.Invalid{Field: rolesField, Problem: fmt.Sprintf("must be %d roles at most", mostOfPage)}
	}
	return f.Store.CountUsersOfRoles(ctx, roles, maxCounted)
}

// neededRoles are the roles that something needs whoever has them, with what that is: the names of settings,
// or guests, Hasura and the table of users, whose column has a role as its default.
func (f *Admin) neededRoles() map[string][]string {
	needed := map[string][]string{}
	add := func(by string, roles ...string) {
		for _, r := range roles {
			if r != "" && !slices.Contains(needed[r], by) {
				needed[r] = append(needed[r], by)
			}
		}
	}
	add("AUTH_USER_DEFAULT_ROLE", f.Policy.DefaultRole)
	for _, r := range f.Policy.AllowedRoles {
		if r != f.Policy.DefaultRole { // which is always among them
			add("AUTH_USER_DEFAULT_ALLOWED_ROLES", r)
		}
	}
	add("AUTH_ADMIN_ROLE", f.Settings.Role)
	add("AUTH_ADMIN_READER_ROLE", f.Settings.ReaderRole)
	for r := range f.Policy.limits.byRole {
		add("AUTH_SESSION_LIMIT_BY_ROLE", r)
	}
	for setting, roles := range f.RolesOf {
		add(setting, roles...)
	}
	add("guests", GuestRole)
	add("Hasura", engineAdmin, "public")
	add("auth.users", "user")
	for _, by := range needed {
		slices.Sort(by)
	}
	return needed
}

// roleShape is what a role may be called that operators make: Hasura takes it, and so do the headers that carry
// it and the settings that list roles.
var roleShape = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$`)

// CreateRole makes a role.
func (f *Admin) CreateRole(ctx context.Context, by Operator, role string) (Role, error) {
	if err := by.mayChange(); err != nil {
		return Role{}, err
	}
	if len(role) > mostRole || !roleShape.MatchString(role) {
		return Role{}, auth.Invalid{Field: "role", Problem: fmt.Sprintf("must be 1 to %d letters from A to Z, digits and the signs _ - . : / and begin with a letter, a digit or _", mostRole)}
	}
	if err := by.mayGrant([]string{role}); err != nil {
		return Role{}, err
	}
	err := f.Store.InTx(ctx, func(tx *store.DB) error {
		return tx.AddRole(ctx, role, f.note(by, "role.created", map[string]any{"role": role}))
	})
	if errors.Is(err, store.ErrChanged) {
		err = fmt.Errorf("%w: %s", auth.RoleExists, role)
	}
	return Role{store.ListedRole{Role: role}, f.neededRoles()[role]}, err
}

// roleTime bounds each statement that deletes a role: whoever is given it meanwhile waits.
const roleTime = 3 * time.Second

// DeleteRole deletes a role that nobody has and nothing needs.
func (f *Admin) DeleteRole(ctx context.Context, by Operator, role string) error {
	if err := by.mayChange(); err != nil {
		return err
	}
	if strings.ContainsRune(role, 0) {
		return noRole(role)
	}
	if needed := f.neededRoles()[role]; len(needed) > 0 {
		return auth.RoleUsed{By: strings.Join(needed, " and ") + " " + verb(len(needed), "needs", "need") + " it"}
	}
	err := f.Store.InTx(ctx, func(tx *store.DB) error {
		if err := tx.Within(ctx, roleTime); err != nil {
			return err
		}
		if err := tx.HoldRole(ctx, role); err != nil {
			return err
		}
		if err := roleUnused(ctx, tx, role); err != nil {
			return err
		}
		return tx.DropRole(ctx, role, f.note(by, "role.deleted", map[string]any{"role": role}))
	})
	return roleKept(err, role)
}

// roleUnused refuses to delete a role that somebody has, or that rows of the application would go with.
func roleUnused(ctx context.Context, tx *store.DB, role string) error {
	counts, err := tx.CountUsersOfRoles(ctx, []string{role}, maxCounted)
	if err != nil {
		return err
	}
	if c := counts[role]; c.Allowed+c.DefaultOf > 0 {
		return auth.RoleUsed{By: fmt.Sprintf("%s may take it, and %s %s it as their default", users(c.Allowed), users(c.DefaultOf), verb(c.DefaultOf, "has", "have"))}
	}
	ref, err := tx.RowsGoingWithRole(ctx, role)
	switch {
	case err == nil:
		return auth.RoleUsed{By: fmt.Sprintf("rows of %s.%s refer to it by the constraint %s, or may", ref.Schema, ref.Table, ref.Constraint)}
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// roleKept is why a role stayed, to operators.
func roleKept(err error, role string) error {
	var referenced auth.Referenced
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noRole(role)
	case store.Refers(err, &referenced):
		return fmt.Errorf("%w: %w", auth.RoleUsed{By: fmt.Sprintf("rows of %s refer to it by the constraint %s", referenced.Table, referenced.Constraint)}, err)
	case store.IsTimedOut(err):
		return fmt.Errorf("%w: %w", auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}, err)
	}
	return err
}

func noRole(role string) error { return fmt.Errorf("%w: role %q", auth.NotFound, role) }

// users is a number of users in words.
func users(n int) string {
	switch {
	case n == 1:
		return "1 user"
	case n >= maxCounted:
		return fmt.Sprintf("%d users or more", n)
	}
	return fmt.Sprintf("%d users", n)
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
