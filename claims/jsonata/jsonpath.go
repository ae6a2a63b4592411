package jsonata

import (
	"fmt"
	"strconv"
	"strings"
)

// bracket looks at what stands in square brackets after a value. JSONPath has forms there that JSONata
// lacks or reads otherwise.
func (t *translation) bracket(i int) (int, error) {
	at := t.tokens[i].at
	switch {
	case t.is(i+1, "*") && t.is(i+2, "]"):
		t.replace(at, t.end(i+2), "[]")
		return 3, nil
	case t.is(i+1, "?"):
		return t.filter(i)
	case t.is(i+1, "?:"), t.is(i+1, "??"):
		return 0, refuse(t.tokens[i+1].at, "this filter is not understood", `list[name = "value"]`)
	case i+2 < len(t.tokens) && t.tokens[i+1].kind == text && t.is(i+2, "]"):
		name := strings.Trim(t.tokens[i+1].text, `'"`)
		return 0, refuse(at, "a name in square brackets is JSONPath", ".`"+name+"`")
	}
	return 1, t.slice(i)
}

// slice refuses [0:2] and [0,2]: JSONata has them as lists of positions.
func (t *translation) slice(i int) error {
	number := func(i int) (string, int) {
		minus := ""
		if t.is(i, "-") {
			minus = "-"
			i++
		}
		if i >= len(t.tokens) || t.tokens[i].kind != word || strings.Trim(t.tokens[i].text, "0123456789") != "" {
			return "", i
		}
		return minus + t.tokens[i].text, i + 1
	}
	first, next := number(i + 1)
	switch {
	case t.is(next, ":"):
		last, _ := number(next + 1)
		if first == "" {
			first = "0"
		}
		if last == "" || strings.HasPrefix(last+first, "-") || strings.Contains(first, "-") {
			return refuse(t.tokens[i].at, "a slice is JSONPath", "a list of positions, such as [[0..2]]")
		}
		return refuse(t.tokens[i].at, "a slice is JSONPath", fmt.Sprintf("[[%s..%s]], both ends included", first, less(last)))
	case first != "" && t.is(next, ","):
		return refuse(t.tokens[i].at, "several positions need a list of them", "[["+first+", …]]")
	}
	return nil
}

// less is the number before, in digits.
func less(digits string) string {
	n, err := strconv.Atoi(digits)
	if err != nil || n == 0 {
		return "0"
	}
	return strconv.Itoa(n - 1)
}

// filter translates [?(@.role == "owner")] to [role = "owner"][]: the result stays a list.
func (t *translation) filter(i int) (int, error) {
	first := i + 2
	round := t.is(first, "(")
	if round {
		first++
	}
	depth, last := 0, first
	for ; last < len(t.tokens); last++ {
		if t.tokens[last].kind != sign {
			continue
		}
		if strings.Contains(")]", t.tokens[last].text) {
			if depth == 0 {
				break
			}
			depth--
		}
		if strings.Contains("([", t.tokens[last].text) {
			depth++
		}
	}
	end := last
	if round {
		end++
	}
	if round && !t.is(last, ")") || !t.is(end, "]") || first == last {
		return 0, refuse(t.tokens[i].at, "this filter has no end", `list[name = "value"]`)
	}
	t.replace(t.tokens[i].at, t.tokens[first].at, "[")
	lone, err := t.condition(first, last)
	if err != nil {
		return 0, err
	}
	if lone { // [?(@.role)] asks whether there is one
		t.replace(t.end(last-1), t.end(end), ")][]")
	} else {
		t.replace(t.end(last-1), t.end(end), "][]")
	}
	return end - i + 1, nil
}

// condition translates what stands in a filter, and says whether it is a lone path.
func (t *translation) condition(first, last int) (lone bool, err error) {
	lone = t.is(first, "@")
	for i := first + 1; i < last && lone; i++ {
		lone = t.tokens[i].kind == word || t.is(i, ".")
	}
	if lone {
		t.replace(t.tokens[first].at, t.tokens[first].at, "$exists(")
	}
	if last-1 >= first && t.tokens[last-1].kind == text && t.roots(first, last-1) {
		return lone, refuse(t.tokens[last-1].at, "a text alone in a filter compares nothing", `list[name = "value"]`)
	}
	for i := first; i < last; i++ {
		token := t.tokens[i]
		if token.kind != sign {
			continue
		}
		switch token.text {
		case "@":
			if t.is(i+1, ".") {
				t.replace(token.at, t.end(i+1), "")
				i++
				continue
			}
			t.replace(token.at, t.end(i), "$")
		case "==":
			t.replace(token.at, t.end(i), "=")
		case "&&":
			t.replace(token.at, t.end(i), " and ")
		case "||":
			t.replace(token.at, t.end(i), " or ")
		case "(", ")", ".", "!=", "<", "<=", ">", ">=", "-":
		default:
			return lone, refuse(token.at, fmt.Sprintf("%q in a JSONPath filter is not understood", token.text), `a filter of JSONata: list[name = "value"]`)
		}
	}
	return lone, nil
}

// roots tells whether there is nothing but the element's own sign, or not even that.
func (t *translation) roots(first, last int) bool {
	for i := first; i < last; i++ {
		if !t.is(i, "@") && !t.is(i, ".") {
			return false
		}
	}
	return true
}
