package graph

import (
	"testing"

	"postern/auth"
)

// TestEveryRefusalHasWords: none is empty, and none that operators meet is a bare code.
func TestEveryRefusalHasWords(t *testing.T) {
	t.Parallel()
	for _, code := range auth.Codes() {
		if words(code, code) == "" {
			t.Errorf("%s says nothing", code)
		}
	}
	for code := range statuses {
		if text := refusals[code]; text == "" {
			t.Errorf("%s has a status and no words", code)
		}
	}
}
