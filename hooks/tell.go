package hooks

import (
	"context"
	"errors"
)

// Name is what the moment is called in logs and lists.
func (m *Moment[E]) Name() string { return m.name }

// Told tells whether somebody wants to be told later.
func (m *Moment[E]) Told() bool { return len(m.later) > 0 }

// Tell tells those who want to be told later. What they answer changes nothing. An error means that
// somebody could not be reached: telling all of them again may help, and each must bear to be told twice.
func (m *Moment[E]) Tell(ctx context.Context, e E) error {
	var again error
	for _, b := range m.later {
		_, err := within(ctx, b.Timeout, func(ctx context.Context) (func(*E) error, error) { return b.Ask(ctx, e) })
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err() // the server is closing
		}
		m.hooks.failed(ctx, Failure{Moment: m.name, Hook: b.Name, EventID: e.eventID(), Err: err, Carried: true})
		if !final(err) {
			again = errors.Join(again, &Failed{Moment: m.name, Hook: b.Name, Err: err})
		}
	}
	return again
}

// final tells an error that is an answer: who has been told need not be told again.
func final(err error) bool {
	var (
		no      *Denied
		crashed Crashed
		bad     BadAnswer
	)
	return errors.As(err, &no) || errors.As(err, &crashed) || errors.As(err, &bad)
}
