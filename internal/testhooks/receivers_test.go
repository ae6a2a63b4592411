package testhooks

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// secret is what the receivers of the examples know.
const secret = "v1,whsec_dGhpcyBpcyBhIHNlY3JldCBvZiBhIHJlY2VpdmVyIQ=="

// examples is the folder of the examples of hooks.
func examples(t testing.TB, name ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(append([]string{"..", "..", "examples", "hooks"}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// inNode starts a receiver of the examples in Node, with the published verifier of Standard Webhooks. It skips
// the test where one of these is missing.
func inNode(t *testing.T, env []string, file ...string) (url string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: there is no node, so the receivers in JavaScript are not tried")
	}
	modules, err := filepath.Abs(filepath.Join("..", "..", "conformance", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "standardwebhooks")); err != nil {
		t.Skip("SKIPPED: the package standardwebhooks is not there, so the receivers in JavaScript are not tried; 'npm ci' in conformance brings it")
	}
	// Packages are looked for beside the program, so it runs where they are.
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(examples(t, file...))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "receiver.mjs")
	if err := os.WriteFile(program, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return started(t, exec.CommandContext(t.Context(), node, program), env)
}

// inGo builds and starts a receiver of the examples in Go.
func inGo(t *testing.T, env []string, dir ...string) (url string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "receiver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = examples(t, dir...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return started(t, exec.CommandContext(t.Context(), program), env)
}

// started starts a receiver and gives its address, which it tells when it listens.
func started(t *testing.T, receiver *exec.Cmd, env []string) (url string) {
	t.Helper()
	receiver.Env = append(os.Environ(), append(env, "HOOK_SECRET="+secret, "PORT=0")...)
	var stderr strings.Builder
	receiver.Stderr = &stderr
	out, err := receiver.StdoutPipe()
	if err == nil {
		err = receiver.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = receiver.Process.Kill()
		var ended *exec.ExitError
		if err := receiver.Wait(); err != nil && !errors.As(err, &ended) {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if port, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			return "http://127.0.0.1:" + port + "/"
		}
	}
	t.Fatalf("the receiver does not listen: %s", stderr.String())
	return ""
}
