package graph_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"postern/store/graph"
)

// TestWhatIsOfferedWorks asks at random for what introspection offers: every such query is carried
// out, or Postgres finds a value wrong.
func TestWhatIsOfferedWorks(t *testing.T) {
	t.Parallel()
	d := open(t, demoSQL+odditiesSQL, demoRelationships)
	const queries = 250
	types := d.introspect(t)
	for seed := range uint64(queries) {
		g := generator{types: types, Rand: rand.New(rand.NewPCG(seed, 7))}
		query := "{ " + g.fields("query_root", 0) + " }"
		_, err := d.Query(t.Context(), query, nil)
		var known graph.Errors
		if err == nil || errors.As(err, &known) && (known[0].Extensions.Code == "data-exception" || slices.ContainsFunc([]string{"initial", "cannot be compared", "cannot be counted"}, func(s string) bool { return strings.Contains(known[0].Message, s) })) {
			continue
		}
		sql, _, _ := d.Statement(t.Context(), query, nil)
		t.Fatalf("%s\n%v\n%s", query, err, sql)
	}
}

// generator writes queries.
type generator struct {
	*rand.Rand

	types map[string]introspectedType
}

func (g generator) fields(typeName string, depth int) string {
	one := g.types[typeName]
	var b strings.Builder
	for range 1 + g.IntN(3) {
		f := one.Fields[g.IntN(len(one.Fields))]
		inner := g.types[strings.Trim(f.Type.String(), "[!]")]
		if inner.Kind == "OBJECT" && depth > 3 {
			continue
		}
		fmt.Fprintf(&b, "a%d: %s", g.IntN(1_000_000), f.Name)
		open := "("
		for _, a := range f.Args {
			if !strings.HasSuffix(a.Type.String(), "!") && g.IntN(3) > 0 || a.Name == "distinct_on" && g.IntN(4) > 0 {
				continue
			}
			fmt.Fprintf(&b, "%s%s: %s", open, a.Name, g.value(a.Name, a.Type, 0))
			open = ", "
		}
		if open == ", " {
			b.WriteString(")")
		}
		if inner.Kind == "OBJECT" {
			b.WriteString(" { " + g.fields(inner.Name, depth+1) + " }")
		}
		b.WriteString(" ")
	}
	return b.String() + "__typename"
}

// value is an input of a type.
func (g generator) value(name string, w wrapped, depth int) string {
	switch w.Kind {
	case "NON_NULL":
		return g.value(name, *w.OfType, depth)
	case "LIST":
		list := make([]string, g.IntN(3))
		for i := range list {
			list[i] = g.value(name, *w.OfType, depth)
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	one := g.types[w.Name]
	switch one.Kind {
	case "ENUM":
		return one.EnumValues[g.IntN(len(one.EnumValues))].Name
	case "INPUT_OBJECT":
		members := map[string]string{}
		for range g.IntN(3) {
			if depth < 4 {
				f := one.InputFields[g.IntN(len(one.InputFields))]
				members[f.Name] = g.value(f.Name, f.Type, depth+1)
			}
		}
		var list []string
		for _, k := range slices.Sorted(maps.Keys(members)) {
			list = append(list, k+": "+members[k])
		}
		return "{" + strings.Join(list, ", ") + "}"
	}
	switch name {
	case "path":
		return `"$.a[0]"`
	case "limit", "offset":
		return "1"
	}
	return g.scalar(w.Name)
}

func (g generator) scalar(name string) string {
	choices := map[string]string{
		"Int": "1 2 3 2147483647 -1", "smallint": "1 -5", "bigint": "1 9223372036854775807", "Float": "1 1.5", "float8": "1e3 2", "numeric": "1 1.50", "money": `"1.00"`, "Boolean": "true false",
		"uuid": `"` + ann + `" "` + bob + `"`, "String": `"a" "user" "%" "$.a"`, "citext": `"Ann@example.com" "b%"`, "timestamptz": `"2026-01-01" "now"`, "timestamp": `"2026-01-01"`, "date": `"2026-01-01"`,
		"jsonb": `{a:[1,{b:null}]} "x" 3 [true]`, "json": `{a:1}`, "inet": `"10.0.0.1"`, "mood": `"sad" "happy"`, "time": `"10:00"`, "timetz": `"10:00+01"`, "interval": `"1_day"`, "bytea": `"\\xff"`,
		"int4range": `"[1,2)"`, "int4multirange": `"{[1,2)}"`, "oid": "1", "name": `"x"`, "bpchar": `"x"`, "tsvector": `"a"`, "tsquery": `"a"`, "pg_lsn": `"0/1"`, "pair_scalar": `"(1,a)"`, "macaddr": `"08:00:2b:01:02:03"`,
		"cidr": `"10.0.0.0/8"`, "bit": `"101"`, "varbit": `"1"`,
	}
	list := strings.Fields(choices[name])
	if len(list) == 0 {
		return `"1"`
	}
	return list[g.IntN(len(list))]
}
