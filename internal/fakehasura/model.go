package fakehasura

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// model is what may be queried, put together from the metadata and the database.
type model struct {
	types  map[ref]*objectType
	roots  map[string]root
	schema *ast.Schema
}

// objectType is a tracked table.
type objectType struct {
	name      string
	table     table
	entry     object
	columns   map[string]column // by the name that queries use
	relations map[string]relation
}

// root is a field of query_root.
type root struct {
	kind string // list, one or aggregate
	of   *objectType
}

// columnName is the name of a column in queries.
func columnName(entry object, column string) string {
	configuration, _ := entry["configuration"].(object)
	if config, ok := configuration["column_config"].(object); ok {
		if one, ok := config[column].(object); ok {
			if name, ok := one["custom_name"].(string); ok && name != "" {
				return name
			}
		}
	}
	if names, ok := configuration["custom_column_names"].(object); ok {
		if name, ok := names[column].(string); ok && name != "" {
			return name
		}
	}
	return column
}

// newModel reads the metadata. What is inconsistent, such as a table that is gone, is left out.
func newModel(m *metadata, all catalog) (*model, error) {
	out := &model{types: map[ref]*objectType{}, roots: map[string]root{}}
	for _, s := range list(m.root, "sources") {
		source, _ := s.(object)
		for _, t := range list(source, "tables") {
			entry, _ := t.(object)
			r, _ := refOf(entry["table"])
			if table, ok := all[r]; ok {
				out.add(entry, table)
			}
		}
	}
	for _, t := range out.types {
		for _, kind := range []string{"object_relationships", "array_relationships"} {
			for _, r := range list(t.entry, kind) {
				entry, _ := r.(object)
				using, _ := entry["using"].(object)
				name, _ := entry["name"].(string)
				relation, p := resolve(t.table, kind, using, all)
				if p == nil && out.types[relation.table] != nil {
					t.relations[name] = relation
				}
			}
		}
	}
	var err error
	if out.schema, err = gqlparser.LoadSchema(&ast.Source{Name: "hasura", Input: out.sdl()}); err != nil {
		return nil, fmt.Errorf("fakehasura: the metadata makes no schema: %w", err)
	}
	return out, nil
}

func (m *model) add(entry object, t table) {
	configuration, _ := entry["configuration"].(object)
	base := t.ref.name
	if t.ref.schema != "public" {
		base = t.ref.schema + "_" + base
	}
	if name, ok := configuration["custom_name"].(string); ok && name != "" {
		base = name
	}
	o := &objectType{name: base, table: t, entry: entry, columns: map[string]column{}, relations: map[string]relation{}}
	for _, c := range t.columns {
		o.columns[columnName(entry, c.name)] = c
	}
	m.types[t.ref] = o
	fields, _ := configuration["custom_root_fields"].(object)
	named := func(field, otherwise string) string {
		switch v := fields[field].(type) {
		case string:
			return v
		case object:
			if name, ok := v["name"].(string); ok {
				return name
			}
		}
		return otherwise
	}
	m.roots[named("select", base)] = root{"list", o}
	m.roots[named("select_aggregate", base+"_aggregate")] = root{"aggregate", o}
	if slices.ContainsFunc(t.columns, func(c column) bool { return c.key }) {
		m.roots[named("select_by_pk", base+"_by_pk")] = root{"one", o}
	}
}

// scalar is the name of a column's type in the schema.
func (c column) scalar() string {
	switch c.typ {
	case "int4":
		return "Int"
	case "float4":
		return "Float" // and float8 is a scalar of its own
	case "int8":
		return "bigint"
	case "int2":
		return "smallint"
	case "bool":
		return "Boolean"
	case "text", "varchar":
		return "String"
	}
	return c.typ
}

func (c column) graphql() string {
	name := c.scalar()
	if c.array {
		name = "[" + name + "!]"
	}
	if c.notNull {
		name += "!"
	}
	return name
}

const listArguments = "(distinct_on: [%[1]s_select_column!], limit: Int, offset: Int, order_by: [%[1]s_order_by!], where: %[1]s_bool_exp)"

// sdl writes the schema down as text.
func (m *model) sdl() string {
	var b strings.Builder
	b.WriteString("schema { query: query_root }\nenum order_by { asc asc_nulls_first asc_nulls_last desc desc_nulls_first desc_nulls_last }\n")
	b.WriteString("type query_root {\n")
	if len(m.roots) == 0 {
		b.WriteString("no_queries_available: String!\n")
	}
	for _, name := range slices.Sorted(maps.Keys(m.roots)) {
		root := m.roots[name]
		arguments := fmt.Sprintf(listArguments, root.of.name)
		switch root.kind {
		case "list":
			fmt.Fprintf(&b, "%s%s: [%s!]!\n", name, arguments, root.of.name)
		case "aggregate":
			fmt.Fprintf(&b, "%s%s: %s_aggregate!\n", name, arguments, root.of.name)
		case "one":
			var keys []string
			for _, c := range root.of.table.columns {
				if c.key {
					keys = append(keys, columnName(root.of.entry, c.name)+": "+c.scalar()+"!")
				}
			}
			fmt.Fprintf(&b, "%s(%s): %s\n", name, strings.Join(keys, ", "), root.of.name)
		}
	}
	b.WriteString("}\n")
	scalars := map[string]bool{"Int": true, "Float": true, "Boolean": true, "String": true}
	for _, r := range slices.SortedFunc(maps.Keys(m.types), func(a, b ref) int { return strings.Compare(a.String(), b.String()) }) {
		for _, c := range m.types[r].columns {
			scalars[c.scalar()] = true
		}
		m.types[r].sdl(&b, m)
	}
	for _, s := range slices.Sorted(maps.Keys(scalars)) {
		if !slices.Contains([]string{"Int", "Float", "Boolean", "String"}, s) {
			fmt.Fprintf(&b, "scalar %s\n", s)
		}
		fmt.Fprintf(&b, "input %[1]s_comparison_exp { _eq: %[1]s _neq: %[1]s _gt: %[1]s _gte: %[1]s _lt: %[1]s _lte: %[1]s "+
			"_in: [%[1]s!] _nin: [%[1]s!] _is_null: Boolean _like: String _ilike: String _contains: %[1]s _has_key: String }\n", s)
	}
	return b.String()
}

// sdl writes down the types that belong to a table.
func (t *objectType) sdl(b *strings.Builder, m *model) {
	columns, relations := slices.Sorted(maps.Keys(t.columns)), slices.Sorted(maps.Keys(t.relations))
	fmt.Fprintf(b, "type %s {\n", t.name)
	for _, name := range columns {
		c, arguments := t.columns[name], ""
		if c.typ == "jsonb" || c.typ == "json" {
			arguments = "(path: String)"
		}
		fmt.Fprintf(b, "%s%s: %s\n", name, arguments, c.graphql())
	}
	for _, name := range relations {
		r := t.relations[name]
		other := m.types[r.table].name
		switch {
		case r.many:
			fmt.Fprintf(b, "%s%s: [%s!]!\n", name, fmt.Sprintf(listArguments, other), other)
			fmt.Fprintf(b, "%s_aggregate%s: %s_aggregate!\n", name, fmt.Sprintf(listArguments, other), other)
		case t.always(r):
			fmt.Fprintf(b, "%s: %s!\n", name, other)
		default:
			fmt.Fprintf(b, "%s: %s\n", name, other)
		}
	}
	fmt.Fprintf(b, "}\ntype %[1]s_aggregate { aggregate: %[1]s_aggregate_fields nodes: [%[1]s!]! }\n", t.name)
	fmt.Fprintf(b, "type %[1]s_aggregate_fields { count(columns: [%[1]s_select_column!], distinct: Boolean): Int! }\n", t.name)
	fmt.Fprintf(b, "enum %s_select_column { %s }\n", t.name, strings.Join(columns, " "))
	fmt.Fprintf(b, "input %[1]s_bool_exp {\n_and: [%[1]s_bool_exp!]\n_or: [%[1]s_bool_exp!]\n_not: %[1]s_bool_exp\n", t.name)
	for _, name := range columns {
		fmt.Fprintf(b, "%s: %s_comparison_exp\n", name, t.columns[name].scalar())
	}
	for _, name := range relations {
		fmt.Fprintf(b, "%s: %s_bool_exp\n", name, m.types[t.relations[name].table].name)
	}
	fmt.Fprintf(b, "}\ninput %s_order_by {\n", t.name)
	for _, name := range columns {
		fmt.Fprintf(b, "%s: order_by\n", name)
	}
	for _, name := range relations {
		if r := t.relations[name]; !r.many {
			fmt.Fprintf(b, "%s: %s_order_by\n", name, m.types[r.table].name)
		}
	}
	b.WriteString("}\n")
}

// always tells whether an object relationship has an object for every row: it goes along a foreign
// key whose columns are never null.
func (t *objectType) always(r relation) bool {
	if !slices.ContainsFunc(t.table.keys, func(k foreignKey) bool { return k.to == r.table && slices.Equal(k.columns, r.mine) }) {
		return false
	}
	return !slices.ContainsFunc(r.mine, func(name string) bool { return !t.table.column(name).notNull })
}
