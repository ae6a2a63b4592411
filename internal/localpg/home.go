package localpg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A home is the folder a server lives in:
//
//	data/         what initdb made, owned by the server's account
//	run/          sockets, mode 0700
//	password      of the superuser, mode 0600
//	postgres.log  what the server says
//	port          that the server had last
//	lock          held by the one process that uses the folder
type home struct {
	dir  string
	lock *os.File
	run  string
}

// ErrInUse says that another process has a server in the same folder.
var ErrInUse = errors.New("another process uses this data folder")

func openHome(ctx context.Context, dir string) (*home, error) {
	if dir == "" {
		return nil, errors.New("no folder for the database was given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The server names its folder by its real path, and so must we to recognise it.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	lock, err := Lock(ctx, dir)
	return &home{dir: dir, lock: lock}, err
}

// Lock claims a folder for this process: the file named lock in it is held until it is closed or
// the process ends, and tells who holds it. The error is ErrInUse when another process does.
func Lock(ctx context.Context, dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the folder we were given
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, lock); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(lock, 20)) // only to be helpful
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s (process %s)", ErrInUse, dir, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	err = lock.Truncate(0)
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return lock, nil
}

// flock takes the lock. A process that is just dying still holds it, so it waits a moment.
func flock(ctx context.Context, f *os.File) error {
	for attempt := 0; ; attempt++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) || attempt == 50 {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func (h *home) close() { _ = unlock(h.lock) }

func unlock(f *os.File) error {
	err := f.Close() // the lock goes with the handle
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (h *home) data() string         { return filepath.Join(h.dir, "data") }
func (h *home) draft() string        { return h.data() + ".new" }
func (h *home) passwordFile() string { return filepath.Join(h.dir, "password") }

// existing describes the data folder, or is nil when there is none yet.
func (h *home) existing() (fs.FileInfo, error) {
	info, err := os.Lstat(h.data())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no folder is a normal answer
	}
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", h.data())
	}
	return info, err
}

func (h *home) major() (int, error) {
	text, err := os.ReadFile(filepath.Join(h.data(), "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("%s is not a Postgres data folder: %w", h.data(), err)
	}
	return leadingNumber(string(text)), nil
}

func (h *home) password() (string, error) {
	text, err := os.ReadFile(h.passwordFile())
	return strings.TrimSpace(string(text)), err
}

// lastPort is the port of the start before, so that an address that was noted down stays right.
func (h *home) lastPort() int {
	text, err := os.ReadFile(filepath.Join(h.dir, "port"))
	if err != nil {
		return 0
	}
	return leadingNumber(string(text))
}

func (h *home) keepPort(port int) error {
	return overwrite(filepath.Join(h.dir, "port"), strconv.Itoa(port)+"\n")
}

// prepare makes what is missing: folders, password, and the database cluster. The cluster is
// made beside its place and moved there when whole, so that an interrupted start leaves nothing
// half made.
func (h *home) prepare(ctx context.Context, c Config, bin Binaries, id identity, exists bool) error {
	if err := h.prepareSockets(id); err != nil {
		return err
	}
	if exists {
		return nil
	}
	password, err := h.password()
	if errors.Is(err, fs.ErrNotExist) {
		if password = c.Password; password == "" {
			password = rand.Text()
		}
		err = overwrite(h.passwordFile(), password+"\n")
	}
	if err != nil {
		return err
	}
	draft := h.draft()
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	if err := os.Mkdir(draft, 0o700); err != nil {
		return err
	}
	if err := id.own(draft); err != nil {
		return err
	}
	if err := h.initdb(ctx, bin, id, password, c.Throwaway); err != nil {
		return err
	}
	return os.Rename(draft, h.data())
}

// maxSocketFolder is what is left of the 103 bytes that macOS allows a socket's path, after
// "/.s.PGSQL.65535".
const maxSocketFolder = 103 - 15

func (h *home) sockets() string { return h.run }

func (h *home) prepareSockets(id identity) error {
	h.run = filepath.Join(h.dir, "run")
	if len(h.run) > maxSocketFolder {
		sum := sha256.Sum256([]byte(h.dir))
		h.run = filepath.Join("/tmp", "postern-"+hex.EncodeToString(sum[:8]))
	}
	if err := os.RemoveAll(h.run); err != nil {
		return err
	}
	if err := os.Mkdir(h.run, 0o700); err != nil {
		return err
	}
	return id.own(h.run)
}

func (h *home) initdb(ctx context.Context, bin Binaries, id identity, password string, throwaway bool) error {
	data, run := h.draft(), h.sockets()
	auth := "scram-sha-256"
	if throwaway {
		auth = "md5" // the password is long and random; what it costs to check it is paid per connection
	}
	// The file lies in the server's own closed folder, for as long as initdb runs.
	pwfile := filepath.Join(run, "password")
	if err := overwrite(pwfile, password+"\n"); err != nil {
		return err
	}
	defer func() { _ = os.Remove(pwfile) }()
	if err := id.own(pwfile); err != nil {
		return err
	}
	args := []string{"-D", data, "-U", superuser, "-A", auth, "--pwfile=" + pwfile, "-E", "UTF8", "--no-locale", "--no-instructions"}
	if throwaway {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, bin.initdb(), args...) // #nosec G204 -- found by Search
	cmd.Env = environment()
	cmd.Dir = filepath.Dir(data)
	id.apply(cmd)
	bindLife(cmd.SysProcAttr, syscall.SIGKILL)
	runtime.LockOSThread() // bindLife is tied to the thread
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// openLog opens the server's log. A long one starts again.
func (h *home) openLog() (*os.File, error) {
	path := filepath.Join(h.dir, "postgres.log")
	flags := os.O_CREATE | os.O_APPEND | os.O_WRONLY
	if info, err := os.Stat(path); err == nil && info.Size() > 4<<20 {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600) // #nosec G304 -- below the folder we were given
}

// logTail is the end of what the server said, for an error's text.
func (h *home) logTail() string {
	text, err := os.ReadFile(filepath.Join(h.dir, "postgres.log"))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// overwrite writes a small file of ours, readable for us alone.
func overwrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // #nosec G304 -- below the folder we were given
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
