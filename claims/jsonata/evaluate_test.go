package jsonata_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/claims/jsonata"
)

// decode reads JSON and keeps the digits of its numbers.
func decode(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// person is the document of the tests.
const person = `{
	"id": "u1", "email": "Ada@example.com", "emailVerified": true, "bannedAt": null, "displayName": "Ada",
	"githubUser": {"githubUserId": 9007199254740993},
	"metadata": {"plan": "pro", "list": ["a"], "nothing": null, "a-b": 1, "deep": {"x": [[1, 2], [3]]}},
	"profile": {"name": "Ada L", "organisation": {"id": "o1", "name": "One"},
		"contributesTo": [{"project": {"id": "p1"}}, {"project": null}, {"project": {"id": "p2"}}]},
	"departments": [{"id": 1, "role": "manager"}, {"id": 2, "role": "member"}, {"id": 3, "role": "manager"}],
	"one": [{"id": "x", "tags": ["t"], "role": "a"}], "none": [], "tags": ["b", "a", null],
	"nested": [{"l": [{"id": 1}, {"id": 2}]}, {"l": [{"id": 3}]}, {"l": []}], "empties": [{"l": []}]
}`

func TestEvaluate(t *testing.T) {
	t.Parallel()
	document := decode(t, person)
	for _, tt := range []struct{ text, want string }{ // the value as JSON; empty for none
		{"email", `"Ada@example.com"`},
		{"$.email", `"Ada@example.com"`},
		{"bannedAt", `null`},
		{"missing", ``},
		{"missing.more", ``},
		{"email.more", ``},
		{"githubUser.githubUserId", `9007199254740993`},
		{"githubUser.githubUserId[]", `[9007199254740993]`},
		{"githubUser.githubUserId & ''", `"9007199254740993"`},
		{"githubUser.githubUserId = 9007199254740993", `true`},
		{"githubUser.githubUserId > 5", `true`},
		{"profile.organisation.id", `"o1"`},
		{"profile.organisation[].id", `["o1"]`},
		{"profile.organisation.id[]", `["o1"]`},
		{"profile.contributesTo[].project.id", `["p1","p2"]`},
		{"profile.contributesTo.project.id", `["p1","p2"]`},
		{"profile.contributesTo[*].project.id", `["p1","p2"]`},
		{"profile.contributesTo[0].project.id", `"p1"`},
		{"profile.contributesTo[-1].project.id", `"p2"`},
		{"one.id", `"x"`},
		{"one[].id", `["x"]`},
		{"one.id[]", `["x"]`},
		{"one.tags[]", `["t"]`},
		{"one.tags", `["t"]`},
		{"(one.tags)", `["t"]`},
		{"one[id = 'x'].tags", `["t"]`},
		{"$count(one.tags)", `1`},
		{"metadata.list", `["a"]`},
		{"none", `[]`},
		{"none[]", `[]`},
		{"none[].id", `[]`},
		{"none.id", ``},
		{"none.id[]", `[]`},
		{"missing[]", ``},
		{"missing[].id", ``},
		{"bannedAt[]", ``},
		{"bannedAt[].id", ``},
		{"tags[]", `["b","a",null]`},
		{"nested[].l[].id", `[1,2,3]`},
		{"nested.l.id[]", `[1,2,3]`},
		{"empties.l[]", `[]`},
		{"empties.l", `[]`},
		{"metadata.deep.x", `[[1,2],[3]]`},
		{`departments[?(@.role == "manager")].id`, `[1,3]`},
		{`departments[?(@.role == 'member')].id`, `[2]`},
		{`departments[?(@.role == 'ghost')].id`, `[]`},
		{`departments[?(@.role == 'member' || @.id == 3)].id`, `[2,3]`},
		{`departments[?(@.id >= 2 && @.role == 'manager')].id`, `[3]`},
		{`departments[?(@.ghost)].id`, `[]`},
		{`departments[?(@.role)].id`, `[1,2,3]`},
		{`missing[?(@.role == 'member')].id`, ``},
		{`one[?(@.id == 'x')].tags`, `["t"]`},
		{`departments[role = "member"].id`, `2`},
		{`departments[[0..1]].id`, `[1,2]`},
		{"email.$uppercase()", `"ADA@EXAMPLE.COM"`},
		{"email.$substringBefore('@')", `"Ada"`},
		{"$count(departments)", `3`},
		{"email.$split('@')", `["Ada","example.com"]`},
		{"email.$split('@')[0]", `"Ada"`},
		{"email.$substring(4)", `"example.com"`},
		{"email.$substring(0, 3)", `"Ada"`},
		{"email.$pad(18, '.')", `"Ada@example.com..."`},
		{"email.$replace('@', ' at ')", `"Ada at example.com"`},
		{"email.$match(/[aA]/, 1).match", `"A"`},
		{"email.$length()", `15`},
		{"departments.id.$power(2)", `[1,4,9]`},
		{"departments.id.$floor()", `[1,2,3]`},
		{"metadata.$lookup('plan')", `"pro"`},
		{"metadata.$keys()", `["a-b","deep","list","nothing","plan"]`},
		{"emailVerified.$not()", `false`},
		{"$count(missing)", `0`},
		{"{'a': email, 'b': missing}", `{"a":"Ada@example.com"}`},
		{"[email, missing]", `["Ada@example.com"]`},
		{"[missing]", `[]`},
		{"$map(departments, function($d){$d.id})", `[1,2,3]`},
		{"$lookup(metadata, 'nothing')", `null`},
		{"metadata.nothing = null", `true`},
		{"'a' & function(){$}", `"a"`}, // not what the function has seen: the whole user
		{"'a' & [$uppercase, function($x){$x}]", `"a[\"\",\"\"]"`},
		{"metadata.*[$ = null]", `null`},
		{"$count(tags)", `3`},
		{"$max([githubUser.githubUserId, 5])", `9007199254740993`},
		{"$distinct([githubUser.githubUserId, 9007199254740992])", `[9007199254740993,9007199254740992]`},
		{"$exists(metadata.nothing)", `true`},
		{"profile.organisation.*", `["o1","One"]`},
		{"$keys(profile)", `["contributesTo","name","organisation"]`},
		{"$split(email, '@')", `["Ada","example.com"]`},
		{"$match(email, /@(.)/)", `{"groups":["e"],"index":3,"match":"@e"}`},
		{"$sum(departments.id)", `6`},
		{"/* note */ email", `"Ada@example.com"`},
		{`profile."organisation".id`, `"o1"`},
	} {
		e, err := jsonata.Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		value, found, err := e.Evaluate(t.Context(), document)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		got := ""
		if found {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			got = string(text)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (%s) (-want +got):\n%s", tt.text, e.Text(), d)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", "empty"},
		{"  \n", "empty"},
		{strings.Repeat("a.", 5000) + "a", "8192"},
		{strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200), "100 brackets"},
		{strings.Repeat("[", 10_000), "8192"},
		{"invalid jsonata path!?!", "no operator !"},
		{"invalid jsonata path", "at character 9"},
		{"a == b", "at character 3: JSONata compares with one equals sign; try ="},
		{"a && b", "try and"},
		{"a || b", "try or"},
		{"!a", "try $not"},
		{"a ?? b", "try $exists(a) ? a : b"},
		{"a ?: b", "try a ? a : b"},
		{"a@$x.b", "operator @"},
		{"a#$x.b", "operator #"},
		{"a.%.b", "operator %"},
		{"a['b']", "try .`b`"},
		{"a[0:2]", "try [[0..1]]"},
		{"a[1:]", "a list of positions"},
		{"a[0,2]", "[[0, …]]"},
		{"a[?(@.x =~ /b/)]", "not understood"},
		{"a[?(@.x == 'b'", "no end"},
		{"a[?()]", "no end"},
		{`a[?("")]`, "compares nothing"},
		{`a[?(@."x")]`, "compares nothing"},
		{"a.b.", "unexpected end"},
		{"(a", "at character 3"},
		{"a ~ b", "~"},
		{"{'unquoted': value value}", "at character 20"},
		{"..id", "at character 1"},
		{"/(/", "regular expression"},
		{"$.a.'b", "no closing"},
	} {
		_, err := jsonata.Parse(tt.text)
		if err == nil {
			t.Errorf("%.40s is accepted", tt.text)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %q does not say %q", tt.text, err, tt.want)
		}
	}
}

func TestFieldsThatCannotBeKnown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"**.id", "**"},
		{"($f := function($x){$x.children ? $f($x.children) : $x.id}; $f(org))", "calls itself"},
		{"($f := function($x){$g($x.a)}; $g := function($x){$f($x.b)}; $f(org))", "calls itself"},
		{"$reduce(a, function($x, $y){$x.parent})", "no end"},
		{"$reduce(a, function($x, $y){{'l': $x, 'r': $y}})", "no end"},
		{"$eval('a')", "run time"},
		{"profile ~> |organisation|{'id': 1}|", "transform"},
		{"sum(a)", "functions begin with a dollar sign; try $sum"},
		{"$summ(a)", "try $sum"},
		{"a.b.Count()", "try $count"},
		{"$lengh(a)", "try $length"},
		{"$nothing(a)", "$nothing"},
		{"$x", "$x"},
		{"$uppercase", "a function, not a value"},
		{"[function(){1}]", "a function, not a value"},
		{"a.b($x := 1)", "not known to be a function"},
		{"a[$x := 1]", "assignment"},
		{"($count := 1; $count)", "has a meaning"},
	} {
		e, err := jsonata.Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		fields, err := e.Fields()
		if err == nil {
			t.Errorf("%s reads %s", tt.text, fields)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q does not say %q", tt.text, err, tt.want)
		}
	}
}
