package config

import (
	"strings"
)

// GoTrueDocs is the page that says what becomes of every variable of GoTrue, in Markdown.
func GoTrueDocs() string {
	var b strings.Builder
	b.WriteString(gotrueIntro)
	for _, part := range []struct {
		title string
		rows  []theirs
	}{
		{"Server, application, database", theirServer()},
		{"Tokens and keys", theirTokens()},
		{"Sessions, passwords, captcha", theirSessions()},
		{"Limits", theirLimits()},
		{"Mail", theirMail()},
		{"Text messages", theirSMS()},
		{"Ways to sign in", theirProviders()},
		{"Second factors and passkeys", theirFactors()},
		{"The rest", theirRest()},
	} {
		b.WriteString("\n## " + part.title + "\n\n| variable | what it is here | |\n| --- | --- | --- |\n")
		for _, t := range part.rows {
			names := []string{t.full()}
			if t.bare != "" {
				names = []string{t.bare, t.full()}
			}
			is := "without effect"
			if to := t.settings(); len(to) > 0 {
				is = codes(to)
			} else if t.judge != nil {
				is = "–"
			}
			b.WriteString("| " + strings.Join([]string{codes(names), is, cell(t.doc)}, " | ") + " |\n")
		}
	}
	return b.String()
}

const gotrueIntro = `# Settings of GoTrue and Supabase Auth

<!-- Written by "make generate" from the table in the code. Edit that, not this page. -->

A process that was set up for GoTrue starts with its variables as they are. Each is another name of a setting of Postern,
or has no effect and is told of at start with the reason, or is an error where it asks for what cannot be.

- One variable that begins with ` + "`GOTRUE_`" + ` turns the door for clients of GoTrue on, unless ` + "`AUTH_GOTRUE_API_ENABLED`" + ` is false. (Those of
  hooks, ` + "`GOTRUE_HOOK_…`" + ` and ` + "`GOTRUE_WEBHOOK_…`" + `, do not: [configuration.md](../configuration.md) has them beside their other names.)
- Where the key of the tokens is ` + "`GOTRUE_JWT_SECRET` or `GOTRUE_JWT_KEYS`, and `HASURA_GRAPHQL_JWT_SECRET`" + ` is not set, nobody expects Hasura
  Auth: its door is closed (` + "`AUTH_HASURA_API_ENABLED`" + `), GoTrue's is at ` + "`/`" + ` too, where GoTrue has it, and the port is 8081 unless one is set.
- The bare names (` + "`PORT`, `DATABASE_URL`, `API_EXTERNAL_URL`" + ` and a few more) count only beside a name with the prefix, and only where the same
  name with the prefix is not set.
- A variable and the setting that it is another name of may both be set where they say the same. Where they contradict each other there is no start.
- What stands first in the list of [configuration.md](../configuration.md) wins under either name: the environment, then the env file. ` + "`-c FILE`" + ` is the env
  file that wins over the environment, as it does in GoTrue, and ` + "`-d FOLDER`" + ` all files ` + "`*.env`" + ` of a folder.
- Durations may be bare numbers of seconds everywhere.
- A limit may be made tighter by GoTrue's names, and never be turned off.
`
