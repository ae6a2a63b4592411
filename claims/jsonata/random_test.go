package jsonata_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/claims/jsonata"
)

// writer writes expressions by chance, of which most mean something for the document of a member.
type writer struct {
	*rand.Rand

	variables []string
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *writer) name() string {
	return w.one("id", "email", "name", "org", "profile", "memberships", "items", "orders", "role", "price", "a", "b", "c", "l", "m",
		"metadata", "plan", "tags", "organisation", "organizations", "departments", "customer", "category", "active", "missing", "kind", "limits")
}

// path begins at a field of the user, a variable or the context.
func (w *writer) path(deep int) string {
	parts := []string{w.one(w.name(), w.name(), w.name(), "$$", "$", w.variable())}
	for range w.IntN(4) {
		switch w.IntN(12) {
		case 0:
			parts = append(parts, "*")
		case 1:
			parts = append(parts, "("+w.expression(deep-1)+")")
		case 2:
			parts = append(parts, fmt.Sprintf("{'k': %s, 'n': %s}", w.expression(deep-1), w.expression(deep-1)))
		case 3:
			parts = append(parts, w.one("$string()", "$uppercase()", "$keys()", "$split('a')", "$substring(0, 2)", "$lookup('id')", "$type($)"))
		case 4:
			parts = append(parts, "["+w.expression(deep-1)+"]")
		default:
			parts = append(parts, w.name())
		}
		last := &parts[len(parts)-1]
		switch w.IntN(10) {
		case 0:
			*last += "[]"
		case 1:
			*last += w.one("[0]", "[-1]", "[[0..1]]")
		case 2, 3:
			*last += "[" + w.expression(deep-1) + "]"
		case 4:
			*last += "^(" + w.one("", "<", ">") + w.name() + ")"
		}
	}
	return strings.Join(parts, ".")
}

func (w *writer) variable() string {
	if len(w.variables) == 0 {
		return w.name()
	}
	return w.one(w.variables...)
}

// with writes something that may use a variable.
func (w *writer) with(deep int, names ...string) string {
	before := w.variables
	w.variables = append(before[:len(before):len(before)], names...)
	defer func() { w.variables = before }()
	return w.expression(deep - 1)
}

func (w *writer) lambda(deep int) string {
	switch w.IntN(4) {
	case 0:
		return "function($v, $i, $a){" + w.with(deep, "$v", "$i", "$a") + "}"
	case 1:
		return "function($v, $w){" + w.with(deep, "$v", "$w") + "}"
	}
	return "function($v){" + w.with(deep, "$v") + "}"
}

func (w *writer) expression(deep int) string {
	if deep <= 0 {
		return w.one(w.name(), w.variable(), "1", "'x'", "true", "$", "null")
	}
	sub := func() string { return w.expression(deep - 1) }
	switch w.IntN(24) {
	case 0:
		return sub() + w.one(" = ", " != ", " & ", " and ", " or ", " in ", " < ", " + ", " * ", " - ", " / ", " % ") + sub()
	case 1:
		return sub() + " ? " + sub() + " : " + sub()
	case 2:
		return "[" + sub() + ", " + sub() + "]"
	case 3:
		return "{" + w.one("'k'", "'id'", "kind", "$string(id)") + ": " + sub() + ", 'l': " + sub() + "}" + w.one("", ".k", ".l.id", ".*")
	case 4:
		return "($x := " + sub() + "; " + w.with(deep, "$x") + ")"
	case 5:
		return "($f := " + w.lambda(deep) + "; $f(" + sub() + w.one("", ", "+sub()) + ")" + w.one("", ".id", ".name") + ")"
	case 6:
		return "$" + w.one("map", "filter", "sift", "each", "single", "sort", "reduce") + "(" + sub() + ", " + w.lambda(deep) + ")" + w.one("", ".id", ".name")
	case 7:
		return "$reduce(" + sub() + ", function($p, $n){" + w.with(deep, "$p", "$n") + "}, " + sub() + ")"
	case 8:
		return "$" + w.one("count", "exists", "string", "distinct", "keys", "spread", "merge", "type", "not", "boolean", "reverse", "sum", "max", "sort", "values", "flatten", "length", "uppercase", "number") + "(" + sub() + ")" + w.one("", ".id", ".name")
	case 9:
		return "$" + w.one("append", "zip", "lookup", "join", "contains", "substringBefore", "split", "formatNumber", "power") + "(" + sub() + ", " + sub() + ")" + w.one("", ".id")
	case 10:
		return sub() + " ~> $" + w.one("map", "filter", "each") + "(" + w.lambda(deep) + ")"
	case 11:
		return sub() + " ~> $" + w.one("count", "string", "distinct", "keys", "uppercase", "merge", "spread")
	case 12:
		return w.path(deep) + "{" + w.one("$string(id)", "role", "category", "name", "'k'") + ": " + sub() + "}"
	case 13:
		return "-" + sub()
	case 14:
		return "(" + sub() + ")" + w.one("", "[0]", "[]", ".id", "."+w.name())
	case 15:
		return sub() + " ~> $" + w.one("lookup('id')", "substring(0, 1)", "split('a')", "append("+sub()+")")
	case 16:
		return "($g := $" + w.one("append(?, ", "lookup(?, ", "substringBefore(?, ") + sub() + "); $g(" + sub() + "))"
	}
	return w.path(deep)
}

// TestFieldsAreEnoughForAnything writes expressions by chance and holds what they read against what
// they give. POSTERN_JSONATA_RANDOM says how many.
func TestFieldsAreEnoughForAnything(t *testing.T) {
	t.Parallel()
	many := 3_000
	if n, err := strconv.Atoi(os.Getenv("POSTERN_JSONATA_RANDOM")); err == nil {
		many = n
	}
	language := jsonata.New(jsonata.Limits{Time: time.Minute})
	seed := uint64(many)
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
	known := 0
	for range many {
		text := w.expression(1 + w.IntN(4))
		if e, err := language.Parse(text); err == nil {
			if _, err := e.Fields(); err == nil {
				known++
			}
		}
		checkPruned(t, text, language, func() any { return decode(t, member) })
		if t.Failed() {
			return
		}
	}
	t.Logf("the fields of %d of %d are known", known, many)
}
