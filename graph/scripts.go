package graph

import (
	"context"
	"errors"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// HookScripts lists the scripts of hooks.
func (q *query) HookScripts(ctx context.Context, where *wire.HookScriptsWhere, first *int, after *string, last *int, before *string) (*wire.HookScriptConnection, error) {
	filter := store.ScriptFilter{}
	if where != nil {
		filter.Enabled = where.Enabled
		if where.TriggerID != nil {
			filter.Trigger = *where.TriggerID
		}
	}
	by := flow.OperatorBy(operator(ctx))
	p, err := q.Scripts.Page(ctx, filter, flow.Paging{First: first, After: after, Last: last, Before: before}, by)
	if err != nil {
		return nil, under("where", err)
	}
	c := &wire.HookScriptConnection{PageInfo: pageInfo(p)}
	for i, s := range p.Items {
		node := hookScript(s)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.HookScriptEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Scripts.Count(ctx, filter, by)
	}
	return c, err
}

// HookScript finds a script.
func (q *query) HookScript(ctx context.Context, id string) (*wire.HookScript, error) {
	s, err := q.Scripts.Get(ctx, id, flow.OperatorBy(operator(ctx)))
	if errors.Is(err, auth.ScriptUnknown) {
		return nil, nil
	}
	return hookScript(s), err
}

// CreateHook brings a script.
func (m *mutation) CreateHook(ctx context.Context, in wire.CreateHookInput) (*wire.CreateHookPayload, error) {
	dependencies, err := texts("dependencies", in.Dependencies)
	if err != nil {
		return nil, err
	}
	s, err := m.Scripts.Create(ctx, flow.NewScript{
		Name: in.Name, Trigger: in.TriggerID, Source: in.Script, Dependencies: dependencies, Enabled: given(in.Enabled),
	}, flow.OperatorBy(operator(ctx)))
	return &wire.CreateHookPayload{HookScript: hookScript(s)}, under("input", err)
}

// UpdateHook changes a script.
func (m *mutation) UpdateHook(ctx context.Context, in wire.UpdateHookInput) (*wire.UpdateHookPayload, error) {
	dependencies, err := texts("dependencies", in.Dependencies)
	if err != nil {
		return nil, err
	}
	change := flow.ScriptChange{Name: in.Name, Source: in.Script, Enabled: in.Enabled, Dependencies: dependencies}
	s, err := m.Scripts.Change(ctx, in.ID, change, flow.OperatorBy(operator(ctx)))
	return &wire.UpdateHookPayload{HookScript: hookScript(s)}, under("input", err)
}

// DeleteHook removes a script.
func (m *mutation) DeleteHook(ctx context.Context, in wire.DeleteHookInput) (*wire.DeleteHookPayload, error) {
	return &wire.DeleteHookPayload{ID: in.ID}, m.Scripts.Delete(ctx, in.ID, flow.OperatorBy(operator(ctx)))
}

// SetHookSecrets gives a script secrets.
func (m *mutation) SetHookSecrets(ctx context.Context, in wire.SetHookSecretsInput) (*wire.SetHookSecretsPayload, error) {
	secrets, err := texts("secrets", in.Secrets)
	if err != nil {
		return nil, err
	}
	s, err := m.Scripts.SetSecrets(ctx, in.ID, secrets, flow.OperatorBy(operator(ctx)))
	return &wire.SetHookSecretsPayload{HookScript: hookScript(s)}, under("input", err)
}

// RemoveHookSecrets takes secrets from a script.
func (m *mutation) RemoveHookSecrets(ctx context.Context, in wire.RemoveHookSecretsInput) (*wire.RemoveHookSecretsPayload, error) {
	s, err := m.Scripts.RemoveSecrets(ctx, in.ID, in.Names, flow.OperatorBy(operator(ctx)))
	return &wire.RemoveHookSecretsPayload{HookScript: hookScript(s)}, under("input", err)
}

func hookScript(s store.HookScript) *wire.HookScript {
	secrets := make([]*wire.HookScriptSecret, len(s.Held))
	for i, h := range s.Held {
		secrets[i] = &wire.HookScriptSecret{Name: h.Name, CreatedAt: h.CreatedAt, UpdatedAt: h.UpdatedAt}
	}
	return &wire.HookScript{
		ID: s.ID, Name: s.Name, TriggerID: s.Trigger, Script: s.Source, Dependencies: jsonOf(s.Dependencies), Enabled: s.Enabled,
		Secrets: secrets, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}
