package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install puts programs into a folder that answer like those of a Postgres of that version.
func install(t *testing.T, bin, version string, extensions ...string) {
	t.Helper()
	share := filepath.Join(bin, "..", "share")
	for _, dir := range []string{bin, filepath.Join(share, "extension")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf("#!/bin/sh\necho VERSION=%s >&2\necho share_path=%s >&2\n", version, share)
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range extensions {
		if err := os.WriteFile(filepath.Join(share, "extension", name+".control"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// openToAll is a folder that the server's account can reach too.
func openToAll(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindTakesTheBestOfTheKnownFolders(t *testing.T) {
	t.Setenv("PATH", "/nowhere") // no Postgres of this machine
	t.Setenv("POSTGRES_BIN", "")
	both := []string{"citext", "pgcrypto"}
	for _, test := range []struct {
		name    string
		have    map[string][]string // version → extensions
		major   int
		want    string
		refusal string
	}{
		{"the highest", map[string][]string{"9": both, "15": both, "16": both}, 0, "16", ""},
		{"not one without contrib", map[string][]string{"15": both, "16": {"citext"}}, 0, "15", ""},
		{"not one that is too old", map[string][]string{"13": both}, 0, "", "Postgres 13 is older than 14"},
		{"the one the data needs", map[string][]string{"15": both, "16": both}, 15, "15", ""},
		{"none of that version", map[string][]string{"16": both}, 15, "", "the data needs version 15"},
		{"none at all", nil, 0, "", "Install it with:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := openToAll(t)
			for version, extensions := range test.have {
				install(t, filepath.Join(root, version, "bin"), version, extensions...)
			}
			s := Search{Major: test.major, Cache: filepath.Join(root, "cache"), known: []string{root + "/*/bin"}}
			got, err := s.Find(t.Context())
			if test.refusal != "" {
				var notFound *NotFoundError
				if !errors.As(err, &notFound) || !strings.Contains(err.Error(), test.refusal) {
					t.Fatalf("got %+v, %v, want a refusal with %q", got, err, test.refusal)
				}
				return
			}
			if err != nil || got.Version != test.want {
				t.Errorf("got %+v, %v, want version %s", got, err, test.want)
			}
		})
	}
}

func TestFindHonoursTheFolderAskedFor(t *testing.T) {
	root := openToAll(t)
	install(t, filepath.Join(root, "good", "bin"), "17.1", "citext", "pgcrypto")
	install(t, filepath.Join(root, "bare", "bin"), "17.1")

	t.Setenv("POSTGRES_BIN", filepath.Join(root, "good", "bin"))
	if got, err := (Search{}).Find(t.Context()); err != nil || got.Major != 17 {
		t.Errorf("POSTGRES_BIN: got %+v, %v", got, err)
	}
	for _, dir := range []string{filepath.Join(root, "bare", "bin"), filepath.Join(root, "absent")} {
		if got, err := (Search{BinDir: dir}).Find(t.Context()); err == nil {
			t.Errorf("%s: got %+v, want an error and nothing else tried", dir, got)
		}
	}
}

func TestInstallCommandFitsTheSystem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		goos, release string
		root          bool
		want          string
	}{
		{"linux", "NAME=x\nID=debian\n", true, "apt-get install -y postgresql"},
		{"linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", false, "sudo apt-get install -y postgresql"},
		{"linux", "ID=alpine\n", true, "apk add postgresql postgresql-contrib"},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", false, "sudo dnf install -y postgresql-server postgresql-contrib"},
		{"linux", "ID=arch\n", false, "sudo pacman -S --noconfirm postgresql"},
		{"linux", "ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n", true, "zypper install -y postgresql-server postgresql-contrib"},
		{"darwin", "", false, "brew install postgresql@17"},
		{"linux", "", false, "docker run --rm -p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=postgres postgres:17"},
	} {
		if got := installCommand(test.goos, test.release, test.root); got != test.want {
			t.Errorf("%s %q: got %q, want %q", test.goos, test.release, got, test.want)
		}
	}
}
