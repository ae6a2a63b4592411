package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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
	row    int             // failures in a row
	slow   map[string]bool // for whom the source was too slow in that row
	closed time.Time       // until then nobody asks
	trying bool            // one request finds out whether the source is back
	broken chan struct{}   // tells Keep that the source is left alone
}

// question is what the source is asked.
type question struct {
	query string
	user  string // empty for none
	// insists is true for questions that are asked one at a time and with time between them: they are
	// put to a source that is left alone, too.
	insists bool
}

// sourceError is a question that was not answered.
type sourceError struct {
	reason      string
	unreachable bool // it could not be asked
	late        bool // it took too long
	answered    bool // it answered with an error of GraphQL
}

func (e *sourceError) Error() string { return e.reason }

// down tells that the source failed often in a row, and has not answered since.
func (a *asker) down() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.row >= breakAfter
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
func (a *asker) ask(ctx context.Context, q question) (json.RawMessage, error) {
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
	trial, err := a.enter(q)
	if err != nil {
		return nil, err
	}
	var variables map[string]any
	if q.user != "" {
		variables = map[string]any{"id": q.user}
	}
	answer, err := a.source.Query(ctx, q.query, variables)
	if err == nil {
		a.answered(trial)
		return answer, nil
	}
	if gone(ctx) {
		a.abandon(trial) // that says nothing about the source
		return nil, ctx.Err()
	}
	failed := explain(err, ctx.Err() != nil)
	if failed.unreachable {
		a.failed(trial, q.user, failed.late)
	} else {
		a.answered(trial)
	}
	return nil, failed
}

// enter lets a question through, or says that the source is left alone. trial is true for the one
// that finds out whether it is back.
func (a *asker) enter(q question) (trial bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.row < breakAfter || q.insists {
		return false, nil
	}
	if a.trying || a.now().Before(a.closed) {
		return false, &sourceError{reason: "the source failed several times in a row and is left alone for some seconds", unreachable: true}
	}
	a.trying = true
	return true, nil
}

// answered notes that the source answered.
func (a *asker) answered(trial bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trying = a.trying && !trial
	a.row, a.slow = 0, nil
}

// failed notes that the source could not be asked. That it was too slow for one user counts once in a
// row: somebody with more data than it can read in time must not have it left alone for all.
func (a *asker) failed(trial bool, user string, late bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trying = a.trying && !trial
	switch {
	case a.row == breakAfter:
	case late && a.slow[user]:
		return
	case late:
		if a.slow == nil {
			a.slow = map[string]bool{}
		}
		a.slow[user] = true
		fallthrough
	default:
		a.row++
	}
	if a.row == breakAfter {
		a.closed = a.now().Add(breakFor)
		select {
		case a.broken <- struct{}{}:
		default:
		}
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
		return &sourceError{reason: "the source answers with an error: " + line(withoutValues(answered.GraphQLErrors()[0])), answered: true}
	case late || errors.Is(err, context.DeadlineExceeded):
		return &sourceError{reason: "the source did not answer in time (AUTH_CLAIMS_TIMEOUT)", unreachable: true, late: true}
	case errors.As(err, &down) && !down.Unreachable():
		return &sourceError{reason: line(err.Error())}
	default:
		return &sourceError{reason: "the source cannot be asked: " + line(err.Error()), unreachable: true}
	}
}

// quoted finds the values that Postgres repeats when one does not fit, which may be a user's.
var quoted = regexp.MustCompile(`(: |\bvalue )"(?:[^"]|"")*"`)

func withoutValues(s string) string { return quoted.ReplaceAllString(s, `$1"…"`) }

// line makes text from outside fit for a line of the log.
func line(s string) string {
	const most = 300
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}
