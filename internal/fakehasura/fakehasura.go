// Package fakehasura is an engine for tests that speaks as Hasura's GraphQL engine 2 does: metadata
// that calls change and that say what a query may ask, queries that are answered from a real
// database, and Hasura's words for what is wrong.
//
// It answers naively, row by row, and on purpose shares nothing with the code that it checks. It has
// neither roles nor mutations: whoever knows the admin secret is the administrator.
package fakehasura

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"postern/engine"
)

// Secret is the admin secret of the fake.
const Secret = "hasura-admin-secret-canary"

// A Query is one that the engine was asked.
type Query struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

// Engine is the server.
type Engine struct {
	URL string // of /v1/graphql

	server *httptest.Server
	mux    *http.ServeMux
	pool   *pgxpool.Pool

	mu       sync.Mutex
	metadata *metadata
	queries  []Query
	calls    []string // of the metadata API, by type
	trouble  http.HandlerFunc
	down     bool
}

// New starts an engine that ends with the test, over that database. It has one source, "default",
// and tracks nothing.
func New(t testing.TB, database string) *Engine {
	t.Helper()
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		t.Fatal("fakehasura: the database's address is wrong")
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("fakehasura: %v", err)
	}
	t.Cleanup(pool.Close)
	e := &Engine{pool: pool, metadata: emptyMetadata()}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/graphql", e.graphql)
	mux.HandleFunc("/v1/metadata", e.metadataAPI)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusNotFound, fail("not-found", "$", "resource does not exist"))
	})
	e.mux = mux
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	e.URL = e.server.URL + "/v1/graphql"
	return e
}

// ServeHTTP answers one request: for tests that put something of their own before the engine.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	down, trouble := e.down, e.trouble
	e.mu.Unlock()
	switch {
	case down:
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = c.Close()
		}
	case trouble != nil:
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice when the client goes
		trouble(w, r)
	default:
		e.mux.ServeHTTP(w, r)
	}
}

// Down makes the engine cut every connection, or serve again.
func (e *Engine) Down(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
	if down {
		go e.server.CloseClientConnections() // not while the lock is held by whoever serves
	}
}

// Misbehave answers every request with a handler until it is called with nil.
func (e *Engine) Misbehave(h http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trouble = h
}

// Says is a handler for Misbehave: it answers with that status, content type and body.
func Says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Slow is a handler for Misbehave: it answers nothing until the client has gone or d is over.
func Slow(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
		case <-timer.C:
			w.WriteHeader(http.StatusGatewayTimeout)
		}
	}
}

// Queries gives the GraphQL queries so far, introspection among them.
func (e *Engine) Queries() []Query {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.queries)
}

// Calls gives the types of the calls of the metadata API so far.
func (e *Engine) Calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Do calls the metadata API, with JSON such as {"type": "pg_track_table", "args": {…}}, and ends the
// test if the engine refuses.
func (e *Engine) Do(t testing.TB, calls ...string) {
	t.Helper()
	for _, call := range calls {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, e.server.URL+"/v1/metadata", strings.NewReader(call))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Hasura-Admin-Secret", Secret)
		request.Header.Set("Content-Type", "application/json")
		answer, err := e.server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("fakehasura: %s\nstatus %d %s, error %v", call, answer.StatusCode, body, err)
		}
	}
}

// Track tracks a table of a schema, with Hasura's default names.
func (e *Engine) Track(t testing.TB, schema, table string) {
	t.Helper()
	e.Do(t, fmt.Sprintf(`{"type": "pg_track_table", "args": {"source": "default", "table": {"schema": %q, "name": %q}}}`, schema, table))
}

// Relate adds a relationship over a foreign key: an object if via is a column, such as "owner_id",
// or an array if it is a column of another table, such as "public.pets.owner_id".
func (e *Engine) Relate(t testing.TB, schema, table, name, via string) {
	t.Helper()
	kind, using := "object", fmt.Sprintf("%q", via)
	if parts := strings.Split(via, "."); len(parts) == 3 {
		kind = "array"
		using = fmt.Sprintf(`{"table": {"schema": %q, "name": %q}, "column": %q}`, parts[0], parts[1], parts[2])
	}
	e.Do(t, fmt.Sprintf(`{"type": "pg_create_%s_relationship", "args": {"source": "default", "table": {"schema": %q, "name": %q},
		"name": %q, "using": {"foreign_key_constraint_on": %s}}}`, kind, schema, table, name, using))
}

// Source is the engine as Postern asks it: over HTTP, with the admin secret.
func (e *Engine) Source(t testing.TB) *engine.Engine {
	t.Helper()
	source, err := engine.Open(engine.Settings{URL: e.URL, AdminSecret: Secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TrackAuth makes the tables of schema auth known, as Postern does when it starts.
func (e *Engine) TrackAuth(t testing.TB) {
	t.Helper()
	if _, err := e.Source(t).Apply(context.Background(), e.Tables(t)); err != nil {
		t.Fatal(err)
	}
}

// Tables are the tables of schema auth in the database.
func (e *Engine) Tables(t testing.TB) engine.Tables {
	t.Helper()
	catalog, err := readCatalog(context.Background(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	tables := engine.Tables{}
	for ref, table := range catalog {
		for _, c := range table.columns {
			if ref.schema == "auth" {
				tables[ref.name] = append(tables[ref.name], c.name)
			}
		}
	}
	return tables
}

// Metadata is the whole metadata as JSON, always written in the same way.
func (e *Engine) Metadata() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.metadata.export())
}

// ResourceVersion counts the changes of the metadata.
func (e *Engine) ResourceVersion() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.metadata.version
}

// A problem is what the engine says when it refuses.
type problem struct {
	Path  string `json:"path"`
	Error string `json:"error"`
	Code  string `json:"code"`
}

func fail(code, path, format string, args ...any) *problem {
	return &problem{Path: path, Error: fmt.Sprintf(format, args...), Code: code}
}

// secretProblem says what is wrong with the admin secret of a request, or nothing.
func secretProblem(r *http.Request) *problem {
	switch r.Header.Get("X-Hasura-Admin-Secret") {
	case Secret:
		return nil
	case "":
		return fail("access-denied", "$", "x-hasura-admin-secret/x-hasura-access-key required, but not found")
	}
	return fail("access-denied", "$", `invalid "x-hasura-admin-secret"/"x-hasura-access-key"`)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
