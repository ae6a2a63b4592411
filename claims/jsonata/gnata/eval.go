package gnata

import (
	"fmt"
	"slices"
)

// Eval evaluates an AST node against input data in the given environment.
// Returns (nil, nil) for undefined results.
func Eval(node *Node, input any, env *Environment) (any, error) {
	if node == nil {
		return nil, nil
	}
	m := env.meter()
	if err := m.enter(); err != nil {
		return nil, err
	}
	result, err := evalNode(node, input, env)
	m.leave()
	return result, err
}

func evalNode(node *Node, input any, env *Environment) (any, error) {
	if node.Group != nil {
		// If the node has a Group expression (A{key:val}), evaluate the base node
		// first, then apply the group-by reduction.
		return evalGroupBy(node, input, env)
	}

	switch node.Type {
	case NodeValue:
		return evalValue(node)
	case NodeString:
		return node.Value, nil
	case NodeNumber:
		return node.NumVal, nil
	case NodeVariable:
		return evalVariable(node, input, env)
	case NodeName:
		return evalName(node, input, env)
	case NodeWildcard:
		return evalWildcard(node, input, env)
	case NodeDescendant:
		return descendantLookup(input, env)
	case NodePath:
		return evalPath(node, input, env)
	case NodeBinary, NodeApply:
		return evalBinary(node, input, env)
	case NodeUnary:
		return evalUnary(node, input, env)
	case NodeBlock:
		return evalBlock(node, input, env)
	case NodeCondition:
		return evalCondition(node, input, env)
	case NodeBind:
		return evalBind(node, input, env)
	case NodeFunction:
		return evalFunction(node, input, env)
	case NodeLambda:
		return evalLambda(node, input, env)
	case NodePartial:
		return evalPartial(node, input, env)
	case NodeSort:
		// If any sort term references %, we need tuple-aware path evaluation so
		// that each item carries its parent context during sorting.
		if slices.ContainsFunc(node.Terms, func(t SortTerm) bool { return nodeHasParentRef(t.Expression) }) {
			return evalSortWithParentTracking(node, input, env)
		}
		return evalSort(node, input, env)
	case NodeRegex:
		return evalRegex(node.Value), nil
	case NodeTransform:
		return evalTransform(node, input, env)
	case NodeParent:
		// % retrieves the parent context value stored by evalPathTuple when it
		// expanded a path step. The parent is stored under parentKey ("%%") in
		// the child environment created by appendTupleResults.
		if val, ok := env.Lookup(parentKey); ok {
			return val, nil
		}
		return nil, &JSONataError{Code: "S0217", Message: "% operator used outside of a valid path context"}
	default:
		return nil, fmt.Errorf("unknown node type: %s", node.Type)
	}
}

// ApplyFunction is the public API used by the standard library to call
// any function value (BuiltinFunction or *Lambda) with the given args.
func ApplyFunction(fn any, args []any, focus any, env *Environment) (any, error) {
	return callFunction(fn, args, focus, env)
}
