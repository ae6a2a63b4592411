package jsonata

// walk follows a path of names as JSONata does: over all elements of a list, lists within lists joined,
// one element for itself. It keeps what it finds as it is, digits of big numbers included.
func walk(document any, names []string) (v any, found, crossed bool) {
	v = document
	for _, name := range names {
		list, isList := v.([]any)
		crossed = crossed || isList
		if isList {
			v, found = overAll(list, name)
		} else {
			v, found = member(v, name)
		}
		if !found {
			return nil, false, crossed
		}
	}
	_, isList := v.([]any)
	return v, true, crossed || isList
}

func member(v any, name string) (any, bool) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	v, ok = object[name]
	return v, ok
}

// overAll takes the step for each element. A name that only leads to empty lists is there, and empty.
func overAll(list []any, name string) (any, bool) {
	var all []any
	some := false
	for _, element := range list {
		var v any
		var ok bool
		if within, isList := element.([]any); isList {
			v, ok = overAll(within, name)
		} else {
			v, ok = member(element, name)
		}
		if !ok {
			continue
		}
		some = true
		if within, isList := v.([]any); isList {
			all = append(all, within...)
		} else {
			all = append(all, v)
		}
	}
	switch {
	case len(all) == 0:
		return []any{}, some
	case len(all) == 1:
		return all[0], true
	}
	return all, true
}
