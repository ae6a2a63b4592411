package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const authColumnsSQL = `
	select c.relname::text, a.attname::text
	from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
	where c.relnamespace = to_regnamespace('auth') and c.relkind in ('r', 'p') and not c.relispartition
	order by c.relname, a.attnum`

// AuthColumns lists the tables of schema auth, whoever made them, and the columns of each.
func (db *DB) AuthColumns(ctx context.Context) (map[string][]string, error) {
	rows, _ := db.Query(ctx, authColumnsSQL)
	found := map[string][]string{}
	var table, column string
	_, err := pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		found[table] = append(found[table], column)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return found, nil
}
