package sms

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"unicode/utf8"
)

// words are what the operator has messages with a code say; nil leaves it to the templates.
type words struct{ text *template.Template }

// parseWords reads a template of Go, in which there must be a code.
func parseWords(text string) (*words, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	parsed, err := template.New("message").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is no template: %w", err)
	}
	w := &words{parsed}
	const longest = "9876543210"
	said, err := w.with(longest)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be filled in: %w", err)
	case !strings.Contains(said, longest):
		return nil, errors.New("must have {{ .Code }} in it")
	case utf8.RuneCountInString(said) > maxText || !utf8.ValidString(said):
		return nil, fmt.Errorf("must not be longer than %d letters", maxText)
	}
	return w, nil
}

func (w *words) with(code string) (string, error) {
	var b strings.Builder
	err := w.text.Execute(&b, struct{ Code string }{code})
	return strings.TrimSpace(b.String()), err
}

// Words is what a message with a code says, where the operator has put it into AUTH_SMS_TEMPLATE.
func (g *Gateway) Words(code string) (text string, ok bool) {
	if g == nil || g.words == nil || code == "" {
		return "", false
	}
	text, err := g.words.with(code)
	return text, err == nil
}
