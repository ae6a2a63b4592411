package jsonata

import (
	"maps"
	"slices"
	"strings"

	"github.com/blues/jsonata-go/jparse"
)

// Field is a place in the user's tree, and how an expression reads it. A list and its elements are one
// place, as they are for a path of JSONata.
type Field struct {
	Children map[string]*Field
	Any      *Field // * : every child
	// Used: the value itself is read: a scalar, or all scalar fields of an object.
	Used bool
	// Counted: only whether there is one, or how many. Of a scalar that is its value, too.
	Counted bool
}

// child gives the place of a name, and makes it when it is new.
func (f *Field) child(name string) *Field {
	if f.Children == nil {
		f.Children = map[string]*Field{}
	}
	if f.Children[name] == nil {
		f.Children[name] = &Field{}
	}
	return f.Children[name]
}

func (f *Field) any() *Field {
	if f.Any == nil {
		f.Any = &Field{}
	}
	return f.Any
}

func (f *Field) clone() *Field {
	if f == nil {
		return nil
	}
	c := &Field{Any: f.Any.clone(), Used: f.Used, Counted: f.Counted}
	for name, child := range f.Children {
		*c.child(name) = *child.clone()
	}
	return c
}

// prune drops the places that were passed and never read.
func (f *Field) prune() (read bool) {
	read = f.Used || f.Counted
	for name, child := range f.Children {
		if child.prune() {
			read = true
		} else {
			delete(f.Children, name)
		}
	}
	if f.Any == nil || !f.Any.prune() {
		f.Any = nil
		return read
	}
	// How many fields an object has is known when all are there.
	f.Any.Used = f.Any.Used || f.Any.Counted
	return true
}

// String writes the selection: departments{id role}. An object that is read itself has a plus sign,
// what is only counted a number sign, and * stands for every child.
func (f *Field) String() string {
	if f.Used {
		return strings.TrimSpace("+ " + f.selection())
	}
	return f.selection()
}

func (f *Field) selection() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f.Children)) {
		parts = append(parts, name+f.Children[name].tail())
	}
	if f.Any != nil {
		parts = append(parts, "*"+f.Any.tail())
	}
	return strings.Join(parts, " ")
}

func (f *Field) tail() string {
	within, mark := f.selection(), ""
	if within != "" {
		within = "{" + within + "}"
	}
	switch {
	case f.Used && within != "":
		mark = "+"
	case f.Counted && !f.Used && within == "":
		mark = "#"
	}
	return mark + within
}

// fieldsOf finds what a tree may read below the user.
func fieldsOf(tree jparse.Node) (*Field, error) {
	root := &Field{}
	in := &interpreter{root: value{places: []*Field{root}}, rows: builtins(), active: map[*jparse.LambdaNode]int{}}
	result, err := in.eval(tree, in.root, &scope{})
	if err != nil {
		return nil, err
	}
	if err := in.answer(result, map[*shape]bool{}); err != nil {
		return nil, err
	}
	root.prune()
	return root, nil
}
