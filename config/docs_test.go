package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the generated pages: go test ./config -update.
var update = flag.Bool("update", false, "rewrite docs/configuration.md and docs/example.env")

func TestGeneratedPagesAreUpToDate(t *testing.T) {
	t.Parallel()
	for name, got := range map[string]string{"configuration.md": Docs(), "example.env": Example(), "dialects/gotrue-settings.md": GoTrueDocs()} {
		path := filepath.Join("..", "docs", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is not what the code says; run make generate (-page +code):\n%s", name, diff)
		}
	}
}

func TestExampleWithoutCommentSignsIsTheDefault(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for line := range strings.Lines(Example()) {
		if len(line) > 1 && line[0] == '#' && line[1] != ' ' {
			line = line[1:]
		}
		b.WriteString(line)
	}
	disk := files{"x.env": b.String()}
	plain, set := &Config{}, &Config{}
	before := load(plain, Source{ReadFile: files{}.read})
	after := load(set, Source{EnvFile: "x.env", ReadFile: disk.read})
	if diff := cmp.Diff(lines(before.Errors), lines(after.Errors)); diff != "" {
		t.Errorf("errors (-defaults +example):\n%s", diff)
	}
	for i, v := range after.Values {
		if v.Text != before.Values[i].Text {
			t.Errorf("%s is %q, want %q", v.Name, v.Text, before.Values[i].Text)
		}
	}
}
