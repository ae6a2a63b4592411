package main_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the walk-through prints into README.md")

// TestReadmeWalkthrough starts `postern dev` and runs the commands of the README against it. What
// they print must be what the README says, ids, tokens and times aside.
func TestReadmeWalkthrough(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the walk-through needs %s", tool)
		}
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := readSteps(string(text))
	if err != nil {
		t.Fatal(err)
	}
	host := startDev(t)
	shell := startShell(t)
	next := string(text)
	for _, s := range steps {
		got := strings.ReplaceAll(shell.run(t, s, host), host, readmeHost)
		next = strings.Replace(next, s.whole, s.with(shorten(got)), 1)
		if diff := cmp.Diff(scrub(s.output), scrub(got)); diff != "" && !*update {
			t.Errorf("README.md, after\n%s\n(-README +printed):\n%s", s.command, diff)
		}
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(next), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readmeHost is where the README says the server is; the test's is elsewhere.
const readmeHost = "localhost:4000"

// A step is a command of the walk-through and what it prints.
type step struct {
	whole           string // as it stands in the README
	retry           bool   // the mail may still be on its way
	command, output string
	kind            string // of the output: json, text
}

func (s step) with(output string) string {
	return strings.Replace(s.whole, "```"+s.kind+"\n"+s.output+"```", "```"+s.kind+"\n"+output+"```", 1)
}

var stepForm = regexp.MustCompile("(?s)(<!-- retry -->\n\n)?```sh\n(.*?)```\n\n```(json|text)\n(.*?)```")

// readSteps finds the steps between the two comments that mark the walk-through.
func readSteps(text string) ([]step, error) {
	_, text, ok := strings.Cut(text, "<!-- walkthrough -->")
	text, _, ends := strings.Cut(text, "<!-- end of walkthrough -->")
	if !ok || !ends {
		return nil, errors.New("README.md has no walk-through")
	}
	var steps []step
	for _, m := range stepForm.FindAllStringSubmatch(text, -1) {
		steps = append(steps, step{whole: m[0], retry: m[1] != "", command: m[2], kind: m[3], output: m[4]})
	}
	if n := strings.Count(text, "```sh\n"); n == 0 || n != len(steps) {
		return nil, fmt.Errorf("the walk-through has %d commands, %d of them followed by what they print", n, len(steps))
	}
	return steps, nil
}

var (
	uuids   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	bearers = regexp.MustCompile(`eyJ[\w.-]+…?`)
	times   = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)`)
)

// scrub takes out what differs between two runs.
func scrub(s string) string {
	s = uuids.ReplaceAllString(s, "<uuid>")
	s = bearers.ReplaceAllString(s, "<token>")
	return times.ReplaceAllString(s, "<time>")
}

// shorten cuts access tokens, which nobody reads whole.
func shorten(s string) string {
	return bearers.ReplaceAllStringFunc(s, func(token string) string { return token[:min(20, len(token))] + "…" })
}

// setting matches what would make this machine's server another than the reader's.
var setting = regexp.MustCompile(`^(AUTH|HASURA|GOTRUE|POSTERN|POSTGRES)_`)

// startDev builds the program, starts `postern dev` in a folder of its own and returns its host
// and port.
func startDev(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // Postgres may run as somebody else
		t.Fatal(err)
	}
	program := filepath.Join(dir, "postern")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	port := freePort(t)
	var output strings.Builder
	cmd := exec.Command(program, "dev", "--data", filepath.Join(dir, "data"), "--port", strconv.Itoa(port))
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return setting.MatchString(pair) })
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	var exit error // set before gone is closed
	go func() {
		defer close(gone)
		exit = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("postern dev did not stop on SIGINT")
			<-gone
		}
		if t.Failed() {
			t.Logf("postern dev said:\n%s", output.String())
		}
	})
	host := net.JoinHostPort("localhost", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // it may have to fetch a Postgres
	defer cancel()
	for tick := time.Tick(50 * time.Millisecond); ; {
		select {
		case <-gone:
			t.Fatalf("postern dev ended before it was ready: %v", exit)
		case <-ctx.Done():
			t.Fatal("postern dev did not get ready")
		case <-tick:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v1/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return host
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// A shell runs one step after another, and keeps the variables between them.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func startShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &shell{in: in, out: bufio.NewReader(out)}
}

// run runs the command of a step and returns what it printed.
func (s *shell) run(t *testing.T, step step, host string) string {
	t.Helper()
	const end = "--- end of step, status "
	command := strings.ReplaceAll(step.command, readmeHost, host)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, err := fmt.Fprintf(s.in, "failed=0; trap failed=1 ERR\n%s\nprintf '%%s%%d\\n' '%s' $failed\n", command, end); err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		for {
			line, err := s.out.ReadString('\n')
			if err != nil {
				t.Fatalf("the shell ended: %v", err)
			}
			if before, status, ok := strings.Cut(line, end); ok {
				printed.WriteString(before)
				if status == "0\n" {
					return printed.String()
				}
				break
			}
			printed.WriteString(line)
		}
		if !step.retry || time.Now().After(deadline) {
			t.Fatalf("%s\nfailed and printed\n%s", command, printed.String())
		}
	}
}
