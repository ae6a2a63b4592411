package house

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/supabase"
	"postern/tokens"
)

// HooksPage writes the page about hooks: text by hand, with tables of what the code says.
func HooksPage(text string) (string, error) {
	c, _ := config.Load(config.Source{})
	defaults(&c.Flow, c.Server)
	page, err := template.New("hooks").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	list := Hooks(c)
	var b strings.Builder
	err = page.Execute(&b, map[string]any{
		"Moments": momentsTable(list), "Dialects": dialectsTables(c, list), "Rules": rulesTable(), "Mails": mailsTable(),
		"Reserved": "`" + strings.Join(tokens.Reserved(), "`, `") + "`", "MaxClaims": tokens.MaxPayload >> 10, "Commands": commandsTable(),
	})
	return b.String(), err
}

// table sets rows in Markdown.
func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) {
		escaped := make([]string, len(cells))
		for i, cell := range cells {
			escaped[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		b.WriteString("| " + strings.Join(escaped, " | ") + " |\n")
	}
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, row := range rows {
		line(row)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func momentsTable(list []Hook) string {
	rows := make([][]string, 0, len(hooks.Moments()))
	for _, m := range hooks.Moments() {
		var who []string
		for _, h := range list {
			if slices.ContainsFunc(h.Moments, func(b hooks.Bound) bool { return b.Moment == m.Name }) {
				who = append(who, "`"+h.Name+"`")
			}
		}
		how := "ask"
		switch {
		case m.Joins:
			how = "join"
		case m.Spent:
			how = "told"
		}
		may := m.May
		if m.Owned {
			may += "; one hook at most"
		}
		rows = append(rows, []string{m.Name, how, m.When, cmp.Or(may, "-"), cmp.Or(strings.Join(who, ", "), "-")})
	}
	return table([]string{"moment", "how", "it is", "beside refusing, a hook may", "hooks"}, rows)
}

func dialectsTables(c *config.Config, list []Hook) string {
	var b strings.Builder
	for i, d := range Dialects(c) {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("### " + d.Title + "\n\n")
		if d.About != "" {
			b.WriteString(d.About + "\n\n")
		}
		var rows [][]string
		for _, h := range list {
			if h.Dialect == d.Name {
				rows = append(rows, hookRow(h))
			}
		}
		b.WriteString(table([]string{"hook", "it", "moment", "transports", "if it fails", "set by"}, rows))
	}
	return b.String()
}

func hookRow(h Hook) []string {
	name := "`" + h.Name + "`"
	if h.Own {
		name += " (ours)"
	}
	var at []string
	failure := "refused"
	for _, m := range h.Moments {
		at = append(at, m.Moment)
		if m.CarryOn {
			failure = "carried on"
		}
	}
	var transports []string
	for _, t := range h.Transports {
		transports = append(transports, string(t))
	}
	if h.Waiting {
		at, failure = []string{"not asked yet"}, "-"
	}
	by := "-"
	if len(h.Settings) > 0 {
		by = "`" + h.Settings[0] + "`"
	}
	return []string{name, h.Doc, strings.Join(slices.Compact(at), ", "), strings.Join(transports, ", "), failure, by}
}

// rulesTable says what counts as an answer over HTTP.
func rulesTable() string {
	rows := [][]string{
		rulesRow("Supabase's hooks", httphook.Supabase()),
		rulesRow("hooks of Hasura's platform", httphook.Platform()),
	}
	return table([]string{"", "statuses that answer", "asked again after", "tries", "time for all", "longest answer"}, rows)
}

func rulesRow(name string, r httphook.Rules) []string {
	var good []int
	var again []string
	for status := 200; status < 600; status++ {
		switch {
		case r.Good == nil && status < 300 || r.Good != nil && r.Good(status):
			good = append(good, status)
		case r.Again != nil && http.StatusText(status) != "" && r.Again(status, true):
			again = append(again, strconv.Itoa(status))
		}
	}
	if len(again) > 20 {
		again = []string{"any other status"}
	} else if len(again) > 0 {
		again = []string{strings.Join(again, ", ") + " with `Retry-After`"}
	}
	if r.UnreachableAgain {
		again = append(again, "a connection that failed (after "+r.Pause.String()+")")
	}
	if r.SlowAgain {
		again = append(again, "a try longer than "+r.PerTry.String())
	}
	budget := "as set"
	if r.Budget > 0 {
		budget = r.Budget.String()
	}
	most := "JSON of " + strconv.Itoa(r.MaxAnswer>>10) + " KiB"
	if !r.JSON {
		most = strconv.Itoa(r.MaxAnswer>>10) + " KiB"
	}
	return []string{name, runs(good), cmp.Or(strings.Join(again, "; "), "nothing"), strconv.Itoa(max(r.Tries, 1)), budget, most}
}

// runs sets numbers that follow one another as the first and the last.
func runs(numbers []int) string {
	var all []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		text := strconv.Itoa(numbers[i])
		if j > i {
			text += " to " + strconv.Itoa(numbers[j])
		}
		all = append(all, text)
		i = j + 1
	}
	return strings.Join(all, ", ")
}

func mailsTable() string {
	var rows [][]string
	for _, a := range supabase.Actions() {
		rows = append(rows, []string{"`" + a.Template + "`", "`" + a.Word + "`"})
	}
	return table([]string{"our template", "`email_action_type`"}, rows)
}

func commandsTable() string {
	return table([]string{"`postern hooks …`", "does", "exit codes"}, [][]string{
		{"`list`", "every hook of every dialect: whether it is on, where, for how long, who set it (`--on`, `--json`)", "0"},
		{"`check`", "looks at all that are on and fires none: settings, functions and their grants, scripts, whether addresses take connections", "1 when something will not work"},
		{"`test NAME`", "asks one about somebody made up, through its transport and with its signature, and shows what its answer would do (`--payload FILE` or `-`, `--json`); what a function writes is rolled back. `test FILE.js --point NAME` tries a script that no setting names (`--secret NAME=VALUE`)", "0 agreed, 1 failed, 3 refused"},
		{"`kit [URL] --hook NAME`", "puts a receiver over HTTP to the test, with right, forged, changed, old and repeated questions (`--secret` or `HOOK_SECRET`, `--json`)", "1 when it fails"},
		{"`sample NAME`", "what a receiver is told; with `--language js`, `go`, `sql` or `script` a receiver to begin with", "0"},
		{"`schema NAME`", "the JSON Schema of what a receiver is told", "0"},
		{"`grant NAME`", "the grants that the function of a hook needs, and revokes that it should have; `--apply` carries them out", "0"},
	})
}
