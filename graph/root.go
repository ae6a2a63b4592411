package graph

import (
	"context"

	"postern/auth"
	"postern/graph/wire"
)

// root leads to the resolvers: each area has a file of its own.
type root struct{ *Door }

type query struct{ *Door }

// Query leads to the questions.
func (r *root) Query() wire.QueryResolver { return &query{r.Door} }

type mutation struct{ *Door }

// Mutation leads to what operators may change.
func (r *root) Mutation() wire.MutationResolver { return &mutation{r.Door} }

type user struct{ *Door }

// User leads to what belongs to users and is asked for many of them at once.
func (r *root) User() wire.UserResolver { return &user{r.Door} }

// Operator tells who asks.
func (q *query) Operator(ctx context.Context) (*wire.Operator, error) {
	by := operator(ctx)
	o := &wire.Operator{Rights: wire.RightsRead}
	if by.Rights >= auth.ChangeRights {
		o.Rights = wire.RightsChange
	}
	if by.UserID != "" {
		o.UserID = &by.UserID
	}
	return o, nil
}
