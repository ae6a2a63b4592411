package main

import (
	"strings"
	"testing"

	"postern/internal/testpg"
)

func TestMigrationCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	env := map[string]string{"POSTGRES_CONNECTION": testpg.Empty(t)}
	steps := []struct {
		args string
		code int
		want string // in what is printed
		not  string // not in it
	}{
		{"migrate status", exitOK, "pending", ":"},
		{"adopt --check", exitOK, "nothing yet", ""},
		{"adopt --commit", exitError, "the database holds nothing to adopt", ""},
		{"migrate", exitOK, "migrations were pending", ""},
		{"migrate", exitOK, "The database is up to date.\n", "pending"},
		{"migrate status", exitOK, "add_sessions_and_tickets", "  pending\n"},
		{"adopt --check", exitOK, "there is nothing to adopt", ""},
	}
	for _, s := range steps {
		got := runPostern(t, env, strings.Fields(s.args)...)
		all := got.Stdout + got.Stderr
		if got.Code != s.code || !strings.Contains(all, s.want) || s.not != "" && strings.Contains(all, s.not) {
			t.Errorf("%s: exit code %d, want %d, with %q and without %q:\n%s", s.args, got.Code, s.code, s.want, s.not, all)
		}
	}
}

func TestAnUnreachableDatabaseIsOneLineWithoutThePassword(t *testing.T) {
	t.Parallel()
	got := runPostern(t, map[string]string{"POSTGRES_CONNECTION": "postgres://me:hunter2@127.0.0.1:1/app?connect_timeout=2"}, "migrate", "status")
	if got.Code != exitError || !strings.HasPrefix(got.Stderr, "postern: ") || !strings.Contains(got.Stderr, "\nNext: look at POSTGRES_CONNECTION") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.Stderr, "hunter2") || strings.Count(got.Stderr, "\n") != 2 {
		t.Errorf("stderr:\n%s", got.Stderr)
	}
}
