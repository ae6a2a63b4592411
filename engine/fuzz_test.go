package engine_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"postern/engine"
)

// answers is an engine that says one thing.
type answers struct {
	status int
	kind   string
	body   string
}

// RoundTrip answers without a network.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {a.kind}},
		Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// FuzzAnswers lets an engine say anything at all: every answer is data, or an error of ours without
// the secret.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "application/json", data)
	f.Add(200, "application/json", `{"errors":[{"message":"admin-secret-canary","extensions":{"code":"unexpected","internal":1},"path":[1]}]}`)
	f.Add(400, "application/json", `{"path":"$.args","error":"x","code":"already-tracked"}`)
	f.Add(200, "application/json", `{"resource_version":1,"metadata":{"sources":[{"name":"default","kind":"postgres","tables":[{"table":{"schema":"auth","name":"users"},"configuration":{"custom_root_fields":{"select":{"name":"x"},"insert":null}},"array_relationships":[{"name":"roles","using":{"foreign_key_constraint_on":{"table":"user_roles","columns":[1]}}}]}]}]}}`)
	f.Add(302, "", "")
	tables := engine.Tables{"users": {"id", "default_role", "created_at"}, "user_roles": {"id", "user_id"}, "roles": {"role"}}
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		e, err := engine.Open(engine.Settings{URL: "http://hasura.test/v1/graphql", AdminSecret: adminSecret}, &http.Client{Transport: answers{status, kind, body}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Query(t.Context(), "query { user { id } }", nil)
		var failure *engine.Failure
		switch {
		case err == nil && (len(got) == 0 || got[0] != '{' || status != http.StatusOK):
			t.Errorf("status %d gave data %q", status, got)
		case err != nil && (!errors.As(err, &failure) || strings.Contains(err.Error(), adminSecret)):
			t.Errorf("error %v", err)
		}
		steps, err := e.Plan(t.Context(), tables)
		if err != nil && strings.Contains(err.Error(), adminSecret) {
			t.Errorf("error %v", err)
		}
		for _, s := range steps {
			if strings.ContainsAny(s.Text, "\n\x1b") {
				t.Errorf("step %q", s.Text)
			}
		}
	})
}
