package fakehasura

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ref names a table.
type ref struct{ schema, name string }

// String is the name as the engine says it.
func (r ref) String() string {
	if r.schema == "public" {
		return r.name
	}
	return r.schema + "." + r.name
}

func (r ref) sql() string { return pgx.Identifier{r.schema, r.name}.Sanitize() }

type column struct {
	name, typ string // the type without its domain
	array     bool
	notNull   bool
	key       bool // of the primary key
}

type foreignKey struct {
	columns []string
	to      ref
	others  []string
}

type table struct {
	ref     ref
	columns []column
	keys    []foreignKey
}

func (t table) has(name string) bool {
	return slices.ContainsFunc(t.columns, func(c column) bool { return c.name == name })
}

func (t table) column(name string) column {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}
	}
	return t.columns[i]
}

type catalog map[ref]table

// readCatalog reads the tables and views of the database as they are now.
func readCatalog(ctx context.Context, pool *pgxpool.Pool) (catalog, error) {
	found := catalog{}
	rows, err := pool.Query(ctx, `
		select n.nspname::text, c.relname::text, a.attname::text, coalesce(b.typname, e.typname, t.typname)::text, e.oid is not null, a.attnotnull,
		       coalesce(a.attnum = any(p.conkey), false)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		     join pg_type t on t.oid = a.atttypid
		     left join pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
		     left join pg_type e on t.typcategory = 'A' and e.oid = t.typelem
		     left join pg_constraint p on p.conrelid = c.oid and p.contype = 'p'
		where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
		order by 1, 2, a.attnum`)
	if err != nil {
		return nil, err
	}
	var r ref
	var c column
	_, err = pgx.ForEachRow(rows, []any{&r.schema, &r.name, &c.name, &c.typ, &c.array, &c.notNull, &c.key}, func() error {
		t := found[r]
		t.ref = r
		t.columns = append(t.columns, c)
		found[r] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err = pool.Query(ctx, `
		select n.nspname::text, c.relname::text, fn.nspname::text, fc.relname::text,
		       (select array_agg(a.attname::text order by k.i) from unnest(o.conkey) with ordinality k(n, i) join pg_attribute a on a.attrelid = o.conrelid and a.attnum = k.n),
		       (select array_agg(a.attname::text order by k.i) from unnest(o.confkey) with ordinality k(n, i) join pg_attribute a on a.attrelid = o.confrelid and a.attnum = k.n)
		from pg_constraint o join pg_class c on c.oid = o.conrelid join pg_namespace n on n.oid = c.relnamespace
		     join pg_class fc on fc.oid = o.confrelid join pg_namespace fn on fn.oid = fc.relnamespace
		where o.contype = 'f' order by o.oid`)
	if err != nil {
		return nil, err
	}
	var k foreignKey
	_, err = pgx.ForEachRow(rows, []any{&r.schema, &r.name, &k.to.schema, &k.to.name, &k.columns, &k.others}, func() error {
		t := found[r]
		t.keys = append(t.keys, k)
		found[r] = t
		k = foreignKey{}
		return nil
	})
	return found, err
}

// relation is a relationship, reduced to which rows of the other table belong to a row.
type relation struct {
	table  ref
	many   bool
	mine   []string
	theirs []string
}

// resolve finds the columns that a relationship of the metadata connects.
func resolve(t table, kind string, using object, all catalog) (relation, *problem) {
	r := relation{many: kind == "array_relationships"}
	if manual, ok := using["manual_configuration"].(object); ok {
		r.table, _ = refOf(manual["remote_table"])
		mapping, _ := manual["column_mapping"].(object)
		for mine, theirs := range mapping {
			other, _ := theirs.(string)
			if !t.has(mine) || !all[r.table].has(other) {
				return r, fail("not-exists", "$.args.using", "column %q or %q does not exist", mine, other)
			}
			r.mine, r.theirs = append(r.mine, mine), append(r.theirs, other)
		}
		if len(mapping) == 0 {
			return r, fail("parse-failed", "$.args.using", "key 'column_mapping' not found")
		}
		return r, nil
	}
	switch on := using["foreign_key_constraint_on"].(type) {
	case string, []any:
		for _, k := range t.keys {
			if slices.Equal(k.columns, names(on)) {
				r.table, r.mine, r.theirs = k.to, k.columns, k.others
				return r, nil
			}
		}
	case object:
		r.table, _ = refOf(on["table"])
		columns := names(on["column"])
		if columns == nil {
			columns = names(on["columns"])
		}
		for _, k := range all[r.table].keys {
			if k.to == t.ref && slices.Equal(k.columns, columns) {
				r.mine, r.theirs = k.others, k.columns
				return r, nil
			}
		}
	}
	return r, fail("constraint-error", "$.args", "no foreign constraint exists on the given column(s)")
}

// names reads one name or a list of them.
func names(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			name, _ := one.(string)
			out = append(out, name)
		}
		return out
	}
	return nil
}
