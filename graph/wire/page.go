package wire

import "sync"

// Page is the users who were found by one field of a request. Whatever belongs to them is read for all at
// once, by the first who is asked; the others wait for it.
type Page struct {
	ids []string

	mu   sync.Mutex
	read map[pageKey]any // func() (map[string]T, error)
}

// pageKey is what is read: a field, with its argument.
type pageKey struct {
	field string
	first int
}

// NewPage makes a page of users.
func NewPage(ids ...string) *Page { return &Page{ids: ids, read: map[pageKey]any{}} }

// OfPage reads what belongs to the users of a page, by their ids, once for each field and argument.
func OfPage[T any](p *Page, field string, first int, load func(ids []string) (map[string]T, error)) (map[string]T, error) {
	p.mu.Lock()
	once, ok := p.read[pageKey{field, first}].(func() (map[string]T, error))
	if !ok {
		once = sync.OnceValues(func() (map[string]T, error) { return load(p.ids) })
		p.read[pageKey{field, first}] = once
	}
	p.mu.Unlock()
	return once()
}
