// Package functions implements the JSONata 2.x standard library.
package gnata

// EvalFn is a callback used by higher-order functions to invoke a lambda or
// builtin function value without creating an import cycle. The env parameter
// carries the per-evaluation call counter, ensuring concurrent Eval calls
// don't share stack-depth state.
type EvalFn func(fn any, args []any, focus any, env *Environment) (any, error)

// builtinFuncs lists all plain BuiltinFunction registrations (name → func).
var builtinFuncs = []struct {
	name string
	fn   func([]any, any) (any, error)
}{
	// ── String ────────────────────────────────────────────────────────────────
	{"string", fnString},
	{"length", fnLength},
	{"substring", fnSubstring},
	{"substringBefore", fnSubstringBefore},
	{"substringAfter", fnSubstringAfter},
	{"trim", fnTrim},
	{"pad", fnPad},
	{"join", fnJoin},
	{"base64encode", fnBase64Encode},
	{"base64decode", fnBase64Decode},
	{"encodeUrl", fnEncodeURL},
	{"encodeUrlComponent", fnEncodeURLComponent},
	{"decodeUrl", fnDecodeURL},
	{"decodeUrlComponent", fnDecodeURLComponent},
	{"formatNumber", fnFormatNumber},
	{"formatBase", fnFormatBase},
	{"formatInteger", fnFormatInteger},
	{"parseInteger", fnParseInteger},
	// ── Numeric ───────────────────────────────────────────────────────────────
	{"number", fnNumber},
	{"abs", fnAbs},
	{"floor", fnFloor},
	{"ceil", fnCeil},
	{"round", fnRound},
	{"power", fnPower},
	{"sqrt", fnSqrt},
	{"random", fnRandom},
	{"sum", fnSum},
	{"max", fnMax},
	{"min", fnMin},
	{"average", fnAverage},
	// ── Array ─────────────────────────────────────────────────────────────────
	{"count", fnCount},
	{"append", fnAppend},
	{"reverse", fnReverse},
	{"shuffle", fnShuffle},
	{"flatten", fnFlatten},
	{"zip", fnZip},
	// ── Object ────────────────────────────────────────────────────────────────
	{"keys", fnKeys},
	{"values", fnValues},
	{"spread", fnSpread},
	{"merge", fnMerge},
	{"error", fnError},
	{"lookup", fnLookup},
	// ── Boolean ───────────────────────────────────────────────────────────────
	{"boolean", fnBoolean},
	{"not", fnNot},
	{"exists", fnExists},
	// ── Misc ──────────────────────────────────────────────────────────────────
	{"assert", fnAssert},
	{"type", fnTypeOf},
	// ── Date / Time ───────────────────────────────────────────────────────────
	{"now", fnNow},
	{"millis", fnMillis},
	{"fromMillis", fnFromMillis},
	{"toMillis", fnToMillis},
}

// RegisterAll binds every JSONata built-in function into env, each with a guard that counts what it takes.
// evalFn must call ApplyFunction.
func RegisterAll(env *Environment, evalFn EvalFn) {
	for _, b := range builtinFuncs {
		env.Bind(b.name, guarded(b.name, func(args []any, focus any, _ *Environment) (any, error) { return b.fn(args, focus) }))
	}
	for name, fn := range map[string]func([]any, any) (any, error){"uppercase": fnUppercase, "lowercase": fnLowercase} {
		parsed, _ := ParseSig("s-:s")
		env.Bind(name, &SignedBuiltin{Fn: fn, Sig: "s-:s", ParsedSig: parsed})
	}
	for name, fn := range map[string]EnvAwareBuiltin{
		"contains": fnContains,
		"split":    fnSplit,
		"distinct": fnDistinct,
		"match":    makeFnMatch(evalFn),
		"replace":  makeFnReplace(evalFn),
		"eval":     makeFnEval(),
		"sort":     makeFnSort(evalFn),
		"sift":     makeFnSift(evalFn),
		"each":     makeFnEach(evalFn),
		"map":      makeFnMap(evalFn),
		"filter":   makeFnFilter(evalFn),
		"single":   makeFnSingle(evalFn),
		"reduce":   makeFnReduce(evalFn),
	} {
		env.Bind(name, guarded(name, fn))
	}
}
