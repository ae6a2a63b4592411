package graph

import (
	"context"
	"strings"

	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// Events lists events.
func (q *query) Events(ctx context.Context, where *wire.EventsWhere, first *int, after *string, last *int, before *string) (*wire.ServiceEventConnection, error) {
	w := flow.EventFilter{}
	if where != nil {
		w = flow.EventFilter{UserID: given(where.UserID), Type: given(where.Type), Since: given(where.Since), Until: given(where.Until)}
	}
	p, err := q.Service.Events(ctx, w, flow.Paging{First: first, After: after, Last: last, Before: before}, operator(ctx))
	if err != nil {
		return nil, under("where", err)
	}
	c := &wire.ServiceEventConnection{PageInfo: pageInfo(p)}
	for i, e := range p.Items {
		node := serviceEvent(e)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.ServiceEventEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Service.CountEvents(ctx, w, operator(ctx))
	}
	return c, err
}

func serviceEvent(e flow.Told) *wire.ServiceEvent {
	node := &wire.ServiceEvent{ID: e.ID, Type: e.Type, UserID: e.UserID, At: e.At, Data: e.Payload, Deliveries: []*wire.EventDelivery{}}
	for _, d := range e.Deliveries {
		node.Deliveries = append(node.Deliveries, &wire.EventDelivery{
			Receiver: d.Endpoint, State: wire.DeliveryState(strings.ToUpper(d.State)), Attempts: d.Attempts, Error: nullable(d.Error), NextAttemptAt: d.NextAt,
		})
	}
	return node
}

// EventReceivers lists the receivers of events.
func (q *query) EventReceivers(ctx context.Context) ([]*wire.EventReceiver, error) {
	all, err := q.Service.EventReceivers(ctx, operator(ctx))
	list := make([]*wire.EventReceiver, len(all))
	for i, r := range all {
		list[i] = &wire.EventReceiver{
			Name: r.Name, URL: r.URL, Types: r.Types, Since: r.Since, Backlog: r.Waiting, OldestWaitingAt: r.Oldest, Dead: r.Dead, LastError: nullable(r.Error),
		}
	}
	return list, err
}

// DeadLetters lists what was given up.
func (q *query) DeadLetters(ctx context.Context, kind *wire.DeadLetterKind, first *int, after *string, last *int, before *string) (*wire.DeadLetterConnection, error) {
	of := ""
	if kind != nil {
		of = strings.ToLower(string(*kind))
	}
	p, err := q.Service.DeadLetters(ctx, of, flow.Paging{First: first, After: after, Last: last, Before: before}, operator(ctx))
	if err != nil {
		return nil, err
	}
	c := &wire.DeadLetterConnection{PageInfo: pageInfo(p)}
	for i, d := range p.Items {
		node := deadLetter(d)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.DeadLetterEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Service.CountDeadLetters(ctx, of, operator(ctx))
	}
	return c, err
}

func deadLetter(d store.DeadLetter) *wire.DeadLetter {
	return &wire.DeadLetter{
		ID: d.Key, Kind: wire.DeadLetterKind(strings.ToUpper(d.Kind)), At: d.At, About: d.About, Receiver: nullable(d.Endpoint), ItemID: d.ItemID,
		UserID: nullable(d.UserID), Attempts: d.Attempts, Error: d.Error,
	}
}

// ReplayEvent has one event sent again.
func (m *mutation) ReplayEvent(ctx context.Context, in wire.ReplayEventInput) (*wire.ReplayEventPayload, error) {
	n, err := m.Service.ReplayEvents(ctx, flow.Replay{ID: in.ID, Receiver: given(in.Receiver)}, operator(ctx))
	return &wire.ReplayEventPayload{Count: n}, under("input", err)
}

// ReplayEvents has the events of a time sent again.
func (m *mutation) ReplayEvents(ctx context.Context, in wire.ReplayEventsInput) (*wire.ReplayEventsPayload, error) {
	n, err := m.Service.ReplayEvents(ctx, flow.Replay{
		Receiver: given(in.Receiver), Dead: given(in.Dead),
		Filter: flow.EventFilter{UserID: given(in.UserID), Type: given(in.Type), Since: in.Since, Until: given(in.Until)},
	}, operator(ctx))
	return &wire.ReplayEventsPayload{Count: n}, under("input", err)
}

// RetryMail has a message tried once more.
func (m *mutation) RetryMail(ctx context.Context, in wire.RetryMailInput) (*wire.RetryMailPayload, error) {
	d, err := m.Service.RetryMessage(ctx, in.ID, operator(ctx))
	return &wire.RetryMailPayload{DeadLetter: deadLetter(d)}, under("input", err)
}

// DiscardDeadLetter forgets a dead letter.
func (m *mutation) DiscardDeadLetter(ctx context.Context, in wire.DiscardDeadLetterInput) (*wire.DiscardDeadLetterPayload, error) {
	d, err := m.Service.Discard(ctx, in.ID, operator(ctx))
	return &wire.DiscardDeadLetterPayload{DeadLetter: deadLetter(d)}, under("input", err)
}
