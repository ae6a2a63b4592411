package graph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// tableArguments are which rows of a table are asked for.
type tableArguments struct {
	where         []string
	order         []orderTerm
	distinctOn    []string
	limit, offset string
}

func (a tableArguments) distinct() string {
	if len(a.distinctOn) == 0 {
		return ""
	}
	return "distinct on (" + strings.Join(a.distinctOn, ", ") + ") "
}

// An orderTerm is what rows are sorted by.
type orderTerm struct{ sql, direction string }

// tail is what follows the table in a select. Rows come in the order of the primary key where
// nothing else is said: the same rows give the same answer.
func (a tableArguments) tail(t *table, row string) string {
	var b strings.Builder
	if len(a.where) > 0 {
		b.WriteString(" where " + strings.Join(a.where, " and "))
	}
	order := a.order
	if len(order) == 0 {
		for _, on := range a.distinctOn {
			order = append(order, orderTerm{sql: on})
		}
		for _, c := range t.primary {
			order = append(order, orderTerm{sql: c.of(row)})
		}
	}
	for i, term := range order {
		b.WriteString([]string{" order by ", ", "}[min(i, 1)] + term.sql + term.direction)
	}
	b.WriteString(a.limit + a.offset)
	return b.String()
}

// tableArguments reads where, order_by, limit, offset and distinct_on.
func (c *compiler) tableArguments(f *selected, t *table, row, path string) (tableArguments, error) {
	var a tableArguments
	if err := onlyArguments(f, path, func(name string) bool {
		return slices.Contains([]string{"where", "order_by", "limit", "offset", "distinct_on"}, name)
	}); err != nil {
		return a, err
	}
	path += ".args"
	for _, arg := range f.args {
		in, path := input{value: arg.Value}, path+"."+arg.Name
		var err error
		switch arg.Name {
		case "where":
			var where string
			if where, err = c.where(t, row, in, path, 0); where != "" {
				a.where = append(a.where, where)
			}
		case "order_by":
			a.order, err = c.orderBy(t, row, in, path)
		case "limit":
			a.limit, err = c.count(in, " limit ", ast.NamedType("Int", nil), path)
		case "offset":
			a.offset, err = c.count(in, " offset ", ast.NamedType("Int", nil), path)
		case "distinct_on":
			a.distinctOn, err = c.distinctOn(t, row, in, path)
		}
		if err != nil {
			return a, err
		}
	}
	for i := range a.distinctOn {
		if len(a.order) > 0 && (i >= len(a.order) || !slices.Contains(a.distinctOn, a.order[i].sql)) {
			return a, invalid(path, `"distinct_on" columns must match initial "order_by" columns`)
		}
	}
	return a, nil
}

// count is a limit or an offset.
func (c *compiler) count(in input, what string, expected *ast.Type, path string) (string, error) {
	in, err := c.open(in, expected, path)
	switch {
	case err != nil, in.isNull():
		return "", err
	case in.kind == textInput && what == " offset ": // a bigger one comes as a text
		in.kind = intInput
	}
	n, convert := strconv.ParseInt(in.raw, 10, 64)
	if in.kind != intInput || convert != nil || n < 0 || n >= 1<<31 && what == " limit " {
		return "", in.mismatch(path, "Int", "a non-negative 32-bit integer")
	}
	place := c.place(param{value: in.raw, typ: &scalar{gql: "bigint", cast: "pg_catalog.int8", builtin: true}})
	return what + place, nil
}

// each calls f for every element of a list; a single value counts as a list of one.
func (c *compiler) each(in input, expected *ast.Type, path string, f func(in input, path string) error) error {
	in, err := c.open(in, expected, path)
	if err != nil {
		return err
	}
	if in.isNull() {
		return nil
	}
	if in.kind != listInput {
		return f(in, path)
	}
	for i, one := range in.list {
		path := path + "[" + strconv.Itoa(i) + "]"
		one, err := c.open(one, expected.Elem, path)
		if err == nil {
			err = f(one, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func listOf(name string) *ast.Type { return ast.ListType(ast.NonNullNamedType(name, nil), nil) }

// distinctOn reads the columns of which each combination comes once.
func (c *compiler) distinctOn(t *table, row string, in input, path string) ([]string, error) {
	var columns []string
	err := c.each(in, listOf(t.gql+"_select_column"), path, func(in input, path string) error {
		col, err := t.enumColumn(in, path)
		if err == nil && !col.typ.ordered {
			err = invalid(path, "'%s' cannot be compared", in.raw)
		}
		if err == nil {
			columns = append(columns, col.of(row))
		}
		return err
	})
	return columns, err
}

// enumColumn reads the name of a column that an enum value is.
func (t *table) enumColumn(in input, path string) (*column, error) {
	if in.kind != enumInput && in.kind != textInput {
		return nil, in.mismatch(path, t.gql+"_select_column", "an enum value")
	}
	f := t.fields[in.raw]
	if f == nil || f.kind != columnField || f.column.hidden != "" {
		return nil, invalid(path, "expected one of the values of type '%s_select_column', but found '%s'", t.gql, in.raw)
	}
	return f.column, nil
}

// orderBy reads the order of rows: by columns, by those of related objects, by counts of lists.
func (c *compiler) orderBy(t *table, row string, in input, path string) ([]orderTerm, error) {
	var terms []orderTerm
	err := c.each(in, listOf(t.gql+"_order_by"), path, func(in input, path string) error {
		more, err := c.orderTerms(t, row, func(s string) string { return s }, in, path, 0)
		terms = append(terms, more...)
		return err
	})
	return terms, err
}

// orderTerms reads one object of an order. wrap puts a column of this table into the statement.
func (c *compiler) orderTerms(t *table, row string, wrap func(string) string, in input, path string, depth int) ([]orderTerm, error) {
	if in.isNull() {
		return nil, nil
	}
	if in.kind != objectInput {
		return nil, in.mismatch(path, t.gql+"_order_by", "an object")
	}
	if depth > maxDepth {
		return nil, failure(tooLarge, path, "the order goes deeper than %d objects", maxDepth)
	}
	var terms []orderTerm
	for _, p := range in.pairs {
		path := at(path, p.name)
		f := t.fields[p.name]
		if f == nil || f.kind == listField || f.kind == columnField && f.column.hidden != "" {
			return nil, invalid(path, "field '%s' not found in type: '%s_order_by'", p.name, t.gql)
		}
		var more []orderTerm
		var err error
		switch f.kind {
		case columnField:
			if !f.column.typ.ordered {
				return nil, invalid(path, "'%s' has no order", p.name)
			}
			more, err = c.direction(wrap(f.column.of(row)), p.input, path)
		case aggregateField:
			more, err = c.orderByCount(f.rel, row, wrap, p.input, path)
		default:
			more, err = c.orderByObject(f.rel, row, wrap, p.input, path, depth)
		}
		if err != nil {
			return nil, err
		}
		terms = append(terms, more...)
	}
	return terms, nil
}

func (c *compiler) orderByObject(r *relation, row string, wrap func(string) string, in input, path string, depth int) ([]orderTerm, error) {
	to := c.row()
	in, err := c.open(in, ast.NamedType(r.to.gql+"_order_by", nil), path)
	if err != nil {
		return nil, err
	}
	limit := ""
	if !r.single {
		limit = " limit 1"
	}
	return c.orderTerms(r.to, to, func(column string) string {
		return wrap("(select " + column + " from " + r.to.quoted() + " " + to + " where " + r.on(row, to) + limit + ")")
	}, in, path, depth+1)
}

func (c *compiler) orderByCount(r *relation, row string, wrap func(string) string, in input, path string) ([]orderTerm, error) {
	in, err := c.open(in, ast.NamedType(r.to.gql+"_aggregate_order_by", nil), path)
	if err != nil || in.isNull() {
		return nil, err
	}
	if in.kind != objectInput {
		return nil, in.mismatch(path, r.to.gql+"_aggregate_order_by", "an object")
	}
	var terms []orderTerm
	for _, p := range in.pairs {
		path := at(path, p.name)
		if p.name != "count" {
			return nil, invalid(path, "field '%s' not found in type: '%s_aggregate_order_by'", p.name, r.to.gql)
		}
		to := c.row()
		count := wrap("(select pg_catalog.count(*) from " + r.to.quoted() + " " + to + " where " + r.on(row, to) + ")")
		more, err := c.direction(count, p.input, path)
		if err != nil {
			return nil, err
		}
		terms = append(terms, more...)
	}
	return terms, nil
}

// directions are the values of order_by, with what they are in SQL.
func directions() map[string]string {
	return map[string]string{
		"asc": " asc nulls last", "asc_nulls_first": " asc nulls first", "asc_nulls_last": " asc nulls last",
		"desc": " desc nulls first", "desc_nulls_first": " desc nulls first", "desc_nulls_last": " desc nulls last",
	}
}

func (c *compiler) direction(sql string, in input, path string) ([]orderTerm, error) {
	in, err := c.open(in, ast.NamedType("order_by", nil), path)
	switch {
	case err != nil, in.isNull():
		return nil, err
	case in.kind != enumInput && in.kind != textInput:
		return nil, in.mismatch(path, "order_by", "an enum value")
	}
	direction, ok := directions()[in.raw]
	if !ok {
		return nil, invalid(path, "expected one of the values ['asc', 'asc_nulls_first', 'asc_nulls_last', 'desc', 'desc_nulls_first', 'desc_nulls_last'] for type 'order_by', but found '%s'", in.raw)
	}
	return []orderTerm{{sql, direction}}, nil
}
