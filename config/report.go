package config

import (
	"fmt"
	"strings"
)

// Problem is one thing to say about one setting.
type Problem struct {
	Name   string `json:"name"`             // the variable, flag or file and line, as the operator wrote it
	Origin string `json:"origin,omitempty"` // where it was found: "environment", ".env:3", "--port"
	What   string `json:"problem"`          // what is wrong; secrets are not in it
	Right  string `json:"right,omitempty"`  // what would be right
}

// Report says how a Load went.
type Report struct {
	Errors   []Problem // any of them forbids the start
	Warnings []Problem
	Values   []Value // every setting, in the order of declaration
}

func (r *Report) fail(p Problem) { r.Errors = append(r.Errors, p) }
func (r *Report) warn(p Problem) { r.Warnings = append(r.Warnings, p) }

// OK says whether there is nothing that forbids the start.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// Err is the whole report as an error, or nil when the report is OK.
func (r *Report) Err() error {
	if r.OK() {
		return nil
	}
	return reportError{r}
}

type reportError struct{ report *Report }

func (e reportError) Error() string { return strings.TrimRight(e.report.String(), "\n") }

// String is the report as an operator reads it, all errors first. It is empty when there is
// nothing to say.
func (r *Report) String() string { return r.Text(false) }

// Text is String, in colour if the terminal can show it.
func (r *Report) Text(colour bool) string {
	var b strings.Builder
	p := pen{colour}
	if n := len(r.Errors); n > 0 {
		b.WriteString(p.bad(count(n, "setting is wrong", "settings are wrong")+".") + "\n")
		for _, e := range r.Errors {
			b.WriteString("\n")
			e.write(&b, p)
		}
	}
	if n := len(r.Warnings); n > 0 {
		if len(r.Errors) > 0 {
			b.WriteString("\n")
		}
		b.WriteString(p.note(count(n, "notice", "notices")+":") + "\n")
		for _, w := range r.Warnings {
			b.WriteString("\n")
			w.write(&b, p)
		}
	}
	return b.String()
}

// write sets a problem as a paragraph.
func (p Problem) write(b *strings.Builder, pen pen) {
	b.WriteString(fold(p.Name, "  ", pen.strong))
	if p.Origin != "" {
		b.WriteString(pen.faint(" (" + p.Origin + ")"))
	}
	b.WriteString("\n")
	b.WriteString(fold(sentence(p.What), "      ", plain) + "\n")
	if p.Right != "" {
		b.WriteString(fold("Right: "+p.Right+".", "      ", plain) + "\n")
	}
}

// String is the problem on one line, for logs.
func (p Problem) String() string {
	text := p.Name
	if p.Origin != "" {
		text += " (" + p.Origin + ")"
	}
	text += ": " + p.What
	if p.Right != "" {
		text += "; right: " + p.Right
	}
	return text
}

// width is how long the lines of a report grow.
const width = 96

// fold breaks text into lines of at most width, each after the indent and drawn by style.
func fold(text, indent string, style func(string) string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(indent)+len(line)+1+len(word) > width {
			lines = append(lines, indent+style(line))
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, indent+style(line)), "\n")
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if c := text[0]; 'a' <= c && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") {
		text += "."
	}
	return text
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// pen draws words, in colour or not.
type pen struct{ colour bool }

func (p pen) draw(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p pen) bad(text string) string    { return p.draw("1;31", text) }
func (p pen) note(text string) string   { return p.draw("33", text) }
func (p pen) strong(text string) string { return p.draw("1", text) }
func (p pen) faint(text string) string  { return p.draw("2", text) }

func plain(text string) string { return text }
