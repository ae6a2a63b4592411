package supabase

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// near finds the known word that a mistyped one was meant to be, if one is near.
type near = func(mistyped string, known []string) string

// Read takes in what a file says of hooks. What the file and the variables both say must be the same.
func (s *Settings) Read(tables map[string]any, variable func(name string) string, nearest near, report func(env, problem string)) {
	say := func(problem string) { report("AUTH_HOOKS_CONFIG", problem) }
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		r, known := rowOf(name)
		if !known {
			say(fmt.Sprintf("names a file with [auth.hook.%s], and there is no such hook%s", name, meant(nearest(name, Names()))))
			continue
		}
		table, ok := tables[name].(map[string]any)
		if !ok {
			say(fmt.Sprintf("names a file with a hook %s that is no table", name))
			continue
		}
		e := entry{row: r, table: table, variable: variable, say: say, report: report}
		e.unknown(nearest)
		e.into(s.hooks[name], s.set)
	}
}

// Strangers reports variables that look like those of a hook, and are of none. A hook that was meant
// to refuse, and is never asked, would let everybody in.
func (s *Settings) Strangers(nearest near, report func(env, problem string)) {
	known := map[string]bool{}
	for _, r := range rows {
		for _, ending := range endings {
			if r.joins && ending == secrets {
				continue
			}
			for _, name := range r.variables(ending) {
				known[name] = true
				known[name+"_FILE"] = ending != enabled
			}
		}
	}
	for _, name := range s.set {
		if !stranger.MatchString(name) || known[name] || strings.HasPrefix(name, theirs+"CUSTOM_SMS_PROVIDER_") {
			continue
		}
		report(name, "is of no hook"+meant(nearest(name, slices.Sorted(maps.Keys(known)))))
	}
}

var stranger = regexp.MustCompile(`^(?:` + ours + `|` + theirs + `)\w+_(?:` + strings.Join(endings, "|") + `)(?:_FILE)?$`)

func meant(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// entry is one table of the file.
type entry struct {
	row      row
	table    map[string]any
	variable func(name string) string
	say      func(problem string)
	report   func(env, problem string)
}

func (e entry) where(member string) string { return member + " of [auth.hook." + e.row.name + "]" }

func (e entry) unknown(nearest near) {
	members := []string{"enabled", "uri", "secrets"}
	for _, member := range slices.Sorted(maps.Keys(e.table)) {
		if !slices.Contains(members, member) {
			e.say("names a file with " + e.where(member) + ", which means nothing" + meant(nearest(member, members)))
		}
	}
}

// into puts what the table says into the hook, where the variables are silent.
func (e entry) into(h *Hook, set []string) {
	said := func(ending string) string { // which variable says it, if one does
		for _, name := range e.row.variables(ending) {
			for _, name := range []string{name, name + "_FILE"} {
				if slices.Contains(set, name) {
					return name
				}
			}
		}
		return ""
	}
	differ := func(name, member string) {
		e.report(name, "and "+e.where(member)+" in the file of AUTH_HOOKS_CONFIG are both set and differ; keep one of them")
	}
	on, there := e.enabled()
	if name := said(enabled); there && name != "" && on != h.Enabled {
		differ(name, "enabled")
	} else if there {
		h.Enabled = on
	}
	for _, m := range []struct {
		member, ending string
		field          *string
	}{{"uri", uri, &h.URI}, {"secrets", secrets, &h.Secrets}} {
		value, there := e.text(m.member, h.Enabled)
		switch name := said(m.ending); {
		case !there:
		case name != "" && value != *m.field:
			differ(name, m.member)
		default:
			*m.field = value
		}
	}
}

// enabled reads the switch, which may come from a variable.
func (e entry) enabled() (on, there bool) {
	switch v := e.table["enabled"].(type) {
	case nil:
		return false, false
	case bool:
		return v, true
	case string:
		text, _ := e.text("enabled", true)
		on, err := strconv.ParseBool(text)
		if err == nil {
			return on, true
		}
		if text == "" { // said already
			return false, false
		}
	}
	e.say("names a file with " + e.where("enabled") + ", which is neither true nor false")
	return false, false
}

var fromVariable = regexp.MustCompile(`^env\(([A-Za-z_][A-Za-z0-9_]*)\)$`)

// text reads a text, which may come from a variable. One that is not set is wrong where it is needed.
func (e entry) text(member string, needed bool) (text string, there bool) {
	v := e.table[member]
	if v == nil { // in YAML also a member without a value
		return "", false
	}
	text, ok := v.(string)
	if !ok {
		e.say("names a file with " + e.where(member) + ", which is no text")
		return "", false
	}
	m := fromVariable.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return text, text != ""
	}
	text = e.variable(m[1])
	if text == "" && needed {
		e.say("names a file with " + e.where(member) + ", which is env(" + m[1] + "), and that variable is not set")
	}
	return text, text != ""
}
