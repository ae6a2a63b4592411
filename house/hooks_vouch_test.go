package house_test

import (
	"net/http"
	"testing"

	"postern/hooks/supabase"
	"postern/internal/testhouse"
)

// TestPasswordUnknown has an older system behind an address vouch for its users, one sign-in at a time.
func TestPasswordUnknown(t *testing.T) {
	t.Parallel()
	const wrong = "Incorrect email or password"
	r := listen(t, supabase.PasswordUnknown)
	h := testhouse.Open(t, hook(supabase.PasswordUnknown, r.URL))
	for name, answer := range map[string]http.HandlerFunc{
		"continue": says(200, `{"decision":"continue"}`), "nothing": says(204, ``), "reject": says(200, `{"decision":"reject","message":"No"}`),
		"trouble": says(500, `{}`), "not JSON": says(200, `vouch`), "a user of another shape": says(200, `{"decision":"vouch","user":[]}`),
	} {
		r.says(answer)
		signs(t, h, "signin", "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
		if n := len(r.questions()); n != 1 || users(t, h, "jane@example.com") {
			t.Fatalf("%s: asked %d times", name, n)
		}
		run(t, h, `delete from auth.security_counters`)
	}
	r.says(says(200, `{"error":{"http_code":410,"message":"Ask for a new password"}}`))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 410, "hook-denied", "Ask for a new password")

	r.says(says(200, `{"decision":"vouch","user":{"email_verified":true,"display_name":"Jane Doe","user_metadata":{"id":9007199254740993,"providers":["x"]}}}`))
	signs(t, h, "signin", "Jane@example.com").entered(t)
	if body := r.only(t); body["email"] != "jane@example.com" || body["password"] != password || body["user_id"] != nil {
		t.Errorf("told %v", body)
	}
	run(t, h, `do $$ begin if not exists (select from auth.users where email = 'jane@example.com' and email_verified and display_name = 'Jane Doe'
		and metadata = '{"id": 9007199254740993}') then raise exception 'not as vouched for'; end if; end $$`)
	signs(t, h, "signin", "jane@example.com").entered(t)
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)

	run(t, h, `update auth.users set password_hash = null where email = 'jane@example.com'`)
	signs(t, h, "signin", "jane@example.com").entered(t)
	if body := r.only(t); body["user_id"] == nil {
		t.Errorf("told %v", body)
	}
}

func TestPasswordUnknownInTheDatabase(t *testing.T) {
	t.Parallel()
	const wrong = "Incorrect email or password"
	h := testhouse.Open(t, hook(supabase.PasswordUnknown, "pg-functions://postgres/app/hook"))
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	function(t, h, `if event->>'password' = 'correct horse battery' then return '{"decision":"vouch","user":{"email_verified":true}}'; end if; return null;`)
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	signs(t, h, "signin", "jane@example.com").entered(t)
	function(t, h, `perform pg_sleep(20); return null;`)
	signs(t, h, "signin", "jane@example.com").entered(t)
	signs(t, h, "signin", "john@example.com").turnedAway(t, 401, "invalid-email-password", wrong)
	if users(t, h, "john@example.com") {
		t.Error("a function that never ends makes users")
	}
}
