package pghook

import (
	"context"
	"errors"
	"time"

	"postern/hooks"
)

// Join calls the function inside a transaction, as the function Join does, within the time of functions.
func (r *Runner) Join(ctx context.Context, tx hooks.Transaction, c hooks.Call, limit time.Duration) (hooks.Answer, error) {
	return Join(ctx, tx, r.Function, c, min(limit, r.pool.timeout))
}

var _ hooks.Joiner = (*Runner)(nil)

// Join calls a function inside the transaction of an event: it sees what the transaction wrote, and
// what it writes is kept or lost with the transaction. It runs as the server's own role over the
// server's own connection, so the role and the connection of the settings are no boundary here, and it
// may undo or change whatever the transaction did. Only functions that one would let into the server belong here.
//
// After an error the transaction must be rolled back.
func Join(ctx context.Context, tx hooks.Transaction, f Function, c hooks.Call, limit time.Duration) (hooks.Answer, error) {
	raw, err := tx.CallFunction(ctx, f.Schema, f.Name, c.Body, limit)
	switch {
	case err == nil && raw == nil:
		return answer(nil)
	case err == nil && len(raw) > maxAnswer:
		return hooks.Answer{}, hooks.TooLarge{Most: maxAnswer}
	case err == nil:
		text := string(raw)
		return answer(&text)
	case errors.Is(ctx.Err(), context.Canceled):
		return hooks.Answer{}, ctx.Err()
	case ctx.Err() != nil:
		return hooks.Answer{}, hooks.TimedOut{After: limit}
	}
	return hooks.Answer{}, understand(err, limit)
}
