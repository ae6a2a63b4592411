// Package testtrips counts the round trips to the database that a request costs.
package testtrips

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/house"
)

// Trips are the round trips of one request, by what was asked, and how often its connections were
// written to. A statement that is new to a connection is prepared first, which is a write more.
type Trips struct {
	Asked  []string
	Writes int64

	mu sync.Mutex
}

type key struct{}

// tracer counts for the request whose context a statement comes with: the background work of
// the house shares the pool.
type tracer struct{}

type start struct{}

func (tracer) begin(ctx context.Context, conn *pgx.Conn, what string) context.Context {
	t, ok := ctx.Value(key{}).(*Trips)
	if !ok {
		return ctx
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Asked = append(t.Asked, what)
	return context.WithValue(ctx, start{}, writesOf(conn))
}

func (tracer) end(ctx context.Context, conn *pgx.Conn) {
	t, ok := ctx.Value(key{}).(*Trips)
	before, started := ctx.Value(start{}).(int64)
	if !ok || !started {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Writes += writesOf(conn) - before
}

func (tt tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	words := strings.Fields(data.SQL)
	return tt.begin(ctx, conn, strings.Join(words[:min(3, len(words))], " "))
}

func (tt tracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	tt.end(ctx, conn)
}

func (tt tracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return tt.begin(ctx, conn, fmt.Sprintf("batch of %d", data.Batch.Len()))
}

func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (tt tracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchEndData) {
	tt.end(ctx, conn)
}

// countedConn counts what is written at once: pgx writes when it has put a whole request together,
// and then reads.
type countedConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func writesOf(conn *pgx.Conn) int64 {
	if c, ok := conn.PgConn().Conn().(*countedConn); ok {
		return c.writes.Load()
	}
	return 0
}

// Count has a house count. What is counted is the requests whose context Within made.
func Count(o *house.Options) {
	o.Pool = func(c *pgxpool.Config) {
		c.ConnConfig.Tracer = tracer{}
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		}
	}
}

// Within gives the context of a request that is to be counted, and what is counted of it.
func Within(ctx context.Context) (context.Context, *Trips) {
	t := &Trips{}
	return context.WithValue(ctx, key{}, t), t
}
