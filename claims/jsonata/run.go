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
	data, _ := withNulls(document, e.fields)
	v, err := e.program.Eval(ctx, gnata.Limits{
		Time: l.Time, Steps: l.Steps, Bytes: maxBytes, Text: maxString, Nested: maxCalls, Depth: l.Depth, Range: maxRange,
	}, data, nil)
	var over *gnata.TooMuch
	if errors.As(err, &over) {
		return nil, tooMuch("%s", over.What)
	}
	return v, err
}

// withNulls tells the engine nulls from what is not there, in the places that are read; nil stands for
// all. It copies what holds a null, and leaves alone what does not.
func withNulls(v any, read *Field) (with any, changed bool) {
	switch v := v.(type) {
	case nil:
		return gnata.Null, true
	case []any:
		return nullsOfList(v, read)
	case map[string]any:
		return nullsOfObject(v, read)
	}
	return v, false
}

func nullsOfList(list []any, read *Field) (any, bool) {
	with := list
	for i, v := range list {
		w, changed := withNulls(v, read)
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

func nullsOfObject(object map[string]any, read *Field) (any, bool) {
	var with map[string]any
	look := func(name string, v any, read *Field) {
		w, changed := withNulls(v, read)
		if !changed {
			return
		}
		if with == nil {
			with = maps.Clone(object)
		}
		with[name] = w
	}
	if read == nil || read.Used || read.Any != nil {
		for name, v := range object {
			look(name, v, nil)
		}
	} else {
		for name, child := range read.Children {
			if v, ok := object[name]; ok {
				look(name, v, child)
			}
		}
	}
	if with == nil {
		return object, false
	}
	return with, true
}
