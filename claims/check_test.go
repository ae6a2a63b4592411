package claims

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/claims/jsonata"
	"postern/claims/schema"
)

// TestBrokenClaims checks expressions that cannot work. Each is refused, and the message says where
// and what would be right.
func TestBrokenClaims(t *testing.T) {
	t.Parallel()
	tests := []struct {
		definition any
		want       string
	}{
		{"emial", `emial: there is no field "emial" on the user (type users); did you mean email?`},
		{"display_name", `did you mean displayName?`},
		{"profile.organization.id", `profile.organization: there is no field "organization" on profile (type profiles); did you mean organisation?`},
		{"profile.organisation.naem.x", `profile.organisation.naem: there is no field "naem" on organisation (type organizations); it has id, organization, plan, projects, size`},
		{"company.id", `company: there is no field "company" on the user (type users)`},
		{"path.does.`not-exist`", `path: there is no field "path" on the user`},
		{"contribution[].id", `did you mean contributions`},
		{"user.company.id", "the expression begins at the user already: write company.id"},
		{"user.profile.organisation[].id", "write profile.organisation[].id"},
		{"user.metadata.role", "write metadata.role"},
		{"$uppercase(user.email)", "write $uppercase(email)"},
		{"user", "write the name of one of the user's fields"},
		{"profile.user.emial", `profile.user.emial: there is no field "emial"`},
		{"email.domain", "email.domain: email is a plain value (type citext), and nothing is in it"},
		{"profile.organisation.plan.name", "plan is a plain value"},
		{"email.*", "email.*: email is a plain value"},
		{"`weird key`", `GraphQL cannot have one of that name; such names exist only inside of json columns`},
		{"profile.`weird key`.x", `profile.weird key: there is no field`},
		{"secure", `secure: it needs the argument key, which JSONata cannot give; write the fields by hand with the member "select"`},
		{"thing.id", "thing: it is a union or an interface, which claims cannot read"},
		{"profile.*.nosuch", ""}, // a json column may have it
		{"githubUser.*.nosuch", "githubUser.*: nothing here has what is read below the *"},
		{map[string]any{"path": "x", "select": "emial"}, `select: emial: there is no field "emial" on the user (type users); did you mean email?`},
		{map[string]any{"path": "x", "select": "profile"}, "select: profile: it is an object; write in braces"},
		{map[string]any{"path": "x", "select": "email { x }"}, "select: email: it is of the type citext, which has no fields"},
		{map[string]any{"path": "x", "select": "contributions(limt: 1) { id }"}, `it has no argument "limt"`},
		{map[string]any{"path": "x", "select": "contributions(limit: $n) { id }"}, "the variable $n is not known"},
		{map[string]any{"path": "x", "select": "secure"}, `it needs the argument "key"`},
		{map[string]any{"path": "x", "select": "email @skip(if: true)"}, "directives cannot be used"},
		{map[string]any{"path": "x", "select": "... on users { email }"}, "fragments cannot be used"},
		{map[string]any{"path": "x", "select": "x: email x: id"}, "two different fields have the name x"},
		{map[string]any{"path": "x", "select": "thing { __typename }"}, "union or an interface"},
		{map[string]any{"path": "profile.id", "select": "profile { nick }"}, `the expression reads profile.id, which is not among the fields`},
	}
	for _, tt := range tests {
		text := define(t, tt.definition)
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			m, from := open(t, Settings{Definitions: strings.TrimSuffix(text, "}") + `, "good": "email"}`})
			r, err := m.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if r.Err() != nil {
					t.Errorf("refused: %v", r.Err())
				}
				return
			}
			if r.Err() == nil || !strings.Contains(r.Err().Error(), tt.want) {
				t.Errorf("the check says %v, want %s", r.Err(), tt.want)
			}
			got, err := m.Of(t.Context(), ann, nil)
			if diff := cmp.Diff(map[string]string{"x-hasura-good": "ann@example.com"}, got); diff != "" || err != nil {
				t.Errorf("claims %v (-want +got):\n%s", err, diff)
			}
			if data, _ := from.asked(); data[0] != "query PosternClaims($id: uuid!) { user(id: $id) { email } }" {
				t.Errorf("asked %s", data[0])
			}
		})
	}
}

// TestAllProblemsAtOnce holds that one check says all there is to say.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	m, _ := open(t, Settings{Definitions: `{"a": "emial", "b": "email", "c": "emial & displayNaem"}`})
	r, err := m.Check(t.Context())
	if err != nil || len(r.Problems) != 3 || r.Claims != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	if lines := strings.Split(r.Err().Error(), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], `AUTH_JWT_CUSTOM_CLAIMS: claim "a": emial: `) {
		t.Errorf("%s", r.Err())
	}
}

// TestWarnings are what works and may surprise.
func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ expression, want string }{
		{"contributions.project.id", "contributions is a list: with one row the claim is a single value, and with several a list; write [] to get a list always: contributions[].project.id"},
		{"profile.contributesTo.project.id", "write [] to get a list always: profile.contributesTo[].project.id"},
		{"contributions[].project.id", ""},
		{"contributions.project.id[]", ""},
		{"contributions[*].id", ""},
		{"$count(contributions)", ""},
		{"$join(contributions.role, ',')", ""},
		{"metadata.list", ""},
		{"$random()", "it gives another value each time"},
		{"$number(email)", "it fails on every user that the check could invent"},
		{"metadata.age > 18", ""},
	} {
		m, _ := open(t, Settings{Definitions: define(t, tt.expression)})
		r, err := m.Check(t.Context())
		if err != nil || len(r.Problems) > 0 {
			t.Errorf("%s: %+v %v", tt.expression, r, err)
		}
		switch {
		case tt.want == "" && len(r.Warnings) > 0, tt.want != "" && (len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, tt.want)):
			t.Errorf("%s: %+v, want %q", tt.expression, r.Warnings, tt.want)
		}
	}
}

// TestExpressionsThatReadMore plants expressions whose fields were not all seen. Their claims would be
// wrong, so each is refused.
func TestExpressionsThatReadMore(t *testing.T) {
	t.Parallel()
	used := &jsonata.Field{Used: true}
	in := func(name string, f *jsonata.Field) *jsonata.Field {
		return &jsonata.Field{Children: map[string]*jsonata.Field{name: f}}
	}
	counted := &jsonata.Field{Counted: true}
	for _, tt := range []struct {
		expression string
		seen       *jsonata.Field
	}{
		{"email & displayName", in("email", used)},
		{"profile.organisation.organization", in("profile", in("organisation", in("id", used)))},
		{"contributions[role='lead'].id", in("contributions", in("id", used))},
		{"$string(profile)", in("profile", in("id", used))},
		{"$count(contributions)", in("email", used)},
		{"contributions.role", in("contributions", counted)},
		{"profile.*.id", in("profile", in("organisation", in("id", used)))},
		{"organizations.size > 5 ? email : displayName", in("organizations", in("size", used))},
	} {
		d := Settings{Definitions: define(t, tt.expression)}.read()
		d.list[0].reads = tt.seen
		p := build(t.Context(), d, readSchema(t), time.Now())
		if p.report.Err() == nil || !strings.Contains(p.report.Err().Error(), `member "select"`) {
			t.Errorf("%s with the fields %s passes", tt.expression, tt.seen)
		}
		d.list[0].reads, _ = d.list[0].expression.Fields()
		if p := build(t.Context(), d, readSchema(t), time.Now()); p.report.Err() != nil {
			t.Errorf("%s with its own fields: %v", tt.expression, p.report.Err())
		}
	}
}

func readSchema(t testing.TB) *schema.Schema {
	t.Helper()
	answer, err := newSource(t, model).Query(t.Context(), schema.Introspection, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestByHand gives fields by hand: arguments, aliases, and any expression over them.
func TestByHand(t *testing.T) {
	t.Parallel()
	m, from := open(t, Settings{Definitions: `{
		"deep": {"path": "**.name[]", "select": "contributions(limit: 5, where: \"a\\\"\u2028b\") { project { name } }"},
		"alias": {"path": "mine.what", "select": "{ mine: profile { what: id } }"},
		"plain": "profile.organisation.id", "mail": {"path": "email", "select": "email"}}`})
	r, err := m.Check(t.Context())
	if err != nil || r.Err() != nil {
		t.Fatalf("%v %v", r.Err(), err)
	}
	want := `query PosternClaims($id: uuid!) { user(id: $id) { profile { organisation { id } } }` +
		` c1: user(id: $id) { contributions(limit: 5, where: "a\"` + "\u2028" + `b") { project { name } } }` +
		` c2: user(id: $id) { mine: profile { what: id } } c4: user(id: $id) { email } }`
	if r.Query != want {
		t.Errorf("the query is\n%s, want\n%s", r.Query, want)
	}
	got, err := m.Of(t.Context(), ann, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(`x-hasura-deep={"One","Two"} x-hasura-alias=p1 x-hasura-plain=o1 x-hasura-mail=ann@example.com`, ""), got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if data, _ := from.asked(); len(data) != 1 {
		t.Errorf("%d questions", len(data))
	}
}

// TestInspectASchemaFile reads a schema from a file, with and without what a server wraps around it. It
// says what Open would refuse, too.
func TestInspectASchemaFile(t *testing.T) {
	t.Parallel()
	s := Settings{Definitions: `{"a": "emial", "b": "("}`}
	inner, err := json.Marshal(introspect(newSource(t, model).schema))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{string(inner), `{"data": ` + string(inner) + `}`} {
		if r, err := Inspect(t.Context(), s, SchemaFile(file), time.Now); err != nil || len(r.Problems) != 2 {
			t.Errorf("%+v %v", r, err)
		}
	}
	for _, file := range []string{"{}", "", `{"data": 1}`, "no JSON"} {
		if r, err := Inspect(t.Context(), s, SchemaFile(file), time.Now); err == nil {
			t.Errorf("%q was taken for a schema: %+v", file, r)
		}
	}
}

// TestCostlyExpressions holds that a check ends, whatever it is given.
func TestCostlyExpressions(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		"*.*.*.*.*.*.*.*.*.*.nothing", "*.*.*.*.*.*.*.*.*.id", "[1..10000000]", "($f := function($x) { $f($x + 1) }; $f(1))",
		strings.Repeat("profile.user.", 200) + "email", strings.Repeat("(", 500) + "email" + strings.Repeat(")", 500),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		m, err := Open(Settings{Definitions: define(t, expression)}, newSource(t, model), time.Now)
		if err == nil {
			if _, err := m.Check(ctx); err != nil {
				t.Errorf("%.40s: %v", expression, err)
			}
		}
		cancel()
	}
}

// TestSettingsOfTheSource holds that what is wrong with them forbids the start as claims do, and that
// relationships by further names can be read and are not meant by wildcards.
func TestSettingsOfTheSource(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"refuse", "warn"} {
		s := Settings{Definitions: `{"mail": "email"}`, Invalid: mode}
		from := misconfigured{newSource(t, model), []string{"AUTH_CLAIMS_RELATIONSHIPS: there is no table x: at all"}}
		m, err := Open(s, from, newClock().Now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Check(t.Context())
		if err != nil || len(r.Problems) != 1 {
			t.Fatalf("%+v %v", r, err)
		}
		const want = "AUTH_CLAIMS_RELATIONSHIPS: there is no table x: at all"
		if forbidden := r.Err(); (forbidden != nil) != (mode == "refuse") || forbidden != nil && forbidden.Error() != want {
			t.Errorf("%s: %v", mode, forbidden)
		}
	}
	further := strings.Replace(model, "profile: profiles\n", "profile: profiles\n\tbio: profiles @deprecated(reason: \"another name of profile\")\n", 1)
	for expression, bio := range map[string]bool{"*.nick": false, "bio.nick": true} {
		m, err := Open(Settings{Definitions: define(t, expression)}, newSource(t, further), newClock().Now)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Check(t.Context())
		if err != nil || r.Err() != nil {
			t.Fatalf("%+v %v", r, err)
		}
		if strings.Contains(r.Query, "bio") != bio {
			t.Errorf("the query of %s is %s", expression, r.Query)
		}
	}
}

// misconfigured is a source with wrong settings.
type misconfigured struct {
	Source

	problems []string
}

// Problems are what is wrong.
func (m misconfigured) Problems(context.Context) ([]string, error) { return m.problems, nil }
