// Package store keeps the nouns in Postgres. It is the only room that knows tables and SQL.
//
// Every function says what it does to the row in its name: TakeTicket uses the ticket up,
// FindTicket only looks. What may have changed since it was read is guarded by the statement that
// writes, and a guard that does not hold is ErrChanged.
//
// Time reaches a statement as a parameter, so that one clock, the server's, decides everywhere.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"postern/auth"
)

// Settings say which database to use.
type Settings struct {
	Connection           string `env:"POSTGRES_CONNECTION" format:"postgres-url" secret:"true" doc:"Database to use, as a URL or a key=value string; wins over HASURA_GRAPHQL_DATABASE_URL."`
	HasuraDatabaseURL    string `env:"HASURA_GRAPHQL_DATABASE_URL" format:"postgres-url" secret:"true" doc:"Database to use when POSTGRES_CONNECTION is not set, shared with Hasura."`
	MigrationsConnection string `env:"POSTGRES_MIGRATIONS_CONNECTION" format:"postgres-url" secret:"true" doc:"Database connection for migrations, when they need a role with more rights."`
	MigrateAtStart       bool   `env:"AUTH_MIGRATE_AT_START" default:"true" doc:"Apply pending migrations when the server starts; turn off to run 'postern migrate' as a step of its own."`
	MaxConnections       int    `env:"AUTH_POSTGRES_MAX_CONNECTIONS" default:"0" min:"0" doc:"Most connections a process opens for requests; 0 means what the connection string says in pool_max_conns, else 10."`
}

// URL is the connection that requests use, or empty when none is set.
func (s Settings) URL() string {
	if s.Connection != "" {
		return s.Connection
	}
	return s.HasuraDatabaseURL
}

// MigrationsURL is the connection that migrations use.
func (s Settings) MigrationsURL() string {
	if s.MigrationsConnection != "" {
		return s.MigrationsConnection
	}
	return s.URL()
}

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("store: not found")

// ErrChanged says that what a caller read before is no longer true, so nothing was written.
var ErrChanged = errors.New("store: changed meanwhile")

// ErrTooMany says that there are as many already as there may be, so nothing was written.
var ErrTooMany = errors.New("store: too many")

// ErrPasskeyTaken says that the authenticator's key is registered already.
var ErrPasskeyTaken = fmt.Errorf("%w: the authenticator's key is registered already", auth.InvalidPasskey)

// ErrTooLong says that something would become longer than it may, so nothing was written.
var ErrTooLong = errors.New("store: too long")

// querier is what a pool and a transaction have in common.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// DB is the database, or one transaction on it: the same functions serve in both.
type DB struct {
	querier
	pool *pgxpool.Pool
	tx   pgx.Tx // nil outside a transaction
	jobs *river.Client[pgx.Tx]
	load any // what the caller has the transaction carry
}

// Carrying is the transaction with something of the caller's that goes along with it.
func (db *DB) Carrying(load any) *DB {
	tx := *db
	tx.load = load
	return &tx
}

// Carried is what Carrying gave along; nil when nothing was.
func (db *DB) Carried() any { return db.load }

// Open connects to the database. It does not migrate, and it returns before the first connection
// is made; Ping tells whether the database answers.
func Open(ctx context.Context, s Settings, options ...func(*pgxpool.Config)) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(s.URL())
	if err != nil {
		// pgx repeats the connection string, password and all.
		return nil, errors.New("store: POSTGRES_CONNECTION or HASURA_GRAPHQL_DATABASE_URL is not a valid Postgres URL, such as postgres://user:password@host:5432/database")
	}
	switch {
	case s.MaxConnections > 0:
		cfg.MaxConns = int32(min(s.MaxConnections, 10_000)) // #nosec G115 -- bounded
	case cfg.MaxConns < 10:
		cfg.MaxConns = 10
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "postern"
	for _, o := range options {
		o(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// The cooldown bounds how often this client tells carriers of new jobs. What it swallows is not told
	// later: such a job waits for the next poll, a second away.
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: jobSchema, FetchCooldown: river.FetchCooldownMin})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return &DB{querier: pool, pool: pool, jobs: jobs}, nil
}

// Pool is the pool beneath, for the carriers of background work.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Close waits for the connections in use and closes them all.
func (db *DB) Close() { db.pool.Close() }

// Ping asks the database for an answer.
func (db *DB) Ping(ctx context.Context) error {
	if _, err := db.Exec(ctx, "select 1"); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// InTx runs f in a transaction: all that it writes is kept, or nothing. Nothing slow may happen
// inside. A transaction that Postgres gave up (a deadlock, a serialisation failure) is tried again,
// so f must be free of other effects.
func (db *DB) InTx(ctx context.Context, f func(tx *DB) error) error {
	const tries = 3
	var err error
	for range tries {
		err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			return f(&DB{querier: tx, pool: db.pool, tx: tx, jobs: db.jobs})
		})
		if !givenUp(err) {
			return err
		}
	}
	return err
}

// givenUp tells whether Postgres rolled the transaction back for a reason that another try cures.
func givenUp(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", // serialization_failure, deadlock_detected
		"0A000": // cached plan must not change result type: the next try plans anew
		return true
	}
	return false
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// refusal turns what a constraint says into the code it means.
func refusal(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.ConstraintName {
	case "users_email_key":
		return fmt.Errorf("%w: %s", auth.EmailTaken, pg.ConstraintName)
	case "users_pkey":
		return fmt.Errorf("%w: %s", ErrIDTaken, pg.ConstraintName)
	case "users_phone_number_key":
		return fmt.Errorf("%w: %s", auth.PhoneTaken, pg.ConstraintName)
	case "user_providers_provider_id_provider_user_id_key":
		return fmt.Errorf("%w: %s", auth.IdentityTaken, pg.ConstraintName)
	case "fk_role", "fk_default_role":
		return fmt.Errorf("%w: %s: a role that auth.roles does not have", auth.Internal, pg.ConstraintName)
	case "tickets_user_id_fkey", "tickets_parent_id_fkey": // gone since it was looked at
		return fmt.Errorf("%w: %s", ErrChanged, pg.ConstraintName)
	case "user_security_key_credential_id_key":
		return ErrPasskeyTaken
	case "factor_keys_credential_id_idx":
		return ErrPasskeyTaken
	case "hook_scripts_slug_key":
		return fmt.Errorf("%w: %s", auth.ScriptNameTaken, pg.ConstraintName)
	case "hook_script_secrets_pkey":
		return fmt.Errorf("%w: %s", auth.ScriptSecretTaken, pg.ConstraintName)
	case "email_check":
		return auth.Invalid{Field: "email", Problem: "must be an e-mail address"}
	}
	return err
}

// one scans the only row of a query into a T by column names. Outside a transaction it tries again
// what Postgres gave up; inside, InTx does, from the start.
func one[T any](ctx context.Context, q querier, sql string, args ...any) (T, error) {
	row, err := collect[T](ctx, q, sql, args...)
	if db, ok := q.(*DB); givenUp(err) && ok && db.tx == nil {
		row, err = collect[T](ctx, q, sql, args...)
	}
	return row, err
}

func collect[T any](ctx context.Context, q querier, sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, refusal(err)
	}
	return collected[T](rows)
}

func collected[T any](rows pgx.Rows) (T, error) {
	row, err := pgx.CollectOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, ErrNotFound
	}
	return row, refusal(err)
}

// changed runs statements in one round trip and one transaction, and reports how many rows each
// wrote. Outside a transaction Postgres makes the batch one by itself, and it is tried again when
// Postgres gave it up.
func changed(ctx context.Context, q querier, b *pgx.Batch) ([]int64, error) {
	counts, err := sent(ctx, q, b)
	if db, ok := q.(*DB); givenUp(err) && ok && db.tx == nil {
		counts, err = sent(ctx, q, b)
	}
	return counts, err
}

func sent(ctx context.Context, q querier, b *pgx.Batch) ([]int64, error) {
	results := q.SendBatch(ctx, b)
	counts := make([]int64, 0, b.Len())
	for range b.Len() {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close()
			return nil, refusal(err)
		}
		counts = append(counts, tag.RowsAffected())
	}
	if err := results.Close(); err != nil {
		return nil, refusal(err)
	}
	return counts, nil
}

// IsUnreachable tells whether an error means that the database did not answer, or not yet: it is
// starting, or the network is not there. Trying again may help.
func IsUnreachable(err error) bool {
	switch sqlState(err) {
	case "57P03", "57P01", "53300": // cannot_connect_now, admin_shutdown, too_many_connections
		return true
	case "":
		var connect *pgconn.ConnectError
		var network net.Error
		return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
	}
	return false
}
