package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"postern/config"
	"postern/hooks"
	"postern/hooks/pghook"
	"postern/house"
)

type hooksCmds struct {
	List   hooksListCmd   `cmd:"" help:"List the hooks of every dialect, and who is asked."`
	Check  hooksCheckCmd  `cmd:"" help:"Say what is wrong with the hooks that are switched on, all of it at once, and fire none."`
	Test   hooksTestCmd   `cmd:"" help:"Ask the receiver of one hook about somebody made up, and show what its answer would do."`
	Kit    hooksKitCmd    `cmd:"" help:"Put a receiver to the test: it must answer right questions, and believe no forged ones."`
	Sample hooksSampleCmd `cmd:"" help:"Print what a receiver is told, or a receiver to begin with."`
	Schema hooksSchemaCmd `cmd:"" help:"Print the JSON Schema of what a receiver is told."`
	Grant  hooksGrantCmd  `cmd:"" help:"Print, or apply, the grants that the function of a hook needs."`
}

// hookNamed finds a hook by its name, which may follow the one of its dialect and a slash.
func hookNamed(c *config.Config, name string) (house.Hook, error) {
	var known []string
	for _, h := range house.Hooks(c) {
		if name == h.Name || name == h.Dialect+"/"+h.Name {
			return h, nil
		}
		known = append(known, h.Name)
	}
	text := "there is no hook " + name
	if nearest := config.Nearest(name, known); nearest != "" {
		text += "; did you mean " + nearest + "?"
	}
	return house.Hook{}, stepError{errors.New(text), "'postern hooks list' lists the hooks"}
}

// onFailure says what becomes of what was asked about when a hook fails.
func onFailure(h house.Hook) string {
	if len(h.Moments) == 0 {
		return "-"
	}
	for _, b := range h.Moments {
		if !b.CarryOn {
			return "refuse"
		}
	}
	return "carry on"
}

func momentsOf(h house.Hook) string {
	if h.Waiting {
		return "(not asked yet)"
	}
	names := make([]string, 0, len(h.Moments))
	for _, b := range h.Moments {
		names = append(names, b.Moment)
	}
	return strings.Join(slices.Compact(names), ", ")
}

type hooksListCmd struct {
	On   bool `help:"Only hooks that are switched on."`
	JSON bool `name:"json" help:"Print one JSON object for each line."`
}

// Run lists the hooks, dialect by dialect.
func (cmd hooksListCmd) Run(a *app) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	list := house.Hooks(c)
	if cmd.On {
		list = slices.DeleteFunc(list, func(h house.Hook) bool { return !h.Enabled })
	}
	switch {
	case cmd.JSON:
		return printHooksJSON(a.stdout, list)
	case len(list) == 0:
		_, err = fmt.Fprintln(a.stdout, "No hook is switched on. docs/hooks.md says how one is.")
		return err
	}
	return printHooks(a.stdout, list)
}

func printHooks(out io.Writer, list []house.Hook) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "DIALECT\tHOOK\tMOMENT\tSTATE\tWHERE\tTIMEOUT\tON FAILURE\tSET BY")
	for _, h := range list {
		state, timeout := "off", "-"
		if h.Enabled {
			state = "on"
		}
		if h.Timeout > 0 {
			timeout = h.Timeout.String()
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.Dialect, h.Name, cmp.Or(momentsOf(h), "-"), state, cmp.Or(h.Where, "-"), timeout, onFailure(h), cmp.Or(h.Origin, "-"))
	}
	return w.Flush()
}

func printHooksJSON(out io.Writer, list []house.Hook) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, h := range list {
		err := enc.Encode(struct {
			Dialect    string            `json:"dialect"`
			Name       string            `json:"name"`
			Moments    []string          `json:"moments"`
			Enabled    bool              `json:"enabled"`
			Transport  string            `json:"transport,omitempty"`
			Where      string            `json:"where,omitempty"`
			Signed     bool              `json:"signed"`
			TimeoutMS  int64             `json:"timeoutMs,omitempty"`
			OnFailure  string            `json:"onFailure"`
			SetBy      string            `json:"setBy,omitempty"`
			Transports []hooks.Transport `json:"transports"`
			Settings   []string          `json:"settings"`
		}{
			h.Dialect, h.Name, namesOf(h.Moments), h.Enabled, string(h.Transport), h.Where, h.Signed, h.Timeout.Milliseconds(),
			onFailure(h), h.Origin, h.Transports, h.Settings,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func namesOf(bound []hooks.Bound) []string {
	names := []string{}
	for _, b := range bound {
		names = append(names, b.Moment)
	}
	return slices.Compact(names)
}

type hooksCheckCmd struct{}

// Help is printed with the flags.
func (hooksCheckCmd) Help() string {
	return "Looks at settings, at functions in the database and their grants, at scripts, and whether addresses take connections. The exit code is 1 when something will not work."
}

// Run looks at all hooks that are switched on.
func (hooksCheckCmd) Run(ctx context.Context, a *app) error {
	c, settings := a.load(nil)
	found := &config.Report{Errors: settings.Errors}
	for _, p := range settings.Warnings {
		if strings.Contains(p.Name, "HOOK") {
			found.Warnings = append(found.Warnings, p)
		}
	}
	attendant := house.NewAttendant(c, house.Options{Now: time.Now})
	defer attendant.Close()
	looked, problems := attendant.Check(ctx)
	for _, p := range problems {
		problem := config.Problem{Name: p.Setting, What: "the hook " + p.Hook + ": " + p.What}
		if p.Fatal && !slices.ContainsFunc(settings.Errors, func(e config.Problem) bool { return e.Name == p.Setting }) {
			found.Errors = append(found.Errors, problem)
		} else if !p.Fatal {
			found.Warnings = append(found.Warnings, problem)
		}
	}
	if !found.OK() {
		_, _ = fmt.Fprint(a.stderr, found.Text(a.stderrColour))
		_, _ = fmt.Fprint(a.stderr, "\nNext: correct these; 'postern hooks check' looks again, 'postern hooks grant' helps with grants, and docs/hooks.md explains.\n")
		return errSaid
	}
	text := fmt.Sprintf("The hooks are good: %d.\n", looked)
	if looked == 0 {
		text = "No hook is switched on. docs/hooks.md says how one is.\n"
	}
	_, err := fmt.Fprint(a.stdout, text)
	if err == nil && len(found.Warnings) > 0 {
		_, err = fmt.Fprint(a.stdout, "\n"+found.Text(a.colour))
	}
	return err
}

type hooksSchemaCmd struct {
	Name string `arg:"" help:"The hook, such as send_sms."`
}

// Run prints a schema.
func (cmd hooksSchemaCmd) Run(a *app) error {
	c, _ := a.load(nil)
	h, err := hookNamed(c, cmd.Name)
	if err != nil {
		return err
	}
	if h.Schema == nil {
		return stepError{fmt.Errorf("what %s is told has no schema", h.Name), "'postern hooks sample " + h.Name + "' prints an example"}
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", strings.TrimSpace(string(h.Schema())))
	return err
}

type hooksGrantCmd struct {
	Name  string `arg:"" help:"The hook, such as custom_access_token."`
	Apply bool   `help:"Grant and revoke, as the role of migrations."`
}

// Run prints or applies grants.
func (cmd hooksGrantCmd) Run(ctx context.Context, a *app) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	h, err := hookNamed(c, cmd.Name)
	if err != nil {
		return err
	}
	attendant := house.NewAttendant(c, house.Options{Now: time.Now})
	defer attendant.Close()
	plan, err := attendant.Plan(ctx, h)
	switch {
	case errors.Is(err, house.ErrNoFunction):
		return stepError{fmt.Errorf("%s %w", h.Name, err), "set " + h.Settings[0] + "=pg-functions://postgres/schema/function; 'postern hooks sample " + h.Name + " --language sql' prints a function"}
	case err != nil:
		return stepError{err, "create the function first; 'postern hooks sample " + h.Name + " --language sql' prints one"}
	}
	if err := printPlan(a.stdout, plan); err != nil || !cmd.Apply || len(plan.Statements) == 0 {
		return err
	}
	if err := attendant.Grant(ctx, plan); err != nil {
		return stepError{err, "run the statements as the owner of the function"}
	}
	_, err = fmt.Fprintf(a.stdout, "\nDone: %s.\n", counted(int64(len(plan.Statements)), "statement"))
	return err
}

func printPlan(out io.Writer, plan pghook.Plan) error {
	var b strings.Builder
	for _, s := range plan.Statements {
		b.WriteString(s + ";\n")
	}
	if len(plan.Statements) == 0 {
		fmt.Fprintf(&b, "There is nothing to grant: %s can call the function, and nobody else who should not.\n", plan.Role)
	}
	for _, n := range plan.Notes {
		b.WriteString("-- " + n + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}
