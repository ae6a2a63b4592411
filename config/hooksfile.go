package config

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of a file of hooks. A parser of YAML takes a time that grows with the square of the depth, and
// a few lines of aliases stand for more than any memory holds.
const (
	maxHooksFile  = 64 << 10
	maxHooksDepth = 32
	maxHooksNodes = 10_000 // with every alias written out
)

// hooksFile reads a file of hooks. Its name says whether it is TOML or YAML. Errors repeat nothing of what
// stands in it, since it may have secrets in it.
func hooksFile(name string, read func(string) ([]byte, error)) (map[string]any, error) {
	var parse func(string) (map[string]any, error)
	switch strings.ToLower(path.Ext(name)) {
	case ".toml":
		parse = parseTOML
	case ".yaml", ".yml":
		parse = parseYAML
	default:
		return nil, errors.New("names a file whose name does not end in .toml, .yaml or .yml")
	}
	text, err := read(name)
	if err != nil {
		return nil, errors.New("names a file that cannot be read")
	}
	if len(text) > maxHooksFile {
		return nil, fmt.Errorf("names a file that is longer than %d KiB", maxHooksFile>>10)
	}
	all, err := parse(strings.TrimPrefix(string(text), "\ufeff"))
	if err != nil {
		return nil, fmt.Errorf("names a file that is wrong: %w", err)
	}
	return all, nil
}

func parseTOML(text string) (map[string]any, error) {
	var all map[string]any
	_, err := toml.Decode(text, &all)
	var wrong toml.ParseError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("line %d is no TOML", wrong.Position.Line)
	case err != nil:
		return nil, errors.New("it is no TOML")
	}
	return all, nil
}

func parseYAML(text string) (map[string]any, error) {
	if tooDeep(text) {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxHooksDepth)
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, noYAML(err)
	}
	if len(file.Docs) > 1 {
		return nil, errors.New("it has more than one document")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	body := file.Docs[0].Body
	if s := (&scales{anchors: map[string]int{}}); s.weigh(body, 0) > maxHooksNodes {
		return nil, fmt.Errorf("it stands for more than %d values, or for deeper ones than %d levels", maxHooksNodes, maxHooksDepth)
	}
	var all any
	if err := yaml.NodeToValue(body, &all); err != nil {
		return nil, noYAML(err)
	}
	table, ok := all.(map[string]any)
	if !ok && all != nil {
		return nil, errors.New("it is no mapping")
	}
	return table, nil
}

// noYAML says where a file is wrong. The library's own words repeat the lines.
func noYAML(err error) error {
	var wrong yaml.Error
	if errors.As(err, &wrong) && wrong.GetToken() != nil && wrong.GetToken().Position != nil {
		return fmt.Errorf("line %d is no YAML", wrong.GetToken().Position.Line)
	}
	return errors.New("it is no YAML")
}

// tooDeep looks at the nesting that needs no indentation before the text is parsed.
func tooDeep(text string) bool {
	flow, entries, line := 0, 0, 0
	for _, t := range lexer.Tokenize(text) {
		if t.Position != nil && t.Position.Line != line {
			entries, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			entries++
		default:
		}
		if flow > maxHooksDepth || entries > maxHooksDepth {
			return true
		}
	}
	return false
}

// scales count the values that a document stands for, with every alias written out.
type scales struct{ anchors map[string]int }

// weigh counts a node. What is too much of any kind weighs more than is allowed.
func (s *scales) weigh(node ast.Node, depth int) int {
	if depth > maxHooksDepth {
		return maxHooksNodes + 1
	}
	sum := 1
	add := func(n ast.Node) {
		if n != nil && sum <= maxHooksNodes {
			sum += s.weigh(n, depth+1)
		}
	}
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			add(v)
		}
	case *ast.MappingValueNode:
		add(n.Key)
		add(n.Value)
	case *ast.MappingKeyNode:
		add(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			add(v)
		}
	case *ast.TagNode:
		add(n.Value)
	case *ast.AnchorNode:
		add(n.Value)
		name := nameOf(n.Name)
		s.anchors[name] = max(s.anchors[name], sum)
	case *ast.AliasNode:
		sum += s.anchors[nameOf(n.Value)]
	}
	return min(sum, maxHooksNodes+1)
}

func nameOf(node ast.Node) string {
	if node == nil || node.GetToken() == nil {
		return ""
	}
	return node.GetToken().Value
}

// within finds a table inside tables; one that is not there is nil.
func within(all map[string]any, names ...string) (map[string]any, error) {
	for _, name := range names {
		inner, there := all[name]
		if !there || inner == nil {
			return nil, nil
		}
		table, ok := inner.(map[string]any)
		if !ok {
			return nil, errors.New(name + " is no table")
		}
		all = table
	}
	return all, nil
}
