package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// where is the SQL of a condition on a row.
func (c *compiler) where(t *table, row string, in input, path string, depth int) (string, error) {
	in, err := c.open(in, ast.NamedType(t.gql+"_bool_exp", nil), path)
	switch {
	case err != nil, in.isNull() && depth == 0: // no condition
		return "", err
	case in.isNull():
		return "", invalid(path, "unexpected null value for type '%s_bool_exp'", t.gql)
	case in.kind != objectInput:
		return "", in.mismatch(path, t.gql+"_bool_exp", "an object")
	case depth > maxDepth:
		return "", failure(tooLarge, path, "the condition goes deeper than %d objects", maxDepth)
	}
	var tests []string
	for _, p := range in.pairs {
		test, err := c.condition(t, row, p, at(path, p.name), depth+1)
		if err != nil {
			return "", err
		}
		tests = append(tests, test)
	}
	return all(tests), nil
}

func all(tests []string) string {
	switch len(tests) {
	case 0:
		return "true"
	case 1:
		return tests[0]
	}
	return "(" + strings.Join(tests, " and ") + ")"
}

// condition is one member of a condition: a column, a relation or a combination.
func (c *compiler) condition(t *table, row string, p inputPair, path string, depth int) (string, error) {
	switch p.name {
	case "_and", "_or":
		var tests []string
		in, err := c.open(p.input, listOf(t.gql+"_bool_exp"), path)
		if err == nil && in.isNull() {
			err = invalid(path, "unexpected null value for type '%s_bool_exp'", t.gql)
		}
		if err != nil {
			return "", err
		}
		err = c.each(in, listOf(t.gql+"_bool_exp"), path, func(in input, path string) error {
			test, err := c.where(t, row, in, path, depth)
			tests = append(tests, test)
			return err
		})
		switch {
		case err != nil:
			return "", err
		case p.name == "_and":
			return all(tests), nil
		case len(tests) == 0:
			return "false", nil
		}
		return "(" + strings.Join(tests, " or ") + ")", nil
	case "_not":
		test, err := c.where(t, row, p.input, path, depth)
		if err != nil {
			return "", err
		}
		return "(not " + test + ")", nil
	}
	f := t.fields[p.name]
	switch {
	case f == nil, f.kind == aggregateField, f.kind == columnField && f.column.hidden != "":
		return "", invalid(path, "field '%s' not found in type: '%s_bool_exp'", p.name, t.gql)
	case f.kind == columnField:
		return c.comparisons(f.column, row, p.input, path)
	}
	to := c.row()
	test, err := c.where(f.rel.to, to, p.input, path, depth)
	if err != nil {
		return "", err
	}
	return "exists (select from " + f.rel.to.quoted() + " " + to + " where " + all([]string{f.rel.on(row, to), test}) + ")", nil
}

// comparisons is the SQL of a column's conditions, which must all hold.
func (c *compiler) comparisons(col *column, row string, in input, path string) (string, error) {
	name := comparisonName(col.typ)
	in, err := c.open(in, ast.NamedType(name, nil), path)
	switch {
	case err != nil:
		return "", err
	case in.isNull():
		return "", invalid(path, "unexpected null value for type '%s'", name)
	case in.kind != objectInput:
		return "", in.mismatch(path, name, "an object")
	}
	known := comparisonsOf(col.typ)
	var tests []string
	for _, p := range in.pairs {
		path := at(path, p.name)
		comparison, ok := known[p.name]
		if !ok {
			return "", invalid(path, "field '%s' not found in type: '%s'", p.name, name)
		}
		test, err := comparison.sql(c, col, row, p.input, path)
		if err != nil {
			return "", err
		}
		tests = append(tests, "("+test+")")
	}
	return all(tests), nil
}

func comparisonName(s *scalar) string {
	if s.element != nil {
		return s.gql + "_array_comparison_exp"
	}
	return s.gql + "_comparison_exp"
}

// A comparison is one of the things that a column can be held against.
type comparison struct {
	op    string
	with  comparand
	after string // a quantifier for lists
}

type comparand int

const (
	withSame  comparand = iota // a value of the column's type
	withList                   // a list of them
	withNull                   // true or false
	withText                   // a text
	withTexts                  // a list of texts
	withPath                   // a path in SQL/JSON
)

// comparisonsOf lists what a type can be held against, by the names that Hasura gives them.
func comparisonsOf(s *scalar) map[string]comparison {
	known := map[string]comparison{"_is_null": {with: withNull}}
	if s.ordered {
		for name, op := range map[string]string{"_eq": "=", "_neq": "<>", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="} {
			known[name] = comparison{op: op}
		}
		if s.element == nil {
			known["_in"] = comparison{"=", withList, "any"}
			known["_nin"] = comparison{"<>", withList, "all"}
		}
	}
	switch {
	case s.isText():
		for name, op := range map[string]string{
			"_like": "~~", "_nlike": "!~~", "_ilike": "~~*", "_nilike": "!~~*",
			"_regex": "~", "_nregex": "!~", "_iregex": "~*", "_niregex": "!~*",
			"_similar": "similar to", "_nsimilar": "not similar to",
		} {
			known[name] = comparison{op: op}
		}
	case s.element != nil && s.ordered:
		known["_contains"] = comparison{op: "@>"}
		known["_contained_in"] = comparison{op: "<@"}
	case s.gql == "jsonb" && s.element == nil:
		known["_contains"] = comparison{op: "@>"}
		known["_contained_in"] = comparison{op: "<@"}
		known["_has_key"] = comparison{op: "?", with: withText}
		known["_has_keys_any"] = comparison{op: "?|", with: withTexts}
		known["_has_keys_all"] = comparison{op: "?&", with: withTexts}
		known["_jsonb_path_exists"] = comparison{op: "@?", with: withPath}
		known["_jsonb_path_match"] = comparison{op: "@@", with: withPath}
	}
	return known
}

// sql writes the comparison.
func (k comparison) sql(c *compiler, col *column, row string, in input, path string) (string, error) {
	text := &scalar{gql: "String", cast: "pg_catalog.text", builtin: true}
	var value string
	var err error
	switch k.with {
	case withNull:
		return c.isNull(col, row, in, path)
	case withList:
		value, err = c.paramList(in, col.typ, path)
		value = k.after + " (" + value + ")"
	case withText:
		value, err = c.param(in, text, false, path)
	case withTexts:
		value, err = c.paramList(in, text, path)
	case withPath:
		value, err = c.param(in, text, false, path)
		value += "::pg_catalog.jsonpath"
	default:
		value, err = c.param(in, col.typ, false, path)
	}
	if err != nil {
		return "", err
	}
	op := k.op
	if !strings.HasSuffix(op, "similar to") {
		op = operator(op, col.typ)
	}
	return col.of(row) + " " + op + " " + value, nil
}

func (c *compiler) isNull(col *column, row string, in input, path string) (string, error) {
	in, err := c.open(in, ast.NamedType("Boolean", nil), path)
	switch {
	case err != nil:
		return "", err
	case in.isNull():
		return "", invalid(path, "unexpected null value for type 'Boolean'")
	case in.kind != boolInput:
		return "", in.mismatch(path, "Boolean", "a boolean")
	case in.raw == "true":
		return col.of(row) + " is null", nil
	}
	return col.of(row) + " is not null", nil
}
