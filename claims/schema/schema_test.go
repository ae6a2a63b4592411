package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer is what a source says of a small schema: users, their teams, a column of each kind.
const answer = `{"__schema": {"queryType": {"name": "query_root"}, "types": [
	{"kind": "OBJECT", "name": "query_root", "fields": [
		{"name": "user", "args": [{"name": "id", "defaultValue": null, "type": {"kind": "NON_NULL"}}], "type": {"kind": "OBJECT", "name": "users", "ofType": null}}]},
	{"kind": "OBJECT", "name": "users", "fields": [
		{"name": "id", "args": [], "type": {"kind": "NON_NULL", "name": null, "ofType": {"kind": "SCALAR", "name": "uuid"}}},
		{"name": "metadata", "args": [{"name": "path", "defaultValue": null, "type": {"kind": "SCALAR"}}], "type": {"kind": "SCALAR", "name": "jsonb"}},
		{"name": "state", "args": [], "type": {"kind": "ENUM", "name": "states"}},
		{"name": "tags", "args": [], "type": {"kind": "LIST", "name": null, "ofType": {"kind": "NON_NULL", "name": null, "ofType": {"kind": "SCALAR", "name": "String"}}}},
		{"name": "secure", "args": [{"name": "key", "defaultValue": null, "type": {"kind": "NON_NULL"}}, {"name": "salt", "defaultValue": "1", "type": {"kind": "NON_NULL"}}], "type": {"kind": "SCALAR", "name": "String"}},
		{"name": "any", "args": [], "type": {"kind": "UNION", "name": "anything"}},
		{"name": "deep", "args": [], "type": {"kind": "NON_NULL", "name": null, "ofType": {"kind": "LIST", "name": null, "ofType": {"kind": "NON_NULL", "name": null}}}},
		{"name": "teams", "args": [{"name": "limit", "defaultValue": null, "type": {"kind": "SCALAR"}}], "type": {"kind": "NON_NULL", "name": null, "ofType": {"kind": "LIST", "name": null, "ofType": {"kind": "NON_NULL", "name": null, "ofType": {"kind": "OBJECT", "name": "teams"}}}}}]},
	{"kind": "OBJECT", "name": "teams", "fields": [{"name": "name", "args": [], "type": {"kind": "SCALAR", "name": "String"}}, {"name": "owner", "args": [], "type": {"kind": "OBJECT", "name": "users"}}]},
	{"kind": "OBJECT", "name": "elsewhere", "fields": [{"name": "id", "args": [], "type": {"kind": "SCALAR", "name": "uuid"}}]},
	{"kind": "INPUT_OBJECT", "name": "users_bool_exp", "fields": null}
]}}`

func TestDecode(t *testing.T) {
	t.Parallel()
	s, err := Decode([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range s.User().Names() {
		f := s.User().Fields[name]
		got = append(got, fmt.Sprintf("%s %s kind=%d list=%t null=%t json=%t %v", name, f.Type.Name, f.Type.Kind, f.List, f.Nullable, f.Type.JSON(), f.Required()))
	}
	want := []string{
		"any anything kind=2 list=false null=true json=false []",
		"id uuid kind=0 list=false null=false json=false []",
		"metadata jsonb kind=0 list=false null=true json=true []",
		"secure String kind=0 list=false null=true json=false [key]",
		"state (enum) kind=0 list=false null=true json=false []",
		"tags String kind=0 list=true null=true json=false []",
		"teams teams kind=1 list=true null=false json=false []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the user (-want +got):\n%s", diff)
	}
	if s.User().Fields["teams"].Type.Fields["owner"].Type != s.User() {
		t.Error("the way back to the user leads elsewhere")
	}
	if s.types["elsewhere"] != nil || s.types["query_root"] != nil {
		t.Error("types are kept that no user leads to")
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ answer, want string }{
		{"", "no JSON"},
		{"[]", "no JSON"},
		{`{"__schema": 1}`, "no JSON"},
		{"{}", "introspection may be turned off"},
		{`{"data": {}}`, "introspection may be turned off"},
		{`{"__schema": {"queryType": {"name": "q"}, "types": []}}`, "no queries"},
		{strings.Replace(answer, `"name": "user"`, `"name": "account"`, 1), `no query "user"`},
		{strings.Replace(answer, `"name": "id", "defaultValue"`, `"name": "where", "defaultValue"`, 1), "takes no id"},
		{strings.Replace(answer, `"kind": "OBJECT", "name": "users", "ofType": null`, `"kind": "LIST", "ofType": {"kind": "OBJECT", "name": "users"}`, 1), "does not give one object"},
		{strings.Replace(answer, `"kind": "OBJECT", "name": "users", "ofType": null`, `"kind": "SCALAR", "name": "json"`, 1), "does not give one object"},
	} {
		if _, err := Decode([]byte(tt.answer)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: %v, want %s", tt.answer, err, tt.want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"id", "email", "displayName", "defaultRole", "profile", "organisation", "organizations", "isAnonymous"}
	for _, tt := range []struct {
		mistyped string
		want     []string
	}{
		{"emial", []string{"email"}},
		{"display_name", []string{"displayName"}},
		{"DISPLAYNAME", []string{"displayName"}},
		{"organization", []string{"organisation", "organizations"}},
		{"organizatoin", []string{"organisation", "organizations"}},
		{"prof", []string{"profile"}},
		{"profiles", []string{"profile"}},
		{"company", nil},
		{"x", nil},
		{"", nil},
		{strings.Repeat("e", 100_000), nil},
	} {
		got := Nearest(tt.mistyped, known)
		if len(got) > 0 && len(tt.want) > 0 {
			got = got[:min(len(got), len(tt.want))]
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%.20s (-want +got):\n%s", tt.mistyped, diff)
		}
	}
}

func TestSelections(t *testing.T) {
	t.Parallel()
	s, err := Decode([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	one, two := NewSelection(s.User()), NewSelection(s.User())
	teams := s.User().Fields["teams"]
	one.Add(teams).Below.Add(teams.Type.Fields["name"])
	one.Add(s.User().Fields["id"])
	two.Add(teams).Below.AddTypename()
	two.Add(s.User().Fields["metadata"])
	all := NewSelection(s.User())
	all.Merge(two)
	all.Merge(one)
	if got, want := all.Text(), "{ id metadata teams { __typename name } }"; got != want {
		t.Errorf("merged: %s, want %s", got, want)
	}
	if one.Text() != "{ id teams { name } }" || two.Text() != "{ metadata teams { __typename } }" {
		t.Errorf("merging changed %s or %s", one.Text(), two.Text())
	}
	if diff := cmp.Diff([]string{"id", "metadata", "teams.__typename", "teams.name"}, all.Paths()); diff != "" || all.Size() != 5 {
		t.Errorf("%d fields (-want +got):\n%s", all.Size(), diff)
	}
	var document any
	if err := json.Unmarshal([]byte(`{"id": 1, "metadata": {"teams": 1}, "teams": [{"name": "a", "__typename": "teams"}, null], "more": 2}`), &document); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(one.Prune(document))
	if want := `{"id":1,"teams":[{"name":"a"},null]}`; string(got) != want {
		t.Errorf("pruned to %s, want %s", got, want)
	}
	if object, ok := document.(map[string]any); !ok || len(object) != 4 {
		t.Error("pruning changed the document")
	}
}

// FuzzDecode holds that no answer of a source breaks the reader.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte(`{"data": {"__schema": {"queryType": null, "types": [{"name": "query_root"}]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Decode(text)
		if err != nil {
			return
		}
		for _, name := range s.User().Names() {
			if !IsName(name) || s.User().Fields[name].Type == nil {
				t.Fatalf("the field %q", name)
			}
		}
	})
}

// FuzzDraft holds that fields written by hand come out as GraphQL that reads back the same.
func FuzzDraft(f *testing.F) {
	for _, seed := range []string{"id", "{ teams(limit: 3) { name owner { id } } }", `a: metadata(path: "x\"\u2028")`, "teams(limit: [1, {a: $id, b: ENUM}]) { x: name }", "teams { ... on teams { name } }", "metadata(path: \"\"\"a\nb\"\"\")"} {
		f.Add(seed)
	}
	s, err := Decode([]byte(answer))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		draft, err := ParseDraft(text)
		if err != nil {
			return
		}
		selection, wrong := draft.On(s.User())
		if len(wrong) > 0 {
			return
		}
		again, err := ParseDraft(selection.Text())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, selection.Text(), err)
		}
		same, wrong := again.On(s.User())
		if len(wrong) > 0 || same.Text() != selection.Text() {
			t.Fatalf("%q became %q and then %q: %v", text, selection.Text(), same.Text(), wrong)
		}
	})
}
