package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// theirPrefix begins GoTrue's names of settings.
const theirPrefix = "GOTRUE_"

// theirs is one variable of GoTrue, which is Supabase Auth, and what it is here.
type theirs struct {
	name string // without the prefix
	bare string // a name that counts where the prefixed one is not set, as GoTrue reads a few
	to   []part // the settings that it is another name of; none where it has no effect
	join string // the setting that it is one part of among several; see joins
	// judge tells what is wrong with a value that has no effect, or to be said of it; nil says doc.
	judge  meaning
	silent bool   // off says nothing, since nothing is on
	doc    string // how it differs, or why it has no effect
}

// part is one setting that a value gives a value to.
type part struct {
	setting string
	as      meaning // nil is the value as it stands
}

// meaning reads a value of theirs.
type meaning func(value string) meant

// meant is what a value of theirs means here.
type meant struct {
	value string // of the setting; empty leaves it as it is
	note  string // what of it is not honoured
	wrong *wrong // there is no start with it
}

// full is the whole name.
func (t theirs) full() string { return theirPrefix + t.name }

// settings lists what it gives a value to.
func (t theirs) settings() []string {
	var names []string
	for _, p := range t.to {
		names = append(names, p.setting)
	}
	if t.join != "" {
		names = append(names, t.join)
	}
	return names
}

// speech is what the sources say in GoTrue's names.
type speech struct {
	loader *loader
	table  []theirs
}

// spoken tells whether a source has one of GoTrue's names. Those of hooks do not count: they have long been second
// names of ours. The bare names count only where others are beside them, since half of all programs read PORT.
func (s *speech) spoken() bool {
	return slices.ContainsFunc(s.table, func(t theirs) bool { return s.loader.value(t.full()) != "" })
}

// said is the name that counts of one variable, and its value.
func (s *speech) said(t theirs) (name, value string) {
	for _, name := range []string{t.full(), t.bare} {
		if v := strings.TrimSpace(s.loader.value(name)); name != "" && v != "" {
			return name, v
		}
	}
	return "", ""
}

// gotrue takes in what is said in GoTrue's names: each value becomes one of the setting that it means, as if it had stood
// there under that name. What has no effect is a notice with the reason.
func (l *loader) gotrue() {
	s := &speech{loader: l, table: gotrueTable()}
	if l.spoken = s.spoken(); !l.spoken {
		return
	}
	for _, t := range s.table {
		if name, value := s.said(t); name != "" {
			s.take(t, name, value)
		}
	}
	s.unproxied()
	for _, j := range joins() {
		s.join(j)
	}
	l.layers = append(l.layers, s.defaults())
}

// take takes one variable in.
func (s *speech) take(t theirs, name, value string) {
	l := s.loader
	if len(t.to) == 0 && t.join == "" {
		m := meant{note: "without effect: " + t.doc}
		if t.judge != nil {
			m = t.judge(value)
		}
		if on, isBool := parseBool(value); t.silent && isBool && !on {
			return
		}
		s.tell(name, m)
		return
	}
	for _, p := range t.to {
		m := meant{value: value}
		if p.as != nil {
			m = p.as(value)
		}
		s.tell(name, m)
		if m.value != "" {
			l.give(p.setting, candidate{name: name, value: m.value, origin: l.origin(name)})
		}
	}
}

// tell reports what is to be said of a value.
func (s *speech) tell(name string, m meant) {
	switch origin := s.loader.origin(name); {
	case m.wrong != nil:
		s.loader.report.fail(Problem{Name: name, Origin: origin, What: m.wrong.what, Right: m.wrong.right})
	case m.note != "":
		s.loader.report.warn(Problem{Name: name, Origin: origin, What: m.note})
	}
}

// give gives a setting a value in the source that has the variable.
func (l *loader) give(setting string, c candidate) {
	for i, layer := range l.layers {
		if layer.values[c.name] == "" {
			continue
		}
		if layer.theirs == nil {
			l.layers[i].theirs = map[string][]candidate{}
		}
		l.layers[i].theirs[setting] = append(l.layers[i].theirs[setting], c)
		return
	}
}

// defaults are what GoTrue does where nothing is said: its door is open, and where the key of the tokens has GoTrue's name
// alone, nobody expects Hasura Auth's.
func (s *speech) defaults() layer {
	values := map[string]string{"AUTH_GOTRUE_API_ENABLED": "true"}
	if s.loader.value(jwtSecret) == "" && s.loader.value(jwtSecret+fileSuffix) == "" {
		values["AUTH_HASURA_API_ENABLED"], values["AUTH_PORT"] = "false", "8081"
		if u := cmp.Or(s.loader.value("GOTRUE_API_API_EXTERNAL_URL"), s.loader.value("API_EXTERNAL_URL")); checkURL(u) == "" {
			values["AUTH_SERVER_URL"] = u
		}
	}
	return layer{values: values, origin: func(string) string { return "default of GoTrue" }, ours: true}
}

// theirName gives the name by which GoTrue knows a setting, or nothing.
func theirName(setting string) string {
	for _, t := range gotrueTable() {
		if slices.Contains(t.settings(), setting) {
			return cmp.Or(t.bare, t.full())
		}
	}
	return ""
}

// inTheirWords helps whoever knows a setting by GoTrue's name.
func (l *loader) inTheirWords(setting string) string {
	if name := theirName(setting); l.spoken && name != "" {
		return name + " is another name of it"
	}
	return ""
}

// theirNames lists GoTrue's names, for suggestions.
func theirNames() map[string]bool {
	names := map[string]bool{}
	for _, t := range gotrueTable() {
		names[t.full()] = true
	}
	return names
}

// judgeTheirs says what there is to say about a name that begins as GoTrue's do.
func judgeTheirs(name string, others []string) verdict {
	known := theirNames()
	base, isFile := strings.CutSuffix(name, fileSuffix)
	switch {
	case known[name]:
		return verdict{} // more was said of it already
	case isFile && known[base]:
		return verdict{notice: "without effect: GoTrue reads no secrets from files; the names of Postern's own do, see docs/dialects/gotrue-settings.md"}
	}
	return verdict{notice: "without effect: there is no such setting" + suggestion(name, slices.Concat(slices.Collect(maps.Keys(known)), others), "")}
}
