package house_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"postern/hooks/jshook"
	"postern/hooks/supabase"
	"postern/internal/testhouse"
)

// workersOf lists the processes below one that run scripts.
func workersOf(t testing.TB, parent int) (found []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		status, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(status), "\nPPid:\t"+strconv.Itoa(parent)+"\n") {
			continue // it has ended, or is somebody else's
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && strings.Contains(string(line), jshook.Command) {
			found = append(found, pid)
		}
	}
	return found
}

// Not parallel: it counts the processes of this program.
func TestScriptsHaveProcessesOnlyWhileTheyAreNeeded(t *testing.T) {
	t.Run("no script", func(t *testing.T) {
		h := testhouse.Open(t, nil, inWorkers)
		signs(t, h, "signup", "jane@example.com")
		if n := len(workersOf(t, os.Getpid())); n != 0 {
			t.Errorf("%d processes, and nothing to run", n)
		}
	})
	t.Run("a script", func(t *testing.T) {
		h := testhouse.Open(t, scripted(t, supabase.BeforeUserCreated, "module.exports = () => {}"), inWorkers)
		signs(t, h, "signup", "jane@example.com").entered(t)
		if n := len(workersOf(t, os.Getpid())); n != 1 {
			t.Errorf("%d processes for one call at a time", n)
		}
	})
	if n := len(workersOf(t, os.Getpid())); n != 0 {
		t.Errorf("%d processes are left behind by houses that have closed", n)
	}
}
