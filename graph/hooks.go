package graph

import (
	"context"
	"encoding/json"
	"time"

	"postern/flow"
	"postern/graph/wire"
)

// Hooks lists the hooks.
func (q *query) Hooks(ctx context.Context, all *bool) ([]*wire.Hook, error) {
	known, err := q.Service.InUse(ctx, all != nil && *all, operator(ctx))
	list := make([]*wire.Hook, len(known))
	for i, k := range known {
		h := &wire.Hook{
			Name: k.Name, Dialect: k.Dialect, Description: k.Doc, Enabled: k.Enabled, Setting: nullable(k.Setting),
			Transport: nullable(k.Transport), Address: nullable(k.Address), Signed: k.Signed, Moments: []*wire.HookMoment{},
		}
		for _, m := range k.Moments {
			h.Moments = append(h.Moments, &wire.HookMoment{Moment: m.Moment, Kind: m.Kind, Policy: m.Policy, DeadlineMs: int(m.Within / time.Millisecond)})
		}
		list[i] = h
	}
	return list, err
}

// TestHook tries a hook.
func (m *mutation) TestHook(ctx context.Context, in wire.TestHookInput) (*wire.TestHookPayload, error) {
	secrets, err := texts("secrets", in.Secrets)
	if err != nil {
		return nil, err
	}
	t, err := m.Service.TestHook(ctx, flow.HookTrial{
		Hook: given(in.Hook), ScriptID: given(in.ScriptID), Source: given(in.Script), Secrets: secrets, Payload: in.Payload,
	}, operator(ctx))
	if err != nil {
		return nil, under("input", err)
	}
	p := &wire.TestHookPayload{Hook: t.Hook, Dialect: t.Dialect, Address: t.Address, Questions: []*wire.HookQuestion{}, Outcomes: []*wire.HookOutcome{}}
	for _, asked := range t.Questions {
		p.Questions = append(p.Questions, hookQuestion(asked))
	}
	for _, o := range t.Outcomes {
		p.Outcomes = append(p.Outcomes, hookOutcome(o))
	}
	return p, nil
}

func hookQuestion(q flow.HookQuestion) *wire.HookQuestion {
	out := &wire.HookQuestion{ID: q.ID, Body: q.Body, Answer: nullable(q.Answer), Error: nullable(q.Error), Console: q.Console, Milliseconds: milliseconds(q.Took)}
	if !json.Valid(out.Body) {
		out.Body = json.RawMessage("null")
	}
	if out.Console == nil {
		out.Console = []string{}
	}
	if q.Status != 0 {
		out.Status = &q.Status
	}
	return out
}

func hookOutcome(o flow.HookOutcome) *wire.HookOutcome {
	out := &wire.HookOutcome{Moment: o.Moment, Result: wire.HookResultAgreed, Effects: o.Effects}
	if out.Effects == nil {
		out.Effects = []string{}
	}
	switch {
	case o.Refused:
		out.Result, out.Status, out.Message = wire.HookResultRefused, &o.Status, nullable(o.Message)
	case o.Failure != "":
		out.Result, out.Message = wire.HookResultFailed, nullable(o.Failure)
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
