package testhooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testhouse"
)

// settings are those of a house with one hook, where people need no confirmed address.
func settings(hook, uri string, more map[string]string) map[string]string {
	prefix := "AUTH_HOOK_" + strings.ToUpper(hook)
	all := map[string]string{prefix + "_ENABLED": "true", prefix + "_URI": uri, "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}
	if strings.HasPrefix(uri, "http") {
		all[prefix+"_SECRETS"] = secret
	}
	maps.Copy(all, more)
	return all
}

// answer is what a house said to a request.
type answer struct {
	status  int
	code    string
	message string
	token   string
}

// asks posts to a house.
func asks(t testing.TB, h *testhouse.House, path, body string) answer {
	t.Helper()
	res, text := h.Do(t, http.MethodPost, path, body)
	_ = res.Body.Close()
	var said struct {
		Error, Message string
		Session        struct{ AccessToken string }
	}
	_ = json.Unmarshal([]byte(text), &said)
	return answer{res.StatusCode, said.Error, said.Message, said.Session.AccessToken}
}

// signsUp signs somebody up by a password.
func signsUp(t testing.TB, h *testhouse.House, email, name string) answer {
	t.Helper()
	return asks(t, h, "/signup/email-password", fmt.Sprintf(`{"email":%q,"password":"correct horse battery","options":{"displayName":%q}}`, email, name))
}

// plan is the session variable x-hasura-plan of a token.
func plan(t testing.TB, token string) any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	variables, _ := claims["https://hasura.io/jwt/claims"].(map[string]any)
	return variables["x-hasura-plan"]
}

// inDatabase runs statements in the database of a house.
func inDatabase(t testing.TB, h *testhouse.House, sql string) {
	t.Helper()
	withDatabase(t, h, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), sql)
		return err
	})
}

// rows are what a query of one text gives.
func rows(t testing.TB, h *testhouse.House, query string) []string {
	t.Helper()
	var list []string
	withDatabase(t, h, func(conn *pgx.Conn) error {
		found, err := conn.Query(t.Context(), query)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(found, pgx.RowTo[string])
		return err
	})
	return list
}

func withDatabase(t testing.TB, h *testhouse.House, f func(*pgx.Conn) error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := f(conn); err != nil {
		t.Fatal(err)
	}
}

// text reads an example.
func text(t testing.TB, file ...string) string {
	t.Helper()
	said, err := os.ReadFile(examples(t, file...))
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
