package emails

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

var (
	blanks     = regexp.MustCompile(`[ \t\r\n\x{a0}]+`)
	emptyLines = regexp.MustCompile(`\n{3,}`)
)

// textOf makes the text part of a mail that has only HTML: what a reader would see, with the target
// of each link behind its words.
func textOf(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	hidden, href := 0, ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return tidy(b.String())
		case html.TextToken:
			if hidden == 0 {
				b.WriteString(blanks.ReplaceAllString(string(z.Text()), " "))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if hides(t.Data) && t.Type == html.StartTagToken {
				hidden++
			}
			if t.Data == "a" {
				href = attribute(t, "href")
			}
			b.WriteString(breakBefore(t.Data))
		case html.EndTagToken:
			t := z.Token()
			if hides(t.Data) {
				hidden = max(0, hidden-1)
			}
			if t.Data == "a" {
				if href != "" && href != "#" && !strings.HasSuffix(strings.TrimSpace(b.String()), href) {
					b.WriteString(" " + href + " ")
				}
				href = ""
			}
			b.WriteString(breakBefore(t.Data))
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

// tidy trims the lines, joins blanks and leaves at most one empty one between two.
func tidy(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(blanks.ReplaceAllString(l, " "))
	}
	return strings.TrimSpace(emptyLines.ReplaceAllString(strings.Join(lines, "\n"), "\n\n")) + "\n"
}

func hides(tag string) bool {
	switch tag {
	case "head", "style", "script", "title", "template":
		return true
	}
	return false
}

func breakBefore(tag string) string {
	switch tag {
	case "br", "tr", "li", "div":
		return "\n"
	case "p", "table", "ul", "ol", "h1", "h2", "h3", "h4", "blockquote", "hr", "pre":
		return "\n\n"
	case "td", "th":
		return " "
	}
	return ""
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}
