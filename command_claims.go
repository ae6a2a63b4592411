package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/claims"
	"postern/config"
	"postern/house"
	"postern/store"
	"postern/tokens"
)

type claimsCmds struct {
	Check   claimsCheckCmd   `cmd:"" help:"Say what is wrong with the custom claims, all of it at once, by the live schema or one from a file."`
	Explain claimsExplainCmd `cmd:"" help:"Show how the custom claims of one user come about."`
	Eval    claimsEvalCmd    `cmd:"" help:"Evaluate a JSONata expression on JSON from the standard input."`
}

// claimsSource is what a server would ask for the data of claims. The database is the caller's to close.
func (a *app) claimsSource(ctx context.Context, c *config.Config) (claims.Source, *store.DB, error) {
	if c.Store.URL() == "" {
		return nil, nil, stepError{errors.New("no database is configured"), "set POSTGRES_CONNECTION=postgres://user:password@host:5432/database"}
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		return nil, nil, err
	}
	hasura, err := house.Engine(c)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return house.Source(c, db, hasura, time.Now), db, nil
}

// reportOf words what a check found as what is wrong with settings.
func reportOf(r claims.Report) *config.Report {
	report := &config.Report{}
	for _, p := range r.Warnings {
		report.Warnings = append(report.Warnings, config.Problem{Name: p.Setting(), What: p.String()})
	}
	for _, p := range r.Problems {
		problem := config.Problem{Name: p.Setting(), What: p.String()}
		if p.Fatal {
			report.Errors = append(report.Errors, problem)
		} else {
			report.Warnings = append(report.Warnings, problem)
		}
	}
	return report
}

type claimsCheckCmd struct {
	Schema string `placeholder:"FILE" type:"existingfile" help:"Check against the answer to an introspection query in this file, and ask nobody."`
	Query  bool   `help:"Print the query that each token asks."`
}

// Run checks as a server does at its start. Claims that forbid one make the exit code 1.
func (cmd claimsCheckCmd) Run(ctx context.Context, a *app) error {
	c, settings := a.load(nil)
	if !onlyClaims(settings) {
		return a.refuse(settings)
	}
	report, err := cmd.inspect(ctx, a, c)
	if err != nil {
		return err
	}
	found := reportOf(report)
	if !found.OK() {
		return a.refuseClaims(found)
	}
	switch {
	case report.Claims == 0:
		_, err = fmt.Fprintln(a.stdout, "There are no custom claims. AUTH_JWT_CUSTOM_CLAIMS defines them; docs/claims.md explains how.")
	case len(report.Problems) > 0:
		_, err = fmt.Fprintf(a.stdout, "%d of %d custom claims cannot work, and will be left out.\n", len(report.Problems), report.Claims)
	default:
		_, err = fmt.Fprintf(a.stdout, "The custom claims are good: %d.\n", report.Claims)
	}
	if cmd.Query && report.Query != "" && err == nil {
		_, err = fmt.Fprintln(a.stdout, "\n"+report.Query)
	}
	if len(found.Warnings) > 0 && err == nil {
		_, err = fmt.Fprint(a.stdout, "\n"+found.Text(a.colour))
	}
	return err
}

func (cmd claimsCheckCmd) inspect(ctx context.Context, a *app, c *config.Config) (claims.Report, error) {
	if cmd.Schema != "" {
		text, err := os.ReadFile(cmd.Schema)
		if err != nil {
			return claims.Report{}, err
		}
		report, err := claims.Inspect(ctx, c.Claims, claims.SchemaFile(text), time.Now)
		if err != nil {
			err = stepError{fmt.Errorf("%s: %w", cmd.Schema, err), "give it the answer to an introspection query"}
		}
		return report, err
	}
	source, db, err := a.claimsSource(ctx, c)
	if err != nil {
		return claims.Report{}, err
	}
	defer db.Close()
	report, err := claims.Inspect(ctx, c.Claims, source, time.Now)
	if err != nil {
		err = stepError{fmt.Errorf("the claims cannot be checked: %w", err), "look at HASURA_GRAPHQL_GRAPHQL_URL and POSTGRES_CONNECTION with 'postern config show', or check against a file with --schema"}
	}
	return report, err
}

// refuseClaims prints what is wrong with claims.
func (a *app) refuseClaims(report *config.Report) error {
	_, _ = fmt.Fprint(a.stderr, report.Text(a.stderrColour))
	_, _ = fmt.Fprint(a.stderr, "\nNext: correct these; 'postern claims check' looks again, and docs/claims.md explains.\n")
	return errSaid
}

// onlyClaims tells that nothing is wrong with the settings, unless with what they say of claims.
func onlyClaims(r *config.Report) bool {
	return !slices.ContainsFunc(r.Errors, func(p config.Problem) bool { return !strings.HasPrefix(p.Name, "AUTH_JWT_CUSTOM_CLAIMS") })
}

// withSchema adds, to a report that only finds fault with claims, what the schema says about them:
// all that is wrong is told at once. Where the schema cannot be asked, nothing is added.
func (a *app) withSchema(ctx context.Context, c *config.Config, r *config.Report) *config.Report {
	if r.OK() || !onlyClaims(r) {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := claimsCheckCmd{}.inspect(ctx, a, c)
	if err != nil {
		return r
	}
	all := reportOf(found)
	all.Values, all.Warnings = r.Values, append(r.Warnings, all.Warnings...)
	return all
}

type claimsExplainCmd struct {
	User string `required:"" placeholder:"ID|EMAIL" help:"Whose claims."`
	Role string `placeholder:"ROLE" help:"Show what Hasura sees of a request that takes this role."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run computes the claims of a user and says how. The exit code is 1 when the user would get no token.
func (cmd claimsExplainCmd) Run(ctx context.Context, a *app) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	source, db, err := a.claimsSource(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	m, err := claims.Open(c.Claims, source, time.Now)
	if err != nil {
		return err
	}
	user, err := findUser(ctx, db, cmd.User)
	if err != nil {
		return err
	}
	if cmd.Role != "" && !slices.Contains(user.AllowedRoles(), cmd.Role) {
		return stepError{
			fmt.Errorf("user %s may not take the role %s", cmd.User, cmd.Role),
			"take one of " + strings.Join(user.AllowedRoles(), ", "),
		}
	}
	explained, err := m.Explain(ctx, user.ID)
	if err != nil {
		return err
	}
	e := explanation{user: user, role: cmd.Role, Explanation: explained}
	if cmd.JSON {
		err = e.writeJSON(a.stdout)
	} else {
		err = e.write(a.stdout)
	}
	if err == nil && e.refused() {
		err = errSaid
	}
	return err
}

// findUser finds a user by id or address.
func findUser(ctx context.Context, db *store.DB, who string) (user auth.User, err error) {
	id := strings.ToLower(who)
	switch {
	case strings.Contains(who, "@"):
		user, err = db.UserByEmail(ctx, who)
	case tokens.IsUUID(id):
		user, err = db.UserOfActor(ctx, auth.Actor{UserID: id}, store.Alive{})
	default:
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return user, stepError{fmt.Errorf("there is no user %s", who), "give the id or the whole e-mail address of a user"}
	}
	return user, err
}

type claimsEvalCmd struct {
	Expression string `arg:"" help:"The expression."`
}

// Run evaluates an expression alone: no fields are looked up, and all of JSONata is allowed. Nothing
// found prints an empty line.
func (cmd claimsEvalCmd) Run(ctx context.Context, a *app) error {
	data, err := io.ReadAll(a.stdin)
	if err != nil {
		return err
	}
	result, err := claims.Evaluate(ctx, cmd.Expression, data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", result)
	return err
}
