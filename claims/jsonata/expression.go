package jsonata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/blues/jsonata-go/jparse"

	"postern/claims/jsonata/gnata"
)

// Expression is a parsed expression. It may be used by many at once.
type Expression struct {
	language *Language
	source   string
	text     string
	program  *gnata.Expression
	list     bool
	path     []string // the names it begins with
	plain    bool     // the path is all there is
	fields   *Field
	unknown  error // why there are no fields
}

// Parse reads an expression with a Language of its own.
func Parse(text string) (*Expression, error) { return New(Limits{}).Parse(text) }

// Parse reads JSONata, and the JSONPath forms of Hasura Auth, which it translates. An error is an *Error.
func (l *Language) Parse(source string) (*Expression, error) {
	t, err := translate(source)
	if err != nil {
		return nil, err
	}
	e := &Expression{language: l, source: source, text: t.text.String()}
	tree, err := t.tree()
	if err != nil {
		return nil, err
	}
	if e.program, err = gnata.Compile(e.text); err != nil {
		return nil, refuse(-1, "it is no JSONata: "+strings.TrimPrefix(err.Error(), "JSONata error "), "")
	}
	e.list = listShaped(tree)
	e.path, e.plain = pathOf(tree)
	if e.fields, err = fieldsOf(tree); err != nil {
		e.unknown = err
	}
	return e, nil
}

// tree has the expression parsed by jparse, which panics on some of what is no JSONata.
func (t *translation) tree() (tree jparse.Node, err error) {
	defer func() {
		if what := recover(); what != nil {
			tree, err = nil, refuse(-1, fmt.Sprintf("it is no JSONata: %v", what), "")
		}
	}()
	tree, err = jparse.Parse(t.text.String())
	var wrong *jparse.Error
	if errors.As(err, &wrong) {
		return nil, refuse(t.origin(wrong.Position), wrong.Error(), "")
	}
	return tree, err
}

// Source is the expression as it is written.
func (e *Expression) Source() string { return e.source }

// Text is the JSONata that is evaluated.
func (e *Expression) Text() string { return e.text }

// ListShaped says whether the result is a list however many elements there are: it is written with [],
// [*] or [?(…)], or in square brackets as a whole.
func (e *Expression) ListShaped() bool { return e.list }

// Path gives the names of an expression that is nothing but a path, with or without [].
func (e *Expression) Path() (names []string, ok bool) {
	if !e.plain {
		return nil, false
	}
	return slices.Clone(e.path), true
}

// Fields is what the expression may read below the user. An error says why it is not known.
func (e *Expression) Fields() (*Field, error) { return e.fields.clone(), e.unknown }

func listShaped(node jparse.Node) bool {
	switch n := node.(type) {
	case *jparse.PathNode:
		return n.KeepArrays
	case *jparse.ArrayNode:
		return true
	case *jparse.BlockNode:
		return len(n.Exprs) > 0 && listShaped(n.Exprs[len(n.Exprs)-1])
	case *jparse.ConditionalNode:
		return listShaped(n.Then) && (n.Else == nil || listShaped(n.Else))
	}
	return false
}

// pathOf finds the names that an expression begins with, and says whether they are all of it.
func pathOf(node jparse.Node) (names []string, all bool) {
	path, ok := node.(*jparse.PathNode)
	if !ok {
		return nil, false
	}
	for i, step := range path.Steps {
		if v, ok := step.(*jparse.VariableNode); ok && i == 0 && (v.Name == "" || v.Name == "$") {
			continue
		}
		if p, ok := step.(*jparse.PredicateNode); ok {
			if name, ok := p.Expr.(*jparse.NameNode); ok {
				names = append(names, name.Value)
			}
			return names, false
		}
		name, ok := step.(*jparse.NameNode)
		if !ok {
			return names, false
		}
		names = append(names, name.Value)
	}
	return names, len(names) > 0
}
