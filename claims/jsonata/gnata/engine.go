// Package gnata evaluates JSONata. It is a copy of github.com/recolabs/gnata v0.2.2 (MIT, see LICENSE and
// NOTICE), its packages put into one, with a meter that bounds an evaluation. README.md has the changes.
package gnata

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Expression is a compiled expression. It may be used by many at once.
type Expression struct {
	tree    *Node
	library *Environment
}

// Compile parses an expression.
func Compile(text string) (*Expression, error) {
	tree, err := NewParser(text).Parse()
	if err != nil {
		return nil, err
	}
	if tree, err = ProcessAST(tree); err != nil {
		return nil, err
	}
	library := NewEnvironment()
	RegisterAll(library, ApplyFunction)
	return &Expression{tree: tree, library: library}, nil
}

// Eval evaluates the expression on decoded JSON, within limits. Nil means that there is no value; null
// is Null.
func (e *Expression) Eval(ctx context.Context, limits Limits, data any, variables map[string]any) (result any, err error) {
	defer func() {
		if what := recover(); what != nil {
			result, err = nil, fmt.Errorf("the expression breaks the engine: %v", what)
		}
	}()
	env := NewChildEnvironment(e.library)
	m := NewMeter(ctx, limits)
	env.Measure(m)
	env.SetContext(ctx)
	env.Bind("$", data)
	for name, v := range variables {
		env.Bind(name, v)
	}
	result, err = Eval(e.tree, data, env)
	if m.over != nil { // an error on the way up may have been made another one
		return nil, m.over
	}
	if err != nil {
		return nil, err
	}
	if seq, ok := result.(*Sequence); ok {
		result = CollapseSequence(seq)
	}
	return result, nil
}

// Builtins are the names of the functions that the engine knows.
func Builtins() []string {
	library := NewEnvironment()
	RegisterAll(library, ApplyFunction)
	return slices.Sorted(maps.Keys(library.bindings))
}
