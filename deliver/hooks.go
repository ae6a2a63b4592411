package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"postern/hooks"
	"postern/store"
)

// hookWorkers is how many hooks are told at the same time.
const hookWorkers = 4

// hookWorker tells hooks of what has happened.
type hookWorker struct {
	river.WorkerDefaults[store.HookJob]
	carriers *Carriers
}

// Work tells the hooks of one moment, or says that another try may help.
func (w *hookWorker) Work(ctx context.Context, job *river.Job[store.HookJob]) error {
	c := w.carriers
	plain, err := c.Keys.Open(store.HookSeal, job.Args.Sealed)
	if err != nil {
		return c.giveUp(ctx, job.JobRow, errors.New("deliver: the event was sealed with an encryption key that is no longer known; set AUTH_ENCRYPTION_KEY_PREVIOUS"))
	}
	if c.Hooks == nil {
		return nil
	}
	switch job.Args.Moment {
	case c.Hooks.UserCreated.Name():
		return tell(ctx, &c.Hooks.UserCreated, plain)
	case c.Hooks.PasswordChanged.Name():
		return tell(ctx, &c.Hooks.PasswordChanged, plain)
	}
	return c.giveUp(ctx, job.JobRow, fmt.Errorf("deliver: this version tells nobody of %q", job.Args.Moment))
}

// tell tells the hooks of a moment. Where nobody is bound to it any more, that is the end of it.
func tell[E hooks.UserCreated | hooks.PasswordChanged](ctx context.Context, m interface {
	Tell(ctx context.Context, e E) error
}, plain []byte,
) error {
	var e E
	if err := json.Unmarshal(plain, &e); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	return m.Tell(ctx, e)
}

// Timeout bounds one attempt.
func (w *hookWorker) Timeout(*river.Job[store.HookJob]) time.Duration { return attemptTimeout }

// NextRetry waits as pause says.
func (w *hookWorker) NextRetry(job *river.Job[store.HookJob]) time.Time {
	return w.carriers.Now().Add(pause(job.Attempt))
}
