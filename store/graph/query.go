package graph

import (
	"errors"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// What a query may be at most. A claims query is far below.
const (
	maxQuery  = 256 << 10 // bytes
	maxTokens = 50_000
	maxFields = 2000 // of all objects together, fragments written out
	maxDepth  = 24   // objects in objects, and conditions in conditions
	maxParams = 10_000
	maxInput  = 10_000 // parts of variables that are conditions
)

// parseQuery reads the text of a query, of which there must be one.
func parseQuery(text string) (*ast.QueryDocument, *ast.OperationDefinition, error) {
	if len(text) > maxQuery {
		return nil, nil, failure(tooLarge, "$.query", "the query has %d bytes, and at most %d are read", len(text), maxQuery)
	}
	if nesting(text) > 8*maxDepth {
		return nil, nil, invalid("$.query", "the query is nested too deeply")
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text, Name: "query"}, maxTokens)
	if err != nil {
		var at *gqlerror.Error
		if errors.As(err, &at) {
			return nil, nil, invalid("$.query", "not a valid graphql query: %s", at.Message)
		}
		return nil, nil, invalid("$.query", "not a valid graphql query")
	}
	if len(doc.Operations) != 1 {
		return nil, nil, invalid("$", "exactly one operation has to be present in the document")
	}
	op := doc.Operations[0]
	switch op.Operation {
	case ast.Mutation:
		return nil, nil, invalid("$", "no mutations exist")
	case ast.Subscription:
		return nil, nil, invalid("$", "no subscriptions exist")
	default:
	}
	return doc, op, checkFragments(doc)
}

// nesting counts how deep brackets stand in each other, at most; those in texts count, too.
func nesting(text string) int {
	deep, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[', '(':
			deep++
			most = max(most, deep)
		case '}', ']', ')':
			deep--
		}
	}
	return most
}

// checkFragments refuses fragments that contain themselves.
func checkFragments(doc *ast.QueryDocument) error {
	const inside, done = 1, 2
	state := map[string]int{}
	var walk func(set ast.SelectionSet) error
	enter := func(name string) error {
		switch state[name] {
		case inside:
			return invalid("$.fragments."+name, "the fragment definition '%s' contains itself", name)
		case done:
			return nil
		}
		fragment := doc.Fragments.ForName(name)
		if fragment == nil {
			return invalid("$", "reference to undefined fragment '%s'", name)
		}
		state[name] = inside
		err := walk(fragment.SelectionSet)
		state[name] = done
		return err
	}
	walk = func(set ast.SelectionSet) error {
		for _, s := range set {
			var err error
			switch s := s.(type) {
			case *ast.Field:
				err = walk(s.SelectionSet)
			case *ast.InlineFragment:
				err = walk(s.SelectionSet)
			case *ast.FragmentSpread:
				err = enter(s.Name)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, op := range doc.Operations {
		if err := walk(op.SelectionSet); err != nil {
			return err
		}
	}
	for _, f := range doc.Fragments {
		if err := enter(f.Name); err != nil {
			return err
		}
	}
	return nil
}

// A selected field stands once in the answer; it may have been asked for several times.
type selected struct {
	alias, name string
	args        ast.ArgumentList
	sets        []ast.SelectionSet
}

// collect gathers the fields of an object from selection sets and fragments.
func (c *compiler) collect(typeName, path string, sets []ast.SelectionSet) ([]*selected, error) {
	g := gathering{compiler: c, typeName: typeName, path: path, byAlias: map[string]*selected{}, spread: map[string]bool{}}
	for _, set := range sets {
		if err := g.add(set); err != nil {
			return nil, err
		}
	}
	c.fields += len(g.list)
	if c.fields > maxFields {
		return nil, failure(tooLarge, path, "the query asks for more than %d fields", maxFields)
	}
	return g.list, nil
}

type gathering struct {
	*compiler

	typeName, path string
	list           []*selected
	byAlias        map[string]*selected
	spread         map[string]bool
}

func (g *gathering) add(set ast.SelectionSet) error {
	for _, s := range set {
		var err error
		switch s := s.(type) {
		case *ast.Field:
			err = g.addField(s)
		case *ast.InlineFragment:
			err = g.addFragment(s.TypeCondition, s.Directives, s.SelectionSet)
		case *ast.FragmentSpread:
			fragment := g.doc.Fragments.ForName(s.Name)
			if g.spread[s.Name] || fragment == nil {
				continue
			}
			var wanted bool
			if wanted, err = g.included(s.Directives, g.path); err == nil && wanted {
				g.spread[s.Name] = true
				err = g.addFragment(fragment.TypeCondition, nil, fragment.SelectionSet)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) addFragment(on string, directives ast.DirectiveList, set ast.SelectionSet) error {
	wanted, err := g.included(directives, g.path)
	if err != nil || !wanted || on != "" && on != g.typeName {
		return err
	}
	return g.add(set)
}

func (g *gathering) addField(f *ast.Field) error {
	path := at(g.path, f.Name)
	wanted, err := g.included(f.Directives, path)
	if err != nil || !wanted {
		return err
	}
	g.gathered++
	if g.gathered > 4*maxFields {
		return failure(tooLarge, path, "the query asks for more than %d fields", maxFields)
	}
	old := g.byAlias[f.Alias]
	switch {
	case old == nil:
		made := &selected{alias: f.Alias, name: f.Name, args: f.Arguments}
		if len(f.SelectionSet) > 0 {
			made.sets = append(made.sets, f.SelectionSet)
		}
		g.byAlias[f.Alias] = made
		g.list = append(g.list, made)
	case old.name != f.Name:
		return invalid(path, "selection of both '%s' and '%s' specify the same response name, '%s'", old.name, f.Name, f.Alias)
	case argumentText(old.args) != argumentText(f.Arguments):
		return invalid(path, "inconsistent arguments between multiple selections of field '%s'", f.Name)
	case len(f.SelectionSet) > 0:
		old.sets = append(old.sets, f.SelectionSet)
	}
	return nil
}

func argumentText(args ast.ArgumentList) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a.Name + ":" + a.Value.String() + "\x00")
	}
	return b.String()
}

// included carries out @include and @skip.
func (c *compiler) included(directives ast.DirectiveList, path string) (bool, error) {
	wanted := true
	for _, d := range directives {
		if d.Name != "include" && d.Name != "skip" {
			return false, invalid(path, "directive '%s' is not defined in the schema", d.Name)
		}
		arg := d.Arguments.ForName("if")
		if arg == nil || len(d.Arguments) != 1 {
			return false, invalid(path, "missing required field 'if'")
		}
		in, err := c.open(input{value: arg.Value}, ast.NonNullNamedType("Boolean", nil), path)
		if err != nil {
			return false, err
		}
		if in.kind != boolInput {
			return false, in.mismatch(path, "Boolean", "a boolean")
		}
		if (in.raw == "true") != (d.Name == "include") {
			wanted = false
		}
	}
	return wanted, nil
}
