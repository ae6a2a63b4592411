package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of -c wins over the environment, and so do those of -d, as in GoTrue; of those the later counts.
func TestFilesThatWinOverTheEnvironment(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "with [brackets]")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"1.env": "GOTRUE_API_PORT=1001\nGOTRUE_SITE_URL=https://one.example.com\n", "2.env": "GOTRUE_API_PORT=1002\n", "no.txt": "GOTRUE_API_PORT=1003\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"GOTRUE_API_PORT": "1000", "GOTRUE_SITE_URL": "https://env.example.com"}
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"1000", "https://env.example.com"}},
		{[]string{"-c", filepath.Join(folder, "1.env")}, []string{"1001", "https://one.example.com"}},
		{[]string{"-d", folder}, []string{"1002", "https://one.example.com"}},
	} {
		got := runPostern(t, env, append([]string{"config", "show"}, tt.args...)...)
		for _, want := range tt.want {
			if got.Code != 0 || !strings.Contains(got.Stdout, want) {
				t.Errorf("%q: %d, no %q in\n%s%s", tt.args, got.Code, want, got.Stdout, got.Stderr)
			}
		}
	}
	if got := runPostern(t, env, "config", "show", "-d", filepath.Join(folder, "none")); got.Code == 0 || !strings.Contains(got.Stderr, "is no folder") {
		t.Errorf("a folder that is not there: %+v", got)
	}
	if got := runPostern(t, env, "config", "check", "-c", filepath.Join(folder, "none.env")); got.Code == 0 || !strings.Contains(got.Stderr, "cannot be read") {
		t.Errorf("a file that is not there: %+v", got)
	}
}
