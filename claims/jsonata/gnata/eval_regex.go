package gnata

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// Regex wraps Go's standard regexp (RE2) with the interface needed by gnata's
// JSONata functions ($match, $replace, $contains, $split, ~> chain operator).
// RE2 guarantees linear-time matching — no backtracking, no timeouts.
type Regex struct {
	re   *regexp.Regexp
	size int // instructions
}

// Match represents a single regex match.
type Match struct {
	Index  int
	Length int

	input    string
	re       *regexp.Regexp
	loc      []int   // submatch index pairs for this match
	allLocs  [][]int // all matches from FindAllStringSubmatchIndex
	matchIdx int     // index into allLocs for this match
}

// Group represents a capture group within a match.
type Group struct {
	Index    int
	Length   int
	Captured bool
	value    string
}

// ── Regex methods ─────────────────────────────────────────────────────────────

func (r *Regex) FindStringMatch(s string, m *Meter) (*Match, error) {
	if err := m.match(s, r.size); err != nil {
		return nil, err
	}
	allLocs := r.re.FindAllStringSubmatchIndex(s, -1)
	if len(allLocs) == 0 {
		return nil, nil
	}
	loc := allLocs[0]
	return &Match{
		Index:    loc[0],
		Length:   loc[1] - loc[0],
		input:    s,
		re:       r.re,
		loc:      loc,
		allLocs:  allLocs,
		matchIdx: 0,
	}, nil
}

func (r *Regex) MatchString(s string, m *Meter) (bool, error) {
	if err := m.match(s, r.size); err != nil {
		return false, err
	}
	return r.re.MatchString(s), nil
}

// ── Match methods ─────────────────────────────────────────────────────────────

func (m *Match) String() string {
	return m.input[m.Index : m.Index+m.Length]
}

func (m *Match) GroupCount() int {
	return len(m.loc) / 2
}

func (m *Match) GroupByNumber(i int) *Group {
	idx := i * 2
	if idx+1 >= len(m.loc) || m.loc[idx] < 0 {
		return &Group{Captured: false}
	}
	start := m.loc[idx]
	end := m.loc[idx+1]
	return &Group{
		Index:    start,
		Length:   end - start,
		Captured: true,
		value:    m.input[start:end],
	}
}

// FindNextMatch returns the next match from the pre-computed results.
// Matches are computed on the full original string (via FindAllStringSubmatchIndex)
// to preserve anchor semantics (^, $, \b).
func (m *Match) FindNextMatch() (*Match, error) {
	nextIdx := m.matchIdx + 1
	if nextIdx >= len(m.allLocs) {
		return nil, nil
	}
	loc := m.allLocs[nextIdx]
	return &Match{
		Index:    loc[0],
		Length:   loc[1] - loc[0],
		input:    m.input,
		re:       m.re,
		loc:      loc,
		allLocs:  m.allLocs,
		matchIdx: nextIdx,
	}, nil
}

// ── Group methods ─────────────────────────────────────────────────────────────

func (g *Group) String() string {
	return g.value
}

// ── Compilation ───────────────────────────────────────────────────────────────

// evalRegexCache keeps the first patterns it sees: those of the expressions, as a rule.
var (
	evalRegexCache sync.Map
	evalRegexCount atomic.Int64
)

const maxCachedPatterns = 512

// MaxPattern is the size of the biggest pattern.
const MaxPattern = 5_000

// PatternSize is about the number of instructions of a pattern, which are made in order to run it. It
// makes none, since repetitions multiply.
func PatternSize(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return patternSize(parsed), nil
}

func patternSize(re *syntax.Regexp) int {
	size := 2
	for _, sub := range re.Sub {
		size += patternSize(sub)
	}
	if re.Op == syntax.OpLiteral {
		size += len(re.Rune)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return min(size, 1<<30)
}

func re2InlineFlags(flags string) string {
	var buf strings.Builder
	if strings.ContainsRune(flags, 'i') {
		buf.WriteByte('i')
	}
	if strings.ContainsRune(flags, 'm') {
		buf.WriteByte('m')
	}
	if strings.ContainsRune(flags, 's') {
		buf.WriteByte('s')
	}
	if buf.Len() == 0 {
		return ""
	}
	return "(?" + buf.String() + ")"
}

// CachedCompileRegex compiles a regex pattern with caching using Go's standard
// regexp package (RE2 engine, guaranteed linear-time matching).
func CachedCompileRegex(pattern, flags string) (*Regex, error) {
	inlineFlags := re2InlineFlags(flags)
	key := inlineFlags + ":" + pattern
	if cached, ok := evalRegexCache.Load(key); ok {
		return cached.(*Regex), nil
	}

	r, err := compilePattern(inlineFlags + pattern)
	if err != nil {
		return nil, err
	}
	if evalRegexCount.Add(1) <= maxCachedPatterns {
		evalRegexCache.Store(key, r)
	}
	return r, nil
}

// compilePattern compiles a pattern that is not too big.
func compilePattern(pattern string) (*Regex, error) {
	size, err := PatternSize(pattern)
	if err != nil {
		return nil, err
	}
	if size > MaxPattern {
		return nil, &TooMuch{"a pattern is too big"}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return &Regex{re: re, size: size}, nil
}

// CompileLiteralRegex compiles an escaped literal string as an RE2 pattern.
func CompileLiteralRegex(literal string) (*Regex, error) {
	return compilePattern(regexp.QuoteMeta(literal))
}

// ── Chain operator (~>) with regex ────────────────────────────────────────────

// applyRegexTest implements the JSONata chain operator (~>) with a regex on the
// right-hand side. It returns the first match object (like $match with limit 1)
// when the regex matches, or nil (undefined) when it does not.
func applyRegexTest(input any, regexMap map[string]any, meter *Meter) (any, error) {
	s, ok := input.(string)
	if !ok {
		return nil, nil
	}
	pattern, _ := regexMap["pattern"].(string)
	flags, _ := regexMap["flags"].(string)
	re, err := CachedCompileRegex(pattern, flags)
	if err != nil {
		return nil, &JSONataError{Code: "D1002", Message: fmt.Sprintf("invalid regex: %v", err)}
	}
	m, err := re.FindStringMatch(s, meter)
	if err != nil {
		return nil, &JSONataError{Code: "D1002", Message: fmt.Sprintf("regex error: %v", err)}
	}
	if m == nil {
		return nil, nil
	}
	groups := make([]any, 0, m.GroupCount()-1)
	for g := 1; g < m.GroupCount(); g++ {
		grp := m.GroupByNumber(g)
		if !grp.Captured {
			groups = append(groups, "")
			continue
		}
		groups = append(groups, grp.String())
	}
	return map[string]any{
		"match":  m.String(),
		"start":  float64(utf8.RuneCountInString(s[:m.Index])),
		"end":    float64(utf8.RuneCountInString(s[:m.Index+m.Length])),
		"groups": groups,
	}, nil
}

// ── Regex parsing ─────────────────────────────────────────────────────────────

func evalRegex(raw string) map[string]any {
	if idx := strings.LastIndex(raw, "/"); idx >= 0 {
		suffix := raw[idx+1:]
		if isRegexFlags(suffix) {
			return map[string]any{"pattern": raw[:idx], "flags": suffix}
		}
	}
	return map[string]any{"pattern": raw, "flags": ""}
}

func isRegexFlags(s string) bool {
	for _, c := range s {
		switch c {
		case 'g', 'i', 'm', 'x', 's', 'u':
		default:
			return false
		}
	}
	return true
}
