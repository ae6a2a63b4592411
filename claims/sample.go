package claims

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"postern/claims/jsonata"
	"postern/claims/schema"
)

// variant is one way that the data of a user may look.
type variant struct {
	rows  int
	nulls bool   // what may be null is
	word  string // what all texts are, or empty for a different text at each place
}

// variants are the ways to try an expression with: several rows, one, none, nulls, and texts that the
// expression compares with.
func variants(text string) []variant {
	list := []variant{{rows: 2}, {rows: 1}, {rows: 0}, {rows: 1, nulls: true}}
	const most = 4
	for _, literal := range regexp.MustCompile(`"[^"\\]*"|'[^'\\]*'`).FindAllString(text, most) {
		list = append(list, variant{rows: 2, word: literal[1 : len(literal)-1]})
	}
	return list
}

// The size of a synthetic document.
const (
	mostValues  = 4000
	extraLevels = 2 // how deep objects go that nobody selected
)

// sampler invents a user.
type sampler struct {
	variant
	left int // values that may still be added
}

// document invents a user that has what was selected and more besides: every field of the objects
// that the expression goes through. Where it sees an object as a whole there is no more, for a whole
// object means its plain fields.
func (v variant) document(selected *schema.Selection, reads *jsonata.Field) map[string]any {
	s := &sampler{variant: v, left: mostValues}
	var tries []*jsonata.Field
	if reads != nil {
		tries = []*jsonata.Field{reads}
	}
	return s.object(selected, tries, "")
}

// object invents what was selected of an object, and its other fields where they may be there.
func (s *sampler) object(selected *schema.Selection, reads []*jsonata.Field, path string) map[string]any {
	object := make(map[string]any, len(selected.Fields))
	for _, name := range slices.Sorted(maps.Keys(selected.Fields)) {
		f := selected.Fields[name]
		below := path + "." + name
		switch {
		case f.Field == nil:
			object[name] = selected.Type.Name
		case f.Below == nil:
			object[name] = s.leaf(f.Field, belowAll(reads, name), below)
		default:
			object[name] = s.related(f.Field, below, func(path string) any {
				return s.object(f.Below, belowAll(reads, name), path)
			})
		}
	}
	if len(reads) > 0 && !slices.ContainsFunc(reads, func(f *jsonata.Field) bool { return f.Used || f.Any != nil }) {
		s.extra(object, selected.Type, path, extraLevels)
	}
	return object
}

// belowAll is what is read of a field, by name or by a wildcard.
func belowAll(reads []*jsonata.Field, name string) []*jsonata.Field {
	var list []*jsonata.Field
	for _, f := range reads {
		if child := f.Children[name]; child != nil {
			list = append(list, child)
		}
		if f.Any != nil {
			list = append(list, f.Any)
		}
	}
	return list
}

// extra adds the fields that are not there yet.
func (s *sampler) extra(object map[string]any, t *schema.Type, path string, levels int) {
	for _, name := range t.Names() {
		f := t.Fields[name]
		if _, have := object[name]; have || len(f.Required()) > 0 || f.Type.Kind == schema.Abstract || s.left <= 0 {
			continue
		}
		below := path + "." + name
		switch {
		case f.Leaf():
			object[name] = s.leaf(f, nil, below)
		case levels > 0:
			object[name] = s.related(f, below, func(path string) any {
				inner := map[string]any{}
				s.extra(inner, f.Type, path, levels-1)
				return inner
			})
		}
	}
}

// related invents what a relationship leads to.
func (s *sampler) related(f *schema.Field, path string, one func(path string) any) any {
	switch {
	case f.List:
		rows := s.rows
		if s.left <= 0 {
			rows = min(rows, 1)
		}
		list := make([]any, rows)
		for i := range list {
			list[i] = one(path + "[" + strconv.Itoa(i) + "]")
		}
		return list
	case s.nulls && f.Nullable:
		return nil
	default:
		return one(path)
	}
}

// leaf invents the value of a plain field.
func (s *sampler) leaf(f *schema.Field, reads []*jsonata.Field, path string) any {
	if f.List {
		list := make([]any, s.rows)
		for i := range list {
			list[i] = s.value(f.Type, reads, path+"["+strconv.Itoa(i)+"]")
		}
		return list
	}
	if s.nulls && f.Nullable {
		return nil
	}
	return s.value(f.Type, reads, path)
}

// value invents a value of a type, another one at each place. What is in a json column follows from
// what is read there.
func (s *sampler) value(t *schema.Type, reads []*jsonata.Field, path string) any {
	s.left--
	h := fnv.New32a()
	_, _ = h.Write([]byte(path)) // it never fails
	n := h.Sum32()
	switch {
	case t.Numeric():
		return json.Number(strconv.FormatUint(uint64(n%100000), 10))
	case t.Truth():
		return n%2 == 0
	case t.JSON():
		if object := s.inner(t, reads, path); object != nil {
			return object
		}
	case s.word != "":
	case t.Name == "uuid":
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n)
	case t.Name == "timestamptz", t.Name == "timestamp":
		return fmt.Sprintf("2024-01-%02dT10:00:00+00:00", 1+n%28)
	case t.Name == "date":
		return fmt.Sprintf("2024-01-%02d", 1+n%28)
	}
	if s.word != "" {
		return s.word
	}
	return "value of " + strings.TrimPrefix(path, ".")
}

// inner invents the object in a json column, or gives nil when nothing in it is read by name.
func (s *sampler) inner(t *schema.Type, reads []*jsonata.Field, path string) map[string]any {
	object := map[string]any{}
	for _, f := range reads {
		for _, name := range sorted(f.Children) {
			if s.left > 0 {
				object[name] = s.value(t, belowAll(reads, name), path+"."+name)
			}
		}
	}
	if len(object) == 0 {
		return nil
	}
	return object
}

func sorted(children map[string]*jsonata.Field) []string {
	return slices.Sorted(maps.Keys(children))
}
