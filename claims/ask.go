package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// When the source fails so often in a row, it is left alone for a while, and then one request tries.
const (
	breakAfter = 5
	breakFor   = 3 * time.Second
)

// asker asks the source: so many at once, each within its time, and none while the source is known
// to be down.
type asker struct {
	source Source
	now    func() time.Time
	slots  chan struct{}

	mu     sync.Mutex
	row    int       // failures in a row
	closed time.Time // until then nobody asks
	trying bool      // one request finds out whether the source is back
}

// sourceError is a question that was not answered.
type sourceError struct {
	reason      string
	unreachable bool // it could not be asked
	answered    bool // it answered with an error of GraphQL
}

func (e *sourceError) Error() string { return e.reason }

// resting tells how long the source is still left alone.
func (a *asker) resting() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.row < breakAfter {
		return 0
	}
	return max(0, a.closed.Sub(a.now()))
}

// errSlow ends a question that took too long, as opposed to one that nobody waits for any more.
var errSlow = errors.New("too slow")

// bounded limits how long questions may take together.
func bounded(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errSlow)
}

// gone tells that whoever asked waits no more.
func gone(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errSlow)
}

// ask puts one question within a bounded context. The error is the context's own when whoever asked
// has gone, and a *sourceError otherwise.
func (a *asker) ask(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
	}
	switch {
	case gone(ctx):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		return nil, &sourceError{reason: fmt.Sprintf("%d requests for claims were under way and none ended in time (AUTH_CLAIMS_CONCURRENCY)", cap(a.slots)), unreachable: true}
	}
	trial, err := a.enter()
	if err != nil {
		return nil, err
	}
	answer, err := a.source.Query(ctx, query, variables)
	if err == nil {
		a.leave(trial, true)
		return answer, nil
	}
	if gone(ctx) {
		a.abandon(trial) // that says nothing about the source
		return nil, ctx.Err()
	}
	failed := explain(err, ctx.Err() != nil)
	a.leave(trial, !failed.unreachable)
	return nil, failed
}

// enter lets a question through, or says that the source is left alone. trial is true for the one
// that finds out whether it is back.
func (a *asker) enter() (trial bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.row < breakAfter {
		return false, nil
	}
	if a.trying || a.now().Before(a.closed) {
		return false, &sourceError{reason: "the source failed several times in a row and is left alone for some seconds", unreachable: true}
	}
	a.trying = true
	return true, nil
}

// leave notes how a question went.
func (a *asker) leave(trial, answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trying = a.trying && !trial
	if answered {
		a.row = 0
		return
	}
	a.row = min(a.row+1, breakAfter)
	if a.row == breakAfter {
		a.closed = a.now().Add(breakFor)
	}
}

// abandon notes that a question went nowhere.
func (a *asker) abandon(trial bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trying = a.trying && !trial
}

// explain makes the source's error a sentence for the log.
func explain(err error, late bool) *sourceError {
	var answered interface{ GraphQLErrors() []string }
	var down interface{ Unreachable() bool }
	switch {
	case errors.As(err, &answered) && len(answered.GraphQLErrors()) > 0:
		return &sourceError{reason: "the source answers with an error: " + line(answered.GraphQLErrors()[0]), answered: true}
	case late:
		return &sourceError{reason: "the source did not answer in time (AUTH_CLAIMS_TIMEOUT)", unreachable: true}
	case errors.As(err, &down) && !down.Unreachable():
		return &sourceError{reason: line(err.Error())}
	default:
		return &sourceError{reason: "the source cannot be asked: " + line(err.Error()), unreachable: true}
	}
}

// line makes text from outside fit for a line of the log.
func line(s string) string {
	const most = 300
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}
