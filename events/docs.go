package events

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Docs is the table of events for the documentation, in Markdown.
func Docs() string {
	var b strings.Builder
	b.WriteString("\n## The events\n\nThe data of each has `userId` besides. A member in brackets may be missing.\n\n| event | when | data |\n| --- | --- | --- |\n")
	for _, t := range Types() {
		_, _ = fmt.Fprintf(&b, "| `%s` | %s | %s |\n", t.Name, t.Doc, t.members())
	}
	return b.String()
}

// AuditDocs is the table of what the audit log has, in Markdown.
func AuditDocs() string {
	var b strings.Builder
	b.WriteString("\n## The entries\n\nThe ones with a tick are told to receivers of [events](events.md) too. A fact in brackets may be missing.\n\n| entry | when | told | facts |\n| --- | --- | --- | --- |\n")
	list := slices.Concat(Types(), Notes())
	slices.SortFunc(list, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range list {
		tick := ""
		if Known(t.Name) {
			tick = "✔"
		}
		_, _ = fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", t.Name, t.Doc, tick, t.members())
	}
	return b.String()
}

func (t Type) members() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.Data)) {
		f := t.Data[name]
		shown := "`" + name + "`"
		if f.Optional {
			shown = "[" + shown + "]"
		}
		list = append(list, shown+" "+f.Doc)
	}
	return strings.Join(list, "<br>")
}
