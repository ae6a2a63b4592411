package store_test

import (
	"context"
	"crypto/sha1" // what the Node generation notes
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
)

// hasuraAuthMigrations says in short words what each migration of Hasura Auth did. Where the two
// generations differ, {enum} stands for the schema of the type that migration 13 made.
var hasuraAuthMigrations = []struct {
	version int
	sql     string
}{
	{1, `
		create extension if not exists citext with schema public;
		create extension if not exists pgcrypto with schema public;
		create function auth.set_current_timestamp_updated_at() returns trigger language plpgsql as $$
declare
  _new record;
begin
  _new := new;
  _new."updated_at" = now();
  return _new;
end;
$$;
		create domain auth.email as public.citext check (value ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_` + "`" + `{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$');
		create table auth.user_providers (id uuid default public.gen_random_uuid() not null primary key,
			created_at timestamptz default now() not null, updated_at timestamptz default now() not null,
			user_id uuid not null, access_token text not null, refresh_token text, provider_id text not null,
			provider_user_id text not null, unique (user_id, provider_id), unique (provider_id, provider_user_id));
		create table auth.user_roles (id uuid default public.gen_random_uuid() not null primary key,
			created_at timestamptz default now() not null, user_id uuid not null, role text not null, unique (user_id, role));
		create table auth.users (id uuid default public.gen_random_uuid() not null primary key,
			created_at timestamptz default now() not null, updated_at timestamptz default now() not null,
			last_seen timestamptz, disabled boolean default false not null, display_name text default '' not null,
			avatar_url text default '' not null, locale varchar(2) not null, email auth.email unique,
			phone_number text unique, password_hash text, email_verified boolean default false not null,
			phone_number_verified boolean default false not null, new_email auth.email, otp_method_last_used text,
			otp_hash text, otp_hash_expires_at timestamptz default now() not null, default_role text default 'user' not null,
			is_anonymous boolean default false not null, totp_secret text, active_mfa_type text, ticket text,
			ticket_expires_at timestamptz default now() not null);
		create table auth.providers (id text not null primary key);
		create table auth.refresh_tokens (refresh_token uuid not null primary key, created_at timestamptz default now() not null,
			expires_at timestamptz not null, user_id uuid not null);
		create table auth.roles (role text not null primary key);
		create table auth.provider_requests (id uuid not null primary key, redirect_url text not null);
		alter table auth.user_providers add constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade;
		alter table auth.user_providers add constraint fk_provider foreign key (provider_id) references auth.providers (id) on update cascade on delete restrict;
		alter table auth.user_roles add constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade;
		alter table auth.user_roles add constraint fk_role foreign key (role) references auth.roles (role) on update cascade on delete restrict;
		alter table auth.users add constraint fk_default_role foreign key (default_role) references auth.roles (role) on update cascade on delete restrict;
		alter table auth.refresh_tokens add constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade;
		create trigger set_auth_user_providers_updated_at before update on auth.user_providers for each row execute function auth.set_current_timestamp_updated_at();
		create trigger set_auth_users_updated_at before update on auth.users for each row execute function auth.set_current_timestamp_updated_at();
		alter table auth.users add constraint active_mfa_types_check check (active_mfa_type = 'totp' or active_mfa_type = 'sms');
		insert into auth.roles (role) values ('user'), ('anonymous'), ('me');
		insert into auth.providers (id) values ('github'), ('facebook'), ('twitter'), ('google'), ('apple'), ('linkedin'),
			('windowslive'), ('spotify'), ('strava'), ('gitlab'), ('bitbucket')`},
	{2, `alter table auth.users add column metadata jsonb`},
	{3, `insert into auth.providers (id) values ('discord'), ('twitch') on conflict do nothing`},
	{4, `alter table auth.provider_requests drop column redirect_url; alter table auth.provider_requests add column options jsonb`},
	{5, `
		comment on table auth.provider_requests is 'Oauth requests, inserted before redirecting to the provider''s site. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.providers is 'List of available Oauth providers. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.roles is 'Persistent Hasura roles for users. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.users is 'User account information. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.refresh_tokens is 'User refresh tokens. Hasura auth uses them to rotate new access tokens as long as the refresh token is not expired. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.user_providers is 'Active providers for a given user. Don''t modify its structure as Hasura Auth relies on it to function properly.';
		comment on table auth.user_roles is 'Roles of users. Don''t modify its structure as Hasura Auth relies on it to function properly.'`},
	{6, `
		alter table auth.users add column webauthn_current_challenge text;
		create table auth.user_authenticators (id uuid default public.gen_random_uuid() not null primary key,
			user_id uuid not null, credential_id text unique not null, credential_public_key bytea,
			counter bigint default 0 not null, transports varchar(255) default '' not null);
		alter table auth.user_authenticators add constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade`},
	{7, `alter table auth.user_authenticators add column nickname text`},
	{8, `insert into auth.providers (id) values ('workos') on conflict do nothing`},
	{9, `
		alter table auth.user_authenticators rename to user_security_keys;
		alter table auth.user_security_keys rename constraint user_authenticators_credential_id_key to user_security_key_credential_id_key;
		alter table auth.user_security_keys rename constraint user_authenticators_pkey to user_security_keys_pkey;
		comment on table auth.user_security_keys is 'User webauthn security keys. Don''t modify its structure as Hasura Auth relies on it to function properly.'`},
	{10, `insert into auth.providers (id) values ('azuread') on conflict do nothing`},
	{11, `
		alter table auth.refresh_tokens add column refresh_token_hash varchar(255) generated always as (sha256(refresh_token::text::bytea)) stored;
		comment on column auth.refresh_tokens.refresh_token is 'deprecated'`},
	{12, `alter table auth.refresh_tokens add column metadata jsonb`},
	{13, `
		create type {enum}.refresh_token_type as enum ('regular', 'pat');
		alter table auth.refresh_tokens add column type {enum}.refresh_token_type not null default 'regular'`},
	{14, `
		alter table auth.refresh_tokens alter column type type text;
		alter table auth.refresh_tokens alter column type drop default;
		drop type {enum}.refresh_token_type;
		create table auth.refresh_token_types (value text primary key, comment text);
		insert into auth.refresh_token_types (value, comment) values ('regular', 'Regular refresh token'), ('pat', 'Personal access token');
		alter table auth.refresh_tokens add constraint refresh_tokens_types_fkey foreign key (type) references auth.refresh_token_types (value) on delete restrict on update restrict;
		alter table auth.refresh_tokens alter column type set default 'regular'`},
	{15, `
		alter table auth.refresh_tokens rename column refresh_token to id;
		comment on column auth.refresh_tokens.id is null;
		alter table auth.refresh_tokens alter column id set default gen_random_uuid();
		alter table auth.refresh_tokens rename column refresh_token_hash to refresh_token_hash_old;
		alter table auth.refresh_tokens add column refresh_token_hash varchar(255);
		update auth.refresh_tokens set refresh_token_hash = refresh_token_hash_old;
		alter table auth.refresh_tokens drop column refresh_token_hash_old`},
	{16, `create index if not exists refresh_tokens_refresh_token_hash_expires_at_user_id_idx on auth.refresh_tokens (refresh_token_hash, expires_at, user_id)`},
	// What follows is written without "if exists", stricter than upstream where it has that: it
	// fails when somebody did the work before.
	{17, `alter table only auth.user_providers drop constraint user_providers_user_id_provider_id_key`},
	{18, `insert into auth.providers (id) values ('entraid')`},
	{19, `alter table auth.users alter column locale type varchar(3)`},
	{20, `
		create function auth.generate_oauth2_client_id() returns text language sql as $$ select 'nhoa_' || encode(public.gen_random_bytes(8), 'hex') $$;
		create table auth.oauth2_clients (client_id text primary key default auth.generate_oauth2_client_id(), client_secret_hash text,
			redirect_uris text[] not null default '{}', type text not null default 'registered',
			created_by uuid references auth.users (id) on delete set null, created_at timestamptz not null default now());
		create table auth.oauth2_auth_requests (id uuid primary key default gen_random_uuid(),
			client_id text not null references auth.oauth2_clients (client_id) on delete cascade,
			user_id uuid references auth.users (id) on delete cascade, expires_at timestamptz not null);
		create table auth.oauth2_refresh_tokens (id uuid primary key default gen_random_uuid(), token_hash text not null unique,
			user_id uuid not null references auth.users (id) on delete cascade, expires_at timestamptz not null)`},
	{22, `create function auth.is_valid_oauth2_scope(text) returns boolean language sql as $$ select true $$`},
	{23, `alter table auth.users add column otp_attempts smallint not null default 0`},
	{24, `alter table auth.user_providers add column issuer text`},
	{25, `create index user_providers_provider_id_issuer_idx on auth.user_providers (provider_id, issuer)`},
	{26, `create index user_providers_user_id_provider_id_idx on auth.user_providers (user_id, provider_id)`},
}

// What the fixtures hold.
const (
	fixtureUser  = "11111111-1111-4111-8111-111111111111"
	fixtureToken = "22222222-2222-4222-8222-222222222222" // its row is from before migration 15: id = token
	fixtureHash  = `'\x' || encode(sha256('` + fixtureToken + `'), 'hex')`
)

// hasuraAuthRows puts somebody into the database when it stands at a version.
func hasuraAuthRows(version int) string {
	switch version {
	case 1:
		return `
			insert into auth.users (id, locale, email, password_hash, ticket, ticket_expires_at, totp_secret)
			values ('` + fixtureUser + `', 'en', 'Ada@Example.com', '$2a$10$abcdefghijklmnopqrstuv', 'verifyEmail:33333333-3333-4333-8333-333333333333', now() + interval '1 day', 'JBSWY3DPEHPK3PXP');
			insert into auth.user_roles (user_id, role) values ('` + fixtureUser + `', 'user'), ('` + fixtureUser + `', 'me');
			insert into auth.user_providers (user_id, access_token, provider_id, provider_user_id) values ('` + fixtureUser + `', 'unset', 'github', '42');
			insert into auth.refresh_tokens (refresh_token, expires_at, user_id) values ('` + fixtureToken + `', now() + interval '30 days', '` + fixtureUser + `');
			insert into auth.roles (role) values ('editor')`
	case 6:
		return `insert into auth.user_authenticators (user_id, credential_id, credential_public_key, counter) values ('` + fixtureUser + `', 'cred', '\x01', 7)`
	case 15:
		return `insert into auth.refresh_tokens (expires_at, user_id, type, refresh_token_hash, metadata)
			values (now() + interval '90 days', '` + fixtureUser + `', 'pat', '\x' || encode(sha256('44444444-4444-4444-8444-444444444444'), 'hex'), '{"name": "ci"}')`
	}
	return ""
}

// generation is one of the two servers called Hasura Auth, by how it notes migrations.
type generation struct {
	name string // as in store.Adoption.From
	enum string // where its migration 13 made a type
}

func node() generation       { return generation{"hasura-auth-node", "public"} }
func golanguage() generation { return generation{"hasura-auth-go", "auth"} }

// migrate does what the server of that generation would do at its start: everything newer than
// from, up to to.
func (g generation) migrate(ctx context.Context, conn *pgx.Conn, from, to int) error {
	for _, m := range hasuraAuthMigrations {
		if m.version <= from || m.version > to {
			continue
		}
		sql := strings.ReplaceAll(m.sql, "{enum}", g.enum)
		if rows := hasuraAuthRows(m.version); rows != "" && from == 0 {
			sql += ";" + rows
		}
		if _, err := conn.Exec(ctx, "begin;"+sql+";"+g.note(m.version, sql)+";commit"); err != nil {
			return fmt.Errorf("migration %d: %w", m.version, err)
		}
	}
	return nil
}

// note is the statement that records a migration.
func (g generation) note(version int, sql string) string {
	if g.name == golanguage().name {
		return fmt.Sprintf("truncate auth.schema_migrations; insert into auth.schema_migrations values (%d, false)", version)
	}
	sum := sha1.Sum([]byte(sql))
	return fmt.Sprintf("insert into auth.migrations (id, name, hash) values (%d, 'migration-%d', '%s')",
		version, version, hex.EncodeToString(sum[:]))
}

// hasuraAuth makes a database as a server of that generation left it.
func hasuraAuth(t testing.TB, g generation, version int) string {
	t.Helper()
	url := testpg.Empty(t)
	conn := dial(t, url)
	run(t, conn, `create schema auth`)
	if g.name == golanguage().name {
		run(t, conn, `create table auth.schema_migrations (version bigint not null primary key, dirty boolean not null)`)
	} else {
		run(t, conn, `create table auth.migrations (id integer primary key, name varchar(100) unique not null,
			hash varchar(40) not null, executed_at timestamp default current_timestamp);
			insert into auth.migrations values (0, 'create-migrations-table', 'e18db593bcde2aca2a408c4d1100f6abba2195df')`)
	}
	if err := g.migrate(t.Context(), conn, 0, version); err != nil {
		t.Fatal(err)
	}
	return url
}

// dial opens a connection that the test closes.
func dial(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// run executes statements that must work.
func run(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// read asks for the rows of a query, each as text.
func read(t testing.TB, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, _ := conn.Query(t.Context(), sql, args...)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return got
}

// catalogue describes everything in the schemas auth and public that DDL can make, one line each,
// and the rows of the small tables that come with a schema.
func catalogue(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	run(t, conn, `set search_path = ''`)
	lines := read(t, conn, `
		with n as (select oid from pg_namespace where nspname in ('auth', 'public')),
		own as (select objid, classid from pg_depend where deptype = 'e')
		select format('column %s.%s %s null=%s default=%s generated=%s identity=%s', c.oid::regclass, a.attname,
			format_type(a.atttypid, a.atttypmod), not a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity)
			from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
			left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
			where c.relnamespace in (select oid from n) and c.relkind in ('r', 'p', 'v')
		union all select format('constraint %s.%s %s', coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text), conname, pg_get_constraintdef(oid))
			from pg_constraint where connamespace in (select oid from n) and contype <> 'n'
		union all select 'index ' || pg_get_indexdef(c.oid) from pg_class c where c.relnamespace in (select oid from n) and relkind in ('i', 'I')
		union all select 'trigger ' || pg_get_triggerdef(g.oid) from pg_trigger g join pg_class c on c.oid = tgrelid
			where c.relnamespace in (select oid from n) and not tgisinternal
		union all select 'function ' || pg_get_functiondef(oid) from pg_proc p where pronamespace in (select oid from n)
			and prokind = 'f' and not exists (select from own where objid = p.oid and classid = 'pg_proc'::regclass)
		union all select format('type %s %s', oid::regtype, typtype) from pg_type y where typnamespace in (select oid from n)
			and typtype in ('d', 'e') and not exists (select from own where objid = y.oid and classid = 'pg_type'::regclass)
		union all select format('comment %s %s %s', objoid::regclass, objsubid, description) from pg_description s
			join pg_class c on c.oid = objoid and classoid = 'pg_class'::regclass where c.relnamespace in (select oid from n)
		union all select format('partition %s %s', oid::regclass, pg_get_expr(relpartbound, oid)) from pg_class c
			where relispartition and relnamespace in (select oid from n) and relkind = 'r'
		union all select format('extension %s in %s', extname, extnamespace::regnamespace) from pg_extension
		order by 1`)
	for _, table := range []string{"roles", "providers", "refresh_token_types"} {
		if read(t, conn, `select coalesce(to_regclass('auth.`+table+`')::text, '')`)[0] == "" {
			continue
		}
		lines = append(lines, read(t, conn, `select 'row `+table+` ' || to_jsonb(r)::text from auth.`+table+` r order by 1`)...)
	}
	run(t, conn, `reset search_path`)
	return lines
}
