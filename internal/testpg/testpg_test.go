package testpg_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
)

func TestDatabases(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		open     func(testing.TB) string
		migrated bool
	}{
		{"new is migrated", testpg.New, true},
		{"so is a second one, and it is another", testpg.New, true},
		{"empty has nothing", testpg.Empty, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := pgx.Connect(t.Context(), test.open(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(t.Context()) }()
			var migrated, extended bool
			err = conn.QueryRow(t.Context(), `select to_regclass('auth.users') is not null,
				exists (select from pg_extension where extname in ('citext', 'pgcrypto'))`).Scan(&migrated, &extended)
			if err != nil {
				t.Fatal(err)
			}
			if migrated != test.migrated || extended != test.migrated {
				t.Errorf("tables are there: %t, extensions: %t, want both %t", migrated, extended, test.migrated)
			}
			if _, err := conn.Exec(t.Context(), "create table public.only_here ()"); err != nil {
				t.Errorf("the database is not this test's alone: %v", err)
			}
		})
	}
}
