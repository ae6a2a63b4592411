package testclaims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/claims"
)

// TestExpressionsInUse gives each expression that was found in use to both sources, for every kind of
// user: the claim, and what was asked for it.
func TestExpressionsInUse(t *testing.T) {
	t.Parallel()
	database := application(t)
	remote, _ := overHTTP(t, database)
	for _, from := range []*source{builtIn(t, database), remote} {
		t.Run(from.name, func(t *testing.T) {
			t.Parallel()
			cached := &remembering{Source: from}
			for _, e := range expressions() {
				t.Run(e.number, func(t *testing.T) { e.try(t, cached, from) })
			}
		})
	}
}

// try computes the claim of one expression for everybody.
func (e expression) try(t *testing.T, cached *remembering, from *source) {
	t.Helper()
	m := open(t, claims.Settings{Definitions: definitions(t, e)}, cached)
	report, err := m.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	query := "query PosternClaims($id: uuid!) { user(id: $id) " + e.query + " }"
	if report.Query != query || len(report.Problems) > 0 {
		t.Fatalf("query\n\t%s, want\n\t%s; problems %v", report.Query, query, report.Problems)
	}
	from.asked()
	for _, p := range people() {
		got, err := m.Of(t.Context(), p, nil)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		want := map[string]string{}
		if literal, ok := e.want[p]; ok {
			want[e.name] = literal
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", e.path, p, diff)
		}
		if diff := cmp.Diff([]asked{{query, map[string]any{"id": p}}}, from.asked(), cmp.AllowUnexported(asked{})); diff != "" {
			t.Errorf("asked for %s (-want +got):\n%s", p, diff)
		}
	}
}

// TestAllExpressionsAtOnce has all of them in one token: one query, and no claim depends on another.
func TestAllExpressionsAtOnce(t *testing.T) {
	t.Parallel()
	database := application(t)
	remote, _ := overHTTP(t, database)
	all := expressions()
	for i := range all {
		all[i].claim = fmt.Sprintf("c%d", i)
		all[i].name = "x-hasura-" + all[i].claim
	}
	const query = "query PosternClaims($id: uuid!) { user(id: $id) { account_memberships { account { id } } company { id } company_id customClaimValue " +
		"departments { id role } displayName document { m } githubUser { accessToken githubUserId } m { d { id v } k l l2 lm { id } user_id } metadata " +
		"organizations { organization } profile { contributesTo { project { id } } metadata organisation { id } organization { id } organizations { id } } " +
		"projectsLeaded { projectId } vvv } }"
	for _, from := range []*source{builtIn(t, database), remote} {
		t.Run(from.name, func(t *testing.T) {
			t.Parallel()
			m := open(t, claims.Settings{Definitions: definitions(t, all...), MaxBytes: 1 << 20}, from)
			if report, err := m.Check(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Fatal(err, report.Problems)
			}
			from.asked()
			for _, p := range people() {
				want := map[string]string{}
				for _, e := range all {
					if literal, ok := e.want[p]; ok {
						want[e.name] = literal
					}
				}
				got, err := m.Of(t.Context(), p, nil)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("claims of %s (-want +got):\n%s", p, diff)
				}
				if diff := cmp.Diff([]asked{{query, map[string]any{"id": p}}}, from.asked(), cmp.AllowUnexported(asked{})); diff != "" {
					t.Errorf("asked for %s (-want +got):\n%s", p, diff)
				}
			}
		})
	}
}

// TestNoClaims are the settings that define none: nobody is asked anything.
func TestNoClaims(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "  \n", "{}", " { } "} { // number 30 of the expressions in use
		m, err := claims.Open(claims.Settings{Definitions: text}, nil, nil)
		if err != nil || !m.None() {
			t.Errorf("%q: none is %t, error %v", text, m.None(), err)
			continue
		}
		got, err := m.Of(t.Context(), rich, nil)
		if err != nil || len(got) > 0 || m.Ready() != nil {
			t.Errorf("%q: claims %v, error %v, ready %v", text, got, err, m.Ready())
		}
	}
}

// TestHasuraHearsOneRequest looks at what travels: one request for a token, with the secret and with
// nothing of the user but their id.
func TestHasuraHearsOneRequest(t *testing.T) {
	t.Parallel()
	from, fake := overHTTP(t, application(t))
	m := open(t, claims.Settings{Definitions: `{"org": "profile.organisation.id", "plan": "metadata.plan"}`}, from)
	if _, err := m.Of(t.Context(), rich, nil); err != nil {
		t.Fatal(err)
	}
	before := len(fake.Queries())
	if _, err := m.Of(t.Context(), single, nil); err != nil {
		t.Fatal(err)
	}
	queries := fake.Queries()[before:]
	if len(queries) != 1 || len(queries[0].Variables) != 1 || queries[0].Variables["id"] != single || strings.Contains(queries[0].Query, single) {
		t.Errorf("asked %+v, want one query with the id in a variable", queries)
	}
}
