package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// superuser is the one account of a server of ours.
const superuser = "postgres"

// Config says what kind of server is wanted. Dir is the one field that must be set.
type Config struct {
	Search

	// Dir is the home of the server: data, sockets, log and lock are below it. It is made when it
	// is absent. Only one process uses it at a time.
	Dir string

	// Through names folders above Dir that are ours and closed to others. When root gives its
	// rights up, the server's group may pass through them; their contents stay unreadable.
	Through []string

	// Port is tried first; 0 means the one of the start before. If it is taken, any free one is.
	Port int

	// Password is the superuser's, if the folder is made by this start. Empty means a random one.
	Password string

	// Throwaway says that the data need not survive a power cut: no fsync, no waiting for the
	// log, and a cheaper password check. For tests.
	Throwaway bool

	// Detached lets the server live on when we end. Otherwise it ends with us, however we end.
	Detached bool

	// Settings are further "name=value" settings of the server.
	Settings []string

	// Warn is told what the operator should know; nil means nobody is.
	Warn func(message string)
}

// Server is a Postgres server that runs.
type Server struct {
	Binaries Binaries
	Port     int
	Password string // of the superuser, who is called postgres

	dir  string
	pid  int
	lock *os.File
	done chan struct{} // closed when the process is gone
}

// Start starts the server on the loopback address and returns when it answers queries. The
// context limits the start alone.
//
// A server that an earlier process left behind on the same data is ended first.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	h, err := openHome(ctx, c.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.close()
		}
	}()

	data, err := h.existing()
	if err != nil {
		return nil, err
	}
	search := c.Search
	if data != nil {
		if search.Major, err = h.major(); err != nil {
			return nil, err
		}
	}
	bin, err := search.Find(ctx)
	if err != nil {
		return nil, err
	}
	id, err := chooseIdentity(ctx, c, bin, h.dir, data)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(ctx, c, bin, id, data != nil); err != nil {
		return nil, err
	}
	password, err := h.password()
	if err != nil {
		return nil, err
	}
	if err := endLeftover(ctx, h.data()); err != nil {
		return nil, err
	}

	s := &Server{Binaries: bin, Password: password, dir: h.dir, lock: h.lock}
	port := cmp.Or(c.Port, h.lastPort())
	for attempt := 1; ; attempt++ {
		// A first failure may be a port that somebody took meanwhile, or a worker of a killed
		// server that has not noticed yet.
		if s.Port, err = freePort(ctx, port); err != nil {
			return nil, err
		}
		if err = s.launch(ctx, c, id, h); err == nil {
			if err = h.keepPort(s.Port); err == nil {
				return s, nil
			}
			return nil, errors.Join(err, s.end(context.WithoutCancel(ctx)))
		}
		if ctx.Err() != nil || attempt == 4 {
			return nil, err
		}
		port = 0
		if err := pause(ctx, time.Duration(attempt)*200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// chooseIdentity finds who can reach both programs and data, and opens the way where it is ours.
func chooseIdentity(ctx context.Context, c Config, bin Binaries, dir string, data fs.FileInfo) (identity, error) {
	var failed error
	for _, id := range candidates(data) {
		for _, folder := range append(append([]string(nil), c.Through...), dir) {
			if err := id.admit(folder); err != nil {
				return identity{}, err
			}
		}
		if err := id.reaches(ctx, bin, dir); err != nil {
			failed = err
			continue
		}
		if id.namespace && c.Warn != nil {
			c.Warn("Postgres runs in a user namespace, because no unprivileged account can reach " + dir +
				": its files stay root's. Choose a folder outside a closed home to avoid this.")
		}
		return id, nil
	}
	return identity{}, fmt.Errorf("Postgres does not run as root, and no other account can reach both %s and %s: %w "+
		"(choose a data folder that others may pass through, or run as a normal user)", bin.Dir, dir, failed)
}

// launch starts the process and waits for the first answer.
func (s *Server) launch(ctx context.Context, c Config, id identity, h *home) error {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=" + h.sockets(),
		"unix_socket_permissions=0700",
		"dynamic_shared_memory_type=posix",
		"max_connections=100",
		"shared_buffers=32MB",
		"log_checkpoints=off",
	}
	if c.Throwaway {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"shared_buffers=128MB", "max_wal_size=4GB", "autovacuum=off")
	} else {
		settings = append(settings, "fsync=on", "synchronous_commit=on", "full_page_writes=on")
	}
	args := []string{"-D", h.data(), "-p", strconv.Itoa(s.Port)}
	for _, setting := range append(settings, c.Settings...) {
		args = append(args, "-c", setting)
	}

	log, err := h.openLog()
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()                  // the server has its own handle
	cmd := exec.Command(s.Binaries.postgres(), args...) // #nosec G204 -- found by Search; it outlives ctx on purpose
	cmd.Env = environment()
	cmd.Dir = h.dir
	cmd.Stdout, cmd.Stderr = log, log
	id.apply(cmd)
	// A session of its own: Ctrl-C in the terminal reaches us alone, and we stop the server.
	cmd.SysProcAttr.Setsid = true
	if err := s.run(cmd, c.Detached); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.awaitAnswer(ctx); err != nil {
		_ = s.end(context.WithoutCancel(ctx)) // the first error says more
		return fmt.Errorf("%w\n%s", err, h.logTail())
	}
	return nil
}

// run starts the process from a goroutine that keeps its thread until the process has ended: the
// kernel's promise to end the server with us is tied to the thread that started it.
func (s *Server) run(cmd *exec.Cmd, detached bool) error {
	if !detached {
		bindLife(cmd.SysProcAttr, syscall.SIGINT)
	}
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		err := cmd.Start()
		if err != nil {
			started <- err
			return
		}
		release := func() {}
		if !detached && !diesWithUs {
			if release, err = Guard(cmd.Process.Pid); err != nil {
				_ = cmd.Process.Signal(syscall.SIGQUIT) // without a guard it must not live
			}
		}
		started <- err
		_ = cmd.Wait() // how a server ended is in its log
		release()
	}()
	if err := <-started; err != nil {
		<-done
		return err
	}
	s.pid, s.done = cmd.Process.Pid, done
	return nil
}

// awaitAnswer asks until the server answers or is gone.
func (s *Server) awaitAnswer(ctx context.Context) error {
	address := s.URL("postgres") + "&connect_timeout=5"
	for {
		conn, err := pgconn.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		var refusal *pgconn.PgError
		if errors.As(err, &refusal) && refusal.Code != "57P03" { // 57P03: still starting
			return fmt.Errorf("the server started, but refuses us: %w", err)
		}
		select {
		case <-s.done:
			return errors.New("postgres ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer in time: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// URL is the address of a database on the server, with the superuser's password in it.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.Password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.pid }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server in order: open transactions are rolled back, everything committed is on
// disk. If it does not end before the context does, it is ended the hard way, which loses
// nothing that was committed either.
func (s *Server) Stop(ctx context.Context) error {
	err := s.end(ctx)
	return errors.Join(err, unlock(s.lock))
}

// Release gives the server up without ending it; it must have been started detached.
func (s *Server) Release() error { return unlock(s.lock) }

func (s *Server) end(ctx context.Context) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, 20 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		select {
		case <-s.done:
			return nil
		default:
		}
		if err := syscall.Kill(s.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop postgres: %w", err)
		}
		patience := ctx.Done()
		if step.signal != syscall.SIGINT {
			patience = nil
		}
		select {
		case <-s.done:
			return nil
		case <-patience:
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("postgres (process %d) does not end", s.pid)
}

// endLeftover ends a server that an earlier process of ours left on the data, and makes a lock
// file harmless whose process id now belongs to somebody else. We hold the lock of the folder,
// so no server on this data can be in use.
func endLeftover(ctx context.Context, data string) error {
	path := filepath.Join(data, "postmaster.pid")
	text, err := os.ReadFile(path) // #nosec G304 -- in the folder we were given
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return os.Remove(path) // torn while being written: no server can run with it
	}
	alive := func() bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
	if !alive() {
		return nil // Postgres itself sees that, and looks at the shared memory too
	}
	if !isServerOf(pid, data) {
		// With our own number the server takes the file for stale, and still checks the rest.
		return overwrite(path, strconv.Itoa(os.Getpid())+"\n"+rest)
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end the server that an earlier run left (process %d): %w", pid, err)
		}
		for range 500 {
			if !alive() {
				return nil
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("a server that an earlier run left (process %d) does not end", pid)
}

// Guard starts a small process that ends the server when we die before release is called. It is
// what stands in for the kernel's promise where there is none.
func Guard(pid int) (release func(), err error) {
	// #nosec G204 -- the only variable part is a number
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -INT "$1"`, "guard", strconv.Itoa(pid))
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = cmd.Process.Kill() // before the pipe closes, or it would act
		_ = cmd.Wait()
		_ = in.Close()
	}, nil
}

func freePort(ctx context.Context, wanted int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil && wanted != 0 {
		l, err = lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }() // nothing was accepted
	return l.Addr().(*net.TCPAddr).Port, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
