package events_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/events"
)

// update rewrites the generated part of the page: go test ./events -update.
var update = flag.Bool("update", false, "rewrite docs/events.md and docs/audit.md")

const mark = "<!-- What follows is generated from events/types.go by make generate. -->\n"

func TestGeneratedPageIsUpToDate(t *testing.T) {
	t.Parallel()
	for name, generated := range map[string]string{"events.md": events.Docs(), "audit.md": events.AuditDocs()} {
		path := filepath.Join("..", "docs", name)
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, _, found := strings.Cut(string(page), mark)
		if !found {
			t.Fatalf("%s has lost its mark", name)
		}
		want := before + mark + generated
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(page), want); diff != "" {
			t.Errorf("docs/%s is not what the code says; run make generate (-page +code):\n%s", name, diff)
		}
	}
}

// word is how the words of events look.
var word = regexp.MustCompile(`^(audit|claims|dead-letter|email|events|factor|hook-script|identity|link|machine-client|mail|message|oauth|oauth-client|operator|passkey|password|pat|phone|provider|recovery_codes?|role|sessions?|signin|sms|user)(\.[a-z_-]+)+$`)

// TestEveryEventOfTheCodeIsInTheTable reads the words and the facts that flows and the store write,
// and holds the table against them.
func TestEveryEventOfTheCodeIsInTheTable(t *testing.T) {
	t.Parallel()
	words, facts := map[string]bool{}, map[string]bool{}
	for _, dir := range []string{"flow", "store", "house", "deliver"} {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				collect(n, words, facts)
				return true
			})
		}
	}
	if len(words) < 20 {
		t.Fatalf("found only %d words: the search is broken", len(words))
	}
	known := map[string]bool{"sessionId": true, "userId": true}
	for _, typ := range slices.Concat(events.Types(), events.Notes()) {
		if !words[typ.Name] {
			t.Errorf("%s is in the table, and nothing writes it", typ.Name)
		}
		delete(words, typ.Name)
		for field := range typ.Data {
			known[field] = true
		}
	}
	for _, w := range slices.Sorted(maps.Keys(words)) {
		t.Errorf("%s is written, and not in the table", w)
	}
	for _, f := range slices.Sorted(maps.Keys(facts)) {
		if !known[f] {
			t.Errorf("the fact %q is written, and no event of the table has it", f)
		}
	}
}

// inSQL finds words inside statements.
var inSQL = regexp.MustCompile(`'([a-z_-]+(?:\.[a-z_-]+)+)'`)

// collect notes the words in a piece of code, and the keys of maps that become an entry's detail.
func collect(n ast.Node, words, facts map[string]bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		text := strings.Trim(n.Value, "\"`")
		if word.MatchString(text) {
			words[text] = true
		}
		for _, m := range inSQL.FindAllStringSubmatch(n.Value, -1) {
			if word.MatchString(m[1]) {
				words[m[1]] = true
			}
		}
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if sel, ok := to.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Detail" || sel.Sel.Name == "Facts") && i < len(n.Rhs) {
				keys(n.Rhs[i], facts)
			}
		}
	case *ast.KeyValueExpr:
		if id, ok := n.Key.(*ast.Ident); ok && (id.Name == "Detail" || id.Name == "Facts") {
			keys(n.Value, facts)
		}
	}
}

func keys(e ast.Expr, facts map[string]bool) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return
	}
	if m, ok := lit.Type.(*ast.MapType); !ok || fmt.Sprint(m.Value) != "any" {
		return // of something else that has details
	}
	for _, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.BasicLit); ok {
				facts[strings.Trim(key.Value, `"`)] = true
			}
		}
	}
}

func TestSchemasAreJSON(t *testing.T) {
	t.Parallel()
	for _, typ := range events.Types() {
		var schema struct {
			Title      string
			Properties map[string]struct{ Required []string }
		}
		if err := json.Unmarshal(typ.Schema(), &schema); err != nil || schema.Title != typ.Name || !slices.Contains(schema.Properties["data"].Required, "userId") {
			t.Errorf("%s: %+v, %v", typ.Name, schema, err)
		}
	}
	if !slices.IsSortedFunc(events.Types(), func(a, b events.Type) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not in order")
	}
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestEndpointsAreReadWhole(t *testing.T) {
	t.Parallel()
	var problems []string
	got := events.Parse(`[{"name":"crm","url":"https://crm.example.com/in?x=1","secrets":["`+secret+`","`+secret+`"],"events":["user.*","session.replayed"],"headers":{"Authorization":"Bearer x"}},
		{"name":"all","url":"http://10.0.0.1:8080","secrets":["`+secret+`"]}]`, func(p string) { problems = append(problems, p) })
	if len(problems) > 0 || len(got) != 2 {
		t.Fatal(got, problems)
	}
	if diff := cmp.Diff([]string{"user.%", "session.replayed"}, got[0].Patterns()); diff != "" || len(got[0].Keys) != 2 || got[0].Header.Get("Authorization") != "Bearer x" {
		t.Errorf("%+v %s", got[0], diff)
	}
	if diff := cmp.Diff([]string{"%"}, got[1].Patterns()); diff != "" {
		t.Error(diff)
	}
}

func TestAllThatIsWrongWithEndpointsIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	var problems []string
	report := func(p string) { problems = append(problems, p) }
	events.Parse(`[
		{"name":"A b","url":"ftp://x","secrets":["geheim"],"events":["user.creatd"]},
		{"name":"crm","url":"https://u:geheim@x.example.com","secrets":[],"events":["us*"]},
		{"name":"crm","url":"https://x.example.com#f","secrets":["`+secret+`"],"headers":{"Webhook-Id":"1","X":"a\nb"},"colour":1},
		{"name":"crm","url":"https://x.example.com#f","secrets":["whpk_O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="],"headers":{"Webhook-Id":"1","X":"a\nb"}}
	]`, report)
	all := strings.Join(problems, "\n")
	for _, want := range []string{
		"endpoint 1 needs a name", "endpoint 1 (A b) needs a url", "endpoint 1 (A b) has an unusable secret, number 1", `"user.creatd"`,
		"endpoint 2 (crm) has a password", "endpoint 2 (crm) needs secrets", `"us*"`, "endpoint 3 cannot be read: it has a member beside",
		"endpoint 4 has the name", "endpoint 4 (crm) has a url with a fragment", "only for verifying", "may not set the header Webhook-Id", "control character",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if strings.Contains(all, "geheim") {
		t.Errorf("a secret is repeated:\n%s", all)
	}
	for _, text := range []string{`{}`, `[`, `[1]`, `nonsense`} {
		problems = nil
		if events.Parse(text, report); len(problems) == 0 {
			t.Errorf("%s is taken", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`[{"name":"crm","url":"https://x","secrets":["` + secret + `"],"events":["user.*"]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		good := true
		for _, e := range events.Parse(text, func(string) { good = false }) {
			if good && (e.Name == "" || e.URL == "" || e.Keys.Sign("i", events.Message{}.Timestamp, nil) == "" || len(e.Patterns()) == 0) {
				t.Errorf("%s", fmt.Sprint(e))
			}
		}
	})
}
