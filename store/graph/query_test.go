package graph_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/store/graph"
)

// decoded reads JSON with the digits of its numbers.
func decoded(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestQueries holds what is answered to queries about the demo database.
func TestQueries(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	user := func(fields string) string {
		return "query PosternClaims($id: uuid!) { user(id: $id) { " + fields + " } }"
	}
	tests := []struct {
		name, query string
		variables   map[string]any
		want        string
	}{
		{"columns", user("id email displayName createdAt locale isAnonymous lastSeen currentChallenge"), nil, `{"user": {"id": "` + ann + `", "email": "Ann@Example.com",
			"displayName": "Ann", "createdAt": "2026-01-02T03:04:05.678+00:00", "locale": "en", "isAnonymous": false, "lastSeen": null, "currentChallenge": null}}`},
		{"nobody", user("id"), map[string]any{"id": "00000000-0000-4000-8000-000000000000"}, `{"user": null}`},
		{"a variable that is not a string", user("id"), map[string]any{"id": json.RawMessage(`"` + ann + `"`)}, `{"user": {"id": "` + ann + `"}}`},
		{
			"someone without anything", user("email profile { id } memberships { role } memberships_aggregate { aggregate { count max { since } } nodes { role } }"),
			map[string]any{"id": eve},
			`{"user": {"email": null, "profile": null, "memberships": [], "memberships_aggregate": {"aggregate": {"count": 0, "max": {"since": null}}, "nodes": []}}}`,
		},
		{"JSON keeps its digits", user("metadata"), nil, `{"user": {"metadata": {"name": "Ann", "plan": {"seats": 12345678901234567890, "tags": ["a"]}, "list": ["x"]}}}`},
		{"JSON null is null", user("metadata displayName"), map[string]any{"id": bob}, `{"user": {"metadata": null, "displayName": "Bob \"the\" \\ <Builder>"}}`},
		{
			"a path in JSON", user(`a: metadata(path: "$.plan.tags[0]") b: metadata(path: "list") c: metadata(path: "$[\"plan\"]['seats']") d: metadata(path: "$") e: metadata(path: "no.where")`), nil,
			`{"user": {"a": "a", "b": ["x"], "c": 12345678901234567890, "d": {"name": "Ann", "plan": {"seats": 12345678901234567890, "tags": ["a"]}, "list": ["x"]}, "e": null}}`,
		},
		{"all types", user("profile { id settings raw tags scores height weight ratio rank born wakes photo active address }"), nil, `{"user": {"profile": {"id": 9007199254740993,
			"settings": {"theme": "dark", "a b": [1, {"c": null}]}, "raw": {"z": 1, "a": 2}, "tags": ["a", "b c", null], "scores": [1, 2], "height": 1.50, "weight": 60.5, "ratio": 0.5, "rank": 3,
			"born": "2000-02-29", "wakes": "06:30:00", "photo": "\\xdeadbeef", "active": true, "address": "10.0.0.1/8"}}}`},
		{"empty and missing", user("profile { tags scores weight settings }"), map[string]any{"id": bob}, `{"user": {"profile": {"tags": null, "scores": [], "weight": "NaN", "settings": null}}}`},
		{
			"objects in objects", user("profile { organisation { name parent { name parent { name } } organisations { name } daughters { name } } }"), nil,
			`{"user": {"profile": {"organisation": {"name": "Child", "parent": {"name": "Mother", "parent": null}, "organisations": [], "daughters": []}}}}`,
		},
		{"lists in objects", user("profile { contributesTo { role project { title size } } }"), nil, `{"user": {"profile": {"contributesTo": [
			{"role": "lead", "project": {"title": "Alpha", "size": 1}}, {"role": "member", "project": {"title": "Beta", "size": 9223372036854775807}}]}}}`},
		{
			"two foreign keys to one table", user("profile { contributionsByReviewerId { profile { nickname } reviewer { nickname } } }"), nil,
			`{"user": {"profile": {"contributionsByReviewerId": [{"profile": {"nickname": null}, "reviewer": {"nickname": "annie"}}]}}}`,
		},
		{"keys of two columns", user("memberships(order_by: {department_id: asc}) { role shifts { hours membership { since } } }"), nil, `{"user": {"memberships": [
			{"role": "manager", "shifts": [{"hours": 8, "membership": {"since": "2020-01-01T00:00:00"}}, {"hours": 4, "membership": {"since": "2020-01-01T00:00:00"}}]}, {"role": "member", "shifts": []}]}}`},
		{"a column where a relation's name would be", user("cars { owner user { id } }"), nil, `{"user": {"cars": [{"owner": "somebody", "user": {"id": "` + ann + `"}}]}}`},
		{
			"a relation without a foreign key, a view, another schema", user("github { login } profile { busyness { n } } orders { total }"), nil,
			`{"user": {"github": [], "profile": {"busyness": [{"n": 2}]}, "orders": [{"total": 10.50}, {"total": 2.00}]}}`,
		},
		{
			"relations of Hasura Auth", user("roles(order_by: {role: asc}) { role roleByRole { role } } defaultRoleByRole { role usersByDefaultRole_aggregate { aggregate { count } } } refreshTokens { type user_agent user { id } } securityKeys { id } userProviders { providerId }"), nil,
			`{"user": {"roles": [{"role": "editor", "roleByRole": {"role": "editor"}}, {"role": "user", "roleByRole": {"role": "user"}}], "defaultRoleByRole": {"role": "user", "usersByDefaultRole_aggregate": {"aggregate": {"count": 3}}},
			"refreshTokens": [{"type": "regular", "user_agent": "curl", "user": {"id": "` + ann + `"}}], "securityKeys": [], "userProviders": []}}`,
		},
		{
			"aliases, fragments and __typename", `query ($id: uuid!, $no: Boolean = false) { me: user(id: $id) { ...A ... on users { name: displayName } ... on nothing { x } ... @include(if: $no) { locale } profile @skip(if: $no) { id } __typename } __typename }
			fragment A on users { key: id profile { nickname } ...B } fragment B on users { profile { organisation { __typename } } }`, nil,
			`{"me": {"key": "` + ann + `", "profile": {"nickname": "annie", "organisation": {"__typename": "organisations"}, "id": 9007199254740993}, "name": "Ann", "__typename": "users"}, "__typename": "query_root"}`,
		},
		{"where", `query ($id: uuid!) { users(where: {_or: [{email: {_eq: "ANN@example.com"}}, {profile: {scores: {_is_null: true}}}], id: {_in: [$id, "` + bob + `"]}}) { id } }`, nil, `{"users": [{"id": "` + ann + `"}]}`},
		{"where in lists", user(`memberships(where: {role: {_eq: "manager"}, department: {name: {_ilike: "sa%"}}}) { department_id }`), nil, `{"user": {"memberships": [{"department_id": 1}]}}`},
		{"where with not and nothing", `{ users(where: {_not: {memberships: {}}, _and: [], _or: [{}]}) { displayName } }`, map[string]any{}, `{"users": [{"displayName": ""}]}`},
		{"missing variables", `query ($w: projects_bool_exp, $n: Int, $o: order_by) { projects(where: $w, order_by: {size: $o, id: desc}, limit: $n) { title } }`, map[string]any{}, `{"projects": [{"title": "Gamma"}, {"title": "Beta"}, {"title": "Alpha"}]}`},
		{
			"where as a variable", `query ($w: projects_bool_exp!, $o: [projects_order_by!], $n: Int) { projects(where: $w, order_by: $o, limit: $n, offset: 1) { title } }`,
			map[string]any{"w": map[string]any{"id": map[string]any{"_gt": 1}}, "o": []any{map[string]any{"title": "desc"}}, "n": 5},
			`{"projects": [{"title": "Beta"}]}`,
		},
		{"comparisons", `{ projects(where: {size: {_gte: 1, _lt: 9223372036854775807}, title: {_nin: ["x"], _neq: "y", _like: "A%", _regex: "^A", _similar: "A%"}}) { title } }`, map[string]any{}, `{"projects": [{"title": "Alpha"}]}`},
		{"comparisons of JSON, arrays, enums", `{ profiles(where: {settings: {_contains: {theme: "dark"}, _has_key: "a b", _has_keys_any: ["x", "theme"], _has_keys_all: ["theme"]}, tags: {_contains: ["a"]}, scores: {_eq: [1, 2]}}) { nickname }
			departments(where: {mood: {_eq: "happy"}}) { name } users(where: {metadata: {_jsonb_path_exists: "$.plan.seats"}}) { displayName } }`, map[string]any{}, `{"profiles": [{"nickname": "annie"}], "departments": [{"name": "Sales"}], "users": [{"displayName": "Ann"}]}`},
		{"a list as a variable", `query ($ids: [Int!]!) { projects(where: {id: {_in: $ids}}) { id } }`, map[string]any{"ids": []int{3, 1}}, `{"projects": [{"id": 1}, {"id": 3}]}`},
		{
			"orders", `{ projects(order_by: [{size: desc_nulls_last}, {id: asc}]) { id } memberships(order_by: {department: {name: asc}, user: {displayName: desc}}) { role } organisations(order_by: {daughters_aggregate: {count: desc}}) { name } }`,
			map[string]any{},
			`{"projects": [{"id": 2}, {"id": 1}, {"id": 3}], "memberships": [{"role": "manager"}, {"role": "member"}, {"role": "manager"}], "organisations": [{"name": "Mother"}, {"name": "Child"}]}`,
		},
		{
			"distinct", `{ a: memberships(distinct_on: role) { role } b: memberships(distinct_on: [department_id], order_by: [{department_id: desc}, {role: asc}]) { department_id role } }`,
			map[string]any{},
			`{"a": [{"role": "manager"}, {"role": "member"}], "b": [{"department_id": 2, "role": "manager"}, {"department_id": 1, "role": "manager"}]}`,
		},
		{"by a key of two columns", `query ($id: uuid!) { memberships_by_pk(department_id: 2, user_id: $id) { role } }`, nil, `{"memberships_by_pk": {"role": "member"}}`},
		{
			"aggregates", `{ projects_aggregate(where: {id: {_lt: 3}}) { aggregate { count n: count(columns: [size], distinct: true) sum { id } avg { id } max { title size } min { title } __typename } nodes { title } __typename } usersAggregate { aggregate { count } } }`,
			map[string]any{},
			`{"projects_aggregate": {"aggregate": {"count": 2, "n": 2, "sum": {"id": 3}, "avg": {"id": 1.5000000000000000}, "max": {"title": "Beta", "size": 9223372036854775807}, "min": {"title": "Alpha"}, "__typename": "projects_aggregate_fields"},
			"nodes": [{"title": "Alpha"}, {"title": "Beta"}], "__typename": "projects_aggregate"}, "usersAggregate": {"aggregate": {"count": 3}}}`,
		},
		{
			"aggregates of a few", `{ projects_aggregate(limit: 2, offset: 1, order_by: {id: desc}) { aggregate { count max { id } } nodes { id } } contributions_aggregate { aggregate { count(columns: [profile_id, role], distinct: true) } } }`,
			map[string]any{},
			`{"projects_aggregate": {"aggregate": {"count": 2, "max": {"id": 2}}, "nodes": [{"id": 2}, {"id": 1}]}, "contributions_aggregate": {"aggregate": {"count": 3}}}`,
		},
		{"tables of one name", `{ public_users { id } shop_users { id } shop_orders_by_pk(id: 2) { total user { displayName } } }`, map[string]any{}, `{"public_users": [], "shop_users": [], "shop_orders_by_pk": {"total": 2.00, "user": {"displayName": "Ann"}}}`},
		{"further names", user("profiles { nickname organisation { name organisations { id } } }"), nil, `{"user": {"profiles": {"nickname": "annie", "organisation": {"name": "Child", "organisations": []}}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.variables == nil {
				tt.variables = map[string]any{"id": ann}
			}
			for range 2 { // compiled, and found
				got := d.ask(t, tt.query, tt.variables)
				if diff := cmp.Diff(decoded(t, tt.want), decoded(t, got)); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMistakes holds what is said about queries that cannot be answered.
func TestMistakes(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	deep := strings.Repeat("organisation { parent { ", 20) + "id" + strings.Repeat(" } }", 20)
	tests := []struct {
		query     string
		variables map[string]any
		want      string // the message, the place and the code
	}{
		{`{ user(id: "` + ann + `") { nickname } }`, nil, `field 'nickname' not found in type: 'users'|$.selectionSet.user.selectionSet.nickname|validation-failed`},
		{`{ user(id: "` + ann + `") { profile { organizations { id } } } }`, nil, `field 'organizations' not found in type: 'profiles'|$.selectionSet.user.selectionSet.profile.selectionSet.organizations|validation-failed`},
		{`{ usr { id } }`, nil, `field 'usr' not found in type: 'query_root'|$.selectionSet.usr|validation-failed`},
		{`{ user(id: "` + ann + `") { passwordHash } }`, nil, `field 'passwordHash' not found in type: 'users' (it holds a secret, which is never shown)|$.selectionSet.user.selectionSet.passwordHash|validation-failed`},
		{`{ users(where: {ticket: {_like: "a%"}}) { id } }`, nil, `field 'ticket' not found in type: 'users_bool_exp'|$.selectionSet.users.args.where.ticket|validation-failed`},
		{`{ users(order_by: {totpSecret: asc}) { id } }`, nil, `field 'totpSecret' not found in type: 'users_order_by'|$.selectionSet.users.args.order_by.totpSecret|validation-failed`},
		{`{ users(distinct_on: [otpHash]) { id } }`, nil, `expected one of the values of type 'users_select_column', but found 'otpHash'|$.selectionSet.users.args.distinct_on[0]|validation-failed`},
		{`{ refresh_tokens { id } }`, nil, `field 'refresh_tokens' not found in type: 'query_root'|$.selectionSet.refresh_tokens|validation-failed`},
		{`{ auth_tickets { id } }`, nil, `field 'auth_tickets' not found in type: 'query_root'|$.selectionSet.auth_tickets|validation-failed`},
		{`{ user(id: "` + ann + `") { metadata { plan } } }`, nil, `unexpected subselection set for non-object field|$.selectionSet.user.selectionSet.metadata|validation-failed`},
		{`{ user(id: "` + ann + `") { profile } }`, nil, `missing selection set for 'profiles'|$.selectionSet.user.selectionSet.profile.selectionSet|validation-failed`},
		{`{ user { id } }`, nil, `missing required field 'id'|$.selectionSet.user.args.id|validation-failed`},
		{`{ user(id: null) { id } }`, nil, `unexpected null value for type 'uuid'|$.selectionSet.user.args.id|validation-failed`},
		{`{ user(id: "no") { id } }`, nil, `invalid input syntax for type uuid: "no"|$|data-exception`},
		{`{ user(id: "` + ann + `", x: 1) { id } }`, nil, `'user' has no argument named 'x'|$.selectionSet.user|validation-failed`},
		{`query ($id: String!) { user(id: $id) { id } }`, map[string]any{"id": ann}, `variable 'id' is declared as 'String!', but used where 'uuid!' is expected|$.selectionSet.user.args.id|validation-failed`},
		{`query ($id: uuid) { user(id: $id) { id } }`, map[string]any{"id": ann}, `variable 'id' is declared as 'uuid', but used where 'uuid!' is expected|$.selectionSet.user.args.id|validation-failed`},
		{`query ($id: uuid!) { user(id: $id) { id } }`, nil, `expecting a value for non-nullable variable: "id"|$|validation-failed`},
		{`query ($id: uuid!) { user(id: $id) { id } }`, map[string]any{"id": nil}, `null value found for non-nullable type: 'uuid!'|$|validation-failed`},
		{`query ($id: uuid!) { user(id: $id) { id } }`, map[string]any{"id": ann, "x": 1}, `unexpected variables in variableValues: x|$|validation-failed`},
		{`query ($id: uuid!) { user(id: $id) { id } }`, map[string]any{"id": []string{ann}}, `expected a value for type 'uuid', but found a list|$.selectionSet.user.args.id|validation-failed`},
		{`{ user(id: $id) { id } }`, nil, `unbound variable "id"|$.selectionSet.user.args.id|validation-failed`},
		{`{ projects(where: {id: {_eq: "1"}}) { id } }`, nil, `expected a 32-bit integer for type 'Int', but found a string|$.selectionSet.projects.args.where.id._eq|validation-failed`},
		{`{ projects(where: {id: {_eq: 3000000000}}) { id } }`, nil, `The value 3000000000 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?|$.selectionSet.projects.args.where.id._eq|parse-failed`},
		{`{ projects(where: {id: {_foo: 1}}) { id } }`, nil, `field '_foo' not found in type: 'Int_comparison_exp'|$.selectionSet.projects.args.where.id._foo|validation-failed`},
		{`{ projects(where: {title: {_eq: null}}) { id } }`, nil, `unexpected null value for type 'String'|$.selectionSet.projects.args.where.title._eq|validation-failed`},
		{`query ($x: String) { projects(where: {title: {_eq: $x}}) { id } }`, nil, `unexpected null value for type 'String'|$.selectionSet.projects.args.where.title._eq|validation-failed`},
		{`query ($x: [Int!]) { projects(where: {id: {_in: $x}}) { id } }`, nil, `unexpected null value for type 'Int'|$.selectionSet.projects.args.where.id._in|validation-failed`},
		{`{ projects(where: {title: null}) { id } }`, nil, `unexpected null value for type 'String_comparison_exp'|$.selectionSet.projects.args.where.title|validation-failed`},
		{`{ projects(where: {_not: null}) { id } }`, nil, `unexpected null value for type 'projects_bool_exp'|$.selectionSet.projects.args.where._not|validation-failed`},
		{`{ projects(where: {_or: null}) { id } }`, nil, `unexpected null value for type 'projects_bool_exp'|$.selectionSet.projects.args.where._or|validation-failed`},
		{`{ projects(limit: -1) { id } }`, nil, `expected a non-negative 32-bit integer for type 'Int', but found an integer|$.selectionSet.projects.args.limit|validation-failed`},
		{`{ projects(order_by: {id: up}) { id } }`, nil, `expected one of the values ['asc', 'asc_nulls_first', 'asc_nulls_last', 'desc', 'desc_nulls_first', 'desc_nulls_last'] for type 'order_by', but found 'up'|$.selectionSet.projects.args.order_by.id|validation-failed`},
		{`{ memberships(distinct_on: role, order_by: {since: asc}) { role } }`, nil, `"distinct_on" columns must match initial "order_by" columns|$.selectionSet.memberships.args|validation-failed`},
		{`{ users { id: locale id } }`, nil, `selection of both 'locale' and 'id' specify the same response name, 'id'|$.selectionSet.users.selectionSet.id|validation-failed`},
		{`{ users { profile { id } } users(limit: 1) { id } }`, nil, `inconsistent arguments between multiple selections of field 'users'|$.selectionSet.users|validation-failed`},
		{`{ users { id @cached } }`, nil, `directive 'cached' is not defined in the schema|$.selectionSet.users.selectionSet.id|validation-failed`},
		{`{ users { metadata(path: "$[x]") } }`, nil, `parse json path error: a bracket holds an index, or a key in quotes|$.selectionSet.users.selectionSet.metadata.args.path|parse-failed`},
		{`mutation { insertUsers(objects: []) { affected_rows } }`, nil, `no mutations exist|$|validation-failed`},
		{`subscription { users { id } }`, nil, `no subscriptions exist|$|validation-failed`},
		{`{ users { id } } { users { id } }`, nil, `exactly one operation has to be present in the document|$|validation-failed`},
		{`fragment A on users { id }`, nil, `exactly one operation has to be present in the document|$|validation-failed`},
		{`{ users { ...A } } fragment A on users { ...B } fragment B on users { profile { ...A } }`, nil, `the fragment definition 'A' contains itself|$.fragments.A|validation-failed`},
		{`{ users { ...A } }`, nil, `reference to undefined fragment 'A'|$|validation-failed`},
		{`{ users { id `, nil, `not a valid graphql query: Expected Name, found <EOF>|$.query|validation-failed`},
		{``, nil, `exactly one operation has to be present in the document|$|validation-failed`},
		{`{ users { profile { ` + deep + ` } } }`, nil, `the query goes deeper than 24 objects|*|too-large`},
		{`{ users { ` + strings.Repeat("{", 300) + ` } }`, nil, `the query is nested too deeply|$.query|validation-failed`},
		{`{ users { ...A } } fragment A on users { a: profile { ...B } b: profile { ...B } c: profile { ...B } } ` + bombs(), nil, `the query asks for more than 2000 fields|*|too-large`},
		{`{ users { id # ` + strings.Repeat("x", 300_000) + "\n } }", nil, `the query has 300020 bytes, and at most 262144 are read|$.query|too-large`},
	}
	for _, tt := range tests {
		answer, err := d.Query(t.Context(), tt.query, tt.variables)
		var e graph.Errors
		if !errors.As(err, &e) || len(e) != 1 {
			t.Errorf("%.200s: %s, %v", tt.query, answer, err)
			continue
		}
		path := e[0].Extensions.Path
		if strings.Contains(tt.want, "|*|") {
			path = "*"
		}
		if got := e[0].Message + "|" + path + "|" + e[0].Extensions.Code; got != tt.want {
			t.Errorf("%.200s\n got %s\nwant %s", tt.query, got, tt.want)
		}
	}
}

// bombs are fragments that each hold the next one three times.
func bombs() string {
	var b strings.Builder
	for _, name := range "BCDEFGHIJ" {
		next := string(name + 1)
		on, field := "profiles", "organisation"
		if (name-'B')%2 == 1 {
			on, field = "organisations", "profiles"
		}
		b.WriteString("fragment " + string(name) + " on " + on + " { a: " + field + " { ..." + next + " } b: " + field + " { ..." + next + " } c: " + field + " { ..." + next + " } }\n")
	}
	return b.String() + "fragment K on organisations { id }"
}
