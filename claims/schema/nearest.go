package schema

import (
	"slices"
	"strings"

	"postern/spelling"
)

// Nearest are the known names that a mistyped one was probably meant to be, at most three, the
// nearest first.
func Nearest(mistyped string, known []string) []string {
	type near struct {
		name     string
		distance int
	}
	var list []near
	word := fold(mistyped)
	for _, name := range known {
		other := fold(name)
		d := spelling.Distance(word, other)
		if len(word) >= 4 && (strings.HasPrefix(other, word) || strings.HasPrefix(word, other) && len(other) >= 4) {
			d = min(d, 2)
		}
		if d <= max(2, len(word)/3) && d < len(word) {
			list = append(list, near{name, d})
		}
	}
	slices.SortStableFunc(list, func(a, b near) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, n := range list[:min(3, len(list))] {
		names = append(names, n.name)
	}
	return names
}

// fold makes names equal that differ only in how words are joined: display_name and displayName.
func fold(name string) string {
	name = name[:min(len(name), 64)]
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}
