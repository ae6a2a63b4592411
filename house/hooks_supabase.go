package house

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/jshook"
	"postern/hooks/pghook"
	"postern/hooks/supabase"
)

// receivers are who is asked by hooks, and how one gets to them.
type receivers struct {
	client  *http.Client
	pool    *pghook.Pool // nil while no function is asked
	scripts *jshook.Pool // nil while no script is
	own     *pghook.Pool // as the server itself; nil while no function joins
}

// bindReceivers has the receivers of the settings asked at their moments.
func bindReceivers(ctx context.Context, c *config.Config, o Options, h *hooks.Hooks) (*receivers, error) {
	r := &receivers{client: httphook.NewClient()}
	for _, hook := range c.Hooks.Supabase.Enabled() {
		runner, err := r.runner(ctx, c, o, hook)
		if err == nil {
			err = supabase.Bind(h, hook.Name, runner, c.Flow.ServerURL)
		}
		if err != nil {
			r.close()
			return nil, fmt.Errorf("%s: %w", hook.Variable(), err)
		}
	}
	for _, bind := range []func() error{
		func() error { return r.bindPlatform(c, o, h) },
		func() error { return r.bindGoTrue(ctx, c, o, h) },
	} {
		if err := bind(); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// isOn tells whether a hook is switched on.
func isOn(c *config.Config, name string) bool {
	return slices.ContainsFunc(c.Hooks.Supabase.Enabled(), func(h supabase.Hook) bool { return h.Name == name })
}

// runner makes the way to one receiver.
func (r *receivers) runner(ctx context.Context, c *config.Config, o Options, hook supabase.Hook) (hooks.Runner, error) {
	if pghook.IsURI(hook.URI) {
		return r.function(ctx, c, o, hook)
	}
	if jshook.IsURI(hook.URI) {
		return r.script(ctx, c, o, hook.Name, hook.URI)
	}
	address, err := httphook.ParseAddress(hook.URI, false)
	if err != nil {
		return nil, err
	}
	keys, err := hook.Keys()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		o.Log.WarnContext(ctx, "hook without a secret: its receiver cannot tell our questions from those of others", slog.String("hook", hook.Name))
	}
	return httphook.New(httphook.Options{URL: address, Keys: keys, Rules: httphook.Supabase(), Client: r.client, Now: o.Now})
}

// function makes the way to a function in the database, and warns when it is not there.
func (r *receivers) function(ctx context.Context, c *config.Config, o Options, hook supabase.Hook) (hooks.Runner, error) {
	function, err := pghook.ParseURI(hook.URI)
	if err != nil {
		return nil, err
	}
	pool, err := r.functions(ctx, c, hook.Joins())
	if err != nil {
		return nil, err
	}
	runner := pool.Runner(function)
	problems, err := runner.Check(ctx)
	if err != nil {
		problems = []string{"could not be looked at: " + err.Error()}
	}
	for _, p := range problems {
		o.Log.WarnContext(ctx, "the function of a hook is not as it should be", slog.String("hook", hook.Name), slog.String("function", function.String()), slog.String("reason", p))
	}
	return runner, nil
}

// functions are the connections that functions are asked over. One that joins a transaction runs over the
// server's own connection and as its role, so that these are looked at.
func (r *receivers) functions(ctx context.Context, c *config.Config, joins bool) (*pghook.Pool, error) {
	var err error
	switch {
	case joins && r.own == nil:
		s := pghook.Settings{MaxConnections: 1, Timeout: c.PgHooks.Timeout}
		r.own, err = pghook.Open(ctx, s, c.Store.URL())
	case !joins && r.pool == nil:
		r.pool, err = pghook.Open(ctx, c.PgHooks, c.Store.URL())
	}
	if joins {
		return r.own, err
	}
	return r.pool, err
}

// close leaves the receivers.
func (r *receivers) close() {
	if r == nil {
		return
	}
	r.client.CloseIdleConnections()
	for _, pool := range []*pghook.Pool{r.pool, r.own} {
		if pool != nil {
			pool.Close()
		}
	}
	if r.scripts != nil {
		r.scripts.Close()
	}
}
