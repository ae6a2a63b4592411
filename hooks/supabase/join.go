package supabase

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/hooks"
)

// joins has a function in the database take part in the transaction that writes a new user. Its error
// object refuses, and the user is not written.
func joins(m *hooks.Join[hooks.UserInserted], c call) error {
	joiner, ok := c.runner.(hooks.Joiner)
	if !ok {
		return fmt.Errorf("supabase: %s takes part in a transaction, which only a function in the database can", c.row.name)
	}
	name := "supabase/" + c.row.name
	return m.Bind(hooks.Joining[hooks.UserInserted]{Name: name, Join: func(ctx context.Context, tx hooks.Transaction, limit time.Duration, e hooks.UserInserted) error {
		body, err := json.Marshal(userInserted(metadataOf(e.Event, c.row), e))
		if err != nil {
			return fmt.Errorf("supabase: %w", err)
		}
		answer, err := joiner.Join(ctx, tx, hooks.Call{ID: e.ID, Name: name, Body: body, At: e.At}, limit)
		if err != nil {
			return understood(err)
		}
		_, err = read(answer)
		return err
	}})
}

// Joins tells a hook that takes part in a transaction, so that only a function in the database can be it.
func (h Hook) Joins() bool {
	r, _ := rowOf(h.Name)
	return r.joins
}
