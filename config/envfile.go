package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// variable is one assignment of an env file.
type variable struct {
	name, value string
	line        int
}

// fault is one line of an env file that cannot be read. It never repeats the line, which may hold
// a secret.
type fault struct {
	line int
	text string
}

// parseEnv reads the text of an env file:
//
//	# a comment
//	NAME=value            # up to the line's end or a comment after a blank
//	export NAME='as is'   # nothing inside single quotes means anything
//	NAME="a \"b\"\n c"    # \n \r \t \" \\ \$ inside double quotes, more than one line if need be
//
// There is no substitution: $NAME stays as it is written. All faults are reported, not the first
// alone.
func parseEnv(text string) ([]variable, []fault) {
	p := envParser{rest: strings.TrimPrefix(text, "\ufeff"), line: 1}
	for p.rest != "" {
		p.next()
	}
	return p.variables, p.faults
}

type envParser struct {
	rest      string
	line      int
	variables []variable
	faults    []fault
}

func (p *envParser) fault(line int, format string, args ...any) {
	p.faults = append(p.faults, fault{line, fmt.Sprintf(format, args...)})
}

// take removes n bytes from the rest and counts the lines among them.
func (p *envParser) take(n int) string {
	part := p.rest[:n]
	p.rest = p.rest[n:]
	p.line += strings.Count(part, "\n")
	return part
}

// toLineEnd removes what is left of the line, its end included, and returns it without the end.
func (p *envParser) toLineEnd() string {
	n := strings.IndexByte(p.rest, '\n')
	if n < 0 {
		return strings.TrimSuffix(p.take(len(p.rest)), "\r")
	}
	return strings.TrimSuffix(strings.TrimSuffix(p.take(n+1), "\n"), "\r")
}

// next reads one assignment, comment or empty line.
func (p *envParser) next() {
	const blanks = " \t\v\f\r"
	start := p.line
	p.rest = strings.TrimLeft(p.rest, blanks)
	if p.rest == "" || p.rest[0] == '\n' || p.rest[0] == '#' {
		p.toLineEnd()
		return
	}
	if after, ok := strings.CutPrefix(p.rest, "export"); ok && after != "" && strings.ContainsRune(blanks, rune(after[0])) {
		p.rest = strings.TrimLeft(after, blanks)
	}
	n := 0
	for n < len(p.rest) && isNameByte(p.rest[n], n == 0) {
		n++
	}
	name := p.take(n)
	p.rest = strings.TrimLeft(p.rest, blanks)
	switch {
	case name == "":
		p.fault(start, "does not begin with a name; a line is NAME=value, or # and a comment")
		p.toLineEnd()
		return
	case !strings.HasPrefix(p.rest, "="):
		p.fault(start, "has no = after %s", quoted(name))
		p.toLineEnd()
		return
	}
	p.rest = strings.TrimLeft(p.rest[1:], blanks)
	value, ok := p.value(name)
	switch {
	case !ok:
	case strings.ContainsRune(value, 0):
		p.fault(start, "has a NUL byte in the value of %s", name)
	case !utf8.ValidString(value):
		p.fault(start, "has a value of %s that is not UTF-8", name)
	default:
		p.variables = append(p.variables, variable{name, value, start})
	}
}

// value reads what follows the = sign, up to the line's end.
func (p *envParser) value(name string) (string, bool) {
	if p.rest == "" || p.rest[0] != '"' && p.rest[0] != '\'' {
		return bareValue(p.toLineEnd()), true
	}
	start, quote := p.line, p.rest[0]
	n, ok := closing(p.rest, quote)
	if !ok {
		p.fault(start, "opens a %c after %s= that is never closed", quote, name)
		p.take(len(p.rest))
		return "", false
	}
	inside := p.take(n + 1)
	inside = strings.ReplaceAll(inside[1:n], "\r\n", "\n")
	last := p.line
	after := strings.TrimLeft(p.toLineEnd(), " \t\v\f")
	if after != "" && after[0] != '#' {
		p.fault(last, "goes on after the closing %c of %s", quote, name)
		return "", false
	}
	if quote == '"' {
		inside = unescape.Replace(inside)
	}
	return inside, true
}

// unescape knows the escapes of double quotes. What it does not know stays as it is, backslash
// included.
var unescape = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`, `\$`, `$`)

// closing finds the quote that closes the one text begins with.
func closing(text string, quote byte) (int, bool) {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote:
			return i, true
		}
	}
	return 0, false
}

// bareValue ends an unquoted value at a comment and trims it.
func bareValue(text string) string {
	if strings.HasPrefix(text, "#") {
		return ""
	}
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
			break
		}
	}
	return strings.TrimSpace(text)
}

func isNameByte(b byte, first bool) bool {
	switch {
	case b == '_', 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z':
		return true
	default:
		return !first && '0' <= b && b <= '9'
	}
}

// quoteEnv writes a value so that parseEnv, and a shell, read it back.
func quoteEnv(value string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,@+%="
	if strings.Trim(value, plain) == "" {
		return value
	}
	if !strings.ContainsAny(value, "'\r\n") {
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`, "`", "`").Replace(value) + `"`
}
