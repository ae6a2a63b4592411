package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// A plan is a query that has become a statement.
type plan struct {
	op     *ast.OperationDefinition
	sql    string // empty when the query asks about the schema alone
	params []param
	once   bool // for these values of the variables alone

	keys   []string       // of the answer, in order
	schema map[string]any // the keys that the schema answers
}

// compiler turns one query into SQL.
type compiler struct {
	*model

	doc       *ast.QueryDocument
	op        *ast.OperationDefinition
	variables map[string]any

	params    []param
	rows      int // rows that have a name in the statement
	fields    int
	gathered  int
	inputs    int
	inspected int
	dynamic   bool // a variable was looked into
}

// compile turns a query into a plan. Variables matter where they decide what the statement is.
func (m *model) compile(text string, variables map[string]any) (*plan, error) {
	doc, op, err := parseQuery(text)
	if err != nil {
		return nil, err
	}
	if err := checkVariables(op, variables); err != nil {
		return nil, err
	}
	c := &compiler{model: m, doc: doc, op: op, variables: variables}
	const path = "$.selectionSet"
	list, err := c.collect("query_root", path, []ast.SelectionSet{op.SelectionSet})
	if err != nil {
		return nil, err
	}
	p := &plan{op: op, schema: map[string]any{}}
	var pairs []sqlPair
	for _, f := range list {
		p.keys = append(p.keys, f.alias)
		if strings.HasPrefix(f.name, "__") {
			if p.schema[f.alias], err = c.introspect(f, path); err != nil {
				return nil, err
			}
			continue
		}
		sql, err := c.root(f, at(path, f.name))
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, sqlPair{f.alias, sql})
	}
	if len(c.params) > maxParams {
		return nil, failure(tooLarge, "$", "the query has more than %d values", maxParams)
	}
	if len(pairs) > 0 {
		p.sql = finished(sqlObject(pairs))
	}
	p.params, p.once = c.params, c.dynamic || len(p.schema) > 0
	return p, nil
}

// root is the SQL of a field that a query begins with.
func (c *compiler) root(f *selected, path string) (string, error) {
	r := c.roots[f.name]
	if r == nil {
		return "", invalid(path, "field '%s' not found in type: 'query_root'", f.name)
	}
	switch r.kind {
	case rootByKey:
		return c.byKey(f, r.table, path)
	case rootAggregate:
		return c.aggregate(f, r.table, nil, "", path, 1)
	default:
		return c.rowsOf(f, r.table, nil, "", path, 1)
	}
}

func (c *compiler) row() string {
	c.rows++
	return fmt.Sprintf("r%d", c.rows)
}

// byKey is the row that has a primary key, or null.
func (c *compiler) byKey(f *selected, t *table, path string) (string, error) {
	row := c.row()
	var tests []string
	for _, col := range t.primary {
		arg := f.args.ForName(col.gql)
		if arg == nil {
			return "", invalid(at(path+".args", col.gql), "missing required field '%s'", col.gql)
		}
		value, err := c.param(input{value: arg.Value}, col.typ, true, at(path+".args", col.gql))
		if err != nil {
			return "", err
		}
		tests = append(tests, col.of(row)+" "+operator("=", col.typ)+" "+value)
	}
	if err := onlyArguments(f, path, func(name string) bool {
		return slices.ContainsFunc(t.primary, func(col *column) bool { return col.gql == name })
	}); err != nil {
		return "", err
	}
	object, err := c.object(t, row, f.sets, path, 1)
	if err != nil {
		return "", err
	}
	return "(select " + object + " from " + t.quoted() + " " + row + " where " + strings.Join(tests, " and ") + ")", nil
}

func onlyArguments(f *selected, path string, known func(string) bool) error {
	for i, a := range f.args {
		if !known(a.Name) {
			return invalid(path, "'%s' has no argument named '%s'", f.name, a.Name)
		}
		if f.args[i] != f.args.ForName(a.Name) {
			return invalid(path, "the argument '%s' is given twice", a.Name)
		}
	}
	return nil
}

// object is the SQL of a row as a JSON object of the selected fields.
func (c *compiler) object(t *table, row string, sets []ast.SelectionSet, path string, depth int) (string, error) {
	path += ".selectionSet"
	if len(sets) == 0 {
		return "", invalid(path, "missing selection set for '%s'", t.gql)
	}
	if depth > maxDepth {
		return "", failure(tooLarge, path, "the query goes deeper than %d objects", maxDepth)
	}
	list, err := c.collect(t.gql, path, sets)
	if err != nil {
		return "", err
	}
	pairs := make([]sqlPair, len(list))
	for i, f := range list {
		sql, err := c.field(t, row, f, at(path, f.name), depth)
		if err != nil {
			return "", err
		}
		pairs[i] = sqlPair{f.alias, sql}
	}
	return sqlObject(pairs), nil
}

// field is the SQL of one field of a row.
func (c *compiler) field(t *table, row string, f *selected, path string, depth int) (string, error) {
	if f.name == "__typename" {
		return key(t.gql) + "::text", noArguments(f, path)
	}
	found := t.fields[f.name]
	switch {
	case found == nil:
		return "", invalid(path, "field '%s' not found in type: '%s'", f.name, t.gql)
	case found.kind == columnField && found.column.hidden != "":
		return "", invalid(path, "field '%s' not found in type: '%s' (%s)", f.name, t.gql, found.column.hidden)
	}
	switch found.kind {
	case objectField:
		return c.one(f, found.rel, row, path, depth+1)
	case listField:
		return c.rowsOf(f, found.rel.to, found.rel, row, path, depth+1)
	case aggregateField:
		return c.aggregate(f, found.rel.to, found.rel, row, path, depth+1)
	default:
		return c.column(f, found.column, row, path)
	}
}

func noArguments(f *selected, path string) error {
	if err := onlyArguments(f, path, func(string) bool { return false }); err != nil {
		return err
	}
	if len(f.sets) > 0 {
		return invalid(path, "unexpected subselection set for non-object field")
	}
	return nil
}

// column is a column's value, or for JSON what lies at a path in it.
func (c *compiler) column(f *selected, col *column, row, path string) (string, error) {
	if !col.typ.isJSON() {
		return col.of(row), noArguments(f, path)
	}
	if err := onlyArguments(f, path, func(name string) bool { return name == "path" }); err != nil {
		return "", err
	}
	if len(f.sets) > 0 {
		return "", invalid(path, "unexpected subselection set for non-object field")
	}
	arg := f.args.ForName("path")
	if arg == nil {
		return col.of(row), nil
	}
	path += ".args.path"
	in, err := c.open(input{value: arg.Value}, ast.NamedType("String", nil), path)
	switch {
	case err != nil:
		return "", err
	case in.isNull():
		return col.of(row), nil
	case in.kind != textInput:
		return "", in.mismatch(path, "String", "a string")
	}
	steps, err := jsonPath(in.raw)
	if err != nil {
		return "", failure(parseFailed, path, "parse json path error: %s", err)
	}
	if len(steps) == 0 {
		return col.of(row), nil
	}
	text := &scalar{gql: "String", cast: "text", builtin: true}
	place := c.place(param{value: steps, typ: text, list: true})
	return "(" + col.of(row) + " operator(pg_catalog.#>) " + place + ")", nil
}

// one is the object that a relation leads to, or null.
func (c *compiler) one(f *selected, r *relation, row, path string, depth int) (string, error) {
	if err := onlyArguments(f, path, func(string) bool { return false }); err != nil {
		return "", err
	}
	to := c.row()
	object, err := c.object(r.to, to, f.sets, path, depth)
	if err != nil {
		return "", err
	}
	limit := ""
	if !r.single {
		limit = " limit 1"
	}
	return "(select " + object + " from " + r.to.quoted() + " " + to + " where " + r.on(row, to) + limit + ")", nil
}

// on is the condition that a row is related to another.
func (r *relation) on(row, to string) string {
	tests := make([]string, len(r.near))
	for i, near := range r.near {
		op := "="
		if near.typ.cast == r.far[i].typ.cast {
			op = operator("=", near.typ)
		}
		tests[i] = r.far[i].of(to) + " " + op + " " + near.of(row)
	}
	return strings.Join(tests, " and ")
}

// rowsOf is a list of rows: of a table, or of those related to a row.
func (c *compiler) rowsOf(f *selected, t *table, r *relation, row, path string, depth int) (string, error) {
	to := c.row()
	args, err := c.tableArguments(f, t, to, path)
	if err != nil {
		return "", err
	}
	object, err := c.object(t, to, f.sets, path, depth)
	if err != nil {
		return "", err
	}
	if r != nil {
		args.where = append([]string{r.on(row, to)}, args.where...)
	}
	return "(select coalesce(pg_catalog.json_agg(l.j), '[]'::json) from (select " + args.distinct() + object + " as j from " +
		t.quoted() + " " + to + args.tail(t, to) + ") l)", nil
}
