package house

import (
	"context"
	"log/slog"
	"time"

	"postern/store"
)

// listen makes the desk for Hasura forget what changes in the database, until the context ends. While
// the connection is gone nothing is told, and what is remembered only ends by its age; so nothing
// remembered from before outlives a new one.
func (h *House) listen(ctx context.Context) {
	lost := false
	h.Store.Listen(ctx, store.Listener{
		Changed: h.Engine.Changed,
		Began: func() {
			h.Engine.ChangedAll()
			if lost {
				lost = false
				h.log.InfoContext(ctx, "the database tells of changes again")
			}
		},
		Lost: func(err error, again time.Duration) {
			if !lost {
				lost = true
				h.log.WarnContext(ctx, "the database tells of no changes: Hasura learns of them within AUTH_HASURA_WEBHOOK_MEMORY; trying again",
					slog.String("reason", err.Error()), slog.Duration("in", again))
			}
		},
	})
}
