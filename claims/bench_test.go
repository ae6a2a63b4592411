package claims

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"postern/claims/schema"
)

// instant answers everything at once with the same text: what is left is our own work.
type instant struct{ schema, user json.RawMessage }

func (i instant) Query(_ context.Context, query string, _ map[string]any) (json.RawMessage, error) {
	if query == schema.Introspection {
		return i.schema, nil
	}
	return i.user, nil
}

// BenchmarkOf computes five claims over a source that takes no time.
func BenchmarkOf(b *testing.B) {
	claims := `{"org": "profile.organisation.id", "projects": "contributions[].project.id", "leads": "contributions[?(@.role == 'lead')].id",
		"plan": "metadata.plan = 'pro' ? 'paying' : 'free'", "mail": {"path": "email.$lowercase()", "required": true}}`
	from := newSource(b, model)
	from.put(b, ann, annas)
	known, err := from.Query(b.Context(), schema.Introspection, nil)
	if err != nil {
		b.Fatal(err)
	}
	m, err := Open(Settings{Definitions: claims}, from, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	r, err := m.Check(b.Context())
	if err != nil || r.Err() != nil {
		b.Fatal(r.Err(), err)
	}
	user, err := from.Query(b.Context(), r.Query, map[string]any{"id": ann})
	if err != nil {
		b.Fatal(err)
	}
	if m, err = Open(Settings{Definitions: claims}, instant{known, user}, time.Now); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Of(b.Context(), ann, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5, "ns/claim")
}

// BenchmarkCheck builds the plan of five claims.
func BenchmarkCheck(b *testing.B) {
	from := newSource(b, model)
	m, err := Open(Settings{Definitions: `{"a": "profile.organisation.id", "b": "contributions[].project.id", "c": "profile.*.id", "d": "$string(profile)", "e": "email"}`}, from, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	known := readSchema(b)
	for b.Loop() {
		build(b.Context(), m.defs, known, time.Time{})
	}
}
