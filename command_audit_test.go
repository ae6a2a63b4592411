package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testhouse"
)

func TestAuditCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	h := testhouse.Open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	env := map[string]string{"POSTGRES_CONNECTION": h.Database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret, "AUTH_ENCRYPTION_KEY": strings.Repeat("0123456789abcdef", 4)}
	res, body := h.Do(t, "POST", "/signup/email-password", `{"email": "jane@example.com", "password": "correct horse battery"}`)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("signing up: %s", body)
	}
	res, _ = h.Do(t, "POST", "/signin/email-password", `{"email": "jane@example.com", "password": "wrong horse battery"}`)
	_ = res.Body.Close()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	sealed := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			var done bool
			if err := conn.QueryRow(t.Context(), `select not exists (select from auth.audit_pending) and (select no from auth.audit_head) >= $1`, n).Scan(&done); err != nil {
				t.Fatal(err)
			}
			if done {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("nothing was sealed in a minute")
			}
			if _, err := conn.Exec(t.Context(), "select pg_sleep(0.02)"); err != nil {
				t.Fatal(err)
			}
		}
	}
	sealed(3)
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &bytes.Buffer{}, env: env}
	if code := a.run(t.Context(), []string{"audit", "verify", "--json"}); code != exitOK {
		t.Fatalf("%d: %s", code, &out)
	}
	var first auditResult
	if err := json.Unmarshal(out.Bytes(), &first); err != nil || !first.Whole || first.Seals != 3 {
		t.Fatalf("%s, %v", &out, err)
	}
	wrongHead := "1:" + strings.Repeat("00", 32)
	otherKey := map[string]string{"POSTGRES_CONNECTION": h.Database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret}
	for _, s := range []said{
		{env: env, args: []string{"audit", "list"}, want: []string{`"event":"signin.failed"`, `"reason":"invalid-credentials"`, `"event":"user.created"`, `"event":"session.started"`, `"seal":1`}, not: "jane"},
		{env: env, args: []string{"audit", "list", "--event", "session.*", "--user", "jane@example.com", "--since", "1h"}, want: []string{`"event":"session.started"`}, not: "user.created"},
		{env: env, args: []string{"audit", "list", "--limit", "1"}, want: []string{"signin.failed"}, not: "session.started"},
		{env: env, args: []string{"audit", "list", "--until", "1h"}, not: "event"},
		{env: env, args: []string{"audit", "list", "--event", "sesion.*"}, code: exitUsage, want: []string{"is no event of the audit log"}},
		{env: env, args: []string{"audit", "list", "--until", "never"}, code: exitUsage, want: []string{"--until never is neither"}},
		{env: env, args: []string{"audit", "list", "--actor", "me"}, code: exitUsage, want: []string{"not the id of a user"}},
		{env: env, args: []string{"audit", "list", "--user", "joe@example.com"}, code: exitError, want: []string{"there is no user joe@example.com"}},
		{env: env, args: []string{"audit", "list", "--limit=-1"}, code: exitUsage, want: []string{"must be 0 or more"}},
		{env: env, args: []string{"audit", "verify"}, want: []string{"is whole: 3 seals", "0 entries wait", "Head: " + first.Head}},
		{env: env, args: []string{"audit", "verify", "--includes", first.Head}, want: []string{"is whole"}},
		{env: env, args: []string{"audit", "verify", "--from", "3"}, want: []string{"is whole: 1 seals"}},
		{env: env, args: []string{"audit", "verify", "--from", "9"}, code: exitError, want: []string{"no such seal to begin after"}},
		{env: env, args: []string{"audit", "verify", "--includes", wrongHead}, code: exitError, want: []string{"the seal 1 of --includes is not in the chain"}},
		{env: env, args: []string{"audit", "verify", "--includes", "1:abc"}, code: exitUsage, want: []string{"is no head"}},
		{env: env, args: []string{"audit", "verify", "--includes", first.Head, "--from", "4"}, code: exitUsage, want: []string{"begins behind"}},
		{env: env, args: []string{"audit", "verify", "--from=-4"}, code: exitUsage, want: []string{"the number of a seal"}},
		{env: otherKey, args: []string{"audit", "verify"}, code: exitError, want: []string{"AUTH_ENCRYPTION_KEY"}},
		{env: env, args: []string{"audit", "restart"}, code: exitUsage, want: []string{"--yes"}},
	} {
		s.check(t)
	}
	if _, err := conn.Exec(t.Context(), `update auth.audit_entries set detail = '{"method": "pat"}' where event = 'session.started'`); err != nil {
		t.Fatal(err)
	}
	said{env: env, args: []string{"audit", "verify"}, code: exitError, want: []string{"is broken", "session.started (seal 2): it was changed"}}.check(t)
	said{env: env, args: []string{"audit", "verify", "--json"}, code: exitError, want: []string{`"whole":false`, "it was changed"}}.check(t)
	said{env: env, args: []string{"audit", "restart", "--yes"}, want: []string{"behind seal 3: 0 seals are missing before; 1 entries waited", "--from 5"}}.check(t)
	sealed(4)
	said{env: env, args: []string{"audit", "verify", "--from", "5"}, want: []string{"behind seal 3: 0 seals are missing", "(believed, by --from)", "is whole: 0 seals"}}.check(t)
	said{env: env, args: []string{"audit", "verify", "--from", "4"}, code: exitError, want: []string{"not all of it is proved: 0 remarks, 1 doubts; 1 seals verified", "Head: 4:"}, not: "believed"}.check(t)
	if _, err := conn.Exec(t.Context(), `insert into auth.audit_entries (at, event) values (now() - interval '3 hours', 'session.ended')`); err != nil {
		t.Fatal(err)
	}
	sealed(5)
	said{env: env, args: []string{"audit", "verify", "--from", "5"}, code: exitError, want: []string{"Remark: entry ", "session.ended (seal 5): it was sealed 3h0m", "1 remarks, 0 doubts"}}.check(t)
	said{env: env, args: []string{"audit", "verify", "--from", "5", "--json"}, code: exitError, want: []string{`"whole":false`, `"remarks":1`, `"remarked":["entry `}, not: `"problem"`}.check(t)
	said{env: env, args: []string{"audit", "verify", "--from", "5", "--late", "4h"}, want: []string{"is whole: 1 seals"}}.check(t)
	said{env: env, args: []string{"audit", "verify", "--late", "0s"}, code: exitUsage, want: []string{"--late must be a time"}}.check(t)
}
