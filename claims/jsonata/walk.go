package jsonata

// walk follows a path of names as JSONata does: over all elements of a list, lists within lists joined,
// one element for itself. Where the last name leads to one value alone, and that is a list of the data,
// it stays a list. It keeps what it finds as it is, digits of big numbers included.
func walk(document any, names []string) (v any, found, crossed bool) {
	v = document
	for i, name := range names {
		list, isList := v.([]any)
		crossed = crossed || isList
		if isList {
			v, found = overAll(list, name, i > 0 && i == len(names)-1)
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
func overAll(list []any, name string, last bool) (any, bool) {
	var all []any
	var only any // the last list that is a value itself
	values := 0
	for _, element := range list {
		var v any
		var ok bool
		within, nested := element.([]any)
		if nested {
			v, ok = overAll(within, name, false)
		} else {
			v, ok = member(element, name)
		}
		if !ok {
			continue
		}
		values++
		if items, isList := v.([]any); isList {
			all = append(all, items...)
			if !nested {
				only = v
			}
		} else {
			all = append(all, v)
		}
	}
	switch {
	case last && values == 1 && only != nil:
		return only, true
	case len(all) == 0:
		return []any{}, values > 0
	case len(all) == 1:
		return all[0], true
	}
	return all, true
}
