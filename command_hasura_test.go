package main

import (
	"maps"
	"strings"
	"testing"

	"postern/internal/fakehasura"
	"postern/internal/testpg"
	"postern/tokens"
)

func TestHasuraCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	url := testpg.New(t)
	fake := fakehasura.New(t, url)
	env := map[string]string{"POSTGRES_CONNECTION": url, "HASURA_GRAPHQL_GRAPHQL_URL": fake.URL, "HASURA_GRAPHQL_ADMIN_SECRET": fakehasura.Secret, "AUTH_HASURA_METADATA": "off"}
	fake.Track(t, "auth", "roles")
	with := func(name, value string) map[string]string {
		other := maps.Clone(env)
		other[name] = value
		return other
	}
	steps := []struct {
		env  map[string]string
		args string
		code int
		want []string // in what is printed
		not  string   // not in it
	}{
		{nil, "hasura diff", exitError, []string{"no engine is configured", "Next: set HASURA_GRAPHQL_GRAPHQL_URL="}, ""},
		{with("POSTGRES_CONNECTION", ""), "hasura diff", exitError, []string{"no database is configured"}, ""},
		{with("POSTGRES_CONNECTION", testpg.Empty(t)), "hasura diff", exitError, []string{"no table auth.users", "'postern migrate'"}, ""},
		{with("HASURA_GRAPHQL_ADMIN_SECRET", "wrong-canary"), "hasura diff", exitError, []string{"the engine refuses HASURA_GRAPHQL_ADMIN_SECRET", "Next: look at HASURA_GRAPHQL_GRAPHQL_URL"}, "canary"},
		{with("AUTH_HASURA_SOURCE", "main"), "hasura apply", exitError, []string{`no database called "main" but default`}, ""},

		{env, "hasura remote-schema", exitError, []string{"where the engine reaches this server is not known", "--at http://"}, ""},
		{with("AUTH_SERVER_URL", "https://auth.example.com/v1"), "hasura remote-schema", exitOK, []string{`"add_remote_schema"`, `"url": "https://auth.example.com/graphql"`, `"value_from_env": "HASURA_GRAPHQL_ADMIN_SECRET"`}, "canary"},
		{env, "hasura remote-schema --at http://127.0.0.1:1/graphql --apply", exitError, []string{"'HASURA_GRAPHQL_ADMIN_SECRET' not set"}, "canary"},

		{env, "hasura diff", exitOK, []string{"Missing:\n  track auth.provider_requests as", "  track auth.users as users, one row as user\n", "left as it is:\n  auth.roles is tracked under other names", "Next: 'postern hasura apply'"}, "nothing is missing"},
		{env, "hasura diff --exit-code", exitError, []string{"Missing:"}, ""},
		{env, "hasura apply", exitOK, []string{"Added:\n  track auth.provider_requests as", "left as it is:\n  auth.roles"}, "issing"},
		{env, "hasura apply", exitOK, []string{"nothing is missing", "left as it is:"}, "Added"},
		{env, "hasura diff --exit-code", exitOK, []string{"nothing is missing"}, "Missing:"},
	}
	for _, s := range steps {
		got := runPostern(t, s.env, strings.Fields(s.args)...)
		all := got.Stdout + got.Stderr
		for _, want := range s.want {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no %q in:\n%s", s.args, want, all)
			}
		}
		if got.Code != s.code || s.not != "" && strings.Contains(all, s.not) {
			t.Errorf("%s: exit code %d, want %d, without %q:\n%s", s.args, got.Code, s.code, s.not, all)
		}
	}
	fake.Down(true)
	if got := runPostern(t, env, "hasura", "diff"); got.Code != exitError || !strings.HasPrefix(got.Stderr, "postern: hasura: no answer") || strings.Count(got.Stderr, "\n") != 2 {
		t.Errorf("%+v", got)
	}
}

func TestJWTSecretForHasura(t *testing.T) {
	t.Parallel()
	pair, err := tokens.GenerateSecret("RS256")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, secret, args string
		code               int
		want, not          string
	}{
		{"none", "", "hasura jwt-secret", exitError, "'postern keys secret' prints a fresh one", ""},
		{"shared", goodSecret, "hasura jwt-secret", exitOK, `HASURA_GRAPHQL_JWT_SECRET='{"key":"9f1c8d9e`, ""},
		{"raw", goodSecret, "hasura jwt-secret --raw", exitOK, `{"key":"9f1c8d9e`, "HASURA"},
		{"a key pair", pair, "hasura jwt-secret", exitOK, "BEGIN PUBLIC KEY", "PRIVATE"},
	} {
		got := runPostern(t, map[string]string{"HASURA_GRAPHQL_JWT_SECRET": tt.secret}, strings.Fields(tt.args)...)
		all := got.Stdout + got.Stderr
		if got.Code != tt.code || !strings.Contains(all, tt.want) || tt.not != "" && strings.Contains(all, tt.not) {
			t.Errorf("%s: exit code %d\n%s", tt.name, got.Code, all)
		}
	}
}
