package graph

import "strings"

// quote writes a name so that Postgres takes it as it is. Names come from the catalog; they cannot
// hold a zero byte.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (n tableName) quoted() string { return quote(n.schema) + "." + quote(n.table) }

// key writes the key of a JSON object. Keys are names of GraphQL, which the parser has held to
// letters, digits and underscores.
func key(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

// of writes a column of a row.
func (c *column) of(row string) string { return row + "." + quote(c.name) }

// operator writes an operator between values of a type. Those of Postgres itself are named with
// their schema, so that nobody can put another one in front.
func operator(op string, types ...*scalar) string {
	for _, t := range types {
		for t.element != nil {
			t = t.element
		}
		if !t.builtin {
			return op
		}
	}
	return "operator(pg_catalog." + op + ")"
}

// sqlPair is a key of a JSON object and the SQL of its value.
type sqlPair struct{ key, value string }

// sqlObject writes a JSON object. A function takes a hundred arguments, so larger objects are put
// together from several.
func sqlObject(pairs []sqlPair) string {
	const most = 50
	if len(pairs) <= most {
		return sqlObjectPart(pairs)
	}
	var parts []string
	for from := 0; from < len(pairs); from += most {
		part := sqlObjectPart(pairs[from:min(from+most, len(pairs))]) + "::text"
		if from > 0 { // without its opening brace
			part = "pg_catalog.substr(" + part + ", 2)"
		}
		if from+most < len(pairs) { // without its closing brace
			part = `pg_catalog."left"(` + part + ", -1) || ','"
		}
		parts = append(parts, part)
	}
	return "(" + strings.Join(parts, " || ") + ")::json"
}

func sqlObjectPart(pairs []sqlPair) string {
	var b strings.Builder
	b.WriteString("pg_catalog.json_build_object(")
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(key(p.key) + ", " + p.value)
	}
	b.WriteByte(')')
	return b.String()
}
