package jsonata

import (
	"maps"
	"slices"
)

// value is all that a part of an expression may denote: places of the user's tree, objects that the
// expression makes itself, and functions. Scalars that it computes are no part of it: they hold nothing
// of the tree that is not marked as read already.
type value struct {
	places    []*Field
	shapes    []*shape
	functions []function
}

// shape is an object made by the expression. What it holds under keys that are not known beforehand is
// in rest.
type shape struct {
	fields map[string]value
	rest   value
}

// join is what one or the other may denote.
func join(values ...value) value {
	var all value
	for _, v := range values {
		for _, p := range v.places {
			if !slices.Contains(all.places, p) {
				all.places = append(all.places, p)
			}
		}
		for _, s := range v.shapes {
			if !slices.Contains(all.shapes, s) {
				all.shapes = append(all.shapes, s)
			}
		}
		for _, f := range v.functions {
			if !slices.ContainsFunc(all.functions, f.same) {
				all.functions = append(all.functions, f)
			}
		}
	}
	return all
}

// name is a step to a field.
func (v value) name(name string) value {
	var next value
	for _, p := range v.places {
		next.places = append(next.places, p.child(name))
	}
	for _, s := range v.shapes {
		next = join(next, s.fields[name], s.rest)
	}
	return next
}

// children are all that a * may find.
func (v value) children() value {
	var next value
	for _, p := range v.places {
		next.places = append(next.places, p.any())
	}
	for _, s := range v.shapes {
		for _, name := range slices.Sorted(maps.Keys(s.fields)) {
			next = join(next, s.fields[name])
		}
		next = join(next, s.rest)
	}
	return next
}

// data is the value without its functions.
func (v value) data() value { return value{places: v.places, shapes: v.shapes} }

// mark tells each place of the value that it is read.
func (v value) mark(how func(*Field)) { v.markNew(how, map[*shape]bool{}) }

func (v value) markNew(how func(*Field), seen map[*shape]bool) {
	for _, p := range v.places {
		how(p)
	}
	for _, s := range v.shapes {
		if seen[s] {
			continue
		}
		seen[s] = true
		for _, within := range s.fields {
			within.markNew(how, seen)
		}
		s.rest.markNew(how, seen)
	}
}

func (v value) use()   { v.mark(func(f *Field) { f.Used = true }) }
func (v value) count() { v.mark(func(f *Field) { f.Counted = true }) }

// covers says whether v holds all that w may denote, looking a few objects deep.
func (v value) covers(w value, deep int) bool {
	for _, p := range w.places {
		if !slices.Contains(v.places, p) {
			return false
		}
	}
	for _, f := range w.functions {
		if !slices.ContainsFunc(v.functions, f.same) {
			return false
		}
	}
	for _, s := range w.shapes {
		if !slices.ContainsFunc(v.shapes, func(mine *shape) bool { return mine.covers(s, deep) }) {
			return false
		}
	}
	return true
}

func (s *shape) covers(other *shape, deep int) bool {
	if s == other {
		return true
	}
	if deep == 0 || !s.rest.covers(other.rest, deep-1) {
		return false
	}
	for name, v := range other.fields {
		if !s.fields[name].covers(v, deep-1) {
			return false
		}
	}
	return true
}
