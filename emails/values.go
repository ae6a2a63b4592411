package emails

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName  = 100      // runes of a display name in a mail
	maxValue = 16 << 10 // bytes of any other value; the longest URL that may be mailed
)

// cleanValues makes every value one harmless line of text. It refuses a mail whose link would have
// to be cut, since half a link helps nobody.
func cleanValues(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in)+1)
	for name, v := range in {
		v = cleanLine(v)
		if name == "displayName" {
			out[name] = defuse(shorten(v, maxName))
			continue
		}
		if len(v) > maxValue {
			return nil, fmt.Errorf("the value of %s is longer than %d bytes", name, maxValue)
		}
		out[name] = v
	}
	return out, nil
}

// cleanLine gives valid text on one line: runs of control characters, line separators and what is
// not UTF-8 become one blank; marks that turn the direction of the text around or hide in it go.
func cleanLine(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029':
			blank = true
			continue
		case turnsText(r):
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// turnsText reports whether the rune is an embedding, override or isolate of the bidirectional
// algorithm, or an invisible tag. Names in right-to-left scripts need none of them.
func turnsText(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff' ||
		r >= 0xE0000 && r <= 0xE007F
}

// shorten cuts a text to a number of runes.
func shorten(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	n := 0
	for i := range s {
		if n == runes-1 {
			return strings.TrimSpace(s[:i]) + "…"
		}
		n++
	}
	return s
}

// defuse keeps mail clients from making a link of a name: whoever signs up with the address of
// somebody else chooses the name that this person reads. "evil.example" gets a hair space after the
// dot, which is hardly seen and in "J.R.R. Tolkien" even good style.
func defuse(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		b.WriteRune(r)
		if strings.ContainsRune(".:/@\u3002\uff0e\uff61\u2024", r) && i+1 < len(runes) && !unicode.IsSpace(runes[i+1]) {
			b.WriteRune('\u200a')
		}
	}
	return b.String()
}
