package graph

import (
	"postern/flow"
	"postern/graph/wire"
)

// pageInfo says where a page lies in its list.
func pageInfo[T any](p flow.Page[T]) *wire.PageInfo {
	info := &wire.PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious}
	if n := len(p.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &p.Cursors[0], &p.Cursors[n-1]
	}
	return info
}
