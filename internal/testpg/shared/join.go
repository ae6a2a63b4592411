package shared

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/internal/localpg"
)

// Advisory locks in the maintenance database of the shared server. Every test process holds the
// first one together with the others; the keeper takes it alone to see that nobody is left.
const (
	membersLock = 7001
	keeperLock  = 7002
)

// linger is how many seconds the server waits for new test processes once it is alone: long
// enough for the next package to be compiled, or for the next run of an editor.
const linger = 20

// join makes this process a member of the shared server, and starts the server when there is
// none.
func join(ctx context.Context) (*membership, error) {
	if address := os.Getenv("POSTERN_TEST_DATABASE_URL"); address != "" {
		return enter(ctx, address)
	}
	dir, err := ownFolder()
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "start.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()

	state := filepath.Join(dir, "url")
	if address, err := os.ReadFile(state); err == nil { // #nosec G304 -- in our own folder
		m, err := enter(ctx, strings.TrimSpace(string(address)))
		if err == nil {
			if err = ensureKeeper(ctx, m.url); err == nil {
				return m, nil
			}
			m.leave()
		}
	}
	m, err := start(ctx, dir, state)
	if err == nil || ctx.Err() != nil {
		return m, err
	}
	// What an earlier run left may be beyond repair: its data was never synced to disk.
	if err := os.RemoveAll(filepath.Join(dir, "pg", "data")); err != nil {
		return nil, err
	}
	return start(ctx, dir, state)
}

// start starts a server that outlives this process, with a keeper inside that ends it in time.
func start(ctx context.Context, dir, state string) (*membership, error) {
	s, err := localpg.Start(ctx, localpg.Config{
		Search:    localpg.Search{Download: true, Progress: os.Stderr},
		Dir:       filepath.Join(dir, "pg"),
		Through:   []string{dir},
		Throwaway: true,
		Detached:  true,
		Settings:  []string{"max_connections=1000", "restart_after_crash=off", "deadlock_timeout=200ms"},
		Warn:      func(message string) { fmt.Fprintln(os.Stderr, "testpg: "+message) },
	})
	if err != nil {
		return nil, err
	}
	m, err := settle(ctx, s, state)
	if err != nil {
		_ = s.Stop(ctx) // the first error says more
		return nil, err
	}
	return m, s.Release()
}

// settle makes a started server ready for all: keeper inside, leftovers gone, address written.
// Until the keeper is there, a guard ends the server with us.
func settle(ctx context.Context, s *localpg.Server, state string) (*membership, error) {
	release, err := localpg.Guard(s.PID())
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := enter(ctx, s.URL("postgres"))
	if err != nil {
		return nil, err
	}
	err = dropLeftovers(ctx, m)
	if err == nil {
		err = createKeeper(ctx, m)
	}
	if err == nil {
		err = ensureKeeper(ctx, m.url)
	}
	if err == nil {
		err = writeWhole(state, m.url)
	}
	if err != nil {
		m.leave()
		return nil, err
	}
	return m, nil
}

// enter connects to a running server and takes the members' lock for as long as this process
// lives. A server that is about to end refuses, and then a new one is started.
func enter(ctx context.Context, address string) (*membership, error) {
	held, err := connect(ctx, address)
	if err != nil {
		return nil, err
	}
	if _, err := held.Exec(ctx, "select pg_advisory_lock_shared($1)", membersLock); err != nil {
		_ = held.Close(ctx)
		return nil, err
	}
	config, err := pgxpool.ParseConfig(address)
	if err == nil {
		config.MaxConns = 4
		config.MinConns = 0
		var admin *pgxpool.Pool
		if admin, err = pgxpool.NewWithConfig(ctx, config); err == nil {
			return &membership{url: address, admin: admin, held: held}, nil
		}
	}
	_ = held.Close(ctx)
	return nil, err
}

// connect waits for a connection where all are in use. A server that says so is alive: to start
// another in its place would take the databases of everybody who uses it.
func connect(ctx context.Context, address string) (*pgx.Conn, error) {
	for {
		conn, err := pgx.Connect(ctx, address)
		var pg *pgconn.PgError
		if err == nil || !errors.As(err, &pg) || pg.Code != "53300" { // too_many_connections
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (m *membership) leave() {
	m.admin.Close()
	_ = m.held.Close(context.Background())
}

// dropLeftovers removes what killed test processes left, and old templates. Only we are here.
func dropLeftovers(ctx context.Context, m *membership) error {
	rows, err := m.held.Query(ctx, `select datname from pg_database where datname ~ '^(test|template)_'`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := m.held.Exec(ctx, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)"); err != nil {
			return err
		}
	}
	return nil
}

// createKeeper installs the procedure that ends the server. It runs inside the server, in a
// session whose client has long gone, so there is no other process that could be lost or left
// behind. The lock decides: while it has the members' lock, nobody can join any more.
func createKeeper(ctx context.Context, m *membership) error {
	_, err := m.held.Exec(ctx, fmt.Sprintf(`
		create or replace procedure keep_server() language plpgsql as $keeper$
		declare alone integer := 0;
		begin
			if not pg_try_advisory_lock(%[2]d) then
				return;
			end if;
			while alone < %[3]d loop
				commit;
				perform pg_sleep(1);
				if pg_try_advisory_lock(%[1]d) then
					alone := alone + 1;
					exit when alone = %[3]d;
					perform pg_advisory_unlock(%[1]d);
				else
					alone := 0;
				end if;
			end loop;
			copy (select) to program 'kill -INT $(head -n 1 postmaster.pid)';
			perform pg_sleep(60);
		end
		$keeper$`, membersLock, keeperLock, linger))
	return err
}

// ensureKeeper starts the keeper where none runs: it sends the call and hangs up once the keeper
// holds its lock.
func ensureKeeper(ctx context.Context, address string) error {
	conn, err := connect(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for {
		var running bool
		err := conn.QueryRow(ctx, `select exists (select from pg_locks where locktype = 'advisory' and objid = $1 and granted
			and database = (select oid from pg_database where datname = current_database()))`, keeperLock).Scan(&running)
		if err != nil || running {
			return err
		}
		if err := callKeeper(ctx, address); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func callKeeper(ctx context.Context, address string) error {
	conn, err := connect(ctx, address)
	if err != nil {
		return err
	}
	front := conn.PgConn().Frontend()
	front.SendQuery(&pgproto3.Query{String: "call keep_server()"})
	if err := front.Flush(); err != nil {
		return err
	}
	// Not Close: that would wait, or ask the server to cancel.
	return conn.PgConn().Conn().Close()
}

// ownFolder is a folder of this account alone, and the same in every process of it.
func ownFolder() (string, error) {
	uid := os.Geteuid()
	name := "postern-testpg-" + strconv.Itoa(uid)
	if bin := os.Getenv("POSTGRES_BIN"); bin != "" { // another Postgres, another server
		sum := sha256.Sum256([]byte(bin))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	dir := filepath.Join(os.TempDir(), name)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != uid || info.Mode().Perm()&0o027 != 0 {
		return "", fmt.Errorf("%s belongs to somebody else or is open to others: remove it, or set TMPDIR", dir)
	}
	return dir, nil
}

// lockFile waits for the lock on a file. The kernel frees it when its holder dies.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- in our own folder
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// writeWhole replaces a file in one step.
func writeWhole(path, text string) error {
	draft := path + ".new"
	if err := os.WriteFile(draft, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
