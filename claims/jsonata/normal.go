package jsonata

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"postern/claims/jsonata/gnata"
)

// normaliser makes plain JSON of what the engine gives, and counts what it weighs.
type normaliser struct {
	left  int // bytes
	depth int
}

func (n *normaliser) value(v any, depth int) (any, error) {
	if depth > n.depth {
		return nil, tooMuch("the result has more than %d lists and objects within one another", n.depth)
	}
	switch v := v.(type) {
	case nil:
		return nil, n.spend(4)
	case bool:
		return v, n.spend(5)
	case string:
		return v, n.spend(len(v) + 2)
	case json.Number:
		return v, n.spend(len(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the result is a number without end")
		}
		return v, n.spend(8)
	case []any:
		return n.list(v, depth)
	case map[string]any:
		return n.object(v, depth)
	case interface{ ToMap() map[string]any }:
		return n.object(v.ToMap(), depth)
	}
	if gnata.IsNull(v) {
		return nil, n.spend(4)
	}
	return nil, fmt.Errorf("the result holds a function, or what is no JSON (%T)", v)
}

func (n *normaliser) list(list []any, depth int) (any, error) {
	if len(list) > n.left {
		return nil, n.spend(len(list))
	}
	all := make([]any, len(list))
	for i, v := range list {
		var err error
		if all[i], err = n.value(v, depth+1); err != nil {
			return nil, err
		}
	}
	return all, n.spend(2)
}

func (n *normaliser) object(object map[string]any, depth int) (any, error) {
	all := make(map[string]any, len(object))
	for name, v := range object {
		if err := n.spend(len(name) + 4); err != nil {
			return nil, err
		}
		var err error
		if all[name], err = n.value(v, depth+1); err != nil {
			return nil, err
		}
	}
	return all, n.spend(2)
}

func (n *normaliser) spend(bytes int) error {
	if n.left -= bytes + 1; n.left < 0 {
		return tooMuch("the result is too long")
	}
	return nil
}
