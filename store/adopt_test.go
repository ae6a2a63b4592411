package store_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

// what a fixture is called, and the database it makes.
type fixture struct {
	gen     generation
	version int
}

func (f fixture) String() string { return fmt.Sprintf("%s %d", f.gen.name, f.version) }

// handBack are the databases that Migrate adopts by itself.
func handBack() []fixture {
	return []fixture{
		{node(), 16},
		{node(), 17},
		{golanguage(), 16},
		{golanguage(), 17},
		{golanguage(), 18},
		{golanguage(), 19},
		{golanguage(), 20},
		{golanguage(), 23},
		{golanguage(), 26},
	}
}

func TestMigrateAdoptsAndHasuraAuthCanRunAgain(t *testing.T) {
	t.Parallel()
	for _, f := range handBack() {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			url := hasuraAuth(t, f.gen, f.version)
			conn := dial(t, url)
			schema, tracking, rows := catalogue(t, conn), tracked(t, conn), contents(t, conn)

			migrate(t, url)

			if missing := without(schema, catalogue(t, conn)); len(missing) > 0 {
				t.Errorf("gone after the adoption:\n%s", strings.Join(missing, "\n"))
			}
			if diff := cmp.Diff(tracking, tracked(t, conn)); diff != "" {
				t.Errorf("Hasura Auth's record of migrations changed:\n%s", diff)
			}
			if diff := cmp.Diff(rows, contents(t, conn)); diff != "" {
				t.Errorf("rows changed:\n%s", diff)
			}
			a, err := store.AdoptionState(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if a.From != f.gen.name || a.Version != int64(f.version) || a.Committed || !a.MayHandBack() {
				t.Errorf("adoption recorded as %+v", a)
			}
			if age := time.Since(a.AdoptedAt); age < -time.Minute || age > time.Minute {
				t.Errorf("adopted at %v", a.AdoptedAt)
			}
			oldServerWorks(t, conn)

			// The old server, or a later version of it, starts again and migrates on.
			later := f.gen
			if f.gen.name == node().name {
				later = golanguage()
				run(t, conn, `create table auth.schema_migrations (version bigint not null primary key, dirty boolean not null)`)
			}
			if err := later.migrate(t.Context(), conn, f.version, 26); err != nil {
				t.Fatalf("Hasura Auth cannot go on after the hand-back: %v", err)
			}
			oldServerWorks(t, conn)
			migrate(t, url)
			if b, err := store.AdoptionState(t.Context(), url); err != nil || a != b {
				t.Errorf("coming back changed the adoption from %+v to %+v, %v", a, b, err)
			}
		})
	}
}

// oldServerWorks runs what Hasura Auth runs, in its words.
func oldServerWorks(t testing.TB, conn *pgx.Conn) {
	t.Helper()
	var id string
	err := conn.QueryRow(t.Context(), `
		insert into auth.refresh_tokens (user_id, refresh_token_hash, expires_at, type, metadata)
		values ($1, '\x' || encode(sha256('new'), 'hex'), now() + interval '1 day', 'regular', null) returning id::text`, fixtureUser).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		sql  string
		rows int64
	}{
		{`update auth.refresh_tokens set refresh_token_hash = '\x' || encode(sha256('newer'), 'hex'), expires_at = now() + interval '1 day'
			where refresh_token_hash = '\x' || encode(sha256('new'), 'hex') and expires_at > now() and type = 'regular'`, 1},
		{`select u.id, array_agg(r.role) from auth.refresh_tokens t join auth.users u on u.id = t.user_id join auth.user_roles r on r.user_id = u.id
			where t.refresh_token_hash = ` + fixtureHash + ` and t.expires_at > now() and not u.disabled group by u.id`, 1},
		{`update auth.users set last_seen = now(), ticket = 'passwordReset:' || gen_random_uuid(), ticket_expires_at = now() + interval '1 hour' where email = 'ADA@example.com'`, 1},
		{`insert into auth.users (locale, display_name, email, password_hash, ticket, ticket_expires_at, metadata) values ('en', 'b', 'b@example.com', '', 'verifyEmail:x', now(), '{}')`, 1},
		{`insert into auth.users (id, locale, email) values (gen_random_uuid(), 'en', 'c@example.com') on conflict do nothing`, 1},
		{`insert into auth.user_security_keys (user_id, credential_id, credential_public_key, nickname) select id, 'c' || id, '\x02', 'key' from auth.users where email = 'b@example.com'`, 1},
		{`delete from auth.refresh_tokens where refresh_token_hash = '\x' || encode(sha256('newer'), 'hex')`, 1},
		{`delete from auth.users where email in ('b@example.com', 'c@example.com')`, 2},
		{`insert into auth.roles (role) values ('user'), ('me') on conflict do nothing`, 0},
		{`update auth.users set disabled = not disabled, default_role = default_role where email = 'ADA@example.com'`, 1},
		{`update auth.users set disabled = not disabled where email = 'ADA@example.com'`, 1},
	} {
		tag, err := conn.Exec(t.Context(), s.sql)
		if err != nil {
			t.Fatalf("a statement of Hasura Auth fails: %s: %v", s.sql, err)
		}
		if tag.RowsAffected() != s.rows {
			t.Errorf("%d rows instead of %d: %s", tag.RowsAffected(), s.rows, s.sql)
		}
	}
}

func TestAdoptionRenewsIDsThatAreTokens(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, node(), 17)
	conn := dial(t, url)
	migrate(t, url)
	ids := read(t, conn, `select id::text from auth.refresh_tokens where refresh_token_hash = `+fixtureHash)
	if len(ids) != 1 || ids[0] == fixtureToken {
		t.Errorf("the token %s is found in rows %v", fixtureToken, ids)
	}
}

func TestCommittingGivesTheSchemaOfAFreshDatabase(t *testing.T) {
	t.Parallel()
	fresh := testpg.Empty(t)
	migrate(t, fresh)
	run(t, dial(t, fresh), `insert into auth.roles (role) values ('editor')`)
	want := catalogue(t, dial(t, fresh))
	fixtures := handBack()
	for _, v := range []int{1, 4, 7, 9, 11, 12, 13, 14, 15} {
		fixtures = append(fixtures, fixture{node(), v})
	}
	fixtures = append(fixtures, fixture{golanguage(), 13}, fixture{golanguage(), 15})
	for _, f := range fixtures {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			url := hasuraAuth(t, f.gen, f.version)
			conn := dial(t, url)
			tracking := tracked(t, conn)
			if f.version%2 == 0 && f.version >= 16 {
				migrate(t, url) // committing later is the same as at once
			}
			p, err := store.Adopt(t.Context(), url, true)
			if err != nil {
				t.Fatal(err)
			}
			a, err := store.AdoptionState(t.Context(), url)
			if err != nil || a != p.Adoption || !a.Committed || a.CommittedAt.IsZero() || a.MayHandBack() {
				t.Errorf("adoption %+v, %v; reported %+v", a, err, p.Adoption)
			}
			if diff := cmp.Diff(tracking, tracked(t, conn)); diff != "" {
				t.Errorf("Hasura Auth's record of migrations changed:\n%s", diff)
			}
			if diff := cmp.Diff(expected(want, f), expected(catalogue(t, conn), f)); diff != "" {
				t.Errorf("schema (-fresh +adopted):\n%s", diff)
			}
			if got := read(t, conn, `select u.email::text || ' ' || t.type || ' ' || (t.id <> $1)::text from auth.refresh_tokens t join auth.users u on u.id = t.user_id
				where t.refresh_token_hash = `+fixtureHash, fixtureToken); !slices.Equal(got, []string{"Ada@Example.com regular true"}) {
				t.Errorf("the old session is %v", got)
			}
			oldServerWorks(t, conn)
			if _, err := store.Adopt(t.Context(), url, true); err != nil {
				t.Errorf("committing twice: %v", err)
			}
		})
	}
}

// expected leaves out what an adopted database has for good and a fresh one has not: Hasura Auth's
// record of migrations, and what its versions after 19 made.
func expected(lines []string, f fixture) []string {
	out := []string{}
	for _, l := range lines {
		own := strings.Contains(l, "auth.schema_migrations") || strings.Contains(l, "auth.migrations")
		if f.version >= 20 {
			own = own || strings.Contains(l, "oauth2") || strings.Contains(l, "otp_attempts") ||
				strings.Contains(l, "issuer") || strings.Contains(l, "user_providers_user_id_provider_id_idx")
		}
		if !own {
			out = append(out, l)
		}
	}
	return out
}

// An adopted database differs from a fresh one in what later migrations of Hasura Auth change, and
// in nothing else, as long as it can be handed back.
func TestAdoptedDiffersFromFreshByLaterMigrationsOnly(t *testing.T) {
	t.Parallel()
	fresh := testpg.Empty(t)
	migrate(t, fresh)
	run(t, dial(t, fresh), `insert into auth.roles (role) values ('editor')`)
	want := catalogue(t, dial(t, fresh))
	locale := []string{"column auth.users.locale character varying(3) null=f default= generated= identity="}
	for _, test := range []struct {
		fixture
		missing, extra []string
	}{
		{fixture{golanguage(), 19}, nil, nil},
		{fixture{golanguage(), 18}, locale, []string{"column auth.users.locale character varying(2) null=f default= generated= identity="}},
		{
			fixture{node(), 16},
			append([]string{`row providers {"id": "entraid"}`}, locale...),
			[]string{
				"column auth.users.locale character varying(2) null=f default= generated= identity=",
				"constraint auth.user_providers.user_providers_user_id_provider_id_key UNIQUE (user_id, provider_id)",
				"index CREATE UNIQUE INDEX user_providers_user_id_provider_id_key ON auth.user_providers USING btree (user_id, provider_id)",
			},
		},
	} {
		t.Run(test.String(), func(t *testing.T) {
			t.Parallel()
			url := hasuraAuth(t, test.gen, test.version)
			migrate(t, url)
			got := expected(catalogue(t, dial(t, url)), test.fixture)
			slices.Sort(test.missing)
			missing, extra := without(want, got), without(got, want)
			slices.Sort(missing)
			if !slices.Equal(missing, test.missing) || !slices.Equal(extra, test.extra) {
				t.Errorf("missing %q, want %q\nextra %q, want %q", missing, test.missing, extra, test.extra)
			}
		})
	}
}

func TestOldSchemasNeedACommit(t *testing.T) {
	t.Parallel()
	for _, f := range []fixture{{node(), 1}, {node(), 13}, {node(), 15}, {golanguage(), 15}} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			url := hasuraAuth(t, f.gen, f.version)
			conn := dial(t, url)
			before := append(catalogue(t, conn), contents(t, conn)...)
			_, adoptErr := store.Adopt(t.Context(), url, false)
			for _, err := range []error{store.Migrate(t.Context(), url), adoptErr} {
				if err == nil || !strings.Contains(err.Error(), "postern adopt --check") || !strings.Contains(err.Error(), "postern adopt --commit") {
					t.Errorf("without a commit: %v", err)
				}
			}
			p, err := store.PlanAdoption(t.Context(), url)
			if err != nil || !p.NeedsCommit || !p.Adoptable() {
				t.Errorf("plan: %v, %v", p, err)
			}
			if diff := cmp.Diff(before, append(catalogue(t, conn), contents(t, conn)...)); diff != "" {
				t.Errorf("a refusal changed something:\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotUnderstoodIsLeftAlone(t *testing.T) {
	t.Parallel()
	from := func(g generation, version int, sql string) func(testing.TB) string {
		return func(t testing.TB) string {
			url := hasuraAuth(t, g, version)
			run(t, dial(t, url), sql)
			return url
		}
	}
	nothing := func(sql string) func(testing.TB) string {
		return func(t testing.TB) string {
			url := testpg.Empty(t)
			run(t, dial(t, url), sql)
			return url
		}
	}
	for _, test := range []struct {
		name string
		open func(testing.TB) string
		want []string
	}{
		{
			"a dirty migration", from(golanguage(), 18, `update auth.schema_migrations set version = 19, dirty = true`),
			[]string{"migration 19", "dirty", "broke off", "postern adopt --check"},
		},
		{
			"a dirty first migration", nothing(`create schema auth; create table auth.schema_migrations (version bigint primary key, dirty boolean not null); insert into auth.schema_migrations values (1, true)`),
			[]string{"migration 1", "dirty"},
		},
		{
			"Hasura Auth that never finished its first start", nothing(`create schema auth; create table auth.schema_migrations (version bigint primary key, dirty boolean not null)`),
			[]string{"applied none", "postern migrate"},
		},
		{
			"Supabase", nothing(`create schema auth; create table auth.schema_migrations (version varchar(255) primary key);
				insert into auth.schema_migrations values ('20171026211738');
				create table auth.users (instance_id uuid, id uuid primary key, aud varchar(255), email varchar(255), encrypted_password varchar(255));
				create table auth.refresh_tokens (instance_id uuid, id bigserial, token varchar(255), user_id varchar(255))`),
			[]string{"Supabase Auth", "import the users", "docs/adoption.md"},
		},
		{
			"another program's tables", nothing(`create schema auth; create table auth.people (id int)`),
			[]string{"another program", "auth.people"},
		},
		{
			"another program that uses golang-migrate", nothing(`create schema auth; create table auth.people (id int); create table auth.schema_migrations (version bigint primary key, dirty boolean not null); insert into auth.schema_migrations values (18, false)`),
			[]string{"but not its tables"},
		},
		{
			"only another program's type", nothing(`create schema auth; create domain auth.email as text`),
			[]string{"another program", "type auth.email"},
		},
		{
			"a copy without its record of migrations", from(golanguage(), 18, `drop table auth.schema_migrations`),
			[]string{"record of its migrations", "missing"},
		},
		{
			"a Node generation that never was", from(node(), 17, `insert into auth.migrations values (18, 'x', 'y')`),
			[]string{"ended with migration 17", "postern adopt --check"},
		},
		{
			"a constraint was dropped", from(golanguage(), 18, `alter table auth.users drop constraint users_email_key`),
			[]string{"auth.users lacks constraint users_email_key: UNIQUE (email)", "postern adopt --check"},
		},
		{
			"a column was dropped", from(golanguage(), 18, `alter table auth.users drop column otp_hash`),
			[]string{"auth.users lacks column otp_hash"},
		},
		{
			"a column has another type", from(golanguage(), 18, `alter table auth.users alter column metadata type text`),
			[]string{"auth.users.metadata is of type text, not jsonb"},
		},
		{
			"a column that inserts must fill", from(golanguage(), 18, `alter table auth.user_roles add column tenant int not null default 1; alter table auth.user_roles alter column tenant drop default`),
			[]string{"auth.user_roles.tenant", "must be null or have a default"},
		},
		{
			"a default was dropped", from(golanguage(), 18, `alter table auth.users alter column id drop default`),
			[]string{"auth.users.id must be null or have a default"},
		},
		{
			"a name we need is taken", from(golanguage(), 18, `create table auth.tickets (id int); alter table auth.refresh_tokens add column user_agent text`),
			[]string{"auth.tickets", "auth.refresh_tokens.user_agent", "rename or move"},
		},
		{
			"a version that tells a lie", from(golanguage(), 15, `update auth.schema_migrations set version = 14; alter table auth.refresh_tokens drop column refresh_token_hash; update auth.schema_migrations set version = 18`),
			[]string{"auth.refresh_tokens lacks column refresh_token_hash"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.open(t)
			conn := dial(t, url)
			before := append(catalogue(t, conn), tracked(t, conn)...)
			p, err := store.PlanAdoption(t.Context(), url)
			if err != nil || p.Adoptable() || len(p.Next) == 0 {
				t.Errorf("plan: %v, %v", p, err)
			}
			_, adoptErr := store.Adopt(t.Context(), url, false)
			_, commitErr := store.Adopt(t.Context(), url, true)
			said := []string{p.String()}
			for _, err := range []error{store.Migrate(t.Context(), url), adoptErr, commitErr} {
				if err == nil {
					t.Fatal("accepted")
				}
				said = append(said, err.Error())
			}
			for _, s := range said {
				for _, want := range test.want {
					if !strings.Contains(s, want) {
						t.Errorf("%q is missing in: %s", want, s)
					}
				}
			}
			if diff := cmp.Diff(before, append(catalogue(t, conn), tracked(t, conn)...)); diff != "" {
				t.Errorf("a refusal changed something:\n%s", diff)
			}
		})
	}
}

func TestPlanAdoptionSaysWhatWouldChangeAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		open func(testing.TB) string
		want []string
		not  []string
	}{
		{"empty", testpg.Empty, []string{"nothing yet", "postern migrate"}, []string{"would"}},
		{"ours", testpg.New, []string{"made by Postern", "nothing to adopt"}, []string{"would", "Next"}},
		{
			"go 18", func(t testing.TB) string { return hasuraAuth(t, golanguage(), 18) },
			[]string{"Hasura Auth (Go generation) at migration 18", "give sessions from before migration 15 a new id", "(now: 1)", "allow locales of three letters", "passwords that are not hashed with bcrypt", "postern adopt --commit"},
			[]string{"encrypted", "OAuth2", "link two accounts", "cannot be adopted"},
		},
		{
			"node 16", func(t testing.TB) string { return hasuraAuth(t, node(), 16) },
			[]string{"Hasura Auth (Node generation) at migration 16", "a user cannot link two accounts", "add the provider entraid"},
			nil,
		},
		{
			"node 8", func(t testing.TB) string { return hasuraAuth(t, node(), 8) },
			[]string{"at migration 8", "rename auth.user_authenticators", "without a way back"},
			[]string{"would lose"},
		},
		{
			"go 24 with encrypted secrets and a view", func(t testing.TB) string {
				url := hasuraAuth(t, golanguage(), 24)
				run(t, dial(t, url), `update auth.users set totp_secret = repeat('0a', 40); update auth.schema_migrations set version = 31`)
				return url
			},
			[]string{"1 TOTP secrets are encrypted", "OAuth2 provider", "migration 31 is newer"},
			[]string{"two letters"},
		},
		{
			"go 18 with a view on the locale", func(t testing.TB) string {
				url := hasuraAuth(t, golanguage(), 18)
				run(t, dial(t, url), `create view public.people as select id, locale from auth.users`)
				return url
			},
			[]string{"keeps two letters even after committing", "public.people"},
			nil,
		},
		{
			"adopted, with things to lose", func(t testing.TB) string {
				url := hasuraAuth(t, golanguage(), 18)
				migrate(t, url)
				run(t, dial(t, url), `
					insert into auth.tickets (purpose, secret_hash, created_at, expires_at)
						select 'reset', sha256(i::text::bytea), now(), now() + make_interval(hours => i) from generate_series(-1, 2) i;
					insert into postern_river.river_job (kind, args, max_attempts) values ('postern_mail', '{}', 3);
					insert into auth.users (locale, password_hash) values ('en', '$argon2id$v=19$x'), ('en', '$argon2id$v=19$y'), ('en', ''), ('en', null), ('en', '$2b$10$x');
					insert into auth.users (locale, banned_until, deleted_at, disabled) values ('en', now() + interval '1 hour', null, false),
						('en', now() - interval '1 hour', null, false), ('en', null, now(), false), ('en', null, now(), true)`)
				return url
			},
			[]string{"adopted from Hasura Auth (Go generation) at migration 18; the way back is open", "nobody has opened yet (now: 2)", "not sent yet (now: 1)", "not hashed with bcrypt; their owners must reset them (now: 2)", "unless they are disabled too (now: 2)", "stop Postern and start Hasura Auth again"},
			[]string{"Adopting it would"},
		},
		{
			"committed", func(t testing.TB) string {
				url := hasuraAuth(t, golanguage(), 18)
				if _, err := store.Adopt(t.Context(), url, true); err != nil {
					t.Fatal(err)
				}
				return url
			},
			[]string{"adopted for good from Hasura Auth (Go generation) at migration 18"},
			[]string{"would", "Next"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.open(t)
			conn := dial(t, url)
			before := catalogue(t, conn)
			run(t, conn, `select pg_advisory_lock(8101821198418210305)`) // it waits for nobody
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			p, err := store.PlanAdoption(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(p.String(), want) {
					t.Errorf("%q is missing in:\n%s", want, p)
				}
			}
			for _, not := range test.not {
				if strings.Contains(p.String(), not) {
					t.Errorf("%q is said in:\n%s", not, p)
				}
			}
			if diff := cmp.Diff(before, catalogue(t, conn)); diff != "" {
				t.Errorf("planning changed something:\n%s", diff)
			}
		})
	}
}

func TestCommittingLeavesALocaleWithAView(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, golanguage(), 18)
	conn := dial(t, url)
	run(t, conn, `create view public.people as select id, locale from auth.users`)
	if _, err := store.Adopt(t.Context(), url, true); err != nil {
		t.Fatal(err)
	}
	if got := read(t, conn, `select locale from public.people`); !slices.Equal(got, []string{"en"}) {
		t.Errorf("the view reads %v", got)
	}
}

func TestAnEnumerationInUseStays(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, node(), 13)
	conn := dial(t, url)
	run(t, conn, `create table public.mine (kind public.refresh_token_type)`)
	if _, err := store.Adopt(t.Context(), url, true); err != nil {
		t.Fatal(err)
	}
	run(t, conn, `insert into public.mine values ('pat')`)
}

func TestThereIsNothingToAdoptInAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	url := testpg.Empty(t)
	if _, err := store.Adopt(t.Context(), url, true); err == nil || !strings.Contains(err.Error(), "postern migrate") {
		t.Errorf("adopting nothing: %v", err)
	}
	if _, err := store.AdoptionState(t.Context(), url); err == nil || !strings.Contains(err.Error(), "postern migrate") {
		t.Errorf("state of nothing: %v", err)
	}
}

func TestABusyTableIsWaitedForInShortTurns(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, golanguage(), 18)
	conn := dial(t, url)
	run(t, conn, `begin; select * from auth.refresh_tokens`)
	done := make(chan error, 1)
	go func() { done <- store.Migrate(t.Context(), url) }()
	// The migration gives the table free at least once while the reader goes on.
	waiting := `select count(*)::text from pg_stat_activity where datname = current_database() and application_name = 'postern migrate' and wait_event_type = 'Lock' and query ilike 'alter table%'`
	other := dial(t, url)
	for _, want := range []string{"1", "0"} {
		for read(t, other, waiting)[0] != want {
			select {
			case err := <-done:
				t.Fatalf("Migrate ended with %v while the table was busy", err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	run(t, conn, `commit`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// The guide says how to remove what Postern added. What it says works and leaves nothing behind.
func TestTheGuideRemovesWhatWasAdded(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/adoption.md")
	if err != nil {
		t.Fatal(err)
	}
	_, removal, _ := strings.Cut(string(guide), "```sql\ndrop schema")
	removal, _, ok := strings.Cut(removal, "```")
	if !ok {
		t.Fatal("the guide has no SQL that removes")
	}
	url := hasuraAuth(t, golanguage(), 18)
	conn := dial(t, url)
	before := catalogue(t, conn)
	migrate(t, url)
	run(t, conn, "drop schema"+removal)
	if diff := cmp.Diff(before, catalogue(t, conn)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	migrate(t, url) // and back again
}

// tracked is what Hasura Auth noted about its migrations, to the byte.
func tracked(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	var all []string
	for _, table := range []string{"auth.schema_migrations", "auth.migrations"} {
		if read(t, conn, `select coalesce(to_regclass($1)::text, '')`, table)[0] != "" {
			all = append(all, read(t, conn, `select concat_ws(' ', xmin, ctid, to_jsonb(m)) from `+table+` m order by 1`)...)
		}
	}
	return all
}

// contents is every row of Hasura Auth's tables, without the columns that we add and the one id
// that adoption renews.
func contents(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	var all []string
	for _, table := range []string{"users", "roles", "user_roles", "providers", "user_providers", "provider_requests", "refresh_tokens"} {
		all = append(all, read(t, conn, `select '`+table+` ' || (to_jsonb(r)
			- '{aal,amr,factor_id,user_agent,address_prefix,rotated_at,ends_at,factor_due}'::text[]
			- case when '`+table+`' = 'users' then '{banned_until,deleted_at,password_must_change,email_confirmed_at,phone_confirmed_at,last_sign_in_at,seen_on,updated_on,contested,other_factors}'::text[] else '{}' end
			- case when '`+table+`' = 'user_providers' then '{profile,email,email_verified,signed_in_at}'::text[] else '{}' end
			- case when to_jsonb(r) ->> 'refresh_token_hash' = `+fixtureHash+` then 'id' else '' end)::text
			from auth.`+table+` r order by 1`)...)
	}
	return all
}

// without lists the lines that are not among others.
func without(lines, others []string) []string {
	var missing []string
	for _, l := range lines {
		if !slices.Contains(others, l) {
			missing = append(missing, l)
		}
	}
	return missing
}
