package graph_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// secret is the admin secret of the houses here.
const secret = "an-admin-secret-of-32-characters"

// open opens a house whose operators have the roles admin and auditor, beside the secret.
func open(t testing.TB, settings map[string]string) *testhouse.House {
	t.Helper()
	env := map[string]string{
		"HASURA_GRAPHQL_ADMIN_SECRET":               secret,
		"AUTH_ADMIN_ROLE":                           "operator",
		"AUTH_ADMIN_READER_ROLE":                    "auditor",
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}
	for name, value := range settings {
		env[name] = value
	}
	return testhouse.Open(t, env)
}

// header is what a request shows of who sends it.
type header map[string]string

func bySecret() header { return header{"X-Hasura-Admin-Secret": secret} }

// answer is what came back.
type answer struct {
	Status int
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code string }
	}
}

// code is the code of the first error, or empty.
func (a answer) code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions.Code
}

// said is the message of the first error, or empty.
func (a answer) said() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Message
}

// send sends a body as it is.
func send(t testing.TB, h *testhouse.House, who header, method, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(h.URL, "/v1")+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range who {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Status: resp.StatusCode}
	if len(raw) == 0 {
		return a
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, raw, err)
	}
	return a
}

// ask asks the API.
func ask(t testing.TB, h *testhouse.House, who header, query string, variables map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return send(t, h, who, http.MethodPost, string(body))
}

// signUp makes a user who has roles beside those of everybody ("user,operator"), and gives their id and access
// token.
func signUp(t testing.TB, h *testhouse.House, email, roles string) (id, token string) {
	t.Helper()
	const password = "correct horse battery staple"
	id, token = session(t, h, "/signup/email-password", email, password)
	more := strings.Split(strings.TrimPrefix(strings.TrimPrefix(roles, "user"), ","), ",")
	if more[0] == "" {
		return id, token
	}
	for _, role := range more {
		exec(t, h, `insert into auth.roles (role) values ($1) on conflict do nothing`, role)
		exec(t, h, `insert into auth.user_roles (user_id, role) values ($1, $2)`, id, role)
	}
	return session(t, h, "/signin/email-password", email, password)
}

// session signs somebody up or in.
func session(t testing.TB, h *testhouse.House, path, email, password string) (id, token string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Session struct {
			AccessToken string
			User        struct{ ID string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Session.AccessToken == "" {
		t.Fatalf("%s: %d %v", path, resp.StatusCode, err)
	}
	return out.Session.User.ID, out.Session.AccessToken
}
