package graph_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// typeRef is a type as introspection speaks of one.
type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

// String is the type as one writes it.
func (t typeRef) String() string {
	switch t.Kind {
	case "NON_NULL":
		return t.OfType.String() + "!"
	case "LIST":
		return "[" + t.OfType.String() + "]"
	}
	return t.Name
}

// named is the type without lists.
func (t typeRef) named() string {
	if t.OfType != nil {
		return t.OfType.named()
	}
	return t.Name
}

func (t typeRef) required() bool { return t.Kind == "NON_NULL" }

type argument struct {
	Name         string
	Type         typeRef
	DefaultValue *string
}

type field struct {
	Name string
	Args []argument
	Type typeRef
}

type typeDef struct {
	Kind, Name  string
	Fields      []field
	InputFields []argument
	EnumValues  []struct{ Name string }
}

// schemaOf is what introspection tells of a schema, by the names of types.
type schemaOf map[string]typeDef

// learn asks the API what it has.
func learn(t testing.TB, h *testhouse.House) schemaOf {
	t.Helper()
	got := ask(t, h, bySecret(), introspection, nil)
	if len(got.Errors) > 0 {
		t.Fatalf("%+v", got.Errors)
	}
	var data struct {
		Schema struct{ Types []typeDef } `json:"__schema"`
	}
	if err := json.Unmarshal(got.Data, &data); err != nil {
		t.Fatal(err)
	}
	s := schemaOf{}
	for _, d := range data.Schema.Types {
		if !strings.HasPrefix(d.Name, "__") {
			s[d.Name] = d
		}
	}
	return s
}

// isObject tells whether a type has fields to choose from.
func (s schemaOf) isObject(name string) bool { return len(s[name].Fields) > 0 }

// selection writes all fields of a type: plain ones, and of those with fields of their own their plain ones,
// as deep as said. Arguments are given where there must be some.
func (s schemaOf) selection(name string, depth int, args func(owner string, f field) string) string {
	var b strings.Builder
	b.WriteString("{__typename ")
	for _, f := range s[name].Fields {
		of := f.Type.named()
		switch {
		case !s.isObject(of):
			b.WriteString(f.Name + args(name, f) + " ")
		case depth > 0:
			b.WriteString(f.Name + args(name, f) + s.selection(of, depth-1, args) + " ")
		}
	}
	return b.String() + "}"
}

// A route leads from the root to a type, field by field.
type route []step

type step struct {
	owner string
	field field
}

// routes finds the shortest way from a root to every type that has fields. Lists come in the shape of
// connections: their nodes are taken before their edges.
func (s schemaOf) routes(root string) map[string]route {
	found := map[string]route{root: {}}
	for queue := []string{root}; len(queue) > 0; queue = queue[1:] {
		fields := slices.Clone(s[queue[0]].Fields)
		slices.SortStableFunc(fields, func(a, b field) int { return strings.Compare(boolKey(a.Name != "nodes"), boolKey(b.Name != "nodes")) })
		for _, f := range fields {
			to := f.Type.named()
			if _, known := found[to]; known || !s.isObject(to) {
				continue
			}
			found[to] = append(slices.Clone(found[queue[0]]), step{queue[0], f})
			queue = append(queue, to)
		}
	}
	return found
}

func boolKey(b bool) string { return strconv.FormatBool(b) }

// write makes an operation that goes a route and selects something at its end.
func (r route) write(args func(owner string, f field) string, end string) string {
	if len(r) == 0 {
		return end
	}
	return "{" + r[0].field.Name + args(r[0].owner, r[0].field) + r[1:].write(args, end) + "}"
}

// literal writes a value as GraphQL does.
func literal(v any) string {
	switch v := v.(type) {
	case enum:
		return string(v)
	case map[string]any:
		var parts []string
		for name, x := range v {
			parts = append(parts, name+":"+literal(x))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, literal(x))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	text, _ := json.Marshal(v) // plain values
	return string(text)
}

// enum is a value that is written without quotes.
type enum string
