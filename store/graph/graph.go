// Package graph answers GraphQL queries about the tables of the database, as Hasura would for an
// administrator: the tables and foreign keys of pg_catalog make the schema, and a query becomes one
// statement. It reads and never writes.
//
// Names are those of the catalog and stand quoted in the statement; values are always parameters.
package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxAnswer  = 1 << 20 // bytes
	maxPlans   = 256
	rereadWait = 3 * time.Second // at least, between two readings of the catalog that queries caused
	freshFor   = time.Second     // how old the catalog may be that a question about the schema is answered from
	maxWait    = 30 * time.Second
)

// Graph is the schema of the database, and what answers queries about it.
type Graph struct {
	pool     *pgxpool.Pool
	settings Settings
	now      func() time.Time
	words    english

	current atomic.Pointer[state]
	reading chan struct{} // holds a token while somebody reads the catalog
	asking  chan struct{} // holds a token for each statement under way
}

// state is one reading of the catalog, with the queries that were compiled for it.
type state struct {
	model  *model
	readAt time.Time
	vain   atomic.Bool // a statement failed on it that had failed on the one before

	mu    sync.Mutex
	plans map[string]*plan
}

// Open makes a graph of the database. It asks for nothing yet. Its queries take half of the pool's
// connections at most: however slow they are, other requests find one.
func Open(pool *pgxpool.Pool, s Settings, now func() time.Time) *Graph {
	share := max(1, pool.Config().MaxConns/2)
	return &Graph{
		pool: pool, settings: s, now: now, words: newEnglish(),
		reading: make(chan struct{}, 1), asking: make(chan struct{}, share),
	}
}

// Problems lists the relationships of the settings that do not fit the database.
func (g *Graph) Problems(ctx context.Context) ([]string, error) {
	s, err := g.state(ctx, nil)
	if err != nil {
		return nil, err
	}
	return s.model.problems, nil
}

// Refresh reads the catalog again, so that new tables and columns are known.
func (g *Graph) Refresh(ctx context.Context) error {
	_, err := g.state(ctx, g.current.Load())
	return err
}

// Query answers a query with the content of "data". An error has the method GraphQLErrors when the
// query was wrong, and Unreachable when the database did not answer.
func (g *Graph) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	variables, err := normal(variables)
	if err != nil {
		return nil, err
	}
	s, err := g.state(ctx, nil)
	if err == nil && introspects(query) && g.now().Sub(s.readAt) >= freshFor {
		s, err = g.state(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	answer, err := g.answer(ctx, s, query, variables)
	if stale := outdated(err); stale || isOf(err, validationFailed) {
		fresh, changed := g.reread(ctx, s, stale)
		if !changed {
			return nil, told(ctx, err)
		}
		if answer, err = g.answer(ctx, fresh, query, variables); outdated(err) {
			fresh.vain.Store(true) // a view whose function is gone, perhaps: the catalog is not to blame
		}
	}
	return answer, told(ctx, err)
}

// introspects tells that a query asks about the schema, which may have changed since it was read.
func introspects(query string) bool {
	return strings.Contains(query, "__schema") || strings.Contains(query, "__type(")
}

// told makes what goes to the caller of an error.
func told(ctx context.Context, err error) error {
	var known Errors
	if err == nil || errors.As(err, &known) {
		return err
	}
	return refused(ctx, err)
}

// answer carries out a query on one reading of the catalog.
func (g *Graph) answer(ctx context.Context, s *state, query string, variables map[string]any) (json.RawMessage, error) {
	p, err := s.plan(query, variables)
	if err != nil {
		return nil, err
	}
	values, err := p.bind(variables)
	if err != nil {
		return nil, err
	}
	if p.sql == "" {
		return p.assemble(nil)
	}
	data, err := g.run(ctx, p.sql, values)
	if err != nil || len(p.schema) == 0 {
		return data, err
	}
	return p.assemble(data)
}

// plan compiles a query, or finds it compiled.
func (s *state) plan(query string, variables map[string]any) (*plan, error) {
	s.mu.Lock()
	p := s.plans[query]
	s.mu.Unlock()
	if p != nil {
		return p, checkVariables(p.op, variables)
	}
	p, err := s.model.compile(query, variables)
	if err != nil || p.once {
		return p, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.plans) >= maxPlans {
		clear(s.plans)
	}
	s.plans[query] = p
	return p, nil
}

// assemble puts together what the database and what the schema answered.
func (p *plan) assemble(data json.RawMessage) (json.RawMessage, error) {
	rows := map[string]json.RawMessage{}
	if data != nil {
		if err := json.Unmarshal(data, &rows); err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range p.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(k) + ":")
		if row, ok := rows[k]; ok {
			b.Write(row)
			continue
		}
		text, err := json.Marshal(p.schema[k])
		if err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
		b.Write(text)
	}
	b.WriteByte('}')
	if b.Len() > 16*maxAnswer {
		return nil, failure(tooLarge, "$", "the answer is larger than %d bytes", 16*maxAnswer)
	}
	return b.Bytes(), nil
}

// limitsSQL holds the statement that follows it in the same transaction: it may not write, which
// functions behind views might, and it ends before the caller gives up.
const limitsSQL = `select pg_catalog.set_config('transaction_read_only', 'on', true), pg_catalog.set_config('statement_timeout', $1, true)`

// finished makes a statement of a query's SQL. An answer that is too large stays in the database.
func finished(sql string) string {
	return "with answer as materialized (select " + sql + "::text as text) select case when pg_catalog.octet_length(text) <= " +
		strconv.Itoa(maxAnswer) + " then text end, pg_catalog.octet_length(text) from answer"
}

// run sends a statement, and what limits it, in one round trip.
func (g *Graph) run(ctx context.Context, sql string, values []any) (json.RawMessage, error) {
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done():
		return nil, fmt.Errorf("other queries took all the time: %w", ctx.Err())
	}
	var b pgx.Batch
	b.Queue(limitsSQL, timeLeft(ctx))
	b.Queue(sql, values...)
	results := g.pool.SendBatch(ctx, &b)
	var text *string
	var size int
	_, err := results.Exec()
	if err == nil {
		err = results.QueryRow().Scan(&text, &size)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, failure(tooLarge, "$", "the answer has %d bytes, and at most %d are taken", size, maxAnswer)
	}
	return json.RawMessage(*text), nil
}

// timeLeft is how long Postgres may take, in milliseconds: a little less than the caller waits, so
// that the connection lives on.
func timeLeft(ctx context.Context) string {
	left := maxWait
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline)*9/10)
	}
	return strconv.FormatInt(int64(math.Max(1, float64(left.Milliseconds()))), 10)
}

// state is the current reading of the catalog, or a newer one than old.
func (g *Graph) state(ctx context.Context, old *state) (*state, error) {
	if s := g.current.Load(); s != old {
		return s, nil
	}
	select {
	case g.reading <- struct{}{}:
		defer func() { <-g.reading }()
	case <-ctx.Done():
		return nil, unreachable{ctx.Err()}
	}
	if s := g.current.Load(); s != old { // somebody else has read it meanwhile
		return s, nil
	}
	c, err := readCatalog(ctx, g.pool, g.authTables(), g.schemas())
	if err != nil {
		return nil, refused(ctx, err)
	}
	m := newModel(c, g.words, g.settings)
	s := &state{model: m, readAt: g.now(), plans: map[string]*plan{}}
	g.current.Store(s)
	return s, nil
}

func (g *Graph) authTables() []string {
	var names []string
	for name := range authTables() {
		names = append(names, name)
	}
	return names
}

func (g *Graph) schemas() []string {
	if len(g.settings.Schemas) == 0 {
		return nil
	}
	return g.settings.Schemas
}

// reread reads the catalog again for a query that does not fit it, unless that was done lately.
func (g *Graph) reread(ctx context.Context, s *state, sure bool) (*state, bool) {
	if age := g.now().Sub(s.readAt); (!sure || s.vain.Load()) && age < rereadWait {
		current := g.current.Load()
		return current, current != s
	}
	fresh, err := g.state(ctx, s)
	if err != nil {
		return s, false
	}
	return fresh, true
}
