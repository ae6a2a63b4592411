package jsonata

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Limits bound one evaluation. What is zero has a default.
type Limits struct {
	Time   time.Duration // 50 ms
	Steps  int           // 1,000,000 nodes
	Output int           // 64 KiB of values
	Depth  int           // 100 objects and lists within one another
	AtOnce int           // evaluations at the same time; one less than there are processors, and one at least
}

func (l Limits) withDefaults() Limits {
	orElse := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	if l.Time <= 0 {
		l.Time = 50 * time.Millisecond
	}
	orElse(&l.Steps, 1_000_000)
	orElse(&l.Output, 64<<10)
	orElse(&l.Depth, 100)
	// A processor stays free: who runs on it looks for what comes in over the network.
	orElse(&l.AtOnce, max(1, min(runtime.GOMAXPROCS(0), runtime.NumCPU())-1))
	return l
}

// Language parses expressions that share its limits.
type Language struct {
	limits Limits
	slots  chan struct{}
}

// New gives a language with limits.
func New(limits Limits) *Language {
	limits = limits.withDefaults()
	return &Language{limits: limits, slots: make(chan struct{}, limits.AtOnce)}
}

// TooMuch is wrapped by the errors of evaluations that went over a limit.
const TooMuch = limit("the expression takes more than it may")

type limit string

func (l limit) Error() string { return string(l) }

// Evaluate runs the expression on a document: decoded JSON, whose numbers may be json.Number. The value
// is plain JSON again. Found is false when there is no value; null is a value. A list-shaped
// expression gives a list, which is empty when there was a list and nothing in it was wanted.
func (e *Expression) Evaluate(ctx context.Context, document any) (value any, found bool, err error) {
	if e.plain {
		value, found, crossed := walk(document, e.path)
		return e.finish(value, found, crossed)
	}
	select {
	case e.language.slots <- struct{}{}:
		defer func() { <-e.language.slots }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	value, err = e.run(ctx, document)
	if err != nil {
		return nil, false, err
	}
	crossed := false
	if value == nil && e.list {
		v, found, over := walk(document, e.path)
		crossed = len(e.path) > 0 && (over || found && v != nil)
	}
	return e.finish(value, value != nil, crossed)
}

// finish gives the value its shape, and holds it against the limits.
func (e *Expression) finish(v any, found, crossed bool) (any, bool, error) {
	n := normaliser{left: e.language.limits.Output, depth: e.language.limits.Depth}
	v, err := n.value(v, 0)
	if err != nil {
		return nil, false, err
	}
	if !e.list {
		return v, found, nil
	}
	list, isList := v.([]any)
	switch {
	case isList:
		return list, true, nil
	case found && (v != nil || crossed):
		return []any{v}, true, nil
	case crossed:
		return []any{}, true, nil
	}
	return nil, false, nil
}

func tooMuch(format string, args ...any) error {
	return fmt.Errorf("%w: %s", TooMuch, fmt.Sprintf(format, args...))
}
