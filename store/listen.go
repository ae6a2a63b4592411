package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/pause"
)

// Listener is told of users about whom something changed that an answer may have been remembered of:
// locked or unlocked, a role taken away, a session or a personal access token ended, gone. Whoever
// wrote it, in whatever way: the triggers of migration 7 say so.
type Listener struct {
	// Changed names a user.
	Changed func(userID string)
	// Began says that from now on every change is told. Any number may have been missed before.
	Began func()
	// Lost says that the connection is gone, and when it is tried again.
	Lost func(err error, again time.Duration)
}

const (
	listenFirstWait = 100 * time.Millisecond
	listenMostWait  = 5 * time.Second
	listenPatience  = 10 * time.Second // for a connection, and for an answer on it
	listenQuiet     = 30 * time.Second // after which the connection must show that it is alive
)

const listenCommand = `listen postern_users`

// Listen tells a listener of changes until the context ends, on a connection of its own: one of the
// pool could be a pooler's, whose messages go to whoever comes next, and would be one less for requests.
// A connection that breaks is made again, each time a little later.
func (db *DB) Listen(ctx context.Context, l Listener) {
	wait := listenFirstWait
	for ctx.Err() == nil {
		began, err := db.listen(ctx, l)
		if ctx.Err() != nil {
			return
		}
		if began {
			wait = listenFirstWait
		}
		l.Lost(err, wait)
		_ = pause.For(ctx, wait) // the loop asks the context itself
		wait = min(2*wait, listenMostWait)
	}
}

// listen goes on until the connection breaks, and says whether there was one.
func (db *DB) listen(ctx context.Context, l Listener) (began bool, err error) {
	conn, err := db.dialListener(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	l.Began()
	for {
		quiet, cancel := context.WithTimeout(ctx, listenQuiet)
		n, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			l.Changed(n.Payload)
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return true, fmt.Errorf("store: %w", err)
		default:
			if err := alive(ctx, conn); err != nil {
				return true, err
			}
		}
	}
}

func (db *DB) dialListener(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	cfg := db.pool.Config().ConnConfig
	cfg.RuntimeParams["application_name"] = "postern listener"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if _, err := conn.Exec(ctx, listenCommand); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("store: %w", err)
	}
	return conn, nil
}

// alive finds a connection whose other end is gone without a word.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}
