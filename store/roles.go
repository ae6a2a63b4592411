package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ListedRole is a role as an operator sees it.
type ListedRole struct {
	Role  string
	InUse bool // a user has it, as allowed or as default role
}

// RoleSlice lists a part of the roles in the order of their names, which are their keys.
func (db *DB) RoleSlice(ctx context.Context, s Slice) ([]ListedRole, error) {
	sql := rolesSQL
	if s.Backward {
		sql = rolesBackwardSQL
	}
	rows, err := db.Query(ctx, sql, only(s.After), only(s.Before), s.Most+1)
	if err != nil {
		return nil, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[ListedRole])
	if s.Backward {
		slices.Reverse(found)
	}
	return found, refusal(err)
}

// only is the member of a key that has one, or null.
func only(key []string) *string {
	if len(key) == 0 {
		return nil
	}
	return &key[0]
}

// CountRoles tells how many roles there are, and counts no further than most.
func (db *DB) CountRoles(ctx context.Context, most int) (n int, err error) {
	err = db.QueryRow(ctx, countRolesSQL, most).Scan(&n)
	return n, refusal(err)
}

// RoleCount is how many users have a role.
type RoleCount struct {
	Role      string
	Allowed   int // who may take it
	DefaultOf int
}

// CountUsersOfRoles tells how many users have each of several roles, by their names, and counts no further than
// most.
func (db *DB) CountUsersOfRoles(ctx context.Context, roles []string, most int) (map[string]RoleCount, error) {
	rows, err := db.Query(ctx, usersOfRolesSQL, roles, most)
	if err != nil {
		return nil, refusal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[RoleCount])
	counts := make(map[string]RoleCount, len(list))
	for _, c := range list {
		counts[c.Role] = c
	}
	return counts, refusal(err)
}

const (
	// Whether a role is in use is the first row of a range of an index. Of equality Postgres thinks that many rows
	// have it, and reads the whole table in search of one where none has.
	roleColumns = `select r.role, (select true from auth.user_roles u where u.role >= r.role and u.role <= r.role order by u.role limit 1) is not null
			or (select true from auth.users d where d.default_role >= r.role and d.default_role <= r.role order by d.default_role limit 1) is not null as in_use
		from auth.roles r where ($1::text is null or r.role > $1) and ($2::text is null or r.role < $2)`
	rolesSQL         = roleColumns + ` order by r.role limit $3`
	rolesBackwardSQL = roleColumns + ` order by r.role desc limit $3`
	countRolesSQL    = `select count(*)::int from (select from auth.roles limit $1) r`
	usersOfRolesSQL  = `select r.role,
			(select count(*)::int from (select from auth.user_roles u where u.role = r.role limit $2) n) as allowed,
			(select count(*)::int from (select from auth.users d where d.default_role = r.role limit $2) n) as default_of
		from unnest($1::text[]) as r(role)`
)

// AddRole writes a role. One that exists is ErrChanged. It must run in a transaction.
func (db *DB) AddRole(ctx context.Context, role string, n Note) error {
	b := &pgx.Batch{}
	b.Queue(addRoleSQL, role)
	queueNote(b, n)
	return guardedBatch(ctx, db, b, 1)
}

// HoldRole keeps everybody from being given a role until the transaction ends. It must run in one.
func (db *DB) HoldRole(ctx context.Context, role string) error {
	_, err := one[struct{ Role string }](ctx, db, holdRoleSQL, role)
	return err
}

// DropRole deletes a role. It must run in a transaction that holds it.
func (db *DB) DropRole(ctx context.Context, role string, n Note) error {
	if _, err := db.Exec(ctx, dropRoleSQL, role); err != nil {
		return fmt.Errorf("store: %w", err) // as Postgres says it: see Refers
	}
	return db.AddNote(ctx, n)
}

const (
	addRoleSQL  = `insert into auth.roles (role) values ($1) on conflict do nothing`
	holdRoleSQL = `select role from auth.roles where role = $1 for update`
	dropRoleSQL = `delete from auth.roles where role = $1`
)

// RowsGoingWithRole finds a foreign key of a table of the application by which rows would change or go if a
// role went; ErrNotFound is none. Rows that cannot be seen count as there. It must run in a transaction that
// holds the role.
func (db *DB) RowsGoingWithRole(ctx context.Context, role string) (Reference, error) {
	rows, err := db.Query(ctx, referencesOfRolesSQL)
	if err != nil {
		return Reference{}, refusal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Reference])
	if err != nil {
		return Reference{}, refusal(err)
	}
	if len(list) > 0 { // with policies on rows we would see what is shown to us
		if _, err := db.Exec(ctx, "set local row_security = off"); err != nil {
			return Reference{}, refusal(err)
		}
	}
	for _, r := range list {
		var there bool
		sql := "select exists (select from " + pgx.Identifier{r.Schema, r.Table}.Sanitize() + " where " + pgx.Identifier{r.Columns[0]}.Sanitize() + "::text = $1::text)"
		err := db.QueryRow(ctx, sql, pgx.QueryExecModeExec, role).Scan(&there)
		hidden := sqlState(err) == "42501"
		if there || hidden {
			return r, nil
		}
		if err != nil {
			return r, refusal(err)
		}
	}
	return Reference{}, ErrNotFound
}

// What keeps a role by itself, Postgres says when it is deleted.
const referencesOfRolesSQL = `select n.nspname::text as schema, t.relname::text as table, c.conname::text as constraint,
		array(select a.attname::text from unnest(c.conkey) k (num) join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num) as columns,
		array['role'] as of, c.confdeltype::text as action
	from pg_catalog.pg_constraint c join pg_catalog.pg_class t on t.oid = c.conrelid join pg_catalog.pg_namespace n on n.oid = t.relnamespace
	where c.contype = 'f' and c.conparentid = 0 and c.confrelid = 'auth.roles'::regclass and c.confdeltype in ('c', 'n', 'd')
	order by 1, 2, 3`
