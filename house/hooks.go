package house

import (
	"context"
	"log/slog"

	"postern/hooks"
)

// openHooks gives the moments, with whoever is bound to them.
func openHooks(o Options) *hooks.Hooks {
	h := o.Hooks
	if h == nil {
		h = hooks.New()
	}
	if h.Failed == nil {
		h.Failed = func(ctx context.Context, f hooks.Failure) {
			o.Log.WarnContext(ctx, "hook failed", slog.String("hook", f.Hook), slog.String("moment", f.Moment),
				slog.String("event", f.EventID), slog.Bool("carried_on", f.Carried), slog.String("reason", f.Err.Error()))
		}
	}
	return h
}
