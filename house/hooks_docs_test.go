package house_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/house"
)

var update = flag.Bool("update", false, "write the pages that are made from code")

// TestGeneratedHooksPage holds docs/hooks.md against its template and the tables of the dialects.
func TestGeneratedHooksPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "hooks.md")
	text, err := os.ReadFile(path + ".tmpl")
	if err != nil {
		t.Fatal(err)
	}
	want, err := house.HooksPage(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), want); diff != "" {
		t.Errorf("docs/hooks.md is not what its template and the code say; run make generate (-page +code):\n%s", diff)
	}
}
