package jsonata_test

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"postern/claims/jsonata"
)

// TestNobodyGetsAnothersValue evaluates functions that take their context, for different users at once:
// an engine that keeps the context in one place gives one user's value to another.
// POSTERN_JSONATA_RUNS says how many evaluations; a million has been seen to pass.
func TestNobodyGetsAnothersValue(t *testing.T) {
	t.Parallel()
	runs := 50_000
	if n, err := strconv.Atoi(os.Getenv("POSTERN_JSONATA_RUNS")); err == nil {
		runs = n
	}
	language := jsonata.New(jsonata.Limits{Time: time.Minute, AtOnce: 8})
	texts := map[string]func(id int) string{
		"email.$uppercase()":                         func(id int) string { return fmt.Sprintf("USER%d@EXAMPLE.COM", id) },
		"email.$substringBefore('@')":                func(id int) string { return fmt.Sprintf("user%d", id) },
		"email ~> $substringAfter('r') ~> $trim()":   func(id int) string { return fmt.Sprintf("%d@example.com", id) },
		"(roles.$string().($ & '!'))[0]":             func(id int) string { return fmt.Sprintf("r%d!", id) },
		"$map(roles, function($r){$r & $$.id})[1]":   func(id int) string { return fmt.Sprintf("s%d%d", id, id) },
		"email.$replace(/@.*/, function($m){$$.id})": func(id int) string { return fmt.Sprintf("user%d%d", id, id) },
	}
	type one struct {
		*jsonata.Expression
		want func(id int) string
	}
	var all []one
	for text, want := range texts {
		e, err := language.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one{e, want})
	}
	const people = 16
	var wg sync.WaitGroup
	for person := range people {
		wg.Go(func() {
			for i := person; i < runs; i += people {
				document := map[string]any{
					"id": strconv.Itoa(i), "email": fmt.Sprintf("user%d@example.com", i),
					"roles": []any{fmt.Sprintf("r%d", i), fmt.Sprintf("s%d", i)},
				}
				e := all[i%len(all)]
				value, _, err := e.Evaluate(t.Context(), document)
				if err != nil || value != e.want(i) {
					t.Errorf("%s for %d gives %v, %v", e.Source(), i, value, err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d evaluations", runs)
}
