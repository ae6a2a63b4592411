package flow

import (
	"context"
	"errors"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// AuditPage is a page of the audit log by its number, the newest entries first.
type AuditPage struct {
	NumberedPage
	Author string   // whose entries: an id or an address; empty for anybody's
	Events []string // of these names; nil for any
}

// AuditRead is such a page.
type AuditRead struct {
	Entries []store.AuditEntry
	Names   map[string]string // the addresses of users in it, by their ids
	Total   int64             // up to ten thousand
}

// NumberedAudit gives a page of the audit log. Pages reach as far as entries are counted.
func (f *Admin) NumberedAudit(ctx context.Context, by Operator, p AuditPage) (out AuditRead, err error) {
	if err := by.mayRead(); err != nil {
		return out, err
	}
	if err := p.check(); err != nil {
		return out, err
	}
	if p.Number > mostAuditCounted/p.Size {
		return out, auth.Invalid{Field: "page", Problem: "must lie within the newest 10,000 entries"}
	}
	asked := store.AuditAsked{Events: p.Events}
	asked.UserID, err = f.author(ctx, p.Author)
	if errors.Is(err, store.ErrNotFound) || p.Events != nil && len(p.Events) == 0 {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	total, err := f.Store.CountAudit(ctx, asked, mostAuditCounted)
	if err != nil {
		return out, err
	}
	out.Total = int64(total)
	list, err := f.Store.ListAudit(ctx, asked, store.Slice{Most: p.Number * p.Size})
	if err != nil {
		return out, err
	}
	from := min((p.Number-1)*p.Size, len(list))
	out.Entries = list[from:min(from+p.Size, len(list))]
	ids := []string{}
	for _, e := range out.Entries {
		if e.UserID != "" {
			ids = with(ids, e.UserID)
		}
	}
	out.Names, err = f.Store.AddressesOf(ctx, ids)
	return out, err
}

// author is the id of the user whose entries are asked for.
func (f *Admin) author(ctx context.Context, text string) (string, error) {
	switch {
	case text == "", tokens.IsUUID(text):
		return text, nil
	case ValidEmail(text): // others are nobody's, and not all are text
		u, err := f.Store.UserByEmail(ctx, text)
		return u.ID, err
	}
	return "", auth.Invalid{Field: "query", Problem: "must name the author by their id or whole address"}
}
