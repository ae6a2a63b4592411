package claims

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClaims computes one claim at a time. want is the literal; gone means no claim.
func TestClaims(t *testing.T) {
	t.Parallel()
	const gone = "(no claim)"
	tests := []struct {
		expression string
		want       string
		reads      string // of the user
	}{
		{"email", "ann@example.com", "{ email }"},
		{"emailVerified", "false", "{ emailVerified }"},
		{"profile.organisation.id", "o1", "{ profile { organisation { id } } }"},
		{"profile.organisation[].id", `{"o1"}`, "{ profile { organisation { id } } }"},
		{"profile.organisation.id[]", `{"o1"}`, "{ profile { organisation { id } } }"},
		{"profile.organisation.size", "9007199254740993", "{ profile { organisation { size } } }"},
		{"profile.organisation.plan", "pro", "{ profile { organisation { plan } } }"},
		{"profile.nick", gone, "{ profile { nick } }"},
		{"profile.contributesTo[].project.id", `{"j1"}`, "{ profile { contributesTo { project { id } } } }"},
		{"profile.contributesTo.project.id", "j1", "{ profile { contributesTo { project { id } } } }"},
		{"contributions[].project.id", `{"j1","j2"}`, "{ contributions { project { id } } }"},
		{"contributions.project.id", `{"j1","j2"}`, "{ contributions { project { id } } }"},
		{"contributions[*].id", `{"c1","c2"}`, "{ contributions { id } }"},
		{"contributions[0].id", "c1", "{ contributions { id } }"},
		{`contributions[?(@.role == "lead")].id`, `{"c1"}`, "{ contributions { id role } }"},
		{`contributions[?(@.role == 'nobody')].id`, "{}", "{ contributions { id role } }"},
		{"contributions[role='dev'].project.name", "Two", "{ contributions { project { name } role } }"},
		{"$sum(contributions.weight)", "5", "{ contributions { weight } }"},
		{"$count(contributions)", "2", "{ contributions { id } }"},
		{"$count(roles)", "2", "{ roles { __typename } }"},
		{"contributions_aggregate.aggregate.count", "2", "{ contributions_aggregate { aggregate { count } } }"},
		{"organizations[].organization", "{}", "{ organizations { organization } }"},
		{"organizations.organization", gone, "{ organizations { organization } }"},
		{"tags", `{"x"}`, "{ tags }"},
		{"tags[]", `{"x"}`, "{ tags }"},
		{"githubUser.githubUserId", "12345678901234567", "{ githubUser { githubUserId } }"},
		{"githubUser.score", "1.50", "{ githubUser { score } }"},
		{"metadata.plan", "pro", "{ metadata }"},
		{"metadata.big", "12345678901234567890", "{ metadata }"},
		{"metadata.list", `{"one"}`, "{ metadata }"},
		{"metadata.nothing", gone, "{ metadata }"},
		{"metadata.m.l[2]", "c", "{ metadata }"},
		{"metadata.m.d[?(@.v == 'a')].id", "{1,3}", "{ metadata }"},
		{"metadata.m", `{"d":[{"id":1,"v":"a"},{"id":2,"v":"b"},{"id":3,"v":"a"}],"l":["a","b","c"]}`, "{ metadata }"},
		{"profile.settings.`weird key`.x", "y", "{ profile { settings } }"},
		{"metadata.plan = 'pro' ? 'paying' : 'free'", "paying", "{ metadata }"},
		{"email.$uppercase()", "ANN@EXAMPLE.COM", "{ email }"},
		{"displayName & ' <' & email & '>'", "Ann <ann@example.com>", "{ displayName email }"},
		{"profile.organisation", `{"id":"o1","organization":"Acme","plan":"pro","size":9007199254740993}`, "{ profile { organisation { id organization plan size } } }"},
		{"profile.*.id", `{"c1","c2","o1"}`, "{ profile { contributesTo { id } organisation { id } settings user { id } } }"},
		{"1 + 1", "2", "{ id }"},
	}
	for _, tt := range tests {
		t.Run(tt.expression, func(t *testing.T) {
			t.Parallel()
			m, from := open(t, Settings{Definitions: define(t, tt.expression)})
			report, err := m.Check(t.Context())
			if err != nil || len(report.Problems) > 0 {
				t.Fatalf("check: %v %v", report.Problems, err)
			}
			if want := "query PosternClaims($id: uuid!) { user(id: $id) " + tt.reads + " }"; report.Query != want {
				t.Errorf("the query is\n%s, want\n%s", report.Query, want)
			}
			got, err := m.Of(t.Context(), ann, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"x-hasura-it": tt.want}
			if tt.want == gone {
				want = map[string]string{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if data, _ := from.asked(); len(data) != 1 {
				t.Errorf("%d questions for one token", len(data))
			}
		})
	}
}
