package store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// migrationLock is the key of our own advisory lock, around goose's and River's migrations.
const migrationLock int64 = 0x706f737465726e01 // "postern", 1

// How long to wait for whoever holds a lock. Another Postern may be building an index; Hasura Auth
// holds its lock for the few moments of its start.
const (
	waitForPostern    = 10 * time.Minute
	waitForHasuraAuth = time.Minute
)

// lock takes our own lock, and then the one that Hasura Auth's migrations take, so that neither
// another Postern nor a starting Hasura Auth changes the schema meanwhile.
func (m *migrator) lock(ctx context.Context) error {
	var database string
	if err := m.held.QueryRow(ctx, `select current_database()`).Scan(&database); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := m.advisoryLock(ctx, migrationLock, waitForPostern); err != nil {
		return fmt.Errorf("store: another process is migrating this database and did not finish in time: %w", err)
	}
	if err := m.advisoryLock(ctx, hasuraAuthLock(database), waitForHasuraAuth); err != nil {
		return fmt.Errorf("store: Hasura Auth holds its migration lock on this database and did not give it back in time; stop it, or wait until it has started, and try again: %w", err)
	}
	return nil
}

func (m *migrator) advisoryLock(ctx context.Context, key int64, limit time.Duration) error {
	_, err := m.held.Exec(ctx, fmt.Sprintf("set lock_timeout = %d", limit.Milliseconds()))
	if err != nil {
		return err
	}
	_, err = m.held.Exec(ctx, `select pg_advisory_lock($1)`, key)
	if lockTimedOut(err) {
		return fmt.Errorf("waited %v", limit)
	}
	return err
}

// patiently tries again when a table was busy. Each attempt is short, so that the application gets
// its turn in between: a long wait for a table would make everybody wait.
func patiently(ctx context.Context, attempt func() error) error {
	const attempts, pause = 10, time.Second
	for range attempts - 1 {
		err := attempt()
		if !lockTimedOut(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
	return attempt()
}

const lockNotAvailable = "55P03"

func lockTimedOut(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == lockNotAvailable
}

// hasuraAuthLock is the key that golang-migrate computes for schema auth of a database.
func hasuraAuthLock(database string) int64 {
	const salt uint32 = 1486364155
	return int64(crc32.ChecksumIEEE([]byte("auth\x00schema_migrations\x00"+database)) * salt)
}
