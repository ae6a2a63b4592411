package house

import (
	"context"
	"fmt"
	"log/slog"

	"postern/config"
	"postern/hooks"
	"postern/hooks/jshook"
	"postern/outbound"
)

// Scripts opens the pool in which scripts of hooks run. No process starts before one is needed.
func Scripts(c *config.Config, program string) (*jshook.Pool, error) {
	guard, err := outbound.New(c.Outbound)
	if err != nil {
		return nil, err
	}
	client := guard.Client(outbound.Limits{Time: c.Hooks.Scripts.Timeout})
	return jshook.Open(c.Hooks.Scripts, jshook.Options{Client: client, Program: program})
}

// pooled is the pool of all scripts, opened for the first of them.
func (r *receivers) pooled(c *config.Config, o Options) (_ *jshook.Pool, err error) {
	if r.scripts == nil {
		r.scripts, err = Scripts(c, o.ScriptProgram)
	}
	return r.scripts, err
}

// script makes the way to a script, and warns when it is no JavaScript.
func (r *receivers) script(ctx context.Context, c *config.Config, o Options, name, uri string) (hooks.Runner, error) {
	file, err := jshook.ParseURI(uri)
	if err != nil {
		return nil, err
	}
	source, err := c.Hooks.Scripts.File(file)
	if err != nil {
		return nil, err
	}
	pool, err := r.pooled(c, o)
	if err != nil {
		return nil, err
	}
	runner, err := pool.Runner(jshook.Script{Source: source, Secrets: c.Hooks.Scripts.Secrets()})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := runner.Check(ctx); err != nil {
		o.Log.WarnContext(ctx, "the script of a hook cannot work, so what it is asked about is refused",
			slog.String("hook", name), slog.String("script", file), slog.String("reason", err.Error()))
	}
	return &audible{runner, o.Log}, nil
}

// audible is a script whose console is the log.
type audible struct {
	*jshook.Runner
	log *slog.Logger
}

// Run runs the script and logs what it wrote.
func (a *audible) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	answer, err := a.Runner.Run(ctx, c)
	for _, line := range answer.Console {
		a.log.InfoContext(ctx, "script says", slog.String("hook", c.Name), slog.String("event", c.ID), slog.String("line", line))
	}
	return answer, err
}
