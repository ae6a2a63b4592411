package jsonata

// way is how a built-in function treats its arguments.
type way int

const (
	reads   way = iota // reads them; its result holds nothing of the tree
	counts             // asks whether there is something, or how much
	passes             // gives what it is given, or a part of it
	spreads            // gives one object for each field
	expands            // gives what is within
	looks              // $lookup: a step by name
	turns              // gives what its callback makes of each element
	filters            // gives what its callback chooses
	each               // gives what its callback makes of each field
	sifts              // gives the fields that its callback chooses
	folds              // $reduce
	sorts              // gives what it is given; reads it, or lets its callback compare
)

// builtin is a function of the language.
type builtin struct {
	name    string
	way     way
	needs   int // with fewer arguments, the context is the first one
	refused string
}

// builtins has a row for every function of gnata, which a test holds. A name that has
// none is refused.
func builtins() map[string]builtin {
	rows := map[string]builtin{}
	add := func(way way, needs int, names ...string) {
		for _, name := range names {
			rows[name] = builtin{name: name, way: way, needs: needs}
		}
	}
	add(reads, 0, "now", "millis", "random", "error", "assert")
	add(reads, 1, "string", "length", "uppercase", "lowercase", "trim", "number", "abs", "floor", "ceil", "round", "sqrt",
		"sum", "max", "min", "average", "join", "keys", "fromMillis", "toMillis", "formatBase",
		"base64encode", "base64decode", "encodeUrl", "encodeUrlComponent", "decodeUrl", "decodeUrlComponent")
	add(reads, 2, "substring", "substringBefore", "substringAfter", "pad", "contains", "split", "match",
		"formatNumber", "formatInteger", "parseInteger", "power")
	add(reads, 3, "replace")
	add(counts, 1, "count", "exists", "boolean", "not", "type")
	add(passes, 1, "distinct", "reverse", "shuffle", "append", "zip", "merge", "flatten")
	add(spreads, 1, "spread")
	add(expands, 1, "values")
	add(looks, 2, "lookup")
	add(turns, 2, "map")
	add(filters, 2, "filter")
	add(filters, 1, "single")
	add(each, 2, "each")
	add(sifts, 2, "sift")
	add(folds, 2, "reduce")
	add(sorts, 1, "sort")
	rows["eval"] = builtin{name: "eval", refused: "an expression that is only known at run time cannot be checked"}
	return rows
}

func (b builtin) takes() int { return 1 }

func (b builtin) same(f function) bool {
	other, ok := f.(builtin)
	return ok && other.name == b.name
}

func (b builtin) call(in *interpreter, args []value, context value) (value, error) {
	lonely := len(args) == 1 && len(args[0].functions) > 0 && (b.way == sorts || b.way == filters)
	if len(args) < b.needs || lonely {
		args = append([]value{context.data()}, args...)
	}
	if len(args) == 0 {
		return value{}, nil
	}
	first, rest := args[0].data(), args[1:]
	switch b.way {
	case passes:
		return join(args...).data(), nil
	case counts:
		join(args...).count()
		return value{}, nil
	case expands:
		return first.children(), nil
	case looks:
		return b.look(first, rest)
	case spreads:
		first.use()
		return first, nil
	case turns:
		first.count()
		return in.callback(rest, context, first, value{}, first)
	case each:
		first.use()
		return in.callback(rest, context, first.children(), value{}, first)
	case filters:
		return first, in.chooses(rest, context, first, value{}, first)
	case sifts:
		first.use()
		return first, in.chooses(rest, context, first.children(), value{}, first)
	case sorts:
		if len(rest) == 0 {
			first.use()
		}
		return first, in.chooses(rest, context, first, first)
	case folds:
		return in.fold(first, rest, context)
	default:
		for _, arg := range args {
			arg.use()
			if _, err := in.callback([]value{{functions: arg.functions}}, context, value{}); err != nil {
				return value{}, err
			}
		}
		return value{}, nil
	}
}

// look is a step by a name that is only known at run time: it may be any.
func (b builtin) look(first value, rest []value) (value, error) {
	for _, key := range rest {
		key.use()
	}
	value{places: first.places}.use()
	return first.children(), nil
}

// callback calls the functions among the arguments, and joins what they give.
func (in *interpreter) callback(callbacks []value, context value, args ...value) (all value, err error) {
	for _, c := range callbacks {
		for _, f := range c.functions {
			v, err := f.call(in, args[:min(len(args), f.takes())], context)
			if err != nil {
				return value{}, err
			}
			all = join(all, v)
		}
	}
	return all, nil
}

// chooses calls callbacks that say yes or no.
func (in *interpreter) chooses(callbacks []value, context value, args ...value) error {
	v, err := in.callback(callbacks, context, args...)
	v.count()
	return err
}

// fold runs the callback until it brings nothing new.
func (in *interpreter) fold(first value, rest []value, context value) (value, error) {
	first.count()
	so := first
	if len(rest) > 1 {
		so = join(first, rest[1].data())
	}
	for range 4 {
		var next value
		for _, c := range rest[:min(1, len(rest))] {
			for _, f := range c.functions {
				v, err := f.call(in, []value{so, first, {}, first}, context)
				if err != nil {
					return value{}, err
				}
				next = join(next, v.data())
			}
		}
		if so.covers(next, 6) {
			return so, nil
		}
		so = join(so, next)
	}
	return value{}, unknown("$reduce goes deeper with each round, so that its fields have no end")
}
