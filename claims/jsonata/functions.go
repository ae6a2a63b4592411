package jsonata

import (
	"fmt"
	"slices"

	"github.com/blues/jsonata-go/jparse"
)

// function is something that can be called.
type function interface {
	call(in *interpreter, args []value, context value) (value, error)
	// takes is how many arguments a callback is given, at most.
	takes() int
	same(function) bool
}

// lambda is a function of the expression, with the context and the variables of where it is written.
type lambda struct {
	node    *jparse.LambdaNode
	typed   bool
	context value
	names   *scope
}

func (l lambda) takes() int { return len(l.node.ParamNames) }

func (l lambda) same(f function) bool {
	other, ok := f.(lambda)
	return ok && other.node == l.node && other.names == l.names
}

// call runs the body. Engines differ on what a bare name in it means: a field of the context where the
// lambda is written, or where it is called. Both are followed.
func (l lambda) call(in *interpreter, args []value, context value) (value, error) {
	if in.active[l.node] >= maxAgain {
		return value{}, unknown("a function calls itself, so that its fields have no end")
	}
	in.active[l.node]++
	defer func() { in.active[l.node]-- }()
	within := &scope{outer: l.names}
	for i, name := range l.node.ParamNames {
		var v value
		if i < len(args) {
			v = args[i]
		} else if l.typed { // its type may say that the context stands in
			v = context.data()
		}
		if _, taken := in.rows[name]; taken {
			return value{}, refuse(-1, fmt.Sprintf("$%s has a meaning already", name), "another name for the parameter")
		}
		within.bind(name, v)
	}
	return in.statement(l.node.Body, join(l.context, context.data()), within)
}

// held is a function some of whose arguments are given: $f(?, 1).
type held struct {
	function
	args  []value
	holes []int
}

func (h *held) takes() int { return len(h.holes) }

func (h *held) same(f function) bool { return f == function(h) }

func (h *held) call(in *interpreter, args []value, context value) (value, error) {
	all := slices.Clone(h.args)
	for i, hole := range h.holes {
		if i < len(args) {
			all[hole] = args[i]
		}
	}
	return h.function.call(in, all, context)
}

// chained is one function after the other: $f ~> $g.
type chained struct{ first, second function }

func (c *chained) takes() int { return c.first.takes() }

func (c *chained) same(f function) bool { return f == function(c) }

func (c *chained) call(in *interpreter, args []value, context value) (value, error) {
	v, err := c.first.call(in, args, context)
	if err != nil {
		return value{}, err
	}
	return c.second.call(in, []value{v}, context)
}

// callee is what a node denotes as a function.
func (in *interpreter) callee(node jparse.Node, context value, names *scope) ([]function, error) {
	v, err := in.eval(node, context, names)
	if err != nil {
		return nil, err
	}
	if len(v.functions) == 0 {
		if near := in.meantBy(node); near != "" {
			return nil, refuse(-1, fmt.Sprintf("%s is called, but functions begin with a dollar sign", node), near)
		}
		return nil, unknown("%s is called, but is not known to be a function", node)
	}
	return v.functions, nil
}

// called are the functions that a call may mean, and what they are given.
func (in *interpreter) called(n *jparse.FunctionCallNode, context value, names *scope) ([]function, []value, error) {
	functions, err := in.callee(n.Func, context, names)
	if err != nil {
		return nil, nil, err
	}
	args, err := in.arguments(n.Args, context, names)
	return functions, args, err
}

func (in *interpreter) call(n *jparse.FunctionCallNode, context value, names *scope, step bool) (value, error) {
	if name, ok := literalKey(n, 2, names); ok {
		v, err := in.eval(n.Args[0], context, names)
		return v.name(name), err
	}
	if name, ok := literalKey(n, 1, names); ok {
		return context.name(name), nil
	}
	functions, args, err := in.called(n, context, names)
	if err != nil {
		return value{}, err
	}
	if startsWithLiteral(n) {
		args = slices.Insert(args, 0, context.data())
	}
	return in.callAll(functions, args, context, step)
}

// startsWithLiteral says whether the first of two arguments is a number or a pattern, as in
// email.$substring(0, 3), so that the context is what the function works on.
func startsWithLiteral(n *jparse.FunctionCallNode) bool {
	f, ok := n.Func.(*jparse.VariableNode)
	if !ok || len(n.Args) != 2 {
		return false
	}
	switch n.Args[0].(type) {
	case *jparse.NumberNode:
		return f.Name == "substring" || f.Name == "pad"
	case *jparse.RegexNode:
		return f.Name == "match"
	}
	return false
}

func (in *interpreter) arguments(nodes []jparse.Node, context value, names *scope) ([]value, error) {
	args := make([]value, 0, len(nodes))
	for _, node := range nodes {
		if _, ok := node.(*jparse.PlaceholderNode); ok {
			args = append(args, value{})
			continue
		}
		v, err := in.eval(node, context, names)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// callAll joins the results of all functions that a value may be. As a step of a path, a lambda with
// too few arguments is given what the path has come to as its first one.
func (in *interpreter) callAll(functions []function, args []value, context value, step bool) (all value, err error) {
	for _, f := range functions {
		v, err := f.call(in, args, context)
		if err != nil {
			return value{}, err
		}
		all = join(all, v)
		if l, ok := f.(lambda); ok && step && len(args) < l.takes() {
			if v, err = f.call(in, slices.Concat([]value{context.data()}, args), context); err != nil {
				return value{}, err
			}
			all = join(all, v)
		}
	}
	return all, nil
}

func (in *interpreter) partial(n *jparse.PartialNode, context value, names *scope) (value, error) {
	functions, err := in.callee(n.Func, context, names)
	if err != nil {
		return value{}, err
	}
	args, err := in.arguments(n.Args, context, names)
	if err != nil {
		return value{}, err
	}
	var holes []int
	for i, node := range n.Args {
		if _, ok := node.(*jparse.PlaceholderNode); ok {
			holes = append(holes, i)
		}
	}
	var v value
	for _, f := range functions {
		v.functions = append(v.functions, &held{f, args, holes})
	}
	return v, nil
}

// application is x ~> f. The left side comes before the arguments of the right one.
func (in *interpreter) application(n *jparse.FunctionApplicationNode, context value, names *scope) (value, error) {
	left, err := in.eval(n.LHS, context, names)
	if err != nil {
		return value{}, err
	}
	return in.apply(left, n.RHS, context, names)
}

func (in *interpreter) apply(left value, right jparse.Node, context value, names *scope) (value, error) {
	switch r := right.(type) {
	case *jparse.RegexNode:
		left.use()
		return value{}, nil
	case *jparse.FunctionApplicationNode:
		first, err := in.apply(left, r.LHS, context, names)
		if err != nil {
			return value{}, err
		}
		return in.apply(first, r.RHS, context, names)
	case *jparse.FunctionCallNode:
		if name, ok := literalKey(r, 1, names); ok {
			return left.name(name), nil
		}
		functions, args, err := in.called(r, context, names)
		if err != nil {
			return value{}, err
		}
		return in.callAll(functions, slices.Concat([]value{left}, args), context, false)
	}
	functions, err := in.callee(right, context, names)
	if err != nil {
		return value{}, err
	}
	var both value
	for _, first := range left.functions {
		for _, second := range functions {
			both.functions = append(both.functions, &chained{first, second})
		}
	}
	if len(left.functions) > 0 && len(left.places)+len(left.shapes) == 0 {
		return both, nil
	}
	v, err := in.callAll(functions, []value{left}, context, false)
	return join(v, both), err
}

// literalKey finds $lookup(x, 'name'), which is a step by that name.
func literalKey(n *jparse.FunctionCallNode, args int, names *scope) (string, bool) {
	f, ok := n.Func.(*jparse.VariableNode)
	if !ok || f.Name != "lookup" || len(n.Args) != args {
		return "", false
	}
	if _, taken := names.find("lookup"); taken {
		return "", false
	}
	key, ok := n.Args[args-1].(*jparse.StringNode)
	if !ok {
		return "", false
	}
	return key.Value, true
}
