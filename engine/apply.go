package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/pause"
)

// An Outcome is what was found in the engine's metadata, and what was done about it.
type Outcome struct {
	Added     []Step // what was missing and is there now
	Missing   []Step // what is missing still, because it was only looked for or because the engine refuses it
	Different []Step // what is there otherwise and stays as it is
}

// Nothing tells that there is nothing to say.
func (o Outcome) Nothing() bool { return len(o.Added)+len(o.Missing)+len(o.Different) == 0 }

// rounds is how often a plan is made anew because others changed the metadata meanwhile.
const rounds = 10

// Apply adds what the metadata lacks, one call after the other, and changes nothing that is there.
// Several may do so at once: what another was faster with counts as done. The Outcome is right also
// when there is an error, which joins all that the engine refused.
func (e *Engine) Apply(ctx context.Context, tables Tables) (Outcome, error) {
	var out Outcome
	reloaded := false
	for range rounds {
		steps, err := e.Plan(ctx, tables)
		if err != nil {
			return out, err
		}
		out.Missing, out.Different = Split(steps)
		again, err := e.take(ctx, &out, &reloaded)
		if !again {
			return out, err
		}
	}
	return out, errors.New("hasura: others change the metadata all the time")
}

// Split sorts steps into what is missing and what is different.
func Split(steps []Step) (missing, different []Step) {
	for _, s := range steps {
		if s.Stays {
			different = append(different, s)
		} else {
			missing = append(missing, s)
		}
	}
	return missing, different
}

// take goes through what is missing. It wants to be called again, with a new plan, when somebody else
// changed the metadata at the same time, or when the engine did not know the newest tables.
func (e *Engine) take(ctx context.Context, out *Outcome, reloaded *bool) (again bool, err error) {
	var errs []error
	var refused []Step
	todo := out.Missing
	for i, s := range todo {
		err := e.carryOut(ctx, s)
		var no *Refusal
		switch {
		case err == nil:
			out.Added = append(out.Added, s)
			continue
		case !errors.As(err, &no):
			out.Missing = append(refused, todo[i:]...)
			return false, err
		case no.there():
			continue
		case no.Code == "conflict":
			return true, nil
		case !*reloaded && (no.Code == "not-exists" || no.Code == "constraint-error"):
			// The engine reads the database's catalogue at its start, perhaps before our migrations.
			*reloaded = true
			_, err := e.ask(ctx, call{Type: "reload_metadata", Args: map[string]any{"reload_sources": []string{e.settings.Source}}})
			return err == nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.Text, err))
		refused = append(refused, s)
	}
	out.Missing = refused
	if more := len(errs) - mostErrors; more > 0 {
		errs = append(errs[:mostErrors], fmt.Errorf("hasura: %d more like these", more))
	}
	return false, errors.Join(errs...)
}

func (e *Engine) carryOut(ctx context.Context, s Step) error {
	for _, c := range s.calls {
		if _, err := e.ask(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Settle does once what AUTH_HASURA_METADATA says: add what is missing, only look, or nothing.
func (e *Engine) Settle(ctx context.Context, tables Tables) (Outcome, error) {
	switch e.settings.Metadata {
	case Off:
		return Outcome{}, nil
	case Check:
		steps, err := e.Plan(ctx, tables)
		missing, different := Split(steps)
		return Outcome{Missing: missing, Different: different}, err
	}
	return e.Apply(ctx, tables)
}

// The first pause of Keep, and the longest.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// Keep calls Settle until it succeeds or the context ends, with longer and longer pauses. It tells of
// the outcome when it is done, and before that of each error that is not the one before. Tables may
// change while the engine is down, so they are asked for each time.
func (e *Engine) Keep(ctx context.Context, tables func(context.Context) (Tables, error), told func(context.Context, Outcome, error)) {
	last := ""
	for wait := firstPause; ctx.Err() == nil; wait = min(2*wait, longestPause) {
		outcome, err := e.settleWith(ctx, tables)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			told(ctx, outcome, nil)
			return
		case err.Error() != last || len(outcome.Added) > 0:
			last = err.Error()
			told(ctx, outcome, err)
		}
		_ = pause.For(ctx, wait) // the loop asks the context itself
	}
}

func (e *Engine) settleWith(ctx context.Context, tables func(context.Context) (Tables, error)) (Outcome, error) {
	list, err := tables(ctx)
	if err != nil {
		return Outcome{}, err
	}
	return e.Settle(ctx, list)
}
