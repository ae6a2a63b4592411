package gnata_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/claims/jsonata/gnata"
)

// suiteCase is a case of the official suite.
type suiteCase struct {
	Expr       string          `json:"expr"`
	ExprFile   string          `json:"expr-file"`
	Data       json.RawMessage `json:"data"`
	Dataset    *string         `json:"dataset"`
	Bindings   map[string]any  `json:"bindings"`
	Result     any             `json:"result"`
	Undefined  bool            `json:"undefinedResult"`
	Unordered  bool            `json:"unordered"`
	Code       string          `json:"code"`
	Error      map[string]any  `json:"error"`
	where, dir string
}

// TestSuite runs the official suite of JSONata. Its folder is named by POSTERN_JSONATA_SUITE:
// test/test-suite of github.com/jsonata-js/jsonata, tag v2.2.2. What goes over the limits of claims is
// run again without them, and counted.
func TestSuite(t *testing.T) {
	t.Parallel()
	suite := os.Getenv("POSTERN_JSONATA_SUITE")
	if suite == "" {
		t.Skip("POSTERN_JSONATA_SUITE does not name the folder of the official suite: its 1,686 cases are not run")
	}
	cases := readSuite(t, suite)
	strict, lenient, limited := 0, 0, 0
	for _, c := range cases {
		exactly, passes, what := c.run(t, suite, limits())
		if !passes {
			var over bool
			if exactly, over, _ = c.run(t, suite, wide()); over {
				t.Logf("%s: %.100q: only without limits: %s", c.where, c.Expr, what)
				limited++
				passes = true
			}
		}
		if exactly {
			strict++
		}
		if passes {
			lenient++
			continue
		}
		t.Logf("%s: %.100q: %s", c.where, c.Expr, what)
	}
	t.Logf("%d cases: %d pass, %d of them only without limits, %d with the very error code", len(cases), lenient, limited, strict)
	if len(cases) != 1686 || lenient < 1681 || limited > 4 {
		t.Errorf("%d of %d cases pass, %d without limits; want 1681 of 1686, 4 without limits", lenient, len(cases), limited)
	}
}

func readSuite(t *testing.T, suite string) (all []suiteCase) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(suite, "groups", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if raw[0] != '[' {
			raw = slices.Concat([]byte("["), raw, []byte("]"))
		}
		var cases []suiteCase
		if err := json.Unmarshal(raw, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			c.dir = filepath.Dir(file)
			c.where, _ = filepath.Rel(suite, file)
			if c.ExprFile != "" {
				text, err := os.ReadFile(filepath.Join(c.dir, c.ExprFile))
				if err != nil {
					t.Fatal(err)
				}
				c.Expr = string(text)
			}
			all = append(all, c)
		}
	}
	return all
}

// run says whether a case passes: exactly, or with another error than the one that is wanted.
func (c suiteCase) run(t *testing.T, suite string, limits gnata.Limits) (exactly, passes bool, what string) {
	t.Helper()
	raw := c.Data
	if c.Dataset != nil {
		var err error
		if raw, err = os.ReadFile(filepath.Join(suite, "datasets", *c.Dataset+".json")); err != nil {
			t.Fatal(err)
		}
	}
	var data any
	if len(raw) > 0 && string(raw) != "null" {
		var err error
		if data, err = gnata.DecodeJSON(raw); err != nil {
			t.Fatal(err)
		}
	}
	code := c.Code
	if code == "" && c.Error != nil {
		code, _ = c.Error["code"].(string)
	}
	wantsError := c.Code != "" || c.Error != nil
	e, err := gnata.Compile(c.Expr)
	var got any
	if err == nil {
		got, err = e.Eval(t.Context(), limits, data, c.Bindings)
	}
	switch {
	case err != nil:
		return wantsError && strings.Contains(err.Error(), code), wantsError, err.Error()
	case wantsError:
		return false, false, "no error, but a value"
	case c.Undefined:
		return got == nil, got == nil, "a value, where none is wanted"
	case c.Unordered:
		ok := sameSet(got, c.Result)
		return ok, ok, "another value"
	}
	ok := gnata.DeepEqual(plain(t, got), c.Result)
	return ok, ok, "another value"
}

// limits are those of claims, with time for busy machines.
func limits() gnata.Limits {
	return gnata.Limits{Time: time.Minute, Steps: 1_000_000, Bytes: 16 << 20, Text: 1 << 20, Nested: 5_000, Depth: 100, Range: 10_000}
}

func wide() gnata.Limits {
	return gnata.Limits{Time: time.Minute, Steps: 1 << 30, Bytes: 1 << 40, Text: 1 << 30, Nested: 5_000, Depth: 100, Range: 1 << 30}
}

func plain(t *testing.T, v any) any {
	t.Helper()
	if v == nil || gnata.IsNull(v) {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var back any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func sameSet(a, b any) bool {
	x, ok := a.([]any)
	y, isList := b.([]any)
	if !ok || !isList {
		return gnata.DeepEqual(a, b)
	}
	rest := slices.Clone(y)
	for _, v := range x {
		i := slices.IndexFunc(rest, func(w any) bool { return gnata.DeepEqual(v, w) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return len(rest) == 0
}
