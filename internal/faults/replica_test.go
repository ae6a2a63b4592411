// Package faults_test kills the built server where it hurts, again and again, and looks whether
// anything that was acknowledged is lost. POSTERN_FAULTS sets how often; make faults runs it in full.
package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"postern/internal/testmail"
	"postern/internal/testpg"
)

const patience = time.Minute // for what must happen, on a machine that is busy

// times is how often a server is killed.
func times(t *testing.T) int {
	t.Helper()
	text := os.Getenv("POSTERN_FAULTS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("POSTERN_FAULTS must be a number from 1 on, not %q", text)
	}
	return n
}

// binary builds the server once for all tests of the package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "postern-faults-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "postern")
	out, err := exec.Command("go", "build", "-o", path, "postern").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// site is what outlives the servers: the database, the mail server, the settings.
type site struct {
	db   *pgxpool.Pool
	mail *testmail.Server
	env  []string
	bin  string
	dir  string
}

func newSite(t *testing.T, settings map[string]string) *site {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	url, mail := testpg.New(t), testmail.New(t)
	db, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	env := map[string]string{
		"POSTGRES_CONNECTION":             url,
		"HASURA_GRAPHQL_JWT_SECRET":       `{"type":"HS256","key":"` + strings.Repeat("fault-key-", 8) + `"}`,
		"AUTH_ENCRYPTION_KEY":             strings.Repeat("0123456789abcdef", 4),
		"AUTH_API_PREFIX":                 "/v1",
		"AUTH_HOST":                       "127.0.0.1",
		"AUTH_PORT":                       "0",
		"AUTH_SERVER_URL":                 "https://auth.example.com/v1",
		"AUTH_CLIENT_URL":                 "https://app.example.com",
		"AUTH_SMTP_HOST":                  mail.Host,
		"AUTH_SMTP_PORT":                  strconv.Itoa(mail.Port),
		"AUTH_SMTP_SENDER":                "auth@example.com",
		"AUTH_RATE_LIMIT_ENABLE":          "false",
		"AUTH_LINK_CONFIRMATION":          "off",
		"AUTH_PASSWORD_ARGON2_MEMORY":     "1024",
		"AUTH_PASSWORD_ARGON2_ITERATIONS": "1",
	}
	for name, value := range settings {
		env[name] = value
	}
	s := &site{db: db, mail: mail, bin: bin, dir: t.TempDir(), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}}
	for name, value := range env {
		s.env = append(s.env, name+"="+value)
	}
	return s
}

// replica is one server process.
type replica struct {
	url  string
	cmd  *exec.Cmd
	done chan struct{} // closed when its output has ended
	log  bytes.Buffer
}

// start starts a server and waits until it takes requests.
func (s *site) start(t *testing.T) *replica {
	t.Helper()
	r := &replica{cmd: exec.Command(s.bin, "serve"), done: make(chan struct{})}
	r.cmd.Env, r.cmd.Dir = s.env, s.dir
	out, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	opened := make(chan string, 1)
	go func() {
		defer close(r.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line struct{ Level, Msg, Address string }
			_ = json.Unmarshal(lines.Bytes(), &line)
			if line.Msg == "open" {
				opened <- line.Address
			}
			if line.Level == "WARN" || line.Level == "ERROR" || line.Level == "" {
				r.log.Write(lines.Bytes())
				r.log.WriteByte('\n')
			}
		}
	}()
	t.Cleanup(r.kill)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case address := <-opened:
		r.url = "http://" + address + "/v1"
	case <-r.done:
		t.Fatalf("the server ended: %s", &r.log)
	case <-timer.C:
		t.Fatal("the server does not open")
	}
	return r
}

// kill is kill -9. Killing twice is no error.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
	_ = r.cmd.Wait()
}

// killDuring kills the server at a random moment of its work: after some answers of which clients
// tell, and a moment more.
func (r *replica) killDuring(random *rand.Rand, answers <-chan struct{}) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for range random.IntN(30) {
		select {
		case <-answers:
		case <-timer.C:
		}
	}
	timer.Reset(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
	<-timer.C
	r.kill()
}

// tell says that there was an answer, to whoever listens.
func tell(answers chan<- struct{}) {
	select {
	case answers <- struct{}{}:
	default:
	}
}

// answer is what a client got. A client that got none knows nothing of what happened.
type answer struct {
	status int
	header http.Header
	body   []byte
}

var client = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func send(ctx context.Context, method, url, bearer string, body any) (answer, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, raw}, err
}

func (a answer) String() string { return strconv.Itoa(a.status) + " " + string(a.body) }

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker, timer := time.NewTicker(20*time.Millisecond), time.NewTimer(patience)
	defer ticker.Stop()
	defer timer.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-timer.C:
			t.Fatalf("%s did not happen in %v", what, patience)
		}
	}
}

// scan reads one value from the database.
func scan[T any](t *testing.T, s *site, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := s.db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// failures collects what goes wrong in goroutines.
type failures struct {
	mu   sync.Mutex
	list []error
	n    atomic.Int64
}

func (f *failures) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n.Add(1) <= 10 {
		f.list = append(f.list, fmt.Errorf(format, args...))
	}
}

func (f *failures) report(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) > 0 {
		t.Fatalf("%d failures, the first:\n%v", f.n.Load(), errors.Join(f.list...))
	}
}
