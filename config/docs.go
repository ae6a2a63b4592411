package config

import (
	"maps"
	"slices"
	"strings"
)

// Docs is the page that lists every setting, in Markdown.
func Docs() string { return docs(walk(&Config{})) }

// Example is an env file with every setting at its default, each behind a comment sign.
func Example() string { return example(walk(&Config{})) }

const docsIntro = `# Configuration

<!-- Written by "make generate" from the settings in the code. Edit those, not this page. -->

Every setting is an environment variable. It can come from four places; the first that has it wins:

1. a flag of the command line, such as ` + "`--port 4000`" + `,
2. the environment of the process,
3. an env file: ` + "`.env`" + ` in the working directory, or the one that ` + "`--env-file`" + ` names,
4. the default.

Rules that hold for all of them:

- An empty variable is unset: the default stays in force.
- Every secret can be read from a file: ` + "`NAME_FILE=/run/secrets/name`" + ` instead of ` + "`NAME`" + `. Line ends at the
  end of the file are dropped. Setting both is an error.
- True is ` + "`true`, `1`, `t`, `yes` or `on`" + `; false is ` + "`false`, `0`, `f`, `no` or `off`" + `; in any letter case.
- Durations are written as Go writes them (` + "`90s`, `15m`, `2h`" + `). Where a unit is named, a bare number counts in it.
- Lists are separated by commas. Blanks around an entry are dropped, and so are empty entries.
- All mistakes are reported together, and nothing starts while there is one. A name that looks like a setting and is
  none gets a notice with the nearest known name, and never a refusal, unless it looks like one of a hook: a hook that
  was meant to refuse and is never asked would let everybody in.

` + "`postern config check`" + ` reads the configuration and says what is wrong with it. ` + "`postern config show`" + ` lists every
setting with the value in effect and where it came from; secrets are masked. [example.env](example.env) has every
setting at its default.

An env file has lines of ` + "`NAME=value`" + `; ` + "`export`" + ` before the name and ` + "`#`" + ` comments are allowed. Nothing inside single quotes
means anything; inside double quotes ` + "`\\n`, `\\r`, `\\t`, `\\\"`, `\\\\` and `\\$`" + ` do. Quoted values may span lines. Other
variables are not substituted.
`

func docs(t *tree) string {
	var b strings.Builder
	b.WriteString(docsIntro)
	for _, r := range t.rooms {
		if len(r.settings) == 0 {
			continue
		}
		b.WriteString("\n## " + r.title + "\n\n")
		if r.doc != "" {
			b.WriteString(r.doc + "\n\n")
		}
		b.WriteString("| variable and flag | takes | default | what it does |\n| --- | --- | --- | --- |\n")
		for _, s := range r.settings {
			b.WriteString("| " + strings.Join([]string{docNames(s), cell(docTakes(s)), docDefault(s), cell(s.doc)}, " | ") + " |\n")
		}
	}
	if len(t.old) > 0 {
		b.WriteString("\n## Deprecated\n\nThese names still work, and each start gives a notice. [compatibility.md](compatibility.md) says for how long.\n\n")
		b.WriteString("| old name | name | dropped in |\n| --- | --- | --- |\n")
		for _, old := range slices.Sorted(maps.Keys(t.old)) {
			d := t.old[old]
			b.WriteString("| " + codes([]string{old}) + " | " + codes([]string{d.name}) + " | " + d.dropped + " |\n")
		}
	}
	b.WriteString("\n## Not yet\n\nThese settings of Hasura Auth are known and have no effect in this version. Setting one gives a notice.\n\n")
	b.WriteString("| what they are for | variables |\n| --- | --- |\n")
	for _, c := range waiting {
		names := slices.DeleteFunc(strings.Fields(c.names), func(name string) bool { return t.byName[name] != nil })
		if len(names) > 0 {
			b.WriteString("| " + c.what + " | " + codes(names) + " |\n")
		}
	}
	b.WriteString("\n## No more\n\nThese were settings once. Setting one gives a notice.\n\n| variable | what became of it |\n| --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(past)) {
		b.WriteString("| `" + name + "` | " + cell(past[name]) + " |\n")
	}
	return b.String()
}

func docNames(s *setting) string {
	text := codes(s.names)
	if s.secret {
		text += " or `" + s.name() + fileSuffix + "`"
	}
	return text + "<br>`--" + preferredFlag(s) + "`"
}

func docTakes(s *setting) string {
	text := s.expected()
	if text == "" {
		text = "text"
	}
	if s.secret {
		text += "; a secret"
	}
	return text
}

func docDefault(s *setting) string {
	switch {
	case s.preset != "":
		return "`" + s.preset + "`"
	case s.isBool():
		return "`false`"
	default:
		return ""
	}
}

// codes sets names as code, separated by commas.
func codes(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return strings.Join(quoted, ", ")
}

// cell escapes what would end a cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func example(t *tree) string {
	var b strings.Builder
	b.WriteString("# Every setting of Postern at its default. Copy this file to .env and take the comment signs away\n" +
		"# where you want something else. Written by \"make generate\"; docs/configuration.md says more.\n")
	for _, r := range t.rooms {
		if len(r.settings) == 0 {
			continue
		}
		b.WriteString("\n\n# ----- " + r.title + " " + strings.Repeat("-", max(0, 90-len(r.title))) + "\n")
		if r.doc != "" {
			b.WriteString(fold(r.doc, "# ", plain) + "\n")
		}
		for _, s := range r.settings {
			b.WriteString("\n" + fold(s.doc, "# ", plain) + "\n")
			if takes := s.expected(); takes != "" && takes != "text" {
				b.WriteString(fold("Takes "+takes+".", "# ", plain) + "\n")
			}
			b.WriteString("#" + s.name() + "=" + quoteEnv(s.preset) + "\n")
		}
	}
	return b.String()
}
