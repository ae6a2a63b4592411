package graph

import (
	"fmt"
	"slices"
	"strings"
)

// A wish is a relation with the names it would like to have.
type wish struct {
	rel    *relation
	name   string // what Hasura's console suggests
	longer string // what it suggests when that is taken
	// Further names, where nothing else has them: from the column, and then from the table.
	ofColumn, ofTable []string
}

const relationshipsSetting = "AUTH_CLAIMS_RELATIONSHIPS: "

// relate gives tables their relations: those of the settings, those that Hasura Auth names, and one
// in each direction for every foreign key.
func (m *model) relate(words english, wanted Relationships) {
	taken := map[string]bool{} // relations that have a name already
	for _, w := range wanted {
		rel, problem := m.wanted(w)
		if problem != "" {
			m.problems = append(m.problems, relationshipsSetting+problem)
			continue
		}
		if t := rel.from; t.fields[w.Name] != nil {
			m.problems = append(m.problems, fmt.Sprintf(relationshipsSetting+"%s cannot be a relationship: %s has a column of that name", w, t.tableName))
			continue
		}
		rel.name(w.Name, "")
		taken[rel.key()] = true
	}
	m.relateAuth(taken)
	wishes := m.wishes(words)
	for _, w := range wishes {
		if taken[w.rel.key()] {
			continue
		}
		if !w.rel.name(w.name, "") && !w.rel.name(w.longer, "") {
			w.rel.nameAny(w.longer)
		}
	}
	for _, t := range m.tables {
		nameAgain(t, wishes)
	}
}

// key tells relations apart.
func (r *relation) key() string {
	var b strings.Builder
	fmt.Fprint(&b, r.from.tableName, "\x00", r.to.tableName)
	for i := range r.near {
		fmt.Fprint(&b, "\x00", r.near[i].name, "\x00", r.far[i].name)
	}
	return b.String()
}

// name adds the relation's field, and for a list the one that counts.
func (r *relation) name(name, also string) bool {
	kind := objectField
	if r.many {
		kind = listField
	}
	if !r.from.add(&field{kind: kind, name: name, also: also, rel: r}) {
		return false
	}
	if r.many {
		if also != "" {
			also += "_aggregate"
		}
		r.from.add(&field{kind: aggregateField, name: name + "_aggregate", also: also, rel: r})
	}
	return true
}

func (r *relation) nameAny(name string) {
	for i := 1; i < 100; i++ {
		if r.name(fmt.Sprintf("%s%d", name, i), "") {
			return
		}
	}
}

// wishes lists the relations of all foreign keys, in a stable order.
func (m *model) wishes(words english) []wish {
	var list []wish
	for _, t := range m.tables {
		for _, k := range t.foreign {
			if k.target.gql == "" {
				continue
			}
			list = append(list, t.wish(k, words))
		}
	}
	for _, t := range m.tables {
		for _, other := range m.tables {
			for _, k := range other.foreign {
				if k.target == t {
					list = append(list, other.wishBack(k, words))
				}
			}
		}
	}
	// Where several foreign keys lead to one table, the plain name is that of the column that has it.
	count := map[string]int{}
	plain := func(w wish) string { return w.rel.from.String() + "\x00" + w.name }
	for _, w := range list {
		count[plain(w)]++
	}
	for i, w := range list {
		if count[plain(w)] > 1 && !slices.Contains(w.ofColumn, w.name) {
			list[i].name = w.longer
		}
	}
	return list
}

// wish is the relation of a foreign key, to the object it refers to.
func (t *table) wish(k foreignKey, words english) wish {
	single := words.singular(k.target.table)
	w := wish{rel: &relation{from: t, to: k.target, near: k.from, far: k.to, single: true}, name: single}
	w.rel.alwaysThat = !slices.ContainsFunc(k.from, func(c *column) bool { return !c.notNull })
	w.longer = lowerCamel(single + "_by_" + joinNames(k.from, "_"))
	if len(k.from) == 1 {
		if base := baseOfKey(k.from[0].name); base != "" {
			w.ofColumn = []string{base, lowerCamel(base)}
		}
	}
	w.ofTable = []string{lowerCamel(single), k.target.table, lowerCamel(k.target.table)}
	return w
}

// wishBack is the relation from the table that a foreign key refers to.
func (t *table) wishBack(k foreignKey, words english) wish {
	rel := &relation{from: k.target, to: t, near: k.to, far: k.from, single: t.isUnique(k.from)}
	rel.many = !rel.single
	name := words.plural(t.table)
	if rel.single {
		name = words.singular(t.table)
	}
	return wish{
		rel: rel, name: name, longer: lowerCamel(name + "_by_" + joinNames(k.from, "_")),
		ofTable: []string{lowerCamel(name), t.table, lowerCamel(t.table)},
	}
}

func joinNames(columns []*column, by string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, by)
}

// nameAgain gives the relations of a table further names, unless two of them want the same one.
func nameAgain(t *table, wishes []wish) {
	for _, namesOf := range []func(wish) []string{
		func(w wish) []string { return w.ofColumn },
		func(w wish) []string { return []string{w.name, w.longer} }, // where the settings gave another
		func(w wish) []string { return w.ofTable },
	} {
		wanting := map[string]map[string]bool{}
		for _, w := range wishes {
			for _, name := range namesOf(w) {
				if w.rel.from == t && wanting[name] == nil {
					wanting[name] = map[string]bool{}
				}
				if w.rel.from == t {
					wanting[name][w.rel.key()] = true
				}
			}
		}
		for _, w := range wishes {
			if w.rel.from != t || t.schema == "auth" && w.rel.to.schema == "auth" { // Hasura Auth has named these
				continue
			}
			first := t.fieldOf(w.rel)
			for _, name := range namesOf(w) {
				if first != nil && len(wanting[name]) == 1 {
					w.rel.name(name, first.name)
				}
			}
		}
	}
}

// fieldOf is the first field of a relation.
func (t *table) fieldOf(r *relation) *field {
	for _, f := range t.list {
		if f.rel != nil && f.kind != aggregateField && f.also == "" && f.rel.key() == r.key() {
			return f
		}
	}
	return nil
}

// relateAuth names relations between tables of schema auth as the metadata of Hasura Auth does.
func (m *model) relateAuth(taken map[string]bool) {
	auth := authTables()
	for _, t := range m.tables {
		if t.schema != "auth" {
			continue
		}
		for _, r := range auth[t.table].relations {
			from := t
			if r.from != "" {
				from = m.table(tableName{"auth", r.from})
			}
			if from == nil {
				continue
			}
			for _, k := range from.foreign {
				if len(k.from) != 1 || k.from[0].name != r.column || k.target.gql == "" || r.from != "" && k.target != t {
					continue
				}
				rel := from.wish(k, english{}).rel
				if r.from != "" {
					rel = from.wishBack(k, english{}).rel
				}
				if !taken[rel.key()] && rel.name(r.name, "") {
					taken[rel.key()] = true
				}
			}
		}
	}
}

func (m *model) table(n tableName) *table {
	for _, t := range m.tables {
		if t.tableName == n {
			return t
		}
	}
	return nil
}
