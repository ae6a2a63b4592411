package jsonata

import (
	"testing"

	"postern/claims/jsonata/gnata"
)

// A function of the engine that is in no row would be refused as unknown; one that is in a row and not in
// the engine would be accepted and fail.
func TestBuiltinsAreClassified(t *testing.T) {
	t.Parallel()
	rows := builtins()
	for _, name := range gnata.Builtins() {
		if _, ok := rows[name]; !ok {
			t.Errorf("$%s of the engine has no row", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("$%s has a row, but the engine lacks it", name)
	}
	if len(gnata.Builtins()) < 60 {
		t.Error("the engine tells too few functions")
	}
}
