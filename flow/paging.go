package flow

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

const (
	defaultPage = 50  // items of a list when nobody says how many
	mostOfPage  = 100 // items of a list at once
)

// Paging asks for a part of a list, as the connections of Relay do: the first so many after a place, or
// the last so many before one. Places are cursors of earlier pages.
type Paging struct {
	First, Last   *int
	After, Before *string
}

// Page is a part of a list.
type Page[T any] struct {
	Items       []T
	Cursors     []string // the place of each item
	HasNext     bool
	HasPrevious bool
}

// A listing is one list in one order and under one filter. Its cursors are good for it alone: they are
// sealed for it.
type listing struct {
	keys    *tokens.Keyring
	purpose string
	slice   store.Slice
}

// listing reads what part of a list is asked for. The list is its name and whatever the items and their
// order depend on.
func (k *Kit) listing(p Paging, list ...any) (listing, error) {
	id, err := json.Marshal(list)
	if err != nil {
		return listing{}, err
	}
	l := listing{keys: k.Keys, purpose: "cursor of " + string(id)}
	switch {
	case p.First != nil && p.Last != nil:
		return l, auth.Invalid{Field: "last", Problem: "cannot be given together with first"}
	case p.Last != nil:
		l.slice.Backward = true
		l.slice.Most, err = pageSize("last", *p.Last)
	case p.First != nil:
		l.slice.Most, err = pageSize("first", *p.First)
	default:
		l.slice.Most = defaultPage
	}
	if err != nil {
		return l, err
	}
	if l.slice.After, err = l.place("after", p.After); err != nil {
		return l, err
	}
	l.slice.Before, err = l.place("before", p.Before)
	return l, err
}

func pageSize(field string, n int) (int, error) {
	if n < 1 || n > mostOfPage {
		return 0, auth.Invalid{Field: field, Problem: fmt.Sprintf("must be a number from 1 to %d", mostOfPage)}
	}
	return n, nil
}

// place reads a cursor.
func (l listing) place(field string, cursor *string) ([]string, error) {
	if cursor == nil {
		return nil, nil
	}
	wrong := auth.Invalid{Field: field, Problem: "must be a cursor of this list, with the same filter and order"}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil {
		return nil, wrong
	}
	place, err := l.keys.Open(l.purpose, sealed)
	if err != nil {
		return nil, wrong
	}
	var key []string
	if err := json.Unmarshal(place, &key); err != nil {
		return nil, wrong
	}
	return key, nil
}

// cursor is the place of the item that has the key.
func (l listing) cursor(key []string) (string, error) {
	place, err := json.Marshal(key)
	if err != nil {
		return "", err
	}
	sealed, err := l.keys.Seal(l.purpose, place)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// page makes a page of what the store found: one item more than asked for, if there is one. The key of
// an item is its place in the order, its id last.
func page[T any](l listing, found []T, key func(T) []string) (Page[T], error) {
	more := len(found) > l.slice.Most
	if more && l.slice.Backward {
		found = found[1:]
	} else if more {
		found = found[:l.slice.Most]
	}
	p := Page[T]{Items: found, HasNext: more, HasPrevious: l.slice.After != nil}
	if l.slice.Backward {
		p.HasNext, p.HasPrevious = l.slice.Before != nil, more
	}
	for _, item := range found {
		c, err := l.cursor(key(item))
		if err != nil {
			return Page[T]{}, err
		}
		p.Cursors = append(p.Cursors, c)
	}
	return p, nil
}
