package gotrue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"postern/auth"
	"postern/hooks"
	"postern/userobject"
)

// Bind has the receiver told of one event.
func Bind(h *hooks.Hooks, name string, s Settings, runner hooks.Runner) error {
	a := asker{name, s, runner}
	switch name {
	case Validate:
		return bind(&h.UserCreating, a, about[hooks.UserCreating]{
			user: func(e hooks.UserCreating) userobject.User {
				o := userobject.Known(e.Current(), userobject.ProviderOf(e.Provider, e.Method))
				o.LastSignIn = nil
				return o
			},
			set: func(e *hooks.UserCreating, change change) error { return e.ReplaceMetadata(change.of(e.Current())) },
		})
	case SignUp:
		return bind(&h.UserConfirmed, a, about[hooks.UserConfirmed]{
			user: func(e hooks.UserConfirmed) userobject.User {
				return userobject.Known(e.Current(), userobject.ProviderOf("", e.Method))
			},
			set: func(e *hooks.UserConfirmed, change change) error { return e.ReplaceMetadata(change.of(e.Current())) },
		})
	case Login:
		return bind(&h.SessionOpening, a, about[hooks.SessionOpening]{
			skip: func(e hooks.SessionOpening) bool { return e.Confirms },
			user: func(e hooks.SessionOpening) userobject.User {
				return userobject.Known(e.Current(), userobject.ProviderOf("", e.Method))
			},
			set: func(e *hooks.SessionOpening, change change) error { return e.ReplaceMetadata(change.of(e.Current())) },
		})
	}
	return fmt.Errorf("gotrue: there is no event %s", name)
}

// order has other dialects whose answers are merged asked before this one, whose answer replaces.
const order = 10

// about is what an event of ours is to one of theirs.
type about[E any] struct {
	skip func(e E) bool // nil tells of all
	user func(e E) userobject.User
	set  func(e *E, change change) error
}

// event is any of the events of package hooks.
type event interface{ About() hooks.Event }

// bind has the receiver told at a moment.
func bind[E event](m interface{ Bind(hooks.Binding[E]) error }, a asker, of about[E]) error {
	return m.Bind(hooks.Binding[E]{
		Name: "gotrue/" + a.name, Kind: hooks.Mutator, Order: order, Timeout: a.settings.Budget(),
		Ask: func(ctx context.Context, e E) (func(*E) error, error) {
			if of.skip != nil && of.skip(e) {
				return nil, nil
			}
			change, err := a.ask(ctx, e.About(), of.user(e))
			if err != nil || change.none() {
				return nil, err
			}
			return func(e *E) error { return of.set(e, change) }, nil
		},
	})
}

// asker puts the questions of one event.
type asker struct {
	name     string
	settings Settings
	runner   hooks.Runner
}

// payload is what the receiver is told.
type payload struct {
	Event    string          `json:"event"`
	Instance string          `json:"instance_id"`
	User     userobject.User `json:"user"`
}

// nobody is the id of the one instance there is.
const nobody = "00000000-0000-0000-0000-000000000000"

func (a asker) ask(ctx context.Context, e hooks.Event, u userobject.User) (change, error) {
	body, err := json.Marshal(payload{a.name, nobody, u})
	if err != nil {
		return change{}, fmt.Errorf("gotrue: %w", err)
	}
	call := hooks.Call{ID: e.ID, Name: "gotrue/" + a.name, Body: body, At: e.At}
	if a.settings.Secret != "" {
		call.Header = map[string]string{header: sign(a.settings.Secret, body, e.At)}
	}
	answer, err := a.runner.Run(ctx, call)
	if err != nil {
		return change{}, understood(err)
	}
	return read(answer)
}

// refused is the status of GoTrue's answer when the receiver says no.
const refused = 422

// understood gives what an error of a runner means. A status that says that the request was at fault is a
// refusal; any other is a receiver in trouble, which is for the log.
func understood(err error) error {
	var bad hooks.BadStatus
	if errors.As(err, &bad) && bad.Status >= 400 && bad.Status <= 499 {
		return &hooks.Denied{Status: refused}
	}
	return err
}

// sample is what the receiver would be told of somebody made up.
func sample(name string) []byte {
	s := hooks.NewSamples(hooks.SampleEvent())
	user := s.UserCreating.User
	if name == Validate {
		user = unconfirmed(user)
	}
	text, err := json.MarshalIndent(payload{name, nobody, userobject.Known(user, "email")}, "", "  ")
	if err != nil {
		return nil // nothing here can fail to be JSON
	}
	return append(text, '\n')
}

func unconfirmed(u auth.User) auth.User {
	u.EmailVerified, u.PhoneNumber = false, ""
	return u
}
