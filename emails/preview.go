package emails

import (
	"context"
	_ "embed"
	"fmt"
	html "html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"postern/templates"
)

//go:embed preview.html
var previewPage string

// previewed is one mail on the page.
type previewed struct {
	Rendered
	Template string
	Wanted   string // locale
	Problem  error
}

// Preview writes one page, complete in itself, with every template in every locale, filled with
// sample values and shown as wide as on a desk and on a phone. The operator's own templates are
// among them. A template that cannot be rendered says why.
func (r *Renderer) Preview(ctx context.Context, w io.Writer) error {
	names, locales, err := r.inventory()
	if err != nil {
		return err
	}
	page, err := html.New("preview").Parse(previewPage)
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	byName := map[string][]previewed{}
	for _, name := range names {
		for _, l := range locales {
			out, err := r.Render(ctx, Message{Template: name, Locale: l, Variables: sample(name)})
			byName[name] = append(byName[name], previewed{Rendered: out, Template: name, Wanted: l, Problem: err})
		}
	}
	data := struct {
		Names, Locales []string
		Mails          map[string][]previewed
	}{names, locales, byName}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	return nil
}

// inventory lists the templates and locales there are, those of the house first.
func (r *Renderer) inventory() (names, locales []string, err error) {
	more, tags := map[string]bool{}, map[string]bool{}
	note := func(path string, _ *template, _ error) {
		parts := strings.Split(path, "/")
		tags[parts[0]] = true
		if namePattern.MatchString(parts[1]) && !slices.Contains(Templates(), parts[1]) {
			more[parts[1]] = true
		}
	}
	if err := eachFile(templates.FS, note); err != nil {
		return nil, nil, err
	}
	if err := r.eachFile(note); err != nil {
		return nil, nil, err
	}
	locales = slices.Sorted(maps.Keys(tags))
	if i := slices.Index(locales, r.defaultLocale()); i > 0 {
		locales = slices.Insert(slices.Delete(locales, i, i+1), 0, r.defaultLocale())
	}
	return append(Templates(), slices.Sorted(maps.Keys(more))...), locales, nil
}

// sample gives a template what it would get from a flow.
func sample(name string) map[string]string {
	const client = "https://app.example.com"
	values := map[string]string{
		"email": "ada.lovelace@example.org", "displayName": "Ada Lovelace", "redirectTo": client + "/welcome",
		"serverUrl": "https://auth.example.com/v1", "clientUrl": client,
	}
	switch {
	case name == SignInSMS:
		values["code"] = "492013"
		return values
	case slices.Contains(Notices(), name):
		return values
	case name == SignInOTP:
		values["code"] = "492013"
	case name == EmailConfirmChange:
		values["newEmail"] = "countess@example.net"
	}
	kind := map[string]string{
		EmailVerify: "verifyEmail", EmailConfirmChange: "emailConfirmChange", PasswordReset: "passwordReset",
		SignInPasswordless: "passwordlessEmail", SignInOTP: "passwordlessEmail",
	}[name]
	if kind == "" {
		kind = "verifyEmail"
	}
	values["ticket"] = kind + ":4b1d0a52-64b4-4a7a-9d0e-1f8c2a7b90c3"
	values["link"] = values["serverUrl"] + "/verify?redirectTo=https%3A%2F%2Fapp.example.com%2Fwelcome&ticket=" +
		strings.Replace(values["ticket"], ":", "%3A", 1) + "&type=" + kind
	return values
}

// Sample is a message that shows the template, for `emails send-test`.
func Sample(name, locale, id, to string) Message {
	values := sample(name)
	values["email"] = to
	return Message{ID: id, To: to, Template: name, Locale: locale, Variables: values}
}
