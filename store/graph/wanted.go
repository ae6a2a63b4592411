package graph

import (
	"fmt"
	"slices"
	"strings"

	"postern/spelling"
)

// wanted finds what a relationship of the settings means, or says why it means nothing.
func (m *model) wanted(w Relationship) (*relation, string) {
	t := m.table(w.Table)
	if t == nil {
		return nil, fmt.Sprintf("%s: there is no table %s%s", w, w.Table, nearest(w.Table.String(), m.tableNames()))
	}
	to := m.table(w.To.tableName)
	if to == nil {
		return nil, fmt.Sprintf("%s: there is no table %s%s", w, w.To.tableName, nearest(w.To.tableName.String(), m.tableNames()))
	}
	far, problem := to.mustHave(w, w.To.column)
	if problem != "" {
		return nil, problem
	}
	if w.From != "" {
		near, problem := t.mustHave(w, w.From)
		if problem != "" {
			return nil, problem
		}
		return joined(w, t, to, near, far)
	}
	if to == t { // an own column: the object it refers to
		for _, k := range t.foreign {
			if len(k.from) == 1 && k.from[0] == far && k.target.gql != "" {
				return t.wish(k, english{}).rel, ""
			}
		}
		return nil, fmt.Sprintf("%s: %s is no foreign key, so say which column it equals: \"%s = other_table.column\"", w, w.To, w.To)
	}
	for _, k := range to.foreign { // a column that refers to this table
		if len(k.from) == 1 && k.from[0] == far && k.target == t {
			return to.wishBack(k, english{}).rel, ""
		}
	}
	if len(t.primary) != 1 {
		return nil, fmt.Sprintf("%s: %s is no foreign key to %s, so say which column it equals: \"%s.column = %s\"", w, w.To, t.tableName, t.tableName, w.To)
	}
	return joined(w, t, to, t.primary[0], far)
}

// joined is the relation of two columns that are equal.
func joined(w Relationship, t, to *table, near, far *column) (*relation, string) {
	if !canCompare(near.typ, far.typ) {
		return nil, fmt.Sprintf("%s: %s.%s (%s) and %s.%s (%s) cannot be compared", w, t.tableName, near.name, near.typ.cast, to.tableName, far.name, far.typ.cast)
	}
	single := to.isUnique([]*column{far})
	return &relation{from: t, to: to, near: []*column{near}, far: []*column{far}, single: single, many: !single}, ""
}

func canCompare(a, b *scalar) bool {
	if a.cast == b.cast {
		return a.ordered
	}
	integers := []string{"Int", "smallint", "bigint"}
	return a.element == nil && b.element == nil &&
		(a.gql == "String" && b.gql == "String" || slices.Contains(integers, a.gql) && slices.Contains(integers, b.gql))
}

func (t *table) mustHave(w Relationship, name string) (*column, string) {
	c := t.bySQL[name]
	if c == nil {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.name
		}
		return nil, fmt.Sprintf("%s: %s has no column %s%s", w, t.tableName, name, nearest(name, names))
	}
	return c, ""
}

func (m *model) tableNames() []string {
	names := make([]string, len(m.tables))
	for i, t := range m.tables {
		names[i] = t.String()
	}
	return names
}

// nearest names the closest of the candidates as the end of a sentence, if one is close.
func nearest(name string, candidates []string) string {
	best, at := "", len(name)/2+1
	for _, c := range candidates {
		if d := spelling.Distance(strings.ToLower(name), strings.ToLower(c)); d < at {
			best, at = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest is %s", best)
}
