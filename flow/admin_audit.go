package flow

import (
	"context"
	"time"

	"postern/auth"
	"postern/events"
	"postern/store"
)

const (
	mostAuditFilters = 50     // events that may be asked for at once
	mostAuditCounted = 10_000 // entries that are counted; more are as many
	mostDays         = 1098   // of statistics: three years
)

// AuditFilter says which entries of the audit log are meant.
type AuditFilter struct {
	UserID, ActorID, SessionID string
	Events                     []string // by name, or a beginning with a star
	Since, Until               time.Time
}

// asked is the filter as the store has it.
func (q AuditFilter) asked() (store.AuditAsked, error) {
	a := store.AuditAsked{UserID: q.UserID, ActorID: q.ActorID, SessionID: q.SessionID, Since: q.Since, Until: q.Until}
	if len(q.Events) > mostAuditFilters {
		return a, auth.Invalid{Field: "events", Problem: "must not name more than 50"}
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return a, auth.Invalid{Field: "until", Problem: "must be later than since"}
	}
	for _, filter := range q.Events {
		names := events.Matching(filter)
		if len(names) == 0 {
			return a, auth.Invalid{Field: "events", Problem: "must name events of the audit log, such as session.started, or begin like some, such as session.*"}
		}
		for _, name := range names {
			a.Events = with(a.Events, name)
		}
	}
	return a, nil
}

// AuditEntries lists entries of the audit log, the newest first.
func (f *Admin) AuditEntries(ctx context.Context, by Operator, q AuditFilter, p Paging) (Page[store.AuditEntry], error) {
	if err := by.mayRead(); err != nil {
		return Page[store.AuditEntry]{}, err
	}
	asked, err := q.asked()
	if err != nil {
		return Page[store.AuditEntry]{}, err
	}
	l, err := f.listing(p, "auditEntries", asked)
	if err != nil {
		return Page[store.AuditEntry]{}, err
	}
	found, err := f.Store.ListAudit(ctx, asked, l.slice)
	if err != nil {
		return Page[store.AuditEntry]{}, err
	}
	return page(l, found, store.AuditEntry.Key)
}

// CountAuditEntries counts entries, up to ten thousand.
func (f *Admin) CountAuditEntries(ctx context.Context, by Operator, q AuditFilter) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	asked, err := q.asked()
	if err != nil {
		return 0, err
	}
	return f.Store.CountAudit(ctx, asked, mostAuditCounted)
}

// AuditOfUsers lists the newest entries about each of several users.
func (f *Admin) AuditOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.AuditEntry, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.AuditOfUsers(ctx, userIDs, most)
}

// Statistics tells what happened on each day from one to another, both included; without the second, until today.
func (f *Admin) Statistics(ctx context.Context, by Operator, from, to time.Time) ([]store.Day, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	if to.IsZero() {
		to = f.Now()
	}
	from, to = dayOf(from), dayOf(to)
	switch {
	case from.After(to):
		return nil, auth.Invalid{Field: "from", Problem: "must not be later than to"}
	case to.Sub(from) >= mostDays*24*time.Hour:
		return nil, auth.Invalid{Field: "from", Problem: "must not be more than 1,098 days before to"}
	}
	found, err := f.Store.DaysBetween(ctx, from, to)
	if err != nil {
		return nil, err
	}
	known := make(map[string]store.Day, len(found))
	for _, d := range found {
		known[d.Day] = d
	}
	var days []store.Day
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		d := known[day.Format(time.DateOnly)]
		d.Day = day.Format(time.DateOnly)
		days = append(days, d)
	}
	return days, nil
}

// dayOf is the beginning of a moment's day, in UTC.
func dayOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
