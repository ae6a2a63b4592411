package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// module is the name in go.mod: what our own import paths begin with.
const module = "postern"

// The floors of the house, from the ground up. A package imports floors below its own. Besides, a
// door imports its parent, and a room its own closets (the folders in it), which nobody else does. The
// closets of hooks are the other way round: each imports hooks for its types, and the roof opens them,
// since hooks itself knows neither dialects nor transports.
// docs/architecture.md has the picture and the reasons.
const (
	ground  = iota // nouns and embedded files; the standard library alone, and the nouns
	rooms          // one tool each; rooms do not know one another
	verbs          // what a person does, and what leaves the house by itself
	doors          // dialects: decode, call one flow, encode
	roof           // commands, wiring, settings
	helpers        // beside the house: for tests and for the roof
)

// nouns are what the other packages of the ground may speak of.
const nouns = "auth"

// outward is the room whose closets are doors that face outward.
const outward = "hooks"

var floorNames = []string{"ground", "rooms", "verbs", "doors", "roof", "helpers"}

// floors gives every package its floor. A new package is added here, or the test fails.
var floors = map[string]int{
	".":      roof,
	"dev":    roof,
	"config": roof,
	"house":  roof,

	"server":          doors,
	"server/hasura":   doors,
	"server/gotrue":   doors,
	"server/platform": doors,
	"server/auth0":    doors,
	"graph":           doors,
	"graph/wire":      doors,

	"flow":    verbs,
	"deliver": verbs,

	"store":      rooms,
	"emails":     rooms,
	"sms":        rooms,
	"tokens":     rooms,
	"totp":       rooms,
	"passwords":  rooms,
	"providers":  rooms,
	"limits":     rooms,
	"captcha":    rooms,
	"claims":     rooms,
	"passkeys":   rooms,
	"engine":     rooms,
	"hooks":      rooms,
	"outbound":   rooms,
	"clientdocs": rooms,
	"events":     rooms,

	"claims/schema":    rooms,
	"passwords/argon2": rooms,
	"claims/jsonata":   rooms,
	"store/graph":      rooms,

	"claims/jsonata/gnata": rooms,

	"hooks/supabase": rooms,
	"hooks/gotrue":   rooms,
	"hooks/platform": rooms,
	"hooks/auth0":    rooms,
	"hooks/httphook": rooms,
	"hooks/pghook":   rooms,
	"hooks/jshook":   rooms,

	"webhooks":     ground, // rooms and verbs sign alike
	"spelling":     ground, // rooms and the roof suggest alike
	"pause":        ground, // from the rooms to the roof, everybody waits now and then
	"userobject":   ground, // dialects of hooks tell the same of users
	"auth":         ground,
	"migrations":   ground,
	"templates":    ground,
	"docs/openapi": ground,
}

// floorOf finds a package's floor. What is in internal is a helper without being listed.
func floorOf(pkg string) (floor int, ok bool) {
	if strings.HasPrefix(pkg, "internal/") {
		return helpers, true
	}
	floor, ok = floors[pkg]
	return floor, ok
}

// buildsTheHouse tells helpers that start the whole program from those that it may use itself.
func buildsTheHouse(helper string) bool {
	return strings.HasPrefix(helper, "internal/test") || helper == "internal/bench"
}

// testsMayImport lists what the tests of a package import against the rules, each with its reason.
// Test files may always import helpers and the package they test.
var testsMayImport = map[string][]string{
	"server/hasura":   {"house"}, // a door is tried as it is wired
	"server/gotrue":   {"house"},
	"server/platform": {"house"},
	"server/auth0":    {"house"},
	"graph":           {"house"},
}

// TestFloors reads the imports of every Go file of the repository and holds them against floors.
func TestFloors(t *testing.T) {
	t.Parallel()
	arrows, err := readArrows(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(arrows) == 0 {
		t.Fatal("found no imports at all: the walk is broken")
	}
	told := map[string]bool{}
	for _, a := range arrows {
		problem := judge(a)
		if problem == "" || told[a.from()+problem] {
			continue
		}
		told[a.from()+problem] = true
		t.Errorf("%s: %s", a.file, problem)
	}
}

// An arrow is one import of one file.
type arrow struct {
	file string // from the repository's root, with slashes
	to   string // the import path as written
}

func (a arrow) from() string { return path.Dir(a.file) }
func (a arrow) test() bool   { return strings.HasSuffix(a.file, "_test.go") }

// readArrows parses the imports of all Go files below root. It reads the files itself, and does not
// ask the go command, so that the test cache notices every change.
func readArrows(root fs.FS) ([]arrow, error) {
	var arrows []arrow
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(name), src, parser.ImportsOnly)
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		if len(file.Imports) == 0 { // it still needs a floor
			arrows = append(arrows, arrow{file: name})
		}
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			arrows = append(arrows, arrow{file: name, to: to})
		}
		return nil
	})
	return arrows, err
}

// skip leaves out folders that the go command does not look into, and modules of their own.
func skip(root fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
		slices.Contains([]string{"bin", "node_modules", "testdata", "vendor"}, base) {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// judge says what is wrong with an arrow, or nothing.
func judge(a arrow) string {
	from := a.from()
	floor, ok := floorOf(from)
	if !ok {
		return fmt.Sprintf("package %s has no floor: give it one in floors_test.go", from)
	}
	to, ours := strings.CutPrefix(a.to, module+"/")
	if a.to == module {
		to, ours = ".", true
	}
	if !ours {
		domain, _, _ := strings.Cut(a.to, "/")
		if floor == ground && !a.test() && strings.Contains(domain, ".") {
			return fmt.Sprintf("imports %s, but the ground floor knows the standard library alone", a.to)
		}
		return ""
	}
	below, ok := floorOf(to)
	switch {
	case !ok:
		return fmt.Sprintf("imports %s, which has no floor: give it one in floors_test.go", to)
	case a.test() && (below == helpers || to == from || slices.Contains(testsMayImport[from], to)):
		return ""
	case floor == helpers && (below <= rooms || below == helpers || buildsTheHouse(from)):
		return ""
	case floor == helpers:
		return fmt.Sprintf("imports %s: a helper knows the rooms and the ground, not the %s", to, floorNames[below])
	case below == helpers && floor == roof:
		return ""
	case below == helpers:
		return fmt.Sprintf("imports %s, a helper for tests and the roof", to)
	case path.Dir(to) == outward && floor == roof, path.Dir(from) == outward && to == outward:
		return ""
	case below == rooms && path.Dir(to) != ".":
		if from == path.Dir(to) && from != outward {
			return ""
		}
		return fmt.Sprintf("imports %s, a closet of %s", to, path.Dir(to))
	case floor == roof && below == roof && to != ".":
		return "" // commands share the settings; Go itself forbids circles
	case floor == doors && to == path.Dir(from):
		return "" // a door and what all doors share
	case from == "graph" && (to == "graph/wire" || to == "server"):
		return "" // the schema that the door answers for, and what all doors share
	case below > floor:
		return fmt.Sprintf("imports %s: up from the %s to the %s", to, floorNames[floor], floorNames[below])
	case floor == ground && to == nouns:
		return ""
	case below == floor:
		return fmt.Sprintf("imports %s: sideways, both are on the floor %q", to, floorNames[floor])
	}
	return ""
}

// TestFloorsNoticeEveryWrongArrow plants one arrow of each kind.
func TestFloorsNoticeEveryWrongArrow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		arrow
		want string // a part of the problem; empty when the arrow is right
	}{
		{"down", arrow{"flow/signin.go", "postern/store"}, ""},
		{"down two floors", arrow{"server/hasura/wire.go", "postern/auth"}, ""},
		{"a door and its parent", arrow{"server/hasura/hasura.go", "postern/server"}, ""},
		{"roof to settings", arrow{"main.go", "postern/config"}, ""},
		{"roof to helper", arrow{"dev/dev.go", "postern/internal/localpg"}, ""},
		{"helper to room", arrow{"internal/testpg/testpg.go", "postern/store"}, ""},
		{"helper of tests to the roof", arrow{"internal/testhouse/testhouse.go", "postern/house"}, ""},
		{"room to its closet", arrow{"passwords/hash.go", "postern/passwords/argon2"}, ""},
		{"a dialect of hooks and its types", arrow{"hooks/supabase/bind.go", "postern/hooks"}, ""},
		{"roof to a transport of hooks", arrow{"house/hooks.go", "postern/hooks/httphook"}, ""},
		{"other words for the nouns", arrow{"userobject/userobject.go", "postern/auth"}, ""},
		{"helper to helper", arrow{"internal/testpg/testpg.go", "postern/internal/localpg"}, ""},
		{"test to helper", arrow{"store/users_test.go", "postern/internal/testpg"}, ""},
		{"test to its package", arrow{"store/users_test.go", "postern/store"}, ""},
		{"standard library", arrow{"auth/auth.go", "encoding/json"}, ""},
		{"other people's code in a room", arrow{"store/store.go", "github.com/jackc/pgx/v5"}, ""},

		{"up", arrow{"store/users.go", "postern/flow"}, "up from the rooms to the verbs"},
		{"up from a test", arrow{"store/users_test.go", "postern/flow"}, "up from the rooms to the verbs"},
		{"up to the roof", arrow{"server/hasura/hasura.go", "postern/config"}, "up from the doors to the roof"},
		{"up to the main package", arrow{"flow/flow.go", "postern"}, "up from the verbs to the roof"},
		{"sideways between rooms", arrow{"emails/send.go", "postern/store"}, "sideways"},
		{"sideways on the ground", arrow{"auth/auth.go", "postern/webhooks"}, "sideways"},
		{"sideways between verbs", arrow{"flow/signup.go", "postern/deliver"}, "sideways"},
		{"a parent and its door", arrow{"server/server.go", "postern/server/hasura"}, "sideways"},
		{"helper to verb", arrow{"internal/localpg/localpg.go", "postern/flow"}, "not the verbs"},
		{"closet to its room", arrow{"passwords/argon2/argon2.go", "postern/passwords"}, "sideways"},
		{"hooks to its closet", arrow{"hooks/hooks.go", "postern/hooks/httphook"}, "a closet of hooks"},
		{"flow to a closet of hooks", arrow{"flow/ask.go", "postern/hooks/supabase"}, "a closet of hooks"},
		{"a dialect of hooks to a transport", arrow{"hooks/supabase/bind.go", "postern/hooks/httphook"}, "a closet of hooks"},
		{"to somebody else's closet", arrow{"flow/signup.go", "postern/passwords/argon2"}, "a closet of passwords"},
		{"room to helper", arrow{"store/store.go", "postern/internal/testpg"}, "a helper for tests"},
		{"no floor", arrow{"utils/utils.go", "fmt"}, "utils has no floor"},
		{"no floor and no import", arrow{"utils/utils.go", ""}, "utils has no floor"},
		{"to a package without a floor", arrow{"flow/flow.go", "postern/utils"}, "which has no floor"},
		{"other people's code on the ground", arrow{"auth/auth.go", "github.com/google/uuid"}, "standard library alone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judge(tt.arrow)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("judge(%v) = %q, want something with %q", tt.arrow, got, tt.want)
			}
		})
	}
}

// TestFloorsReadTheFiles holds the walk: what is read, and what is left out.
func TestFloorsReadTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                        "module postern\n",
		"main.go":                       "package main\n\nimport _ \"postern/config\"\n",
		"auth/auth.go":                  "package auth\n",
		"store/store.go":                "package store\n\nimport (\n\t\"fmt\"\n\tx \"postern/auth\"\n)\n",
		"store/testdata/a.go":           "not go at all",
		"tools/go.mod":                  "module postern/tools\n",
		"tools/tools.go":                "not go at all",
		"conformance/node_modules/x.go": "not go at all",
		".git/x.go":                     "not go at all",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readArrows(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := []arrow{
		{"auth/auth.go", ""},
		{"main.go", "postern/config"},
		{"store/store.go", "fmt"},
		{"store/store.go", "postern/auth"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(arrow{})); diff != "" {
		t.Errorf("arrows (-want +got):\n%s", diff)
	}
}
