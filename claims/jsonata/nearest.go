package jsonata

import (
	"maps"
	"slices"
	"strings"

	"github.com/blues/jsonata-go/jparse"

	"postern/spelling"
)

// nearest is the function that somebody probably meant, with its dollar sign, or nothing.
func (in *interpreter) nearest(name string) string {
	word := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	best, least := "", max(1, len(word)/3)+1
	for _, known := range slices.Sorted(maps.Keys(in.rows)) {
		other := strings.ToLower(known)
		d := spelling.Distance(word, other)
		if len(word) >= 4 && strings.HasPrefix(other, word) {
			d = min(d, 1)
		}
		if d < least {
			best, least = "$"+known, d
		}
	}
	return best
}

// meantBy is the function that a name without a dollar sign means, or nothing.
func (in *interpreter) meantBy(node jparse.Node) string {
	if path, ok := node.(*jparse.PathNode); ok && len(path.Steps) > 0 {
		node = path.Steps[len(path.Steps)-1]
	}
	if name, ok := node.(*jparse.NameNode); ok {
		return in.nearest(name.Value)
	}
	return ""
}
