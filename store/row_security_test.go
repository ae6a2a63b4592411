package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testpg"
)

// TestFunctionsOfSomebodyElseAreLeftAlone migrates a database in which the application made functions of
// these names for itself.
func TestFunctionsOfSomebodyElseAreLeftAlone(t *testing.T) {
	t.Parallel()
	url := hasuraAuth(t, golanguage(), 18)
	conn := dial(t, url)
	run(t, conn, `
		create function auth.uid() returns text language sql stable as $$ select current_setting('app.user', true) $$;
		create function auth.role(place text) returns text language sql stable as $$ select place $$;
		alter default privileges revoke execute on functions from public`)
	migrate(t, url)
	const named = `select format('%s returns %s: %s', p.oid::regprocedure, prorettype::regtype, coalesce(obj_description(p.oid, 'pg_proc'), 'own'))
		from pg_proc p where pronamespace = 'auth'::regnamespace and proname in ('uid', 'role', 'email', 'jwt') order by 1`
	want := []string{
		"auth.email() returns text: The address that the token of the request names. Made by Postern.",
		"auth.jwt() returns jsonb: All claims of the token of the request. Made by Postern.",
		"auth.role(text) returns text: own",
		"auth.uid() returns text: own",
	}
	if diff := cmp.Diff(want, read(t, conn, named)); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	if got := read(t, conn, `select has_function_privilege('pg_monitor', 'auth.email()', 'execute')::text`); got[0] != "true" {
		t.Error("not everybody may call auth.email()")
	}
}

// TestWhoAsksIsKnownInNewDatabases has the functions there from the beginning.
func TestWhoAsksIsKnownInNewDatabases(t *testing.T) {
	t.Parallel()
	conn := dial(t, testpg.New(t))
	run(t, conn, `set "request.jwt.claims" = '{"sub":"4c4b2c3a-8a1b-4b35-8a51-7a4bfbcf0a54","role":"anon","email":"a@example.com"}'`)
	got := read(t, conn, `select concat_ws(' ', auth.uid(), auth.role(), auth.email(), auth.jwt() ->> 'role')`)
	if want := "4c4b2c3a-8a1b-4b35-8a51-7a4bfbcf0a54 anon a@example.com anon"; got[0] != want {
		t.Errorf("%q, want %q", got[0], want)
	}
}
