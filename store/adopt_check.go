package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// problems are sentences; together they are an error.
type problems []string

// Error makes problems an error.
func (p problems) Error() string { return strings.Join(p, "; ") }

// A column that Hasura Auth 0.42 and we both use. A column marked filled has a default value or may
// be null, so that an insert may leave it out.
type column struct {
	table, name, typ string
	filled           bool
}

// A constraint that must hold. Primary keys are looked for by what they do, all others by name too:
// the names tell which rule a statement broke.
type constraint struct{ table, name, definition string }

// checkSchema looks whether the database has every column and constraint of Hasura Auth's migration
// 16, the oldest schema that our statements run on. It believes the catalogue, not a version.
func checkSchema(ctx context.Context, tx pgx.Tx) (problems, error) {
	have, err := readColumns(ctx, tx)
	if err != nil {
		return nil, err
	}
	found := compareColumns(have)
	rules, err := readConstraints(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, c := range neededConstraints {
		if !slices.ContainsFunc(rules, c.heldBy) {
			found = append(found, fmt.Sprintf("auth.%s lacks constraint %s: %s", c.table, c.name, c.definition))
		}
	}
	return found, nil
}

func compareColumns(have []column) problems {
	var found problems
	for _, n := range neededColumns {
		i := slices.IndexFunc(have, func(h column) bool { return h.table == n.table && h.name == n.name })
		switch {
		case i < 0:
			found = append(found, fmt.Sprintf("auth.%s lacks column %s", n.table, n.name))
		case !sameType(have[i].typ, n.typ):
			found = append(found, fmt.Sprintf("auth.%s.%s is of type %s, not %s", n.table, n.name, have[i].typ, n.typ))
		case n.filled && !have[i].filled:
			found = append(found, fmt.Sprintf("auth.%s.%s must be null or have a default", n.table, n.name))
		}
	}
	for _, h := range have {
		known := slices.ContainsFunc(neededColumns, func(n column) bool { return n.table == h.table && n.name == h.name })
		if !known && !h.filled {
			found = append(found, fmt.Sprintf("auth.%s.%s was added by somebody and must be null or have a default", h.table, h.name))
		}
	}
	return found
}

// sameType takes any width of varchar, and text, for the same.
func sameType(have, need string) bool {
	if strings.HasPrefix(need, "character varying") {
		return strings.HasPrefix(have, "character varying") || have == "text"
	}
	return have == need
}

func (c constraint) heldBy(have constraint) bool {
	return have.table == c.table && have.definition == c.definition &&
		(have.name == c.name || strings.HasPrefix(c.definition, "PRIMARY KEY"))
}

func readColumns(ctx context.Context, tx pgx.Tx) ([]column, error) {
	tables := map[string]bool{}
	for _, c := range neededColumns {
		tables[c.table] = true
	}
	rows, _ := tx.Query(ctx, `
		select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
		       not a.attnotnull or a.atthasdef or a.attidentity <> ''
		from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.relnamespace = to_regnamespace('auth') and c.relkind in ('r', 'p')`)
	var have []column
	var h column
	_, err := pgx.ForEachRow(rows, []any{&h.table, &h.name, &h.typ, &h.filled}, func() error {
		if tables[h.table] {
			have = append(have, h)
		}
		return nil
	})
	if err != nil {
		return nil, explain(err)
	}
	return have, nil
}

func readConstraints(ctx context.Context, tx pgx.Tx) ([]constraint, error) {
	rows, _ := tx.Query(ctx, `
		select conrelid::regclass::text, conname::text, pg_get_constraintdef(oid)
		from pg_constraint where connamespace = to_regnamespace('auth') and conrelid <> 0`)
	var have []constraint
	var c constraint
	_, err := pgx.ForEachRow(rows, []any{&c.table, &c.name, &c.definition}, func() error {
		c.table = strings.TrimPrefix(c.table, "auth.")
		have = append(have, c)
		return nil
	})
	if err != nil {
		return nil, explain(err)
	}
	return have, nil
}
