package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"postern/store"
)

type migrateCmds struct {
	Apply  migrateCmd `cmd:"" default:"1" help:"Apply pending migrations. This is what migrate alone does."`
	Status statusCmd  `cmd:"" help:"List all migrations and when they were applied."`
}

// migrationsURL is the database that migrations go to.
func (a *app) migrationsURL() (string, error) {
	c, err := a.config()
	if err != nil {
		return "", err
	}
	url := c.Store.MigrationsURL()
	if url == "" {
		return "", stepError{
			errors.New("no database is configured"),
			"set POSTGRES_CONNECTION=postgres://user:password@host:5432/database",
		}
	}
	return url, nil
}

type migrateCmd struct{}

// Run applies what is pending. Other processes that do the same wait.
func (migrateCmd) Run(ctx context.Context, a *app) error {
	url, err := a.migrationsURL()
	if err != nil {
		return err
	}
	before, err := store.MigrationStatus(ctx, url)
	if err != nil {
		return unreachable(err)
	}
	if err := store.Migrate(ctx, url); err != nil {
		return err
	}
	pending := 0
	for _, m := range before {
		if m.AppliedAt.IsZero() {
			pending++
		}
	}
	text := "The database is up to date."
	if pending > 0 {
		text = fmt.Sprintf("The database is up to date; %d migrations were pending.", pending)
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

type statusCmd struct{}

// Run lists the migrations and changes nothing.
func (statusCmd) Run(ctx context.Context, a *app) error {
	url, err := a.migrationsURL()
	if err != nil {
		return err
	}
	states, err := store.MigrationStatus(ctx, url)
	if err != nil {
		return unreachable(err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "OF\tVERSION\tNAME\tAPPLIED")
	for _, m := range states {
		at := "pending"
		if !m.AppliedAt.IsZero() {
			at = m.AppliedAt.Format("2006-01-02 15:04:05 MST")
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", m.Source, m.Version, m.Name, at)
	}
	return w.Flush()
}

type adoptCmd struct {
	Check  bool `xor:"mode" required:"" help:"Say what was found and what would change, and change nothing."`
	Commit bool `xor:"mode" required:"" help:"Adopt for good: Hasura Auth cannot use the database any more."`
}

// Help is printed with the flags.
func (adoptCmd) Help() string {
	return "'postern serve' and 'postern migrate' adopt a database of Hasura Auth by themselves and leave the way back open."
}

// Run plans an adoption or carries it out for good.
func (c adoptCmd) Run(ctx context.Context, a *app) error {
	url, err := a.migrationsURL()
	if err != nil {
		return err
	}
	if c.Check {
		plan, err := store.PlanAdoption(ctx, url)
		if err != nil {
			return unreachable(err)
		}
		if _, err := fmt.Fprint(a.stdout, plan); err != nil {
			return err
		}
		if len(plan.Problems) > 0 {
			return errSaid
		}
		return nil
	}
	plan, err := store.Adopt(ctx, url, true)
	if err != nil {
		return stepError{err, "'postern adopt --check' shows what was found"}
	}
	_, err = fmt.Fprintf(a.stdout, "Database %s is adopted for good. Hasura Auth cannot use it any more.\n", plan.Database)
	return err
}

// unreachable adds the next step to an error of the database.
func unreachable(err error) error {
	return stepError{err, "look at POSTGRES_CONNECTION with 'postern config show', and whether the database answers"}
}
