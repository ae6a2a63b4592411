package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Step is something that the engine's metadata lacks, or has otherwise than Hasura Auth would have
// it.
type Step struct {
	// Text says what is to be added, or what is different.
	Text string
	// Stays marks a difference: something is there already, and nothing is done about it.
	Stays bool

	calls []call
}

// Plan compares the engine's metadata with what Hasura Auth would have there, and changes nothing.
func (e *Engine) Plan(ctx context.Context, tables Tables) ([]Step, error) {
	have, err := e.export(ctx)
	if err != nil {
		return nil, err
	}
	return e.plan(have, tables), nil
}

func (e *Engine) plan(have *source, tables Tables) []Step {
	p := &planner{source: have, tables: tables}
	p.customization()
	for _, k := range knownTables {
		if tables.has(k.table) {
			p.table(k)
		}
	}
	for _, r := range knownRelationships {
		if r.possible(tables) {
			p.relationship(r)
		}
	}
	p.tokens()
	return p.steps
}

type planner struct {
	source *source
	tables Tables
	steps  []Step
}

func (p *planner) differs(format string, args ...any) {
	p.steps = append(p.steps, Step{Text: fmt.Sprintf(format, args...), Stays: true})
}

func (p *planner) lacks(text string, calls ...call) {
	p.steps = append(p.steps, Step{Text: text, calls: calls})
}

// call makes a call about a table of ours.
func (p *planner) call(command, table string, more map[string]any) call {
	args := map[string]any{"source": p.source.Name, "table": ref(table)}
	maps.Copy(args, more)
	return call{Type: prefix(p.source.Kind) + command, Args: args}
}

func ref(table string) map[string]string { return map[string]string{"schema": schema, "name": table} }

// customization tells of names that the source as a whole gives its fields.
func (p *planner) customization() {
	c := p.source.Customization
	changed := len(c.RootFields) > 0 || len(c.TypeNames) > 0 || c.Naming != "" && c.Naming != "hasura-default"
	if changed {
		p.differs("the source %s changes the names of fields or types as a whole; custom claims need the field user", cut(p.source.Name, ""))
	}
}

func (p *planner) table(k known) {
	name := schema + "." + k.table
	there := p.source.find(k.table)
	if there == nil {
		p.lacks(fmt.Sprintf("track %s as %s, one row as %s", name, k.plural, k.singular), p.call("track_table", k.table, map[string]any{
			"configuration": map[string]any{
				"custom_name": k.plural, "custom_root_fields": k.rootFields(), "custom_column_names": k.columnNames(p.tables),
			},
		}))
		return
	}
	var other []string
	want, have := k.rootFields(), there.rootFields(k.table)
	if c := there.Configuration.CustomName; c != k.plural {
		other = append(other, fmt.Sprintf("its name is %s, not %s", orNone(c), k.plural))
	}
	for _, field := range []string{"select", "select_by_pk", "select_aggregate", "insert", "insert_one", "update", "update_by_pk", "delete", "delete_by_pk"} {
		if have[field] != want[field] {
			other = append(other, fmt.Sprintf("%s is %s, not %s", field, cut(have[field], ""), want[field]))
		}
	}
	columns := k.columnNames(p.tables)
	for _, c := range slices.Sorted(maps.Keys(columns)) {
		if name := there.columnName(c); name != columns[c] {
			other = append(other, fmt.Sprintf("the column %s is %s, not %s", c, cut(name, ""), columns[c]))
		}
	}
	if len(other) == 0 {
		return
	}
	text := strings.Join(other[:min(3, len(other))], ", ")
	if more := len(other) - 3; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if k.table == "users" && have["select_by_pk"] != want["select_by_pk"] {
		text += "; custom claims need the field user"
	}
	p.differs("%s is tracked under other names: %s", name, text)
}

func orNone(name string) string {
	if name == "" {
		return "not set"
	}
	return cut(name, "")
}

func (p *planner) relationship(r relationship) {
	name := schema + "." + r.on + "." + r.name
	table, column := r.far()
	if there := p.source.find(r.on); there != nil {
		if taken, many := there.taken(r.name); taken != nil {
			if !taken.is(r, many) {
				p.differs("%s is there and leads elsewhere than along %s", name, r.via)
			}
			return
		}
		if c := p.columnCalled(there, r); c != "" {
			p.differs("%s is not there, since the column %s has its name", name, c)
			return
		}
	}
	if table == "" {
		p.lacks(fmt.Sprintf("relate %s to one row by %s", name, column), p.call("create_object_relationship", r.on, map[string]any{
			"name": r.name, "using": map[string]any{"foreign_key_constraint_on": []string{column}},
		}))
		return
	}
	p.lacks(fmt.Sprintf("relate %s to the rows of %s.%s by %s", name, schema, table, column), p.call("create_array_relationship", r.on, map[string]any{
		"name": r.name, "using": map[string]any{"foreign_key_constraint_on": map[string]any{"table": ref(table), "columns": []string{column}}},
	}))
}

// columnCalled finds a column that has the relationship's name in queries.
func (p *planner) columnCalled(there *tracked, r relationship) string {
	i := slices.IndexFunc(p.tables[r.on], func(c string) bool { return there.columnName(c) == r.name })
	if i < 0 {
		return ""
	}
	return p.tables[r.on][i]
}

// tokens lets users list their personal access tokens and delete them, as Hasura Auth's Node
// generation did. Where somebody decided otherwise about that role, nothing is added.
func (p *planner) tokens() {
	const table, role = "refresh_tokens", "user"
	columns := []string{"id", "created_at", "expires_at", "metadata", "type", "user_id"}
	there := p.source.find(table)
	if !p.tables.has(table, columns...) || there != nil && there.has(role) {
		return
	}
	own := map[string]any{"user_id": map[string]string{"_eq": "X-Hasura-User-Id"}}
	pat := map[string]any{"type": map[string]string{"_eq": "pat"}}
	p.lacks(
		"let the role user select its own rows of auth.refresh_tokens, and delete those that are personal access tokens",
		// Both or none: after one alone the other would be taken for somebody's decision.
		call{Type: "bulk", Args: []call{
			p.call("create_select_permission", table, map[string]any{"role": role, "permission": map[string]any{"columns": columns, "filter": own}}),
			p.call("create_delete_permission", table, map[string]any{"role": role, "permission": map[string]any{"filter": map[string]any{"_and": []any{own, pat}}}}),
		}},
	)
}
