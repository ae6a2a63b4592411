// Package schema knows what a GraphQL source offers, as far as claims can read it: the types that can
// be reached from a user, and selections of their fields.
package schema

import (
	"maps"
	"slices"
)

// Kind is what a type is to a reader.
type Kind int

// The kinds.
const (
	Leaf     Kind = iota // a scalar or an enum: nothing can be selected below it
	Object               // it has fields
	Abstract             // a union or an interface: what it has depends on the row
)

// Schema is what can be reached from a user. It is immutable.
type Schema struct {
	types map[string]*Type
	user  *Type
}

// Type is one type.
type Type struct {
	Name   string
	Kind   Kind
	Fields map[string]*Field // of an object
}

// Field is a field of an object.
type Field struct {
	Name       string
	Type       *Type
	List       bool
	Nullable   bool
	Deprecated bool            // it can be read, and nothing but its name means it
	Args       map[string]bool // by name: whether the argument must be given
}

// User is the type that the query's field "user" gives.
func (s *Schema) User() *Type { return s.user }

// Types counts the types.
func (s *Schema) Types() int { return len(s.types) }

// Names are the fields of a type, in order. Deprecated ones are not among them: wildcards do not mean
// them and nobody is pointed to them. The built-in source has further names of relationships so.
func (t *Type) Names() []string {
	names := slices.Collect(maps.Keys(t.Fields))
	names = slices.DeleteFunc(names, func(name string) bool { return t.Fields[name].Deprecated })
	slices.Sort(names)
	return names
}

// Required are the arguments that a field must be given, in order.
func (f *Field) Required() []string {
	var names []string
	for name, must := range f.Args {
		if must {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Leaf tells whether the field's value is whole by itself.
func (f *Field) Leaf() bool { return f.Type.Kind == Leaf }

// JSON tells whether the values of a type may hold more of their own: json columns, and scalars that
// are not known to be plain.
func (t *Type) JSON() bool {
	return t.Kind == Leaf && t.Fields == nil && !plain(t.Name) && t.Name != enum
}

// enum is the name that all enums have here: their values are words.
const enum = "(enum)"

// plain tells the scalars whose values are text, numbers or truth values.
func plain(name string) bool {
	switch name {
	case "String", "Int", "Float", "Boolean", "ID",
		"uuid", "citext", "text", "varchar", "bpchar", "name", "char",
		"bool", "boolean", "smallint", "int", "integer", "bigint", "numeric", "decimal", "real", "float4", "float8", "money",
		"timestamptz", "timestamp", "date", "time", "timetz", "interval",
		"bytea", "inet", "cidr", "macaddr", "oid", "xml", "tsvector":
		return true
	}
	return false
}

// Numeric tells the scalars whose values are numbers.
func (t *Type) Numeric() bool {
	switch t.Name {
	case "Int", "Float", "smallint", "int", "integer", "bigint", "numeric", "decimal", "real", "float4", "float8":
		return true
	}
	return false
}

// Truth tells the scalars whose values are true or false.
func (t *Type) Truth() bool { return t.Name == "Boolean" || t.Name == "bool" || t.Name == "boolean" }
