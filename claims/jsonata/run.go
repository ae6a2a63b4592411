package jsonata

import (
	"context"
	"errors"
	"maps"
	"slices"

	"postern/claims/jsonata/gnata"
)

const (
	maxBytes  = 16 << 20 // made by one evaluation, whether still used or not
	maxString = 1 << 20  // bytes of one text on the way
	maxCalls  = 5_000    // nodes within one another
	maxRange  = 10_000   // numbers of one range
)

// run evaluates with gnata.
func (e *Expression) run(ctx context.Context, document any) (any, error) {
	l := e.language.limits
	data, _ := withNulls(document)
	v, err := e.program.Eval(ctx, gnata.Limits{
		Time: l.Time, Steps: l.Steps, Bytes: maxBytes, Text: maxString, Nested: maxCalls, Depth: l.Depth, Range: maxRange,
	}, data, nil)
	var over *gnata.TooMuch
	if errors.As(err, &over) {
		return nil, tooMuch("%s", over.What)
	}
	return v, err
}

// withNulls tells the engine nulls from what is not there. It copies what holds one, and leaves alone
// what does not.
func withNulls(v any) (with any, changed bool) {
	switch v := v.(type) {
	case nil:
		return gnata.Null, true
	case []any:
		return nullsOfList(v)
	case map[string]any:
		return nullsOfObject(v)
	}
	return v, false
}

func nullsOfList(list []any) (any, bool) {
	with := list
	for i, v := range list {
		w, changed := withNulls(v)
		if !changed {
			continue
		}
		if &with[0] == &list[0] {
			with = slices.Clone(list)
		}
		with[i] = w
	}
	return with, len(list) > 0 && &with[0] != &list[0]
}

func nullsOfObject(object map[string]any) (any, bool) {
	var with map[string]any
	for name, v := range object {
		w, changed := withNulls(v)
		if !changed {
			continue
		}
		if with == nil {
			with = maps.Clone(object)
		}
		with[name] = w
	}
	if with == nil {
		return object, false
	}
	return with, true
}
