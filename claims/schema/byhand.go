package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// mostByHand is how long a selection that was written by hand may be.
const mostByHand = 16 << 10

// mostDepth is how deep a selection may go.
const mostDepth = 16

// Draft is fields that were written by hand and not checked against a type yet.
type Draft struct{ set ast.SelectionSet }

// ParseDraft reads fields that were written by hand, with or without the outer braces. It needs no
// schema, and knows no field.
func ParseDraft(text string) (*Draft, error) {
	if len(text) > mostByHand {
		return nil, fmt.Errorf("it is longer than %d KiB", mostByHand>>10)
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		text = "{" + text + "\n}"
	}
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, 4000)
	if err != nil {
		var syntax *gqlerror.Error
		if errors.As(err, &syntax) {
			return nil, errors.New(syntax.Message)
		}
		return nil, err
	}
	if len(document.Operations) != 1 || len(document.Fragments) != 0 {
		return nil, errors.New("it must be the fields of one user and nothing else")
	}
	if len(document.Operations[0].SelectionSet) == 0 {
		return nil, errors.New("it has no fields")
	}
	return &Draft{document.Operations[0].SelectionSet}, nil
}

// On checks the fields against a type. All that is wrong comes at once.
func (d *Draft) On(t *Type) (*Selection, []error) {
	r := byHand{}
	s := r.object(t, d.set, nil)
	return s, r.wrong
}

type byHand struct{ wrong []error }

func (r *byHand) fail(path []string, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s: %s", strings.Join(path, "."), fmt.Sprintf(format, args...)))
}

// object reads the fields of an object.
func (r *byHand) object(t *Type, set ast.SelectionSet, path []string) *Selection {
	s := NewSelection(t)
	for _, one := range set {
		f, ok := one.(*ast.Field)
		if !ok {
			r.fail(append(path, "…"), "fragments cannot be used here; write the fields themselves")
			continue
		}
		r.field(s, f, append(slices.Clone(path), f.Name))
	}
	return s
}

// field reads one field.
func (r *byHand) field(s *Selection, f *ast.Field, path []string) {
	if f.Name == Typename && f.Alias == Typename {
		s.AddTypename()
		return
	}
	field := s.Type.Fields[f.Name]
	if field == nil {
		r.wrong = append(r.wrong, errors.New(Unknown(s.Type, path)))
		return
	}
	one := &Selected{Field: field, Args: r.arguments(f, field, path)}
	if f.Alias != f.Name {
		one.Alias = f.Alias
	}
	switch {
	case len(f.Directives) > 0:
		r.fail(path, "directives cannot be used here")
	case len(path) > mostDepth:
		r.fail(path, "this is deeper than %d fields", mostDepth)
	case field.Type.Kind == Abstract:
		r.fail(path, "it is a union or an interface, which claims cannot read")
	case field.Leaf() && len(f.SelectionSet) > 0:
		r.fail(path, "it is of the type %s, which has no fields; leave out what stands in its braces", field.Type.Name)
	case !field.Leaf() && len(f.SelectionSet) == 0:
		r.fail(path, "it is an object; write in braces which of its fields are needed")
	case !field.Leaf():
		one.Below = r.object(field.Type, f.SelectionSet, path)
	}
	if have := s.Fields[f.Alias]; have != nil && (have.Field != field || have.Args != one.Args) {
		r.fail(path, "two different fields have the name %s in the answer; give one of them an alias", f.Alias)
		return
	} else if have != nil && have.Below != nil && one.Below != nil {
		have.Below.Merge(one.Below)
		return
	}
	s.Fields[f.Alias] = one
}

// arguments checks the names of a field's arguments and writes them as they stand in a query. The
// source checks their values.
func (r *byHand) arguments(f *ast.Field, field *Field, path []string) string {
	var parts []string
	given := map[string]bool{}
	for _, arg := range f.Arguments {
		given[arg.Name] = true
		if _, ok := field.Args[arg.Name]; !ok {
			r.fail(path, "it has no argument %q%s", arg.Name, meant(arg.Name, slices.Sorted(maps.Keys(field.Args))))
		}
		if name := variable(arg.Value); name != "" {
			r.fail(path, "the variable $%s is not known; only $id, the user's, is", name)
		}
		parts = append(parts, arg.Name+": "+valueText(arg.Value))
	}
	for _, name := range field.Required() {
		if !given[name] {
			r.fail(path, "it needs the argument %q", name)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// valueText writes a value as GraphQL has it.
func valueText(v *ast.Value) string {
	switch v.Kind {
	case ast.StringValue, ast.BlockValue:
		text, err := jsontext.AppendQuote(nil, v.Raw) // JSON's strings are GraphQL's
		if err != nil {
			return `""`
		}
		return string(text)
	case ast.ListValue, ast.ObjectValue:
		parts := make([]string, 0, len(v.Children))
		for _, child := range v.Children {
			part := valueText(child.Value)
			if v.Kind == ast.ObjectValue {
				part = child.Name + ": " + part
			}
			parts = append(parts, part)
		}
		text := strings.Join(parts, ", ")
		if v.Kind == ast.ObjectValue {
			return "{" + text + "}"
		}
		return "[" + text + "]"
	default:
		return v.String()
	}
}

// meant ends a sentence about an unknown name with the names that are near it.
func meant(name string, known []string) string {
	near := Nearest(name, known)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// variable finds a variable in a value that is not the user's id.
func variable(v *ast.Value) string {
	if v.Kind == ast.Variable && v.Raw != "id" {
		return v.Raw
	}
	for _, child := range v.Children {
		if name := variable(child.Value); name != "" {
			return name
		}
	}
	return ""
}

// Unknown says that a type has no field of the last name of a path, and which are near.
func Unknown(t *Type, path []string) string {
	name := path[len(path)-1]
	text := fmt.Sprintf("%s: there is no field %q", strings.Join(path, "."), name)
	if len(path) == 1 {
		text += " on the user"
	} else {
		text += fmt.Sprintf(" on %s", path[len(path)-2])
	}
	text += fmt.Sprintf(" (type %s)", t.Name)
	if !isName(name) {
		return text + ", and GraphQL cannot have one of that name; such names exist only inside of json columns"
	}
	for _, names := range [][]string{t.Names(), slices.Sorted(maps.Keys(t.Fields))} {
		if near := meant(name, names); near != "" {
			return text + near
		}
	}
	const most = 20
	names := t.Names()
	if len(names) > most {
		return text + fmt.Sprintf("; it has %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return text + "; it has " + strings.Join(names, ", ")
}
