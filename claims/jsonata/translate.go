package jsonata

import (
	"fmt"
	"strings"

	"postern/claims/jsonata/gnata"
)

const (
	maxText  = 8 << 10 // bytes of an expression
	maxDepth = 100     // brackets within brackets
)

// translation is an expression on its way from what people write to JSONata.
type translation struct {
	source string
	tokens []token
	text   strings.Builder
	from   []int // for each byte of text, the byte of source it comes from
	done   int   // bytes of source that are written already
}

// translate turns the JSONPath forms of Hasura Auth into JSONata, leaves remarks out, and refuses what
// one of the parsers would misread.
func translate(source string) (*translation, error) {
	t := &translation{source: source}
	switch {
	case strings.TrimSpace(source) == "":
		return nil, refuse(-1, "the expression is empty", "the name of a field, such as email")
	case len(source) > maxText:
		return nil, refuse(-1, fmt.Sprintf("the expression has %d bytes, more than %d", len(source), maxText), "")
	}
	if err := t.cut(); err != nil {
		return nil, err
	}
	for i := 0; i < len(t.tokens); {
		used, err := t.rewrite(i)
		if err != nil {
			return nil, err
		}
		i += max(used, 1)
	}
	t.copy(len(source))
	return t, nil
}

// cut finds the tokens and how deep the brackets go. The parsers call themselves for each bracket, so
// the depth is held before they run.
func (t *translation) cut() error {
	s := scanner{source: t.source}
	depth := 0
	for {
		token, ok := s.next()
		if !ok {
			return nil
		}
		if token.kind == remark {
			t.replace(token.at, token.at+len(token.text), " ")
			continue
		}
		if token.kind == sign && strings.Contains("([{", token.text) {
			if depth++; depth > maxDepth {
				return refuse(token.at, fmt.Sprintf("more than %d brackets within one another", maxDepth), "")
			}
		}
		if token.kind == sign && strings.Contains(")]}", token.text) {
			depth--
		}
		t.tokens = append(t.tokens, token)
	}
}

// copy takes over the source up to a byte.
func (t *translation) copy(to int) {
	for ; t.done < to; t.done++ {
		t.text.WriteByte(t.source[t.done])
		t.from = append(t.from, t.done)
	}
}

// replace writes something else for a piece of the source.
func (t *translation) replace(from, to int, with string) {
	t.copy(from)
	t.text.WriteString(with)
	for range len(with) {
		t.from = append(t.from, from)
	}
	t.done = max(t.done, to)
}

// origin is where a byte of the translation comes from.
func (t *translation) origin(at int) int {
	switch {
	case at >= 0 && at < len(t.from):
		return t.from[at]
	case at >= len(t.from):
		return len(t.source)
	}
	return -1
}

// is says whether a token is the sign.
func (t *translation) is(i int, text string) bool {
	return i >= 0 && i < len(t.tokens) && t.tokens[i].kind == sign && t.tokens[i].text == text
}

func (t *translation) end(i int) int { return t.tokens[i].at + len(t.tokens[i].text) }

// rewrite looks at the tokens from i on, and says how many of them it has dealt with.
func (t *translation) rewrite(i int) (int, error) {
	token := t.tokens[i]
	switch {
	case token.kind == text:
		t.quotedName(i)
		return 1, nil
	case token.kind == pattern:
		return 1, checkPattern(token)
	case token.kind != sign:
		return 1, nil
	case t.is(i, "[") && t.afterValue(i):
		return t.bracket(i)
	}
	return 1, unfamiliar(token, t.afterValue(i))
}

// afterValue says whether a value ends before the token, so that a bracket belongs to it.
func (t *translation) afterValue(i int) bool {
	if i == 0 {
		return false
	}
	last := t.tokens[i-1]
	return last.kind != sign || strings.Contains(")]}", last.text) || last.text == "*" && (i == 1 || t.is(i-2, "."))
}

// quotedName makes a."b c" a name: JSONata has it, jparse wants `b c`.
func (t *translation) quotedName(i int) {
	token := t.tokens[i]
	name := strings.Trim(token.text, token.text[:1])
	if !t.is(i-1, ".") && !t.is(i+1, ".") || strings.ContainsAny(name, "\\`\n") || len(name)+2 != len(token.text) || name == "" {
		return
	}
	t.replace(token.at, t.end(i), "`"+name+"`")
}

// unfamiliar refuses signs of other languages, and of JSONata that jparse does not have.
func unfamiliar(token token, infix bool) error {
	reason, try := "", ""
	switch token.text {
	case "==":
		reason, try = "JSONata compares with one equals sign", "="
	case "=~":
		reason, try = "JSONata has no operator =~", "$contains(name, /pattern/)"
	case "&&":
		reason, try = "JSONata has no operator &&", "and"
	case "||":
		reason, try = "JSONata has no operator ||", "or"
	case "!":
		reason, try = "JSONata has no operator !", "$not(…), or != to compare"
	case "~":
		reason, try = "JSONata has no operator ~", "~>"
	case "??":
		reason, try = "the operator ?? is not supported", "$exists(a) ? a : b"
	case "?:":
		reason, try = "the operator ?: is not supported", "a ? a : b"
	case "@":
		reason, try = "the operator @ is not supported", "a variable: orders.($o := $; items.{…})"
	case "#":
		reason, try = "the operator # is not supported", "$map(list, function($value, $index) {…})"
	case "%":
		if infix {
			return nil
		}
		reason, try = "the operator % for the parent is not supported", "a variable: orders.($o := $; items.{…})"
	}
	if reason == "" {
		return nil
	}
	return refuse(token.at, reason, try)
}

// checkPattern refuses a pattern that takes long to prepare. What is no pattern, the parsers refuse.
func checkPattern(token token) error {
	size, err := gnata.PatternSize(strings.Trim(token.text, "/"))
	if err == nil && size > gnata.MaxPattern {
		return refuse(token.at, "the pattern is too big: its repetitions multiply", "a shorter one")
	}
	return nil
}
