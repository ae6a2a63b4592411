package auth0

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"postern/hooks"
)

// asker puts the questions of one trigger.
type asker struct {
	row    row
	o      Options
	mu     sync.Mutex
	script Script // that runner is of
	runner hooks.Runner
}

// ask puts a question to the script that has a say now. Without one, asked is false.
func (a *asker) ask(ctx context.Context, e hooks.Event, question map[string]any) (r result, asked bool, err error) {
	s, enabled, err := a.o.Source(ctx, a.row.trigger)
	if err != nil || !enabled {
		return r, false, err
	}
	runner, err := a.runnerOf(s)
	if err != nil {
		return r, true, err
	}
	body, err := json.Marshal(question)
	if err != nil {
		return r, true, fmt.Errorf("auth0: %w", err)
	}
	answer, err := runner.Run(ctx, hooks.Call{ID: e.ID, Name: a.row.name(), Body: body, At: e.At})
	if err != nil {
		return r, true, err
	}
	r, err = read(answer)
	return r, true, err
}

// name is what the bindings of a trigger are called.
func (r row) name() string { return "auth0/" + r.trigger }

// runnerOf makes a script one that can be asked. As long as it stays the same, so does its runner, which
// knows how much of it runs already.
func (a *asker) runnerOf(s Script) (hooks.Runner, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.runner != nil && a.script.ID == s.ID && a.script.Source == s.Source && maps.Equal(a.script.Secrets, s.Secrets) {
		return a.runner, nil
	}
	runner, err := a.o.Run(a.row.program(s))
	if err != nil {
		return nil, hooks.Unreachable{Why: err.Error()}
	}
	a.script, a.runner = s, runner
	return runner, nil
}

// program is a script of the trigger as it runs.
func (r row) program(s Script) Program {
	secrets := s.Secrets
	if secrets == nil {
		secrets = map[string]string{}
	}
	return Program{
		Script: s, Prelude: r.prelude(), Member: "webtask", Linger: r.later,
		Args: func(c hooks.Call) ([]json.RawMessage, error) { return r.args(c, secrets) },
	}
}

// args are the arguments of a call: the members of the question in their order, the last of which is
// the context and gets what scripts know of where they run.
func (r row) args(c hooks.Call, secrets map[string]string) ([]json.RawMessage, error) {
	var question map[string]json.RawMessage
	if err := json.Unmarshal(c.Body, &question); err != nil {
		return nil, hooks.Unreachable{Why: "what the script is to be told is no object"}
	}
	args := make([]json.RawMessage, len(r.params))
	for i, name := range r.params {
		if args[i] = question[name]; args[i] == nil {
			args[i] = json.RawMessage("null")
		}
	}
	where := map[string]any{}
	if err := json.Unmarshal(args[len(args)-1], &where); err != nil || where == nil {
		return nil, hooks.Unreachable{Why: "what the script is to be told has no context"}
	}
	none := map[string]any{}
	where["webtask"] = map[string]any{
		"id": c.ID, "token": "", "secrets": secrets, "data": secrets, "body": question,
		"meta": none, "headers": none, "query": none, "params": none,
	}
	text, err := json.Marshal(where)
	if err != nil {
		return nil, fmt.Errorf("auth0: %w", err)
	}
	args[len(args)-1] = text
	return args, nil
}
