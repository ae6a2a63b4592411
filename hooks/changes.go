package hooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// change is a member of an object that is another than before.
type change struct {
	name          string
	before, after string // JSON; empty when it is not there
}

// compared lists the members in which two objects differ, by name.
func compared(before, after map[string]any) []change {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	var all []change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := change{name, member(before, name), member(after, name)}
		if c.before != c.after {
			all = append(all, c)
		}
	}
	return all
}

func member(o map[string]any, name string) string {
	v, there := o[name]
	if !there {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

// changes puts into words how one object became another.
func changes(what string, before, after map[string]any) []string {
	var all []string
	for _, c := range compared(before, after) {
		switch {
		case c.before == "":
			all = append(all, fmt.Sprintf("adds the %s %s: %s", what, c.name, short(c.after)))
		case c.after == "":
			all = append(all, fmt.Sprintf("leaves out the %s %s", what, c.name))
		default:
			all = append(all, fmt.Sprintf("changes the %s %s from %s to %s", what, c.name, short(c.before), short(c.after)))
		}
	}
	return all
}

// flat has the members of objects in an object beside its own, so that a change of one claim of Hasura
// is seen as that. Names of such members follow the one of their object after a blank.
func flat(o map[string]any) map[string]any {
	all := map[string]any{}
	for name, v := range object(encoded(o)) {
		inner, ok := v.(map[string]any)
		if !ok || len(inner) == 0 {
			all[name] = v
			continue
		}
		for member, v := range inner {
			all[name+" "+member] = v
		}
	}
	return all
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

// object reads one, with its numbers as they are written; nil when the text is none.
func object(text []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var o map[string]any
	if d.Decode(&o) != nil {
		return nil
	}
	return o
}

func each(format string, names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf(format, name))
	}
	return all
}

// shownOfValue is how much of a value is shown.
const shownOfValue = 120

func short(text string) string {
	runes := []rune(text)
	if len(runes) <= shownOfValue {
		return text
	}
	return string(runes[:shownOfValue]) + "…"
}
