package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/webhooks"
)

const hookSecret = "v1,whsec_dGhpcyBpcyBhIHNlY3JldCBvZiBhIHJlY2VpdmVyIQ=="

// answers is a receiver that believes only what is signed, and says what a test wants.
func answers(t *testing.T, status int, body string) *httptest.Server {
	t.Helper()
	keys, err := webhooks.ParseAll(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = keys.Verify(r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), text, time.Now())
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var asked struct {
			Claims map[string]any `json:"claims"`
		}
		if json.Unmarshal(text, &asked) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if body == "echo" {
			asked.Claims["plan"], asked.Claims["sub"] = "gold", "somebody else"
			_ = json.NewEncoder(w).Encode(asked)
			return
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// hookEnv is an environment with one hook.
func hookEnv(database, name, uri string) map[string]string {
	upper := "AUTH_HOOK_" + strings.ToUpper(name)
	env := map[string]string{"POSTGRES_CONNECTION": database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret, upper + "_ENABLED": "true", upper + "_URI": uri}
	if strings.HasPrefix(uri, "http") {
		env[upper+"_SECRETS"] = hookSecret
	}
	return env
}

func TestHooksCommandsOverHTTP(t *testing.T) {
	t.Parallel()
	const nowhere = "postgres://me@127.0.0.1:1/app"
	echo, no, broken := answers(t, 200, "echo"), answers(t, 200, `{"error":{"http_code":402,"message":"Pay first"}}`), answers(t, 500, `{}`)
	env := hookEnv(nowhere, "custom_access_token", echo.URL+"/token?key=hidden")
	roles := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"roles":["staff"]}`)
	}))
	t.Cleanup(roles.Close)
	platform := map[string]string{"POSTGRES_CONNECTION": nowhere, "HASURA_GRAPHQL_JWT_SECRET": goodSecret, "AUTH_HOOK_PRE_SIGNUP_URL": roles.URL}
	payload := filepath.Join(t.TempDir(), "payload.json")
	if err := os.WriteFile(payload, mustSample(t, "custom_access_token"), 0o600); err != nil {
		t.Fatal(err)
	}
	unsigned := hookEnv(nowhere, "send_sms", echo.URL)
	delete(unsigned, "AUTH_HOOK_SEND_SMS_SECRETS")
	wrong := hookEnv(nowhere, "send_sms", "http://127.0.0.1:1/")
	wrong["AUTH_HOOK_BEFORE_USER_CREATED_ENABLED"] = "true"
	wrong["AUTH_HOOK_MFA_VERIFICATION_ATTEMPT_ENABLED"], wrong["AUTH_HOOK_MFA_VERIFICATION_ATTEMPT_URI"] = "true", "ftp://example.com"
	for _, s := range []said{
		{env: env, args: []string{"hooks", "list"}, want: []string{"token minting on " + echo.URL + "/token?… 5s refuse AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI", "send_sms SMS due off"}, not: "hidden"},
		{env: env, args: []string{"hooks", "list", "--on", "--json"}, want: []string{`"moments":["token minting"],"enabled":true,"transport":"http"`, `"signed":true,"timeoutMs":5000`}, not: "send_sms"},
		{env: map[string]string{}, args: []string{"hooks", "list", "--on"}, want: []string{"No hook is switched on."}},

		{env: env, args: []string{"hooks", "check"}, want: []string{"The hooks are good: 1."}, not: "notice"},
		{env: unsigned, args: []string{"hooks", "check"}, want: []string{"The hooks are good: 1.", "1 notice", "send_sms: has no secret"}},
		{env: wrong, args: []string{"hooks", "check"}, code: exitError, want: []string{"3 settings are wrong", "127.0.0.1:1 cannot be reached: connect: connection refused", "AUTH_HOOK_BEFORE_USER_CREATED_URI", "AUTH_HOOK_MFA_VERIFICATION_ATTEMPT_URI"}},

		{env: env, args: []string{"hooks", "test", "custom_access_token"}, want: []string{", signed, id ", "answer 200", "token minting", `adds the claim plan: "gold"`, "wants another claim sub, which is ours and stays"}},
		{env: env, args: []string{"hooks", "test", "supabase/custom_access_token", "--json"}, want: []string{`"result": "agreed"`, `"adds the claim plan: \"gold\""`}},
		{env: env, args: []string{"hooks", "test", "custom_access_token", "--payload", payload}, want: []string{`adds the claim plan: "gold"`}},
		{env: env, args: []string{"hooks", "test", "custom_access_token", "--payload", payload + "x"}, code: exitError, want: []string{"the payload cannot be read"}},
		{env: hookEnv(nowhere, "before_user_created", no.URL), args: []string{"hooks", "test", "before_user_created"}, code: exitRefused, want: []string{"refuses with status 402: Pay first"}},
		{env: hookEnv(nowhere, "before_user_created", broken.URL), args: []string{"hooks", "test", "before_user_created"}, code: exitError, want: []string{"fails, and what was asked about is refused: answered with status 500"}},
		{env: env, args: []string{"hooks", "test", "send_sms"}, code: exitError, want: []string{"nothing says where the hook send_sms is", "set AUTH_HOOK_SEND_SMS_URI"}},
		{env: env, args: []string{"hooks", "test", "sendsms"}, code: exitError, want: []string{"did you mean send_sms?"}},

		{env: env, args: []string{"hooks", "kit", "--hook", "custom_access_token"}, want: []string{"ok a question as Postern asks it", "ok a question that is ten minutes old is refused", "12 of 12."}},
		{args: []string{"hooks", "kit", echo.URL, "--hook", "custom_access_token", "--secret", "whsec_" + strings.Repeat("A", 44), "--json"}, code: exitError, want: []string{`"ok":true`, `"ok":false,"why":"answered with status 401"`}},
		{args: []string{"hooks", "kit", "--hook", "send_sms"}, code: exitError, want: []string{"nothing says where the receiver is", "postern hooks kit http"}},
		{args: []string{"hooks", "kit", "ftp://x", "--hook", "send_sms"}, code: exitUsage, want: []string{"is no address of a receiver"}},
		{args: []string{"hooks", "kit", echo.URL, "--hook", "user_inserted"}, code: exitError, want: []string{"has no receivers over HTTP"}},

		{args: []string{"hooks", "sample", "send_sms", "--language", "go"}, want: []string{"package main"}},
		{args: []string{"hooks", "sample", "send_sms", "--language", "perl"}, code: exitError, want: []string{"take one of go, js, script, sql"}},
		{args: []string{"hooks", "schema", "send_sms"}, want: []string{`"otp"`}},
		{args: []string{"hooks", "sample", "send_sms"}, want: []string{`"otp": "561166"`}},
		{env: platform, args: []string{"hooks", "test", "preSignupHook"}, want: []string{"adds the role staff"}},
		{env: platform, args: []string{"hooks", "check"}, want: []string{"The hooks are good: 1."}, not: "notice"},
		{env: platform, args: []string{"hooks", "kit", "--hook", "preSignupHook"}, code: exitError, want: []string{"so there is no kit"}},
		{env: env, args: []string{"hooks", "grant", "custom_access_token"}, code: exitError, want: []string{"is no function in the database"}},
	} {
		s.check(t)
	}
}

func mustSample(t *testing.T, name string) []byte {
	t.Helper()
	return []byte(runPostern(t, nil, "hooks", "sample", name).Stdout)
}

// inDatabase runs SQL.
func inDatabase(t *testing.T, database, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestHooksCommandsInTheDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	database := testpg.New(t)
	env := hookEnv(database, "before_user_created", "pg-functions://postgres/app/hook")
	joined := hookEnv(database, "user_inserted", "pg-functions://postgres/app/rows")
	for _, s := range []said{
		{env: env, args: []string{"hooks", "check"}, code: exitError, want: []string{"before_user_created: there is no schema app"}},
		{env: env, args: []string{"hooks", "grant", "before_user_created"}, code: exitError, want: []string{"there is no schema app", "--language sql"}},
		{env: env, args: []string{"hooks", "test", "before_user_created"}, code: exitError, want: []string{"cannot be called: there is no such"}},
	} {
		s.check(t)
	}
	inDatabase(t, database, `
		create schema app; create table app.seen (id uuid, known boolean);
		create function app.hook(event jsonb) returns jsonb language plpgsql as $$ begin
			insert into app.seen values ((event->'user'->>'id')::uuid, false);
			return '{"error":{"http_code":403,"message":"Only staff"}}';
		end $$;
		create function app.rows(event jsonb) returns jsonb language plpgsql as $$ begin
			insert into app.seen select id, true from auth.users where id = (event->'user'->>'id')::uuid;
			if not found then raise exception 'there is no such user' using errcode = 'PT409'; end if;
			return null;
		end $$`)
	for _, s := range []said{
		{env: env, args: []string{"hooks", "check"}, code: exitError, want: []string{"app.hook(jsonb) may be executed by public"}},
		{env: env, args: []string{"hooks", "grant", "before_user_created"}, want: []string{"revoke execute on function app.hook(jsonb) from public;"}, not: "Done"},
		{env: env, args: []string{"hooks", "grant", "before_user_created", "--apply"}, want: []string{"Done: 1 statement."}},
		{env: env, args: []string{"hooks", "grant", "before_user_created", "--apply"}, want: []string{"There is nothing to grant"}, not: "Done"},
		{env: env, args: []string{"hooks", "check"}, want: []string{"The hooks are good: 1."}},
		{env: env, args: []string{"hooks", "test", "before_user_created"}, code: exitRefused, want: []string{"at function app.hook", "refuses with status 403: Only staff"}},
		{env: joined, args: []string{"hooks", "test", "user_inserted"}, want: []string{"user inserted", "agrees"}},
		{env: hookEnv(database, "user_inserted", "https://example.com"), args: []string{"hooks", "check"}, code: exitError, want: []string{"takes part in a transaction"}},
	} {
		s.check(t)
	}
	inDatabase(t, database, `do $$ begin if exists (select from app.seen) or exists (select from auth.users) then raise exception 'a trial wrote'; end if; end $$`)
}
