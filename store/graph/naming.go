package graph

import "slices"

// nameTables gives tables their types and root fields. What has a name that is taken, or none that
// GraphQL can have, is not shown.
func (m *model) nameTables() {
	auth := authTables()
	types := map[string]bool{"query_root": true}
	types["order_by"] = true
	for _, name := range standardTypes() {
		types[name] = true
	}
	for _, t := range m.tables {
		list, one, aggregate := t.table, t.table+"_by_pk", t.table+"_aggregate"
		switch named, ok := auth[t.table]; {
		case ok && t.schema == "auth":
			list, one, aggregate = named.plural, named.singular, named.plural+"Aggregate"
		case t.schema != "public" || !m.free(types, list):
			list = t.schema + "_" + t.table
			one, aggregate = list+"_by_pk", list+"_aggregate"
		}
		if !isName(list) || !m.free(types, list) {
			continue
		}
		t.gql = list
		for _, suffix := range append(aggregateFunctions(), "", "_bool_exp", "_order_by", "_aggregate", "_aggregate_fields", "_aggregate_order_by", "_select_column") {
			if suffix != "" && suffix[0] != '_' {
				suffix = "_" + suffix + "_fields"
			}
			types[list+suffix] = true
		}
		m.addRoot(list, rootList, t)
		if len(t.primary) > 0 {
			m.addRoot(one, rootByKey, t)
		}
		m.addRoot(aggregate, rootAggregate, t)
	}
	m.nameScalars(types)
}

// nameScalars gives types of columns another name where a table has theirs.
func (m *model) nameScalars(types map[string]bool) {
	for _, t := range m.tables {
		for _, c := range t.columns {
			for s := c.typ; s != nil; s = s.element {
				for types[s.gql] && !slices.Contains(standardTypes(), s.gql) {
					s.gql += "_scalar"
				}
			}
		}
	}
}

func standardTypes() []string { return []string{"Int", "Float", "String", "Boolean", "ID"} }

func (m *model) free(types map[string]bool, name string) bool {
	return m.roots[name] == nil && !types[name]
}

func (m *model) addRoot(name string, kind rootKind, t *table) {
	if m.roots[name] == nil {
		m.roots[name] = &root{kind, t}
		m.rootList = append(m.rootList, name)
	}
}

func (m *model) nameColumns() {
	auth := authTables()
	for _, t := range m.tables {
		var named authTable
		if t.schema == "auth" {
			named = auth[t.table]
		}
		for _, c := range t.columns {
			name := c.name
			if own, ok := named.columns[c.name]; ok {
				name = own
			} else if named.camel {
				name = lowerCamel(c.name)
			}
			if slices.Contains(named.secret, c.name) {
				c.hidden = "it holds a secret, which is never shown"
			}
			if t.add(&field{kind: columnField, name: name, column: c}) {
				c.gql = name
			}
		}
	}
	m.dropEmpty()
	for name, r := range m.roots { // a key is asked for by all of its columns
		if r.kind == rootByKey && slices.ContainsFunc(r.table.primary, func(c *column) bool { return c.gql == "" || c.hidden != "" }) {
			delete(m.roots, name)
		}
	}
	m.rootList = slices.DeleteFunc(m.rootList, func(name string) bool { return m.roots[name] == nil })
}

// dropEmpty takes tables out that have nothing to show.
func (m *model) dropEmpty() {
	m.tables = slices.DeleteFunc(m.tables, func(t *table) bool {
		if t.gql == "" {
			return true
		}
		if slices.ContainsFunc(t.list, func(f *field) bool { return f.column.hidden == "" }) {
			return false
		}
		for name, r := range m.roots {
			if r.table == t {
				delete(m.roots, name)
			}
		}
		t.gql = ""
		return true
	})
}
