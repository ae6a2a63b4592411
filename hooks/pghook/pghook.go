// Package pghook asks functions in the database: the question is the one argument, a jsonb, and what the
// function returns is the answer.
//
// A function that is asked runs in a transaction of its own, over connections of its own, within a time
// that the database keeps. One that joins the transaction of an event (Join) has none of these: it runs as the
// server's own role, in the middle of what the server writes, and nothing holds it back from the rest of the database.
package pghook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/hooks"
)

const (
	// maxAnswer is how much of an answer is taken, as over HTTP.
	maxAnswer = 200 << 10
	// maxMessage is how much of anything that the database sends is taken at once: an answer, or the text of
	// an error, which a function can make as long as it likes.
	maxMessage = maxAnswer + 64<<10
	// grace is what the database has for saying that the time is up.
	grace = 250 * time.Millisecond
	// tries bounds how often what Postgres gave up for another transaction's sake is asked again.
	tries = 2
)

// Pool are the connections that functions are asked over.
type Pool struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	role    string
}

// Open makes a pool, to the database of the settings or else to the server's own. It returns before the
// first connection is made.
func Open(ctx context.Context, s Settings, serversOwn string) (*Pool, error) {
	address := s.Connection
	if address == "" {
		address = serversOwn
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		// pgx repeats the connection string, password and all.
		return nil, errors.New("pghook: AUTH_HOOKS_POSTGRES_CONNECTION is not a valid Postgres URL, such as postgres://user:password@host:5432/database")
	}
	cfg.MinConns, cfg.MinIdleConns = 0, 0
	cfg.ConnConfig.MaxProtocolMessageBodyLen = maxMessage
	cfg.MaxConns = int32(min(max(s.MaxConnections, 1), 1000)) // #nosec G115 -- bounded
	cfg.ConnConfig.RuntimeParams["application_name"] = "postern hooks"
	if s.Role != "" {
		// Statements are parsed as this role; each call sets it once more, in case a function has changed it.
		cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "select set_config('role', $1, false)", s.Role)
			var no *pgconn.PgError
			if errors.As(err, &no) {
				return hooks.NotThere{Why: "the connection's role cannot become AUTH_HOOKS_POSTGRES_ROLE: SQLSTATE " + no.Code}
			}
			return err
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("pghook: %w", err)
	}
	p := &Pool{pool: pool, timeout: s.Timeout, role: s.Role}
	if p.timeout <= 0 {
		p.timeout = 2 * time.Second
	}
	return p, nil
}

// Close waits for the functions that run and leaves the database.
func (p *Pool) Close() { p.pool.Close() }

// Runner asks one function. It is safe for concurrent use.
type Runner struct {
	Function
	pool *Pool
	dry  bool
}

// Runner gives the runner of a function, which need not be there yet.
func (p *Pool) Runner(f Function) *Runner { return &Runner{Function: f, pool: p} }

// Dry is the same runner, except that nothing is kept of what the function writes.
func (r *Runner) Dry() *Runner { return &Runner{Function: r.Function, pool: r.pool, dry: true} }

// Run asks the function, in one round trip. Null, and what a function that returns nothing returns, is an
// answer with the status 204 and without a body, as it would be over HTTP. Errors are those of package hooks.
func (r *Runner) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	limit := r.pool.timeout
	within, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	for try := 1; ; try++ {
		text, err := r.ask(within, c.Body)
		if err == nil {
			return answer(text)
		}
		if try < tries && passing(err) && within.Err() == nil {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return hooks.Answer{}, ctx.Err() // whoever asked has gone
		}
		if within.Err() != nil {
			return hooks.Answer{}, hooks.TimedOut{After: limit}
		}
		return hooks.Answer{}, understand(err, limit)
	}
}

// answer reads what a function returned.
func answer(text *string) (hooks.Answer, error) {
	switch {
	case text == nil || *text == "":
		return hooks.Answer{Status: http.StatusNoContent}, nil
	case !jsontext.Value(*text).IsValid():
		return hooks.Answer{}, hooks.BadAnswer{Why: "it is no JSON"}
	}
	return hooks.Answer{Status: http.StatusOK, ContentType: "application/json", Body: []byte(*text)}, nil
}

// The statements of one call, sent at once. Settings end with the transaction; those that a function
// made for the whole session are undone after it. Only where the operating system can tell does the database look whether we
// are still there: elsewhere it would refuse the setting.
const (
	prepareCall = `select set_config('statement_timeout', $1, true),
	                      set_config('client_connection_check_interval', case when version() like '%linux%' then '500' else '0' end, true)`
	becomeRole = `select set_config('role', $1, true)`
	forgetCall = `reset all`
)

// call is the statement that calls a function. What it returns is measured before it is sent.
func (f Function) call() string {
	return "with answer as materialized (select " + f.String() + "($1)::text as text) select octet_length(text), case when octet_length(text) <= $2 then text end from answer limit 2"
}

// ask calls the function in a transaction of its own.
func (r *Runner) ask(ctx context.Context, body []byte) (*string, error) {
	conn, err := r.pool.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline) - grace
	if left < time.Millisecond {
		return nil, context.DeadlineExceeded
	}
	var result result
	batch := &pgx.Batch{}
	batch.Queue("begin")
	batch.Queue(prepareCall, strconv.FormatInt(left.Milliseconds(), 10))
	if r.pool.role != "" {
		batch.Queue(becomeRole, r.pool.role)
	}
	batch.Queue(r.call(), string(body), maxAnswer).Query(result.read)
	if r.dry {
		batch.Queue("set constraints all immediate") // what a commit would have found
		batch.Queue("rollback")
	} else {
		batch.Queue("commit")
	}
	batch.Queue(forgetCall)
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		switch {
		case ctx.Err() != nil:
			_ = conn.Conn().PgConn().Conn().Close() // so that the database notices, and ends even what would not be cancelled
		case !conn.Conn().IsClosed():
			_, _ = conn.Exec(ctx, "rollback") // without it the connection would be thrown away
		}
		return nil, err
	}
	return result.text, nil
}

// result is what one call returned.
type result struct{ text *string }

func (r *result) read(rows pgx.Rows) error {
	count := 0
	for rows.Next() {
		var size *int
		if err := rows.Scan(&size, &r.text); err != nil {
			return err
		}
		if size != nil && *size > maxAnswer {
			rows.Close()
			return hooks.TooLarge{Most: maxAnswer}
		}
		count++
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if count > 1 {
		return hooks.BadAnswer{Why: "it has several rows"}
	}
	return nil
}

// passing tells failures that another try cures: another transaction was in the way, or a connection
// was dead before anything was sent.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	return pgconn.SafeToRetry(err) && !errors.Is(err, context.DeadlineExceeded)
}
