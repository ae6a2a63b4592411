package graph

import (
	"context"
	"strconv"
	"time"

	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// AuditEntries lists entries of the audit log.
func (q *query) AuditEntries(ctx context.Context, where *wire.AuditEntriesWhere, first *int, after *string, last *int, before *string) (*wire.AuditEntryConnection, error) {
	filter := toAuditFilter(where)
	p, err := q.Admin.AuditEntries(ctx, operator(ctx), filter, flow.Paging{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, under("where", err)
	}
	c := &wire.AuditEntryConnection{PageInfo: pageInfo(p), Nodes: toAuditEntries(p.Items)}
	for i, node := range c.Nodes {
		c.Edges = append(c.Edges, &wire.AuditEntryEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.Admin.CountAuditEntries(ctx, operator(ctx), filter)
	}
	return c, err
}

func toAuditFilter(where *wire.AuditEntriesWhere) flow.AuditFilter {
	if where == nil {
		return flow.AuditFilter{}
	}
	return flow.AuditFilter{
		UserID: given(where.UserID), ActorID: given(where.ActorID), SessionID: given(where.SessionID), Events: where.Events,
		Since: given(where.Since), Until: given(where.Until),
	}
}

// AuditEntries lists the newest entries about a user.
func (u *user) AuditEntries(ctx context.Context, of *wire.User, first int) ([]*wire.AuditEntry, error) {
	return listed(ctx, of, "auditEntries", first, u.Admin.AuditOfUsers, toAuditEntry)
}

func toAuditEntries(list []store.AuditEntry) []*wire.AuditEntry {
	entries := make([]*wire.AuditEntry, len(list))
	for i, e := range list {
		entries[i] = toAuditEntry(e)
	}
	return entries
}

func toAuditEntry(e store.AuditEntry) *wire.AuditEntry {
	entry := &wire.AuditEntry{
		ID: strconv.FormatInt(e.ID, 10), At: e.At, Event: e.Event, UserID: nullable(e.UserID), ActorID: nullable(e.ActorID),
		SessionID: nullable(e.SessionID), Address: nullable(e.AddressPrefix), UserAgent: nullable(e.UserAgent), Detail: e.Detail,
	}
	if e.SealNo > 0 {
		entry.Seal = nullable(strconv.FormatInt(e.SealNo, 10))
	}
	return entry
}

// Statistics tells what happened on each day.
func (q *query) Statistics(ctx context.Context, from time.Time, to *time.Time) (*wire.Statistics, error) {
	days, err := q.Admin.Statistics(ctx, operator(ctx), from, given(to))
	if err != nil {
		return nil, err
	}
	s := &wire.Statistics{}
	for _, d := range days {
		day := wire.DayStatistics{Day: d.Day, SignUps: int(d.SignUps), SignIns: int(d.SignIns), Failures: int(d.Failures), ActiveUsers: int(d.ActiveUsers)}
		s.Days = append(s.Days, &day)
		s.SignUps += day.SignUps
		s.SignIns += day.SignIns
		s.Failures += day.Failures
		s.MostActiveUsers = max(s.MostActiveUsers, day.ActiveUsers)
	}
	return s, nil
}
