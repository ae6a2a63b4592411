package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
)

// TestQueriesPrepare prepares every statement of the package on the migrated schema, so that a
// wrong column or type is found here and not by a user.
func TestQueriesPrepare(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	statements := readStatements(t)
	if len(statements) < 20 {
		t.Fatalf("found only %d statements: the search is broken", len(statements))
	}
	for name, sql := range statements {
		if _, err := conn.Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v\n%s", name, err, sql)
		}
	}
}

// readStatements finds the package's constants whose name ends in SQL and puts their text together.
func readStatements(t *testing.T) map[string]string {
	t.Helper()
	consts := map[string]ast.Expr{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") || strings.HasPrefix(e.Name(), "migrate") || strings.HasPrefix(e.Name(), "adopt") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, s := range gen.Specs {
				v, ok := s.(*ast.ValueSpec)
				if ok && len(v.Values) == 1 {
					consts[v.Names[0].Name] = v.Values[0]
				}
			}
		}
	}
	found := map[string]string{}
	for name, value := range consts {
		if strings.HasSuffix(name, "SQL") {
			found[name] = textOf(t, consts, value)
		}
	}
	return found
}

func textOf(t *testing.T, consts map[string]ast.Expr, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.BinaryExpr:
		return textOf(t, consts, e.X) + textOf(t, consts, e.Y)
	case *ast.Ident:
		return textOf(t, consts, consts[e.Name])
	}
	t.Fatalf("a statement is put together in a way this test does not read: %T", e)
	return ""
}

// TestEveryStatementKnowsEveryLock looks at the statements that let only those through who are not
// disabled: a ban and a deletion lock as well.
func TestEveryStatementKnowsEveryLock(t *testing.T) {
	t.Parallel()
	asks := regexp.MustCompile(`not (u\.)?disabled|u\.disabled = \$`)
	knows := regexp.MustCompile(`(not|and) (u\.)?(disabled|disabled = \$\d+) and (u\.)?deleted_at is null and \((u\.)?banned_until is null or (u\.)?banned_until <= \$`)
	found := 0
	for name, sql := range readStatements(t) {
		n := len(asks.FindAllString(sql, -1))
		if found += n; n > len(knows.FindAllString(sql, -1)) {
			t.Errorf("%s asks whether a user is disabled, and not whether they are banned or deleted:\n%s", name, sql)
		}
	}
	if found < 10 {
		t.Errorf("found only %d conditions: the search is broken", found)
	}
}
