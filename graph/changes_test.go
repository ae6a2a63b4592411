package graph_test

import "maps"

// changes are the uses of every mutation. Together they have every member of every input. Each area has a
// file of its own: changes_<area>_test.go.
func (w *world) changes() map[string][]change {
	all := map[string][]change{}
	for _, area := range []func() map[string][]change{w.accounts, w.serviceChanges, w.credentialChanges, w.roleChanges} {
		maps.Copy(all, area())
	}
	return all
}
