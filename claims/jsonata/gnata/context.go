package gnata

import "encoding/json"

// withContext puts the context before the arguments of a built-in function that is called without its
// first one, as in email.$split("@"): JSONata's signatures say so with a minus sign.
func withContext(node *Node, fn any, args []any, context any) []any {
	if _, ok := fn.(EnvAwareBuiltin); !ok || context == nil || node.Procedure == nil || node.Procedure.Type != NodeVariable {
		return args
	}
	needs, kinds := contextual(node.Procedure.Value)
	if needs == 0 || len(args) >= needs && !startsWithLiteral(node) || !isOneOf(context, kinds) {
		return args
	}
	if len(args) < needs-1 {
		return args
	}
	return append([]any{context}, args...)
}

// contextual says how many arguments a function needs, and of which kinds the first one is: the
// letters of JSONata's signatures. Functions that look for their context themselves are not here.
func contextual(name string) (needs int, kinds string) {
	switch name {
	case "length", "base64encode", "base64decode", "encodeUrl", "encodeUrlComponent", "decodeUrl", "decodeUrlComponent", "toMillis":
		return 1, "s"
	case "abs", "floor", "ceil", "round", "sqrt":
		return 1, "n"
	case "boolean", "not", "keys", "spread":
		return 1, "snbao"
	case "substring", "pad", "match", "split", "parseInteger":
		return 2, "s"
	case "power", "formatNumber", "formatInteger":
		return 2, "n"
	case "lookup":
		return 2, "ao"
	case "replace":
		return 3, "s"
	}
	return 0, ""
}

// startsWithLiteral says whether the first argument is written as a number or a pattern, and so is not
// the text that the function works on.
func startsWithLiteral(node *Node) bool {
	switch node.Procedure.Value {
	case "substring", "pad":
		return len(node.Arguments) == 2 && node.Arguments[0].Type == NodeNumber
	case "match":
		return len(node.Arguments) == 2 && node.Arguments[0].Type == NodeRegex
	}
	return false
}

func isOneOf(v any, kinds string) bool {
	kind := byte('o')
	switch v.(type) {
	case string:
		kind = 's'
	case float64, json.Number:
		kind = 'n'
	case bool:
		kind = 'b'
	case []any:
		kind = 'a'
	case *OrderedMap, map[string]any:
	default:
		return false
	}
	for i := range len(kinds) {
		if kinds[i] == kind {
			return true
		}
	}
	return false
}
