package fakehasura

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// checker holds a query against the schema before any row is read.
type checker struct {
	schema    *ast.Schema
	document  *ast.QueryDocument
	declared  map[string]bool // variables
	fragments []string        // that are being read, to notice circles
}

func (c *checker) operation(o *ast.OperationDefinition, variables map[string]any) *problem {
	if o.Operation != ast.Query {
		return fail("validation-failed", "$", "no %ss exist", o.Operation)
	}
	for _, v := range o.VariableDefinitions {
		c.declared[v.Variable] = true
		if c.schema.Types[v.Type.Name()] == nil {
			return fail("validation-failed", "$", "variable %q has the unknown type %q", v.Variable, v.Type.Name())
		}
		value, given := variables[v.Variable]
		if v.Type.NonNull && v.DefaultValue == nil && (!given || value == nil) {
			return fail("validation-failed", "$", "expecting a value for non-nullable variable: %q", v.Variable)
		}
	}
	for name := range variables {
		if !c.declared[name] {
			return fail("validation-failed", "$", "unexpected variables in variableValues: %s", name)
		}
	}
	return c.selection(o.SelectionSet, c.schema.Query, "$")
}

func (c *checker) selection(set ast.SelectionSet, of *ast.Definition, path string) *problem {
	path += ".selectionSet"
	for _, s := range set {
		var p *problem
		switch s := s.(type) {
		case *ast.Field:
			p = c.field(s, of, path+"."+s.Name)
		case *ast.InlineFragment:
			p = c.fragment("", s.TypeCondition, s.SelectionSet, of, path)
		case *ast.FragmentSpread:
			fragment := c.document.Fragments.ForName(s.Name)
			if fragment == nil {
				return fail("validation-failed", path, "reference to undefined fragment %q", s.Name)
			}
			p = c.fragment(s.Name, fragment.TypeCondition, fragment.SelectionSet, of, path)
		}
		if p != nil {
			return p
		}
	}
	return nil
}

func (c *checker) fragment(name, condition string, set ast.SelectionSet, of *ast.Definition, path string) *problem {
	if condition != "" && condition != of.Name {
		return nil // it can never apply
	}
	for _, open := range c.fragments {
		if name != "" && open == name {
			return fail("validation-failed", path, "the fragment definition(s) %s form a cycle", name)
		}
	}
	c.fragments = append(c.fragments, name)
	defer func() { c.fragments = c.fragments[:len(c.fragments)-1] }()
	return c.selection(set, of, path)
}

func (c *checker) field(f *ast.Field, of *ast.Definition, path string) *problem {
	if f.Name == "__typename" {
		return nil
	}
	definition := of.Fields.ForName(f.Name)
	if of == c.schema.Query && (f.Name == "__schema" || f.Name == "__type") {
		return nil // read leniently
	}
	if definition == nil {
		return fail("validation-failed", path, "field '%s' not found in type: '%s'", f.Name, of.Name)
	}
	for _, a := range f.Arguments {
		argument := definition.Arguments.ForName(a.Name)
		if argument == nil {
			return fail("validation-failed", path, "'%s' has no argument named '%s'", f.Name, a.Name)
		}
		if p := c.value(a.Value, argument.Type, path+".args."+a.Name); p != nil {
			return p
		}
	}
	for _, a := range definition.Arguments {
		if a.Type.NonNull && f.Arguments.ForName(a.Name) == nil {
			return fail("validation-failed", path+".args", "missing required field '%s'", a.Name)
		}
	}
	result := c.schema.Types[definition.Type.Name()]
	switch {
	case result.IsCompositeType() && len(f.SelectionSet) == 0:
		return fail("validation-failed", path+".selectionSet", "missing selection set for '%s'", result.Name)
	case !result.IsCompositeType() && len(f.SelectionSet) > 0:
		return fail("validation-failed", path, "unexpected subselection set for non-object field")
	}
	return c.selection(f.SelectionSet, result, path)
}

// value checks the shape of an argument: the names of members, and that variables are declared.
func (c *checker) value(v *ast.Value, of *ast.Type, path string) *problem {
	definition := c.schema.Types[of.Name()]
	switch v.Kind {
	case ast.Variable:
		if !c.declared[v.Raw] {
			return fail("validation-failed", path, "unbound variable %q", v.Raw)
		}
	case ast.ListValue:
		for _, child := range v.Children {
			if p := c.value(child.Value, of, path); p != nil {
				return p
			}
		}
	case ast.ObjectValue:
		for _, child := range v.Children {
			if definition.Kind != ast.InputObject {
				continue // of a scalar such as jsonb
			}
			member := definition.Fields.ForName(child.Name)
			if member == nil {
				return fail("validation-failed", path+"."+child.Name, "field '%s' not found in type: '%s'", child.Name, definition.Name)
			}
			if p := c.value(child.Value, member.Type, path+"."+child.Name); p != nil {
				return p
			}
		}
	case ast.EnumValue:
		if definition.Kind == ast.Enum && definition.EnumValues.ForName(v.Raw) == nil {
			return fail("validation-failed", path, "unexpected value '%s' for enum: '%s'", v.Raw, definition.Name)
		}
	case ast.NullValue:
		if of.NonNull {
			return fail("validation-failed", path, "unexpected null value for type '%s'", of.Name())
		}
	default: // Postgres judges the others
	}
	return nil
}
