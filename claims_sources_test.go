package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/auth"
	"postern/claims"
	"postern/internal/fakehasura"
	"postern/internal/testpg"
	"postern/store"
)

const claimsTables = `
	create table public.organisations (id uuid primary key, name text not null, size bigint);
	create table public.profiles (id uuid primary key, user_id uuid not null unique references auth.users(id) on delete cascade,
		organisation_id uuid references public.organisations(id), settings jsonb);
	create table public.memberships (id uuid primary key, user_id uuid not null references auth.users(id) on delete cascade,
		organisation_id uuid not null references public.organisations(id), role text not null);
	insert into auth.users (id, email, display_name, locale, metadata) values
		('7d3f0f5a-0000-4000-8000-000000000001', 'ann@example.com', 'Ann', 'en', '{"plan": "pro", "big": 12345678901234567890}'),
		('7d3f0f5a-0000-4000-8000-000000000002', 'bob@example.com', 'Bob', 'en', null);
	insert into public.organisations values ('00000000-0000-4000-8000-0000000000a1', 'A "quoted", {braced} \ one', 9007199254740993), ('00000000-0000-4000-8000-0000000000a2', 'Two', null);
	insert into public.profiles values ('00000000-0000-4000-8000-0000000000b1', '7d3f0f5a-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a1', '{"odd key": {"x": [1, 2]}}');
	insert into public.memberships values
		('00000000-0000-4000-8000-0000000000c1', '7d3f0f5a-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a1', 'owner'),
		('00000000-0000-4000-8000-0000000000c2', '7d3f0f5a-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a2', 'member')`

const claimsDefined = `{
	"organisation-id": {"path": "profile.organisation.id", "default": "none"},
	"organisation-size": "profile.organisation.size",
	"organisation-ids": "memberships[].organisation.id",
	"names": "memberships[].organisation.name",
	"owns": "memberships[?(@.role == 'owner')].organisation.id",
	"plan": "metadata.plan", "big": "metadata.big", "odd": "profile.settings.` + "`odd key`" + `.x[]",
	"count": "$count(memberships)", "verified": "emailVerified", "shout": "email.$uppercase()",
	"first": {"path": "memberships.role", "select": "memberships(order_by: {role: asc}, limit: 1) { role }"},
	"display": "displayName"}`

// TestClaimsThroughBothSources computes the same claims from Hasura's engine and from the database
// itself, and drops a column under both.
func TestClaimsThroughBothSources(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"hasura", "database"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := testpg.New(t)
			db, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close(t.Context()) }()
			if _, err := db.Exec(t.Context(), claimsTables); err != nil {
				t.Fatal(err)
			}
			m, err := claims.Open(claims.Settings{Definitions: claimsDefined}, claimsSource(t, kind, url), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			r, err := m.Check(t.Context())
			if err != nil || r.Err() != nil {
				t.Fatalf("check: %v %v", r.Err(), err)
			}
			of := func(user string) map[string]string {
				t.Helper()
				got, err := m.Of(t.Context(), "7d3f0f5a-0000-4000-8000-00000000000"+user, nil)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			ann := map[string]string{
				"x-hasura-organisation-id": "00000000-0000-4000-8000-0000000000a1", "x-hasura-organisation-size": "9007199254740993",
				"x-hasura-organisation-ids": `{"00000000-0000-4000-8000-0000000000a1","00000000-0000-4000-8000-0000000000a2"}`,
				"x-hasura-names":            `{"A \"quoted\", {braced} \\ one","Two"}`,
				"x-hasura-owns":             `{"00000000-0000-4000-8000-0000000000a1"}`,
				"x-hasura-plan":             "pro", "x-hasura-big": "12345678901234567890", "x-hasura-odd": "{1,2}",
				"x-hasura-count": "2", "x-hasura-verified": "false", "x-hasura-shout": "ANN@EXAMPLE.COM", "x-hasura-first": "member", "x-hasura-display": "Ann",
			}
			if diff := cmp.Diff(ann, of("1")); diff != "" {
				t.Errorf("Ann (-want +got):\n%s", diff)
			}
			bob := map[string]string{
				"x-hasura-organisation-id": "none", "x-hasura-organisation-ids": "{}", "x-hasura-names": "{}", "x-hasura-owns": "{}", "x-hasura-odd": "{}",
				"x-hasura-count": "0", "x-hasura-verified": "false", "x-hasura-shout": "BOB@EXAMPLE.COM", "x-hasura-display": "Bob",
			}
			if diff := cmp.Diff(bob, of("2")); diff != "" {
				t.Errorf("Bob (-want +got):\n%s", diff)
			}
			if got := of("3"); len(got) != 1 || got["x-hasura-organisation-id"] != "none" {
				t.Errorf("nobody has %v", got)
			}
			if _, err := db.Exec(t.Context(), "alter table public.organisations drop column size"); err != nil {
				t.Fatal(err)
			}
			delete(ann, "x-hasura-organisation-size")
			if diff := cmp.Diff(ann, of("1")); diff != "" {
				t.Errorf("Ann without a column (-want +got):\n%s", diff)
			}
			m, err = claims.Open(claims.Settings{Definitions: `{"size": {"path": "profile.organisation.size", "required": true}}`}, claimsSource(t, kind, url), time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := m.Check(t.Context()); err != nil || r.Err() == nil || !strings.Contains(r.Err().Error(), `profile.organisation.size: there is no field "size"`) {
				t.Errorf("the dropped column: %v %v", r.Err(), err)
			}
			if _, err := m.Of(t.Context(), "7d3f0f5a-0000-4000-8000-000000000001", nil); auth.CodeOf(err) != auth.ClaimsUnavailable {
				t.Errorf("a token without its required claim: %v", err)
			}
		})
	}
}

// claimsSource is one of the two that a mapper may ask.
func claimsSource(t *testing.T, kind, url string) claims.Source {
	t.Helper()
	if kind == "hasura" {
		engine := fakehasura.New(t, url)
		engine.TrackAuth(t)
		for _, table := range []string{"organisations", "profiles", "memberships"} {
			engine.Track(t, "public", table)
		}
		engine.Do(t, `{"type": "pg_create_object_relationship", "args": {"source": "default", "table": {"schema": "auth", "name": "users"},
			"name": "profile", "using": {"foreign_key_constraint_on": {"table": {"schema": "public", "name": "profiles"}, "column": "user_id"}}}}`)
		engine.Relate(t, "public", "profiles", "organisation", "organisation_id")
		engine.Relate(t, "public", "memberships", "organisation", "organisation_id")
		engine.Relate(t, "auth", "users", "memberships", "public.memberships.user_id")
		return engine.Source(t)
	}
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db.Graph(store.GraphSettings{}, time.Now)
}
