package graph_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"postern/internal/testpg"
	"postern/store/graph"
)

const (
	ann = "aaaaaaaa-0000-4000-8000-000000000001"
	bob = "bbbbbbbb-0000-4000-8000-000000000002"
	eve = "eeeeeeee-0000-4000-8000-000000000003" // has nothing
)

// demoSQL is a database of users that have everything claims are made of.
const demoSQL = `
insert into auth.roles (role) values ('editor'), ('user') on conflict do nothing;
insert into auth.users (id, created_at, locale, email, display_name, password_hash, metadata) values
  ('` + ann + `', '2026-01-02 03:04:05.678+00', 'en', 'Ann@Example.com', 'Ann', 'secret', '{"name": "Ann", "plan": {"seats": 12345678901234567890, "tags": ["a"]}, "list": ["x"]}'),
  ('` + bob + `', '2026-02-02 03:04:05+00', 'de', 'bob@example.com', 'Bob "the" \ <Builder>', null, 'null'),
  ('` + eve + `', '2026-03-02 03:04:05+00', 'en', null, '', null, null);
insert into auth.user_roles (id, user_id, role) values
  ('00000000-0000-4000-8000-000000000011', '` + ann + `', 'user'), ('00000000-0000-4000-8000-000000000012', '` + ann + `', 'editor');
insert into auth.refresh_tokens (id, user_id, expires_at, refresh_token_hash, user_agent) values
  ('00000000-0000-4000-8000-000000000021', '` + ann + `', '2026-01-02', '\xhash', 'curl');

create table public.organisations (id uuid primary key, name text not null, parent_id uuid references public.organisations);
create table public.profiles (
  id bigint primary key, user_id uuid not null unique references auth.users (id),
  organisation_id uuid references public.organisations, nickname varchar(40), settings jsonb, raw json, tags text[], scores int[],
  height numeric, weight float8, ratio real, rank smallint, born date, wakes time, photo bytea, active bool, address inet);
create table public.projects (id int generated always as identity primary key, title text not null, size bigint);
create table public.contributions (
  profile_id bigint not null references public.profiles, project_id int not null references public.projects,
  reviewer_id bigint references public.profiles, role text, primary key (profile_id, project_id));
create type public.mood as enum ('sad', 'ok', 'happy');
create table public.departments (id int primary key, name text, manager_id uuid references auth.users (id), mood public.mood);
create table public.memberships (department_id int references public.departments, user_id uuid references auth.users (id), role text, since timestamp,
  primary key (department_id, user_id));
create table public.shifts (id int primary key, department_id int, user_id uuid, hours int,
  foreign key (department_id, user_id) references public.memberships);
create table public.cars (id int primary key, owner text, owner_id uuid references auth.users (id)); -- a column where a name would be
create table public.github_accounts (id bigint primary key, login text, account text); -- no foreign key
create view public.busy as select p.id as profile_id, count(*) as n from public.profiles p join public.contributions c on c.profile_id = p.id group by 1;
create schema shop;
create table shop.orders (id int primary key, buyer uuid references auth.users (id), total numeric(10, 2));
create table shop.users (id int primary key);
create table public.users (id int primary key, note text);

insert into public.organisations values ('00000000-0000-4000-8000-0000000000a1', 'Mother', null), ('00000000-0000-4000-8000-0000000000a2', 'Child', '00000000-0000-4000-8000-0000000000a1');
insert into public.profiles values
  (9007199254740993, '` + ann + `', '00000000-0000-4000-8000-0000000000a2', 'annie', '{"theme": "dark", "a b": [1, {"c": null}]}', '{"z":1, "a":2}', '{a,"b c",NULL}', '{1,2}',
   1.50, 60.5, 0.5, 3, '2000-02-29', '06:30', '\xdeadbeef', true, '10.0.0.1/8'),
  (2, '` + bob + `', null, null, null, null, null, '{}', null, 'NaN', null, null, null, null, null, null, null);
insert into public.projects (title, size) values ('Alpha', 1), ('Beta', 9223372036854775807), ('Gamma', null);
insert into public.contributions values (9007199254740993, 1, 2, 'lead'), (9007199254740993, 2, null, 'member'), (2, 2, 9007199254740993, null);
insert into public.departments values (1, 'Sales', '` + ann + `', 'happy'), (2, 'Ops', '` + bob + `', 'sad'), (3, 'Lab', null, null);
insert into public.memberships values (1, '` + ann + `', 'manager', '2020-01-01'), (2, '` + ann + `', 'member', null), (2, '` + bob + `', 'manager', null);
insert into public.shifts values (1, 1, '` + ann + `', 8), (2, 1, '` + ann + `', 4), (3, 2, null, 1);
insert into public.cars values (1, 'somebody', '` + ann + `');
insert into public.github_accounts values (77, 'annhub', 'Ann@Example.com');
insert into shop.orders values (1, '` + ann + `', 10.50), (2, '` + ann + `', 2.00);
analyze;
`

var demoRelationships = `{
  "auth.users.github": "auth.users.display_name = public.github_accounts.login",
  "auth.users.orders": "shop.orders.buyer",
  "public.profiles.contributesTo": "public.contributions.profile_id",
  "public.organisations.daughters": "public.organisations.id = public.organisations.parent_id",
  "public.profiles.busyness": "public.busy.profile_id"
}`

type demo struct {
	*graph.Graph

	pool *pgxpool.Pool
	url  string
}

func open(t testing.TB, setup, relationships string) demo {
	t.Helper()
	url := testpg.New(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), setup); err != nil {
		t.Fatal(err)
	}
	var s graph.Settings
	if err := s.Relationships.UnmarshalText([]byte(relationships)); err != nil {
		t.Fatal(err)
	}
	return demo{graph.Open(pool, s, time.Now), pool, url}
}

func (d demo) ask(t testing.TB, query string, variables map[string]any) string {
	t.Helper()
	answer, err := d.Query(context.WithoutCancel(t.Context()), query, variables)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if !json.Valid(answer) {
		t.Fatalf("%s: no JSON: %s", query, answer)
	}
	return string(answer)
}
