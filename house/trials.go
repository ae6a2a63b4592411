package house

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"postern/flow"
	"postern/hooks"
	"postern/hooks/jshook"
)

// trials has hooks tried for operators, by an attendant: in the sandbox that a server has, and with events of
// somebody made up.
type trials struct {
	attendant *Attendant
	hooks     []Hook
	stored    stored
}

// prepare finds out whether a hook can be tried, or a script in its place, and gives what tries it.
func (t *trials) prepare(ctx context.Context, in flow.HookTrial) (func(context.Context) (flow.HookTried, error), error) {
	h, ok := t.find(in.Hook)
	switch {
	case !ok:
		return nil, flow.ErrNoTrial{Field: "hook", Why: "must be a hook as hooks lists them"}
	case h.Waiting:
		return nil, flow.ErrNoTrial{Field: "hook", Why: "must be one that is asked already"}
	}
	file := ScriptFile{Name: h.Name, Source: in.Source, Secrets: in.Secrets}
	if in.Source == "" && h.Dialect == "auth0" {
		s, enabled, err := t.stored.script(ctx, h.Name)
		switch {
		case err != nil:
			return nil, err
		case !enabled:
			return nil, flow.ErrNoTrial{Field: "hook", Why: "must be one for which a script has a say"}
		}
		file.Name, file.Source, file.Secrets = s.Name, s.Source, flow.MadeUp(s.Secrets, nil)
	}
	if file.Source == "" {
		if h.Where == "" {
			return nil, flow.ErrNoTrial{Field: "hook", Why: "must be one that is switched on, or come with a script"}
		}
		return func(ctx context.Context) (flow.HookTried, error) {
			tried, err := t.attendant.Try(ctx, h, in.Payload)
			return toTried(tried, t.attendant.config.Hooks.Scripts.Secrets()), err
		}, nil
	}
	if !slices.Contains(h.Transports, hooks.Script) {
		return nil, flow.ErrNoTrial{Field: "hook", Why: "must be one that a script can be"}
	}
	if _, err := t.attendant.scriptRunner(h, file); err != nil {
		return nil, flow.ErrNoTrial{Field: "script", Why: "cannot be tried: " + err.Error()}
	}
	return func(ctx context.Context) (flow.HookTried, error) {
		tried, err := t.attendant.TryScript(ctx, h, file, in.Payload)
		return toTried(tried, nil), err
	}, nil
}

func (t *trials) find(name string) (Hook, bool) {
	for _, h := range t.hooks {
		if name == h.Name || name == h.Dialect+"/"+h.Name {
			return h, true
		}
	}
	return Hook{}, false
}

// toTried leaves secrets out of what is told.
func toTried(t Tried, secrets map[string]string) flow.HookTried {
	hide := jshook.Redactor(slices.Collect(maps.Values(secrets))).Replace
	out := flow.HookTried{Hook: t.Hook.Name, Dialect: t.Hook.Dialect, Address: t.Hook.Where}
	for _, q := range t.Questions {
		one := flow.HookQuestion{
			ID: q.Call.ID, Body: json.RawMessage(q.Call.Body), Status: q.Answer.Status, Answer: hide(string(q.Answer.Body)), Console: q.Answer.Console, Took: q.Took,
		}
		if q.Err != nil {
			one.Error = hide(q.Err.Error())
		}
		out.Questions = append(out.Questions, one)
	}
	for _, o := range t.Outcomes {
		one := flow.HookOutcome{Moment: o.Moment}
		var no *hooks.Denied
		if errors.As(o.Err, &no) {
			one.Refused, one.Status, one.Message = true, no.HTTPStatus(), hide(no.Words())
		} else if o.Err != nil {
			one.Failure = hide(o.Err.Error())
		}
		for _, e := range o.Effects {
			one.Effects = append(one.Effects, hide(e))
		}
		out.Outcomes = append(out.Outcomes, one)
	}
	return out
}

// look says whether the receiver of a hook could be asked.
func (t *trials) look(ctx context.Context, h Hook) (state, sentence string) {
	runner, err := t.runner(ctx, h)
	switch {
	case err != nil:
		return flow.HealthDown, "The hook cannot be asked; 'postern hooks check' says why."
	case runner == nil:
		return flow.HealthOK, "No script has a say."
	}
	if problems := examine(ctx, runner); len(problems) > 0 {
		return flow.HealthDown, "The hook cannot work: " + problems[0] + "."
	}
	return flow.HealthOK, "The hook can be asked."
}

// runner is the way to a receiver; nil where there is none for now.
func (t *trials) runner(ctx context.Context, h Hook) (hooks.Runner, error) {
	if h.Dialect != "auth0" {
		return t.attendant.runner(ctx, h)
	}
	s, enabled, err := t.stored.script(ctx, h.Name)
	if err != nil || !enabled {
		return nil, err
	}
	return t.attendant.scriptRunner(h, ScriptFile{Name: s.Name, Source: s.Source, Secrets: s.Secrets})
}
