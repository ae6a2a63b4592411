package graph

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"postern/graph/wire"
)

var update = flag.Bool("update", false, "write the pages that are made from the schema")

func schema() *ast.Schema { return wire.NewExecutableSchema(wire.Config{}).Schema() }

// TestGeneratedGraphQLPage holds docs/graphql.md to its template and the schema.
func TestGeneratedGraphQLPage(t *testing.T) {
	t.Parallel()
	const path = "../docs/graphql.md"
	text, err := os.ReadFile(path + ".tmpl")
	if err != nil {
		t.Fatal(err)
	}
	page, err := template.New("page").Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	s := schema()
	var want bytes.Buffer
	err = page.Execute(&want, struct{ Queries, Mutations, Types string }{operations(s.Query), operations(s.Mutation), typesOf(s)})
	if err != nil {
		t.Fatal(err)
	}
	hold(t, path, want.String())
}

// TestGeneratedSchemaFile holds docs/schema.graphql to the schema: one file for tools that make clients.
func TestGeneratedSchemaFile(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	want.WriteString("# The API for operators in one file, for tools. Generated from graph/wire by 'make generate'.\n\n")
	formatter.NewFormatter(&want, formatter.WithIndent("  ")).FormatSchema(schema())
	hold(t, "../docs/schema.graphql", want.String())
}

func hold(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("%s is not what the schema says; run make generate (-page +schema):\n%s", path, diff)
	}
}

// TestEverythingInTheSchemaIsDescribed: a field without a description is one that nobody explains.
func TestEverythingInTheSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	for _, d := range own(schema()) {
		said(t, d.Name, d.Description)
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue // GraphQL's own
			}
			said(t, d.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				said(t, d.Name+"."+f.Name+"("+a.Name+")", a.Description)
			}
		}
		for _, v := range d.EnumValues {
			said(t, d.Name+"."+v.Name, v.Description)
		}
	}
}

func said(t *testing.T, what, description string) {
	t.Helper()
	if d := strings.TrimSpace(description); len(d) < 4 || !strings.ContainsAny(d[len(d)-1:], ".:!?)") {
		t.Errorf("%s is described as %q: say in a sentence what it is", what, d)
	}
}

// own lists the types that are ours, by name: the roots first.
func own(s *ast.Schema) []*ast.Definition {
	var list []*ast.Definition
	for name, d := range s.Types {
		if !d.BuiltIn && !strings.HasPrefix(name, "__") {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *ast.Definition) int {
		return strings.Compare(rank(s, a)+a.Name, rank(s, b)+b.Name)
	})
	return list
}

func rank(s *ast.Schema, d *ast.Definition) string {
	switch d {
	case s.Query:
		return "0"
	case s.Mutation:
		return "1"
	}
	return "2"
}

// operations is a table of the fields of a root.
func operations(root *ast.Definition) string {
	if root == nil {
		return ""
	}
	fields := slices.Clone(root.Fields)
	fields = slices.DeleteFunc(fields, func(f *ast.FieldDefinition) bool { return strings.HasPrefix(f.Name, "__") })
	slices.SortFunc(fields, func(a, b *ast.FieldDefinition) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	b.WriteString("| | takes | gives | |\n| --- | --- | --- | --- |\n")
	for _, f := range fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, arguments(f), typeLink(f.Type), cell(f.Description))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func arguments(f *ast.FieldDefinition) string {
	var parts []string
	paged := f.Arguments.ForName("first") != nil
	for _, a := range f.Arguments {
		if paged && slices.Contains([]string{"first", "after", "last", "before"}, a.Name) {
			continue
		}
		parts = append(parts, "`"+a.Name+"` "+typeLink(a.Type))
	}
	if paged {
		parts = append(parts, "[page](#pages)")
	}
	return strings.Join(parts, ", ")
}

func typeLink(t *ast.Type) string {
	name := t.Name()
	text := "`" + t.String() + "`"
	if slices.Contains([]string{"String", "Int", "Boolean", "Float", "ID"}, name) {
		return text
	}
	return "[" + text + "](#" + strings.ToLower(name) + ")"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// typesOf describes every type but the roots.
func typesOf(s *ast.Schema) string {
	var b strings.Builder
	for _, d := range own(s) {
		if rank(s, d) != "2" {
			continue
		}
		fmt.Fprintf(&b, "### %s\n\n%s\n\n", d.Name, strings.TrimSpace(d.Description))
		switch d.Kind {
		case ast.Enum:
			b.WriteString("| value | |\n| --- | --- |\n")
			for _, v := range d.EnumValues {
				fmt.Fprintf(&b, "| `%s` | %s |\n", v.Name, cell(v.Description))
			}
			b.WriteString("\n")
		case ast.Object, ast.InputObject, ast.Interface:
			b.WriteString("| field | type | |\n| --- | --- | --- |\n")
			for _, f := range d.Fields {
				what := cell(f.Description)
				if takes := arguments(f); takes != "" {
					what += " Takes " + takes + "."
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, typeLink(f.Type), what)
			}
			b.WriteString("\n")
		case ast.Scalar, ast.Union:
		}
	}
	return strings.TrimSuffix(b.String(), "\n\n")
}
