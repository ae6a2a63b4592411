package graph_test

import (
	"maps"
	"testing"
)

// users furnishes the world with people to be found.
func (w *world) users(t testing.TB) {
	exec(t, w.h, `create table orders (id int, user_id uuid references auth.users (id) on delete cascade)`)
	maps.Copy(w.samples, map[string]any{
		"Query.user.id":           w.jane,
		"Query.deletionReport.id": w.jane,
		"UserFilter.ids":          []any{w.jane},
		"UserFilter.role":         "user",
		"UserFilter.defaultRole":  "user",
		"UserFilter.provider":     "github",
		"UserFilter.metadata":     map[string]any{},
		"TextFilter.equals":       "jane@example.com",
		"TextFilter.startsWith":   "JANE%",
		"TimeRange.from":          "2026-01-01T00:00:00Z",
		"TimeRange.before":        "2099-01-01T00:00:00Z",
		"UserOrder.by":            enum("CREATED_AT"),
	})
}
