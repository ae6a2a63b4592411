package jsonata

import (
	"context"
	"fmt"
)

// run evaluates with gnata.
func (e *Expression) run(ctx context.Context, document any) (v any, err error) {
	defer func() {
		if what := recover(); what != nil {
			v, err = nil, fmt.Errorf("the expression breaks the engine: %v", what)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, e.language.limits.Time)
	defer cancel()
	return e.program.Eval(ctx, document)
}
