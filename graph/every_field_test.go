package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// paging are the arguments that all connections have; they are tried apart.
var paging = []string{"first", "after", "last", "before"}

// given finds a value for an argument or a member of an input, by the name of its owner and its own. The
// test fails where there is none, so that nothing is added to the schema and never tried.
func (w *world) given(t testing.TB, owner, name string) any {
	t.Helper()
	v, ok := w.samples[owner+"."+name]
	if !ok {
		t.Errorf("nothing is tried with %s.%s: give it a sample in world_test.go", owner, name)
	}
	return v
}

// required writes the arguments that a field must have.
func (w *world) required(t testing.TB) func(owner string, f field) string {
	return func(owner string, f field) string {
		var parts []string
		for _, a := range f.Args {
			if a.Type.required() && a.DefaultValue == nil {
				parts = append(parts, a.Name+":"+literal(w.given(t, owner+"."+f.Name, a.Name)))
			}
		}
		if len(parts) == 0 {
			return ""
		}
		return "(" + strings.Join(parts, ",") + ")"
	}
}

// TestEveryFieldOfEveryType asks for every field that can be reached by a question, and sees an answer of
// every type. Nothing may fail, and nobody without rights sees any of it.
func TestEveryFieldOfEveryType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	routes, args := s.routes("Query"), w.required(t)
	seen := map[string]bool{}
	for _, name := range slices.Sorted(keys(routes)) {
		query := routes[name].write(args, s.selection(name, 0, args))
		got := ask(t, w.h, bySecret(), query, nil)
		if len(got.Errors) > 0 || got.Status != http.StatusOK {
			t.Errorf("%s\n%d %+v", query, got.Status, got.Errors)
			continue
		}
		collect(t, got.Data, seen)
		for _, f := range s[name].Fields { // and through it to what lies behind it
			if of := f.Type.named(); s.isObject(of) {
				w.answers(t, routes[name].write(args, "{"+f.Name+args(name, f)+s.selection(of, 0, args)+"}"), seen)
			}
		}
	}
	for name := range routes {
		if !seen[name] && !slices.Contains(w.unseen, name) {
			t.Errorf("no answer had a %s in it: let the world have one", name)
		}
	}
}

// TestEveryArgument gives every argument of every field a value, one after the other, and every member of
// every input of questions.
func TestEveryArgument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	routes, args := s.routes("Query"), w.required(t)
	for _, name := range slices.Sorted(keys(routes)) {
		for _, f := range s[name].Fields {
			for _, a := range f.Args {
				for _, value := range w.values(t, s, name+"."+f.Name, a) {
					with := func(owner string, g field) string {
						if owner != name || g.Name != f.Name {
							return args(owner, g)
						}
						others := ""
						for _, b := range f.Args {
							if b.Name != a.Name && b.Type.required() && b.DefaultValue == nil {
								others += b.Name + ":" + literal(w.given(t, owner+"."+f.Name, b.Name)) + ","
							}
						}
						return "(" + others + a.Name + ":" + literal(value) + ")"
					}
					end := ""
					if of := f.Type.named(); s.isObject(of) {
						end = "{__typename}"
					}
					w.answers(t, routes[name].write(with, "{"+f.Name+with(name, f)+end+"}"), nil)
				}
			}
		}
	}
}

// values lists what is tried with an argument: of an input each member alone, of an enumeration each value.
func (w *world) values(t testing.TB, s schemaOf, owner string, a argument) []any {
	t.Helper()
	of := s[a.Type.named()]
	switch {
	case slices.Contains(paging[:1], a.Name), a.Name == "last":
		return []any{1, 100}
	case slices.Contains(paging, a.Name):
		return nil // cursors are those of an answer: see the tests of paging
	case len(of.InputFields) > 0:
		list := []any{}
		for _, member := range of.InputFields {
			for _, v := range w.values(t, s, of.Name, member) {
				input := map[string]any{member.Name: v}
				for _, other := range of.InputFields {
					if other.Name != member.Name && other.Type.required() && other.DefaultValue == nil {
						input[other.Name] = w.given(t, of.Name, other.Name)
					}
				}
				list = append(list, input)
			}
		}
		return list
	case len(of.EnumValues) > 0:
		list := []any{}
		for _, v := range of.EnumValues {
			value := any(enum(v.Name))
			if strings.Contains(a.Type.String(), "[") {
				value = []any{value}
			}
			list = append(list, value)
		}
		return list
	}
	return []any{w.given(t, owner, a.Name)}
}

// answers asks, and wants an answer.
func (w *world) answers(t testing.TB, query string, seen map[string]bool) {
	t.Helper()
	got := ask(t, w.h, bySecret(), query, nil)
	if len(got.Errors) > 0 || got.Status != http.StatusOK {
		t.Errorf("%s\n%d %+v", query, got.Status, got.Errors)
		return
	}
	if seen != nil {
		collect(t, got.Data, seen)
	}
}

// collect notes the types of all objects in an answer.
func collect(t testing.TB, data json.RawMessage, seen map[string]bool) {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if name, ok := v["__typename"].(string); ok {
				seen[name] = true
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	seen["Query"] = true
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestH19QuestionsByRights asks every question as everybody: who has no rights gets nothing, who reads gets
// what is not among those that need the right to change.
func TestH19QuestionsByRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	args, cells := w.required(t), 0
	for _, f := range s["Query"].Fields {
		end := ""
		if of := f.Type.named(); s.isObject(of) {
			end = "{__typename}"
		}
		query := "{" + f.Name + args("Query", f) + end + "}"
		for name, who := range w.everybody() {
			cells++
			got := ask(t, w.h, who.header, query, nil)
			want := ""
			switch {
			case who.status != http.StatusOK:
				want = who.code
			case !who.changes && slices.Contains(w.needsChange, "Query."+f.Name):
				want = "forbidden"
			}
			if got.code() != want || want != "" && leaks(got.Data) {
				t.Errorf("%s asks %s: %q %s, want %q", name, f.Name, got.code(), got.Data, want)
			}
		}
	}
	t.Logf("%d cells", cells)
}

// leaks tells whether an answer has anything in it.
func leaks(data json.RawMessage) bool {
	var v map[string]any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	for _, x := range v {
		if x != nil {
			return true
		}
	}
	return false
}

// person is somebody who asks.
type person struct {
	header  header
	status  int // that their requests have
	code    string
	changes bool
}

// everybody lists who may come to the door.
func (w *world) everybody() map[string]person {
	bearer := func(token string) header { return header{"Authorization": "Bearer " + token} }
	as := func(role, user string) header {
		return header{"X-Hasura-Admin-Secret": secret, "X-Hasura-Role": role, "X-Hasura-User-Id": user}
	}
	return map[string]person{
		"nobody":              {header{}, 401, "unauthorized", false},
		"a guesser":           {header{"X-Hasura-Admin-Secret": "guess"}, 401, "unauthorized", false},
		"a user":              {bearer(w.janeToken), 403, "forbidden", false},
		"a reader":            {bearer(w.readerToken), 200, "", false},
		"a chief":             {bearer(w.chiefToken), 200, "", true},
		"the secret":          {bySecret(), 200, "", true},
		"the engine's user":   {as("user", w.jane), 403, "forbidden", false},
		"the engine's reader": {as("auditor", w.reader), 200, "", false},
		"the engine's chief":  {as("operator", w.chief), 200, "", true},
	}
}

// auditRows counts the rows of the audit log, but for those of wrong admin secrets, which are some people's here.
func (w *world) auditRows(t testing.TB) int {
	t.Helper()
	var n int
	if err := w.h.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.audit_entries where event <> 'operator.refused'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// newest is the newest events of the audit log, for messages.
func (w *world) newest(t testing.TB, n int) string {
	t.Helper()
	var text string
	if err := w.h.Store.Pool().QueryRow(t.Context(), fmt.Sprintf(`select coalesce(string_agg(event || ' ' || coalesce(detail::text, ''), '; '), '') from (select * from auth.audit_entries order by at desc, id desc limit %d) a`, n)).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
