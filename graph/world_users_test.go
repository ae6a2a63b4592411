package graph_test

import "testing"

// users furnishes the world with people to be found.
func (w *world) users(testing.TB) {
	w.samples["Query.user.id"] = w.jane
}
