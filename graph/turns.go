package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// maxTurns is how many fields of all requests look something up at a time. The rest wait for their turn, until
// their request is over: Postgres serves sign-ins too, and operators' questions may be long.
const maxTurns = 3

// slow are the fields that wait for others than Postgres, and hold no connection meanwhile: they take no turn,
// so that three of them do not keep everybody waiting.
var slow = map[string]bool{"testHook": true, "sendTestEmail": true, "sendTestSms": true}

// inTurn lets a resolver work when it is its turn. Fields of what was found already pass.
func (d *Door) inTurn(ctx context.Context, next graphql.Resolver) (any, error) {
	f := graphql.GetFieldContext(ctx)
	if f == nil || !f.IsResolver || slow[f.Field.Name] {
		return next(ctx)
	}
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
		return next(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
