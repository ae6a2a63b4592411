package hasura_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
)

// operator is somebody who answers hooks, by a Go function, which a test may change.
type operator struct {
	mu     sync.Mutex
	answer func(ctx context.Context, name string, body map[string]any) (any, error)
	calls  []question
}

// question is one that came.
type question struct {
	name, id string
	body     map[string]any
}

// Run is a hooks.Runner.
func (o *operator) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	var body, kept map[string]any // whoever answers may change theirs
	if err := errors.Join(json.Unmarshal(c.Body, &body), json.Unmarshal(c.Body, &kept)); err != nil {
		return hooks.Answer{}, err
	}
	o.mu.Lock()
	o.calls = append(o.calls, question{c.Name, c.ID, kept})
	answer := o.answer
	o.mu.Unlock()
	if answer == nil {
		return hooks.Answer{Status: 204}, nil
	}
	said, err := answer(ctx, c.Name, body)
	if err != nil {
		return hooks.Answer{}, err
	}
	text, err := json.Marshal(said)
	return hooks.Answer{Status: 200, ContentType: "application/json", Body: text}, err
}

// says has the operator answer otherwise from now on.
func (o *operator) says(answer func(ctx context.Context, name string, body map[string]any) (any, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = answer
}

// asked gives the questions of one name since they were last taken.
func (o *operator) asked(name string) []question {
	o.mu.Lock()
	defer o.mu.Unlock()
	var got []question
	o.calls = slices.DeleteFunc(o.calls, func(c question) bool {
		if c.name == name {
			got = append(got, c)
		}
		return c.name == name
	})
	return got
}

// The ways in which an operator says no, or does not answer well.
func denies(_ context.Context, name string, _ map[string]any) (any, error) {
	return nil, &hooks.Denied{Status: 418, Message: "not today, says " + name}
}

func breaks(context.Context, string, map[string]any) (any, error) {
	return nil, hooks.Unreachable{Why: "nobody is there"}
}

func sleeps(ctx context.Context, _ string, _ map[string]any) (any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func agrees(context.Context, string, map[string]any) (any, error) { return nil, nil }

// hookTime is how long an operator may take. A race detector on a busy machine needs some of it.
const hookTime = 300 * time.Millisecond

// asks binds the operator to a moment: body is what they are told, apply what their answer does.
func asks[E any](t testing.TB, o *operator, m interface{ Bind(hooks.Binding[E]) error }, name string, kind hooks.Kind,
	body func(e E) (id string, body any), apply func(e *E, answer map[string]any) error,
) {
	t.Helper()
	err := m.Bind(hooks.Binding[E]{Name: name, Kind: kind, Timeout: hookTime, Ask: func(ctx context.Context, e E) (func(*E) error, error) {
		id, b := body(e)
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		got, err := o.Run(ctx, hooks.Call{ID: id, Name: name, Body: text})
		if err != nil || got.Status == 204 || apply == nil {
			return nil, err
		}
		var answer map[string]any
		if err := json.Unmarshal(got.Body, &answer); err != nil || answer == nil {
			return nil, err
		}
		return func(e *E) error { return apply(e, answer) }, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// asksOfTokens binds the operator to tokens.
func (o *operator) asksOfTokens(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks(t, o, &h.TokenMinting, "token", hooks.Mutator, func(e hooks.TokenMinting) (string, any) {
		return e.ID, fields{"user": e.User.ID, "session": e.SessionID, "method": e.Method, "claims": e.Claims}
	}, func(e *hooks.TokenMinting, answer map[string]any) error {
		claims, _ := answer["claims"].(map[string]any)
		return e.Replace(claims)
	})
}

// openHooked opens a house with hooks.
func openHooked(t testing.TB, clock *stillClock, settings map[string]string, h *hooks.Hooks) doorway {
	t.Helper()
	return doorway{testhouse.Open(t, everyWayIn(settings), stopped(clock), through(vouching), func(o *house.Options) { o.Hooks = h })}
}

// turnedAway checks that an answer refuses, plainly or in a redirect.
func (a answer) turnedAway(t testing.TB, status int, id, message string) {
	t.Helper()
	if a.header.Get("Location") != "" {
		_, q := a.redirect(t, a.status)
		if q.Get("error") != id || q.Get("errorDescription") != message || q.Has("refreshToken") || q.Has("code") {
			t.Fatalf("%s to %v, want %s %q", a, q, id, message)
		}
		return
	}
	a.refused(t, status, id, message)
}

const failedWords = "The request could not be checked, try again later"

// payloadOf is all that an access token says.
func payloadOf(t testing.TB, token string) map[string]any {
	t.Helper()
	return decodePart(t, strings.Split(token, ".")[1])
}
