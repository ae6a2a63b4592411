package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// kind is what schema auth turned out to be.
type kind string

const (
	kindEmpty      kind = "empty"
	kindPostern    kind = "postern"
	kindHasuraAuth kind = "hasura-auth"
	kindForeign    kind = "foreign"
)

// The migrations of Hasura Auth that matter here.
const (
	oldestHandBack = 16 // older schemas must change so much that the old server could not run again
	newestNode     = 17
	newestKnown    = 27
)

// A finding is what was recognised, before anything is judged.
type finding struct {
	kind       kind
	generation string // of Hasura Auth, also when it is ours by now
	version    int64  // its last migration
	dirty      bool   // its last migration broke off
	adoption   Adoption
	why        string // why it is foreign
}

// find recognises what the database holds.
func find(ctx context.Context, tx pgx.Tx) (finding, error) {
	columns, err := authColumns(ctx, tx)
	if err != nil {
		return finding{}, err
	}
	var f finding
	if err := f.readTracking(ctx, tx, columns); err != nil {
		return f, err
	}
	ours, err := baselineApplied(ctx, tx, columns)
	if err != nil {
		return f, err
	}
	if ours {
		f.kind = kindPostern
		f.adoption, err = readAdoption(ctx, tx)
		if f.generation == "" {
			f.generation, f.version = f.adoption.From, f.adoption.Version
		}
		return f, err
	}
	if f.generation != "" {
		f.kind = kindHasuraAuth
		if f.version > 0 && !f.dirty && (columns["users"]["ticket"] == "" || columns["refresh_tokens"] == nil) {
			f.kind, f.why = kindForeign, "schema auth has a record of migrations like that of Hasura Auth, but not its tables"
		}
		return f, nil
	}
	f.kind, f.why = recogniseUntracked(columns)
	if f.kind == kindEmpty {
		f.why, err = strayObjects(ctx, tx)
		if f.why != "" {
			f.kind = kindForeign
		}
	}
	return f, err
}

// authColumns lists the relations of schema auth with the names and types of their columns.
func authColumns(ctx context.Context, tx pgx.Tx) (map[string]map[string]string, error) {
	rows, _ := tx.Query(ctx, `
		select c.relname::text, coalesce(a.attname::text, ''), coalesce(format_type(a.atttypid, a.atttypmod), '')
		from pg_class c
		left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.relnamespace = to_regnamespace('auth') and c.relkind in ('r', 'p', 'v', 'm', 'f')`)
	columns := map[string]map[string]string{}
	var table, column, typ string
	_, err := pgx.ForEachRow(rows, []any{&table, &column, &typ}, func() error {
		if columns[table] == nil {
			columns[table] = map[string]string{}
		}
		columns[table][column] = typ
		return nil
	})
	if err != nil {
		return nil, explain(err)
	}
	return columns, nil
}

// readTracking reads what Hasura Auth noted about its migrations. The Go generation leaves the table
// of the Node generation behind, so its own comes first.
func (f *finding) readTracking(ctx context.Context, tx pgx.Tx, columns map[string]map[string]string) error {
	var err error
	switch {
	case columns["schema_migrations"]["dirty"] == "boolean":
		err = tx.QueryRow(ctx, `select version, dirty from auth.schema_migrations order by version desc limit 1`).
			Scan(&f.version, &f.dirty)
		f.generation = FromGo
	case columns["migrations"]["hash"] != "" && columns["migrations"]["executed_at"] != "":
		err = tx.QueryRow(ctx, `select max(id) from auth.migrations having max(id) is not null`).Scan(&f.version)
		f.generation = FromNode
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return explain(err)
	}
	return nil
}

// baselineApplied reports that the schema is ours: made by us, or adopted.
func baselineApplied(ctx context.Context, tx pgx.Tx, columns map[string]map[string]string) (bool, error) {
	if columns["postern_migrations"] == nil {
		return false, nil
	}
	var applied bool
	err := tx.QueryRow(ctx, `select exists (select from auth.postern_migrations where version_id = $1 and is_applied)`,
		baselineMigration).Scan(&applied)
	if err != nil {
		return false, explain(err)
	}
	return applied, nil
}

// recogniseUntracked judges a schema in which neither Hasura Auth nor we noted a migration.
func recogniseUntracked(columns map[string]map[string]string) (kind, string) {
	users := columns["users"]
	switch {
	case users["encrypted_password"] != "" && users["instance_id"] != "":
		return kindForeign, "schema auth belongs to Supabase Auth (GoTrue), which cannot be adopted in place"
	case users["ticket"] != "" && users["otp_hash"] != "":
		return kindForeign, "the tables look like those of Hasura Auth, but the record of its migrations (auth.schema_migrations or auth.migrations) is missing, so their version is not known; restore that table from where this database was copied"
	}
	others := make([]string, 0, len(columns))
	for table := range columns {
		if table != "postern_migrations" && table != "postern_state" { // a first migration that broke off
			others = append(others, "auth."+table)
		}
	}
	if len(others) == 0 {
		return kindEmpty, ""
	}
	slices.Sort(others)
	if len(others) > 5 {
		others = append(others[:5], fmt.Sprintf("and %d more", len(others)-5))
	}
	return kindForeign, "schema auth holds tables of another program (" + strings.Join(others, ", ") + ")"
}

// strayObjects looks for what would collide with our first migrations in a schema without tables.
func strayObjects(ctx context.Context, tx pgx.Tx) (string, error) {
	rows, _ := tx.Query(ctx, `
		select 'type auth.' || typname from pg_type where typnamespace = to_regnamespace('auth') and typname = 'email'
		union all
		select 'function auth.' || proname from pg_proc where pronamespace = to_regnamespace('auth')
		and proname in ('set_current_timestamp_updated_at', 'ensure_audit_partitions') order by 1`)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", explain(err)
	}
	if len(names) == 0 {
		return "", nil
	}
	return "schema auth has no tables but holds " + strings.Join(names, ", ") + ", which another program made", nil
}
