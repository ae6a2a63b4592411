package graph

import (
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// maxSchema bounds what one query may ask about the schema: tools go a dozen types deep, and a query
// that goes round in circles grows without end.
const maxSchema = 2_000_000

// A node is an object of the schema: it has a type and fields, which may take arguments.
type node struct {
	typeName string
	fields   map[string]func(includeDeprecated bool) any // a node, a list of nodes, a text, a truth or nil
}

// fixed is a field without arguments.
func fixed(v any) func(bool) any { return func(bool) any { return v } }

// introspect answers __schema, __type and __typename of a query.
func (c *compiler) introspect(f *selected, path string) (any, error) {
	fieldPath := at(path, f.name)
	switch f.name {
	case "__typename":
		return "query_root", noArguments(f, fieldPath)
	case "__schema":
		if err := onlyArguments(f, fieldPath, func(string) bool { return false }); err != nil {
			return nil, err
		}
		return c.inspect(c.schema().node(), f.sets, fieldPath, 0)
	case "__type":
		arg := f.args.ForName("name")
		if arg == nil {
			return nil, invalid(fieldPath+".args.name", "missing required field 'name'")
		}
		in, err := c.open(input{value: arg.Value}, must(named("String")), fieldPath+".args.name")
		if err != nil {
			return nil, err
		}
		if in.kind != textInput {
			return nil, in.mismatch(fieldPath+".args.name", "String", "a string")
		}
		s := c.schema()
		if s.types[in.raw] == nil {
			return nil, nil
		}
		return c.inspect(s.typeNode(named(in.raw)), f.sets, fieldPath, 0)
	}
	return nil, invalid(fieldPath, "field '%s' not found in type: 'query_root'", f.name)
}

// inspect carries out the selection on a node.
func (c *compiler) inspect(n *node, sets []ast.SelectionSet, path string, depth int) (any, error) {
	path += ".selectionSet"
	if len(sets) == 0 {
		return nil, invalid(path, "missing selection set for '%s'", n.typeName)
	}
	if depth > maxDepth {
		return nil, failure(tooLarge, path, "the query goes deeper than %d objects", maxDepth)
	}
	fields := c.fields
	list, err := c.collect(n.typeName, path, sets)
	c.fields, c.gathered = fields, 0 // each type is asked the same
	if err != nil {
		return nil, err
	}
	if c.inspected += len(list); c.inspected > maxSchema {
		return nil, failure(tooLarge, path, "the query asks too much about the schema")
	}
	answer := ordered{values: map[string]any{}}
	for _, f := range list {
		path := at(path, f.name)
		if f.name == "__typename" {
			answer.set(f.alias, n.typeName)
			continue
		}
		get := n.fields[f.name]
		if get == nil {
			return nil, invalid(path, "field '%s' not found in type: '%s'", f.name, n.typeName)
		}
		all, err := c.includeDeprecated(f, path)
		if err != nil {
			return nil, err
		}
		v, err := c.inspectValue(get(all), f, path, depth)
		if err != nil {
			return nil, err
		}
		answer.set(f.alias, v)
	}
	return answer, nil
}

func (c *compiler) inspectValue(v any, f *selected, path string, depth int) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *node:
		if v == nil {
			return nil, nil
		}
		return c.inspect(v, f.sets, path, depth+1)
	case []*node:
		if v == nil {
			return nil, nil
		}
		answers := make([]any, len(v))
		for i, n := range v {
			var err error
			if answers[i], err = c.inspect(n, f.sets, path, depth+1); err != nil {
				return nil, err
			}
		}
		return answers, nil
	}
	if len(f.sets) > 0 {
		return nil, invalid(path, "unexpected subselection set for non-object field")
	}
	return v, nil
}

func (c *compiler) includeDeprecated(f *selected, path string) (bool, error) {
	if err := onlyArguments(f, path, func(name string) bool { return name == "includeDeprecated" }); err != nil {
		return false, err
	}
	arg := f.args.ForName("includeDeprecated")
	if arg == nil {
		return false, nil
	}
	in, err := c.open(input{value: arg.Value}, named("Boolean"), path+".args.includeDeprecated")
	return in.raw == "true", err
}

func (s *schema) node() *node {
	types := make([]*node, 0, len(s.types))
	for _, name := range slices.Sorted(maps.Keys(s.types)) {
		types = append(types, s.typeNode(named(name)))
	}
	condition := []*node{s.inputNode("if", must(named("Boolean")))}
	directive := func(name, what string) *node {
		return &node{"__Directive", map[string]func(bool) any{
			"name": fixed(name), "description": fixed(what), "isRepeatable": fixed(false), "args": fixed(condition),
			"locations": fixed([]string{"FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"}),
		}}
	}
	return &node{"__Schema", map[string]func(bool) any{
		"description": fixed(nil), "types": fixed(types), "queryType": fixed(s.typeNode(named("query_root"))),
		"mutationType": fixed(nil), "subscriptionType": fixed(nil),
		"directives": fixed([]*node{
			directive("include", "whether this query should be included"), directive("skip", "whether this query should be skipped"),
		}),
	}}
}

// typeNode describes a type. What lies within it is looked at only when it is asked for, as types
// refer to each other in circles.
func (s *schema) typeNode(t *ast.Type) *node {
	blank := func(kind string, name any) map[string]func(bool) any {
		fields := map[string]func(bool) any{"kind": fixed(kind), "name": fixed(name)}
		for _, f := range []string{"description", "fields", "interfaces", "possibleTypes", "enumValues", "inputFields", "ofType", "specifiedByURL"} {
			fields[f] = fixed(nil)
		}
		return fields
	}
	if t.NonNull {
		inner := &ast.Type{NamedType: t.NamedType, Elem: t.Elem}
		fields := blank("NON_NULL", nil)
		fields["ofType"] = func(bool) any { return s.typeNode(inner) }
		return &node{"__Type", fields}
	}
	if t.Elem != nil {
		fields := blank("LIST", nil)
		fields["ofType"] = func(bool) any { return s.typeNode(t.Elem) }
		return &node{"__Type", fields}
	}
	d := s.types[t.NamedType]
	if d == nil {
		return nil
	}
	fields := blank(string(d.Kind), d.Name)
	if d.Description != "" {
		fields["description"] = fixed(d.Description)
	}
	switch d.Kind {
	case ast.Object:
		fields["fields"] = func(all bool) any { return s.fieldNodes(d, all) }
		fields["interfaces"] = fixed([]*node{})
	case ast.InputObject:
		fields["inputFields"] = func(bool) any {
			nodes := make([]*node, len(d.Fields))
			for i, f := range d.Fields {
				nodes[i] = s.inputNode(f.Name, f.Type)
			}
			return nodes
		}
	case ast.Enum:
		fields["enumValues"] = func(bool) any {
			nodes := make([]*node, len(d.EnumValues))
			for i, v := range d.EnumValues {
				nodes[i] = &node{"__EnumValue", map[string]func(bool) any{
					"name": fixed(v.Name), "description": fixed(orNil(v.Description)), "isDeprecated": fixed(false), "deprecationReason": fixed(nil),
				}}
			}
			return nodes
		}
	default: // a scalar has nothing more
	}
	return &node{"__Type", fields}
}

func (s *schema) fieldNodes(d *ast.Definition, all bool) []*node {
	nodes := make([]*node, 0, len(d.Fields))
	for _, f := range d.Fields {
		var reason any
		if deprecated := f.Directives.ForName("deprecated"); deprecated != nil {
			if !all {
				continue
			}
			reason = deprecated.Arguments.ForName("reason").Value.Raw
		}
		args := make([]*node, len(f.Arguments))
		for i, a := range f.Arguments {
			args[i] = s.inputNode(a.Name, a.Type)
		}
		nodes = append(nodes, &node{"__Field", map[string]func(bool) any{
			"name": fixed(f.Name), "description": fixed(orNil(f.Description)), "args": fixed(args),
			"type":         func(bool) any { return s.typeNode(f.Type) },
			"isDeprecated": fixed(reason != nil), "deprecationReason": fixed(reason),
		}})
	}
	return nodes
}

func (s *schema) inputNode(name string, t *ast.Type) *node {
	return &node{"__InputValue", map[string]func(bool) any{
		"name": fixed(name), "description": fixed(nil), "defaultValue": fixed(nil), "isDeprecated": fixed(false), "deprecationReason": fixed(nil),
		"type": func(bool) any { return s.typeNode(t) },
	}}
}

func orNil(s string) any {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return s
}
