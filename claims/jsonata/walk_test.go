package jsonata

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// The walk over names gives what the engine gives, on documents of all shapes.
func TestWalkIsTheEngine(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2))
	language := New(Limits{Time: time.Minute})
	names := []string{"a", "b", "c"}
	var document func(deep int) any
	document = func(deep int) any {
		switch kind := chance.IntN(8); {
		case deep == 0 || kind == 0:
			return []any{"x", nil, true, json.Number("9007199254740993")}[chance.IntN(4)]
		case kind < 4:
			list := make([]any, chance.IntN(4))
			for i := range list {
				list[i] = document(deep - 1)
			}
			return list
		}
		object := map[string]any{}
		for _, name := range names {
			if chance.IntN(3) > 0 {
				object[name] = document(deep - 1)
			}
		}
		return object
	}
	for range 4_000 {
		path := make([]string, 1+chance.IntN(4))
		for i := range path {
			path[i] = names[chance.IntN(len(names))]
		}
		e, err := language.Parse(strings.Join(path, "."))
		if err != nil || !e.plain {
			t.Fatalf("%s is no path: %v", e.Source(), err)
		}
		from := map[string]any{"a": document(4), "b": document(4)}
		walked, found, _ := walk(from, e.path)
		run, err := e.run(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal([]any{walked, found})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := (&normaliser{left: 1 << 20, depth: 100}).value(run, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal([]any{plain, run != nil})
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			text, _ := json.Marshal(from)
			t.Fatalf("%s of %s: walked to %s, the engine gives %s", e.Source(), text, got, want)
		}
	}
}
