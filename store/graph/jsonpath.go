package graph

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// jsonPath reads a path such as $.a.b[0]["c d"] into its steps.
func jsonPath(s string) ([]string, error) {
	rest := strings.TrimPrefix(s, "$")
	var steps []string
	for first := true; rest != ""; first = false {
		switch {
		case rest[0] == '[':
			step, after, err := bracket(rest[1:])
			if err != nil {
				return nil, err
			}
			steps, rest = append(steps, step), after
		case rest[0] == '.' || first && rest == s:
			name := strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(name, ".[")
			if end < 0 {
				end = len(name)
			}
			if end == 0 || strings.ContainsAny(name[:end], "]\"' ") {
				return nil, fmt.Errorf("a name is missing in %q", s)
			}
			steps, rest = append(steps, name[:end]), name[end:]
		default:
			return nil, fmt.Errorf("%q is neither a name nor an index", rest)
		}
	}
	return steps, nil
}

// bracket reads what stands between brackets: an index, or a key in quotes.
func bracket(s string) (step, after string, err error) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && i+1 < len(s):
				i++
				step += s[i : i+1]
			case s[i] == s[0]:
				if !strings.HasPrefix(s[i+1:], "]") {
					return "", "", errors.New("a bracket is not closed")
				}
				return step, s[i+2:], nil
			default:
				step += s[i : i+1]
			}
		}
		return "", "", errors.New("a quote is not closed")
	}
	step, after, ok := strings.Cut(s, "]")
	if n, err := strconv.Atoi(step); !ok || err != nil || n < 0 {
		return "", "", errors.New("a bracket holds an index, or a key in quotes")
	}
	return step, after, nil
}
