package flow

import (
	"context"
	"sync"
	"time"

	"postern/pause"
)

// Answers make those answers take as long as each other that must not tell whether an address is
// known. What a known one takes depends on the database, so it is watched. One serves all flows that
// do the same work.
type Answers struct {
	Least time.Duration // what every answer takes: well above the work beside its own database
	Most  time.Duration // however slow the database was

	mu      sync.Mutex
	slowest time.Duration // of the work for a known address, lately
	seen    time.Time
}

// lately is for how long a slow answer slows the others down.
const lately = 5 * time.Minute

// worked notes how long the work for a known address took.
func (a *Answers) worked(start, end time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if took := end.Sub(start); took >= a.slowest || end.Sub(a.seen) > lately {
		a.slowest, a.seen = took, end
	}
}

// answered ends the work for a known address: what it took is noted, and the answer comes when it is
// due.
func (k *Kit) answered(ctx context.Context, start time.Time) error {
	k.Answers.worked(start, k.Now())
	return k.Answers.settle(ctx, start, k.Now)
}

// target is how long every answer takes.
func (a *Answers) target() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return min(max(a.Least, a.slowest*5/4), a.Most)
}

// settle waits until an answer that was begun at start is due.
func (a *Answers) settle(ctx context.Context, start time.Time, now func() time.Time) error {
	wait := a.target() - now().Sub(start)
	if wait <= 0 {
		return nil
	}
	return pause.For(ctx, wait)
}
