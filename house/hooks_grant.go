package house

import (
	"context"
	"errors"

	"postern/hooks"
	"postern/hooks/pghook"
)

// ErrNoFunction is a hook that needs no grants.
var ErrNoFunction = errors.New("is no function in the database, so there is nothing to grant")

// Plan says what is to be granted and revoked so that the function of a hook can be called, and only by
// those who should.
func (a *Attendant) Plan(ctx context.Context, h Hook) (pghook.Plan, error) {
	if h.Transport != hooks.Function {
		return pghook.Plan{}, ErrNoFunction
	}
	runner, err := a.runner(ctx, h)
	if err != nil {
		return pghook.Plan{}, err
	}
	function, ok := runner.(*pghook.Runner)
	if !ok {
		return pghook.Plan{}, ErrNoFunction
	}
	return function.Plan(ctx)
}

// Grant carries a plan out, as the role of migrations, whole or not at all.
func (a *Attendant) Grant(ctx context.Context, p pghook.Plan) error {
	return pghook.Apply(ctx, a.config.Store.MigrationsURL(), p)
}
