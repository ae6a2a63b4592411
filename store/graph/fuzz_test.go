package graph_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"postern/store/graph"
)

// FuzzQuery holds that every query is refused with an error of GraphQL, or becomes a statement that
// Postgres takes.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		`query ($id: uuid!) { user(id: $id) { id email profile { organisation { name } contributesTo(where: {role: {_eq: "x"}}, order_by: {project: {title: desc}}, limit: 2) { project { title } } } } }`,
		`{ users(where: {_or: [{email: {_ilike: "%a%"}}, {_not: {profile: {tags: {_contains: ["a"]}}}}]}, distinct_on: [email, id]) { metadata(path: "$.a[0]") __typename } }`,
		`{ projects_aggregate(limit: 2, offset: 1, order_by: [{id: desc}]) { aggregate { count(columns: [id, title], distinct: true) sum { id } max { title } } nodes { title } } }`,
		`query ($w: users_bool_exp, $n: Int = 3, $t: Boolean!) { users(where: $w, limit: $n) { ...A @include(if: $t) id @skip(if: $t) } } fragment A on users { roles { role } }`,
		`{ profiles(where: {settings: {_has_keys_any: ["a"], _contains: {a: [1, null, {b: 1.5e3}]}}, address: {_gt: "::1"}, photo: {_eq: "\\x00"}, active: {_eq: true}, height: {_in: [1, 2.5, "3"]}}) { id } }`,
		`{ __schema { types { name fields(includeDeprecated: true) { name type { ofType { name } } } } } __type(name: "users") { kind } }`,
		`{ memberships_by_pk(department_id: 1, user_id: "x") { department { manager { email } } shifts_aggregate { nodes { hours } } } }`,
		`{ organisations(order_by: [{parent: {parent: {name: asc_nulls_first}}}, {daughters_aggregate: {count: desc}}]) { name } }`,
		`{ all_types(where: {a: {_is_null: false}, b: {_is_null: true}}) { a b c d } }`,
	} {
		f.Add(seed, `{"id": "x", "t": true, "w": {"profile": {"id": {"_gt": 3}}}}`)
	}
	d := open(f, demoSQL+odditiesSQL, demoRelationships)
	f.Fuzz(func(t *testing.T, query, variables string) {
		values := map[string]any{}
		_ = json.Unmarshal([]byte(variables), &values)
		sql, params, err := d.Statement(t.Context(), query, values)
		var known graph.Errors
		if err != nil {
			if !errors.As(err, &known) {
				t.Fatalf("%s: %v", query, err)
			}
			return
		}
		if sql == "" {
			return
		}
		if strings.Contains(sql, "password_hash") {
			t.Fatalf("a secret is read: %s", sql)
		}
		conn, err := d.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		described, err := conn.Conn().PgConn().Prepare(t.Context(), "", sql, nil)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == "54001" { // too deep for this server's stack
			return
		}
		if err != nil {
			t.Fatalf("%s\n%s\n%v", query, sql, err)
		}
		if len(described.ParamOIDs) != len(params) {
			t.Fatalf("%d parameters, %d values: %s", len(described.ParamOIDs), len(params), sql)
		}
	})
}

// odditiesSQL has a column of every type that a table can have.
const odditiesSQL = `
create type public.pair as (a int, b text);
create domain public.positive as int check (value > 0);
create domain public.very_positive as public.positive;
create table public.all_types (id int primary key, a xml, b point, c public.pair, d public.very_positive, e public.mood[], f int4range, g int4multirange, h tsvector,
  i bit(3), j varbit, k "char", l char(3), m name, n money, o interval, p timetz, q macaddr, r cidr, s jsonpath, t oid, u regclass, v public.positive[], w jsonb[], x public.pair[],
  y varchar(3)[], z tsquery, aa box, bb uuid[], cc citext, dd citext[], ee timestamptz, ff pg_lsn, gg numeric[], hh json[], ii int[][]);
`
