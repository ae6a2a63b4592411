package house_test

import (
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// noRows fails when the table of a test has rows.
const noRows = `do $$ begin if exists (select from app.profiles) then raise exception 'there are profiles'; end if; end $$`

func TestUserInserted(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_HOOKS_POSTGRES_TIMEOUT": "300ms",
		"AUTH_HOOK_USER_INSERTED_ENABLED": "true", "AUTH_HOOK_USER_INSERTED_URI": "pg-functions://postgres/app/hook",
	})
	if !strings.Contains(h.Log.String(), "the function of a hook is not as it should be") {
		t.Error("no warning of a function that is missing")
	}
	signs(t, h, "signup", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	run(t, h, `create schema app; create table app.profiles (id uuid primary key references auth.users on delete cascade, name text)`)
	const insert = `insert into app.profiles select id, display_name from auth.users where id = (event->'user'->>'id')::uuid; `
	for _, tt := range []struct {
		name, function string
		status         int
		code, message  string
	}{
		{"an error object", insert + `return '{"error":{"http_code":403,"message":"Only staff"}}';`, 403, "hook-denied", "Only staff"},
		{"a state with a status", insert + `raise exception 'Only staff' using errcode = 'PT403';`, 403, "hook-denied", "Only staff"},
		{"an exception", insert + `raise exception 'boom %', event;`, 500, "hook-failed", failed},
		{"a broken constraint", insert + insert + `return null;`, 500, "hook-failed", failed},
		{"slow", insert + `perform pg_sleep(20); return null;`, 500, "hook-failed", failed},
		{"no object", insert + `return '[]';`, 500, "hook-failed", failed},
	} {
		function(t, h, tt.function)
		signs(t, h, "signup", "jane@example.com").turnedAway(t, tt.status, tt.code, tt.message)
		if users(t, h, "jane@example.com") {
			t.Fatalf("%s: the user is there", tt.name)
		}
		run(t, h, noRows)
	}
	function(t, h, insert+`return null;`)
	signs(t, h, "signup", "jane@example.com").entered(t)
	run(t, h, `do $$ begin if (select name from app.profiles) <> 'jane@example.com' then raise exception 'no profile'; end if; end $$`)
}
