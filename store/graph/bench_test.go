package graph_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// BenchmarkClaims asks what five claims of a token ask: the time of one after another, and of our own
// processor without that of Postgres. A bare select by key is there to compare with.
func BenchmarkClaims(b *testing.B) {
	d := open(b, demoSQL, demoRelationships)
	query := `query PosternClaims($id: uuid!) { user(id: $id) { email metadata memberships { department { name } role }
		profile { contributesTo { project { id } } organisation { id } } } }`
	variables := map[string]any{"id": ann}
	d.ask(b, query, variables)
	ctx := context.Background()
	b.Run("graph", func(b *testing.B) {
		measured(b, func() error {
			_, err := d.Query(ctx, query, variables)
			return err
		})
	})
	b.Run("bare", func(b *testing.B) {
		measured(b, func() error {
			var email string
			return d.pool.QueryRow(ctx, "select email from auth.users where id = $1", ann).Scan(&email)
		})
	})
	b.Run("compile", func(b *testing.B) {
		measured(b, func() error { return d.Compile(ctx, query, variables) })
	})
	b.Run("catalog", func(b *testing.B) {
		measured(b, func() error { return d.Refresh(ctx) })
	})
}

func measured(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	before := processor(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processor(b)-before)/float64(b.N), "own-cpu-ns/op")
}

// processor is the time that this process has used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// TestWideObjects asks for more fields than a function of Postgres takes arguments.
func TestWideObjects(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL, demoRelationships)
	for _, n := range []int{49, 50, 51, 99, 100, 101, 150, 250} {
		query, want := "{ projects(where: {id: {_eq: 1}}) {", `{"projects": [{`
		for i := range n {
			name := string(rune('a'+i/26)) + string(rune('a'+i%26))
			query += " " + name + ": " + []string{"title", "size", "__typename"}[i%3]
			want += []string{"", ", "}[min(i, 1)] + `"` + name + `": ` + []string{`"Alpha"`, "1", `"projects"`}[i%3]
		}
		if diff := cmp.Diff(decoded(t, want+"}]}"), decoded(t, d.ask(t, query+" } }", nil))); diff != "" {
			t.Errorf("%d fields (-want +got):\n%s", n, diff)
		}
	}
}
