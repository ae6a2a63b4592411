package gnata

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Limits bound one evaluation.
type Limits struct {
	Time   time.Duration
	Steps  int // nodes, calls and comparisons
	Bytes  int // made in all, whether still used or not
	Text   int // bytes of one text
	Nested int // nodes within one another
	Depth  int // lists and objects within one another, of values that are walked through
	Range  int // numbers of one range
}

// TooMuch is the error of an evaluation that goes over a limit.
type TooMuch struct{ What string }

func (t *TooMuch) Error() string { return t.What }

// Meter counts what an evaluation takes. A nil Meter counts nothing.
type Meter struct {
	limits   Limits
	context  context.Context // of one evaluation
	deadline time.Time

	steps, bytes, nested int
	unseen               int // work since the last look at the clock
	over                 error
}

// NewMeter starts the clock.
func NewMeter(ctx context.Context, limits Limits) *Meter {
	return &Meter{limits: limits, context: ctx, deadline: time.Now().Add(limits.Time)}
}

const (
	slotBytes = 16    // an element of a list
	keyBytes  = 96    // a key of an object, about
	lookAfter = 4_096 // units of work, some 50 µs
)

func (m *Meter) stop(format string, args ...any) error {
	if m.over == nil {
		m.over = &TooMuch{fmt.Sprintf(format, args...)}
	}
	return m.over
}

// work counts units of work, each about a comparison.
func (m *Meter) work(units int) error {
	if m == nil {
		return nil
	}
	if m.over != nil {
		return m.over
	}
	if m.unseen += units; m.unseen < lookAfter {
		return nil
	}
	m.unseen = 0
	runtime.Gosched() // who waits for something short goes first
	if err := m.context.Err(); err != nil {
		m.over = err
		return err
	}
	if time.Now().After(m.deadline) {
		return m.stop("it takes longer than %s", m.limits.Time)
	}
	return nil
}

func (m *Meter) step() error {
	if m == nil {
		return nil
	}
	if m.steps++; m.steps > m.limits.Steps {
		return m.stop("it takes more than %d steps", m.limits.Steps)
	}
	return m.work(16)
}

// enter goes into a node.
func (m *Meter) enter() error {
	if m == nil {
		return nil
	}
	if m.nested++; m.nested > m.limits.Nested {
		return m.stop("it calls itself too deeply")
	}
	return m.step()
}

func (m *Meter) leave() {
	if m != nil {
		m.nested--
	}
}

// take counts bytes that are about to be made.
func (m *Meter) take(bytes int) error {
	if m == nil {
		return nil
	}
	if bytes < 0 || bytes > m.limits.Bytes || m.bytes+bytes > m.limits.Bytes {
		return m.stop("it makes more than %d bytes", m.limits.Bytes)
	}
	m.bytes += bytes
	return m.work(bytes / 16)
}

// slots counts elements of lists that are about to be made.
func (m *Meter) slots(n int) error { return m.take(n * slotBytes) }

// text counts a text that is about to be made.
func (m *Meter) text(bytes int) error {
	if m != nil && (bytes < 0 || bytes > m.limits.Text) {
		return m.stop("it makes a text of more than %d bytes", m.limits.Text)
	}
	return m.take(bytes)
}

// weigh counts a value with all that is in it, as often as it is in it. It comes before whatever walks
// through a value: a list that holds another one twice is quickly made, and takes long to read.
func (m *Meter) weigh(v any) error {
	if m == nil {
		return nil
	}
	return m.weighAt(v, 0)
}

func (m *Meter) weighAt(v any, depth int) error {
	if depth > m.limits.Depth {
		return m.stop("it has more than %d lists and objects within one another", m.limits.Depth)
	}
	switch v := v.(type) {
	case string:
		return m.take(len(v) + slotBytes)
	case []any:
		return m.weighAll(v, depth)
	case *Sequence:
		return m.weighAll(v.Values, depth)
	case *OrderedMap, map[string]any:
		var err error
		MapRange(v, func(key string, within any) bool {
			if err = m.take(len(key) + slotBytes); err == nil {
				err = m.weighAt(within, depth+1)
			}
			return err == nil
		})
		return err
	}
	return m.take(slotBytes)
}

func (m *Meter) weighAll(list []any, depth int) error {
	if err := m.slots(len(list)); err != nil {
		return err
	}
	for _, v := range list {
		if err := m.weighAt(v, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// lists weighs the lists among the elements of a list: only they make it deeper than it looks.
func (m *Meter) lists(v any) error {
	if m == nil {
		return nil
	}
	values, ok := v.([]any)
	if s, isSequence := v.(*Sequence); isSequence {
		values, ok = s.Values, true
	}
	if !ok {
		return nil
	}
	for _, element := range values {
		switch element.(type) {
		case []any, *Sequence:
			if err := m.weighAt(element, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// match comes before a pattern runs: it may take as long as the text times the pattern, and note a few
// hundred bytes for each character that matches.
func (m *Meter) match(text string, pattern int) error {
	if m == nil {
		return nil
	}
	if err := m.take(256 * len(text)); err != nil {
		return err
	}
	const most = 4_000_000 // about 50 ms
	if pattern > 0 && len(text) > most/pattern {
		return m.stop("a pattern of this size is too much for a text of %d bytes", len(text))
	}
	return m.work(len(text) * pattern)
}

// guarded counts what a built-in function takes and gives.
func guarded(name string, f func(args []any, focus any, env *Environment) (any, error)) EnvAwareBuiltin {
	return func(args []any, focus any, env *Environment) (any, error) {
		m := env.meter()
		if m == nil {
			return f(args, focus, env)
		}
		given := args
		if len(given) == 0 {
			given = []any{focus}
		}
		if err := m.before(name, given); err != nil {
			return nil, err
		}
		result, err := f(args, focus, env)
		if err != nil {
			return nil, err
		}
		return result, m.after(name, result)
	}
}

// before counts what a function takes beyond its result.
func (m *Meter) before(name string, args []any) error {
	first := args[0]
	text, _ := first.(string)
	switch name {
	case "string", "distinct", "flatten":
		for _, arg := range args {
			if err := m.weigh(arg); err != nil {
				return err
			}
		}
		if name == "string" {
			return m.weigh(first) // it is copied before it is written
		}
	case "sort", "contains", "join":
		if err := m.weigh(first); err != nil {
			return err
		}
		if name == "join" && len(args) > 1 {
			separator, _ := args[1].(string)
			return m.joined(first, len(separator))
		}
	case "map", "filter", "single", "reduce", "append", "reverse", "shuffle", "zip", "sum", "max", "min", "average":
		for _, arg := range args {
			if err := m.slots(length(arg)); err != nil {
				return err
			}
		}
	case "spread", "keys", "values", "each", "sift":
		return m.take(keyBytes * 4 * fields(first))
	case "split":
		return m.take(64 * len(text))
	case "length", "substring", "pad", "uppercase", "lowercase", "trim",
		"encodeUrl", "encodeUrlComponent", "decodeUrl", "decodeUrlComponent", "base64encode", "base64decode":
		return m.take(4 * len(text))
	case "formatNumber", "formatInteger", "parseInteger", "formatBase", "number", "fromMillis", "toMillis", "now", "eval":
		most := 1_000
		if name == "eval" {
			most = 8 << 10
		}
		for _, arg := range args {
			if s, ok := arg.(string); ok && len(s) > most {
				return m.stop("$%s takes texts of at most %d bytes", name, most)
			}
		}
	}
	return nil
}

// joined counts what $join makes before it makes it.
func (m *Meter) joined(list any, separator int) error {
	values, _ := list.([]any)
	bytes := max(0, len(values)-1) * separator
	for _, v := range values {
		s, _ := v.(string)
		bytes += len(s)
	}
	return m.text(bytes)
}

// after counts what a function gives, unless that was there before.
func (m *Meter) after(name string, result any) error {
	switch name {
	case "lookup", "single", "eval":
		return nil
	}
	switch v := result.(type) {
	case string:
		return m.text(len(v))
	case []any, *Sequence:
		if err := m.slots(length(v)); err != nil {
			return err
		}
		return m.lists(v)
	case *OrderedMap, map[string]any:
		return m.take(keyBytes * fields(v))
	}
	return nil
}

func length(v any) int {
	switch v := v.(type) {
	case []any:
		return len(v)
	case *Sequence:
		return len(v.Values)
	}
	return 1
}

func fields(v any) int {
	if list, ok := v.([]any); ok {
		n := 0
		for _, element := range list {
			n += MapLen(element)
		}
		return n
	}
	return MapLen(v)
}

// replaced counts a text that grows piece by piece.
func (m *Meter) replaced(s string, pattern, with string) error {
	return m.text(len(s) + strings.Count(s, pattern)*len(with))
}
