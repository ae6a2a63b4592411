package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

func TestMigrateAppliesEverythingOnce(t *testing.T) {
	t.Parallel()
	url := testpg.Empty(t)
	before, err := store.MigrationStatus(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) < 4 || slices.ContainsFunc(before, func(s store.MigrationState) bool { return !s.AppliedAt.IsZero() }) {
		t.Errorf("status of an empty database: %v", before)
	}
	if got := catalogue(t, dial(t, url)); len(got) != 1 { // plpgsql
		t.Errorf("asking for the status made something: %v", got)
	}
	migrate(t, url)
	first := status(t, url)
	for _, s := range first {
		if age := time.Since(s.AppliedAt); age < -time.Minute || age > time.Minute {
			t.Errorf("%s %d %s applied at %v", s.Source, s.Version, s.Name, s.AppliedAt)
		}
	}
	migrate(t, url)
	if diff := cmp.Diff(first, status(t, url)); diff != "" {
		t.Errorf("a second run changed the history (-first +second):\n%s", diff)
	}
	if a, err := store.AdoptionState(t.Context(), url); err != nil || a != (store.Adoption{}) || a.MayHandBack() {
		t.Errorf("adoption of our own database: %+v, %v", a, err)
	}
}

func TestAnUpToDateDatabaseIsLeftWithoutLock(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn := dial(t, url)
	run(t, conn, `begin; lock table auth.refresh_tokens, auth.users in access exclusive mode`)
	run(t, conn, `select pg_advisory_lock(8101821198418210305)`) // the key of migrationLock
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := store.Migrate(ctx, url); err != nil {
		t.Errorf("an up-to-date database made Migrate wait: %v", err)
	}
}

func TestFiveProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		open func(testing.TB) string
	}{
		{"an empty database", testpg.Empty},
		{"a database of Hasura Auth", func(t testing.TB) string { return hasuraAuth(t, golanguage(), 18) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.open(t)
			var all sync.WaitGroup
			errs := make([]error, 5)
			for i := range errs {
				all.Go(func() { errs[i] = store.Migrate(t.Context(), url) })
			}
			all.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			got := read(t, dial(t, url), `select version_id::text from auth.postern_migrations order by id`)
			want := []string{"0"}
			for _, s := range status(t, url) {
				if s.Source == "postern" {
					want = append(want, strconv.FormatInt(s.Version, 10))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
		})
	}
}

// Every backend of a migration dies the moment the named object exists, as when the process or the
// server is killed. The next run finishes.
func TestABrokenMigrationIsResumed(t *testing.T) {
	t.Parallel()
	starts := map[string]func(testing.TB) string{
		"empty": testpg.Empty,
		"go 18": func(t testing.TB) string { return hasuraAuth(t, golanguage(), 18) },
	}
	want := map[string][]string{}
	for name, open := range starts {
		url := open(t)
		migrate(t, url)
		want[name] = catalogue(t, dial(t, url))
	}
	for _, object := range []string{
		"auth.postern_migrations", "auth.postern_state", "auth.users", "auth.user_security_keys", "auth.tickets",
		"auth.audit_entries", "auth.events", "postern_river.river_migration", "postern_river.river_job", "postern_river.river_queue",
	} {
		for name, open := range starts {
			t.Run(name+" "+object, func(t *testing.T) {
				t.Parallel()
				url := open(t)
				if name != "empty" && (object == "auth.users" || object == "auth.user_security_keys") {
					return // not made here
				}
				conn := dial(t, url)
				run(t, conn, fmt.Sprintf(`
					create function public.crash() returns event_trigger language plpgsql as $$
					begin
						if exists (select from pg_event_trigger_ddl_commands() where object_identity = '%s') then
							perform pg_terminate_backend(pid) from pg_stat_activity
								where datname = current_database() and application_name = 'postern migrate' and pid <> pg_backend_pid();
							perform pg_terminate_backend(pg_backend_pid());
						end if;
					end $$;
					create event trigger crash on ddl_command_end execute function public.crash()`, object))
				if err := store.Migrate(t.Context(), url); err == nil {
					t.Fatal("the crash did not happen")
				}
				run(t, conn, `drop event trigger crash; drop function public.crash()`)
				migrate(t, url)
				if diff := cmp.Diff(want[name], catalogue(t, conn)); diff != "" {
					t.Errorf("schema after a crash (-undisturbed +resumed):\n%s", diff)
				}
			})
		}
	}
}

func TestMigrateWaitsForHasuraAuthAndSaysSo(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, golanguage(), 18)
	conn := dial(t, url)
	before := catalogue(t, conn)
	// The key is computed here as golang-migrate documents it, in SQL and not by our own code.
	key := read(t, conn, `select current_database()`)[0]
	run(t, conn, `select pg_advisory_lock($1)`, int64(crc("auth\x00schema_migrations\x00"+key)*1486364155))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := store.Migrate(ctx, url)
	if err == nil || !strings.Contains(err.Error(), "Hasura Auth holds its migration lock") {
		t.Errorf("while Hasura Auth migrates: %v", err)
	}
	if diff := cmp.Diff(before, catalogue(t, conn)); diff != "" {
		t.Errorf("something changed meanwhile:\n%s", diff)
	}
	run(t, conn, `select pg_advisory_unlock_all()`)
	migrate(t, url)
}

// crc is CRC-32/IEEE, bit by bit.
func crc(s string) uint32 {
	sum := ^uint32(0)
	for _, b := range []byte(s) {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	return ^sum
}

func TestMissingRightsAreNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		open  func(testing.TB) string
		setup string // {role} is the one that migrates
		want  []string
	}{
		{
			"no right to create a schema", testpg.Empty, ``,
			[]string{"may not create what database", `create schema auth authorization "{role}"`, `create extension citext with schema public`, "grant create on database"},
		},
		{
			"schema auth belongs to another role", testpg.Empty,
			`create schema auth; grant usage on schema auth to "{role}"; create schema postern_river authorization "{role}"; create extension citext with schema public; create extension pgcrypto with schema public`,
			[]string{"may not create tables in schema auth", `grant create, usage on schema auth to "{role}"`},
		},
		{
			"an extension is in another schema", testpg.Empty,
			`create schema extensions; create extension pgcrypto with schema extensions`,
			[]string{"extension pgcrypto is installed in schema extensions", "alter extension pgcrypto set schema public"},
		},
		{
			"the tables of Hasura Auth belong to another role", func(t testing.TB) string { return hasuraAuth(t, golanguage(), 18) },
			`grant create, usage on schema auth to "{role}"; grant select, insert, update, delete on all tables in schema auth to "{role}"`,
			[]string{"does not own the tables it must alter", "auth.refresh_tokens belongs to", "POSTGRES_MIGRATIONS_CONNECTION"},
		},
		{
			"the record of migrations may not be read", func(t testing.TB) string { return hasuraAuth(t, golanguage(), 18) },
			`grant usage on schema auth to "{role}"`,
			[]string{"lacks a right", "schema_migrations", "POSTGRES_MIGRATIONS_CONNECTION"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.open(t)
			limited, role := limitedRole(t, url)
			run(t, dial(t, url), strings.ReplaceAll(test.setup, "{role}", role))
			err := store.Migrate(t.Context(), limited)
			if err == nil {
				t.Fatal("migrated without the right")
			}
			for _, want := range test.want {
				if want = strings.ReplaceAll(want, "{role}", role); !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
		})
	}
}

func TestAnOrdinaryOwnerCanMigrate(t *testing.T) {
	t.Parallel()
	url := testpg.Empty(t)
	limited, role := limitedRole(t, url)
	conn := dial(t, url)
	run(t, conn, fmt.Sprintf(`grant create on database %s to "%s"`,
		pgx.Identifier{read(t, conn, `select current_database()`)[0]}.Sanitize(), role))
	migrate(t, limited)
}

// limitedRole makes a role that may do nothing but connect, and the URL for it.
func limitedRole(t testing.TB, url string) (limited, role string) {
	t.Helper()
	conn := dial(t, url)
	cfg := conn.Config()
	role = "limited_" + cfg.Database
	run(t, conn, fmt.Sprintf(`create role "%s" login password 'limited'`, role))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close(ctx) }()
		_, _ = conn.Exec(ctx, fmt.Sprintf(`drop owned by "%s" cascade; drop role "%[1]s"`, role))
	})
	return fmt.Sprintf("host=%s port=%d dbname='%s' user='%s' password=limited sslmode=disable", cfg.Host, cfg.Port, cfg.Database, role), role
}

func TestABadURLKeepsItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@host:notaport/db", "postgres://u:hunter2@127.0.0.1:1/db?connect_timeout=1"} {
		err := store.Migrate(t.Context(), url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAuditPartitions(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn := dial(t, url)
	count := func(table string) string { return read(t, conn, `select count(*)::text from auth.`+table)[0] }

	run(t, conn, `insert into auth.audit_entries (at, event) values ('2031-02-28 23:59:59.999Z', 'a'), ('2031-03-01 00:00Z', 'b'), ('2031-06-01 00:00Z', 'c')`)
	if got := count("audit_entries_default"); got != "3" {
		t.Errorf("without partitions %s of 3 entries are in the default partition", got)
	}
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		other := dial(t, url)
		all.Go(func() {
			_, errs[i] = other.Exec(t.Context(), `set time zone 'Pacific/Auckland'; select auth.ensure_audit_partitions('2031-02-10 00:00Z')`)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{
		"audit_entries": "3", "audit_entries_default": "1", "audit_entries_2031_02": "1", "audit_entries_2031_03": "1", "audit_entries_2031_04": "0",
	} {
		if got := count(table); got != want {
			t.Errorf("%s holds %s entries, want %s", table, got, want)
		}
	}
	run(t, conn, `insert into auth.audit_entries (at, event) values ('2031-04-30 23:59:59Z', 'd')`)
	if got := count("audit_entries_2031_04"); got != "1" {
		t.Errorf("a new entry did not reach its partition")
	}
	if got := read(t, conn, `select count(distinct id)::text from auth.audit_entries`)[0]; got != "4" {
		t.Errorf("%s different ids of 4 entries", got)
	}
}

func migrate(t testing.TB, url string) {
	t.Helper()
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
}

func status(t testing.TB, url string) []store.MigrationState {
	t.Helper()
	states, err := store.MigrationStatus(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return states
}
