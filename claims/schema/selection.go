package schema

import (
	"maps"
	"slices"
	"strings"
)

// Selection is the fields to read of an object, by the name that they have in the answer.
type Selection struct {
	Type   *Type
	Fields map[string]*Selected
}

// Selected is one field of a selection.
type Selected struct {
	Field *Field     // nil for __typename
	Alias string     // the name in the answer, when it is another one
	Args  string     // as it stands in the query, with its brackets, or empty
	Below *Selection // nil for a leaf
}

// Typename is the field that every object has.
const Typename = "__typename"

// NewSelection is an empty selection.
func NewSelection(t *Type) *Selection {
	return &Selection{Type: t, Fields: map[string]*Selected{}}
}

// Add selects a field and gives it.
func (s *Selection) Add(f *Field) *Selected {
	if have := s.Fields[f.Name]; have != nil {
		return have
	}
	one := &Selected{Field: f}
	if f.Type.Kind == Object {
		one.Below = NewSelection(f.Type)
	}
	s.Fields[f.Name] = one
	return one
}

// AddTypename selects the field that every object has.
func (s *Selection) AddTypename() { s.Fields[Typename] = &Selected{} }

// Merge adds what another selection of the same type has.
func (s *Selection) Merge(other *Selection) {
	for name, theirs := range other.Fields {
		ours := s.Fields[name]
		if ours == nil {
			ours = &Selected{Field: theirs.Field, Alias: theirs.Alias, Args: theirs.Args}
			if theirs.Below != nil {
				ours.Below = NewSelection(theirs.Below.Type)
			}
			s.Fields[name] = ours
		}
		if theirs.Below != nil {
			ours.Below.Merge(theirs.Below)
		}
	}
}

// Size counts the fields, at every depth.
func (s *Selection) Size() int {
	n := 0
	for _, f := range s.Fields {
		n++
		if f.Below != nil {
			n += f.Below.Size()
		}
	}
	return n
}

// Paths are the leaves, as dotted paths in order.
func (s *Selection) Paths() []string { return s.paths("", nil) }

func (s *Selection) paths(before string, list []string) []string {
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if below := s.Fields[name].Below; below != nil {
			list = below.paths(before+name+".", list)
			continue
		}
		list = append(list, before+name)
	}
	return list
}

// Text is the selection as it stands in a query, with its braces, in the same order always.
func (s *Selection) Text() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s *Selection) write(b *strings.Builder) {
	b.WriteString("{")
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		f := s.Fields[name]
		b.WriteString(" ")
		if f.Alias != "" {
			b.WriteString(f.Alias + ": ")
		}
		if f.Field == nil {
			b.WriteString(Typename)
			continue
		}
		b.WriteString(f.Field.Name + f.Args)
		if f.Below != nil {
			b.WriteString(" ")
			f.Below.write(b)
		}
	}
	b.WriteString(" }")
}

// Prune gives what a document has of the selection, and leaves the document as it is.
func (s *Selection) Prune(document any) any {
	switch v := document.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = s.Prune(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(s.Fields))
		for name, f := range s.Fields {
			value, ok := v[name]
			switch {
			case !ok:
			case f.Below != nil:
				object[name] = f.Below.Prune(value)
			default:
				object[name] = value
			}
		}
		return object
	default:
		return document
	}
}
