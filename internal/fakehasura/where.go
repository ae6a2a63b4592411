package fakehasura

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"
)

// value makes a Go value of an argument: text, json.Number, bool, nil, []any or pairs.
func (x *execution) value(v *ast.Value) any {
	switch v.Kind {
	case ast.Variable:
		return x.variables[v.Raw]
	case ast.IntValue, ast.FloatValue:
		return json.Number(v.Raw)
	case ast.BooleanValue:
		return v.Raw == "true"
	case ast.NullValue:
		return nil
	case ast.ListValue:
		out := []any{}
		for _, child := range v.Children {
			out = append(out, x.value(child.Value))
		}
		return out
	case ast.ObjectValue:
		out := pairs{}
		for _, child := range v.Children {
			out = append(out, pair{child.Name, x.value(child.Value)})
		}
		return out
	default: // a text or an enum's value
		return v.Raw
	}
}

// fromJSON makes the same of the value of a variable.
func fromJSON(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, one := range v {
			out = append(out, fromJSON(one))
		}
		return out
	case object:
		out := pairs{}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, pair{key, fromJSON(v[key])})
		}
		return out
	}
	return v
}

// condition is what a row must fulfil, with the values of its parameters.
type condition struct {
	parts  []string
	values []any
}

func (c *condition) sql() string {
	if len(c.parts) == 0 {
		return "true"
	}
	return strings.Join(c.parts, " and ")
}

// parameter adds a value, which Postgres reads as the text of that type.
func (c *condition) parameter(v any, typ string) string {
	switch v := v.(type) {
	case nil:
		c.values = append(c.values, nil)
	case string:
		c.values = append(c.values, v)
	default:
		text, _ := json.Marshal(v) // it came out of JSON
		c.values = append(c.values, string(text))
	}
	return fmt.Sprintf("($%d::text)::%s", len(c.values), typ)
}

func (c *condition) equals(of column, v any) {
	c.parts = append(c.parts, "t."+quote(of.name)+" = "+c.parameter(v, of.sqlType()))
}

func (c column) sqlType() string {
	if c.array {
		return quote(c.typ) + "[]"
	}
	return quote(c.typ)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// chosen reads the rows that the arguments of a list ask for.
func (x *execution) chosen(ctx context.Context, t *objectType, f *ast.Field, c condition) ([]row, error) {
	var tail []string
	for _, a := range f.Arguments {
		v := x.value(a.Value)
		if v == nil {
			continue
		}
		switch a.Name {
		case "where":
			part, err := x.where(t, "t", v, &c)
			if err != nil {
				return nil, err
			}
			c.parts = append(c.parts, part)
		case "order_by":
			order, err := x.order(t, "t", v)
			if err != nil {
				return nil, err
			}
			if len(order) > 0 {
				tail = append([]string{"order by " + strings.Join(order, ", ")}, tail...)
			}
		case "limit", "offset":
			tail = append(tail, a.Name+" "+c.parameter(v, "int8"))
		default:
			return nil, problemError{fail("not-supported", "$", "the fake knows no %s", a.Name)}
		}
	}
	return x.rows(ctx, t, c, strings.Join(tail, " "))
}

// where makes SQL of a boolean expression about the row that alias names.
func (x *execution) where(t *objectType, alias string, v any, c *condition) (string, error) {
	expression, ok := v.(pairs)
	if !ok {
		return "", problemError{fail("validation-failed", "$", "expected an object for type '%s_bool_exp'", t.name)}
	}
	parts := []string{"true"}
	for _, p := range expression {
		part, err := x.part(t, alias, p, c)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	return "(" + strings.Join(parts, " and ") + ")", nil
}

func (x *execution) part(t *objectType, alias string, p pair, c *condition) (string, error) {
	switch p.key {
	case "_and", "_or":
		several, ok := p.value.([]any)
		if !ok {
			several = []any{p.value}
		}
		join, parts := " and ", []string{"true"}
		if p.key == "_or" {
			join, parts = " or ", []string{"false"}
		}
		for _, one := range several {
			part, err := x.where(t, alias, one, c)
			if err != nil {
				return "", err
			}
			parts = append(parts, part)
		}
		return "(" + strings.Join(parts, join) + ")", nil
	case "_not":
		part, err := x.where(t, alias, p.value, c)
		return "not " + part, err
	}
	if column, ok := t.columns[p.key]; ok {
		return compare(alias+"."+quote(column.name), column, p.value, c)
	}
	relation, ok := t.relations[p.key]
	if !ok {
		return "", problemError{fail("validation-failed", "$", "field '%s' not found in type: '%s_bool_exp'", p.key, t.name)}
	}
	inner := alias + "_"
	part, err := x.where(x.model.types[relation.table], inner, p.value, c)
	return fmt.Sprintf("exists (select from %s %s where %s and %s)", relation.table.sql(), inner, relation.join(alias, inner), part), err
}

func (r relation) join(alias, inner string) string {
	var parts []string
	for i := range r.mine {
		parts = append(parts, alias+"."+quote(r.mine[i])+" = "+inner+"."+quote(r.theirs[i]))
	}
	return strings.Join(parts, " and ")
}

// compare makes SQL of the operators on one column.
func compare(sql string, of column, v any, c *condition) (string, error) {
	operators, ok := v.(pairs)
	if !ok {
		return "", problemError{fail("validation-failed", "$", "expected an object for type '%s_comparison_exp'", of.scalar())}
	}
	signs := map[string]string{
		"_eq": "=", "_neq": "<>", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<=", "_like": "like", "_ilike": "ilike", "_contains": "@>",
	}
	parts := []string{"true"}
	for _, p := range operators {
		sign, simple := signs[p.key]
		switch {
		case p.value == nil:
			return "", problemError{fail("validation-failed", "$", "unexpected null value for type '%s'", of.scalar())}
		case simple:
			parts = append(parts, sql+" "+sign+" "+c.parameter(p.value, of.sqlType()))
		case p.key == "_has_key":
			parts = append(parts, sql+" ? "+c.parameter(p.value, "text"))
		case p.key == "_is_null" && p.value == true:
			parts = append(parts, sql+" is null")
		case p.key == "_is_null":
			parts = append(parts, sql+" is not null")
		case p.key == "_in" || p.key == "_nin":
			several, ok := p.value.([]any)
			if !ok {
				several = []any{p.value}
			}
			list := []string{"null"}
			for _, one := range several {
				list = append(list, c.parameter(one, of.sqlType()))
			}
			if p.key == "_nin" {
				parts = append(parts, "not coalesce("+sql+" in ("+strings.Join(list, ", ")+"), false) and "+sql+" is not null")
			} else {
				parts = append(parts, sql+" in ("+strings.Join(list, ", ")+")")
			}
		default:
			return "", problemError{fail("validation-failed", "$", "field '%s' not found in type: '%s_comparison_exp'", p.key, of.scalar())}
		}
	}
	return "(" + strings.Join(parts, " and ") + ")", nil
}

// order makes SQL of order_by: an object or a list of them.
func (x *execution) order(t *objectType, alias string, v any) ([]string, error) {
	several, ok := v.([]any)
	if !ok {
		several = []any{v}
	}
	var out []string
	for _, one := range several {
		members, ok := one.(pairs)
		if !ok {
			return nil, problemError{fail("validation-failed", "$", "expected an object for type '%s_order_by'", t.name)}
		}
		for _, p := range members {
			parts, err := x.orderPart(t, alias, p)
			if err != nil {
				return nil, err
			}
			out = append(out, parts...)
		}
	}
	return out, nil
}

func (x *execution) orderPart(t *objectType, alias string, p pair) ([]string, error) {
	if column, ok := t.columns[p.key]; ok {
		direction, _ := p.value.(string)
		if !slices.Contains([]string{"asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first", "desc_nulls_last"}, direction) {
			return nil, problemError{fail("validation-failed", "$", "unexpected value for enum: 'order_by'")}
		}
		return []string{alias + "." + quote(column.name) + " " + strings.ReplaceAll(direction, "_", " ")}, nil
	}
	relation, ok := t.relations[p.key]
	if !ok || relation.many {
		return nil, problemError{fail("validation-failed", "$", "field '%s' not found in type: '%s_order_by'", p.key, t.name)}
	}
	inner := alias + "_"
	parts, err := x.order(x.model.types[relation.table], inner, p.value)
	for i, part := range parts {
		of, direction, _ := strings.Cut(part, " ")
		parts[i] = fmt.Sprintf("(select %s from %s %s where %s) %s", of, relation.table.sql(), inner, relation.join(alias, inner), direction)
	}
	return parts, err
}
