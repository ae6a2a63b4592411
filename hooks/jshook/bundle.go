package jshook

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// A script that requires packages, or is an ECMAScript module, is made ready by a process of its own:
// what parses strangers' text does not do so in the server.

// bundleJob is what that process is asked.
type bundleJob struct {
	Source string `json:"source"`
	Dir    string `json:"dir"` // of the packages; empty when there are none
}

// bundled is what it answers.
type bundled struct {
	Source  string            `json:"source"` // CommonJS
	Lines   []int             `json:"lines"`  // of the original, by the lines of Source; empty when they are the same
	Modules map[string]string `json:"modules"`
	Problem string            `json:"problem,omitempty"` // why it could not be read; the engine may think otherwise
}

// bundlerFiles is how many files the process may have open: packages are read in parallel.
const bundlerFiles = 256

// bundleOnce is the life of that process.
func bundleOnce(in io.Reader, out io.Writer, memory uint64) error {
	if err := confine(memory, bundlerFiles); err != nil {
		return err
	}
	var j bundleJob
	if err := readFrame(bufio.NewReader(in), maxOrder, &j); err != nil {
		return err
	}
	return writeFrame(out, bundle(j))
}

// bundle finds what a script requires and packs each package into one text. What is missing is left
// out: the script fails when it comes to require it, as it would anywhere else.
func bundle(j bundleJob) bundled {
	b := bundled{Source: j.Source, Modules: map[string]string{}}
	names := b.scan()
	if j.Dir == "" {
		return b
	}
	root, err := filepath.EvalSymlinks(j.Dir)
	if err != nil {
		return b
	}
	for _, name := range names {
		if code, err := pack(root, name); err == nil {
			b.Modules[name] = code
		}
	}
	return b
}

// scan collects the names that a script requires, and writes an ECMAScript module as CommonJS. A
// script that is no JavaScript stays as it is: the engine will say what is wrong.
func (b *bundled) scan() []string {
	var names []string
	collect := api.Plugin{Name: "collect", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{}, nil
			}
			if !slices.Contains(names, a.Path) {
				names = append(names, a.Path)
			}
			return api.OnResolveResult{Path: a.Path, External: true}, nil
		})
	}}
	// Plugins are asked from several goroutines, but for one file from one.
	o := options()
	o.Stdin = &api.StdinOptions{Contents: b.Source, Sourcefile: scriptName}
	o.Plugins = []api.Plugin{collect}
	o.Metafile = true
	o.Sourcemap = api.SourceMapExternal
	o.Outfile = "out.js"
	r := api.Build(o)
	b.Problem = problemOf(r.Errors)
	var meta struct {
		Inputs map[string]struct{ Format string }
	}
	if len(r.Errors) > 0 || json.Unmarshal([]byte(r.Metafile), &meta) != nil || meta.Inputs[scriptName].Format != "esm" {
		return names
	}
	for _, f := range r.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			b.Lines = sourceLines(f.Contents)
		} else {
			b.Source = string(f.Contents)
		}
	}
	return names
}

// problemOf is the first error in the words of the engine.
func problemOf(errors []api.Message) string {
	if len(errors) == 0 {
		return ""
	}
	first := errors[0]
	if first.Location == nil {
		return first.Text
	}
	return first.Text + " (" + scriptName + ":" + strconv.Itoa(first.Location.Line) + ":" + strconv.Itoa(first.Location.Column+1) + ")"
}

func options() api.BuildOptions {
	return api.BuildOptions{
		Bundle: true, Write: false, Format: api.FormatCommonJS, Platform: api.PlatformNode, Target: api.ES2023,
		LogLevel: api.LogLevelSilent, LegalComments: api.LegalCommentsNone, MainFields: []string{"main", "module"},
		Define: map[string]string{"process.env.NODE_ENV": `"production"`},
	}
}

// packageName is the name of a package with an optional version and an optional path in it.
var packageName = regexp.MustCompile(`^((?:@[A-Za-z0-9_.-]+/)?[A-Za-z0-9_][A-Za-z0-9_.-]*)(?:@[^/]*)?((?:/[A-Za-z0-9_.-]+)*/?)$`)

// withoutVersion turns "ipaddr.js@1.9.0" into "ipaddr.js".
func withoutVersion(name string) (string, bool) {
	m := packageName.FindStringSubmatch(name)
	if m == nil || strings.Contains(m[2], "..") {
		return "", false
	}
	return m[1] + m[2], true
}

var errNoPackage = errors.New("there is no such package")

// pack writes a package and all that it requires as one CommonJS module. Nothing outside the folder is
// read.
func pack(root, name string) (string, error) {
	clean, ok := withoutVersion(name)
	if !ok {
		return "", errNoPackage
	}
	base := root
	if info, err := os.Stat(filepath.Join(root, "node_modules")); err == nil && info.IsDir() {
		base = filepath.Join(root, "node_modules")
	}
	o := options()
	o.Stdin = &api.StdinOptions{Contents: "module.exports = require(" + encode("./"+clean) + ")", ResolveDir: base, Sourcefile: "entry.js"}
	o.Plugins = []api.Plugin{{Name: "inside", Setup: func(build api.PluginBuild) {
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			path, err := filepath.EvalSymlinks(a.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			if in, err := filepath.Rel(root, path); err != nil || in == ".." || strings.HasPrefix(in, ".."+string(filepath.Separator)) {
				return api.OnLoadResult{}, errNoPackage
			}
			return api.OnLoadResult{}, nil
		})
	}}}
	r := api.Build(o)
	if len(r.Errors) > 0 || len(r.OutputFiles) != 1 {
		return "", errNoPackage
	}
	return string(r.OutputFiles[0].Contents), nil
}

// sourceLines reads from a source map which line of the original each line was made of.
func sourceLines(sourceMap []byte) []int {
	var m struct{ Mappings string }
	if err := json.Unmarshal(sourceMap, &m); err != nil {
		return nil
	}
	var lines []int
	line := 0 // of the original; each number counts from the one before
	for group := range strings.SplitSeq(m.Mappings, ";") {
		first := 0
		for segment := range strings.SplitSeq(group, ",") {
			numbers := decodeVLQ(segment)
			if len(numbers) < 4 {
				continue
			}
			line += numbers[2]
			if first == 0 {
				first = line + 1
			}
		}
		lines = append(lines, first)
	}
	return lines
}

// decodeVLQ reads the numbers of one segment of a source map.
func decodeVLQ(s string) []int {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	var numbers []int
	value, shift := 0, 0
	for _, c := range s {
		d := strings.IndexRune(digits, c)
		if d < 0 || shift > 30 {
			return nil
		}
		value |= d & 31 << shift
		if shift += 5; d&32 != 0 {
			continue
		}
		n := value >> 1
		if value&1 != 0 {
			n = -n
		}
		numbers = append(numbers, n)
		value, shift = 0, 0
	}
	return numbers
}
