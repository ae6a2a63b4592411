package graph_test

import (
	"strings"
	"testing"

	"postern/engine"
	"postern/internal/fakehasura"
)

// TestAsARemoteSchemaOfHasura: the engine reads the schema, and asks for whoever asks it. Who that is lowers
// what the admin secret allows, and is in the answer.
func TestAsARemoteSchemaOfHasura(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	hasura := fakehasura.New(t, h.Database)
	ours := engine.RemoteSchema{Name: "postern", URL: strings.TrimSuffix(h.URL, "/v1") + "/graphql", SecretEnv: "HASURA_GRAPHQL_ADMIN_SECRET", Namespace: "auth", Prefix: "Auth"}
	e := hasura.Source(t)

	if _, err := e.AddRemoteSchema(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "environment variable") {
		t.Errorf("without the variable: %v", err)
	}
	hasura.Env("HASURA_GRAPHQL_ADMIN_SECRET", "another")
	if _, err := e.AddRemoteSchema(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with another secret: %v", err)
	}
	hasura.Env("HASURA_GRAPHQL_ADMIN_SECRET", secret)
	for i, want := range []bool{true, false} {
		if added, err := e.AddRemoteSchema(t.Context(), ours); err != nil || added != want {
			t.Fatalf("time %d: %v %v", i, added, err)
		}
	}

	somebody, _ := signUp(t, h, "chief@example.com", "user,operator,auditor")
	for role, want := range map[string]string{
		"admin":    `"rights":"CHANGE"`,
		"operator": `"rights":"CHANGE"`,
		"auditor":  `"rights":"READ"`,
		"user":     "403",
		"":         `"rights":"CHANGE"`, // the engine always says a role; nobody else has the secret
	} {
		session := map[string]string{"x-hasura-user-id": somebody}
		if role != "" {
			session["x-hasura-role"] = role
		}
		got, err := hasura.Remote(t, "postern", whoAsks, session)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || err == nil && !strings.Contains(got, somebody) {
			t.Errorf("as %q: %s", role, got)
		}
	}
}
