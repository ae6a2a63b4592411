package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postern/config"
	"postern/emails"
)

type configCmds struct {
	Check checkCmd `cmd:"" help:"Say what is wrong with the configuration, all of it at once."`
	Show  showCmd  `cmd:"" help:"List every setting with the value in effect and where it came from. Secrets are masked."`
	Docs  docsCmd  `cmd:"" help:"Write docs/configuration.md and docs/example.env from the code."`
}

type checkCmd struct{}

// Run checks the configuration as a server would.
func (checkCmd) Run(a *app) error {
	c, report := a.load(nil)
	c.Require(report)
	templates := &emails.Renderer{Directory: c.Emails.TemplatesPath, DefaultLocale: c.Flow.DefaultLocale}
	report.Errors = append(report.Errors, templateProblems(templates.Check())...) // no server starts with these
	if !report.OK() {
		return a.refuse(report)
	}
	report.Warnings = append(report.Warnings, templateProblems(templates.Lint()...)...)
	for _, w := range slices.Concat(c.Tokens.JWTSecret.Weaknesses(), c.Engine.Weaknesses()) {
		name, problem, _ := strings.Cut(w, " ")
		report.Warnings = append(report.Warnings, config.Problem{Name: name, What: "it " + problem})
	}
	set := 0
	for _, v := range report.Values {
		if v.Origin != "default" {
			set++
		}
	}
	if _, err := fmt.Fprintf(a.stdout, "The configuration is good: %d of %d settings are set.\n", set, len(report.Values)); err != nil {
		return err
	}
	if len(report.Warnings) == 0 {
		return nil
	}
	_, err := fmt.Fprint(a.stdout, "\n"+report.Text(a.colour))
	return err
}

type showCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run shows what is in effect, and complains at the end about what is wrong.
func (s showCmd) Run(a *app) error {
	_, report := a.load(nil)
	show := func() error { return report.Show(a.stdout, a.colour) }
	if s.JSON {
		show = func() error { return report.ShowJSON(a.stdout) }
	}
	if err := show(); err != nil {
		return err
	}
	if !report.OK() {
		_, _ = fmt.Fprintln(a.stderr)
		return a.refuse(report)
	}
	return nil
}

type docsCmd struct {
	Dir string `default:"docs" help:"Folder to write to."`
}

// Run writes the generated pages.
func (d docsCmd) Run() error {
	for name, text := range map[string]string{"configuration.md": config.Docs(), "example.env": config.Example()} {
		path := filepath.Join(d.Dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // #nosec G306 -- pages for everyone
			return stepError{err, "run this in the folder of the source code, or name another with --dir"}
		}
	}
	return nil
}
