package fakehasura

import (
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// A node is an object of the introspection: it gives the value of a field, which is a scalar, nil,
// another node or a list.
type node func(f *ast.Field) any

func (x *execution) introspect(f *ast.Field) any {
	if f.Name == "__schema" {
		return x.project(x.schemaNode(), "__Schema", f.SelectionSet)
	}
	name := ""
	if a := f.Arguments.ForName("name"); a != nil {
		name, _ = x.value(a.Value).(string)
	}
	definition := x.model.schema.Types[name]
	if definition == nil {
		return nil
	}
	return x.project(x.typeNode(definition), "__Type", f.SelectionSet)
}

// project picks from a value what a selection asks for.
func (x *execution) project(v any, of string, set ast.SelectionSet) any {
	switch v := v.(type) {
	case node:
		out := pairs{}
		for _, f := range x.fields(set, of) {
			if f.Name == "__typename" {
				out = append(out, pair{f.Alias, of})
				continue
			}
			definition := x.model.schema.Types[of].Fields.ForName(f.Name)
			if definition == nil {
				out = append(out, pair{f.Alias, nil})
				continue
			}
			out = append(out, pair{f.Alias, x.project(v(f), definition.Type.Name(), f.SelectionSet)})
		}
		return out
	case []node:
		out := []any{}
		for _, one := range v {
			out = append(out, x.project(one, of, set))
		}
		return out
	}
	return v
}

func (x *execution) schemaNode() node {
	return func(f *ast.Field) any {
		switch f.Name {
		case "queryType":
			return x.typeNode(x.model.schema.Query)
		case "types":
			var types []node
			for _, name := range slices.Sorted(maps.Keys(x.model.schema.Types)) {
				types = append(types, x.typeNode(x.model.schema.Types[name]))
			}
			return types
		case "directives":
			var directives []node
			for _, name := range []string{"include", "skip"} {
				directives = append(directives, x.directiveNode(x.model.schema.Directives[name]))
			}
			return directives
		}
		return nil
	}
}

func (x *execution) typeNode(d *ast.Definition) node {
	return func(f *ast.Field) any {
		switch f.Name {
		case "kind":
			return string(d.Kind)
		case "name":
			return d.Name
		case "fields":
			if d.Kind != ast.Object {
				return nil
			}
			fields := []node{}
			for _, one := range d.Fields {
				if one.Name != "__schema" && one.Name != "__type" && one.Name != "__typename" {
					fields = append(fields, x.fieldNode(one))
				}
			}
			return fields
		case "interfaces":
			if d.Kind == ast.Object {
				return []node{}
			}
		case "inputFields":
			if d.Kind != ast.InputObject {
				return nil
			}
			fields := []node{}
			for _, one := range d.Fields {
				fields = append(fields, x.fieldNode(one))
			}
			return fields
		case "enumValues":
			if d.Kind != ast.Enum {
				return nil
			}
			values := []node{}
			for _, one := range d.EnumValues {
				values = append(values, named(one.Name))
			}
			return values
		}
		return nil
	}
}

// named is an enum's value.
func named(name string) node {
	return func(f *ast.Field) any {
		switch f.Name {
		case "name":
			return name
		case "isDeprecated":
			return false
		}
		return nil
	}
}

func (x *execution) fieldNode(d *ast.FieldDefinition) node {
	return func(f *ast.Field) any {
		switch f.Name {
		case "name":
			return d.Name
		case "type":
			return x.typeRef(d.Type)
		case "args":
			return x.argumentNodes(d.Arguments)
		case "isDeprecated":
			return false
		}
		return nil
	}
}

func (x *execution) argumentNodes(list ast.ArgumentDefinitionList) []node {
	out := []node{}
	for _, a := range list {
		out = append(out, func(f *ast.Field) any {
			switch f.Name {
			case "name":
				return a.Name
			case "type":
				return x.typeRef(a.Type)
			}
			return nil
		})
	}
	return out
}

func (x *execution) directiveNode(d *ast.DirectiveDefinition) node {
	return func(f *ast.Field) any {
		switch f.Name {
		case "name":
			return d.Name
		case "args":
			return x.argumentNodes(d.Arguments)
		case "locations":
			return d.Locations
		case "isRepeatable":
			return false
		}
		return nil
	}
}

// typeRef wraps a type in what says that it is never null, or a list.
func (x *execution) typeRef(t *ast.Type) node {
	wrap := func(kind string, inner node) node {
		return func(f *ast.Field) any {
			switch f.Name {
			case "kind":
				return kind
			case "ofType":
				return inner
			}
			return nil
		}
	}
	switch {
	case t.NonNull:
		plain := *t
		plain.NonNull = false
		return wrap("NON_NULL", x.typeRef(&plain))
	case t.Elem != nil:
		return wrap("LIST", x.typeRef(t.Elem))
	}
	return x.typeNode(x.model.schema.Types[t.NamedType])
}
