package graph_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/store/graph"
)

func isUnreachable(err error) bool {
	var u interface{ Unreachable() bool }
	return errors.As(err, &u) && u.Unreachable()
}

func messages(err error) []string {
	var g interface{ GraphQLErrors() []string }
	if errors.As(err, &g) {
		return g.GraphQLErrors()
	}
	return nil
}

// TestNothingIsWritten asks views whose functions write.
func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	d := open(t, `create table public.notes (id int primary key);
		create function public.note() returns int language plpgsql as $$ begin insert into public.notes values (1); return 1; end $$;
		create view public.writing as select public.note() as n`, "")
	_, err := d.Query(t.Context(), `{ writing { n } }`, nil)
	if got := messages(err); len(got) != 1 || !strings.Contains(got[0], "read-only") {
		t.Errorf("a function that writes: %v", err)
	}
	if got := d.ask(t, `{ notes { id } }`, nil); strings.Contains(got, "1") {
		t.Errorf("it has written: %s", got)
	}
	var readOnly, timeout string
	if err := d.pool.QueryRow(t.Context(), "select current_setting('transaction_read_only'), current_setting('statement_timeout')").Scan(&readOnly, &timeout); err != nil {
		t.Fatal(err)
	}
	if readOnly != "off" || timeout != "0" {
		t.Errorf("the connection is left with read only %s and timeout %s", readOnly, timeout)
	}
}

// TestTimeIsLimited asks for what takes long: Postgres itself ends it, and the connection lives.
func TestTimeIsLimited(t *testing.T) {
	t.Parallel()
	d := open(t, `create view public.slow as select pg_sleep(60)::text as slept`, "")
	d.ask(t, `{ __typename }`, nil)
	before := d.pool.Stat().NewConnsCount()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := d.Query(ctx, `{ slow { slept } }`, nil)
	if !isUnreachable(err) || messages(err) != nil {
		t.Errorf("a slow query: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("Postgres did not end it in time")
	}
	d.ask(t, `{ users { id } }`, nil)
	if after := d.pool.Stat().NewConnsCount(); after != before {
		t.Errorf("the connection was lost: %d new ones", after-before)
	}
	cancel()
	if _, err := d.Query(ctx, `{ users { id } }`, nil); !isUnreachable(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller has gone: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody:hushhush@127.0.0.1:1/none?connect_timeout=2")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	g := graph.Open(pool, graph.Settings{}, time.Now)
	_, err = g.Query(t.Context(), `{ users { id } }`, nil)
	if !isUnreachable(err) || messages(err) != nil || strings.Contains(err.Error(), "hushhush") {
		t.Errorf("without a database: %v", err)
	}
	if _, err := g.Problems(t.Context()); !isUnreachable(err) {
		t.Errorf("problems without a database: %v", err)
	}
}

// TestPoolIsShared asks more slow queries at once than the pool has connections: half of them stay
// free for whoever signs in, out or asks for something else.
func TestPoolIsShared(t *testing.T) {
	t.Parallel()
	d := open(t, `create view public.slow as select pg_sleep(0.2)::text as slept`, "")
	config := d.pool.Config()
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	g := graph.Open(pool, graph.Settings{}, time.Now)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := g.Query(t.Context(), `{ slow { slept } }`, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if opened := pool.Stat().NewConnsCount(); opened > 2 {
		t.Errorf("queries took %d connections at once of 4", opened)
	}
}

// TestSizeIsLimited asks for more than is taken; it stays in the database.
func TestSizeIsLimited(t *testing.T) {
	t.Parallel()
	d := open(t, `create view public.big as select repeat('x', 1100000) as v; create view public.fits as select repeat('x', 1000000) as v`, "")
	_, err := d.Query(t.Context(), `{ big { v } }`, nil)
	if got := messages(err); len(got) != 1 || !strings.HasPrefix(got[0], "the answer has 1100") {
		t.Errorf("a large answer: %.200v", err)
	}
	if got := d.ask(t, `{ fits { v } }`, nil); len(got) < 1_000_000 {
		t.Errorf("an answer of %d bytes", len(got))
	}
}

// TestTablesChange changes tables between queries that were compiled and prepared before.
func TestTablesChange(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	query := `{ departments(order_by: {id: asc}, limit: 1) { name manager { displayName } } }`
	before := d.ask(t, query, nil)
	for i, change := range []string{
		"alter table public.departments alter column name type varchar(100)",
		"alter table public.departments add column later int",
		"alter table public.departments rename to old_departments; create view public.departments as select * from public.old_departments",
		"drop view public.departments; alter table public.old_departments rename to departments",
		"alter table public.departments rename column name to title; alter table public.departments add column name text; update public.departments set name = title",
	} {
		if _, err := d.pool.Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if i == 2 { // a view has no foreign key
			continue
		}
		if diff := cmp.Diff(decoded(t, before), decoded(t, d.ask(t, query, nil))); diff != "" {
			t.Errorf("after %q (-want +got):\n%s", change, diff)
		}
	}
	if _, err := d.pool.Exec(t.Context(), "alter table public.departments drop column name"); err != nil {
		t.Fatal(err)
	}
	_, err := d.Query(t.Context(), query, nil)
	if diff := cmp.Diff([]string{"field 'name' not found in type: 'departments' (at $.selectionSet.departments.selectionSet.name)"}, messages(err)); diff != "" {
		t.Errorf("after the column was dropped (-want +got):\n%s", diff)
	}
}

// TestCatalogIsReadAgain asks for a table that is new; the catalog is not read for each such query.
func TestCatalogIsReadAgain(t *testing.T) {
	t.Parallel()
	d := open(t, "", "")
	now := time.Unix(1_800_000_000, 0)
	g := graph.Open(d.pool, graph.Settings{}, func() time.Time { return now })
	ask := func() string {
		_, err := g.Query(t.Context(), `{ fresh { id } }`, nil)
		return strings.Join(messages(err), "")
	}
	if ask() == "" {
		t.Fatal("a table that is not there was found")
	}
	if _, err := d.pool.Exec(t.Context(), "create table public.fresh (id int)"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if ask() == "" {
		t.Error("the catalog was read again at once")
	}
	now = now.Add(3 * time.Second)
	if got := ask(); got != "" {
		t.Errorf("a new table: %s", got)
	}
	if _, err := d.pool.Exec(t.Context(), "create table public.fresher (id int)"); err != nil {
		t.Fatal(err)
	}
	if err := g.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Query(t.Context(), `{ fresher { id } }`, nil); err != nil {
		t.Errorf("after a refresh: %v", err)
	}
}

// TestMany asks from many sides while tables change.
func TestMany(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	query := `query ($id: uuid!) { user(id: $id) { id profile { id organisation { name } contributesTo { project { title } } } } }`
	want := map[string]any{}
	for _, id := range []string{ann, bob, eve} {
		want[id] = decoded(t, d.ask(t, query, map[string]any{"id": id}))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 60 {
				id := []string{ann, bob, eve}[(worker+i)%3]
				got, err := d.Query(context.WithoutCancel(t.Context()), query, map[string]any{"id": id})
				if err != nil {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				if diff := cmp.Diff(want[id], decoded(t, string(got))); diff != "" {
					t.Errorf("worker %d (-want +got):\n%s", worker, diff)
				}
				if worker == 0 && i%10 == 0 {
					if err := d.Refresh(context.WithoutCancel(t.Context())); err != nil {
						t.Errorf("refresh: %v", err)
					}
				}
				if worker == 1 && i%5 == 0 {
					if _, err := d.pool.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf("alter table public.profiles add column extra%d int", i)); err != nil {
						t.Errorf("alter: %v", err)
					}
				}
			}
		})
	}
	group.Wait()
}

// TestKeysAreUsed plans a claims query with table scans forbidden, as the store's own are.
func TestKeysAreUsed(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	conn, err := d.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), "set enable_seqscan = off; set plan_cache_mode = force_generic_plan; create index on public.shifts (department_id, user_id)"); err != nil {
		t.Fatal(err)
	}
	sql, values, err := d.Statement(t.Context(), `query ($id: uuid!) { user(id: $id) { id email roles { role }
		profile { organisation { name } contributesTo(where: {project_id: {_gt: 0}}) { project { title } } } defaultRoleByRole { role } } }`, map[string]any{"id": ann})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), "explain "+sql, values...)
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	text := strings.Join(plan, "\n")
	if scan := regexp.MustCompile(`Seq Scan on \w+`).FindString(text); scan != "" || !strings.Contains(text, "users_pkey") {
		t.Errorf("the plan has %q:\n%s\n%s", scan, text, sql)
	}
}

// TestTheSchemaIsFresh asks about the schema after a table was made: what is checked against it must
// not have to wait.
func TestTheSchemaIsFresh(t *testing.T) {
	t.Parallel()
	d := open(t, "", "")
	now := time.Unix(1_800_000_000, 0)
	g := graph.Open(d.pool, graph.Settings{}, func() time.Time { return now })
	const asks = `{ __type(name: "gadgets") { name } }`
	answer := func(want string) {
		t.Helper()
		if got, err := g.Query(t.Context(), asks, nil); err != nil || string(got) != want {
			t.Errorf("got %s %v, want %s", got, err, want)
		}
	}
	answer(`{"__type":null}`)
	if _, err := d.pool.Exec(t.Context(), `create table public.gadgets (id int primary key)`); err != nil {
		t.Fatal(err)
	}
	answer(`{"__type":null}`) // a moment old is fresh enough
	now = now.Add(time.Second)
	answer(`{"__type":{"name":"gadgets"}}`)
}

// TestBrokenViewIsNoNews asks a view whose function is gone. The catalog is read again for it once and
// not with each question.
func TestBrokenViewIsNoNews(t *testing.T) {
	t.Parallel()
	d := open(t, `create function public.inner_rate() returns int language sql as 'select 1';
		create function public.rate() returns int language plpgsql as $$ begin return public.inner_rate(); end $$;
		create view public.rates as select public.rate() as rate`, "")
	d.ask(t, `{ rates { rate } }`, nil)
	if _, err := d.pool.Exec(t.Context(), `drop function public.inner_rate()`); err != nil {
		t.Fatal(err)
	}
	before := d.pool.Stat().AcquireCount()
	for range 10 {
		if _, err := d.Query(t.Context(), `{ rates { rate } }`, nil); messages(err) == nil {
			t.Fatal(err)
		}
	}
	if asked := d.pool.Stat().AcquireCount() - before; asked > 10+2 { // the catalog, and the question once more
		t.Errorf("10 questions took %d statements", asked)
	}
}
