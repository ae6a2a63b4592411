package jsonata

import "strings"

// kind tells tokens apart as far as the checks before parsing need it.
type kind int

const (
	sign    kind = iota // brackets and operators
	word                // names, variables and numbers
	text                // 'text' and "text"
	tick                // `name`
	pattern             // /pattern/
	remark              // /* remark */
)

// token is a piece of an expression. Blanks are between tokens.
type token struct {
	kind
	text string
	at   int
}

// scanner cuts an expression into tokens, well enough to find brackets, operators and texts. It is no
// judge of grammar: two parsers follow.
type scanner struct {
	source string
	at     int
	last   token // before the next one, remarks left out
}

// doubles are the signs of two characters.
func doubles() []string {
	return []string{"..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??", "==", "&&", "||", "=~"}
}

const blanks = " \t\n\r\v"

// next gives the next token, or false at the end. A text, name, pattern or remark without an end
// reaches to the end of the source; the parsers complain.
func (s *scanner) next() (token, bool) {
	for s.at < len(s.source) && strings.IndexByte(blanks, s.source[s.at]) >= 0 {
		s.at++
	}
	if s.at == len(s.source) {
		return token{at: s.at}, false
	}
	rest := s.source[s.at:]
	t := token{kind: sign, at: s.at}
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "/*"):
		t.kind, t.text = remark, upTo(rest, 2, "*/")
	case c == '"' || c == '\'':
		t.kind, t.text = text, quoted(rest)
	case c == '`':
		t.kind, t.text = tick, upTo(rest, 1, "`")
	case c == '/' && !s.afterValue():
		t.kind, t.text = pattern, slashed(rest)
	case stops(c):
		t.text = rest[:1]
		for _, double := range doubles() {
			if strings.HasPrefix(rest, double) {
				t.text = double
			}
		}
	default:
		t.kind, t.text = word, run(rest)
	}
	s.at += len(t.text)
	if t.kind != remark {
		s.last = t
	}
	return t, true
}

// afterValue says whether the last token ends a value, so that a slash divides.
func (s *scanner) afterValue() bool {
	return s.last.text != "" && (s.last.kind != sign || strings.Contains(")]}", s.last.text))
}

func stops(c byte) bool { return strings.IndexByte(".[]{}(),@#;:?+-*/%|=<>^&!~", c) >= 0 }

// run takes a name, a variable or a number. A number may have a point in it.
func run(rest string) string {
	i := 0
	for i < len(rest) && !stops(rest[i]) && strings.IndexByte(blanks, rest[i]) < 0 {
		i++
	}
	digit := func(i int) bool { return i < len(rest) && rest[i] >= '0' && rest[i] <= '9' }
	if digit(0) && i < len(rest) && rest[i] == '.' && digit(i+1) {
		for i++; digit(i); i++ {
		}
	}
	return rest[:i]
}

func upTo(rest string, from int, end string) string {
	if i := strings.Index(rest[from:], end); i >= 0 {
		return rest[:from+i+len(end)]
	}
	return rest
}

func quoted(rest string) string {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			return rest[:i+1]
		}
	}
	return rest
}

// slashed takes a pattern: a slash within brackets or after a backslash does not end it.
func slashed(rest string) string {
	depth := 0
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '/':
			if depth <= 0 {
				return rest[:i+1]
			}
		}
	}
	return rest
}
