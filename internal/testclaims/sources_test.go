package testclaims_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"postern/claims"
	"postern/engine"
	"postern/internal/fakehasura"
	"postern/store"
)

// An asked question is one that a source was asked.
type asked struct {
	query     string
	variables map[string]any
}

// source is one of the two places that claims come from, with a memory of what it was asked.
type source struct {
	claims.Source

	name string
	mu   sync.Mutex
	last []asked
}

// Query notes the question and passes it on.
func (s *source) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	s.mu.Lock()
	s.last = append(s.last, asked{query, variables})
	s.mu.Unlock()
	return s.Source.Query(ctx, query, variables)
}

// asked gives what the source was asked since the last call.
func (s *source) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.last
	s.last = nil
	return list
}

// builtIn is Postern's own source over a database.
func builtIn(t testing.TB, database string) *source {
	t.Helper()
	db, err := store.Open(t.Context(), store.Settings{Connection: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	var s store.GraphSettings
	if err := s.Relationships.UnmarshalText([]byte(relationships(t))); err != nil {
		t.Fatal(err)
	}
	return &source{Source: db.Graph(s, time.Now), name: "built-in source"}
}

// overHTTP is Hasura's engine over the same database.
func overHTTP(t testing.TB, database string) (*source, *fakehasura.Engine) {
	t.Helper()
	fake := hasura(t, database)
	e, err := engine.Open(engine.Settings{URL: fake.URL, AdminSecret: fakehasura.Secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &source{Source: e, name: "Hasura"}, fake
}

// definitions is AUTH_JWT_CUSTOM_CLAIMS with one claim for each.
func definitions(t testing.TB, list ...expression) string {
	t.Helper()
	all := map[string]any{}
	for _, e := range list {
		if e.fallback == "" {
			all[e.claim] = e.path
			continue
		}
		all[e.claim] = map[string]any{"path": e.path, "default": json.RawMessage(e.fallback)}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// open opens a mapper with the settings, which must be good ones.
func open(t testing.TB, s claims.Settings, from claims.Source) *claims.Mapper {
	t.Helper()
	m, err := claims.Open(s, from, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
