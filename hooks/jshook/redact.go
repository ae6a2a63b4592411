package jshook

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// shortestSecret is the length from which secrets are hidden: what is shorter is in every text.
const shortestSecret = 4

// Redactor hides secrets in texts, also as they are written in JSON and in addresses.
func Redactor(secrets []string) *strings.Replacer {
	var forms []string
	for _, s := range secrets {
		if len(s) < shortestSecret {
			continue
		}
		component := strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), component} {
			quoted := encode(form)
			forms = append(forms, form, quoted[1:len(quoted)-1])
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // the longest wins
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}

// maxConsole is how much of what one call says to the console is kept.
const maxConsole = 64 << 10

// transcript is what a call says to its console.
type transcript struct {
	hide  *strings.Replacer
	lines []string
	size  int
	full  bool
}

// say adds a line. A secret is hidden before anything is cut, so that none is left in halves.
func (t *transcript) say(text string) {
	if t.full {
		return
	}
	text = strings.ToValidUTF8(t.hide.Replace(text), "\uFFFD")
	if t.size+len(text)+1 > maxConsole {
		text = strings.ToValidUTF8(text[:max(0, maxConsole-t.size-1)], "")
		t.full = true
	}
	t.size += len(text) + 1
	t.lines = append(t.lines, text)
	if t.full {
		t.lines = append(t.lines, "[the console is full]")
	}
}
