package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/house"
	"postern/internal/testhouse"
)

// askedKey leads to the count of a request's statements.
type askedKey struct{}

// statements counts the statements of requests whose context asks for it.
type statements struct{}

func (statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if n, ok := ctx.Value(askedKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	return ctx
}

func (statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

const everyList = `id sessions{id} identities{id} factors{kind} passkeys{id transports} personalAccessTokens{id metadata} recoveryCodesLeft auditEntries{id} pendingSecrets{kind attemptsLeft} mails{template} events{id}`

// TestListsOfUsersCostNoStatementEach asks for all lists of a user, and of fifty by nodes and by edges: the
// number of statements is the same.
func TestListsOfUsersCostNoStatementEach(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": secret, "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"},
		func(o *house.Options) { o.Pool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = statements{} } })
	w := &world{h: h}
	jane, _ := signUp(t, h, "jane@example.com", "user")
	w.everything(t, jane)
	for i := range 49 {
		var id string
		if err := h.Store.Pool().QueryRow(t.Context(), `insert into auth.users (email, locale) values ($1, 'en') returning id::text`, fmt.Sprintf("u%d@example.com", i)).Scan(&id); err != nil {
			t.Fatal(err)
		}
		w.everything(t, id)
	}
	const lists = 10
	for _, query := range []string{
		`{user(id:"` + jane + `"){` + everyList + `}}`,
		`{users(first:50){nodes{` + everyList + `}}}`,
		`{users(first:50){edges{node{` + everyList + `}}}}`,
	} {
		var n atomic.Int64
		body, _ := json.Marshal(map[string]string{"query": query})
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), askedKey{}, &n), http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Hasura-Admin-Secret", secret)
		r.RemoteAddr = "127.0.0.1:4000"
		answer := httptest.NewRecorder()
		h.Handler.ServeHTTP(answer, r)
		got := answer.Body.String()
		if answer.Code != http.StatusOK || strings.Contains(got, `"errors"`) || strings.Contains(got, "hidden") {
			t.Fatalf("%d %.600s", answer.Code, got)
		}
		want := 1
		if strings.Contains(query, "users") {
			want = 50
		}
		for _, part := range []string{`"transports":["usb","nfc"]`, `"recoveryCodesLeft":1`, `"kind":"totp"`, `"metadata":{"name":"CI"}`, `"identities":[{"id"`, `{"kind":"EMAIL_CODE","attemptsLeft":4}`, `"mails":[{"template":"email-verify"}`, `"events":[`} {
			if found := strings.Count(got, part); found != want {
				t.Errorf("%.30s: %d times %s, want %d", query, found, part, want)
			}
		}
		if n.Load() != 1+lists {
			t.Errorf("%.30s: %d statements, want %d", query, n.Load(), 1+lists)
		}
	}
}

// TestListsShowWhatLives gives a user things that are over or somebody else's: they are not in the lists, and
// the lists are as long as they may be, the newest first.
func TestListsShowWhatLives(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	w := &world{h: h}
	jane, _ := signUp(t, h, "jane@example.com", "user")
	joe, _ := signUp(t, h, "joe@example.com", "user")
	w.everything(t, jane)
	exec(t, h, `update auth.refresh_tokens set expires_at = now() - interval '1 minute' where user_id = $1`, jane)
	exec(t, h, `update auth.factors set created_at = now() - interval '1 day' where user_id = $1`, jane)
	exec(t, h, `update auth.recovery_codes set used_at = now() where user_id = $1`, jane)
	const query = `query($id: UUID!, $n: Int!) { user(id: $id) { sessions(first: $n) { id aal } personalAccessTokens(first: $n) { id } factors(first: $n) { id status createdAt } recoveryCodesLeft passkeys(first: $n) { nickname } } }`
	const gone = `{"user":{"sessions":[],"personalAccessTokens":[],"factors":[],"recoveryCodesLeft":0,"passkeys":[{"nickname":null}]}}`
	if a := ask(t, h, bySecret(), query, map[string]any{"id": jane, "n": 20}); string(a.Data) != gone {
		t.Errorf("what is over: %s %+v", a.Data, a.Errors)
	}
	exec(t, h, `delete from auth.refresh_tokens where user_id = $1`, joe)
	exec(t, h, `update auth.users set active_mfa_type = 'totp', totp_secret = 'HIDDEN' where id = $1`, joe)
	for i := range 3 {
		exec(t, h, `insert into auth.user_security_keys (user_id, credential_id, nickname, added_at) values ($1, 'c' || $2::int, 'key ' || $2::int, now() + make_interval(mins => $2::int))`, joe, i)
	}
	const newest = `{"user":{"sessions":[],"personalAccessTokens":[],"factors":[{"id":null,"status":"active","createdAt":null}],"recoveryCodesLeft":0,"passkeys":[{"nickname":"key 2"},{"nickname":"key 1"}]}}`
	if a := ask(t, h, bySecret(), query, map[string]any{"id": joe, "n": 2}); string(a.Data) != newest {
		t.Errorf("a factor of Hasura Auth, the newest keys: %s %+v", a.Data, a.Errors)
	}
	for _, n := range []int{0, -1, 101} {
		if a := ask(t, h, bySecret(), query, map[string]any{"id": joe, "n": n}); !strings.Contains(a.said(), "first must be") {
			t.Errorf("first: %d: %+v", n, a)
		}
	}
}
