package emails

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A template is a text with ${name} in it. A value is put in once and never read again, so a value
// that looks like ${link} stays what it is. Two more forms keep or drop a piece of the text:
//
//	${?code}Your code is ${code}.${/code}
//
// stands only when code is not empty. That is the whole language.
type template struct {
	parts []part
}

type part struct {
	text  string // literal text, when kind is literal
	name  string
	kind  partKind
	query bool // the value is a parameter of a URL: "…?redirectTo=${redirectTo}"
	line  int
}

type partKind int

const (
	literal partKind = iota
	value
	open
	closing
)

// format says what the text is, and so how a value must be written into it.
type format int

const (
	plain format = iota
	markup
	oneLine
)

// inQuery matches a text that ends where the value of a URL parameter begins.
var inQuery = regexp.MustCompile(`[?&;][A-Za-z0-9_.-]+=$`)

// parse reads a template. The file is named in the error.
func parse(file, text string) (*template, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("%s: is not UTF-8", file)
	}
	t := &template{}
	var sections []part
	line := 1
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		if before != "" {
			t.parts = append(t.parts, part{kind: literal, text: before, line: line})
		}
		if !found {
			break
		}
		line += strings.Count(before, "\n")
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(name, "\n") || strings.Contains(name, "${") {
			return nil, fmt.Errorf("%s:%d: ${ is not closed", file, line)
		}
		p := part{kind: value, name: name, line: line, query: inQuery.MatchString(before)}
		switch {
		case strings.HasPrefix(name, "?"):
			p.kind, p.name = open, name[1:]
			sections = append(sections, p)
		case strings.HasPrefix(name, "/"):
			p.kind, p.name = closing, name[1:]
			if len(sections) == 0 || sections[len(sections)-1].name != p.name {
				return nil, fmt.Errorf("%s:%d: ${/%s} closes nothing", file, line, p.name)
			}
			sections = sections[:len(sections)-1]
		}
		t.parts = append(t.parts, p)
		text = after
	}
	if len(sections) > 0 {
		s := sections[len(sections)-1]
		return nil, fmt.Errorf("%s:%d: ${?%s} has no ${/%s}", file, s.line, s.name, s.name)
	}
	return t, nil
}

// fill writes the values into the text. Names without a value become empty.
func (t *template) fill(f format, values map[string]string) string {
	var b strings.Builder
	dropped := 0
	for _, p := range t.parts {
		switch p.kind {
		case open:
			if dropped > 0 || values[p.name] == "" {
				dropped++
			}
		case closing:
			dropped = max(0, dropped-1)
		case literal:
			if dropped == 0 {
				b.WriteString(p.text)
			}
		case value:
			if dropped == 0 {
				b.WriteString(written(f, p, values[p.name]))
			}
		}
	}
	return b.String()
}

// written is the value as the format and the place need it.
func written(f format, p part, v string) string {
	if f == oneLine {
		return v
	}
	if p.query {
		return url.QueryEscape(v) // nothing in it needs escaping in HTML
	}
	if f == plain {
		return v
	}
	if isURL(p.name) {
		v = harmlessURL(v)
	}
	return html.EscapeString(v)
}

func isURL(name string) bool {
	switch name {
	case "link", "redirectTo", "serverUrl", "clientUrl":
		return true
	}
	return false
}

// harmlessURL gives the URL, or "#" when opening it could run a script. The schemes of apps
// ("myapp:") pass: redirects to them are wanted.
func harmlessURL(s string) string {
	scheme, _, found := strings.Cut(s, ":")
	if !found {
		return s
	}
	scheme = strings.ToLower(strings.TrimFunc(scheme, func(r rune) bool { return r <= ' ' }))
	if slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob"}, scheme) {
		return "#"
	}
	return s
}

// lint lists what is suspicious in a template that can be read.
func (t *template) lint(file string, f format) []error {
	var problems []error
	known := VariableNames()
	before := ""
	for _, p := range t.parts {
		switch p.kind {
		case literal:
			before = p.text
			continue
		case value, open:
			if !slices.Contains(known, p.name) {
				problems = append(problems, fmt.Errorf("%s:%d: ${%s} is no variable and becomes empty%s", file, p.line, p.name, suggestion(p.name)))
			}
		case closing:
		}
		if f == markup && p.kind == value && strings.HasSuffix(before, "=") && !p.query && insideTag(before) {
			problems = append(problems, fmt.Errorf("%s:%d: ${%s} stands in an attribute without quotes; write \"${%s}\"", file, p.line, p.name, p.name))
		}
		before = ""
	}
	return problems
}

// insideTag reports whether the end of the text is within an HTML tag.
func insideTag(text string) bool {
	return strings.LastIndexByte(text, '<') > strings.LastIndexByte(text, '>')
}

// suggestion names the variable that was probably meant.
func suggestion(name string) string {
	plainName := strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(name))
	for _, known := range VariableNames() {
		if strings.ToLower(known) == plainName {
			return "; did you mean ${" + known + "}?"
		}
	}
	return ""
}
