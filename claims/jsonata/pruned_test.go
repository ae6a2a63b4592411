package jsonata_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/claims/jsonata"
)

// prune leaves of a document what the fields say is read, and a name for what is counted.
func prune(document any, fields ...*jsonata.Field) any {
	switch v := document.(type) {
	case []any:
		all := make([]any, len(v))
		for i, element := range v {
			all[i] = prune(element, fields...)
		}
		return all
	case map[string]any:
		if len(v) == 0 || slices.ContainsFunc(fields, func(f *jsonata.Field) bool { return f.Used }) {
			return v
		}
		left := map[string]any{}
		for name, within := range v {
			var children []*jsonata.Field
			for _, f := range fields {
				if f.Any != nil {
					children = append(children, f.Any)
				}
				if f.Children[name] != nil {
					children = append(children, f.Children[name])
				}
			}
			if len(children) > 0 {
				left[name] = prune(within, children...)
			}
		}
		if len(left) == 0 { // GraphQL gives what is asked for, if only as null
			left["__typename"] = "object"
		}
		return left
	}
	return document
}

// fickle functions give something else each time.
func fickle() *regexp.Regexp { return regexp.MustCompile(`random|shuffle|now|millis|eval`) }

// checkPruned holds the fields against the evaluation: on what is left of a document, an expression gives
// the same as on the whole.
func checkPruned(t *testing.T, text string, language *jsonata.Language, document func() any) {
	t.Helper()
	e, err := language.Parse(text)
	if err != nil || fickle().MatchString(text) {
		return
	}
	fields, err := e.Fields()
	if err != nil {
		return
	}
	whole, found, err := e.Evaluate(t.Context(), document())
	if err != nil {
		return
	}
	want := show(whole, found, nil)
	got := show(e.Evaluate(t.Context(), prune(document(), fields)))
	if got != want && got != "error" && !strings.Contains(want, "__typename") {
		t.Errorf("%s reads {%s}, but gives %.200s of that, and %.200s of the whole", text, fields, got, want)
	}
	if got == "error" {
		t.Errorf("%s reads {%s}, but fails on that", text, fields)
	}
}

func TestFieldsAreEnough(t *testing.T) {
	t.Parallel()
	for _, c := range fieldCases() {
		checkPruned(t, c[0], jsonata.New(jsonata.Limits{Time: time.Minute}), func() any { return decode(t, member) })
	}
}

// FuzzFields looks for expressions that read more than Fields says.
func FuzzFields(f *testing.F) {
	for _, c := range fieldCases() {
		f.Add(c[0])
	}
	language := jsonata.New(jsonata.Limits{})
	f.Fuzz(func(t *testing.T, text string) {
		checkPruned(t, text, language, func() any { return decode(t, member) })
	})
}
