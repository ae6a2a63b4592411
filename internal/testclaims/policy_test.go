package testclaims_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"postern/auth"
	"postern/claims"
	"postern/internal/fakehasura"
)

// The outcomes that are no literal.
const (
	omitted     = "(no claim)"
	missing     = "(refused: no value)"
	unavailable = "(refused: cannot be computed)"
)

// A plight is a state of the data, or of where it comes from.
type plight struct {
	name   string
	person string
	path   string                   // a plain expression
	list   string                   // one that is shaped as a list
	source func(*fakehasura.Engine) // what is wrong with it, after the claims were checked
	want   outcomes
}

// outcomes are what becomes of a claim, by how it is defined.
type outcomes struct {
	plain, fallback, required, requiredFallback string
	list, listFallback, listRequired            string
}

// plights are the rows of the matrix. D is the default.
func plights() []plight {
	failed := outcomes{omitted, "D", unavailable, unavailable, omitted, "D", unavailable}
	absent := outcomes{omitted, "D", missing, "D", "{}", "D", missing}
	const path, list = "profile.organisation.name", "profile.contributesTo[].project.id"
	return []plight{
		{"a value", rich, path, list, nil, outcomes{
			"Acme", "Acme", "Acme", "Acme", `{"` + project1 + `","` + project2 + `"}`, `{"` + project1 + `","` + project2 + `"}`, `{"` + project1 + `","` + project2 + `"}`,
		}},
		{"an empty text", single, "m.k", "m.l2[]", nil, outcomes{"", "", "", "", `{"a"}`, `{"a"}`, `{"a"}`}},
		{"null", single, path, "document.m.nothing[]", nil, absent},
		{"null in a list column", bare, "m.k", "m.l2[]", nil, absent},
		{"a missing parent", empty, path, list, nil, absent},
		{"a parent that is null", bare, path, "profile.organisation[].id", nil, absent},
		{"an empty list", empty, "departments.id", "departments[].id", nil, outcomes{omitted, "D", missing, "D", "{}", "{}", "{}"}},
		{"nothing that fits", single, `departments[role = "x"].id`, `departments[?(@.role == "x")].id`, nil, outcomes{omitted, "D", missing, "D", "{}", "{}", "{}"}},
		{"an expression that fails", rich, "$number(displayName)", "[departments.$number(role)]", nil, failed},
		{"nobody of that id", nobody, path, list, nil, failed},
		{"the source is down", rich, path, list, func(e *fakehasura.Engine) { e.Down(true) }, failed},
		{"the source is slow", rich, path, list, func(e *fakehasura.Engine) { e.Misbehave(fakehasura.Slow(10 * time.Second)) }, failed},
		{"the source has broken", rich, path, list, says(500, "text/plain", "oops"), failed},
		{"the source answers errors", rich, path, list, says(200, "application/json", `{"errors":[{"message":"database query error","extensions":{"code":"unexpected"}}]}`), failed},
		{"the source knows no such field", rich, path, list, says(200, "application/json", `{"errors":[{"message":"field 'x' not found in type: 'users'","extensions":{"code":"validation-failed","path":"$.selectionSet"}}]}`), failed},
		{"the source answers nonsense", rich, path, list, says(200, "application/json", `{"data":{"user":[]}}`), failed},
		{"the source answers nothing", rich, path, list, says(200, "application/json", `{"data":{}}`), failed},
	}
}

func says(status int, kind, body string) func(*fakehasura.Engine) {
	return func(e *fakehasura.Engine) { e.Misbehave(fakehasura.Says(status, kind, body)) }
}

// TestPolicy is every plight against every way to define a claim.
func TestPolicy(t *testing.T) {
	t.Parallel()
	database := application(t)
	for _, p := range plights() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			from, fake := overHTTP(t, database)
			cached := &remembering{Source: from}
			type form struct {
				name, path, want string
				required         bool
				fallback         string // "", "own" or "shared"
			}
			w := p.want
			var mappers []*claims.Mapper
			forms := []form{
				{"plain", p.path, w.plain, false, ""},
				{"default", p.path, w.fallback, false, "own"},
				{"shared default", p.path, w.fallback, false, "shared"},
				{"required", p.path, w.required, true, ""},
				{"required with default", p.path, w.requiredFallback, true, "own"},
				{"required with shared default", p.path, w.requiredFallback, true, "shared"},
				{"list", p.list, w.list, false, ""},
				{"list with default", p.list, w.listFallback, false, "own"},
				{"list with shared default", p.list, w.listFallback, false, "shared"},
				{"required list", p.list, w.listRequired, true, ""},
			}
			for _, f := range forms {
				mappers = append(mappers, formed(t, cached, p.limit(), f.path, f.required, f.fallback))
			}
			if p.source != nil {
				p.source(fake)
			}
			for i, f := range forms {
				if got := outcome(t, mappers[i], p.person); got != f.want {
					t.Errorf("%s: %s, want %s", f.name, got, f.want)
				}
			}
		})
	}
}

// The limits of time: one for sources that will not answer, and one for those that will, however busy
// the machine is.
const (
	short = 250 * time.Millisecond
	ample = 20 * time.Second
)

func (p plight) limit() time.Duration {
	if p.name == "the source is slow" {
		return short
	}
	return ample
}

// formed opens and checks a mapper with one claim, "c".
func formed(t *testing.T, from claims.Source, limit time.Duration, path string, required bool, fallback string) *claims.Mapper {
	t.Helper()
	definition := map[string]any{"path": path}
	if required {
		definition["required"] = true
	}
	s := claims.Settings{Timeout: limit}
	switch fallback {
	case "own":
		definition["default"] = "D"
	case "shared":
		s.Defaults = `{"X-Hasura-C": "D"}`
	}
	text, err := json.Marshal(map[string]any{"c": definition})
	if err != nil {
		t.Fatal(err)
	}
	s.Definitions = string(text)
	m := open(t, s, from)
	if report, err := m.Check(t.Context()); err != nil || report.Err() != nil {
		t.Fatalf("the check: %v, %v", err, report.Problems)
	}
	return m
}

// outcome computes the claim "c".
func outcome(t *testing.T, m *claims.Mapper, person string) string {
	t.Helper()
	got, err := m.Of(t.Context(), person, nil)
	switch {
	case auth.CodeOf(err) == auth.ClaimMissing && got == nil:
		return missing
	case auth.CodeOf(err) == auth.ClaimsUnavailable && got == nil:
		return unavailable
	case err != nil:
		t.Fatalf("claims %v, error %v", got, err)
	}
	if literal, ok := got["x-hasura-c"]; ok && len(got) == 1 {
		return literal
	} else if ok || len(got) > 0 {
		t.Fatalf("claims %v", got)
	}
	return omitted
}

// TestSourceErrorsDoNotShowValues looks at what is told of failures: no value of the user and no
// secret.
func TestSourceErrorsDoNotShowValues(t *testing.T) {
	t.Parallel()
	from, fake := overHTTP(t, application(t))
	m := formed(t, from, ample, "$number(githubUser.accessToken)", false, "")
	failures := told(m)
	if got := outcome(t, m, rich); got != omitted {
		t.Fatal(got)
	}
	fake.Misbehave(func(w http.ResponseWriter, r *http.Request) {
		fakehasura.Says(200, "application/json", `{"errors":[{"message":"secret `+r.Header.Get("X-Hasura-Admin-Secret")+`"}]}`)(w, r)
	})
	if got := outcome(t, m, rich); got != omitted {
		t.Fatal(got)
	}
	list := failures()
	if len(list) != 2 || list[0].Claim != "x-hasura-c" || list[0].UserID != rich || list[1].Claim != "" || list[1].Unreachable {
		t.Errorf("told %+v, want the claim and then the source", list)
	}
	for _, f := range list {
		if f.Reason == "" || containsAny(f.Reason, "gho_rich", fakehasura.Secret) {
			t.Errorf("the reason is empty or shows too much: %q", f.Reason)
		}
	}
}
