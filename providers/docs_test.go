package providers

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the table in the documentation: go test ./providers -update.
var update = flag.Bool("update", false, "rewrite the table in docs/providers.md")

const tableBegins, tableEnds = "<!-- table -->\n", "<!-- end of table -->\n"

func TestGeneratedTableIsUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "providers.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegins)
	old, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok1 || !ok2 {
		t.Fatal("docs/providers.md has no place for the table")
	}
	got := documentation()
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegins+got+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, got); diff != "" {
		t.Errorf("docs/providers.md is not what the rows say; run make generate (-page +rows):\n%s", diff)
	}
}

// documentation is the table for people.
func documentation() string {
	yes := map[bool]string{true: "yes"}
	var b strings.Builder
	b.WriteString("| name | variables | provider | asks for | PKCE | nonce | id tokens | an address counts as verified when |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	all := rows()
	own := oidcRow("NAME")
	own.name, own.title = "any name", "any OpenID Connect issuer"
	for _, r := range append(all, own) {
		cells := []string{
			"`" + r.name + "`", "`" + r.env + "`", r.title, inCode(strings.Join(r.scopes, " ")), yes[r.pkce], yes[r.nonce], yes[r.readsIDTokens()], r.note,
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return b.String()
}

func inCode(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// Rows are data, and data can be wrong in ways that the compiler does not see.
func TestRowsAreWhole(t *testing.T) {
	t.Parallel()
	names, envs, last := map[string]bool{}, map[string]bool{}, ""
	for _, r := range rows() {
		if r.name < last {
			t.Errorf("%s stands after %s: rows are in the order of their names", r.name, last)
		}
		last = r.name
		if names[r.name] || envs[r.env] {
			t.Errorf("%s or %s is there twice", r.name, r.env)
		}
		names[r.name], envs[r.env] = true, true
		if r.title == "" || r.note == "" || r.profile == nil {
			t.Errorf("%s: a title, a note or a profile is missing", r.name)
		}
		if r.issuer == issuerNone && (r.authorize == "" || r.userinfo == "") {
			t.Errorf("%s: without an issuer it needs all its addresses", r.name)
		}
		if r.issuer == issuerFixed && (len(r.iss) == 0 || r.keys == "") || (r.issuer == issuerTenant || r.issuer == issuerBase) && r.discover == "" {
			t.Errorf("%s: it does not say where its issuer is", r.name)
		}
		if r.nonce && r.issuer == issuerNone {
			t.Errorf("%s: it takes a nonce, and no id token would repeat it", r.name)
		}
		for _, address := range []string{r.authorize, r.token, r.refresh, r.userinfo, r.emails, r.keys, r.discover} {
			if address != "" && !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "{") {
				t.Errorf("%s: %s is not https", r.name, address)
			}
		}
		if rowOf(r.name).env != r.env {
			t.Errorf("%s: its row is not found", r.name)
		}
	}
	if r := rowOf(oidcRow("MY_CORP").name); r.env != "MY_CORP" || r.issuer != issuerSet {
		t.Errorf("the row of my-corp is %s", r.env)
	}
}
