package graph_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

// A change is one use of a mutation.
type change struct {
	// input makes the input, and whatever it is about: each use changes something of its own.
	input func(t testing.TB) map[string]any
	rows  int // it leaves in the audit log; 0 is one, as for nearly all, and -1 is none
}

func (c change) audited() int {
	switch c.rows {
	case 0:
		return 1
	case -1:
		return 0
	}
	return c.rows
}

// mutation writes the operation with everything that its payload has.
func (w *world) mutation(t testing.TB, s schemaOf, f field) string {
	return "mutation($input:" + f.Args[0].Type.String() + "){" + f.Name + "(input:$input)" + s.selection(f.Type.named(), 1, w.required(t)) + "}"
}

// mutations lists the mutations and their uses; one without a use fails the test.
func (w *world) mutations(t testing.TB, s schemaOf) map[string][]change {
	t.Helper()
	uses := w.changes()
	for _, f := range s["Mutation"].Fields {
		if len(f.Args) != 1 || f.Args[0].Name != "input" || f.Args[0].Type.Kind != "NON_NULL" {
			t.Errorf("%s does not take one input", f.Name)
		}
		if want := strings.ToUpper(f.Name[:1]) + f.Name[1:]; f.Args[0].Type.named() != want+"Input" || f.Type.named() != want+"Payload" {
			t.Errorf("%s takes %s and gives %s", f.Name, f.Args[0].Type.named(), f.Type.named())
		}
		if len(uses[f.Name]) == 0 {
			t.Errorf("nothing is changed by %s: give it a use in changes_test.go", f.Name)
		}
	}
	return uses
}

// TestEveryChange makes every change that there is: refused to whoever may not, without a trace; made for
// who may, with exactly one row in the audit log that says who it was.
func TestEveryChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	uses, used, refused := w.mutations(t, s), map[string]bool{}, 0
	for _, f := range s["Mutation"].Fields {
		for i, use := range uses[f.Name] {
			operation, input := w.mutation(t, s, f), use.input(t)
			mention(s, f.Args[0].Type.named(), input, used)
			before := w.auditRows(t)
			for name, who := range w.everybody() {
				if who.changes {
					continue
				}
				want := "forbidden"
				if who.status != http.StatusOK {
					want = who.code
				}
				refused++
				if got := ask(t, w.h, who.header, operation, map[string]any{"input": input}); got.code() != want || leaks(got.Data) {
					t.Errorf("%s asks for %s: %q %s", name, f.Name, got.code(), got.Data)
				}
			}
			if after := w.auditRows(t); after != before {
				t.Errorf("%s: refused ones left %d rows: %s", f.Name, after-before, w.newest(t, after-before))
			}
			before = w.auditRows(t)
			got := ask(t, w.h, w.everybody()["a chief"].header, operation, map[string]any{"input": input})
			if len(got.Errors) > 0 || got.Status != http.StatusOK {
				t.Errorf("%s, use %d, %v: %d %+v", f.Name, i, input, got.Status, got.Errors)
				continue
			}
			if rows := w.auditRows(t) - before; rows != use.audited() {
				t.Errorf("%s, use %d, leaves %d rows in the audit log, want %d: %s", f.Name, i, rows, use.audited(), w.newest(t, rows))
			}
			if use.audited() > 0 {
				w.namesTheChief(t, f.Name)
			}
		}
	}
	for _, d := range s {
		if d.Kind != "INPUT_OBJECT" || !w.ofMutations(s, d.Name) {
			continue
		}
		for _, member := range d.InputFields {
			if !used[d.Name+"."+member.Name] {
				t.Errorf("no use has %s.%s: give it one in changes_test.go", d.Name, member.Name)
			}
		}
	}
	t.Logf("%d mutations, %d refusals", len(s["Mutation"].Fields), refused)
}

// namesTheChief looks at the newest row: it says which operator it was, and from where.
func (w *world) namesTheChief(t testing.TB, what string) {
	t.Helper()
	var actor, by, from string
	err := w.h.Store.Pool().QueryRow(t.Context(), `select coalesce(actor_id::text, ''), coalesce(detail->>'by', ''), coalesce(address_prefix, '')
		from auth.audit_entries order by at desc, id desc limit 1`).Scan(&actor, &by, &from)
	if err != nil {
		t.Fatal(err)
	}
	if actor != w.chief || by != "operator" || from == "" {
		t.Errorf("%s: the row says actor %q, by %q, from %q", what, actor, by, from)
	}
}

// ofMutations tells whether an input belongs to a mutation and not to a question alone.
func (w *world) ofMutations(s schemaOf, name string) bool {
	reached := map[string]bool{}
	var reach func(name string)
	reach = func(name string) {
		if reached[name] {
			return
		}
		reached[name] = true
		for _, member := range s[name].InputFields {
			reach(member.Type.named())
		}
	}
	for _, f := range s["Mutation"].Fields {
		for _, a := range f.Args {
			reach(a.Type.named())
		}
	}
	return reached[name]
}

// mention notes which members of inputs a value has.
func mention(s schemaOf, name string, v any, used map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range s[name].InputFields {
			if x, ok := v[member.Name]; ok {
				used[name+"."+member.Name] = true
				mention(s, member.Type.named(), x, used)
			}
		}
	case []any:
		for _, x := range v {
			mention(s, name, x, used)
		}
	}
}

// TestH19ChangesOfOthers puts, in the place of each id of each input, one of nobody, and what is no id: a
// clear refusal, or nothing to do, and never a trace or a fault of ours.
func TestH19ChangesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	uses, cells := w.mutations(t, s), 0
	for _, f := range s["Mutation"].Fields {
		operation := w.mutation(t, s, f)
		for _, use := range uses[f.Name] {
			for _, path := range leaves(use.input(t), isID) {
				for _, id := range []string{tokens.NewUUID(), "00000000-0000-0000-0000-000000000000", w.deleted, "1 or 1=1", "", strings.Repeat("a", 5000)} {
					cells++
					input := replace(use.input(t), path, id)
					before := w.auditRows(t)
					got := ask(t, w.h, bySecret(), operation, map[string]any{"input": input})
					rows := w.auditRows(t) - before
					if got.code() == "internal" || len(got.Errors) > 0 && rows != 0 {
						t.Errorf("%s with %.40q at %v: %d %+v, %d rows: %s", f.Name, id, path, got.Status, got.Errors, rows, w.newest(t, rows))
					}
					if len(got.Errors) == 0 && !tokens.IsUUID(id) {
						t.Errorf("%s takes %.40q at %v", f.Name, id, path)
					}
				}
			}
		}
	}
	w.nothingBroke(t)
	t.Logf("%d cells", cells)
}

// TestH08HostileTexts puts hostile texts into every text of every input and of every argument: whatever
// comes of it, it is no fault of ours, and it is not run.
func TestH08HostileTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	uses, cells := w.mutations(t, s), 0
	for _, f := range s["Mutation"].Fields {
		operation := w.mutation(t, s, f)
		for _, use := range uses[f.Name] {
			for _, path := range leaves(use.input(t), func(s string) bool { return !isID(s) }) {
				for _, text := range hostile {
					cells++
					got := ask(t, w.h, bySecret(), operation, map[string]any{"input": replace(use.input(t), path, text)})
					if got.code() == "internal" || got.Status >= 500 {
						t.Errorf("%s with %.40q at %v: %d %+v", f.Name, text, path, got.Status, got.Errors)
					}
				}
			}
		}
	}
	routes, args := s.routes("Query"), w.required(t)
	for name := range routes {
		for _, f := range s[name].Fields {
			for _, a := range f.Args {
				for _, v := range append(w.values(t, s, name+"."+f.Name, a), "") {
					for _, path := range leaves(map[string]any{a.Name: v}, func(string) bool { return true }) {
						for _, text := range hostile {
							cells++
							filled := replace(map[string]any{a.Name: v}, path, text)[a.Name]
							with := func(owner string, g field) string {
								if owner == name && g.Name == f.Name {
									return "(" + a.Name + ":" + literal(filled) + ")"
								}
								return args(owner, g)
							}
							end := ""
							if s.isObject(f.Type.named()) {
								end = "{__typename}"
							}
							got := ask(t, w.h, bySecret(), routes[name].write(with, "{"+f.Name+with(name, f)+end+"}"), nil)
							if got.code() == "internal" || got.Status >= 500 {
								t.Errorf("%s.%s(%s) with %.40q at %v: %d %+v", name, f.Name, a.Name, text, path, got.Status, got.Errors)
							}
						}
					}
				}
			}
		}
	}
	w.nothingBroke(t)
	t.Logf("%d cells", cells)
}

// hostile are texts that mean something to what lies behind us: to SQL, to JSON, to patterns, to shells, to
// headers, to templates, to GraphQL itself.
var hostile = []string{
	"'", "\"", "\\", "' or '1'='1", "'; drop table auth.users; --", "\x00", "a\x00b", "%", "_%_", "\\%", "{}", "{\"a\":1}", "[1,2", "null", "$1", "$$", "$(id)", "`id`",
	"${jndi:ldap://x}", "{{.}}", "{{7*7}}", "\r\nBcc: all@example.com", "\u202e", "\ufffd\uffff", "\U0001F600", "<script>alert(1)</script>", "../../etc/passwd",
	"javascript:alert(1)", "//evil.example", "(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "1e309", "-1", "9223372036854775808", "infinity", "epoch", "0001-01-01T00:00:00Z",
	"{__schema{types{name}}}", "admin", "me", strings.Repeat("x", 70_000), strings.Repeat("é", 5000), strings.Repeat("[", 2000), " ", "\t", "",
}

// TestH18FieldsOfTheServersOwn puts what only the server may say into every input: none has a place for it.
func TestH18FieldsOfTheServersOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := learn(t, w.h)
	uses, cells := w.mutations(t, s), 0
	own := w.columns(t)
	for _, f := range s["Mutation"].Fields {
		operation := w.mutation(t, s, f)
		input := uses[f.Name][0].input(t)
		before := w.auditRows(t)
		for _, name := range own {
			if slices.ContainsFunc(s[f.Args[0].Type.named()].InputFields, func(m argument) bool { return m.Name == name }) {
				continue // the input has it, and the other tests try it
			}
			cells++
			more := maps.Clone(input)
			more[name] = "x"
			if got := ask(t, w.h, bySecret(), operation, map[string]any{"input": more}); got.code() != "bad-request" || leaks(got.Data) {
				t.Errorf("%s takes %s: %+v", f.Name, name, got)
			}
		}
		if rows := w.auditRows(t) - before; rows != 0 {
			t.Errorf("%s left %d rows", f.Name, rows)
		}
	}
	for _, secret := range []string{"passwordHash", "totpSecret", "ticket", "otpHash", "refreshToken", "refreshTokenHash", "accessToken", "sealed", "secretHash", "secret", "codeHash", "tokenHash"} {
		for name, d := range s {
			for _, g := range d.Fields {
				if g.Name == secret && !slices.Contains(w.shownOnce, name+"."+secret) {
					t.Errorf("%s.%s is a secret that can be asked for", name, secret)
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// columns are the columns of all tables of the schema auth, as they are written and as GraphQL would.
func (w *world) columns(t testing.TB) []string {
	t.Helper()
	tables, err := w.h.Store.AuthColumns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, columns := range tables {
		for _, c := range columns {
			all[c] = true
			words := strings.Split(c, "_")
			for i := range words[1:] {
				words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
			}
			all[strings.Join(words, "")] = true
		}
	}
	return slices.Sorted(keys(all))
}

func isID(s string) bool { return tokens.IsUUID(s) }

// leaves lists the places of the texts in a value that are of a kind.
func leaves(v any, is func(string) bool) [][]any {
	var found [][]any
	var walk func(v any, path []any)
	walk = func(v any, path []any) {
		switch v := v.(type) {
		case string:
			if is(v) {
				found = append(found, slices.Clone(path))
			}
		case map[string]any:
			for _, name := range slices.Sorted(keys(v)) {
				walk(v[name], append(path, name))
			}
		case []any:
			for i, x := range v {
				walk(x, append(path, i))
			}
		}
	}
	walk(v, nil)
	return found
}

// replace gives a copy of an input with something else at a place.
func replace(input map[string]any, path []any, with any) map[string]any {
	var put func(v any, path []any) any
	put = func(v any, path []any) any {
		if len(path) == 0 {
			return with
		}
		switch v := v.(type) {
		case map[string]any:
			c := maps.Clone(v)
			c[path[0].(string)] = put(v[path[0].(string)], path[1:])
			return c
		case []any:
			c := slices.Clone(v)
			c[path[0].(int)] = put(v[path[0].(int)], path[1:])
			return c
		}
		return v
	}
	return put(input, path).(map[string]any)
}

// nothingBroke looks for faults of ours in the log.
func (w *world) nothingBroke(t testing.TB) {
	t.Helper()
	if broken := w.h.Log.Errors(); broken != "" {
		t.Errorf("%.3000s", broken)
	}
}

// TestTheseTestsReplace holds the tools above.
func TestTheseTestsReplace(t *testing.T) {
	t.Parallel()
	var v map[string]any
	if err := json.Unmarshal([]byte(`{"a":{"b":["x",{"c":"y"}]},"d":1}`), &v); err != nil {
		t.Fatal(err)
	}
	found := leaves(v, func(string) bool { return true })
	want := [][]any{{"a", "b", 0}, {"a", "b", 1, "c"}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	text, _ := json.Marshal(replace(v, found[1], "z"))
	if string(text) != `{"a":{"b":["x",{"c":"z"}]},"d":1}` {
		t.Errorf("%s", text)
	}
}
