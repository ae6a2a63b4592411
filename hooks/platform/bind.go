package platform

import (
	"context"
	"errors"

	"postern/hooks"
)

// Bound says whom to ask, and what there is to do beside.
type Bound struct {
	Settings
	Runner func(Hook) (hooks.Runner, error)
	// Unread is told of an answer that agrees and says something that is not read.
	Unread func(ctx context.Context, hook string, why error)
}

// prefix begins the names of bindings.
const prefix = "platform/"

// Bind has the hooks of the settings asked, and the roles of providers given.
func Bind(h *hooks.Hooks, b Bound) error {
	if len(b.providers) > 0 {
		if err := h.SignUpRequested.Bind(b.defaults()); err != nil {
			return err
		}
	}
	for _, hook := range b.Known() {
		runner, err := b.Runner(hook)
		if err != nil {
			return err
		}
		moment, apply := &h.SignUpRequested, b.roles
		if hook.Name == PreLogin {
			moment, apply = &h.SignInRequested, nothing
		}
		err = moment.Bind(hooks.Binding[hooks.Requested]{
			Name: prefix + hook.Name, Kind: hooks.Mutator, Timeout: b.Timeout, Ask: b.ask(hook, runner, apply),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// effect is what an answer that agrees does.
type effect = func(ctx context.Context, a hooks.Answer) (func(*hooks.Requested) error, error)

// ask puts a request to a hook.
func (b Bound) ask(hook Hook, runner hooks.Runner, apply effect) func(context.Context, hooks.Requested) (func(*hooks.Requested) error, error) {
	return func(ctx context.Context, e hooks.Requested) (func(*hooks.Requested) error, error) {
		body, err := payload(e)
		if err != nil {
			return nil, err
		}
		answer, err := runner.Run(ctx, hooks.Call{ID: e.ID, Name: prefix + hook.Name, Body: body, At: e.At})
		switch {
		case err != nil:
			return nil, err
		case answer.Status >= 400 && answer.Status <= 499:
			return nil, refusal(answer)
		case answer.Status < 200 || answer.Status > 299:
			return nil, hooks.BadStatus{Status: answer.Status}
		}
		return apply(ctx, answer)
	}
}

// nothing is what agreeing to a sign-in does.
func nothing(context.Context, hooks.Answer) (func(*hooks.Requested) error, error) { return nil, nil }

// roles gives a new user the roles of an answer.
func (b Bound) roles(ctx context.Context, a hooks.Answer) (func(*hooks.Requested) error, error) {
	roles, err := rolesOf(a)
	if errors.Is(err, errNotRead) {
		b.Unread(ctx, PreSignup, err)
		return nil, nil
	}
	if err != nil || len(roles) == 0 {
		return nil, err
	}
	if err := b.mayGive(roles); err != nil {
		return nil, hooks.BadAnswer{Why: "it has roles, " + err.Error()}
	}
	return func(e *hooks.Requested) error { return e.AddRoles(roles...) }, nil
}

// defaults gives a new user the roles that the file has for their provider.
func (b Bound) defaults() hooks.Binding[hooks.Requested] {
	return hooks.Binding[hooks.Requested]{
		Name: prefix + "defaultRoles", Kind: hooks.Mutator, Order: -1,
		Ask: func(_ context.Context, e hooks.Requested) (func(*hooks.Requested) error, error) {
			roles := b.providers[providerOf(e.Method, e.Provider)]
			return func(e *hooks.Requested) error { return e.AddRoles(roles...) }, nil
		},
	}
}
