package flow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/store"
)

// User finds a user. Nobody of the id is auth.NotFound.
func (f *Admin) User(ctx context.Context, by Operator, id string) (store.UserRecord, error) {
	if err := by.mayRead(); err != nil {
		return store.UserRecord{}, err
	}
	u, err := f.Store.UserRecord(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: user %s", auth.NotFound, id)
	}
	return u, err
}

// The most that a filter of users may say.
const (
	mostIDs        = 100
	mostFilterText = 100 // characters: as many of a name as there are in its index
)

// Users lists users.
func (f *Admin) Users(ctx context.Context, by Operator, filter store.UserFilter, order store.UserOrder, p Paging) (Page[store.FoundUser], error) {
	if err := by.mayRead(); err != nil {
		return Page[store.FoundUser]{}, err
	}
	if err := checkFilter(filter); err != nil {
		return Page[store.FoundUser]{}, err
	}
	l, err := f.listing(p, "users", filter, order)
	if err != nil {
		return Page[store.FoundUser]{}, err
	}
	found, err := f.Store.FindUsers(ctx, filter, order, l.slice, f.Now())
	if err != nil {
		return Page[store.FoundUser]{}, err
	}
	return page(l, found, func(u store.FoundUser) []string { return u.Key(order) })
}

// CountUsers tells how many users a filter lets through: exactly, or as the database expects.
func (f *Admin) CountUsers(ctx context.Context, by Operator, filter store.UserFilter, exactly bool) (int64, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	if err := checkFilter(filter); err != nil {
		return 0, err
	}
	if exactly {
		return f.Store.CountUsers(ctx, filter, f.Now())
	}
	return f.Store.EstimateUsers(ctx, filter, f.Now())
}

// checkFilter refuses a filter that the database could not take, or would work too long on.
func checkFilter(f store.UserFilter) error {
	if len(f.IDs) > mostIDs {
		return auth.Invalid{Field: "where.ids", Problem: fmt.Sprintf("must be %d ids at most", mostIDs)}
	}
	var whole *string // an address, which may be longer than what is looked for by its beginning
	if f.Email != nil {
		whole = f.Email.Equals
	}
	texts := map[string]*string{"role": f.Role, "defaultRole": f.DefaultRole, "provider": f.Provider}
	for name, t := range map[string]*store.TextFilter{"email": f.Email, "phoneNumber": f.PhoneNumber, "displayName": f.DisplayName} {
		if t != nil {
			texts[name+".equals"], texts[name+".startsWith"] = t.Equals, t.StartsWith
		}
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if t := texts[name]; t != nil && (utf8.RuneCountInString(*t) > mostFilterText && texts[name] != whole || len(*t) > 1000 || strings.ContainsRune(*t, 0)) {
			return auth.Invalid{Field: "where." + name, Problem: fmt.Sprintf("must be a text of %d characters at most, without the character zero", mostFilterText)}
		}
	}
	if bytes.Contains(f.Metadata, []byte(`\u0000`)) {
		return auth.Invalid{Field: "where.metadata", Problem: "must not contain the character zero"}
	}
	return nil
}
