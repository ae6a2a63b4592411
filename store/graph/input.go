package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// An input is a value that somebody wrote into a query, or sent as a variable. As long as it is a
// variable, its value may be left to the moment when the statement runs.
type input struct {
	value *ast.Value // set until the input is opened

	kind  inputKind
	raw   string // of texts, numbers, booleans and enum values
	list  []input
	pairs []inputPair // in order
}

type inputPair struct {
	name string
	input
}

type inputKind int

const (
	absentInput inputKind = iota // a variable that may be left out, and was
	nullInput
	boolInput
	intInput
	floatInput
	textInput
	enumInput
	listInput
	objectInput
)

func (in input) isNull() bool { return in.kind == nullInput || in.kind == absentInput }

func (in input) mismatch(path, typeName, expected string) error {
	found := map[inputKind]string{
		absentInput: "null", nullInput: "null", boolInput: "a boolean", intInput: "an integer", floatInput: "a float",
		textInput: "a string", enumInput: "an enum value", listInput: "a list", objectInput: "an object",
	}
	return invalid(path, "expected %s for type '%s', but found %s", expected, typeName, found[in.kind])
}

// open looks into an input. From then on the statement is for this value of a variable alone.
func (c *compiler) open(in input, expected *ast.Type, path string) (input, error) {
	if in.value == nil {
		return in, nil
	}
	v := in.value
	if v.Kind == ast.Variable {
		def, err := c.variable(v.Raw, expected, path)
		if err != nil {
			return input{}, err
		}
		c.dynamic = true
		if sent, ok := c.variables[v.Raw]; ok {
			return c.sent(sent, 0, path)
		}
		if def.DefaultValue == nil {
			return input{kind: absentInput}, nil
		}
		v = def.DefaultValue
	}
	return fromValue(v, path)
}

func fromValue(v *ast.Value, path string) (input, error) {
	in := input{raw: v.Raw}
	switch v.Kind {
	case ast.IntValue:
		in.kind = intInput
	case ast.FloatValue:
		in.kind = floatInput
	case ast.StringValue, ast.BlockValue:
		in.kind = textInput
	case ast.BooleanValue:
		in.kind = boolInput
	case ast.NullValue:
		in.kind = nullInput
	case ast.EnumValue:
		in.kind = enumInput
	case ast.ListValue:
		in.kind = listInput
		for _, child := range v.Children {
			in.list = append(in.list, input{value: child.Value})
		}
	case ast.ObjectValue:
		in.kind = objectInput
		for _, child := range v.Children {
			if slices.ContainsFunc(in.pairs, func(p inputPair) bool { return p.name == child.Name }) {
				return in, invalid(path, "field '%s' is given twice", child.Name)
			}
			in.pairs = append(in.pairs, inputPair{child.Name, input{value: child.Value}})
		}
	default: // a variable within a default value
		return in, invalid(path, "unexpected variable in a default value")
	}
	return in, nil
}

// sent reads the value of a variable.
func (c *compiler) sent(v any, depth int, path string) (input, error) {
	if c.inputs++; depth > maxDepth || c.inputs > maxInput {
		return input{}, failure(tooLarge, path, "a variable is too large for a condition")
	}
	switch v := v.(type) {
	case nil:
		return input{kind: nullInput}, nil
	case bool:
		return input{kind: boolInput, raw: strconv.FormatBool(v)}, nil
	case string:
		return input{kind: textInput, raw: v}, nil
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return input{kind: floatInput, raw: v.String()}, nil
		}
		return input{kind: intInput, raw: v.String()}, nil
	case []any:
		in := input{kind: listInput}
		for _, one := range v {
			child, err := c.sent(one, depth+1, path)
			if err != nil {
				return in, err
			}
			in.list = append(in.list, child)
		}
		return in, nil
	case map[string]any:
		in := input{kind: objectInput}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			child, err := c.sent(v[name], depth+1, path)
			if err != nil {
				return in, err
			}
			in.pairs = append(in.pairs, inputPair{name, child})
		}
		return in, nil
	}
	return input{}, fmt.Errorf("graph: a variable of type %T", v)
}

// variable finds the declaration of a variable and holds its type against where it is used.
func (c *compiler) variable(name string, expected *ast.Type, path string) (*ast.VariableDefinition, error) {
	def := c.op.VariableDefinitions.ForName(name)
	if def == nil {
		return nil, invalid(path, "unbound variable \"%s\"", name)
	}
	declared := def.Type
	if hasValue(def.DefaultValue) && !declared.NonNull {
		declared = &ast.Type{NamedType: declared.NamedType, Elem: declared.Elem, NonNull: true}
	}
	if !fits(declared, expected) {
		return nil, invalid(path, "variable '%s' is declared as '%s', but used where '%s' is expected", name, def.Type, expected)
	}
	return def, nil
}

func hasValue(v *ast.Value) bool { return v != nil && v.Kind != ast.NullValue }

func fits(declared, expected *ast.Type) bool {
	if expected.NonNull && !declared.NonNull {
		return false
	}
	if expected.Elem != nil {
		return declared.Elem != nil && fits(declared.Elem, expected.Elem)
	}
	return declared.Elem == nil && declared.NamedType == expected.NamedType
}

// always tells whether a variable has a value that is not null whenever the query runs.
func always(def *ast.VariableDefinition) bool { return def.Type.NonNull || hasValue(def.DefaultValue) }

// normal makes variables what a JSON decoder would have made of them, with the digits of numbers.
func normal(variables map[string]any) (map[string]any, error) {
	for _, v := range variables {
		switch v.(type) {
		case nil, bool, string, json.Number:
			continue
		}
		text, err := json.Marshal(variables)
		if err != nil {
			return nil, fmt.Errorf("graph: the variables are no JSON: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var made map[string]any
		if err := d.Decode(&made); err != nil {
			return nil, fmt.Errorf("graph: the variables are no JSON: %w", err)
		}
		return made, nil
	}
	return variables, nil
}

// checkVariables holds what was sent against what the query declares.
func checkVariables(op *ast.OperationDefinition, variables map[string]any) error {
	for _, def := range op.VariableDefinitions {
		sent, ok := variables[def.Variable]
		switch {
		case !ok && def.Type.NonNull && !hasValue(def.DefaultValue):
			return invalid("$", "expecting a value for non-nullable variable: \"%s\"", def.Variable)
		case ok && sent == nil && def.Type.NonNull:
			return invalid("$", "null value found for non-nullable type: '%s'", def.Type)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if op.VariableDefinitions.ForName(name) == nil {
			return invalid("$", "unexpected variables in variableValues: %s", name)
		}
	}
	return nil
}

// text is an input as Postgres reads a value of the type.
func (c *compiler) text(in input, s *scalar, path string) (string, error) {
	expected := func(what string) (string, error) { return "", in.mismatch(path, s.gql, what) }
	if s.isJSON() {
		v, err := c.plain(in, path)
		if err != nil {
			return "", err
		}
		text, err := json.Marshal(v)
		return string(text), err
	}
	switch s.gql {
	case "Int":
		if in.kind != intInput {
			return expected("a 32-bit integer")
		} else if _, err := strconv.ParseInt(in.raw, 10, 32); err != nil {
			return "", failure(parseFailed, path, "The value %s lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?", in.raw)
		}
	case "Boolean":
		if in.kind != boolInput {
			return expected("a boolean")
		}
	case "Float":
		if in.kind != intInput && in.kind != floatInput {
			return expected("a float")
		}
	case "String":
		if in.kind != textInput {
			return expected("a string")
		}
	}
	switch in.kind {
	case boolInput, intInput, floatInput, textInput, enumInput:
		return in.raw, nil
	default:
		return expected("a value")
	}
}

// plain is an input as JSON.
func (c *compiler) plain(in input, path string) (any, error) {
	in, err := c.open(in, ast.NamedType("jsonb", nil), path)
	if err != nil {
		return nil, err
	}
	switch in.kind {
	case boolInput:
		return in.raw == "true", nil
	case intInput, floatInput:
		return json.Number(in.raw), nil
	case textInput, enumInput:
		return in.raw, nil
	case listInput:
		list := make([]any, len(in.list))
		for i := range in.list {
			if list[i], err = c.plain(in.list[i], path); err != nil {
				return nil, err
			}
		}
		return list, nil
	case objectInput:
		object := make(map[string]any, len(in.pairs))
		for _, p := range in.pairs {
			if object[p.name], err = c.plain(p.input, path); err != nil {
				return nil, err
			}
		}
		return object, nil
	default:
		return nil, nil
	}
}
