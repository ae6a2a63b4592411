package jsonata

import (
	"fmt"

	"github.com/blues/jsonata-go/jparse"
)

const (
	maxSteps  = 20_000 // nodes looked at, lambdas each time they are called
	maxNested = 500    // nodes within one another
	maxAgain  = 8      // calls of a lambda within itself
)

// byHand is the advice where the fields of an expression cannot be found.
const byHand = `an object with "path" and "select": {"path": "…", "select": "profile { organisation { id } }"}`

func unknown(format string, args ...any) error {
	return refuse(-1, fmt.Sprintf(format, args...), byHand)
}

// interpreter runs an expression on places instead of values, to see where it goes.
type interpreter struct {
	root   value
	rows   map[string]builtin
	active map[*jparse.LambdaNode]int
	steps  int
	nested int
}

// scope holds variables.
type scope struct {
	outer *scope
	names map[string]value
}

func (s *scope) bind(name string, v value) {
	if s.names == nil {
		s.names = map[string]value{}
	}
	s.names[name] = v
}

func (s *scope) find(name string) (value, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.names[name]; ok {
			return v, true
		}
	}
	return value{}, false
}

// eval says what a node may denote in a context. It marks what must be read to know it.
func (in *interpreter) eval(node jparse.Node, context value, names *scope) (value, error) {
	in.nested++
	defer func() { in.nested-- }()
	if in.steps++; in.steps > maxSteps || in.nested > maxNested {
		return value{}, unknown("the expression is too intricate to find its fields")
	}
	switch n := node.(type) {
	case *jparse.StringNode, *jparse.NumberNode, *jparse.BooleanNode, *jparse.NullNode, *jparse.RegexNode:
		return value{}, nil
	case *jparse.NameNode:
		return context.name(n.Value), nil
	case *jparse.VariableNode:
		return in.variable(n.Name, context, names)
	case *jparse.PathNode:
		return in.path(n, context, names)
	case *jparse.WildcardNode:
		return context.children(), nil
	case *jparse.DescendentNode:
		return value{}, refuse(-1, "** has no end in a schema whose types refer to one another", "the path to the field")
	case *jparse.BlockNode:
		return in.block(n, context, names)
	case *jparse.AssignmentNode:
		return value{}, refuse(-1, "an assignment stands at the beginning of a part of round brackets", "($"+n.Name+" := …; …)")
	case *jparse.ObjectTransformationNode:
		return value{}, refuse(-1, "a transform |…|…| reads a whole object of unknown depth", "an object with the fields that are wanted: {\"id\": id}")
	default:
		return in.evalMore(node, context, names)
	}
}

// evalMore has the nodes that are made of others.
func (in *interpreter) evalMore(node jparse.Node, context value, names *scope) (value, error) {
	switch n := node.(type) {
	case *jparse.PredicateNode:
		return in.predicate(n, context, names)
	case *jparse.SortNode:
		return in.sort(n, context, names)
	case *jparse.GroupNode:
		return in.group(n, context, names)
	case *jparse.ConditionalNode:
		return in.conditional(n, context, names)
	case *jparse.ObjectNode:
		return in.object(n, context, context, names)
	case *jparse.ArrayNode:
		return in.all(n.Items, context, names)
	case *jparse.RangeNode:
		return in.uses(context, names, n.LHS, n.RHS)
	case *jparse.NegationNode:
		return in.uses(context, names, n.RHS)
	case *jparse.NumericOperatorNode:
		return in.uses(context, names, n.LHS, n.RHS)
	case *jparse.ComparisonOperatorNode:
		return in.uses(context, names, n.LHS, n.RHS)
	case *jparse.StringConcatenationNode:
		return in.uses(context, names, n.LHS, n.RHS)
	case *jparse.BooleanOperatorNode:
		return in.asks(context, names, n.LHS, n.RHS)
	case *jparse.LambdaNode:
		return value{functions: []function{lambda{n, false, context, names}}}, nil
	case *jparse.TypedLambdaNode:
		return value{functions: []function{lambda{n.LambdaNode, true, context, names}}}, nil
	case *jparse.FunctionCallNode:
		return in.call(n, context, names, false)
	case *jparse.PartialNode:
		return in.partial(n, context, names)
	case *jparse.FunctionApplicationNode:
		return in.application(n, context, names)
	default:
		return value{}, unknown("a part of the expression is not understood (%T)", node)
	}
}

func (in *interpreter) variable(name string, context value, names *scope) (value, error) {
	switch name {
	case "":
		return context, nil
	case "$":
		return in.root, nil
	}
	if v, ok := names.find(name); ok {
		return v, nil
	}
	if row, ok := in.rows[name]; ok {
		if row.refused != "" {
			return value{}, unknown("$%s: %s", name, row.refused)
		}
		return value{functions: []function{row}}, nil
	}
	return value{}, refuse(-1, fmt.Sprintf("there is no variable or function $%s", name), in.nearest(name))
}

func (in *interpreter) path(n *jparse.PathNode, context value, names *scope) (v value, err error) {
	v = context
	for _, step := range n.Steps {
		if repeats(step) && !in.isRoot(v) {
			v.count()
		}
		if call, ok := step.(*jparse.FunctionCallNode); ok {
			v, err = in.call(call, v, names, true)
		} else {
			v, err = in.eval(step, v, names)
		}
		if err != nil {
			return value{}, err
		}
	}
	return v, nil
}

// repeats says whether a step is taken once for each element, whatever it reads of it.
func repeats(step jparse.Node) bool {
	switch n := step.(type) {
	case *jparse.NameNode, *jparse.WildcardNode, *jparse.VariableNode:
		return false
	case *jparse.PredicateNode:
		return repeats(n.Expr)
	case *jparse.SortNode:
		return repeats(n.Expr)
	}
	return true
}

func (in *interpreter) isRoot(v value) bool {
	return len(v.shapes) == 0 && len(v.places) == 1 && v.places[0] == in.root.places[0]
}

// block has a scope of its own. Its last part is its value.
func (in *interpreter) block(n *jparse.BlockNode, context value, names *scope) (last value, err error) {
	within := &scope{outer: names}
	for _, part := range n.Exprs {
		if last, err = in.statement(part, context, within); err != nil {
			return value{}, err
		}
	}
	return last, nil
}

// statement is a part of a block, or a whole expression: only there may a variable be set, so that it
// is clear which value it has when.
func (in *interpreter) statement(node jparse.Node, context value, names *scope) (value, error) {
	set, ok := node.(*jparse.AssignmentNode)
	if !ok {
		return in.eval(node, context, names)
	}
	v, err := in.statement(set.Value, context, names)
	if err != nil {
		return value{}, err
	}
	if _, taken := in.rows[set.Name]; taken || set.Name == "" || set.Name == "$" {
		return value{}, refuse(-1, fmt.Sprintf("$%s has a meaning already", set.Name), "another name for the variable")
	}
	names.bind(set.Name, v)
	return v, nil
}

func (in *interpreter) predicate(n *jparse.PredicateNode, context value, names *scope) (value, error) {
	v, err := in.eval(n.Expr, context, names)
	if err != nil {
		return value{}, err
	}
	for _, filter := range n.Filters {
		if _, err := in.asks(v.data(), &scope{outer: names}, filter); err != nil {
			return value{}, err
		}
	}
	return v, nil
}

func (in *interpreter) sort(n *jparse.SortNode, context value, names *scope) (value, error) {
	v, err := in.eval(n.Expr, context, names)
	if err != nil {
		return value{}, err
	}
	for _, term := range n.Terms {
		if _, err := in.uses(v.data(), names, term.Expr); err != nil {
			return value{}, err
		}
	}
	return v, nil
}

func (in *interpreter) group(n *jparse.GroupNode, context value, names *scope) (value, error) {
	v, err := in.eval(n.Expr, context, names)
	if err != nil {
		return value{}, err
	}
	v.count()
	return in.object(n.ObjectNode, v.data(), v.data(), names)
}

// object makes a shape. Keys that are not written out may be any.
func (in *interpreter) object(n *jparse.ObjectNode, keys, values value, names *scope) (value, error) {
	made := &shape{fields: map[string]value{}}
	for _, pair := range n.Pairs {
		v, err := in.eval(pair[1], values, names)
		if err != nil {
			return value{}, err
		}
		if key, ok := pair[0].(*jparse.StringNode); ok {
			made.fields[key.Value] = join(made.fields[key.Value], v)
			continue
		}
		if _, err := in.uses(keys, names, pair[0]); err != nil {
			return value{}, err
		}
		made.rest = join(made.rest, v)
	}
	return value{shapes: []*shape{made}}, nil
}

func (in *interpreter) conditional(n *jparse.ConditionalNode, context value, names *scope) (value, error) {
	if _, err := in.asks(context, names, n.If); err != nil {
		return value{}, err
	}
	branches := []jparse.Node{n.Then}
	if n.Else != nil {
		branches = append(branches, n.Else)
	}
	return in.all(branches, context, names)
}

// all joins what several nodes denote.
func (in *interpreter) all(nodes []jparse.Node, context value, names *scope) (all value, err error) {
	for _, node := range nodes {
		v, err := in.eval(node, context, names)
		if err != nil {
			return value{}, err
		}
		all = join(all, v)
	}
	return all, nil
}

// uses reads the values of nodes; what comes of them is a scalar.
func (in *interpreter) uses(context value, names *scope, nodes ...jparse.Node) (value, error) {
	v, err := in.all(nodes, context, names)
	v.use()
	return value{}, err
}

// asks reads whether nodes have values.
func (in *interpreter) asks(context value, names *scope, nodes ...jparse.Node) (value, error) {
	v, err := in.all(nodes, context, names)
	v.count()
	return value{}, err
}

// answer marks the result of the whole expression.
func (in *interpreter) answer(v value, seen map[*shape]bool) error {
	v.use()
	if len(v.functions) > 0 {
		return refuse(-1, "the result is a function, not a value", "to call it: $name(…)")
	}
	for _, s := range v.shapes {
		if seen[s] {
			continue
		}
		seen[s] = true
		for _, within := range s.fields {
			if err := in.answer(within, seen); err != nil {
				return err
			}
		}
		if err := in.answer(s.rest, seen); err != nil {
			return err
		}
	}
	return nil
}
