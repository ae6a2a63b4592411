package fakehasura_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/fakehasura"
	"postern/internal/testpg"
)

const fixtures = `
	create table public.people (id uuid primary key, name text not null, nick citext, boss_id uuid references public.people, data jsonb, tags text[], big bigint not null default 9007199254740993, at timestamptz);
	create table public.pets (id int primary key, owner_id uuid not null references public.people, name text not null, born date);
	create table public.passports (number text primary key, person_id uuid not null unique references public.people);
	insert into public.people values
		('00000000-0000-0000-0000-000000000001', 'Ada', 'Countess', null, '{"a": {"b": [1, 2.50]}}', '{x,y}', default, '2026-01-02 03:04:05+00'),
		('00000000-0000-0000-0000-000000000002', 'Bob', null, '00000000-0000-0000-0000-000000000001', 'null', null, -1, null);
	insert into public.pets values (1, '00000000-0000-0000-0000-000000000001', 'Rex', '2020-01-01'), (2, '00000000-0000-0000-0000-000000000001', 'Tom', null), (3, '00000000-0000-0000-0000-000000000002', 'Zoe', null);
	insert into public.passports values ('P1', '00000000-0000-0000-0000-000000000001');`

// start gives an engine over a database with people and pets.
func start(t *testing.T) *fakehasura.Engine {
	t.Helper()
	url := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), fixtures); err != nil {
		t.Fatal(err)
	}
	e := fakehasura.New(t, url)
	e.Do(t, `{"type": "pg_track_table", "args": {"table": {"schema": "public", "name": "people"}, "configuration": {
		"custom_name": "persons", "custom_root_fields": {"select": "persons", "select_by_pk": "person", "select_aggregate": "personsAggregate"},
		"column_config": {"boss_id": {"custom_name": "bossId"}}}}}`)
	e.Track(t, "public", "pets")
	e.Track(t, "public", "passports")
	e.Track(t, "auth", "roles")
	e.Relate(t, "public", "people", "boss", "boss_id")
	e.Relate(t, "public", "people", "team", "public.people.boss_id")
	e.Relate(t, "public", "people", "pets", "public.pets.owner_id")
	e.Relate(t, "public", "pets", "owner", "owner_id")
	e.Do(t, `{"type": "pg_create_object_relationship", "args": {"table": "people", "name": "passport", "using": {"manual_configuration": {"remote_table": "passports", "column_mapping": {"id": "person_id"}}}}}`)
	return e
}

// post asks the engine and returns the status and the body.
func post(t *testing.T, url, secret, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		request.Header.Set("X-Hasura-Admin-Secret", secret)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text))
}

func query(t *testing.T, e *fakehasura.Engine, text string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := post(t, e.URL, fakehasura.Secret, string(body))
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	return answer
}

func TestQueries(t *testing.T) {
	t.Parallel()
	e := start(t)
	ada := map[string]any{"id": "00000000-0000-0000-0000-000000000001"}
	tests := []struct {
		query     string
		variables map[string]any
		want      string
	}{
		{`query ($id: uuid!) { person(id: $id) { name bossId boss { id } nick big tags data at } }`, ada, `{"data":{"person":{"name":"Ada","bossId":null,"boss":null,"nick":"Countess","big":9007199254740993,"tags":["x","y"],"data":{"a":{"b":[1,2.50]}},"at":"2026-01-02T03:04:05+00:00"}}}`},
		{`query ($id: uuid!) { p: person(id: $id) { n: name __typename pets(order_by: {name: desc}) { name owner { name } } passport { number } } }`, ada, `{"data":{"p":{"n":"Ada","__typename":"persons","pets":[{"name":"Tom","owner":{"name":"Ada"}},{"name":"Rex","owner":{"name":"Ada"}}],"passport":{"number":"P1"}}}}`},
		{`{ person(id: "00000000-0000-0000-0000-0000000000ff") { name } }`, nil, `{"data":{"person":null}}`},
		{`{ persons(where: {bossId: {_is_null: false}}) { name boss { name team_aggregate { aggregate { count } nodes { name } } } } }`, nil, `{"data":{"persons":[{"name":"Bob","boss":{"name":"Ada","team_aggregate":{"aggregate":{"count":1},"nodes":[{"name":"Bob"}]}}}]}}`},
		{`{ pets(where: {_or: [{name: {_eq: "Rex"}}, {owner: {name: {_in: ["Bob"]}}}], _not: {id: {_gt: 5}}}, order_by: [{owner: {name: desc}}, {id: asc}]) { name } }`, nil, `{"data":{"pets":[{"name":"Zoe"},{"name":"Rex"}]}}`},
		{`query ($w: pets_bool_exp, $n: Int = 1) { pets(where: $w, limit: $n, offset: 1, order_by: {id: asc}) { id born } }`, map[string]any{"w": map[string]any{"born": map[string]any{"_is_null": true}}}, `{"data":{"pets":[{"id":3,"born":null}]}}`},
		{`{ personsAggregate { aggregate { count } } }`, nil, `{"data":{"personsAggregate":{"aggregate":{"count":2}}}}`},
		{`{ persons(where: {data: {_contains: {a: {}}}}) { ...P ... on persons { id @skip(if: true) } } } fragment P on persons { name pets { id } pets { name } }`, nil, `{"data":{"persons":[{"name":"Ada","pets":[{"id":1,"name":"Rex"},{"id":2,"name":"Tom"}]}]}}`},
		{`{ auth_roles(where: {role: {_eq: "user"}}) { role } }`, nil, `{"data":{"auth_roles":[{"role":"user"}]}}`},

		{`{ persons { nmea } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.persons.selectionSet.nmea"},"message":"field 'nmea' not found in type: 'persons'"}]}`},
		{`{ nobody { id } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.nobody"},"message":"field 'nobody' not found in type: 'query_root'"}]}`},
		{`{ pets { owner } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.pets.selectionSet.owner.selectionSet"},"message":"missing selection set for 'persons'"}]}`},
		{`{ persons { data { a } } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.persons.selectionSet.data"},"message":"unexpected subselection set for non-object field"}]}`},
		{`{ pets(were: {}) { id } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.pets"},"message":"'pets' has no argument named 'were'"}]}`},
		{`{ pets(where: {nmea: {_eq: 1}}) { id } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.pets.args.where.nmea"},"message":"field 'nmea' not found in type: 'pets_bool_exp'"}]}`},
		{`{ person { id } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.selectionSet.person.args"},"message":"missing required field 'id'"}]}`},
		{`{ person(id: "nonsense") { id } }`, nil, `{"errors":[{"extensions":{"code":"data-exception","path":"$"},"message":"invalid input syntax for type uuid: \"nonsense\""}]}`},
		{`query ($id: uuid!) { person(id: $id) { id } }`, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$"},"message":"expecting a value for non-nullable variable: \"id\""}]}`},
		{`{ pets { id `, nil, `{"errors":[{"extensions":{"code":"validation-failed","path":"$.query"},"message":"not a valid graphql query"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			if got := query(t, e, tt.query, tt.variables); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(e.Queries()); n != len(tests) {
			t.Errorf("%d queries are remembered, want %d", n, len(tests))
		}
	})
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	e := start(t)
	tests := []struct{ query, want string }{
		{
			`{ __type(name: "persons") { name kind fields { name args { name } type { kind name ofType { kind name ofType { kind ofType { name } } } } } } }`,
			`{"name":"pets","args":[{"name":"distinct_on"},{"name":"limit"},{"name":"offset"},{"name":"order_by"},{"name":"where"}],"type":{"kind":"NON_NULL","name":null,"ofType":{"kind":"LIST","name":null,"ofType":{"kind":"NON_NULL","ofType":{"name":"pets"}}}}}`,
		},
		{`{ __type(name: "pets") { fields { name type { kind ofType { name } } } } }`, `{"name":"owner","type":{"kind":"NON_NULL","ofType":{"name":"persons"}}}`},
		{`{ __type(name: "persons") { fields { name type { kind name } } } }`, `{"name":"boss","type":{"kind":"OBJECT","name":"persons"}}`},
		{`{ __type(name: "persons") { fields { name type { kind name } } } }`, `{"name":"nick","type":{"kind":"SCALAR","name":"citext"}}`},
		{`{ __type(name: "nothing") { name } }`, `{"data":{"__type":null}}`},
		{`{ __schema { queryType { name fields { name } } mutationType { name } } }`, `{"data":{"__schema":{"queryType":{"name":"query_root","fields":[{"name":"auth_roles"},{"name":"auth_roles_aggregate"},{"name":"auth_roles_by_pk"}`},
		{`{ __schema { types { name inputFields { name type { name } } enumValues { name } } directives { name args { name } } } }`, `{"name":"_has_key","type":{"name":"String"}}`},
	}
	for _, tt := range tests {
		if got := query(t, e, tt.query, nil); !strings.Contains(got, tt.want) {
			t.Errorf("%s\ngot %s\nwant something with %s", tt.query, got, tt.want)
		}
	}
}

func TestMetadataAPI(t *testing.T) {
	t.Parallel()
	e := start(t)
	url := strings.Replace(e.URL, "graphql", "metadata", 1)
	before := e.Metadata()
	tests := []struct {
		call   string
		status int
		want   string
	}{
		{`{"type": "pg_track_table", "args": {"table": "pets"}}`, 400, `"code":"already-tracked"`},
		{`{"type": "pg_track_table", "args": {"table": "none"}}`, 400, `"code":"not-exists"`},
		{`{"type": "pg_track_table", "args": {"source": "other", "table": "pets"}}`, 400, `source with name \"other\" does not exist`},
		{`{"type": "pg_create_object_relationship", "args": {"table": "pets", "name": "owner", "using": {"foreign_key_constraint_on": ["owner_id"]}}}`, 400, `"code":"already-exists"`},
		{`{"type": "pg_create_object_relationship", "args": {"table": "pets", "name": "name", "using": {"foreign_key_constraint_on": ["owner_id"]}}}`, 400, `"code":"already-exists"`},
		{`{"type": "pg_create_object_relationship", "args": {"table": "pets", "name": "x", "using": {"foreign_key_constraint_on": ["id"]}}}`, 400, `"code":"constraint-error"`},
		{`{"type": "pg_create_array_relationship", "args": {"table": {"schema": "auth", "name": "roles"}, "name": "x", "using": {"foreign_key_constraint_on": {"table": {"schema": "auth", "name": "users"}, "columns": ["default_role"]}}}}`, 400, `is not tracked`},
		{`{"type": "pg_set_table_customization", "args": {"table": "pets", "configuration": {"column_config": {"none": {"custom_name": "x"}}}}}`, 400, `"code":"not-exists"`},
		{`{"type": "replace_metadata", "resource_version": 0, "args": {"sources": []}}`, 409, `"code":"conflict"`},
		{`{"type": "bulk", "args": [{"type": "pg_untrack_table", "args": {"table": "pets"}}, {"type": "pg_track_table", "args": {"table": "none"}}]}`, 400, `"code":"not-exists"`},
		{`{"type": "bulk_keep_going", "args": [{"type": "pg_track_table", "args": {"table": "pets"}}, {"type": "reload_metadata", "args": {}}]}`, 200, `[{"path":"$.args","error":"view/table already tracked: \"pets\"","code":"already-tracked"},{"is_consistent":true,"message":"success"}]`},
		{`{"type": "export_metadata", "args": {}}`, 200, `{"sources":[{"kind":"postgres"`},
		{`{"type": "export_metadata", "version": 2, "args": {}}`, 200, `,"resource_version":10}`},
		{`{"type": "dance"}`, 400, `"code":"parse-failed"`},
	}
	for _, tt := range tests {
		if status, got := post(t, url, fakehasura.Secret, tt.call); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s\nstatus %d %s\nwant %d with %s", tt.call, status, got, tt.status, tt.want)
		}
	}
	if e.Metadata() != before {
		t.Error("a refused call changed the metadata")
	}
	const permit = `{"type": "pg_create_select_permission", "args": {"table": "pets", "role": "user", "permission": {"columns": ["id"], "filter": {}}}}`
	e.Do(t, permit)
	if status, got := post(t, url, fakehasura.Secret, permit); status != http.StatusBadRequest || !strings.Contains(got, "already-exists") {
		t.Errorf("the same permission again: status %d %s", status, got)
	}
	if !strings.Contains(e.Metadata(), `"select_permissions":[{"permission":{"columns":["id"],"filter":{}},"role":"user"}]`) {
		t.Errorf("no permission in %s", e.Metadata())
	}
}

func TestAdminSecret(t *testing.T) {
	t.Parallel()
	e := start(t)
	metadata := strings.Replace(e.URL, "graphql", "metadata", 1)
	for _, tt := range []struct {
		url, secret string
		status      int
	}{
		{e.URL, "", 200},
		{e.URL, "wrong", 200},
		{metadata, "", 401},
		{metadata, "wrong", 401},
	} {
		if status, got := post(t, tt.url, tt.secret, `{"query": "{ pets { id } }"}`); status != tt.status || !strings.Contains(got, `"access-denied"`) {
			t.Errorf("%s with the secret %q: status %d %s", tt.url, tt.secret, status, got)
		}
	}
}

func TestTheEngineAsPosternSeesIt(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.Do(t, `{"type": "pg_untrack_table", "args": {"table": {"schema": "auth", "name": "roles"}}}`)
	e.TrackAuth(t)
	e.Relate(t, "auth", "users", "mainRole", "default_role")
	data, err := e.Source(t).Query(t.Context(), `query ($id: uuid!) { user(id: $id) { id mainRole { role } } authRoles(order_by: {role: asc}, limit: 1) { role } }`, map[string]any{"id": "00000000-0000-0000-0000-000000000001"})
	if err != nil || string(data) != `{"user":null,"authRoles":[{"role":"anonymous"}]}` {
		t.Errorf("data %s, error %v", data, err)
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.Misbehave(fakehasura.Says(502, "text/html", "<html>"))
	if status, got := post(t, e.URL, fakehasura.Secret, "{}"); status != http.StatusBadGateway || got != "<html>" {
		t.Errorf("status %d %s", status, got)
	}
	e.Misbehave(fakehasura.Slow(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := http.DefaultTransport.RoundTrip(request); err == nil {
		_ = answer.Body.Close()
		t.Error("an answer came")
	}
	e.Misbehave(nil)
	e.Down(true)
	if answer, err := http.Post(e.URL, "application/json", strings.NewReader("{}")); err == nil {
		_ = answer.Body.Close()
		t.Error("an answer came")
	}
	e.Down(false)
	if status, _ := post(t, e.URL, fakehasura.Secret, `{"query": "{ pets { id } }"}`); status != http.StatusOK {
		t.Errorf("status %d after the trouble", status)
	}
}
