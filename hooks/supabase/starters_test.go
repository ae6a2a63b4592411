package supabase

import (
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

// TestStartersInGoCompile has the types of every receiver in Go checked.
func TestStartersInGoCompile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("reads the standard library")
	}
	files := token.NewFileSet()
	check := types.Config{Importer: importer.ForCompiler(files, "source", nil)}
	for _, r := range rows {
		text, there := starters(r)["go"]
		if there == r.joins {
			t.Fatalf("%s in Go: %t", r.name, there)
		}
		if !there {
			continue
		}
		if tidy, err := format.Source([]byte(text)); err != nil || string(tidy) != text {
			t.Errorf("%s is not formatted: %v\n%s", r.name, err, text)
		}
		file, err := parser.ParseFile(files, r.name+".go", text, 0)
		if err == nil {
			_, err = check.Check("main", files, []*ast.File{file}, nil)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", r.name, err, text)
		}
	}
}

func TestEveryHookHasStarters(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		want := 4
		if r.joins {
			want = 1
		}
		if all := starters(r); len(all) != want {
			t.Errorf("%s has %d starters, not %d", r.name, len(all), want)
		}
	}
}
