package house

import (
	"context"
	"log/slog"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/platform"
)

// bindPlatform has the hooks of Hasura's platform asked.
func (r *receivers) bindPlatform(c *config.Config, o Options, h *hooks.Hooks) error {
	return platform.Bind(h, platform.Bound{
		Settings: c.Hooks.Platform,
		Runner: func(hook platform.Hook) (hooks.Runner, error) {
			address, err := httphook.ParseAddress(hook.URL, true)
			if err != nil {
				return nil, err
			}
			return httphook.New(httphook.Options{URL: address, Rules: httphook.Platform(), Client: r.client, Now: o.Now})
		},
		Unread: func(ctx context.Context, hook string, why error) {
			o.Log.WarnContext(ctx, "answer of a hook was not read whole", slog.String("hook", hook), slog.String("reason", why.Error()))
		},
	})
}
