package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Source is where settings come from. What stands first here wins over what stands below.
type Source struct {
	// Flags of the command line, by name without dashes. See the function Flags for which there are.
	Flags map[string]string
	// Env is the environment of the process; see Environment.
	Env map[string]string
	// EnvFile names a file of assignments. When empty, ".env" is read if it is there.
	EnvFile string
	// Over names files of assignments that win over the environment, as GoTrue's -c and -d do; of two, the later.
	Over []string
	// Preset stands in for defaults: the development machine puts its own keys and address here.
	// The names are those of the environment.
	Preset map[string]string
	// ReadFile reads env files and the files that NAME_FILE variables point at; nil is os.ReadFile.
	ReadFile func(name string) ([]byte, error)
}

// Environment turns "NAME=value" pairs, as os.Environ returns them, into a map.
func Environment(pairs []string) map[string]string {
	env := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// defaultEnvFile is read when no other file is named and it is there.
const defaultEnvFile = ".env"

// layer is one source in the order of precedence. Empty values are not in it.
type layer struct {
	values map[string]string
	origin func(name string) string
	theirs map[string][]candidate // by the setting: what the source says in GoTrue's names
	ours   bool                   // nobody wrote it: it stands in for defaults
}

// loader carries one Load from step to step.
type loader struct {
	src    Source
	tree   *tree
	report *Report
	layers []layer
	read   map[string]bool // names that a reader found wrong
	spoken bool            // a source has names of GoTrue
}

// load fills target, a pointer to a struct of rooms, and reports on it.
func load(target any, src Source) *Report { return loadAs("", target, src) }

// loadAs is load with the defaults of a dialect.
func loadAs(dialect string, target any, src Source) *Report {
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	l := &loader{src: src, tree: walkAs(dialect, target), report: &Report{}, read: map[string]bool{}}
	l.flags()
	for _, name := range slices.Backward(src.Over) {
		l.file(name, true)
	}
	l.layer(src.Env, func(string) string { return "environment" })
	l.file(cmp.Or(src.EnvFile, defaultEnvFile), src.EnvFile != "")
	l.layer(src.Preset, func(string) string { return "preset" })
	l.layers[len(l.layers)-1].ours = true
	l.gotrue()
	l.tree = walkAs(dialect, target, l.names()...)
	for _, text := range l.tree.faults {
		l.report.fail(Problem{Name: "a tag", What: text, Right: "a corrected program: this is a mistake of ours"})
	}
	for _, s := range l.tree.settings {
		l.set(s)
	}
	l.check()
	l.look()
	return l.report
}

// names lists the names that some source has.
func (l *loader) names() []string {
	names := map[string]bool{}
	for _, layer := range l.layers {
		for name := range layer.values {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// layer adds a source below the ones already there. An empty variable is unset.
func (l *loader) layer(values map[string]string, origin func(string) string) {
	filled := make(map[string]string, len(values))
	for name, value := range values {
		if value != "" {
			filled[name] = value
		}
	}
	l.layers = append(l.layers, layer{values: filled, origin: origin})
}

// flags turns flags into variables. Two flags may mean the same setting.
func (l *loader) flags() {
	values, used := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(l.src.Flags)) {
		flag, known := l.tree.flagTable()[name]
		value := l.src.Flags[name]
		switch {
		case !known:
			l.report.fail(Problem{Name: "--" + name, What: "there is no such flag" + suggestion(name, slices.Collect(maps.Keys(l.tree.flagTable())), "--")})
			continue
		case used[flag.Env] != "" && values[flag.Env] != value:
			l.report.fail(Problem{Name: "--" + name, What: fmt.Sprintf("--%s sets the same and says something else", used[flag.Env]), Right: "one of the two"})
			continue
		}
		values[flag.Env], used[flag.Env] = value, name
	}
	l.layer(values, func(name string) string { return "--" + used[name] })
}

// file adds an env file as a layer. One that nobody named need not be there.
func (l *loader) file(name string, named bool) {
	text, err := l.src.ReadFile(name)
	if err != nil {
		if named || !errors.Is(err, fs.ErrNotExist) {
			l.report.fail(Problem{Name: name, What: "the file cannot be read: " + reason(err)})
		}
		return
	}
	variables, faults := parseEnv(string(text))
	for _, f := range faults {
		l.report.fail(Problem{Name: fmt.Sprintf("%s:%d", name, f.line), What: "the line " + f.text})
	}
	values, lines := map[string]string{}, map[string]int{}
	for _, v := range variables {
		if first := lines[v.name]; first != 0 && values[v.name] != v.value {
			l.report.warn(Problem{
				Name: v.name, Origin: fmt.Sprintf("%s:%d", name, v.line),
				What: fmt.Sprintf("line %d sets it too, to something else; the later line counts", first),
			})
		}
		values[v.name], lines[v.name] = v.value, v.line
	}
	l.layer(values, func(variable string) string { return fmt.Sprintf("%s:%d", name, lines[variable]) })
}

// candidate is one value that a source has for a setting.
type candidate struct {
	name, value, origin string
}

// set finds the value of one setting and puts it into its fields. A value that is wrong leaves
// the default in force, so that what follows can be checked as well.
func (l *loader) set(s *setting) {
	v := Value{Name: s.name(), Room: s.room, Secret: s.secret, Origin: "default", Default: s.preset, Doc: s.doc}
	if s.preset != "" {
		l.assign(s, s.preset)
	}
	if c, ok := l.find(s); ok {
		if w := l.assign(s, c.value); w != nil {
			l.report.fail(Problem{Name: c.name, Origin: c.origin, What: w.what, Right: w.right})
		} else {
			v.Origin = c.origin
			if !slices.Contains(slices.Concat(s.names, s.old), strings.TrimSuffix(c.name, fileSuffix)) {
				v.Origin += ", " + c.name
			}
			v.raw = c.value
		}
	}
	v.Text = s.show(v.raw)
	l.report.Values = append(l.report.Values, v)
}

// assign parses a value into every field of a setting.
func (l *loader) assign(s *setting, raw string) *wrong {
	for _, field := range s.fields {
		if w := s.parse(raw, field); w != nil {
			return w
		}
	}
	return nil
}

// find asks the sources in order. The first that has the setting under any of its names decides.
func (l *loader) find(s *setting) (candidate, bool) {
	for _, layer := range l.layers {
		found, sound := l.findIn(layer, s)
		if !sound {
			return candidate{}, false
		}
		if len(found) == 0 {
			continue
		}
		for _, other := range found[1:] {
			if !s.same(other.value, found[0].value) {
				l.report.fail(Problem{
					Name: found[0].name, Origin: found[0].origin,
					What:  fmt.Sprintf("%s (%s) is another name of the same setting and says something else", other.name, other.origin),
					Right: "one of the two",
				})
				return candidate{}, false
			}
		}
		return found[0], true
	}
	return candidate{}, false
}

// findIn lists what one source has for a setting: under each name, and for secrets in the file
// that NAME_FILE points at. It is not sound when that failed and was reported.
func (l *loader) findIn(from layer, s *setting) (found []candidate, sound bool) {
	for _, name := range slices.Concat(s.names, s.old) {
		value, direct := from.values[name]
		if direct && !(strings.TrimSpace(value) == "" && !s.secret) {
			found = append(found, candidate{name, value, from.origin(name)})
		}
		pointer := name + fileSuffix
		path, indirect := from.values[pointer]
		if !s.secret || !indirect {
			continue
		}
		origin := from.origin(pointer)
		if direct {
			l.report.fail(Problem{Name: name, Origin: from.origin(name), What: pointer + " (" + origin + ") is set as well", Right: "one of the two"})
			return nil, false
		}
		text, err := l.src.ReadFile(path)
		if err != nil {
			l.report.fail(Problem{Name: pointer, Origin: origin, What: fmt.Sprintf("the file %s cannot be read: %s", quoted(path), reason(err))})
			return nil, false
		}
		value = strings.TrimRight(string(text), "\r\n")
		if value == "" {
			l.report.fail(Problem{Name: pointer, Origin: origin, What: fmt.Sprintf("the file %s is empty", quoted(path)), Right: "a file that holds the value"})
			return nil, false
		}
		found = append(found, candidate{pointer, value, origin + ", file " + path})
	}
	return append(found, from.theirs[s.name()]...), true
}

// fileSuffix makes the name of a secret the name of a variable that points at a file.
const fileSuffix = "_FILE"

// check asks every room about its fields together. A setting that was already found wrong is not
// judged by the default that stands in for it.
func (l *loader) check() {
	failed := map[string]bool{}
	for _, p := range l.report.Errors {
		failed[p.Name] = true
		if s := l.tree.byName[strings.TrimSuffix(p.Name, fileSuffix)]; s != nil {
			failed[s.name()] = true
		}
	}
	origins := map[string]string{}
	for _, v := range l.report.Values {
		if v.Origin != "default" {
			origins[v.Name] = v.Origin
		}
	}
	said := map[string]bool{}
	report := func(env, problem string) {
		problem = strings.TrimSuffix(problem, ".")
		if failed[env] || said[env+problem] {
			return
		}
		said[env+problem] = true
		l.report.fail(Problem{Name: env, Origin: cmp.Or(origins[env], l.origin(env)), What: problem, Right: l.inTheirWords(env)})
	}
	for _, r := range l.tree.readers {
		r.Read(reading{
			file: l.src.ReadFile, variable: l.value, nearest: Nearest,
			report: func(env, problem string) {
				l.read[env] = true
				report(env, problem)
			},
			warn: func(env, problem string) {
				l.report.warn(Problem{Name: env, Origin: cmp.Or(origins[env], l.origin(env)), What: problem})
			},
		})
	}
	for _, c := range l.tree.checkers {
		c.Check(report)
	}
}

// look warns about names that look like settings and are none, or none yet, or none any more.
func (l *loader) look() {
	waiting := map[string][]string{} // capability → names that are set
	names := map[string]bool{}
	for _, layer := range l.layers {
		if layer.ours {
			continue
		}
		for name := range layer.values {
			names[name] = true
		}
	}
	for name := range l.read {
		delete(names, name) // more was said of it already
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := judge(l.tree, name)
		switch {
		case n.capability != "":
			waiting[n.capability] = append(waiting[n.capability], name)
		case n.notice != "":
			l.report.warn(Problem{Name: name, Origin: l.origin(name), What: n.notice})
		}
	}
	for _, c := range slices.Sorted(maps.Keys(waiting)) {
		set := slices.DeleteFunc(waiting[c], func(name string) bool { return asksForNothing(name, l.value(name)) })
		if len(set) > 0 {
			l.report.warn(Problem{Name: strings.Join(set, ", "), What: "known, but without effect: this version does not have " + c + " yet"})
		}
	}
}

// value is what the first source that has a name says.
func (l *loader) value(name string) string {
	for _, layer := range l.layers {
		if v := layer.values[name]; v != "" {
			return v
		}
	}
	return ""
}

// origin is the first source that has a name.
func (l *loader) origin(name string) string {
	for _, layer := range l.layers {
		if layer.values[name] != "" {
			return layer.origin(name)
		}
	}
	return ""
}

// reason words an error of the file system without the path, which the message has already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
