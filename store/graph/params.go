package graph

import (
	"slices"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// A param is a value of the statement: known already, or that of a variable.
type param struct {
	value any // text, or a list of texts

	variable string
	path     string
	typ      *scalar
	list     bool
}

// bind gives the values of the statement's parameters for the variables of one run.
func (p *plan) bind(variables map[string]any) ([]any, error) {
	values := make([]any, len(p.params))
	c := &compiler{op: p.op, variables: variables}
	for i, one := range p.params {
		if one.variable == "" {
			values[i] = one.value
			continue
		}
		def := p.op.VariableDefinitions.ForName(one.variable)
		in, err := c.open(input{value: &ast.Value{Kind: ast.Variable, Raw: one.variable}}, def.Type, one.path)
		if err != nil {
			return nil, err
		}
		if values[i], err = c.read(in, one); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// param makes the SQL of a value of a type. A variable that was left out is null, and null is no value:
// nobody wants all rows when a condition has lost its variable.
func (c *compiler) param(in input, s *scalar, nonNull bool, path string) (string, error) {
	expected := typeOf(s)
	expected.NonNull = nonNull
	return c.given(in, param{path: path, typ: s}, expected)
}

// paramList is a list of values of a type, as an array of Postgres.
func (c *compiler) paramList(in input, s *scalar, path string) (string, error) {
	expected := ast.ListType(typeOf(s), nil)
	expected.Elem.NonNull = true
	return c.given(in, param{path: path, typ: s, list: true}, expected)
}

// given makes the SQL of a value that stands in the query, or comes with a variable.
func (c *compiler) given(in input, p param, expected *ast.Type) (string, error) {
	if in.value != nil && in.value.Kind == ast.Variable {
		def, err := c.variable(in.value.Raw, expected, p.path)
		if err != nil {
			return "", err
		}
		if always(def) {
			p.variable = def.Variable
			return c.place(p), nil
		}
	}
	in, err := c.open(in, expected, p.path)
	switch {
	case err != nil:
		return "", err
	case in.isNull():
		return "", invalid(p.path, "unexpected null value for type '%s'", p.typ.gql)
	}
	v, err := c.read(in, p)
	if err != nil {
		return "", err
	}
	return c.place(param{value: v, typ: p.typ, list: p.list}), nil
}

// read is the value of a parameter.
func (c *compiler) read(in input, p param) (any, error) {
	if p.list {
		return c.texts(in, p.typ, p.path)
	}
	return c.value(in, p.typ, p.path)
}

// value is a text, or for an array the texts of its elements.
func (c *compiler) value(in input, s *scalar, path string) (any, error) {
	if s.element != nil {
		return c.texts(in, s.element, path)
	}
	return c.text(in, s, path)
}

func (c *compiler) texts(in input, s *scalar, path string) ([]string, error) {
	if s.element != nil {
		return nil, failure(notSupported, path, "lists of arrays cannot be compared")
	}
	list := []input{in}
	if in.kind == listInput {
		list = in.list
	}
	expected := typeOf(s)
	expected.NonNull = true
	texts := make([]string, len(list))
	for i, one := range list {
		one, err := c.open(one, expected, path)
		if err != nil {
			return nil, err
		}
		if texts[i], err = c.text(one, s, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// place gives a parameter its number and writes it with its type. A variable that is used twice as
// the same type has one number.
func (c *compiler) place(p param) string {
	i := -1
	if p.variable != "" {
		i = slices.IndexFunc(c.params, func(o param) bool {
			return o.variable == p.variable && o.typ == p.typ && o.list == p.list
		})
	}
	if i < 0 {
		i = len(c.params)
		c.params = append(c.params, p)
	}
	number := "$" + strconv.Itoa(i+1)
	switch {
	case p.list:
		return "(" + number + "::text[])::" + p.typ.cast + "[]"
	case p.typ.element != nil:
		return "(" + number + "::text[])::" + p.typ.cast
	}
	return "(" + number + "::text)::" + p.typ.cast
}

// typeOf is the type of a column's values in the graph, without whether it may be null.
func typeOf(s *scalar) *ast.Type {
	if s.element != nil {
		element := typeOf(s.element)
		element.NonNull = true
		return ast.ListType(element, nil)
	}
	return ast.NamedType(s.gql, nil)
}
