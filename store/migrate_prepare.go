package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// prepare makes what the migrations stand on: the schemas and the two extensions. What is there
// already is left alone and needs no right.
func (m *migrator) prepare(ctx context.Context) error {
	var has foundation
	row := m.held.QueryRow(ctx, `
		select current_user, current_database(),
		       has_database_privilege(current_database(), 'CREATE'),
		       to_regnamespace('auth') is not null,
		       coalesce(has_schema_privilege(to_regnamespace('auth'), 'CREATE'), true),
		       to_regnamespace('postern_river') is not null,
		       coalesce((select extnamespace::regnamespace::text from pg_extension where extname = 'citext'), ''),
		       coalesce((select extnamespace::regnamespace::text from pg_extension where extname = 'pgcrypto'), '')`)
	err := row.Scan(&has.role, &has.database, &has.mayCreate, &has.auth, &has.mayFill, &has.river, &has.citext, &has.pgcrypto)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if problem := has.problem(); problem != "" {
		return errors.New("store: " + problem)
	}
	for _, sql := range has.missing() {
		if _, err := m.held.Exec(ctx, sql); err != nil {
			return explain(fmt.Errorf("%s: %w", sql, err))
		}
	}
	return nil
}

// A foundation is what must exist before the first migration.
type foundation struct {
	role, database   string
	mayCreate        bool // schemas and extensions
	auth, river      bool
	mayFill          bool   // create tables in schema auth
	citext, pgcrypto string // the schema each extension is in; empty when it is not installed
}

// missing lists the statements that complete the foundation.
func (f foundation) missing() []string {
	var sql []string
	if !f.auth {
		sql = append(sql, "create schema auth")
	}
	if !f.river {
		sql = append(sql, "create schema "+jobSchema)
	}
	if f.citext == "" {
		sql = append(sql, "create extension citext with schema public")
	}
	if f.pgcrypto == "" {
		sql = append(sql, "create extension pgcrypto with schema public")
	}
	return sql
}

// problem says why the foundation cannot be completed, with the command that helps; empty when it
// can.
func (f foundation) problem() string {
	for name, schema := range map[string]string{"citext": f.citext, "pgcrypto": f.pgcrypto} {
		if schema != "" && schema != "public" {
			return fmt.Sprintf("extension %s is installed in schema %s, and the schema of Hasura Auth needs it in public; a superuser can move it: alter extension %[1]s set schema public", name, schema)
		}
	}
	if sql := f.missing(); len(sql) > 0 && !f.mayCreate {
		return fmt.Sprintf("role %s may not create what database %s lacks; run this as the owner of the database: %s; or: grant create on database %s to %s",
			f.role, f.database, f.withOwner(sql), pgx.Identifier{f.database}.Sanitize(), pgx.Identifier{f.role}.Sanitize())
	}
	if !f.mayFill {
		return fmt.Sprintf("role %s may not create tables in schema auth; its owner can allow it: grant create, usage on schema auth to %s",
			f.role, pgx.Identifier{f.role}.Sanitize())
	}
	return ""
}

// withOwner joins the statements, with the schemas given to the role that migrates.
func (f foundation) withOwner(sql []string) string {
	owned := make([]string, len(sql))
	for i, s := range sql {
		if strings.HasPrefix(s, "create schema ") {
			s += " authorization " + pgx.Identifier{f.role}.Sanitize()
		}
		owned[i] = s
	}
	return strings.Join(owned, "; ")
}
