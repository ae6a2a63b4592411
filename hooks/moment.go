package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// event is what every event struct has by embedding Event.
type event interface{ eventID() string }

// Moment is a place in a flow where hooks are asked, with no transaction open. Bind everybody before
// the first event; after that it is safe for concurrent use.
type Moment[E event] struct {
	name     string
	hooks    *Hooks
	owned    bool // has one binding at most
	bindings []Binding[E]
	later    []Binding[E]
}

func (m *Moment[E]) at(name string, h *Hooks) { m.name, m.hooks = name, h }

// Bind has somebody asked. It refuses a binding that could not work.
func (m *Moment[E]) Bind(b Binding[E]) error {
	switch {
	case b.Ask == nil || b.Name == "":
		return fmt.Errorf("hooks: a binding of %q needs a name and somebody to ask", m.name)
	case b.Kind < Mutator || b.Kind > Observer:
		return fmt.Errorf("hooks: %s is bound to %q as nothing known", b.Name, m.name)
	case b.Partly && !m.owned:
		return fmt.Errorf("hooks: %s cannot leave something of %q to others, since all are asked there", b.Name, m.name)
	case b.Later && (b.Kind != Observer || m.owned):
		return fmt.Errorf("hooks: %s cannot be told of %q later, since it has a say", b.Name, m.name)
	}
	if other := m.owner(b); other != "" {
		return fmt.Errorf("hooks: %s and %s both want to take over %q; there can be one", other, b.Name, m.name)
	}
	if b.Timeout <= 0 {
		b.Timeout = DefaultTimeout
	}
	if b.Later {
		m.later = append(m.later, b)
		return nil
	}
	m.bindings = append(m.bindings, b)
	slices.SortStableFunc(m.bindings, func(a, b Binding[E]) int {
		return cmp.Or(part(a.Partly, b.Partly), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Order, b.Order))
	})
	return nil
}

// owner names who is bound already and wants what b wants, at a moment that has one owner.
func (m *Moment[E]) owner(b Binding[E]) string {
	for _, other := range m.bindings {
		if m.owned && other.Partly == b.Partly {
			return other.Name
		}
	}
	return ""
}

// part sorts those first who leave something to others.
func part(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Bound tells whether there is anybody to ask.
func (m *Moment[E]) Bound() bool { return len(m.bindings) > 0 }

// TakesAll tells whether whatever has one owner is taken over, whatever it is about.
func (m *Moment[E]) TakesAll() bool {
	return m.owned && slices.ContainsFunc(m.bindings, func(b Binding[E]) bool { return !b.Partly })
}

// Ask asks everybody in order, each about what the one before has left, and stops at the first who
// refuses. What they may change is changed in e.
func (m *Moment[E]) Ask(ctx context.Context, e *E) error {
	if m.owned {
		_, err := m.Take(ctx, e)
		return err
	}
	for _, b := range m.bindings {
		if err := m.ask(ctx, b, e); err != nil {
			return err
		}
	}
	return nil
}

// Declined is what a binding says of an event that it leaves to others.
var Declined = errors.New("hooks: left to others") //nolint:staticcheck // it reads as what somebody has done

// Take has the owner of an event take it over. Nobody has taken what nobody wanted.
func (m *Moment[E]) Take(ctx context.Context, e *E) (taken bool, err error) {
	for _, b := range m.bindings {
		if err := m.ask(ctx, b, e); !b.Partly || !errors.Is(err, Declined) {
			return true, err
		}
	}
	return false, nil
}

// ask asks one. An effect changes a copy, which counts only when all of it was allowed.
func (m *Moment[E]) ask(ctx context.Context, b Binding[E], e *E) error {
	changed := *e
	effect, err := within(ctx, b.Timeout, func(ctx context.Context) (func(*E) error, error) { return b.Ask(ctx, *e) })
	switch {
	case b.Partly && errors.Is(err, Declined):
		return Declined
	case err != nil:
	case effect == nil:
		return nil
	case b.Kind != Mutator:
		err = errors.New("it may not change anything")
	default:
		err = effect(&changed)
	}
	if err == nil {
		*e = changed
		return nil
	}
	return m.hooks.judge(ctx, verdict{moment: m.name, hook: b.Name, eventID: (*e).eventID(), carryOn: b.CarryOn}, err)
}

// within asks with a deadline.
func within[T any](ctx context.Context, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t, err := ask(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		var no *Denied
		if !errors.As(err, &no) {
			err = TimedOut{After: limit}
		}
	}
	return t, err
}

// verdict is what is known of a hook that did not just agree.
type verdict struct {
	moment, hook, eventID string
	carryOn               bool
}

// judge decides what an error of a hook means for what was asked about.
func (h *Hooks) judge(ctx context.Context, v verdict, err error) error {
	if ctx.Err() != nil {
		return ctx.Err() // the client has gone, or the whole request took too long: not the hook's fault
	}
	var no *Denied
	if errors.As(err, &no) {
		no := *no
		if no.Hook == "" {
			no.Hook = v.hook
		}
		return &no
	}
	h.failed(ctx, Failure{Moment: v.moment, Hook: v.hook, EventID: v.eventID, Err: err, Carried: v.carryOn})
	if v.carryOn {
		return nil
	}
	return &Failed{Moment: v.moment, Hook: v.hook, Err: err}
}
