package house

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"postern/config"
	"postern/hooks"
	"postern/hooks/gotrue"
	"postern/hooks/httphook"
)

// bindGoTrue has the receiver of GoTrue's webhooks told of its events.
func (r *receivers) bindGoTrue(ctx context.Context, c *config.Config, o Options, h *hooks.Hooks) error {
	s := c.Hooks.GoTrue
	if s.URL == "" {
		return nil
	}
	runner, err := r.webhook(c, o)
	if err != nil {
		return fmt.Errorf("AUTH_WEBHOOK_URL: %w", err)
	}
	enabled := s.Enabled()
	if len(enabled) == 0 {
		o.Log.WarnContext(ctx, "AUTH_WEBHOOK_URL is set, but its receiver is told of nothing: AUTH_WEBHOOK_EVENTS is not set")
	} else if s.Secret == "" {
		o.Log.WarnContext(ctx, "hook without a secret: its receiver cannot tell our questions from those of others", slog.String("hook", "AUTH_WEBHOOK_URL"))
	}
	for _, name := range enabled {
		if err := gotrue.Bind(h, name, s, runner); err != nil {
			return err
		}
	}
	return nil
}

// webhook makes the way to the receiver.
func (r *receivers) webhook(c *config.Config, o Options) (hooks.Runner, error) {
	s := c.Hooks.GoTrue
	text, err := s.Address(c.Flow.ClientURL)
	if err != nil {
		return nil, err
	}
	address, err := httphook.ParseAddress(text, true)
	if err != nil {
		return nil, err
	}
	rules := httphook.Legacy()
	rules.Tries, rules.PerTry, rules.Budget = s.Tries(), s.PerTry(), s.Budget()
	return httphook.New(httphook.Options{URL: address, Rules: rules, Client: r.client, Now: o.Now})
}

func gotrueDialect(c *config.Config) Dialect {
	s := c.Hooks.GoTrue
	where, err := s.Address(c.Flow.ClientURL)
	if err != nil {
		where = s.URL
	}
	return Dialect{
		Name: "gotrue", Title: "Webhooks of GoTrue",
		About:  "Receivers that were written for the webhooks that GoTrue had before its hooks work unchanged: one address for three events, of which `AUTH_WEBHOOK_EVENTS` lists those that it is told of (also `GOTRUE_WEBHOOK_…`). [dialects/gotrue-webhooks.md](dialects/gotrue-webhooks.md) has the payload, the signature and what an answer does.",
		Points: gotrue.Points(s),
		said: func(point string) said {
			if s.URL == "" {
				return said{}
			}
			return said{on: slices.Contains(s.Enabled(), point), origin: "AUTH_WEBHOOK_URL", uri: where, secret: s.Secret}
		},
		runner: func(_ context.Context, r *receivers, o Options, _ string) (hooks.Runner, error) {
			return r.webhook(c, o)
		},
	}
}
