package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"postern/migrations"
)

// migrationsTable is where goose notes which of our migrations were applied. The tables in which
// Hasura Auth notes its own are never written.
const migrationsTable = "auth.postern_migrations"

// The migrations that adoption knows by number, and the one that is never reached.
const (
	stateMigration    int64 = 1 // makes the table where an adoption is recorded
	baselineMigration int64 = 2 // makes what an adopted database has already
	lastMigration     int64 = math.MaxInt64
)

// MigrationState is one migration and when it was applied.
type MigrationState struct {
	Source    string // "postern" or "river"
	Version   int64
	Name      string
	AppliedAt time.Time // zero while it is pending
}

// Migrate brings the database to the schema that this program needs, and does nothing when it is
// there already. A database of Hasura Auth is adopted first, where that can be undone. Many
// processes may call it at once: one works, the others wait for it. It needs a session of its own,
// so a pooler that shares sessions between clients must not be in between.
func Migrate(ctx context.Context, databaseURL string) error {
	current, err := migrated(ctx, databaseURL)
	if err != nil || current {
		return err
	}
	m, err := openMigrator(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer m.close(ctx)
	if err := m.lock(ctx); err != nil {
		return err
	}
	p, err := plan(ctx, m.held.Conn(), false)
	if err != nil {
		return err
	}
	return m.carryOut(ctx, p, false)
}

// MigrationStatus lists every migration this program knows, those of River after our own. It
// changes nothing.
func MigrationStatus(ctx context.Context, databaseURL string) ([]MigrationState, error) {
	states, err := knownMigrations()
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer closeConn(ctx, conn)
	applied := map[MigrationState]time.Time{}
	for source, sql := range map[string]string{
		"postern": `select version_id, min(tstamp at time zone 'UTC') from auth.postern_migrations where is_applied group by 1`,
		"river":   `select version, min(created_at) from postern_river.river_migration m where ` + mainLine + ` group by 1`,
	} {
		rows, _ := conn.Query(ctx, sql)
		var s MigrationState
		var at time.Time
		_, err := pgx.ForEachRow(rows, []any{&s.Version, &at}, func() error {
			applied[MigrationState{Source: source, Version: s.Version}] = at.UTC()
			return nil
		})
		if err != nil && !isMissing(err) {
			return nil, explain(err)
		}
	}
	for i, s := range states {
		states[i].AppliedAt = applied[MigrationState{Source: s.Source, Version: s.Version}]
	}
	return states, nil
}

// migrated reports whether nothing is pending. It is the way of every start but the first: one
// connection, one question, no lock.
func migrated(ctx context.Context, databaseURL string) (bool, error) {
	states, err := knownMigrations()
	if err != nil {
		return false, err
	}
	var ours, rivers []int64
	for _, s := range states {
		if s.Source == "river" {
			rivers = append(rivers, s.Version)
		} else {
			ours = append(ours, s.Version)
		}
	}
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return false, err
	}
	defer closeConn(ctx, conn)
	var current bool
	err = conn.QueryRow(ctx, `
		select (select count(distinct version_id) from auth.postern_migrations
		        where is_applied and version_id = any($1)) = cardinality($1::bigint[])
		   and (select count(distinct version) from postern_river.river_migration m
		        where `+mainLine+` and version = any($2)) = cardinality($2::bigint[])`,
		ours, rivers).Scan(&current)
	if err != nil && !isMissing(err) {
		return false, explain(err)
	}
	return current, nil
}

// mainLine picks River's own migrations. Its first ones had no lines.
const mainLine = `coalesce(to_jsonb(m) ->> 'line', 'main') = 'main'`

// LatestMigration is the number of the last of our own migrations that this program knows.
func LatestMigration() (latest int64) {
	states, _ := knownMigrations() // they are embedded: a test reads them all
	for _, s := range states {
		if s.Source == "postern" {
			latest = max(latest, s.Version)
		}
	}
	return latest
}

// knownMigrations lists what this program carries.
func knownMigrations() ([]MigrationState, error) {
	entries, err := fs.ReadDir(migrations.FS, ".")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var states []MigrationState
	for _, e := range entries {
		number, name, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("store: migration %s has no number", e.Name())
		}
		states = append(states, MigrationState{Source: "postern", Version: version, Name: name})
	}
	river, err := riverMigrator(nil)
	if err != nil {
		return nil, err
	}
	for _, v := range river.AllVersions() {
		states = append(states, MigrationState{Source: "river", Version: int64(v.Version), Name: v.Name})
	}
	return states, nil
}

func riverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: jobSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("store: River's migrations: %w", err)
	}
	return m, nil
}

// A migrator is the one process that may change the schema now: one session holds the locks,
// others of the same pool do the work.
type migrator struct {
	pool *pgxpool.Pool
	held *pgxpool.Conn // holds the locks; they end with it, however it ends
}

func openMigrator(ctx context.Context, databaseURL string) (*migrator, error) {
	cfg, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, errBadURL
	}
	cfg.MinConns, cfg.MinIdleConns = 0, 0
	cfg.MaxConns = 4
	cfg.ConnConfig.RuntimeParams["application_name"] = "postern migrate"
	cfg.AfterConnect = settle
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	held, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return &migrator{pool: pool, held: held}, nil
}

// close gives the locks back by closing the session that holds them.
func (m *migrator) close(ctx context.Context) {
	closeConn(ctx, m.held.Hijack())
	m.pool.Close()
}

// settle makes a session independent of what the role or the database has set. Building an index
// may take long; waiting for a table that somebody else holds may not, since everybody else who
// needs the table waits behind us (see patiently).
func settle(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;
		set lock_timeout = '3s'; set time zone 'UTC'; set search_path = public;
		set client_min_messages = warning; set default_transaction_read_only = off`)
	return err
}

// up applies our own migrations up to a version, and after the last of them River's.
func (m *migrator) up(ctx context.Context, version int64) error {
	return patiently(ctx, func() error { return m.tryUp(ctx, version) })
}

func (m *migrator) tryUp(ctx context.Context, version int64) error {
	db := stdlib.OpenDBFromPool(m.pool)
	defer func() { _ = db.Close() }()
	ours, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithTableName(migrationsTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if _, err := ours.UpTo(ctx, version); err != nil {
		return explain(err)
	}
	if version < lastMigration {
		return nil
	}
	rivers, err := riverMigrator(m.pool)
	if err != nil {
		return err
	}
	if _, err := rivers.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return explain(fmt.Errorf("River's migrations: %w", err))
	}
	return nil
}

// errBadURL stands for the parser's error, which would repeat the connection string and so the
// password.
var errBadURL = errors.New("store: the database URL is not valid; it looks like postgres://user:password@host:5432/database")

func connect(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	cfg, err := pgxpool.ParseConfig(databaseURL) // understands the pool_… parameters a URL may carry
	if err != nil {
		return nil, errBadURL
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return conn, nil
}

// closeConn says goodbye even when ctx is over, but not for ever.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// isMissing reports that a table or a schema does not exist.
func isMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}

// explain adds to an error of Postgres what an operator can do about it.
func explain(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "42501": // insufficient_privilege
			return fmt.Errorf("store: the database role lacks a right: %w; migrate with the role that owns schema auth and its tables (POSTGRES_MIGRATIONS_CONNECTION may name another role than the server's)", err)
		case lockNotAvailable:
			return fmt.Errorf("store: another session keeps a table busy (%w); nothing of this step was changed, so run the migration again when its transaction has ended", err)
		}
	}
	return fmt.Errorf("store: %w", err)
}
