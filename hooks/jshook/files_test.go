package jshook_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"postern/hooks/jshook"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "hook.js"), "module.exports = 1")
	write(filepath.Join(elsewhere, "secret.js"), "hunter2")
	write(filepath.Join(dir, "binary.js"), "\xff\xfe")
	write(filepath.Join(dir, "long.js"), strings.Repeat("x", 1<<20+1))
	if err := os.MkdirAll(filepath.Join(dir, "..data", "folder.js"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "..data", "mounted.mjs"), "mounted")
	link(filepath.Join("..data", "mounted.mjs"), "mounted.mjs") // as Kubernetes mounts files
	link(filepath.Join(elsewhere, "secret.js"), "absolute.js")
	link(filepath.Join("..", filepath.Base(elsewhere), "secret.js"), "relative.js")
	link(elsewhere, "folder")
	link(filepath.Join("..data", "folder.js"), "folder.js")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := jshook.Settings{ScriptsDir: dir}
	for uri, want := range map[string]string{
		"js:hook.js":           "module.exports = 1",
		"js:mounted.mjs":       "mounted",
		"js:absolute.js":       "leads out of the folder",
		"js:relative.js":       "leads out of the folder",
		"js:none.js":           "none.js in the folder of AUTH_HOOKS_SCRIPTS_DIR does not exist",
		"js:binary.js":         "is not UTF-8",
		"js:long.js":           "has more than 1048576 bytes",
		"js:folder.js":         "is no file",
		"js:pipe.js":           "is no file",
		"js:folder/secret.js":  "must be js: and the name of a file",
		"js:../x/secret.js":    "must be js: and the name of a file",
		"js:..data/x.js":       "must be js: and the name of a file",
		"js:/etc/passwd":       "must be js: and the name of a file",
		"js:.js":               "must be js: and the name of a file",
		`js:a\b.js`:            "must be js: and the name of a file",
		"js:hook.js\x00.js":    "must be js: and the name of a file",
		"js:hook.py":           "must be js: and the name of a file",
		"js://host/hook.js":    "must be js: and the name of a file",
		"https://js:hook.js/x": "must be js: and the name of a file",
	} {
		file, err := jshook.ParseURI(uri)
		text := ""
		if err == nil {
			text, err = s.File(file)
		}
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s; want %s", uri, text, want)
		}
	}
	if _, err := (jshook.Settings{}).File("hook.js"); err == nil || !strings.Contains(err.Error(), "AUTH_HOOKS_SCRIPTS_DIR") {
		t.Errorf("without a folder: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for source, want := range map[string]string{
		"module.exports = () => 1":             "",
		"throw new Error('at the top')":        "", // it is not run
		"for (;;) {}":                          "",
		"export default async (e) => e":        "",
		"module.exports = (":                   "SyntaxError: unexpected token in expression: '}' (hook.js:2:1)",
		"export default () => {\n  return {;}": "SyntaxError: Expected identifier but found \";\" (hook.js:2:11)",
	} {
		r, err := p.Runner(jshook.Script{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := r.Check(t.Context()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q; want %q", source, got, want)
		}
	}
}
