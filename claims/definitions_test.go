package claims

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDefinitions reads what operators write. want is each problem, in part; nothing means that all
// is well.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		claims   string
		defaults string
		want     []string
	}{
		{"nothing", "", "", nil},
		{"blanks", " \n ", " ", nil},
		{"an empty object", "{}", "{}", nil},
		{"a string", `{"organisation-id": "profile.organisation.id"}`, "", nil},
		{"an object", `{"a": {"path": "email", "default": [1, "x"], "required": true, "select": "email"}}`, "", nil},
		{"a default of null", `{"a": {"path": "email", "default": null}}`, `{"a": null}`, nil},
		{"names with and without the prefix", `{"x-hasura-a": "id", "X-Hasura-B": "id", "c": "id"}`, `{"A": 1, "x-HASURA-b": 2, "x-hasura-C": 3}`, nil},
		{"names found in use", `{"array[]": "id", "metadata.m1": "id", "displayName": "id", "company_id": "id"}`, "", nil},

		{"not JSON", "string value", "", []string{`it must be a JSON object such as {"organisation-id"`}},
		{"unquoted", `{"invalid-json": unquoted value }`, "", []string{"it stops being JSON at character 18"}},
		{"a list", `["email"]`, "", []string{"it is JSON, but no object"}},
		{"a string alone", `"email"`, "", []string{"it is JSON, but no object"}},
		{"cut off", `{"a": "email"`, "", []string{"it stops being JSON"}},
		{"more after it", `{"a": "email"} {"b": "email"}`, "", []string{"something follows"}},

		{"twice", `{"a": "id", "a": "email"}`, "", []string{`"a": it is defined twice, before as "a"`}},
		{"twice in other letters", `{"Org-Id": "id", "x-hasura-org-ID": "email"}`, "", []string{`"x-hasura-org-ID": it is defined twice, before as "Org-Id"`}},
		{"built in", `{"user-id": "id", "X-Hasura-Default-Role": "id", "x-hasura-allowed-roles": "id", "user-isAnonymous": "id", "auth-elevated": "id", "user-is-anonymous": "id", "role": "id"}`, "", []string{
			`"user-id": this is one of the claims that Postern sets itself`, `"X-Hasura-Default-Role": this is one`, `"x-hasura-allowed-roles": this is one`,
			`"user-isAnonymous": this is one`, `"auth-elevated": this is one`, `"user-is-anonymous": this is one`, `"role": Hasura sets this one itself`,
		}},
		{"no name", `{"": "id", "x-hasura-": "id"}`, "", []string{`a claim needs a name`, `"x-hasura-": a claim needs a name`}},
		{"bad names", `{"a b": "id", "é": "id", "a\n": "id", "` + strings.Repeat("a", 130) + `": "id"}`, "", []string{"neither blanks", "neither blanks", "neither blanks", "longer than 128"}},
		{"bad values", `{"a": 1, "b": null, "c": ["id"], "d": true}`, "", []string{
			`"a": it must be an expression in quotes, or an object with the member path; it is a number`, `it is null`, `it is a list`, `it is true or false`,
		}},
		{"empty expressions", `{"a": "", "b": {"path": "  "}}`, "", []string{"the expression is empty", "the expression is empty"}},
		{"members", `{"a": {"paht": "id"}, "b": {"path": "id", "path": "email"}, "c": {"path": 1}, "d": {"path": "id", "required": "yes"}, "e": {}, "f": {"path": "id", "Default": 1}}`, "", []string{
			`"a": the member "path" is missing`, `"a": it has the member "paht", which means nothing; did you mean path?`,
			`"b": the member "path" is there twice`, `"c": the member "path" must be text in quotes; it is a number`,
			`"d": the member "required" must be true or false; it is text`, `"e": the member "path" is missing`,
			`"f": it has the member "Default", which means nothing; did you mean default?`,
		}},
		{"selections", `{"a": {"path": "id", "select": ""}, "b": {"path": "id", "select": "profile {"}, "c": {"path": "id", "select": 1}, "d": {"path": "id", "select": "id } { x"}}`, "", []string{
			`"a": the member "select" is empty`, `"b": the member "select" must be GraphQL fields`, `"c": the member "select" must be text`, `"d": the member "select" must be GraphQL fields`,
		}},
		{"expressions", `{"a": "invalid jsonata path!?!", "b": "a.", "c": "$nofunction(id)", "d": "**.id", "ok": "id"}`, "", []string{
			`"a": the expression cannot be read`, `"b": the expression cannot be read`, `"c": `, `"d": it cannot be told which fields the expression reads`,
		}},
		{"any expression with its fields", `{"d": {"path": "**.id", "select": "profile { id }"}}`, "", nil},
		{"defaults", `{"a": "id"}`, `{"a": "x", "A": "y", "b": 1e500}`, []string{`"A": it has two defaults, the other under "a"`, `"b": the default cannot be a claim`}},
		{"defaults that are none", `{"a": "id"}`, `nope`, []string{`it must be a JSON object such as {"organisation-id": "none"}`}},
		{"a default that no claim can be", `{"a": {"path": "id", "default": "\u0000"}}`, "", []string{`"a": its default cannot be a claim: it holds the character NUL`}},
		{"all at once", `{"a": 1, "user-id": "id", "b": "(("}`, `[]`, []string{`"a": `, `"user-id": `, `"b": `, "it must be a JSON object"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Settings{Definitions: tt.claims, Defaults: tt.defaults}
			var got []string
			s.Check(func(env, problem string) { got = append(got, env+": "+problem) })
			if len(got) != len(tt.want) {
				t.Fatalf("%d problems, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for i := range got {
				if !strings.Contains(got[i], tt.want[i]) {
					t.Errorf("%s\nis without %s", got[i], tt.want[i])
				}
			}
			_, err := Open(s, newSource(t, model), nil)
			if (err != nil) != (len(got) > 0) {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

// TestLenient holds what AUTH_CLAIMS_INVALID=warn lets pass: what upstream's own tests sign in with,
// and never a required claim.
func TestLenient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		claims string
		opens  bool
		want   string
	}{
		{`string value`, true, ""},
		{`{"invalid-json": unquoted value }`, true, ""},
		{`{"key": {"path": "id", "reqired": true}`, false, ""}, // who can tell what this is
		{`{"key": {"path": "id", "reqired": true}}`, false, ""},
		{`{"key": "invalid jsonata path!?!", "mail": "email"}`, true, "x-hasura-mail=ann@example.com"},
		{`{"key": {"path": "invalid jsonata path!?!", "default": "x"}, "mail": "email"}`, true, "x-hasura-key=x x-hasura-mail=ann@example.com"},
		{`{"key": "path.does.not-exist", "mail": "email"}`, true, "x-hasura-mail=ann@example.com"},
		{`{"key": {"path": "nonexistent.nonexistent", "default": "defaultNonExistent"}}`, true, "x-hasura-key=defaultNonExistent"},
		{`{"key": "id", "KEY": "email"}`, true, "x-hasura-key=" + ann},
		{`{"user-id": "email", "mail": "email"}`, true, "x-hasura-mail=ann@example.com"},
		{`{"key": {"path": "((", "required": true}}`, false, ""},
		{`{"key": {"path": "id", "required": "yes"}}`, false, ""},
		{`{"key": {"path": 1, "required": true}}`, false, ""},
		{`{"user-id": {"path": "email", "required": true}}`, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.claims, func(t *testing.T) {
			t.Parallel()
			from := newSource(t, model)
			from.put(t, ann, annas)
			m, err := Open(Settings{Definitions: tt.claims, Invalid: "warn"}, from, newClock().Now)
			if (err == nil) != tt.opens {
				t.Fatalf("opened with %v", err)
			}
			if err != nil {
				return
			}
			if r, err := m.Check(t.Context()); err != nil || r.Err() != nil {
				t.Errorf("the check forbids the start: %v %v", r.Err(), err)
			}
			got, err := m.Of(t.Context(), ann, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				got = map[string]string{}
			}
			if diff := cmp.Diff(parse(tt.want, ""), got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if m.Ready() != nil {
				t.Error(m.Ready())
			}
		})
	}
	m, err := Open(Settings{Definitions: `{"key": {"path": "path.does.not-exist", "required": true}}`, Invalid: "warn"}, newSource(t, model), newClock().Now)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Check(t.Context()); err != nil || r.Err() == nil || m.Ready() == nil {
		t.Errorf("a required claim that cannot work is let pass: %+v %v", r, err)
	}
}

func TestReadProblemsOfSettings(t *testing.T) {
	t.Parallel()
	d := Settings{Definitions: `{"organisation": "id"}`, Defaults: `{"organisatoin": "x"}`}.read()
	if len(d.problems) > 0 || len(d.warnings) != 1 || !strings.Contains(d.warnings[0].Text, "did you mean organisation?") {
		t.Errorf("%+v", d)
	}
}

// FuzzDefinitions holds that nothing an operator writes breaks the reader, and that every definition
// is either used or complained about.
func FuzzDefinitions(f *testing.F) {
	for _, seed := range []string{`{"a":"id"}`, `{"a":{"path":"id","default":[1],"required":true,"select":"id"}}`, `{"a":"b","A":"c"}`, `{"a":1,"":2}`, `[]`, `{"a":{"select":"a(b:{c:[1,$id]}) {d}","path":"**"}}`} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, claims, defaults string) {
		d := Settings{Definitions: claims, Defaults: defaults}.read()
		names := map[string]bool{}
		for _, def := range d.list {
			if names[def.name] || nameProblem(def.written) != "" || def.name != fullName(def.written) {
				t.Fatalf("the name %q is in use", def.written)
			}
			names[def.name] = true
			if (def.broken == "") != (def.expression != nil && (def.reads != nil || def.choice != nil)) {
				t.Fatalf("neither used nor broken: %+v", def)
			}
			if def.broken != "" && len(d.problems) == 0 {
				t.Fatalf("broken without a word: %+v", def)
			}
		}
		for _, p := range d.problems {
			if p.Text == "" || strings.Contains(fmt.Sprint(p), "%!") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
