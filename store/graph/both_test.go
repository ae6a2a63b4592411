package graph_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakehasura"
)

// TestBothSourcesAgree asks Postgres through the graph, and an engine that speaks as Hasura does and
// that shares no code with it, about the same data: answers, mistakes and types are the same.
func TestBothSourcesAgree(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	fake := fakehasura.New(t, d.url)
	fake.TrackAuth(t)
	for _, table := range []string{"organisations", "profiles", "projects", "contributions", "departments", "memberships", "shifts", "cars", "github_accounts", "busy"} {
		fake.Track(t, "public", table)
	}
	fake.Track(t, "shop", "orders")
	for _, r := range [][4]string{
		{"auth", "users", "memberships", "public.memberships.user_id"},
		{"auth", "users", "departments", "public.departments.manager_id"},
		{"auth", "users", "cars", "public.cars.owner_id"},
		{"auth", "users", "orders", "shop.orders.buyer"},
		{"shop", "orders", "user", "buyer"},
		{"public", "profiles", "user", "user_id"},
		{"public", "profiles", "organisation", "organisation_id"},
		{"public", "profiles", "contributesTo", "public.contributions.profile_id"},
		{"public", "profiles", "contributionsByReviewerId", "public.contributions.reviewer_id"},
		{"public", "contributions", "profile", "profile_id"},
		{"public", "contributions", "project", "project_id"},
		{"public", "contributions", "profileByReviewerId", "reviewer_id"},
		{"public", "projects", "contributions", "public.contributions.project_id"},
		{"public", "organisations", "organisation", "parent_id"},
		{"public", "organisations", "daughters", "public.organisations.parent_id"},
		{"public", "organisations", "profiles", "public.profiles.organisation_id"},
		{"public", "departments", "user", "manager_id"},
		{"public", "departments", "memberships", "public.memberships.department_id"},
		{"public", "memberships", "department", "department_id"},
		{"public", "memberships", "user", "user_id"},
		{"public", "cars", "user", "owner_id"},
	} {
		fake.Relate(t, r[0], r[1], r[2], r[3])
	}
	manual := func(kind, table, name, to, columns string) {
		schema, table, _ := strings.Cut(table, ".")
		fake.Do(t, `{"type": "pg_create_`+kind+`_relationship", "args": {"source": "default", "table": {"schema": "`+schema+`", "name": "`+table+`"}, "name": "`+name+`",
			"using": {"manual_configuration": {"remote_table": {"schema": "public", "name": "`+to+`"}, "column_mapping": {`+columns+`}}}}}`)
	}
	manual("object", "auth.users", "profile", "profiles", `"id": "user_id"`)
	manual("array", "auth.users", "github", "github_accounts", `"display_name": "login"`)
	manual("array", "public.profiles", "busyness", "busy", `"id": "profile_id"`)
	manual("array", "public.memberships", "shifts", "shifts", `"department_id": "department_id", "user_id": "user_id"`)
	manual("object", "public.shifts", "membership", "memberships", `"department_id": "department_id", "user_id": "user_id"`)
	hasura := fake.Source(t)

	queries := 0
	ask := func(query string, variables map[string]any) {
		queries++
		ours, err := d.Query(t.Context(), query, variables)
		theirs, other := hasura.Query(t.Context(), query, variables)
		switch {
		case (err == nil) != (other == nil):
			t.Errorf("%s\n  we say %s, %v\nthey say %s, %v", query, ours, err, theirs, other)
		case err != nil:
			if diff := cmp.Diff(messages(other), messages(err)); diff != "" {
				t.Errorf("%s\nmessages (-theirs +ours):\n%s", query, diff)
			}
		default:
			if diff := cmp.Diff(decoded(t, string(theirs)), decoded(t, string(ours))); diff != "" {
				t.Errorf("%s\nanswers (-theirs +ours):\n%s", query, diff)
			}
		}
	}
	for _, id := range []string{ann, bob, eve, "00000000-0000-4000-8000-000000000000"} {
		for _, fields := range bothFields {
			ask("query PosternClaims($id: uuid!) { user(id: $id) { "+fields+" } }", map[string]any{"id": id})
		}
	}
	for _, query := range bothQueries {
		ask(query, nil)
	}
	t.Log(queries, "queries")

	ours, theirs := d.introspect(t), introspectWith(t, hasura.Query)
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if theirs[name].Kind != "OBJECT" || strings.HasPrefix(name, "__") || strings.HasPrefix(name, "authProviderRequests") {
			continue
		}
		types := map[string]string{}
		for _, f := range ours[name].Fields {
			types[f.Name] = f.Type.String()
		}
		for _, f := range theirs[name].Fields {
			if secrets[name+"."+f.Name] || strings.HasPrefix(f.Name, "authProviderRequest") {
				if types[f.Name] != "" {
					t.Errorf("%s.%s is shown", name, f.Name)
				}
				continue
			}
			compared++
			if types[f.Name] != f.Type.String() {
				t.Errorf("%s.%s is %s for us, %s for them", name, f.Name, types[f.Name], f.Type)
			}
		}
	}
	t.Log(compared, "fields")
}

// secrets are what Hasura's administrator sees, and nobody here.
var secrets = map[string]bool{
	"users.passwordHash": true, "users.otpHash": true, "users.totpSecret": true, "users.ticket": true,
	"authRefreshTokens.refreshTokenHash": true, "authUserProviders.accessToken": true, "authUserProviders.refreshToken": true,
	"authUserSecurityKeys.credentialPublicKey": true,
}

// bothFields are selections on a user.
var bothFields = []string{
	"id email displayName createdAt locale isAnonymous lastSeen metadata currentChallenge phoneNumber",
	"profile { id settings raw tags scores height weight ratio rank born wakes photo active address }",
	"profile { organisation { id name organisation { name organisation { id } } daughters { name } } }",
	"profile { contributesTo { role project { title size } } contributionsByReviewerId { profile { nickname } profileByReviewerId { id } } }",
	"memberships(order_by: {department_id: asc}) { role since department { name mood user { displayName } } shifts(order_by: {id: asc}) { hours membership { role } } }",
	"roles(order_by: {role: asc}) { role roleByRole { role } } defaultRoleByRole { role }",
	"github { login } cars { owner user { email } } orders(order_by: {id: asc}) { total }",
	"memberships_aggregate { aggregate { count } nodes { role } __typename } departments_aggregate(where: {name: {_neq: \"x\"}}) { aggregate { count } }",
	`memberships(where: {role: {_eq: "manager"}, department: {name: {_ilike: "sa%"}}}, limit: 1) { department_id } __typename profile { __typename busyness { n } }`,
	"refreshTokens { type user_agent user { id } }",
	"nothing", "profile", "profile { id { x } }", "profile { organization { idd } }", "metadata { plan }", "memberships(wher: {}) { role }", "memberships(where: {rol: {_eq: 1}}) { role }", "id { x }",
}

// bothQueries are whole queries without variables.
var bothQueries = []string{
	`{ users(where: {_or: [{email: {_eq: "ANN@example.com"}}, {profile: {weight: {_is_null: false}}}]}, order_by: {createdAt: asc}) { id } }`,
	`{ users(where: {_not: {memberships: {}}}, order_by: [{id: asc}]) { displayName } }`,
	`{ projects(where: {size: {_gte: 1}}, order_by: {id: desc}, limit: 1, offset: 1) { title } }`,
	`{ projects(where: {id: {_in: [1, 3]}, title: {_nin: ["x"]}}, order_by: {title: asc}) { id } }`,
	`{ projects_aggregate(where: {id: {_lt: 3}}) { aggregate { count } nodes { contributions(order_by: {profile_id: asc}) { role } } } }`,
	`{ memberships(order_by: [{department: {name: asc}}, {user: {displayName: desc}}]) { role } }`,
	`{ memberships_by_pk(department_id: 2, user_id: "` + ann + `") { role } departments_by_pk(id: 9) { name } }`,
	`{ profiles(where: {settings: {_contains: {theme: "dark"}}}) { nickname } b: profiles(where: {settings: {_has_key: "a b"}}) { id } }`,
	`{ users { ...A } } fragment A on users { displayName ... on users { profile { nickname } } }`,
	`{ shop_orders(order_by: {total: asc}) { total user { displayName } } }`,
	`{ usr { id } }`, `{ user(id: "nope") { id } }`, `mutation { x }`, `{ users(where: {nope: {}}) { id } }`, `{ users(where: {id: {_nope: 1}}) { id } }`,
	`query ($a: uuid!) { user(id: $a) { id } }`, `{ user(id: $a) { id } }`,
}
