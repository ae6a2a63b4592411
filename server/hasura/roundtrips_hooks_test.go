package hasura_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/house"
	"postern/internal/testhouse"
)

// withHooks opens a house that asks about tokens and new users over HTTP, and one in which a function joins sign-ups.
func withHooks(t *testing.T, options []func(*house.Options)) (asking, joined *testhouse.House) {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question struct {
			Claims map[string]any `json:"claims"`
		}
		if err := json.NewDecoder(r.Body).Decode(&question); err != nil || question.Claims == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(question)
	}))
	t.Cleanup(receiver.Close)
	const verified = "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED"
	asking = testhouse.Open(t, map[string]string{
		verified: "false", "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI": receiver.URL,
		"AUTH_HOOK_BEFORE_USER_CREATED_ENABLED": "true", "AUTH_HOOK_BEFORE_USER_CREATED_URI": receiver.URL,
	}, options...)
	joined = testhouse.Open(t, map[string]string{
		verified: "false", "AUTH_HOOK_USER_INSERTED_ENABLED": "true", "AUTH_HOOK_USER_INSERTED_URI": "pg-functions://postgres/public/joins",
	}, options...)
	conn, err := pgx.Connect(t.Context(), joined.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "create function public.joins(event jsonb) returns jsonb language sql as 'select null::jsonb'"); err != nil {
		t.Fatal(err)
	}
	return asking, joined
}
