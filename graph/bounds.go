package graph

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"postern/auth"
	"postern/server"
)

// What one operation may be. The checks of bounded come before validation, whose rules are slow on
// documents that nobody would write.
const (
	maxTokens     = 10_000
	maxDepth      = 10   // of fields in fields
	maxSchemaDeep = 20   // the same in questions about the schema
	maxAliases    = 30   // in the whole document
	maxDirectives = 30   // in the whole document
	maxFields     = 1000 // with every fragment written out
	maxInputDeep  = 16   // of lists and objects in arguments
	maxCost       = 1000
	maxSurveys    = 10 // fields whose work grows with everything that there is
)

// surveyed are the fields that look at everything there is, however little they answer.
var surveyed = map[string]bool{"totalCount": true, "statistics": true, "health": true, "deletionReport": true, "eventReceivers": true, "userCount": true, "defaultUserCount": true, "claimsPreview": true}

// schemaLists are the lists in answers about the schema that can hold one another without end.
var schemaLists = map[string]bool{"fields": true, "inputFields": true, "interfaces": true, "possibleTypes": true}

// bounded refuses a document that is larger or deeper than any that is needed.
func bounded(query string) error {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err != nil {
		return auth.Invalid{Field: "query", Problem: "cannot be read: " + err.Error()}
	}
	m := measure{fragments: map[string]*ast.FragmentDefinition{}, under: map[string]bool{}}
	for _, f := range doc.Fragments {
		m.fragments[f.Name] = f
	}
	for _, op := range doc.Operations {
		m.directives += len(op.Directives)
		for _, v := range op.VariableDefinitions {
			m.directives += len(v.Directives)
			m.value(v.DefaultValue, 0)
		}
		m.selections(op.SelectionSet, 1, false, 0)
	}
	for _, f := range doc.Fragments { // also those that nobody spreads, whatever they are about
		m.directives += len(f.Directives)
		m.under[f.Name] = true
		m.selections(f.SelectionSet, 1, true, 0)
		m.under[f.Name] = false
	}
	return m.problem
}

// measure walks a document. It stops at the first problem, so that its own work is bounded too.
type measure struct {
	fragments                   map[string]*ast.FragmentDefinition
	under                       map[string]bool // the fragments that the walk is in
	fields, aliases, directives int
	digits                      int // that the exponents of numbers stand for
	problem                     error
}

func (m *measure) refuse(problem string, most int) {
	if m.problem == nil {
		m.problem = auth.Invalid{Field: "query", Problem: fmt.Sprintf(problem, most)}
	}
}

func (m *measure) selections(set ast.SelectionSet, depth int, schema bool, lists int) {
	for _, s := range set {
		if m.directives > maxDirectives {
			m.refuse("must not have more than %d directives", maxDirectives)
		}
		if m.problem != nil {
			return
		}
		switch s := s.(type) {
		case *ast.Field:
			m.field(s, depth, schema, lists)
		case *ast.InlineFragment:
			m.directives += len(s.Directives)
			m.fields++ // empty spreads are work too
			m.enough()
			m.selections(s.SelectionSet, depth, schema, lists)
		case *ast.FragmentSpread:
			m.directives += len(s.Directives)
			m.fields++
			m.enough()
			m.spread(s.Name, depth, schema, lists)
		}
	}
}

func (m *measure) spread(name string, depth int, schema bool, lists int) {
	f := m.fragments[name]
	if f == nil {
		return // validation says so
	}
	if m.under[name] {
		m.problem = auth.Invalid{Field: "query", Problem: "has a fragment that contains itself"}
		return
	}
	m.under[name] = true
	m.selections(f.SelectionSet, depth, schema, lists)
	m.under[name] = false
}

func (m *measure) field(f *ast.Field, depth int, schema bool, lists int) {
	m.fields++
	m.directives += len(f.Directives)
	if f.Alias != f.Name {
		m.aliases++
	}
	schema = schema || f.Name == "__schema" || f.Name == "__type"
	if schema && schemaLists[f.Name] {
		lists++
	}
	most := maxDepth
	if schema {
		most = maxSchemaDeep
	}
	switch m.enough(); {
	case depth > most:
		m.refuse("must not be deeper than %d fields", most)
	case lists > 1:
		m.refuse("must not ask for the fields of types inside those of types, %d level is enough", 1)
	case m.aliases > maxAliases:
		m.refuse("must not have more than %d aliases", maxAliases)
	}
	for _, a := range f.Arguments {
		m.value(a.Value, 0)
	}
	if m.problem == nil {
		m.selections(f.SelectionSet, depth+1, schema, lists)
	}
}

func (m *measure) enough() {
	if m.fields > maxFields {
		m.refuse("must not have more than %d fields, fragments written out", maxFields)
	}
}

func (m *measure) value(v *ast.Value, depth int) {
	if v == nil || m.problem != nil {
		return
	}
	if depth > maxInputDeep {
		m.refuse("must not nest arguments deeper than %d levels", maxInputDeep)
		return
	}
	if v.Kind == ast.IntValue || v.Kind == ast.FloatValue {
		m.number(v.Raw)
	}
	for _, c := range v.Children {
		m.value(c.Value, depth+1)
	}
}

// number refuses numbers that Postgres would write with more digits than anybody sent.
func (m *measure) number(text string) {
	digits, ok := server.DigitsOf(text)
	if m.digits += digits; m.problem == nil && (!ok || m.digits > server.MaxDigits) {
		m.problem = auth.Invalid{Field: "query", Problem: "holds a number that does not fit a double, or too many with large exponents"}
	}
}

// affordable refuses an operation whose answer could have more objects than maxCost: each field that has
// fields counts one, times the items of every list that it is in. It also refuses variables that are nested
// deeper than arguments may be.
func affordable(op *graphql.OperationContext) error {
	digits := 0
	for name, v := range op.Variables {
		if problem := troubled(v, 0, &digits); problem != "" {
			return auth.Invalid{Field: "variables." + name, Problem: problem}
		}
	}
	if cost := costOf(op.Operation.SelectionSet, op.Variables); cost > maxCost {
		return auth.Invalid{Field: "query", Problem: fmt.Sprintf("may give %d objects, more than %d at once: ask for fewer items of its lists", cost, maxCost)}
	}
	if claimsOfMany(op.Operation.SelectionSet, op.Variables, 1) {
		return auth.Invalid{Field: "query", Problem: "must ask for the claims of one user at a time: below user, or with first: 1"}
	}
	if n := surveys(op.Operation.SelectionSet, op.Variables); n > maxSurveys {
		return auth.Invalid{Field: "query", Problem: fmt.Sprintf("must not have more than %d fields that look at everything there is, such as totalCount, statistics and health", maxSurveys)}
	}
	return nil
}

// troubled says what is wrong with a value of a variable, or nothing.
func troubled(v any, depth int, digits *int) (problem string) {
	if depth > maxInputDeep {
		return fmt.Sprintf("must not be nested deeper than %d levels", maxInputDeep)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			problem = cmp.Or(problem, troubled(x, depth+1, digits))
		}
	case []any:
		for _, x := range v {
			problem = cmp.Or(problem, troubled(x, depth+1, digits))
		}
	case json.Number:
		more, ok := server.DigitsOf(string(v))
		if *digits += more; !ok || *digits > server.MaxDigits {
			return "holds a number that does not fit a double, or too many with large exponents"
		}
	}
	return problem
}

// defaultItems is how many items a list gives when nobody says.
const defaultItems = 50

func costOf(set ast.SelectionSet, variables map[string]any) int {
	cost := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			cost += costOf(s.SelectionSet, variables)
		case *ast.FragmentSpread:
			cost += costOf(s.Definition.SelectionSet, variables)
		case *ast.Field:
			if len(s.SelectionSet) > 0 && s.Name != "__schema" && s.Name != "__type" {
				cost += 1 + items(s, variables)*costOf(s.SelectionSet, variables)
			}
		}
		if cost > 1<<20 {
			return cost // it is too much already, and must not overflow
		}
	}
	return cost
}

// surveys counts the fields that look at everything. A count that is only estimated looks at nothing.
func surveys(set ast.SelectionSet, variables map[string]any) int {
	n := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			n += surveys(s.SelectionSet, variables)
		case *ast.FragmentSpread:
			n += surveys(s.Definition.SelectionSet, variables)
		case *ast.Field:
			if ofUserClaims(s) || surveyed[s.Name] && (s.Definition == nil || s.ArgumentMap(variables)["mode"] != "ESTIMATED") {
				n++
			}
			n += surveys(s.SelectionSet, variables)
		}
	}
	return n
}

// ofUserClaims tells whether a field is that of a user's claims, whose data may be another service's.
func ofUserClaims(f *ast.Field) bool {
	return f.Name == "claims" && f.ObjectDefinition != nil && f.ObjectDefinition.Name == "User"
}

// claimsOfMany tells whether an operation may ask for the claims of more than one user of a list.
func claimsOfMany(set ast.SelectionSet, variables map[string]any, times int) bool {
	for _, s := range set {
		many := false
		switch s := s.(type) {
		case *ast.InlineFragment:
			many = claimsOfMany(s.SelectionSet, variables, times)
		case *ast.FragmentSpread:
			many = claimsOfMany(s.Definition.SelectionSet, variables, times)
		case *ast.Field:
			many = times > 1 && ofUserClaims(s) || claimsOfMany(s.SelectionSet, variables, max(times, items(s, variables)))
		}
		if many {
			return true
		}
	}
	return false
}

// items is how many times a field's own fields may be answered.
func items(f *ast.Field, variables map[string]any) int {
	if f.Definition == nil || f.Definition.Arguments.ForName("first") == nil {
		return 1
	}
	given := f.ArgumentMap(variables)
	for _, name := range []string{"first", "last"} {
		if n, ok := asInt(given[name]); ok {
			return max(1, min(n, 1<<20))
		}
	}
	return defaultItems
}

func asInt(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case interface{ Int64() (int64, error) }: // json.Number
		n, err := v.Int64()
		return int(n), err == nil
	}
	return 0, false
}
