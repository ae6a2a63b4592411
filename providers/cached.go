package providers

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	pauseAfterFailure = 5 * time.Second  // before what could not be had is asked for again
	pauseAfterSuccess = 30 * time.Second // before what is fresh is asked for again
)

// cached is a document that is fetched when it is first needed, and kept while it is fresh. Many
// may want it at once; one fetches.
type cached[T any] struct {
	fetch func(context.Context) (value T, fresh time.Duration, err error)
	now   func() time.Time
	turn  chan struct{} // holds one; whoever takes it fetches

	mu      sync.RWMutex
	value   T
	until   time.Time // the value is fresh
	fetched time.Time
	failed  time.Time
	reason  error
}

func newCached[T any](now func() time.Time, fetch func(context.Context) (T, time.Duration, error)) *cached[T] {
	return &cached[T]{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// get gives the value, fetched anew if it is no longer fresh.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	return c.have(ctx, func(now time.Time) bool { return now.Before(c.until) })
}

// renew gives a value that was fetched lately, for whoever misses something in the one there is.
func (c *cached[T]) renew(ctx context.Context) (T, error) {
	return c.have(ctx, func(now time.Time) bool {
		return now.Before(c.until) && now.Sub(c.fetched) < pauseAfterSuccess
	})
}

// have gives the value if it is good, and fetches it otherwise.
func (c *cached[T]) have(ctx context.Context, good func(now time.Time) bool) (T, error) {
	if value, done, err := c.look(good); done {
		return value, err
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	defer func() { <-c.turn }()
	if value, done, err := c.look(good); done { // somebody else fetched meanwhile
		return value, err
	}
	// Others wait for this answer, so it is not given up when the one who asked goes away. The
	// client has its own time limit.
	value, fresh, err := c.fetch(context.WithoutCancel(ctx))
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if err != nil {
		c.failed, c.reason = now, err
		return value, err
	}
	c.value, c.fetched, c.until, c.failed = value, now, now.Add(fresh), time.Time{}
	return value, nil
}

// look says what there is to say without fetching.
func (c *cached[T]) look(good func(now time.Time) bool) (value T, done bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	now := c.now()
	switch {
	case good(now):
		return c.value, true, nil
	case !c.failed.IsZero() && now.Sub(c.failed) < pauseAfterFailure:
		return value, true, errors.Join(errTooSoon, c.reason)
	default:
		return value, false, nil
	}
}

var errTooSoon = errors.New("it failed a moment ago")
