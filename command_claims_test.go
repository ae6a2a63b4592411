package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testhouse"
	"postern/store"
)

// said is a command, and what must be in what it prints.
type said struct {
	env  map[string]string
	args []string
	code int
	want []string
	not  string
}

func (s said) check(t *testing.T) {
	t.Helper()
	got := runPostern(t, s.env, s.args...)
	all := got.Stdout + got.Stderr
	for _, want := range s.want {
		if !strings.Contains(all, want) && !strings.Contains(strings.Join(strings.Fields(all), " "), want) { // long lines are wrapped
			t.Errorf("%v: no %q in:\n%s", s.args, want, all)
		}
	}
	if got.Code != s.code || s.not != "" && strings.Contains(all, s.not) {
		t.Errorf("%v: exit code %d, want %d, without %q:\n%s", s.args, got.Code, s.code, s.not, all)
	}
}

func TestClaimsCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	h := testhouse.Open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	for _, email := range []string{"jane@example.com", "bob@example.com"} {
		res, body := h.Do(t, "POST", "/signup/email-password", `{"email": "`+email+`", "password": "correct horse battery"}`)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("signing up: %s", body)
		}
	}
	_, err = conn.Exec(t.Context(), `create table profiles (user_id uuid primary key references auth.users, team text);
		insert into profiles select id, 'blue' from auth.users where email = 'jane@example.com'`)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"POSTGRES_CONNECTION": h.Database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret}
	with := func(pairs ...string) map[string]string {
		other := maps.Clone(env)
		for i := 0; i < len(pairs); i += 2 {
			other[pairs[i]] = pairs[i+1]
		}
		return other
	}
	const name = "AUTH_JWT_CUSTOM_CLAIMS"
	good := with(name, `{"team": {"path": "profile.team", "required": true}, "pet": {"path": "metadata.pet", "default": "cat"}}`)
	schema := filepath.Join(t.TempDir(), "schema.json")
	writeSchema(t, h, schema)

	check, explain := []string{"claims", "check"}, []string{"claims", "explain", "--user"}
	for _, s := range []said{
		{env, check, exitOK, []string{"There are no custom claims."}, ""},
		{good, check, exitOK, []string{"The custom claims are good: 2."}, "query"},
		{good, append(check, "--query"), exitOK, []string{"query PosternClaims($id: uuid!) { user(id: $id) { metadata profile { team } } }"}, ""},
		{with(name, `{"a": "profile.taem", "b": "(", "user-id": "id"}`), check, exitError, []string{
			"3 settings are wrong", `Claim "a": profile.taem`, "did you mean team?", `Claim "b"`, `Claim "user-id"`, "Next: correct these; 'postern claims check'",
		}, "are good"},
		{with(name, `{"a": "profile.taem"}`, "AUTH_CLAIMS_INVALID", "warn"), check, exitOK, []string{"1 of 1 custom claims cannot work", "did you mean team?"}, ""},
		{with(name, `{"a": {"path": "profile.taem", "required": true}}`, "AUTH_CLAIMS_INVALID", "warn"), check, exitError, []string{"did you mean team?"}, ""},
		{with(name, `{"a": "id"}`, "AUTH_CLAIMS_RELATIONSHIPS", `{"auth.users.x": "public.profles.user_id"}`), check, exitError, []string{"AUTH_CLAIMS_RELATIONSHIPS", "public.profiles"}, ""},
		{with(name, `{"a": "id"}`, "AUTH_PORT", "many"), check, exitError, []string{"AUTH_PORT"}, "custom claims"},
		{with(name, `{"a": "id"}`, "POSTGRES_CONNECTION", ""), check, exitError, []string{"no database is configured"}, ""},
		{with(name, `{"a": "id"}`, "POSTGRES_CONNECTION", "postgres://me:hunter2@127.0.0.1:1/x"), check, exitError, []string{"cannot be checked", "--schema"}, "hunter2"},
		{map[string]string{name: `{"a": "profile.taem", "b": "profile.team"}`}, append(check, "--schema", schema), exitError, []string{"1 setting is wrong", "did you mean team?"}, ""},
		{map[string]string{name: `{"b": "profile.team"}`}, append(check, "--schema", schema), exitOK, []string{"are good: 1"}, ""},
		{map[string]string{name: `{"b": "profile.team"}`}, append(check, "--schema", os.DevNull), exitError, []string{os.DevNull, "introspection query"}, ""},

		{good, append(explain, "jane@example.com"), exitOK, []string{"jane@example.com (", "role     user, of me, user", "team = profile.team\n", "value  \"blue\"", "claim  x-hasura-team: blue", "value  nothing", "claim  x-hasura-pet: cat (the default)"}, "no token"},
		{good, append(explain, "bob@example.com"), exitError, []string{"refused: it is required", "This user gets no token"}, ""},
		{good, append(explain, "jane@example.com", "--role", "me"), exitOK, []string{"role     me, of me, user"}, ""},
		{good, append(explain, "jane@example.com", "--role", "boss"), exitError, []string{"may not take the role boss", "Next: take one of me, user"}, "blue"},
		{good, append(explain, "nobody@example.com"), exitError, []string{"there is no user nobody@example.com"}, ""},
		{good, append(explain, "not-an-id"), exitError, []string{"there is no user not-an-id"}, "SQLSTATE"},
		{with(name, `{"a": "profile.taem"}`), append(explain, "jane@example.com"), exitOK, []string{"did you mean team?", "left out"}, ""},
		{env, append(explain, "jane@example.com"), exitOK, []string{"There are no custom claims."}, ""},

		{with(name, `{"a": "profile.taem", "b": "("}`), []string{"serve"}, exitError, []string{"2 settings are wrong", `Claim "a"`, `Claim "b"`}, "open"},
		{with(name, `{"a": "profile.taem"}`), []string{"serve"}, exitError, []string{"1 setting is wrong", "did you mean team?"}, `"open"`},
		// That the engine is down is no reason not to look into the database.
		{with(name, `{"a": "profile.taem"}`, "AUTH_CLAIMS_SOURCE", "database", "HASURA_GRAPHQL_GRAPHQL_URL", "http://127.0.0.1:1/v1/graphql", "HASURA_GRAPHQL_ADMIN_SECRET", "hushhush"), []string{"serve"}, exitError, []string{"1 setting is wrong", "did you mean team?"}, "hushhush"},
	} {
		s.check(t)
	}

	got := runPostern(t, good, "claims", "explain", "--user", "bob@example.com", "--json")
	var told struct {
		Refused bool
		Claims  []struct {
			Name, State string
			Refused     bool
			Literal     *string
		}
	}
	if err := json.Unmarshal([]byte(got.Stdout), &told); err != nil || got.Code != exitError {
		t.Fatalf("%v: %+v", err, got)
	}
	if !told.Refused || len(told.Claims) != 2 || !told.Claims[0].Refused || told.Claims[0].Literal != nil || told.Claims[1].Literal == nil || *told.Claims[1].Literal != "cat" {
		t.Errorf("got %s", got.Stdout)
	}
}

// writeSchema writes the schema of a house to a file, as a GraphQL client would.
func writeSchema(t *testing.T, h *testhouse.House, file string) {
	t.Helper()
	query := `{ __schema { queryType { name } types { kind name fields(includeDeprecated: true) { name args { name defaultValue type { kind name ofType { kind name } } }
		type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }`
	data, err := h.Store.Graph(store.GraphSettings{}, time.Now).Query(t.Context(), query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestClaimsEval(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expression, data string
		want             outcome
	}{
		{"a.b", `{"a": {"b": "<x>"}}`, outcome{exitOK, "\"<x>\"\n", ""}},
		{"a.c", `{"a": {"b": 1}}`, outcome{exitOK, "\n", ""}},
		{"a", `{"a": null}`, outcome{exitOK, "null\n", ""}},
		{"$", `{"z": 1, "a": [2]}`, outcome{exitOK, `{"z":1,"a":[2]}` + "\n", ""}},
		{"n", `{"n": 12345678901234567890}`, outcome{exitOK, "12345678901234567890\n", ""}},
		{"1 + 1", "", outcome{exitOK, "2\n", ""}},
		{"$eval('**.id')", `{"a": {"id": 1}}`, outcome{exitOK, "1\n", ""}},
		{"a", `{"a"`, outcome{exitError, "", "postern: the data is no JSON\n"}},
	} {
		var stdout, stderr strings.Builder
		a := &app{stdin: strings.NewReader(test.data), stdout: &stdout, stderr: &stderr}
		code := a.run(t.Context(), []string{"claims", "eval", test.expression})
		if got := (outcome{code, stdout.String(), stderr.String()}); got != test.want {
			t.Errorf("%s on %s: got %+v, want %+v", test.expression, test.data, got, test.want)
		}
	}
	var stdout, stderr strings.Builder
	a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
	if code := a.run(t.Context(), []string{"claims", "eval", "("}); code != exitError || stderr.Len() == 0 {
		t.Errorf("bad syntax: %d %q %q", code, stdout.String(), stderr.String())
	}
}
