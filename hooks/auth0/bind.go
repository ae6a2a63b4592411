package auth0

import (
	"context"
	"encoding/json"
	"errors"

	"postern/hooks"
)

// Bind has the scripts of all triggers asked at their moments. Which they are is asked each time.
func Bind(h *hooks.Hooks, o Options) error {
	var errs []error
	for _, r := range rows {
		errs = append(errs, bind(h, &asker{row: r, o: o}, r.later, true))
	}
	return errors.Join(errs...)
}

// one has a runner asked, whatever scripts there are, within the request: for trying it.
func one(h *hooks.Hooks, r row, runner hooks.Runner) error {
	script := Script{Trigger: r.trigger}
	return bind(h, &asker{row: r, script: script, runner: runner, o: Options{
		Source: func(context.Context, string) (Script, bool, error) { return script, true, nil }, Tenant: "example.com",
	}}, false, false)
}

// bind has a trigger's script asked. With part, it takes over only those messages that are its own.
func bind(h *hooks.Hooks, a *asker, later, part bool) error {
	name, limit, tenant := a.row.name(), a.o.Timeout, a.o.Tenant
	switch a.row.trigger {
	case CredentialsExchange:
		return h.ClientTokenMinting.Bind(hooks.Binding[hooks.ClientTokenMinting]{Name: name, Kind: hooks.Mutator, Timeout: limit, Ask: a.minting})
	case PreUserRegistration:
		return h.UserCreating.Bind(hooks.Binding[hooks.UserCreating]{Name: name, Kind: hooks.Mutator, Timeout: limit, Ask: a.creating})
	case PostUserRegistration:
		return h.UserCreated.Bind(hooks.Binding[hooks.UserCreated]{
			Name: name, Kind: hooks.Observer, Timeout: limit, Later: later, CarryOn: true,
			Ask: func(ctx context.Context, e hooks.UserCreated) (func(*hooks.UserCreated) error, error) {
				connection := connectionOf(e.Method, e.Provider)
				if connection == "" {
					return nil, nil
				}
				return nil, a.tell(ctx, e.Event, createdQuestion(e, connection, tenant))
			},
		})
	case PostChangePassword:
		return h.PasswordChanged.Bind(hooks.Binding[hooks.PasswordChanged]{
			Name: name, Kind: hooks.Observer, Timeout: limit, Later: later, CarryOn: true,
			Ask: func(ctx context.Context, e hooks.PasswordChanged) (func(*hooks.PasswordChanged) error, error) {
				return nil, a.tell(ctx, e.Event, passwordQuestion(e, tenant))
			},
		})
	default: // SendPhoneMessage
	}
	return h.SMSDue.Bind(hooks.Binding[hooks.SMSDue]{
		Name: name, Kind: hooks.Observer, Timeout: limit, Partly: part,
		Ask: func(ctx context.Context, e hooks.SMSDue) (func(*hooks.SMSDue) error, error) {
			if part && !ofFactor(e.Purpose) {
				return nil, hooks.Declined
			}
			return nil, a.send(ctx, e)
		},
	})
}

// minting asks what the token of a machine is to say.
func (a *asker) minting(ctx context.Context, e hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error) {
	r, asked, err := a.ask(ctx, e.Event, clientQuestion(e, a.o.Tenant))
	switch {
	case err != nil || !asked:
		return nil, err
	case r.thrown != nil:
		return nil, refusedToken(r.thrown)
	}
	return minted(r.data)
}

// creating asks about a new user.
func (a *asker) creating(ctx context.Context, e hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
	ours, _, err := e.Metadata(e.User.Metadata) // as those before have left it
	if err != nil {
		return nil, err
	}
	e.User.Metadata = ours
	said, err := a.newcomer(ctx, e, ours)
	if err != nil {
		return nil, err
	}
	return said.effect(ours), nil
}

func (a *asker) newcomer(ctx context.Context, e hooks.UserCreating, ours json.RawMessage) (said metadataSaid, err error) {
	connection := connectionOf(e.Method, e.Provider)
	if connection == "" {
		return said, nil
	}
	r, asked, err := a.ask(ctx, e.Event, creatingQuestion(e, connection, a.o.Tenant))
	switch {
	case err != nil || !asked:
		return said, err
	case r.thrown != nil:
		return said, refusedUser(r.thrown)
	}
	before, _ := metadataOf(ours)
	return registered(r.data, before)
}

// tell tells a script, whose answer changes nothing.
func (a *asker) tell(ctx context.Context, e hooks.Event, question map[string]any) error {
	r, _, err := a.ask(ctx, e, question)
	if err == nil && r.thrown != nil {
		err = r.thrown.failure()
	}
	return err
}

// send has a script send a message, if there is one that does.
func (a *asker) send(ctx context.Context, e hooks.SMSDue) error {
	text, err := a.o.text(ctx, e)
	if err != nil {
		return err
	}
	r, asked, err := a.ask(ctx, e.Event, phoneQuestion(e, text))
	switch {
	case err != nil:
		return err
	case !asked:
		return hooks.Declined
	case r.thrown != nil:
		return unsent(r.thrown)
	}
	return nil
}
