package testclaims_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/fakehasura"
	"postern/internal/testpg"
)

// tables is an application that has everything which the expressions found in use speak of.
const tables = `
	alter table auth.users add column company_id uuid, add column "customClaimValue" text, add column vvv text;

	create table public.projects_leaded (
		user_id uuid not null references auth.users on delete cascade, "projectId" uuid not null, primary key (user_id, "projectId")
	);
	create table public.github_users (
		user_id uuid primary key references auth.users on delete cascade, "githubUserId" bigint not null, "accessToken" text
	);
	create table public.user_organizations (
		id int primary key, user_id uuid not null references auth.users on delete cascade, organization text
	);
	create table public.accounts (id uuid primary key);
	create table public.account_memberships (
		user_id uuid not null references auth.users on delete cascade, account_id uuid not null references public.accounts,
		primary key (user_id, account_id)
	);
	create table public.organizations (id uuid primary key, name text);
	create table public.organisations (id uuid primary key, name text);
	create table public.profiles (
		user_id uuid primary key references auth.users on delete cascade, organization_id uuid references public.organizations,
		organisation_id uuid references public.organisations, metadata jsonb, nickname text
	);
	create table public.profile_organizations (
		id text not null, profile_id uuid not null references public.profiles on delete cascade, primary key (id, profile_id)
	);
	create table public.projects (id uuid primary key);
	create table public.contributions (
		id int primary key, profile_id uuid not null references public.profiles on delete cascade, project_id uuid references public.projects
	);
	create table public.departments (id int primary key, user_id uuid not null references auth.users on delete cascade, role text);
	create table public.companies (id uuid primary key, owner_id uuid not null unique references auth.users on delete cascade);
	create table public.ms (user_id uuid primary key references auth.users on delete cascade, k text, l text[], l2 text[]);
	create table public.lms (id int primary key, m_id uuid not null references public.ms on delete cascade);
	create table public.ds (id int primary key, v text, m_id uuid not null references public.ms on delete cascade);
	create table public.documents (user_id uuid primary key references auth.users on delete cascade, m jsonb);`

// relation is a relationship of the application. via is the foreign key: a column of the table
// itself, or of another one.
type relation struct {
	table, name, via string
	suggested        bool // Hasura's console would name it so, and so must the built-in source
}

func relations() []relation {
	return []relation{
		{"auth.users", "projectsLeaded", "public.projects_leaded.user_id", false},
		{"auth.users", "githubUser", "public.github_users.user_id", false},
		{"auth.users", "organizations", "public.user_organizations.user_id", false},
		{"auth.users", "account_memberships", "public.account_memberships.user_id", true},
		{"public.account_memberships", "account", "account_id", true},
		{"auth.users", "profile", "public.profiles.user_id", true},
		{"public.profiles", "organization", "organization_id", true},
		{"public.profiles", "organisation", "organisation_id", true},
		{"public.profiles", "organizations", "public.profile_organizations.profile_id", false},
		{"public.profiles", "contributesTo", "public.contributions.profile_id", false},
		{"public.contributions", "project", "project_id", true},
		{"auth.users", "departments", "public.departments.user_id", true},
		{"auth.users", "company", "public.companies.owner_id", true},
		{"auth.users", "m", "public.ms.user_id", false},
		{"public.ms", "lm", "public.lms.m_id", false},
		{"public.ms", "d", "public.ds.m_id", false},
		{"auth.users", "document", "public.documents.user_id", true},
	}
}

// single tells the relationships from a unique column, which give one object.
func (r relation) single() bool {
	switch r.name {
	case "githubUser", "profile", "company", "m", "document":
		return true
	}
	return false
}

// relationships is AUTH_CLAIMS_RELATIONSHIPS: the names that nobody would guess.
func relationships(t testing.TB) string {
	t.Helper()
	named := map[string]string{}
	for _, r := range relations() {
		if !r.suggested {
			named[r.table+"."+r.name] = r.via
		}
	}
	text, err := json.Marshal(named)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The people, by what their rows are like.
const (
	rich   = "10000000-0000-4000-8000-000000000001" // several of everything
	single = "10000000-0000-4000-8000-000000000002" // one of everything
	empty  = "10000000-0000-4000-8000-000000000003" // nothing at all
	bare   = "10000000-0000-4000-8000-000000000004" // rows with nothing in them
	odd    = "10000000-0000-4000-8000-000000000005" // values that are hard to write down
	guest  = "10000000-0000-4000-8000-000000000006" // an anonymous user
	nobody = "10000000-0000-4000-8000-000000000009" // is not there
)

func people() []string { return []string{rich, single, empty, bare, odd, guest} }

// The rows that people point to.
const (
	project1 = "3af1b33f-fd0f-425e-92e2-0db09c8b2e29"
	project2 = "979cb94c-d873-4d5b-8ee0-74527428f58f"
	org1     = "20000000-0000-4000-8000-000000000001"
	org2     = "20000000-0000-4000-8000-000000000002"
	account1 = "439c0d4e-0000-4000-8000-000000000001"
	account2 = "439c0d4e-0000-4000-8000-000000000002"
	company1 = "30000000-0000-4000-8000-000000000001"
	company2 = "30000000-0000-4000-8000-000000000002"
)

// rows are the people and what they have.
const rows = `
	insert into auth.users (id, locale, display_name, default_role, is_anonymous, email, email_verified, metadata, company_id, "customClaimValue", vvv) values
		('` + rich + `', 'en', 'Rich', 'user', false, 'rich@example.com', true, '{"eventId": "ev-2", "name": "Rich", "token": "t-1", "a": [1, "x"], "m1": 1}', '` + company1 + `', 'custom', 'vvv'),
		('` + single + `', 'en', 'Single', 'user', false, 'single@example.com', true, '{"a": {"b": true}, "m1": false}', '` + company2 + `', '', null),
		('` + empty + `', 'en', '', 'user', false, 'empty@example.com', true, null, null, null, null),
		('` + bare + `', 'en', 'Bare', 'user', false, 'bare@example.com', true, '{"eventId": null, "name": null, "a": []}', null, null, null),
		('` + odd + `', 'en', e'O''Brien "x" \\ {,} <&>\n\u2028', 'user', false, 'odd@example.com', true,
			'{"eventId": {"z": "<&>", "b": [1, null]}, "a": [[1, [2]], 3], "m1": 12345678901234567890, "name": "NULL"}', null, e'a"b\\c', 'null'),
		('` + guest + `', 'en', 'Guest', 'anonymous', true, null, false, '{"eventId": "ev-1"}', null, null, null);
	insert into public.projects_leaded values ('` + rich + `', '` + project1 + `'), ('` + rich + `', '` + project2 + `'), ('` + single + `', '` + project1 + `');
	insert into public.github_users values ('` + rich + `', 9007199254740993, 'gho_rich'), ('` + single + `', 12345, 'gho_single'), ('` + bare + `', 0, null),
		('` + odd + `', -9223372036854775808, e' to"k\\en\t');
	insert into public.user_organizations values (1, '` + rich + `', 'chinthagunta'), (2, '` + rich + `', 'example'), (3, '` + single + `', 'example'), (4, '` + bare + `', null),
		(5, '` + odd + `', 'say "hi"'), (6, '` + odd + `', 'back\slash'), (7, '` + odd + `', 'a,b'), (8, '` + odd + `', '{x}'), (9, '` + odd + `', 'NULL'),
		(10, '` + odd + `', ''), (11, '` + odd + `', e'two\nlines\tand\u2028'), (12, '` + odd + `', '<&>'), (13, '` + odd + `', 'ünïcödé 🙂');
	insert into public.accounts values ('` + account1 + `'), ('` + account2 + `');
	insert into public.account_memberships values ('` + rich + `', '` + account1 + `'), ('` + rich + `', '` + account2 + `'), ('` + single + `', '` + account1 + `');
	insert into public.organizations values ('` + org1 + `', 'Acme'), ('` + org2 + `', null);
	insert into public.organisations values ('` + org1 + `', 'Acme'), ('` + org2 + `', null);
	insert into public.profiles values ('` + rich + `', '` + org1 + `', '` + org1 + `', '{"x": {"y": 7}, "tags": ["a", "b"]}', 'r'), ('` + single + `', '` + org2 + `', '` + org2 + `', '{"x": null, "tags": ["a"]}', ''),
		('` + bare + `', null, null, null, null), ('` + odd + `', null, null, '"just text"', null);
	insert into public.profile_organizations values ('13', '` + rich + `'), ('37', '` + rich + `'), ('13', '` + single + `');
	insert into public.projects values ('` + project1 + `'), ('` + project2 + `');
	insert into public.contributions values (1, '` + rich + `', '` + project1 + `'), (2, '` + rich + `', null), (3, '` + rich + `', '` + project2 + `'), (4, '` + single + `', '` + project1 + `'), (5, '` + bare + `', null);
	insert into public.departments values (1, '` + rich + `', 'manager'), (2, '` + rich + `', 'member'), (3, '` + rich + `', 'member'), (4, '` + single + `', 'member'), (5, '` + bare + `', null), (6, '` + odd + `', 'MANAGER');
	insert into public.companies values ('` + company1 + `', '` + rich + `'), ('` + company2 + `', '` + single + `');
	insert into public.ms values ('` + rich + `', 'v', '{a,b,c}', '{a}'), ('` + single + `', '', '{a}', '{a}'), ('` + bare + `', null, '{}', null),
		('` + odd + `', 'null', e'{"a\\"b","c\\\\d",NULL,"NULL"}', '{""}');
	insert into public.lms values (1, '` + rich + `'), (2, '` + rich + `'), (3, '` + rich + `'), (4, '` + single + `');
	insert into public.ds values (1, 'a', '` + rich + `'), (2, 'b', '` + rich + `'), (3, 'a', '` + rich + `'), (4, 'b', '` + single + `');
	insert into public.documents values
		('` + rich + `', '{"k": "v", "l": ["a", "b", "c"], "l2": ["a"], "lm": [{"id": 1}, {"id": 2}, {"id": 3}], "d": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "a"}]}'),
		('` + single + `', '{"k": "", "l": ["a"], "l2": ["a"], "lm": [{"id": 4}], "d": [{"id": 4, "v": "b"}]}'),
		('` + bare + `', '{"k": null, "l": [], "l2": null, "lm": [], "d": []}'), ('` + odd + `', '[1]');`

// application makes the database of the application and gives its address.
func application(t testing.TB) string {
	t.Helper()
	database := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, sql := range []string{tables, `insert into auth.roles values ('user'), ('anonymous'), ('me') on conflict do nothing`, rows} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return database
}

// users is how Hasura Auth customises its table of users: the part that these tests need.
const users = `{"type": "pg_track_table", "args": {"source": "default", "table": {"schema": "auth", "name": "users"}, "configuration": {
	"custom_name": "users", "custom_root_fields": {"select": "users", "select_by_pk": "user", "select_aggregate": "usersAggregate"},
	"custom_column_names": {"display_name": "displayName", "default_role": "defaultRole", "is_anonymous": "isAnonymous", "email_verified": "emailVerified",
		"phone_number": "phoneNumber", "phone_number_verified": "phoneNumberVerified", "avatar_url": "avatarUrl", "created_at": "createdAt", "updated_at": "updatedAt",
		"last_seen": "lastSeen", "password_hash": "passwordHash", "new_email": "newEmail", "totp_secret": "totpSecret", "active_mfa_type": "activeMfaType",
		"otp_hash": "otpHash", "otp_hash_expires_at": "otpHashExpiresAt", "otp_method_last_used": "otpMethodLastUsed", "ticket_expires_at": "ticketExpiresAt",
		"webauthn_current_challenge": "currentChallenge"}}}}`

// hasura gives an engine over the application, with its tables tracked and related as somebody did
// in the console.
func hasura(t testing.TB, database string) *fakehasura.Engine {
	t.Helper()
	e := fakehasura.New(t, database)
	e.Do(t, users)
	tracked := map[string]bool{"auth.users": true}
	for _, r := range relations() {
		names := []string{r.table}
		if via := strings.Split(r.via, "."); len(via) == 3 {
			names = append(names, via[0]+"."+via[1])
		}
		for _, name := range names {
			if !tracked[name] {
				tracked[name] = true
				schema, table, _ := strings.Cut(name, ".")
				e.Track(t, schema, table)
			}
		}
	}
	for _, name := range []string{"accounts", "organizations", "organisations", "projects"} {
		e.Track(t, "public", name)
	}
	for _, r := range relations() {
		schema, table, _ := strings.Cut(r.table, ".")
		if !r.single() {
			e.Relate(t, schema, table, r.name, r.via)
			continue
		}
		via := strings.Split(r.via, ".")
		e.Do(t, fmt.Sprintf(`{"type": "pg_create_object_relationship", "args": {"source": "default", "table": {"schema": %q, "name": %q},
			"name": %q, "using": {"foreign_key_constraint_on": {"table": {"schema": %q, "name": %q}, "column": %q}}}}`, schema, table, r.name, via[0], via[1], via[2]))
	}
	return e
}
