package graph

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// aggregate is the SQL of what can be said about several rows together, and of the rows.
func (c *compiler) aggregate(f *selected, t *table, r *relation, row, path string, depth int) (string, error) {
	to, all := c.row(), c.row()
	args, err := c.tableArguments(f, t, to, path)
	if err != nil {
		return "", err
	}
	if r != nil {
		args.where = append([]string{r.on(row, to)}, args.where...)
	}
	typeName := t.gql + "_aggregate"
	path, list, err := c.within(f, typeName, path)
	if err != nil {
		return "", err
	}
	var pairs []sqlPair
	for _, f := range list {
		var sql string
		path := at(path, f.name)
		switch f.name {
		case "__typename":
			sql, err = key(typeName)+"::text", noArguments(f, path)
		case "aggregate":
			sql, err = c.aggregateFields(f, t, all, path)
		case "nodes":
			if err = onlyArguments(f, path, func(string) bool { return false }); err == nil {
				sql, err = c.object(t, all, f.sets, path, depth)
				sql = "coalesce(pg_catalog.json_agg(" + sql + "), '[]'::json)"
			}
		default:
			err = invalid(path, "field '%s' not found in type: '%s'", f.name, typeName)
		}
		if err != nil {
			return "", err
		}
		pairs = append(pairs, sqlPair{f.alias, sql})
	}
	// having makes one row of all, also where nothing is counted.
	return "(select " + sqlObject(pairs) + " from (select " + args.distinct() + to + ".* from " + t.quoted() + " " + to + args.tail(t, to) + ") " + all + " having true)", nil
}

func aggregateFunctions() []string {
	return []string{"avg", "max", "min", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance"}
}

// functionsOf lists the aggregate functions that a type has.
func functionsOf(s *scalar) []string {
	var names []string
	if s.isNumber() && s.gql != "money" {
		names = slices.DeleteFunc(aggregateFunctions(), func(f string) bool { return f == "max" || f == "min" })
	}
	if s.element == nil && (s.isNumber() || s.isText() || slices.Contains([]string{"date", "timestamp", "timestamptz", "time", "timetz"}, s.gql)) {
		names = append(names, "max", "min")
	}
	return names
}

func (c *compiler) aggregateFields(f *selected, t *table, row, path string) (string, error) {
	if err := onlyArguments(f, path, func(string) bool { return false }); err != nil {
		return "", err
	}
	typeName := t.gql + "_aggregate_fields"
	path, list, err := c.within(f, typeName, path)
	if err != nil {
		return "", err
	}
	var pairs []sqlPair
	for _, f := range list {
		var sql string
		path := at(path, f.name)
		switch {
		case f.name == "__typename":
			sql, err = key(typeName)+"::text", noArguments(f, path)
		case f.name == "count":
			sql, err = c.countOf(f, t, row, path)
		case len(t.columnsWith(f.name)) > 0:
			sql, err = c.function(f, t, row, path)
		default:
			err = invalid(path, "field '%s' not found in type: '%s'", f.name, typeName)
		}
		if err != nil {
			return "", err
		}
		pairs = append(pairs, sqlPair{f.alias, sql})
	}
	return sqlObject(pairs), nil
}

// columnsWith lists the columns that an aggregate function is for.
func (t *table) columnsWith(function string) []*field {
	var fields []*field
	for _, f := range t.list {
		if f.kind == columnField && f.column.hidden == "" && slices.Contains(functionsOf(f.column.typ), function) {
			fields = append(fields, f)
		}
	}
	return fields
}

// function is one aggregate function of several columns.
func (c *compiler) function(f *selected, t *table, row, path string) (string, error) {
	if err := onlyArguments(f, path, func(string) bool { return false }); err != nil {
		return "", err
	}
	typeName := t.gql + "_" + f.name + "_fields"
	path, list, err := c.within(f, typeName, path)
	if err != nil {
		return "", err
	}
	columns := t.columnsWith(f.name)
	var pairs []sqlPair
	for _, inner := range list {
		path := at(path, inner.name)
		if err := noArguments(inner, path); err != nil {
			return "", err
		}
		if inner.name == "__typename" {
			pairs = append(pairs, sqlPair{inner.alias, key(typeName) + "::text"})
			continue
		}
		i := slices.IndexFunc(columns, func(f *field) bool { return f.name == inner.name })
		if i < 0 {
			return "", invalid(path, "field '%s' not found in type: '%s'", inner.name, typeName)
		}
		pairs = append(pairs, sqlPair{inner.alias, "pg_catalog." + f.name + "(" + columns[i].column.of(row) + ")"})
	}
	return sqlObject(pairs), nil
}

// countOf counts rows, or the values of columns.
func (c *compiler) countOf(f *selected, t *table, row, path string) (string, error) {
	if err := onlyArguments(f, path, func(name string) bool { return name == "columns" || name == "distinct" }); err != nil {
		return "", err
	}
	if len(f.sets) > 0 {
		return "", invalid(path, "unexpected subselection set for non-object field")
	}
	var columns []string
	comparable := true
	if arg := f.args.ForName("columns"); arg != nil {
		err := c.each(input{value: arg.Value}, listOf(t.gql+"_select_column"), path+".args.columns", func(in input, path string) error {
			col, err := t.enumColumn(in, path)
			if err == nil {
				columns = append(columns, col.of(row))
				comparable = comparable && col.typ.ordered
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	distinct := ""
	if arg := f.args.ForName("distinct"); arg != nil {
		in, err := c.open(input{value: arg.Value}, ast.NamedType("Boolean", nil), path+".args.distinct")
		switch {
		case err != nil:
			return "", err
		case in.kind == boolInput && in.raw == "true":
			distinct = "distinct "
		case in.kind != boolInput && !in.isNull():
			return "", in.mismatch(path+".args.distinct", "Boolean", "a boolean")
		}
	}
	switch {
	case len(columns) == 0:
		return "pg_catalog.count(*)", nil
	case distinct != "" && !comparable:
		return "", invalid(path, "distinct values of these columns cannot be counted")
	case len(columns) == 1:
		return "pg_catalog.count(" + distinct + columns[0] + ")", nil
	}
	return "pg_catalog.count(" + distinct + "(" + strings.Join(columns, ", ") + "))", nil
}

// within collects what is selected of a field that has fields of its own, and gives their path.
func (c *compiler) within(f *selected, typeName, path string) (string, []*selected, error) {
	path += ".selectionSet"
	if len(f.sets) == 0 {
		return path, nil, invalid(path, "missing selection set for '%s'", typeName)
	}
	list, err := c.collect(typeName, path, f.sets)
	return path, list, err
}
