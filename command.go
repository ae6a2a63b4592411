package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"postern/config"
)

// commands is the command line. Settings are flags too, but not listed here: they are taken out
// of the arguments before this is parsed, see splitFlags.
type commands struct {
	EnvFile   string `placeholder:"FILE" help:"Read settings from this file instead of .env. The environment wins over any file."`
	Over      string `short:"c" name:"config" placeholder:"FILE" help:"Read settings from this file, which wins over the environment, as GoTrue's -c does."`
	Folder    string `short:"d" name:"config-dir" placeholder:"DIR" help:"The same for every file *.env of this folder, as GoTrue's -d does; of two that have a name, the later file counts. They are read at start."`
	LogFormat string `placeholder:"FORMAT" enum:"json,text," default:"" help:"Write the log as json or text."`

	Serve       serveCmd       `cmd:"" help:"Start the server."`
	Dev         devCmd         `cmd:"" help:"Start a server that needs nothing: it brings its own Postgres, keys and mail inbox."`
	Migrate     migrateCmds    `cmd:"" help:"Apply pending migrations, or list them."`
	Adopt       adoptCmd       `cmd:"" help:"Take over a database of Hasura Auth."`
	Import      importCmds     `cmd:"" help:"Bring users from another system."`
	Config      configCmds     `cmd:"" help:"Check and show the configuration."`
	Keys        keysCmds       `cmd:"" help:"Make keys."`
	Hasura      hasuraCmds     `cmd:"" help:"Look at what Hasura's engine knows of schema auth, and tell it the rest."`
	Claims      claimsCmds     `cmd:"" help:"Check, explain and try custom claims."`
	Emails      emailsCmds     `cmd:"" help:"Look at mails and send a test."`
	Events      eventsCmds     `cmd:"" help:"List events, and have them sent again."`
	Audit       auditCmds      `cmd:"" help:"Read and verify the audit log."`
	Hooks       hooksCmds      `cmd:"" help:"List, check and try hooks, and begin one."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running server whether it is healthy; for containers."`
	Version     versionCmd     `cmd:"" help:"Say which version this is."`
}

// app is one run of the program, with all that it takes from the process around it.
type app struct {
	stdin                io.Reader
	stdout, stderr       io.Writer
	env                  map[string]string
	colour, stderrColour bool

	envFile string
	over    []string          // env files that win over the environment
	flags   map[string]string // settings given as flags, by name without dashes
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// run does what the arguments say and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var c commands
	exit := -1 // of help, which ends the parsing by itself
	parser, err := kong.New(
		&c, kong.Name("postern"),
		kong.Description("A self-hosted auth service over Postgres, for Hasura and whatever else reads JWTs."),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
	)
	if err != nil {
		return a.fail(err)
	}
	rest, flags, err := splitFlags(args, config.Flags(), flagNames(parser.Model.Node))
	if err != nil {
		return a.fail(err)
	}
	parsed, err := parser.Parse(rest)
	switch {
	case exit >= 0:
		return exit
	case err != nil:
		return a.fail(usageError{err.Error()})
	}
	if c.LogFormat != "" {
		flags["log-format-text"] = strconv.FormatBool(c.LogFormat == "text")
	}
	a.envFile, a.flags = c.EnvFile, flags
	if a.over, err = overriding(c.Over, c.Folder); err != nil {
		return a.fail(err)
	}
	if err := parsed.Run(); err != nil {
		return a.fail(err)
	}
	return exitOK
}

// overriding lists the env files that win over the environment.
func overriding(file, folder string) ([]string, error) {
	var all []string
	if file != "" {
		all = append(all, file)
	}
	if folder == "" {
		return all, nil
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, usageError{"-d " + strconv.Quote(folder) + " is no folder that can be read"}
	}
	found, err := filepath.Glob(filepath.Join(globbed.Replace(folder), "*.env")) // sorted
	return append(all, found...), err
}

// globbed makes a path a pattern of itself.
var globbed = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// stepError is an error with what to do next.
type stepError struct {
	err  error
	next string
}

func (e stepError) Error() string { return e.err.Error() }
func (e stepError) Unwrap() error { return e.err }

// errSaid ends a command that has said on its own what is wrong.
var errSaid = errors.New("said already")

// fail prints an error with the next step and returns the exit code.
func (a *app) fail(err error) int {
	var usage usageError
	var step stepError
	switch {
	case errors.Is(err, errSaid):
		return exitError
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.As(err, &usage):
		a.complain(usage.text, "'postern --help' lists the commands")
		return exitUsage
	case errors.As(err, &step):
		a.complain(step.Error(), step.next)
	default:
		a.complain(err.Error(), "")
	}
	return exitError
}

// complain writes an error, on one line, and what to do next to the standard error.
func (a *app) complain(text, next string) {
	name := "postern:"
	if a.stderrColour {
		name = "\x1b[1;31m" + name + "\x1b[0m"
	}
	line := strings.Join(strings.Fields(strings.TrimPrefix(text, "store: ")), " ")
	_, _ = fmt.Fprintf(a.stderr, "%s %s\n", name, line)
	if next != "" {
		_, _ = fmt.Fprintf(a.stderr, "Next: %s.\n", strings.TrimSuffix(next, "."))
	}
}

// load reads the configuration. preset stands in for defaults and may be nil.
func (a *app) load(preset map[string]string) (*config.Config, *config.Report) {
	return config.Load(config.Source{Flags: a.flags, Env: a.env, EnvFile: a.envFile, Over: a.over, Preset: preset})
}

// config reads the configuration for a command that goes on only if all of it is right.
func (a *app) config() (*config.Config, error) {
	c, report := a.load(nil)
	if !report.OK() {
		return nil, a.refuse(report)
	}
	return c, nil
}

// refuse prints a report with errors.
func (a *app) refuse(report *config.Report) error {
	_, _ = fmt.Fprint(a.stderr, report.Text(a.stderrColour))
	_, _ = fmt.Fprint(a.stderr, "\nNext: correct these; 'postern config check' looks again, and docs/configuration.md lists every setting.\n")
	return errSaid
}

// splitFlags takes the flags that are settings out of the arguments: --port 4000, --port=4000,
// --debug. What is left is for the parser of commands, whose own flags are in own. An unknown flag
// is an error with the nearest known one.
func splitFlags(args []string, settings map[string]config.Flag, own []string) (rest []string, flags map[string]string, err error) {
	flags = map[string]string{}
	for i := 0; i < len(args); i++ {
		name, isLong := strings.CutPrefix(args[i], "--")
		if args[i] == "--" {
			return append(rest, args[i:]...), flags, nil
		}
		name, value, hasValue := strings.Cut(name, "=")
		if !isLong || slices.Contains(own, name) {
			rest = append(rest, args[i])
			continue
		}
		flag, known := settings[name]
		switch {
		case !known:
			return nil, nil, usageError{"there is no flag --" + name + didYouMean(name, slices.Concat(own, slices.Collect(maps.Keys(settings))))}
		case hasValue:
		case flag.Bool:
			value = "true"
		case i+1 == len(args) || strings.HasPrefix(args[i+1], "--"):
			return nil, nil, usageError{"--" + name + " needs a value"}
		default:
			i++
			value = args[i]
		}
		flags[name] = value
	}
	return rest, flags, nil
}

func didYouMean(name string, known []string) string {
	nearest := config.Nearest(name, known)
	if nearest == "" {
		return ""
	}
	return "; did you mean --" + nearest + "?"
}

// flagNames lists the flags of a command and of all below it.
func flagNames(n *kong.Node) []string {
	var names []string
	for _, f := range n.Flags {
		names = append(names, f.Name)
	}
	for _, child := range n.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
