// Package testpg gives every test a Postgres database of its own.
//
// All test processes of a run share one server. The first that asks starts it; it ends by itself
// some seconds after the last process is gone, however that one went. A database is a copy of a
// template that was migrated once, which takes some tens of milliseconds.
//
// Set POSTERN_TEST_DATABASE_URL to use a server that already runs, as a superuser of it.
package testpg

import (
	"testing"

	"postern/internal/testpg/shared"
	"postern/store"
)

// New returns the URL of a fresh, migrated database. It is dropped when the test ends.
func New(t testing.TB) string {
	t.Helper()
	return shared.Migrated(t, store.Migrate)
}

// Empty returns the URL of a fresh database with nothing in it, not even extensions. It is
// dropped when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	return shared.Empty(t)
}
