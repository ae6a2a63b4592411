// Package shared is the server beneath package testpg. It knows nothing of package store, so
// that tests inside that package can use it too; all others use testpg.
package shared

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// patience is how long a test waits for the server or for a database: an overloaded machine may
// be slow, a broken one should still say so.
const patience = 2 * time.Minute

// server is this process's part in the shared server. It is the one thing of a test process that
// must exist once.
var server = sync.OnceValues(func() (*membership, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return join(ctx)
})

// A membership keeps the server alive: while its connection is open, the server's keeper stays.
type membership struct {
	url   string // of the maintenance database
	admin *pgxpool.Pool
	held  *pgx.Conn
}

// Empty returns the URL of a fresh database with nothing in it.
func Empty(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := joined(t)
	return m.create(ctx, t, "template0")
}

// Migrated returns the URL of a fresh copy of a template that the function has migrated.
func Migrated(t testing.TB, migrate func(ctx context.Context, databaseURL string) error) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := joined(t)
	template, err := m.template(ctx, migrate)
	if err != nil {
		t.Fatalf("make the template database: %v", err)
	}
	return m.create(ctx, t, template)
}

func joined(t testing.TB) *membership {
	t.Helper()
	m, err := server()
	if err != nil {
		t.Fatalf("no Postgres for the tests: %v", err)
	}
	return m
}

func (m *membership) create(ctx context.Context, t testing.TB, template string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if _, err := m.admin.Exec(ctx, "create database "+name+" template "+template); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if _, err := m.admin.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return onDatabase(m.url, name)
}

// template makes the migrated database unless it exists. Processes that ask together wait for
// the one that makes it; a half made one is thrown away.
func (m *membership) template(ctx context.Context, migrate func(context.Context, string) error) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	conn, err := m.admin.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	if done, err := exists(ctx, conn.Conn(), name); err != nil || done {
		return name, err
	}

	if _, err := conn.Exec(ctx, "select pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock(hashtext($1))", name) // or the connection is gone
	}()
	if done, err := exists(ctx, conn.Conn(), name); err != nil || done {
		return name, err
	}
	draft := name + "_draft"
	for _, sql := range []string{
		"drop database if exists " + draft + " with (force)",
		"create database " + draft + " template template0",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return "", err
		}
	}
	if err := migrate(ctx, onDatabase(m.url, draft)); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	// A connection that the migration closed may not be gone from the server's list yet.
	if _, err := conn.Exec(ctx, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1", draft); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "alter database "+draft+" rename to "+name)
	return name, err
}

func exists(ctx context.Context, conn *pgx.Conn, database string) (bool, error) {
	var found bool
	err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&found)
	return found, err
}

// onDatabase is the same address with another database.
func onDatabase(address, database string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // it was parsed before
	}
	u.Path = "/" + database
	return u.String()
}
