package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"postern/internal/testpg"
	"postern/store"
)

// A function that joins sees what the transaction wrote, and what it writes is kept or lost with it.
func TestFunctionsJoinTransactions(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Settings{Connection: testpg.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{
		`create table public.joined (id serial, body jsonb)`,
		`create function public."Joins"(event jsonb) returns jsonb language plpgsql as $$
			begin insert into public.joined (body) values (event); return (select to_jsonb(count(*)) from public.joined); end $$`,
		`create function public.limits(event jsonb) returns text language sql as $$ select current_setting('statement_timeout') $$`,
		`create function public.nothing(event jsonb) returns jsonb language sql as $$ select null::jsonb $$`,
		`create function public.no_rows(event jsonb) returns setof jsonb language sql as $$ select event where false $$`,
		`create function public.large(event jsonb) returns text language sql as $$ select repeat('x', 200 * 1024 + 1) $$`,
		`create function public.sleeps(event jsonb) returns jsonb language sql as $$ select to_jsonb(pg_sleep(60)::text) $$`,
		`create function public.stubborn(event jsonb) returns jsonb language plpgsql as $$
			begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$`,
		`create schema evil; create function evil.now() returns timestamptz language sql as $$ select '1999-01-01'::timestamptz $$;
		 create function public.meddles(event jsonb) returns jsonb language plpgsql as $$
			begin
				perform set_config('search_path', 'evil, pg_catalog', false), set_config('statement_timeout', '3600000', false), set_config('role', 'pg_monitor', false),
					set_config('app.user', 'somebody', false);
				return null;
			end $$`,
		`create function public.clashes(event jsonb) returns jsonb language plpgsql as $$
			begin raise unique_violation using constraint = 'users_email_key'; end $$`,
	} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	call := func(tx *store.DB, name string) (string, error) {
		limit := 10 * time.Second // which a busy machine does not reach
		if name == "sleeps" || name == "stubborn" {
			limit = 500 * time.Millisecond
		}
		answer, err := tx.CallFunction(t.Context(), "public", name, []byte(`{"a":1}`), limit)
		return string(answer), err
	}
	lost := errors.New("lost")
	for _, test := range []struct {
		want string
		end  error
		rows int
	}{{"1 2 10s  ", lost, 0}, {"1 2 10s  ", nil, 2}, {"3 4 10s  ", lost, 2}} {
		err := db.InTx(t.Context(), func(tx *store.DB) error {
			var all []string
			for _, name := range []string{"Joins", "Joins", "limits", "nothing", "no_rows"} {
				answer, err := call(tx, name)
				if err != nil {
					return err
				}
				all = append(all, answer)
			}
			if d := cmp.Diff(test.want, strings.Join(all, " ")); d != "" {
				t.Errorf("answers (-want +got):\n%s", d)
			}
			var limit string
			if err := tx.QueryRow(t.Context(), "show statement_timeout").Scan(&limit); err != nil || limit != "0" {
				t.Errorf("afterwards statements have %s, %v", limit, err)
			}
			return test.end
		})
		if !errors.Is(err, test.end) {
			t.Errorf("ended with %v, want %v", err, test.end)
		}
		var rows int
		if err := db.QueryRow(t.Context(), "select count(*) from public.joined").Scan(&rows); err != nil || rows != test.rows {
			t.Errorf("%d rows are there, want %d: %v", rows, test.rows, err)
		}
	}
	for name, state := range map[string]string{"sleeps": "57014", "clashes": "23505", "not_there": "42883"} {
		err := db.InTx(t.Context(), func(tx *store.DB) error { _, err := call(tx, name); return err })
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != state {
			t.Errorf("%s: %v, want %s", name, err, state)
		}
	}
	if err := db.InTx(t.Context(), func(tx *store.DB) error { _, err := call(tx, "large"); return err }); err == nil || !strings.Contains(err.Error(), "200 KiB") {
		t.Errorf("a large answer: %v", err)
	}
	began := time.Now()
	err = db.InTx(t.Context(), func(tx *store.DB) error { _, err := call(tx, "stubborn"); return err })
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 20*time.Second {
		t.Errorf("a function that will not be stopped: %v after %s", err, took)
	}
	for gone := false; !gone; { // or the test ends by its own limit
		if err := db.QueryRow(t.Context(), "select not exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')").Scan(&gone); err != nil {
			t.Fatal(err)
		}
	}
	// What a function sets for the session holds neither in the transaction nor after it.
	for range 2 {
		err = db.InTx(t.Context(), func(tx *store.DB) error {
			if _, err := call(tx, "meddles"); err != nil {
				return err
			}
			return asBefore(t, tx)
		})
		if err != nil {
			t.Error(err)
		}
		if err := asBefore(t, db); err != nil {
			t.Error(err)
		}
	}
	if _, err := call(db, "nothing"); err == nil {
		t.Error("a function joined no transaction")
	}
}

// asBefore checks that nobody has changed the settings of a connection.
func asBefore(t *testing.T, db *store.DB) error {
	t.Helper()
	var settings string
	err := db.QueryRow(t.Context(), `select concat_ws(' ', now() > '2000-01-01', current_user = session_user, current_setting('app.user', true), current_setting('statement_timeout'))`).Scan(&settings)
	if err == nil && settings != "t t  0" {
		t.Errorf("the connection has %s", settings)
	}
	return err
}
