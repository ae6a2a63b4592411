package pghook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// outsiders are roles that Supabase's API and similar ones hand requests of users to.
var outsiders = []string{"anon", "authenticated"}

// A candidate is a function of the name that takes one argument.
type candidate struct {
	Signature  string // as regprocedure has it
	Argument   string
	Definer    bool // security definer
	Executable bool // by the role, whoever that is granted through
	Granted    bool // the same without the grant to everybody
	Public     bool
	Outsiders  []string // who may execute it besides
}

// place is what a function's surroundings are.
type place struct {
	Role   string
	Super  bool
	Schema bool // is there
	Usage  bool
}

const lookPlace = `
	select current_user::text as role, r.rolsuper as super, n.oid is not null as schema,
	       coalesce(has_schema_privilege(n.oid, 'usage'), false) as usage
	  from pg_roles r left join pg_namespace n on n.nspname = $1
	 where r.rolname = current_user`

const lookFunction = `
	select p.oid::regprocedure::text as signature, format_type(p.proargtypes[0], null) as argument, p.prosecdef as definer,
	       has_function_privilege(p.oid, 'execute') as executable,
	       pg_has_role(p.proowner, 'usage') or coalesce((select bool_or(pg_has_role(o.oid, 'usage')) from pg_roles o where o.oid = any(who.may)), false) as granted,
	       coalesce(0 = any(who.may), false) as public,
	       array(select o.rolname::text from pg_roles o where o.oid = any(who.may) and o.rolname = any($3) and o.rolname <> current_user order by 1) as outsiders
	  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
	       cross join lateral (select array_agg(a.grantee) as may
	         from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.privilege_type = 'EXECUTE') who
	 where n.nspname = $1 and p.proname = $2 and p.prokind = 'f' and p.pronargs >= 1 and p.pronargs - p.pronargdefaults <= 1
	 order by case format_type(p.proargtypes[0], null) when 'jsonb' then 0 when 'json' then 1 when 'text' then 2 else 3 end, p.oid`

// look reads what there is of the function's name, as the role that it will be called as sees it.
func (p *Pool) look(ctx context.Context, f Function) (place, []candidate, error) {
	var where place
	var found []candidate
	err := pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// Names are to come with their schemas, whatever the search path is.
		if _, err := tx.Exec(ctx, "set local search_path to ''"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, lookPlace, f.Schema)
		if err != nil {
			return err
		}
		if where, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[place]); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, lookFunction, f.Schema, f.Name, outsiders); err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[candidate])
		return err
	})
	if err != nil {
		return place{}, nil, understand(err, p.timeout)
	}
	return where, found, nil
}

// Check says what is wrong with the function, in sentences for operators; nothing means that it can
// be called, and only by those who should. The error says that this could not be found out.
func (r *Runner) Check(ctx context.Context) ([]string, error) {
	where, found, err := r.pool.look(ctx, r.Function)
	if err != nil {
		return nil, err
	}
	switch {
	case !where.Schema:
		return []string{fmt.Sprintf("there is no schema %s in the database of hooks", r.Schema)}, nil
	case len(found) == 0:
		return []string{fmt.Sprintf("there is no function %s with one argument", r.Function)}, nil
	}
	var problems []string
	if !where.Usage {
		problems = append(problems, fmt.Sprintf("the role %s may not use the schema %s", where.Role, r.Schema))
	}
	if takes := found[0].Argument; takes != "jsonb" && takes != "json" && takes != "text" {
		problems = append(problems, fmt.Sprintf("%s takes no jsonb but %s", r.Function, takes))
	}
	if len(found) > 1 {
		problems = append(problems, fmt.Sprintf("there are %d functions %s with one argument; which is called is for Postgres to choose", len(found), r.Function))
	}
	if !found[0].Executable {
		problems = append(problems, fmt.Sprintf("the role %s may not execute %s", where.Role, found[0].Signature))
	}
	if who := found[0].strangers(); len(who) > 0 {
		problems = append(problems, fmt.Sprintf("%s may be executed by %s, so perhaps by users through another API", found[0].Signature, strings.Join(who, ", ")))
	}
	return problems, nil
}

// strangers are the roles that may execute a function and should not.
func (c candidate) strangers() []string {
	if c.Public {
		return append([]string{"public"}, c.Outsiders...)
	}
	return slices.Clone(c.Outsiders)
}

// Plan are the grants that a function lacks, and those that it should not have.
type Plan struct {
	Role       string
	Statements []string
	Notes      []string // what no grant of ours does
}

// Plan says what is to be granted and revoked so that the function can be called, and only by the role of
// hooks. Nothing to do is a plan without statements. A function that is not there has none.
func (r *Runner) Plan(ctx context.Context) (Plan, error) {
	where, found, err := r.pool.look(ctx, r.Function)
	switch {
	case err != nil:
		return Plan{}, err
	case !where.Schema:
		return Plan{}, fmt.Errorf("there is no schema %s", r.Schema)
	case len(found) == 0:
		return Plan{}, fmt.Errorf("there is no function %s with one argument", r.Function)
	}
	plan := Plan{Role: where.Role}
	role := pgx.Identifier{where.Role}.Sanitize()
	if !where.Usage {
		plan.Statements = append(plan.Statements, "grant usage on schema "+pgx.Identifier{r.Schema}.Sanitize()+" to "+role)
	}
	for _, f := range found {
		plan.Statements = append(plan.Statements, f.statements(role, where.Super)...)
		if !f.Definer && !where.Super {
			plan.Notes = append(plan.Notes, fmt.Sprintf("%s runs with the rights of %s: grant it what the function reads and writes, or make the function security definer with a search_path of its own", f.Signature, where.Role))
		}
	}
	return plan, nil
}

// statements grant and revoke. The grant comes first: the role may hold its right through everybody's.
func (c candidate) statements(role string, super bool) []string {
	var all []string
	if !c.Granted && !super {
		all = append(all, "grant execute on function "+c.Signature+" to "+role)
	}
	if who := c.strangers(); len(who) > 0 {
		all = append(all, "revoke execute on function "+c.Signature+" from "+strings.Join(who, ", "))
	}
	return all
}

// Apply carries a plan out, whole or not at all, over a connection whose role owns the function, such as
// that of migrations.
func Apply(ctx context.Context, connection string, p Plan) error {
	conn, err := pgx.Connect(ctx, connection)
	if err != nil {
		return errors.New("pghook: the database of the grants takes no connection: " + reason(err))
	}
	defer func() { _ = conn.Close(ctx) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range p.Statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}
