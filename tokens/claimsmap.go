package tokens

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mapping is an entry of claims_map that tells Hasura to look for a claim at a path. A token is
// written so that it is there. Entries that are literals need nothing of a token.
//
// The object under the namespace is written all the same: Hasura does not look at it any more, but
// the client libraries and our own doors do.
type mapping struct {
	claim string // in lower case
	path  []string
}

// readClaimsMap checks the member claims_map by Hasura's rules and keeps the paths.
func (s *secret) readClaimsMap() error {
	raw, ok := s.members["claims_map"]
	if !ok {
		return nil
	}
	var entries map[string]jsontext.Value
	if err := json.Unmarshal(raw, &entries); err != nil {
		return errors.New("member claims_map must be an object from claim to literal or path" + jsonProblem(err))
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		claim := strings.ToLower(name)
		if !strings.HasPrefix(claim, claimPrefix) {
			return fmt.Errorf("member claims_map has %.60q, which is not a claim: claims begin with %s", name, claimPrefix)
		}
		if seen[claim] {
			return fmt.Errorf("member claims_map has %s twice: case makes no difference to Hasura", claim)
		}
		seen[claim] = true
		path, err := mappingPath(claim, entries[name])
		if err != nil {
			return fmt.Errorf("member claims_map, %s: %w", claim, err)
		}
		if path == nil {
			continue
		}
		write, err := s.mappingNeedsWriting(path)
		if err != nil {
			return fmt.Errorf("member claims_map, %s: %w", claim, err)
		}
		if write {
			s.mappings = append(s.mappings, mapping{claim: claim, path: path})
		}
	}
	for _, must := range []string{claimRoles, claimDefaultRole} {
		if !seen[must] {
			return fmt.Errorf("member claims_map must have %s: Hasura refuses tokens without", must)
		}
	}
	return nestingProblem(s.mappings)
}

// mappingPath reads one entry. The path is nil for a literal.
func mappingPath(claim string, raw jsontext.Value) ([]string, error) {
	var list []string
	var text string
	switch raw.Kind() {
	case '"':
		if claim == claimRoles {
			return nil, errors.New("a literal must be a list of strings")
		}
		return nil, json.Unmarshal(raw, &text)
	case '[':
		if err := json.Unmarshal(raw, &list); err != nil || claim != claimRoles || len(list) == 0 {
			return nil, errors.New("only the allowed roles may be a list, and it must hold strings")
		}
		return nil, nil
	case '{':
	default:
		return nil, errors.New(`must be a string or an object such as {"path":"$.user.id"}`)
	}
	var entry struct {
		Path    string         `json:"path"`
		Default jsontext.Value `json:"default"`
	}
	if err := json.Unmarshal(raw, &entry, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("must have the member path, a string, and may have the member default")
	}
	if len(entry.Default) > 0 {
		var err error
		if claim == claimRoles {
			err = json.Unmarshal(entry.Default, &list)
		} else {
			err = json.Unmarshal(entry.Default, &text)
		}
		if err != nil {
			return nil, errors.New("default must be a string, for the allowed roles a list of strings")
		}
	} else if claim == claimElevated {
		return nil, errors.New("needs a default: most tokens are not elevated and Hasura would refuse them")
	}
	path, err := parsePath(entry.Path)
	if err == nil && len(path) == 0 {
		err = errors.New("the path must lead below $")
	}
	return path, err
}

// mappingNeedsWriting says whether a token has to be given a value at the path, or has one there
// anyway.
func (s *secret) mappingNeedsWriting(path []string) (bool, error) {
	if slices.Contains(registered, path[0]) {
		switch {
		case len(path) == 1 && (path[0] == "sub" || path[0] == "iss" || path[0] == sessionClaim):
			return false, nil
		default:
			return false, fmt.Errorf("nothing Hasura could use can stand at %s: every token has a claim of that name", pathText(path))
		}
	}
	if len(s.namespace) == 0 {
		inside := strings.HasPrefix(strings.ToLower(path[0]), claimPrefix)
		if inside && len(path) > 1 {
			return false, fmt.Errorf("%s runs into a claim", pathText(path))
		}
		return !inside, nil
	}
	if !hasPrefix(path, s.namespace) && !hasPrefix(s.namespace, path) {
		return true, nil
	}
	if s.stringified || len(path) != len(s.namespace)+1 {
		return false, fmt.Errorf("%s runs into the claims namespace", pathText(path))
	}
	return false, nil
}

// nestingProblem finds a path that leads through the value of another.
func nestingProblem(mappings []mapping) error {
	for i, a := range mappings {
		for j, b := range mappings {
			if i != j && (len(a.path) < len(b.path) && hasPrefix(b.path, a.path) || i < j && slices.Equal(a.path, b.path)) {
				return fmt.Errorf("member claims_map: %s and %s cannot both be written, their paths meet at %s", a.claim, b.claim, pathText(a.path))
			}
		}
	}
	return nil
}

func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func pathText(path []string) string { return "$." + strings.Join(path, ".") }

// parsePath reads a JSON path of member names: $, $.a.b, $['a b'].c. Indexes are refused, since a
// token's claims are members and never items.
func parsePath(text string) ([]string, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, errors.New("must be a JSON path that begins with $")
	}
	path := []string{}
	for rest != "" {
		var name string
		switch {
		case strings.HasPrefix(rest, "."):
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			name, rest = rest[:end], rest[end:]
		case strings.HasPrefix(rest, "['") || strings.HasPrefix(rest, `["`):
			var found bool
			name, rest, found = strings.Cut(rest[2:], rest[1:2]+"]")
			if !found {
				return nil, errors.New("has a bracket that is not closed")
			}
		default:
			return nil, errors.New("may only name members, as in $.a.b or $['a b']")
		}
		if name == "" || strings.ContainsAny(name, "*?\x00") {
			return nil, errors.New("may only name members, as in $.a.b or $['a b']")
		}
		path = append(path, name)
	}
	return path, nil
}
