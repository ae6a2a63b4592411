package emails

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"postern/templates"
)

// The files of a template.
const (
	subjectFile = "subject.txt"
	htmlFile    = "body.html"
	textFile    = "body.txt"
)

// maxFile bounds one file of a template, wherever it comes from.
const maxFile = 256 << 10

// localePattern is what may name a folder: a language tag and nothing else, so never "..".
var localePattern = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,3}$`)

// namePattern is what may name a template.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

// Renderer fills templates. It asks its sources in this order: the remote, the directory, the
// built-in set. Each source is asked for the wanted locale, then its language ("de" for "de-AT"),
// then the default locale; always for the same template. The built-in set has English for
// everything, so a mail of the house always has words.
type Renderer struct {
	Remote        *Remote // nil when there is none
	Directory     string  // need not exist
	DefaultLocale string  // empty means "en"

	own *goTemplates // of the operator, for mails of GoTrue's dialect; nil when there are none

	mu   sync.Mutex
	good map[string]files // last good copies of the directory, by locale/name
}

// files is one template as read: what a source has of it.
type files struct {
	subject, html, text *template // nil when missing
	locale, source      string
}

func (f files) empty() bool { return f.html == nil && f.text == nil }

// Render fills the template of the message. An error is permanent: there is no such template, or a
// value cannot be mailed.
func (r *Renderer) Render(ctx context.Context, m Message) (Rendered, error) {
	if !namePattern.MatchString(m.Template) {
		return Rendered{}, &SendError{Permanent: true, Err: fmt.Errorf("%q cannot name a template", m.Template)}
	}
	values, err := cleanValues(m.Variables)
	if err != nil {
		return Rendered{}, &SendError{Permanent: true, Err: err}
	}
	found, warnings := r.find(ctx, m.Template, r.locales(m.Locale))
	if found.empty() {
		if err := errors.Join(warnings...); err != nil {
			return Rendered{}, &SendError{Err: fmt.Errorf("there is no template %s: %w", m.Template, err)}
		}
		return Rendered{}, &SendError{Permanent: true, Err: fmt.Errorf("there is no template %s", m.Template)}
	}
	values["locale"] = found.locale
	codeAndTicket(m.Template, values)
	out := Rendered{Locale: found.locale, Source: found.source, Warnings: warnings}
	if found.subject != nil {
		out.Subject = shorten(cleanLine(found.subject.fill(oneLine, values)), 250)
	}
	if found.html != nil {
		out.HTML = found.html.fill(markup, values)
	}
	switch {
	case found.text != nil:
		out.Text = strings.TrimSpace(found.text.fill(plain, values)) + "\n"
	case out.HTML != "":
		out.Text = textOf(out.HTML)
	}
	if r.own != nil {
		out = r.own.apply(ctx, m, values, out)
	}
	return out, nil
}

// codeAndTicket lets templates of the one-time code say ${ticket}, as Hasura Auth's do, or ${code}.
// What the link beside the code proves itself with stands in ${link} alone.
func codeAndTicket(name string, values map[string]string) {
	if name != SignInOTP {
		return
	}
	if values["code"] == "" {
		values["code"] = values["ticket"]
	}
	values["ticket"] = values["code"]
}

// locales lists the folders to look into, best first.
func (r *Renderer) locales(wanted string) []string {
	var list []string
	for _, l := range []string{wanted, r.defaultLocale()} {
		for localePattern.MatchString(l) {
			if !slices.Contains(list, l) {
				list = append(list, l)
			}
			cut := strings.LastIndexAny(l, "-_")
			if cut < 0 {
				break
			}
			l = l[:cut]
		}
	}
	return list
}

func (r *Renderer) defaultLocale() string {
	if r.DefaultLocale == "" {
		return "en"
	}
	return r.DefaultLocale
}

// find asks the sources in order. What went wrong on the way are warnings.
func (r *Renderer) find(ctx context.Context, name string, locales []string) (files, []error) {
	var warnings []error
	local, err := r.local(name, locales)
	if err != nil {
		warnings = append(warnings, err)
	}
	if r.Remote == nil {
		return local, warnings
	}
	remote, err := r.Remote.find(ctx, name, locales)
	if err != nil {
		warnings = append(warnings, err)
	}
	if remote.empty() {
		return local, warnings
	}
	if remote.subject == nil {
		remote.subject = local.subject
	}
	return remote, warnings
}

// local looks into the directory, then into the built-in set.
func (r *Renderer) local(name string, locales []string) (files, error) {
	var problem error
	if r.Directory != "" {
		for _, l := range locales {
			f, err := r.fromDirectory(name, l)
			problem = errors.Join(problem, err)
			if !f.empty() {
				return f, problem
			}
		}
	}
	for _, l := range append(locales, "en") {
		f, err := readTemplate(templates.FS, l, name)
		problem = errors.Join(problem, err)
		if !f.empty() {
			f.source = "built-in"
			return f, problem
		}
	}
	return files{}, problem
}

// fromDirectory reads a template as it is on the disk now. While somebody is in the middle of an
// edit that cannot be read, the last good copy stands.
func (r *Renderer) fromDirectory(name, locale string) (files, error) {
	key := locale + "/" + name
	f, err := readTemplate(os.DirFS(r.Directory), locale, name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return r.good[key], err
	}
	f.source = "directory"
	if f.empty() {
		delete(r.good, key)
		return f, nil
	}
	if r.good == nil {
		r.good = map[string]files{}
	}
	r.good[key] = f
	return f, nil
}

// readTemplate reads the files of one template. A template needs a body, and, when it is a mail, a
// subject; without them it counts as missing.
func readTemplate(source fs.FS, locale, name string) (files, error) {
	f := files{locale: locale}
	for file, to := range map[string]**template{subjectFile: &f.subject, htmlFile: &f.html, textFile: &f.text} {
		t, err := readFile(source, locale+"/"+name+"/"+file)
		if err != nil {
			return files{}, err
		}
		*to = t
	}
	if f.subject == nil && f.html != nil {
		return files{}, fmt.Errorf("%s/%s: %s is missing", locale, name, subjectFile)
	}
	return f, nil
}

// readFile reads one file; a missing one is nil.
func readFile(source fs.FS, path string) (*template, error) {
	file, err := source.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	defer file.Close()
	text, err := readLimited(file)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", path, err)
	}
	return parse(path, text)
}

// Check reads every template of the directory and reports those that cannot be read, by file and
// line. A directory that does not exist is no error.
func (r *Renderer) Check() error {
	if r.DefaultLocale != "" && !localePattern.MatchString(r.DefaultLocale) {
		return fmt.Errorf("the default locale %q is not a language tag", r.DefaultLocale)
	}
	var problems []error
	err := r.eachFile(func(path string, _ *template, err error) {
		if err != nil {
			problems = append(problems, err)
		}
	})
	return errors.Join(append(problems, err)...)
}

// Lint lists what is suspicious in the templates of the directory and of the built-in set: names
// that are no variables, values in attributes without quotes, files that cannot be read.
func (r *Renderer) Lint() []error {
	var problems []error
	visit := func(path string, t *template, err error) {
		if err != nil {
			problems = append(problems, err)
			return
		}
		problems = append(problems, t.lint(path, formatOf(path))...)
	}
	if err := r.eachFile(visit); err != nil {
		problems = append(problems, err)
	}
	if err := eachFile(templates.FS, visit); err != nil {
		problems = append(problems, err)
	}
	return problems
}

func (r *Renderer) eachFile(visit func(path string, t *template, err error)) error {
	if r.Directory == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(r.Directory) // a symbolic link to the folder is welcome
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	return eachFile(os.DirFS(root), visit)
}

// eachFile visits every file of every template, in order.
func eachFile(source fs.FS, visit func(path string, t *template, err error)) error {
	paths, err := fs.Glob(source, "*/*/*")
	if err != nil {
		return fmt.Errorf("templates: %w", err)
	}
	for _, path := range paths {
		parts := strings.Split(path, "/")
		if !localePattern.MatchString(parts[0]) || !slices.Contains([]string{subjectFile, htmlFile, textFile}, parts[2]) {
			continue
		}
		t, err := readFile(source, path)
		if t == nil && err == nil {
			continue
		}
		visit(path, t, err)
	}
	return nil
}

func formatOf(path string) format {
	switch {
	case strings.HasSuffix(path, subjectFile):
		return oneLine
	case strings.HasSuffix(path, htmlFile):
		return markup
	}
	return plain
}
