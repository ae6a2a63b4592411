package localpg

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestMain lets a test start a second process of ours, which can be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("LOCALPG_HELPER") {
	case "server":
		helper(func() (string, error) {
			s, err := Start(context.Background(), Config{Dir: os.Getenv("LOCALPG_DIR")})
			if err != nil {
				return "", err
			}
			return s.URL("postgres"), nil
		})
	case "guard":
		helper(func() (string, error) {
			pid, err := strconv.Atoi(os.Getenv("LOCALPG_PID"))
			if err != nil {
				return "", err
			}
			_, err = Guard(pid)
			return "guarding", err
		})
	}
	os.Exit(m.Run())
}

// helper tells its parent the answer, and then waits to be killed.
func helper(work func() (string, error)) {
	answer, err := work()
	if err != nil {
		answer = "error: " + err.Error()
	}
	_, _ = os.Stdout.WriteString(answer + "\n")
	select {}
}

// startHelper runs a helper and returns its first line.
func startHelper(t *testing.T, env ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error: ") {
		t.Fatalf("helper: %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// query runs statements and returns the first column of the last row.
func query(t *testing.T, address, sql string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-deadline:
			t.Fatalf("process %d lives on", pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func serverPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return leadingNumber(string(text))
}

func TestDataSurvivesAStop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	s := start(t, Config{Dir: dir})
	query(t, s.URL("postgres"), "create table kept as select 'here' as word")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil {
		t.Error("a pid file was left")
	}
	awaitEnd(t, s.PID())

	s = start(t, Config{Dir: dir, Port: s.Port})
	if got := query(t, s.URL("postgres"), "select word from kept"); got != "here" {
		t.Errorf("got %q", got)
	}
}

func TestServersOfEachKind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		throwaway  bool
		fsync      string
		syncCommit string
	}{
		{"for development nothing is lost", false, "on", "on"},
		{"for tests speed counts", true, "off", "off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(openToAll(t), "pg")
			s := start(t, Config{Dir: dir, Throwaway: test.throwaway})
			for setting, want := range map[string]string{
				"fsync": test.fsync, "synchronous_commit": test.syncCommit, "full_page_writes": test.fsync,
				"listen_addresses": "127.0.0.1", "server_encoding": "UTF8",
			} {
				if got := query(t, s.URL("postgres"), "show "+setting); got != want {
					t.Errorf("%s is %s, want %s", setting, got, want)
				}
			}

			wrong := *s
			wrong.Password = "guessed"
			conn, err := pgx.Connect(t.Context(), wrong.URL("postgres"))
			if err == nil {
				_ = conn.Close(t.Context())
				t.Error("any password opens it")
			}
			for _, folder := range []string{"data", "run"} {
				info, err := os.Stat(filepath.Join(dir, folder))
				if err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("%s: %v, %v, want mode 0700", folder, info, err)
				}
				if stat := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && stat.Uid == 0 {
					t.Errorf("%s is root's", folder)
				}
			}
			for _, file := range []string{"password", "lock", "postgres.log"} {
				if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v, want mode 0600", file, info, err)
				}
			}
		})
	}
}

func TestServerEndsWithAKilledProcessAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	process, address := startHelper(t, "LOCALPG_HELPER=server", "LOCALPG_DIR="+dir)
	query(t, address, "create table kept as select 'acknowledged' as word")
	pid := serverPID(t, dir)

	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// At once, while the old one may still be ending.
	s := start(t, Config{Dir: dir})
	awaitEnd(t, pid)
	if got := query(t, s.URL("postgres"), "select word from kept"); got != "acknowledged" {
		t.Errorf("got %q", got)
	}
}

func TestStartAfterTheServerItselfWasKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	s := start(t, Config{Dir: dir})
	query(t, s.URL("postgres"), "create table kept as select 'acknowledged' as word")
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("stop what is gone: %v", err)
	}
	s = start(t, Config{Dir: dir})
	if got := query(t, s.URL("postgres"), "select word from kept"); got != "acknowledged" {
		t.Errorf("got %q", got)
	}
}

func TestStartEndsAServerLeftBehind(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	orphan := start(t, Config{Dir: dir, Detached: true})
	if err := orphan.Release(); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Dir: dir})
	select {
	case <-orphan.Done():
	default:
		t.Error("two servers run on one folder")
	}
	query(t, s.URL("postgres"), "select 1")
}

func TestStartIgnoresAPidFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	s := start(t, Config{Dir: dir})
	path := filepath.Join(dir, "data", "postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), "sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		owner := unprivileged()
		if err := os.Chown(path, int(owner.uid), int(owner.gid)); err != nil {
			t.Fatal(err)
		}
	}

	s = start(t, Config{Dir: dir})
	query(t, s.URL("postgres"), "select 1")
	if err := syscall.Kill(other.Process.Pid, 0); err != nil {
		t.Errorf("the other program was ended: %v", err)
	}
}

func TestAFolderHasOneUser(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	start(t, Config{Dir: dir})
	s, err := Start(t.Context(), Config{Dir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("got %v, %v, want ErrInUse with the process id", s, err)
	}
}

func TestAnInterruptedInitdbLeavesNothingHalfMade(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(openToAll(t), "pg")
	draft := filepath.Join(dir, "data.new")
	if err := os.MkdirAll(draft, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(draft, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Dir: dir, Throwaway: true})
	query(t, s.URL("postgres"), "select 1")
	if _, err := os.Stat(draft); err == nil {
		t.Error("the draft is still there")
	}
}

func TestRootUsesANamespaceWhereNobodyElseCanReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has to become somebody else")
	}
	home := filepath.Join(openToAll(t), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "pg")
	var warnings []string
	s, err := Start(t.Context(), Config{Dir: dir, Throwaway: true, Warn: func(m string) { warnings = append(warnings, m) }})
	if err != nil {
		if strings.Contains(err.Error(), "choose a data folder") {
			t.Skipf("no user namespaces here: %v", err)
		}
		t.Fatal(err)
	}
	query(t, s.URL("postgres"), "create table kept as select 1")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "namespace") {
		t.Errorf("warnings: %q, want one about the namespace", warnings)
	}
	if info, err := os.Stat(home); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a folder that is not ours was changed: %v, %v", info, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = start(t, Config{Dir: dir, Throwaway: true})
	query(t, s.URL("postgres"), "select * from kept")
}

func TestGuardEndsTheServerOfAKilledProcess(t *testing.T) {
	t.Parallel()
	server := exec.CommandContext(t.Context(), "sleep", "60")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Wait() // it was killed, which is an error too
	}()
	t.Cleanup(func() { _ = server.Process.Kill() })

	process, _ := startHelper(t, "LOCALPG_HELPER=guard", "LOCALPG_PID="+strconv.Itoa(server.Process.Pid))
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the server lives on")
	}
}

func TestGuardLetsGo(t *testing.T) {
	t.Parallel()
	server := exec.CommandContext(t.Context(), "sleep", "60")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	release, err := Guard(server.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if err := syscall.Kill(server.Process.Pid, 0); err != nil {
		t.Errorf("release ended the server: %v", err)
	}
}
