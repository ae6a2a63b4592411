package house

import (
	"context"
	"log/slog"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/platform"
)

// platformDialect tells of the hooks of Hasura's platform.
func platformDialect(c *config.Config) Dialect {
	known := c.Hooks.Platform.Known()
	find := func(point string) platform.Hook {
		for _, h := range known {
			if h.Name == point {
				return h
			}
		}
		return platform.Hook{Name: point}
	}
	return Dialect{
		Name: "platform", Title: "Hasura's platform", Unsigned: true,
		About:  "Receivers that were written for `authorizationHooks` of Hasura's platform work unchanged. Their questions are not signed, so nobody but Postern should reach them.",
		Points: platform.Points(c.Hooks.Platform),
		said: func(point string) said {
			h := find(point)
			return said{on: h.URL != "", origin: c.Hooks.Platform.Origin(point), uri: h.URL}
		},
		runner: func(_ context.Context, r *receivers, o Options, point string) (hooks.Runner, error) {
			return r.platform(o, find(point))
		},
	}
}

// platform makes the way to the receiver of a hook of Hasura's platform.
func (r *receivers) platform(o Options, hook platform.Hook) (hooks.Runner, error) {
	address, err := httphook.ParseAddress(hook.URL, true)
	if err != nil {
		return nil, err
	}
	return httphook.New(httphook.Options{URL: address, Rules: httphook.Platform(), Client: r.client, Now: o.Now})
}

// bindPlatform has the hooks of Hasura's platform asked.
func (r *receivers) bindPlatform(c *config.Config, o Options, h *hooks.Hooks) error {
	return platform.Bind(h, platform.Bound{
		Settings: c.Hooks.Platform,
		Runner:   func(hook platform.Hook) (hooks.Runner, error) { return r.platform(o, hook) },
		Unread: func(ctx context.Context, hook string, why error) {
			o.Log.WarnContext(ctx, "answer of a hook was not read whole", slog.String("hook", hook), slog.String("reason", why.Error()))
		},
	})
}
