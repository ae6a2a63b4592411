package hooks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Transaction is the one that an event is part of. A Postgres function that it calls sees what the
// transaction wrote, and what the function writes is kept or lost with it.
type Transaction interface {
	// CallFunction calls schema.name with one jsonb and gives what it returns; nil is SQL's null. The
	// call ends at the limit.
	CallFunction(ctx context.Context, schema, name string, argument []byte, limit time.Duration) ([]byte, error)
}

// Joiner is a runner that can put its question inside a transaction.
type Joiner interface {
	Runner
	Join(ctx context.Context, tx Transaction, c Call, limit time.Duration) (Answer, error)
}

// Joining has a Postgres function take part in the transaction of an event. There is no carrying on: a
// function that fails has spoilt the transaction.
type Joining[E any] struct {
	Name    string
	Order   int
	Timeout time.Duration // 0 means DefaultTimeout

	// Join calls the function. A Denied refuses; with any error nothing of the transaction is kept.
	Join func(ctx context.Context, tx Transaction, limit time.Duration, e E) error
}

// Join is a place in a flow where Postgres functions take part in its transaction.
type Join[E event] struct {
	name     string
	hooks    *Hooks
	bindings []Joining[E]
}

func (j *Join[E]) at(name string, h *Hooks) { j.name, j.hooks = name, h }

// Bind has somebody take part.
func (j *Join[E]) Bind(b Joining[E]) error {
	if b.Join == nil || b.Name == "" {
		return fmt.Errorf("hooks: a binding of %q needs a name and somebody to ask", j.name)
	}
	if b.Timeout <= 0 {
		b.Timeout = DefaultTimeout
	}
	j.bindings = append(j.bindings, b)
	slices.SortStableFunc(j.bindings, func(a, b Joining[E]) int { return cmp.Compare(a.Order, b.Order) })
	return nil
}

// Bound tells whether there is anybody to ask.
func (j *Join[E]) Bound() bool { return len(j.bindings) > 0 }

// In has everybody take part in the transaction. After an error it must be rolled back.
func (j *Join[E]) In(ctx context.Context, tx Transaction, e E) error {
	for _, b := range j.bindings {
		if err := b.Join(ctx, tx, b.Timeout, e); err != nil {
			return j.hooks.judge(ctx, verdict{moment: j.name, hook: b.Name, eventID: e.eventID()}, err)
		}
	}
	return nil
}
