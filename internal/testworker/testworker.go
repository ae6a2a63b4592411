// Package testworker is the start of tests that run scripts of hooks: the program of the tests is the one
// whose processes run them.
package testworker

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"postern/hooks/jshook"
)

// Main runs tests. TestMain begins with it, and ends with its code. program becomes what is to run scripts;
// empty stays empty, which means the program of the tests itself.
func Main(m *testing.M, program *string) (code int) {
	if code, asked := jshook.Main(os.Args[1:], os.Stdin, os.Stdout); asked {
		return code
	}
	if !raced {
		return m.Run()
	}
	// The detector of races needs more memory than a worker may have.
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	*program = filepath.Join(dir, "worker")
	build := exec.Command("go", "build", "-o", *program, "postern/hooks/jshook/testdata/worker")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%s\n", out, err)
		return 1
	}
	return m.Run()
}
