package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"postern/engine"
	"postern/graph"
	"postern/store"
)

type hasuraCmds struct {
	Diff         hasuraDiffCmd   `cmd:"" help:"Say what Hasura's engine does not know of schema auth, and change nothing."`
	Apply        hasuraApplyCmd  `cmd:"" help:"Tell the engine what it does not know, and change nothing that is there."`
	RemoteSchema remoteSchemaCmd `cmd:"" name:"remote-schema" help:"Print how the engine serves the API for operators beside its tables, or tell it."`
	JWTSecret    jwtSecretCmd    `cmd:"" name:"jwt-secret" help:"Print the HASURA_GRAPHQL_JWT_SECRET that Hasura needs beside this configuration."`
}

// hasura gives the engine of the settings and the tables that schema auth has.
func (a *app) hasura(ctx context.Context) (*engine.Engine, engine.Tables, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	if !c.Engine.Configured() {
		return nil, nil, stepError{errors.New("no engine is configured"), "set HASURA_GRAPHQL_GRAPHQL_URL=http://hasura:8080/v1/graphql and HASURA_GRAPHQL_ADMIN_SECRET"}
	}
	e, err := engine.Open(c.Engine, nil)
	if err != nil {
		return nil, nil, err
	}
	if c.Store.URL() == "" {
		return nil, nil, stepError{errors.New("no database is configured"), "set POSTGRES_CONNECTION=postgres://user:password@host:5432/database"}
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		return nil, nil, unreachable(err)
	}
	defer db.Close()
	tables, err := db.AuthColumns(ctx)
	if err != nil {
		return nil, nil, unreachable(err)
	}
	if tables["users"] == nil {
		return nil, nil, stepError{errors.New("the database has no table auth.users"), "'postern migrate' makes it"}
	}
	return e, tables, nil
}

// engineTrouble adds the next step to an error of the engine.
func engineTrouble(err error) error {
	var failure *engine.Failure
	if errors.As(err, &failure) {
		return stepError{err, "look at HASURA_GRAPHQL_GRAPHQL_URL and HASURA_GRAPHQL_ADMIN_SECRET with 'postern config show', and whether the engine answers"}
	}
	return err
}

// list prints steps under a heading, or nothing when there are none.
func (a *app) list(heading string, steps []engine.Step) {
	if len(steps) == 0 {
		return
	}
	_, _ = fmt.Fprintf(a.stdout, "%s\n", heading)
	for _, s := range steps {
		_, _ = fmt.Fprintf(a.stdout, "  %s\n", s.Text)
	}
}

const (
	nothingToAdd = "The engine knows the tables, names and relationships of schema auth; nothing is missing.\n"
	different    = "There in another way, and left as it is:"
)

type hasuraDiffCmd struct {
	ExitCode bool `help:"End with 1 when something is missing, and not only when the engine cannot be asked."`
}

// Run compares and changes nothing.
func (c hasuraDiffCmd) Run(ctx context.Context, a *app) error {
	e, tables, err := a.hasura(ctx)
	if err != nil {
		return err
	}
	steps, err := e.Plan(ctx, tables)
	if err != nil {
		return engineTrouble(err)
	}
	missing, stays := engine.Split(steps)
	a.list("Missing:", missing)
	a.list(different, stays)
	if len(missing) == 0 {
		_, err = fmt.Fprint(a.stdout, nothingToAdd)
		return err
	}
	_, _ = fmt.Fprint(a.stdout, "Next: 'postern hasura apply' adds what is missing; so does a server at its start, unless AUTH_HASURA_METADATA says otherwise.\n")
	if c.ExitCode {
		return errSaid
	}
	return nil
}

type hasuraApplyCmd struct{}

// Run adds what is missing, whatever AUTH_HASURA_METADATA says.
func (hasuraApplyCmd) Run(ctx context.Context, a *app) error {
	e, tables, err := a.hasura(ctx)
	if err != nil {
		return err
	}
	outcome, err := e.Apply(ctx, tables)
	a.list("Added:", outcome.Added)
	a.list("Missing still:", outcome.Missing)
	a.list(different, outcome.Different)
	if err != nil {
		return engineTrouble(err)
	}
	if len(outcome.Added) == 0 {
		_, err = fmt.Fprint(a.stdout, nothingToAdd)
	}
	return err
}

type remoteSchemaCmd struct {
	URL   string `name:"at" placeholder:"URL" help:"Address of the API as the engine reaches it, such as http://postern:4000/graphql; else where AUTH_SERVER_URL is."`
	Name  string `default:"postern" help:"Name of the remote schema."`
	Apply bool   `help:"Tell the engine, instead of printing what to tell it."`
}

// Run prints or makes the call of the metadata API.
func (c remoteSchemaCmd) Run(ctx context.Context, a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	if c.URL == "" {
		server, err := url.Parse(conf.Flow.ServerURL)
		if err != nil || server.Host == "" {
			return stepError{errors.New("where the engine reaches this server is not known"), "say it with --at http://postern:4000/graphql"}
		}
		c.URL = server.Scheme + "://" + server.Host + graph.Path
	}
	remote := engine.RemoteSchema{Name: c.Name, URL: c.URL, SecretEnv: "HASURA_GRAPHQL_ADMIN_SECRET", Namespace: "auth", Prefix: "Auth"}
	if !c.Apply {
		text, err := remote.JSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	if !conf.Engine.Configured() {
		return stepError{errors.New("no engine is configured"), "set HASURA_GRAPHQL_GRAPHQL_URL=http://hasura:8080/v1/graphql and HASURA_GRAPHQL_ADMIN_SECRET"}
	}
	e, err := engine.Open(conf.Engine, nil)
	if err != nil {
		return err
	}
	added, err := e.AddRemoteSchema(ctx, remote)
	switch {
	case err != nil:
		return engineTrouble(err)
	case added:
		_, err = fmt.Fprintf(a.stdout, "The engine serves the API for operators as the remote schema %s, below %s.\n", c.Name, remote.Namespace)
	default:
		_, err = fmt.Fprintf(a.stdout, "The engine has a remote schema %s already; it stays as it is.\n", c.Name)
	}
	return err
}

type jwtSecretCmd struct {
	Raw bool `help:"Print the JSON alone, without the variable's name and quotes."`
}

// Run prints what Hasura needs to read our tokens: of a key pair the public half alone.
func (c jwtSecretCmd) Run(a *app) error {
	settings, err := a.config()
	if err != nil {
		return err
	}
	if settings.Tokens.JWTSecret.IsZero() {
		return stepError{errors.New("HASURA_GRAPHQL_JWT_SECRET is not set"), "'postern keys secret' prints a fresh one, for Postern and for Hasura"}
	}
	text, err := settings.Tokens.JWTSecret.ForHasura()
	if err != nil {
		return err
	}
	if c.Raw {
		_, err = fmt.Fprintln(a.stdout, text)
	} else {
		_, err = fmt.Fprintf(a.stdout, "HASURA_GRAPHQL_JWT_SECRET='%s'\n", text)
	}
	return err
}
