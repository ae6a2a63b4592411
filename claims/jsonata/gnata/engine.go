// Package gnata evaluates JSONata. It is a copy of github.com/recolabs/gnata v0.2.2 (MIT, see LICENSE and
// NOTICE), its packages put into one, without its streams, fast paths and custom functions.
package gnata

import (
	"context"
	"fmt"
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

// Eval evaluates the expression on decoded JSON. Nil means that there is no value; null is Null.
func (e *Expression) Eval(ctx context.Context, data any) (result any, err error) {
	defer func() {
		if what := recover(); what != nil {
			result, err = nil, fmt.Errorf("the expression breaks the engine: %v", what)
		}
	}()
	env := NewChildEnvironment(e.library)
	env.ResetCallCounter()
	env.SetContext(ctx)
	env.Bind("$", data)
	if result, err = Eval(e.tree, data, env); err != nil {
		return nil, err
	}
	if seq, ok := result.(*Sequence); ok {
		result = CollapseSequence(seq)
	}
	return result, nil
}
