package graph

import (
	"context"

	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// MachineClients lists the machine clients.
func (q *query) MachineClients(ctx context.Context, first *int, after *string, last *int, before *string) (*wire.MachineClientConnection, error) {
	p, err := q.Machines.Page(ctx, flow.Paging{First: first, After: after, Last: last, Before: before}, operator(ctx))
	if err != nil {
		return nil, err
	}
	c := &wire.MachineClientConnection{PageInfo: pageInfo(p)}
	for i, client := range p.Items {
		node := machineClient(client)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.MachineClientEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Machines.Count(ctx, operator(ctx))
	}
	return c, err
}

// CreateMachineClient makes a machine client.
func (m *mutation) CreateMachineClient(ctx context.Context, in wire.CreateMachineClientInput) (*wire.CreateMachineClientPayload, error) {
	metadata, err := texts("metadata", in.Metadata)
	if err != nil {
		return nil, err
	}
	c, secret, err := m.Machines.Create(ctx, flow.NewMachine{Name: in.Name, Audiences: in.Audiences, Scopes: in.Scopes, Metadata: metadata}, operator(ctx))
	return &wire.CreateMachineClientPayload{MachineClient: machineClient(c), ClientSecret: secret}, under("input", err)
}

// RotateMachineClientSecret gives a machine client another secret.
func (m *mutation) RotateMachineClientSecret(ctx context.Context, in wire.RotateMachineClientSecretInput) (*wire.RotateMachineClientSecretPayload, error) {
	c, secret, err := m.Machines.Rotate(ctx, in.ID, operator(ctx))
	return &wire.RotateMachineClientSecretPayload{MachineClient: machineClient(c), ClientSecret: secret}, under("input", err)
}

// UpdateMachineClient changes a machine client.
func (m *mutation) UpdateMachineClient(ctx context.Context, in wire.UpdateMachineClientInput) (*wire.UpdateMachineClientPayload, error) {
	metadata, err := texts("metadata", in.Metadata)
	if err != nil {
		return nil, err
	}
	c, err := m.Machines.Change(ctx, in.ID, flow.MachineChange{Name: in.Name, Audiences: in.Audiences, Scopes: in.Scopes, Metadata: metadata}, operator(ctx))
	return &wire.UpdateMachineClientPayload{MachineClient: machineClient(c)}, under("input", err)
}

// DeleteMachineClient removes a machine client.
func (m *mutation) DeleteMachineClient(ctx context.Context, in wire.DeleteMachineClientInput) (*wire.DeleteMachineClientPayload, error) {
	return &wire.DeleteMachineClientPayload{ID: in.ID}, under("input", m.Machines.Delete(ctx, in.ID, operator(ctx)))
}

func machineClient(c store.MachineClient) *wire.MachineClient {
	return &wire.MachineClient{
		ID: c.ID, Name: c.Name, Audiences: c.Audiences, Scopes: c.Scopes, Metadata: jsonOf(c.Metadata), FromSettings: c.FromSettings,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}
