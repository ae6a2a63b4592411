package graph

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// A model is the graph: what can be asked for, under which names, and where it is in the database.
type model struct {
	tables   []*table // in the order of their names
	roots    map[string]*root
	rootList []string
	problems []string // settings that do not fit the database

	schema func() *schema // made when somebody asks
}

// A root is a field that a query begins with.
type root struct {
	kind  rootKind
	table *table
}

type rootKind int

const (
	rootList rootKind = iota
	rootByKey
	rootAggregate
)

type table struct {
	tableName

	oid     uint32
	comment string
	gql     string // the name of its type
	columns []*column
	bySQL   map[string]*column
	byNum   map[int16]*column
	primary []*column
	unique  [][]*column // the primary key, too
	foreign []foreignKey

	fields map[string]*field
	list   []*field // columns, then relations, in order
}

type column struct {
	name    string // in SQL
	gql     string // empty when it cannot be asked for
	typ     *scalar
	notNull bool
	hidden  string // why it is not shown
	comment string
}

type foreignKey struct {
	name     string
	from, to []*column
	target   *table
}

// A field is what an object has.
type field struct {
	kind   fieldKind
	name   string
	also   string // the field's first name, when this is another
	column *column
	rel    *relation
}

type fieldKind int

const (
	columnField fieldKind = iota
	objectField
	listField
	aggregateField
)

// A relation leads from the rows of one table to those of another.
type relation struct {
	from, to   *table
	near, far  []*column // pairs that must be equal
	many       bool
	single     bool // at most one row can fit
	alwaysThat bool // exactly one row fits
}

// scalar is the type of a column.
type scalar struct {
	gql     string
	cast    string // the type in SQL, quoted
	builtin bool   // of pg_catalog, so are its operators
	ordered bool
	element *scalar // of an array
}

func (s *scalar) isText() bool {
	return s.element == nil && slices.Contains([]string{"String", "citext", "bpchar"}, s.gql)
}

func (s *scalar) isNumber() bool {
	return s.element == nil && slices.Contains([]string{"Int", "smallint", "bigint", "Float", "float8", "numeric", "money"}, s.gql)
}

func (s *scalar) isJSON() bool {
	return s.element == nil && (s.gql == "json" || s.gql == "jsonb")
}

// isUnique tells whether at most one row has given values in these columns.
func (t *table) isUnique(columns []*column) bool {
	return slices.ContainsFunc(t.unique, func(key []*column) bool {
		return !slices.ContainsFunc(key, func(c *column) bool { return !slices.Contains(columns, c) })
	})
}

func (t *table) add(f *field) bool {
	if f.name == "" || !isName(f.name) || t.fields[f.name] != nil {
		return false
	}
	t.fields[f.name] = f
	t.list = append(t.list, f)
	return true
}

// newModel makes the graph of a catalog.
func newModel(c *catalog, words english, s Settings) *model {
	m := &model{roots: map[string]*root{}}
	byOID := map[uint32]*table{}
	for _, t := range c.Tables {
		byOID[t.OID] = &table{
			tableName: tableName{t.Schema, t.Name}, oid: t.OID, comment: t.Comment,
			bySQL: map[string]*column{}, byNum: map[int16]*column{}, fields: map[string]*field{},
		}
		m.tables = append(m.tables, byOID[t.OID])
	}
	// Hasura Auth's own names come first, then what is in public.
	rank := func(t *table) int {
		switch t.schema {
		case "auth":
			return 0
		case "public":
			return 1
		}
		return 2
	}
	slices.SortStableFunc(m.tables, func(a, b *table) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.schema, b.schema), cmp.Compare(a.table, b.table))
	})
	m.addColumns(c, byOID)
	addKeys(c, byOID)
	m.nameTables()
	m.nameColumns()
	for _, schema := range s.Schemas {
		if schema != "auth" && !slices.ContainsFunc(c.Tables, func(t catalogTable) bool { return t.Schema == schema }) {
			m.problems = append(m.problems, fmt.Sprintf("AUTH_CLAIMS_SCHEMAS: the schema %s has no tables that Postern may read", schema))
		}
	}
	m.relate(words, s.Relationships)
	m.schema = sync.OnceValue(m.describe)
	return m
}

func (m *model) addColumns(c *catalog, byOID map[uint32]*table) {
	types := newTypes(c.Types)
	for _, col := range c.Columns {
		t := byOID[col.Table]
		if t == nil {
			continue
		}
		made := &column{name: col.Name, typ: types.of(col.Type), notNull: col.NotNull, comment: col.Comment}
		if !col.Readable {
			made.hidden = "the role that Postern has in the database may not read it"
		}
		t.columns = append(t.columns, made)
		t.bySQL[col.Name] = made
		t.byNum[col.Num] = made
	}
}

func addKeys(c *catalog, byOID map[uint32]*table) {
	columns := func(t *table, nums []int16) []*column {
		found := make([]*column, len(nums))
		for i, n := range nums {
			found[i] = t.byNum[n]
		}
		return found
	}
	for _, k := range c.Keys {
		t := byOID[k.Table]
		if t == nil {
			continue
		}
		switch own := columns(t, k.Columns); k.Kind {
		case "p":
			t.primary = own
			t.unique = append(t.unique, own)
		case "u":
			t.unique = append(t.unique, own)
		case "f":
			if to := byOID[k.Target]; to != nil {
				t.foreign = append(t.foreign, foreignKey{k.Name, own, columns(to, k.ToColumns), to})
			}
		}
	}
}
