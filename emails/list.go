package emails

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postern/templates"
)

// Listed is a template in one language, as it is written.
type Listed struct {
	Name, Locale        string
	Custom              bool // the operator's own, in the place of what is built in
	Text                bool // of a text message: it has neither subject nor HTML
	Subject, HTML, Body string
	Problems            []string // what is suspicious in it, or why it cannot be read
}

// List lists the templates of the directory and, where that has none, those that are built in. Those of
// AUTH_EMAIL_TEMPLATE_FETCH_URL cannot be listed: nobody knows which there are before they are asked for.
func (r *Renderer) List() ([]Listed, error) {
	all := map[string]*Listed{}
	if err := collectTemplates(templates.FS, false, all); err != nil {
		return nil, err
	}
	if r.Directory != "" {
		root, err := filepath.EvalSymlinks(r.Directory)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("templates: the directory of AUTH_EMAIL_TEMPLATES_PATH cannot be read")
		}
		if err == nil {
			if err := collectTemplates(os.DirFS(root), true, all); err != nil {
				return nil, err
			}
		}
	}
	list := make([]Listed, 0, len(all))
	for _, l := range all {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Listed) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Locale, b.Locale)) })
	return list, nil
}

// collectTemplates adds the templates of one source, each in the place of one of the same name and language.
func collectTemplates(source fs.FS, custom bool, all map[string]*Listed) error {
	return eachFile(source, func(path string, t *template, err error) {
		parts := strings.Split(path, "/")
		key := parts[0] + "/" + parts[1]
		if !namePattern.MatchString(parts[1]) {
			return
		}
		l := all[key]
		if l == nil || l.Custom != custom {
			l = &Listed{Name: parts[1], Locale: parts[0], Custom: custom, Text: parts[1] == SignInSMS}
			all[key] = l
		}
		if err != nil {
			l.Problems = append(l.Problems, err.Error())
			return
		}
		for _, problem := range t.lint(path, formatOf(path)) {
			l.Problems = append(l.Problems, problem.Error())
		}
		raw, err := fs.ReadFile(source, path)
		if err != nil || len(raw) > maxFile {
			return // it is being changed this moment
		}
		switch parts[2] {
		case subjectFile:
			l.Subject = string(raw)
		case htmlFile:
			l.HTML = string(raw)
		case textFile:
			l.Body = string(raw)
		}
	})
}

// IsAddress tells whether a mail can be sent to a text: it is one bare address.
func IsAddress(s string) bool {
	_, err := recipient(s)
	return err == nil
}

// Probe greets the mail server as for a mail, and sends none. Where mails go through another service's API,
// there is nothing to greet, and asked is false.
func (m *Mailer) Probe(ctx context.Context) (asked bool, err error) {
	s, ok := m.Transport.(*SMTP)
	if !ok {
		return false, nil
	}
	return true, s.probe(ctx)
}
