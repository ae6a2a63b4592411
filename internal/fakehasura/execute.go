package fakehasura

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// pairs is a JSON object whose members have an order.
type pairs []pair

type pair struct {
	key   string
	value any
}

// MarshalJSON writes the members in their order.
func (p pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(one.key) // a text
		b.Write(key)
		b.WriteByte(':')
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (e *Engine) graphql(w http.ResponseWriter, r *http.Request) {
	if p := secretProblem(r); p != nil {
		reply(w, http.StatusOK, errorsOf(p))
		return
	}
	var q Query
	if r.Method != http.MethodPost || decodeBody(r, &q) != nil {
		reply(w, http.StatusOK, errorsOf(fail("invalid-json", "$", "the request is no query")))
		return
	}
	e.mu.Lock()
	e.queries = append(e.queries, q)
	metadata := e.metadata.clone()
	e.mu.Unlock()
	catalog, err := readCatalog(r.Context(), e.pool)
	if err == nil {
		var m *model
		if m, err = newModel(metadata, catalog); err == nil {
			data, p := m.answer(r.Context(), e, q)
			if p != nil {
				reply(w, http.StatusOK, errorsOf(p))
				return
			}
			reply(w, http.StatusOK, pairs{{"data", data}})
			return
		}
	}
	reply(w, http.StatusOK, errorsOf(fail("unexpected", "$", "%v", err)))
}

func errorsOf(p *problem) any {
	return object{"errors": []any{object{"message": p.Error, "extensions": object{"path": p.Path, "code": p.Code}}}}
}

// answer answers one query.
func (m *model) answer(ctx context.Context, e *Engine, q Query) (pairs, *problem) {
	document, err := parser.ParseQuery(&ast.Source{Input: q.Query})
	if err != nil {
		return nil, fail("validation-failed", "$.query", "not a valid graphql query")
	}
	operation := document.Operations.ForName(q.OperationName)
	if operation == nil {
		return nil, fail("validation-failed", "$", "exactly one operation has to be present in the document when operationName is not specified")
	}
	check := &checker{schema: m.schema, document: document, declared: map[string]bool{}}
	if p := check.operation(operation, q.Variables); p != nil {
		return nil, p
	}
	x := &execution{model: m, engine: e, document: document, variables: map[string]any{}}
	for _, v := range operation.VariableDefinitions {
		if v.DefaultValue != nil {
			x.variables[v.Variable] = x.value(v.DefaultValue)
		}
	}
	for name, v := range q.Variables {
		x.variables[name] = fromJSON(v)
	}
	data, err := x.root(ctx, operation.SelectionSet)
	if err == nil {
		return data, nil
	}
	var refused *pgconn.PgError
	var p problemError
	switch {
	case errors.As(err, &p):
		return nil, p.problem
	case errors.As(err, &refused) && strings.HasPrefix(refused.Code, "22"):
		return nil, fail("data-exception", "$", "%s", refused.Message)
	}
	return nil, fail("postgres-error", "$", "query execution failed: %v", err)
}

// problemError carries a problem up.
type problemError struct{ *problem }

func (p problemError) Error() string { return p.problem.Error }

// execution is one query on its way.
type execution struct {
	model     *model
	engine    *Engine
	document  *ast.QueryDocument
	variables map[string]any
}

// fields flattens fragments, leaves out what is skipped, and merges fields that are asked twice.
func (x *execution) fields(set ast.SelectionSet, of string) []*ast.Field {
	var out []*ast.Field
	add := func(f *ast.Field) {
		for i, there := range out {
			if there.Alias == f.Alias {
				merged := *there
				merged.SelectionSet = append(append(ast.SelectionSet{}, there.SelectionSet...), f.SelectionSet...)
				out[i] = &merged
				return
			}
		}
		out = append(out, f)
	}
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if x.wanted(s.Directives) {
				add(s)
			}
		case *ast.InlineFragment:
			if x.wanted(s.Directives) && (s.TypeCondition == "" || s.TypeCondition == of) {
				for _, f := range x.fields(s.SelectionSet, of) {
					add(f)
				}
			}
		case *ast.FragmentSpread:
			fragment := x.document.Fragments.ForName(s.Name)
			if x.wanted(s.Directives) && fragment.TypeCondition == of {
				for _, f := range x.fields(fragment.SelectionSet, of) {
					add(f)
				}
			}
		}
	}
	return out
}

// wanted obeys @skip and @include.
func (x *execution) wanted(directives ast.DirectiveList) bool {
	for _, d := range directives {
		yes := false
		if a := d.Arguments.ForName("if"); a != nil {
			yes, _ = x.value(a.Value).(bool)
		}
		if d.Name == "skip" && yes || d.Name == "include" && !yes {
			return false
		}
	}
	return true
}

func (x *execution) root(ctx context.Context, set ast.SelectionSet) (pairs, error) {
	out := pairs{}
	for _, f := range x.fields(set, "query_root") {
		var value any
		var err error
		root, known := x.model.roots[f.Name]
		switch {
		case f.Name == "__typename":
			value = "query_root"
		case f.Name == "__schema" || f.Name == "__type":
			value = x.introspect(f)
		case !known:
			value = ""
		case root.kind == "one":
			value, err = x.byKey(ctx, root.of, f)
		case root.kind == "list":
			value, err = x.many(ctx, root.of, f, condition{})
		default:
			value, err = x.aggregate(ctx, root.of, f, condition{})
		}
		if err != nil {
			return nil, err
		}
		out = append(out, pair{f.Alias, value})
	}
	return out, nil
}

func (x *execution) byKey(ctx context.Context, t *objectType, f *ast.Field) (any, error) {
	c := condition{}
	for _, a := range f.Arguments {
		c.equals(t.columns[a.Name], x.value(a.Value))
	}
	rows, err := x.rows(ctx, t, c, "")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return x.object(ctx, t, rows[0], f.SelectionSet)
}

func (x *execution) many(ctx context.Context, t *objectType, f *ast.Field, c condition) (any, error) {
	rows, err := x.chosen(ctx, t, f, c)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, row := range rows {
		one, err := x.object(ctx, t, row, f.SelectionSet)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (x *execution) aggregate(ctx context.Context, t *objectType, f *ast.Field, c condition) (any, error) {
	rows, err := x.chosen(ctx, t, f, c)
	if err != nil {
		return nil, err
	}
	out := pairs{}
	for _, g := range x.fields(f.SelectionSet, t.name+"_aggregate") {
		switch g.Name {
		case "__typename":
			out = append(out, pair{g.Alias, t.name + "_aggregate"})
		case "aggregate":
			counts := pairs{}
			for _, h := range x.fields(g.SelectionSet, t.name+"_aggregate_fields") {
				switch {
				case h.Name == "__typename":
					counts = append(counts, pair{h.Alias, t.name + "_aggregate_fields"})
				case len(h.Arguments) > 0:
					return nil, problemError{fail("not-supported", "$", "the fake counts rows, and nothing else")}
				default:
					counts = append(counts, pair{h.Alias, len(rows)})
				}
			}
			out = append(out, pair{g.Alias, counts})
		case "nodes":
			nodes := []any{}
			for _, row := range rows {
				one, err := x.object(ctx, t, row, g.SelectionSet)
				if err != nil {
					return nil, err
				}
				nodes = append(nodes, one)
			}
			out = append(out, pair{g.Alias, nodes})
		}
	}
	return out, nil
}

// row is a row as Postgres makes JSON of it, by the names of its columns.
type row map[string]json.RawMessage

func (x *execution) object(ctx context.Context, t *objectType, r row, set ast.SelectionSet) (any, error) {
	out := pairs{}
	for _, f := range x.fields(set, t.name) {
		value, err := x.field(ctx, t, r, f)
		if err != nil {
			return nil, err
		}
		out = append(out, pair{f.Alias, value})
	}
	return out, nil
}

func (x *execution) field(ctx context.Context, t *objectType, r row, f *ast.Field) (any, error) {
	if f.Name == "__typename" {
		return t.name, nil
	}
	if c, ok := t.columns[f.Name]; ok {
		if len(f.Arguments) > 0 {
			return nil, problemError{fail("not-supported", "$", "the fake reads no paths in %s", f.Name)}
		}
		return r[c.name], nil
	}
	name, aggregate := f.Name, false
	relation, ok := t.relations[name]
	if !ok {
		name, aggregate = strings.CutSuffix(name, "_aggregate")
		relation = t.relations[name]
	}
	other := x.model.types[relation.table]
	c := condition{}
	for i, mine := range relation.mine {
		value := text(r[mine])
		if value == nil && !relation.many {
			return nil, nil
		}
		c.equals(other.table.column(relation.theirs[i]), value)
	}
	switch {
	case aggregate:
		return x.aggregate(ctx, other, f, c)
	case relation.many:
		return x.many(ctx, other, f, c)
	}
	rows, err := x.rows(ctx, other, c, "")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return x.object(ctx, other, rows[0], f.SelectionSet)
}

// text is a JSON value as Postgres reads it in a parameter, or nil.
func text(raw json.RawMessage) any {
	var s string
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case json.Unmarshal(raw, &s) == nil:
		return s
	}
	return string(raw)
}

// rows reads the rows of a table that a condition holds for.
func (x *execution) rows(ctx context.Context, t *objectType, c condition, tail string) ([]row, error) {
	sql := fmt.Sprintf("select row_to_json(t)::text from %s t where %s %s", t.table.ref.sql(), c.sql(), tail)
	found, err := x.engine.pool.Query(ctx, sql, c.values...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var out []row
	for found.Next() {
		var line string
		if err := found.Scan(&line); err != nil {
			return nil, err
		}
		r := row{}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, found.Err()
}
