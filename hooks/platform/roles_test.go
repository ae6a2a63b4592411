package platform

import (
	"strings"
	"testing"
)

func TestRolesThatSomebodyCanHave(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"editor": true, "_own": true, "team:42/read.only-1": true, "Ärztin": true, strings.Repeat("ä", 100): true,
		"": false, "-x": false, "a b": false, "a\n": false, "a\xff": false, "a'": false, strings.Repeat("a", 101): false,
	} {
		if got := validRole(name); got != want {
			t.Errorf("%q can be had: %t", name, got)
		}
	}
}
