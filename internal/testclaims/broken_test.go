package testclaims_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/auth"
	"postern/claims"
)

// remembering answers a question about the schema once and then from memory, since these tests ask
// again and again.
type remembering struct {
	claims.Source

	mu     sync.Mutex
	schema json.RawMessage
}

// Query answers.
func (r *remembering) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	if !strings.Contains(query, "__schema") {
		return r.Source.Query(ctx, query, variables)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.schema == nil {
		r.schema, err = r.Source.Query(ctx, query, variables)
	}
	return r.schema, err
}

// judge opens settings and checks them. The mapper is nil when it could not be opened; verdict is what
// forbids the start.
func judge(t *testing.T, s claims.Settings, from claims.Source) (m *claims.Mapper, report claims.Report, verdict error) {
	t.Helper()
	m, err := claims.Open(s, from, time.Now)
	if err != nil {
		return nil, claims.Report{}, err
	}
	if report, err = m.Check(t.Context()); err != nil {
		t.Fatalf("the source cannot be asked: %v", err)
	}
	return m, report, report.Err()
}

// longest is how long one line of a message may be: people must be able to read it.
const longest = 600

// actable checks that a stranger could act on a message.
func actable(t *testing.T, verdict error, parts []string) {
	t.Helper()
	if verdict == nil {
		t.Error("nothing forbids the start")
		return
	}
	text := verdict.Error()
	for _, part := range append([]string{"AUTH_JWT_CUSTOM_CLAIMS"}, parts...) {
		if !strings.Contains(text, part) {
			t.Errorf("the message does not say %q:\n\t%s", part, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > longest || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) || !strings.HasPrefix(line, "AUTH_JWT_CUSTOM_CLAIMS") {
			t.Errorf("a line of the message is %d bytes long, or no text, or names no setting:\n\t%.1000s", len(line), line)
		}
	}
}

// givesNothing checks that no token could be issued.
func givesNothing(t *testing.T, m *claims.Mapper) {
	t.Helper()
	if m == nil {
		return
	}
	got, err := m.Of(t.Context(), rich, nil)
	if code := auth.CodeOf(err); got != nil || code != auth.ClaimsUnavailable && code != auth.ClaimMissing {
		t.Errorf("claims %v and error %v", got, err)
	}
	if m.Ready() == nil {
		t.Error("it is ready without a claim that is required")
	}
}

// TestBrokenExpressions gives each broken expression to both sources, for a required claim and for
// another one.
func TestBrokenExpressions(t *testing.T) {
	t.Parallel()
	database := application(t)
	remote, _ := overHTTP(t, database)
	own, other := &remembering{Source: builtIn(t, database)}, &remembering{Source: remote}
	for _, one := range misread() {
		t.Run(fmt.Sprintf("%.40s", one[0]), func(t *testing.T) {
			t.Parallel()
			parts := append([]string{`claim "bad"`}, one[1:]...)
			forbidden(t, other, one[0], parts, claims.Settings{Invalid: "refuse"}, true)
			if furtherNames()[one[0]] {
				if _, _, verdict := judge(t, claims.Settings{Definitions: badAndGood(t, one[0], true)}, own); verdict != nil {
					t.Errorf("the built-in source does not take this name: %v", verdict)
				}
				return
			}
			forbidden(t, own, one[0], parts, claims.Settings{Invalid: "refuse"}, false)
			forbidden(t, own, one[0], parts, claims.Settings{Invalid: "warn"}, true)
			leftOut(t, own, one[0])
		})
	}
}

// furtherNames are those of the broken expressions that the built-in source understands: there, a
// relationship has further names, such as that of its table.
func furtherNames() map[string]bool {
	return map[string]bool{
		`m.lms.id`: true, `companies.id`: true, `account_memberships.accounts.id`: true, `accountMemberships.account.id`: true, `github_user.accessToken`: true,
		`projects_leaded[].projectId`: true, `profile.contributesTo[].projects.id`: true, `profiles.organisation.id`: true,
	}
}

// badAndGood are two claims, of which one cannot work.
func badAndGood(t *testing.T, path string, required bool) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"good": "email", "bad": map[string]any{"path": path, "required": required}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forbidden checks that there is no start with a broken expression.
func forbidden(t *testing.T, from claims.Source, path string, parts []string, s claims.Settings, required bool) {
	t.Helper()
	s.Definitions = badAndGood(t, path, required)
	m, _, verdict := judge(t, s, from)
	actable(t, verdict, parts)
	if required {
		givesNothing(t, m)
	}
}

// leftOut checks that a broken claim which is not required is left out, with a warning, where the
// operator wants it so.
func leftOut(t *testing.T, from claims.Source, path string) {
	t.Helper()
	m, report, verdict := judge(t, claims.Settings{Definitions: badAndGood(t, path, false), Invalid: "warn"}, from)
	if m == nil || verdict != nil {
		t.Errorf("a claim that is not required forbids the start though only warnings are wanted: %v", verdict)
		return
	}
	if len(report.Problems) == 0 {
		t.Error("there is no warning")
	}
	got, err := m.Of(t.Context(), rich, nil)
	if want := "rich@example.com"; err != nil || len(got) != 1 || got["x-hasura-good"] != want {
		t.Errorf("claims %v, error %v, want the good one alone", got, err)
	}
}

// TestBrokenDefinitions tries whole settings that are broken: they are refused whatever
// AUTH_CLAIMS_INVALID says, for they hold required claims, or may. Only where nothing of the kind can be
// in what is no JSON at all, a warning does, as it did for Hasura Auth.
func TestBrokenDefinitions(t *testing.T) {
	t.Parallel()
	cached := &remembering{Source: builtIn(t, application(t))}
	for _, one := range misdefined() {
		t.Run(fmt.Sprintf("%.60s", one[0]), func(t *testing.T) {
			t.Parallel()
			for _, mode := range []string{"refuse", "warn"} {
				m, report, verdict := judge(t, claims.Settings{Definitions: one[0], Invalid: mode}, cached)
				if verdict == nil && mode == "warn" && !strings.Contains(strings.ToLower(one[0]), "req") {
					if len(report.Problems) != 1 || !m.None() {
						t.Errorf("%d problems, and there are claims: %v", len(report.Problems), !m.None())
					}
					continue
				}
				if verdict == nil {
					t.Errorf("with AUTH_CLAIMS_INVALID=%s:", mode)
				}
				actable(t, verdict, one[1:])
				givesNothing(t, m)
			}
		})
	}
}

// TestBrokenDefaults tries settings of defaults that cannot be right.
func TestBrokenDefaults(t *testing.T) {
	t.Parallel()
	for _, one := range mistakenDefaults() {
		t.Run(one[0], func(t *testing.T) {
			t.Parallel()
			_, err := claims.Open(claims.Settings{Definitions: `{"good": "email"}`, Defaults: one[0]}, &source{}, time.Now)
			actable(t, err, append([]string{"AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS"}, one[1:]...))
		})
	}
}

// TestAllProblemsAtOnce has many mistakes in one setting, which are told together, one a line: first
// those that can be seen without a schema, then those that cannot.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	cached := &remembering{Source: builtIn(t, application(t))}
	for _, one := range [][]string{
		{`{"a": "emial", "b": "user.id", "c": "email.domain", "d": "profle.id & orders.id"}`, "a", "b", "c", "d", "d"},
		{`{"a": {"path": "**.id", "required": true}, "b": "a b", "user-id": "id", "c": 1, "d": {"pth": "x"}}`, "a", "b", "user-id", "c", "d", "d"},
	} {
		_, _, verdict := judge(t, claims.Settings{Definitions: one[0]}, cached)
		if verdict == nil {
			t.Fatal("nothing forbids the start")
		}
		lines := strings.Split(verdict.Error(), "\n")
		if len(lines) != len(one)-1 {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(one)-1, verdict)
		}
		for i, claim := range one[1:] {
			if !strings.Contains(lines[i], `claim "`+claim+`"`) {
				t.Errorf("line %d is not about the claim %q: %s", i, claim, lines[i])
			}
		}
	}
}
