package spelling_test

import (
	"testing"

	"postern/spelling"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abcd", "acbd", 1},
		{"kitten", "sitting", 3},
		{"AUTH_PROT", "AUTH_PORT", 1},
		{"a", "", 1},
		{"profile", "profiles", 1},
	}
	for _, tt := range tests {
		if got := spelling.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("from %q to %q it is %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := spelling.Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("from %q to %q it is %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
