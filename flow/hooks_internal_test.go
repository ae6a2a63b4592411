package flow

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decided lists which function makes a user, opens a session or signs an access token, and how it comes
// to ask hooks first. Whoever writes another one decides here, and adds it to the tests of the door.
var decided = map[string]string{
	"add":              "writes a user and has UserInserted join; only what asked UserCreating calls it",
	"WithPassword":     "signs up: creating, enterNew",
	"withPassword":     "signs in: PasswordChecked, askSession",
	"moveIn":           "PasswordUnknown before; creating, enterNew",
	"givePassword":     "PasswordUnknown before; ask",
	"addByLink":        "creating, add, created",
	"addByCode":        "creating, add, created",
	"AsGuest":          "creating, enterNew",
	"WithPasskey":      "signs up: creating, enterNew. Signs in: ask",
	"arriveAnew":       "creating, enterNew",
	"enterNew":         "created, ask",
	"enter":            "opens; open refuses what was not asked about",
	"open":             "opens; refuses what was not asked about",
	"grant":            "signs what open and Refresh asked about",
	"Refresh":          "askAgain",
	"linkAndEnter":     "ask",
	"letIn":            "opens what askArrival asked about",
	"redeemBy":         "ask",
	"WithCode":         "ask",
	"WithNewPhone":     "ask",
	"addByPhone":       "creating, add, created",
	"WithFactor":       "FactorChecked, ask",
	"WithPAT":          "ask",
	"ElevateByFactor":  "FactorChecked, ask",
	"grantRaised":      "Raise: FactorChecked before; askClaims, mint",
	"ElevateByCode":    "ask",
	"ElevateByPasskey": "ask",

	"clientGrant": "signs for a client of the OAuth server what speakTo asked about: claims and hooks of tokens; those of sessions are not asked, since the user's own is open",

	"addDrafted":         "Create of operators asks UserCreating for those who are invited, and nobody else: docs/hooks.md",
	"impersonationToken": "mints: hooks of tokens have their say, those of sessions are not asked since none opens",
	"Create":             "makes a machine client, which is no user",
	"Rotate":             "gives a machine client another secret",
}

// TestEveryUserAndSessionIsDecidedAbout reads the flows for whatever makes a user, opens a session or
// signs an access token.
func TestEveryUserAndSessionIsDecidedAbout(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"AddUser", "add", "OpenSession", "Sign", "enter", "open", "enterNew", "grant"}, s.Sel.Name) {
					found[function.Name.Name] = true
				}
				return true
			})
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(decided)), slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("decided about (-here +in the flows):\n%s", diff)
	}
}
