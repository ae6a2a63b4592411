package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// model is a source's schema as Hasura would have it: users, a profile each, organisations, projects,
// and columns of every kind.
const model = `
scalar uuid
scalar citext
scalar jsonb
scalar timestamptz
scalar bigint
scalar numeric
type query_root {
	user(id: uuid!): users
	users(where: String, limit: Int): [users!]!
}
type users {
	id: uuid!
	email: citext
	emailVerified: Boolean!
	displayName: String!
	createdAt: timestamptz!
	metadata(path: String): jsonb
	passwordHash: String
	ticket: String
	profile: profiles
	contributions(limit: Int, where: String): [contributions!]!
	contributions_aggregate(where: String): contributions_aggregate!
	organizations: [organizations!]!
	tags: [String!]
	githubUser: github_users
	secure(key: String!): String
	thing: thing
	roles: [roles!]!
}
type roles { role: String!  user: users! }
type contributions_aggregate { aggregate: contributions_count nodes: [contributions!]! }
type contributions_count { count(distinct: Boolean): Int! }
type profiles { id: uuid! nick: String organisation: organizations settings: jsonb user: users! contributesTo: [contributions!]! }
type contributions { id: uuid! role: String! weight: Int! project: projects user: users! }
type projects { id: uuid! name: String! organization: organizations }
type organizations { id: uuid! organization: String! plan: plan! size: bigint projects: [projects!]! }
type github_users { githubUserId: bigint! accessToken: String score: numeric }
enum plan { free pro }
union thing = projects | organizations
schema { query: query_root }
`

// source answers GraphQL in process, from data that is the documents of users.
type source struct {
	mu      sync.Mutex
	schema  *ast.Schema
	users   map[string]map[string]any
	fail    func(ctx context.Context, query string) error // asked before each answer
	queries []string
}

func newSource(t testing.TB, sdl string) *source {
	t.Helper()
	s := &source{users: map[string]map[string]any{}}
	s.become(t, sdl)
	return s
}

// become changes the schema under the source.
func (s *source) become(t testing.TB, sdl string) {
	t.Helper()
	parsed, err := gqlparser.LoadSchema(&ast.Source{Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema = parsed
}

// put adds a user.
func (s *source) put(t testing.TB, id, document string) {
	t.Helper()
	value, err := decode([]byte(document))
	user, ok := value.(map[string]any)
	if err != nil || !ok {
		t.Fatalf("not a user: %s: %v", document, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = user
}

// breakWith has every question fail, or none when fail is nil.
func (s *source) breakWith(fail func(ctx context.Context, query string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// asked are the queries for users so far.
func (s *source) asked() (data, introspections []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if strings.Contains(q, "__schema") {
			introspections = append(introspections, q)
		} else {
			data = append(data, q)
		}
	}
	return data, introspections
}

// refused is an answer with errors; down is none.
type refused []string

func (r refused) Error() string           { return strings.Join(r, "; ") }
func (r refused) GraphQLErrors() []string { return r }

type down string

func (d down) Error() string     { return string(d) }
func (d down) Unreachable() bool { return true }

func (s *source) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	s.mu.Lock()
	s.queries = append(s.queries, query)
	fail, known := s.fail, s.schema
	s.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, query); err != nil {
			return nil, err
		}
	}
	if strings.Contains(query, "__schema") {
		return json.Marshal(introspect(known))
	}
	document, wrong := gqlparser.LoadQueryWithRules(known, query, rules.NewDefaultRules())
	if wrong != nil {
		return nil, refused{wrong.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]any{}
	for _, one := range document.Operations[0].SelectionSet {
		field, _ := one.(*ast.Field)
		id, err := field.Arguments.ForName("id").Value.Value(variables)
		if err != nil {
			return nil, err
		}
		answer[field.Alias] = nil
		if user, ok := s.users[fmt.Sprint(id)]; ok {
			answer[field.Alias] = resolve(user, field.SelectionSet)
		}
	}
	return json.Marshal(answer)
}

func resolve(value any, set ast.SelectionSet) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = resolve(v[i], set)
		}
		return list
	case map[string]any:
		if len(set) == 0 {
			return v // a json column
		}
		object := map[string]any{}
		for _, one := range set {
			field, _ := one.(*ast.Field)
			object[field.Alias] = resolve(v[field.Name], field.SelectionSet)
		}
		return object
	default:
		return v
	}
}

func introspect(s *ast.Schema) any {
	var types []any
	for _, t := range s.Types {
		var fields []any
		for _, f := range t.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			args := []any{}
			for _, a := range f.Arguments {
				args = append(args, map[string]any{"name": a.Name, "defaultValue": nil, "type": ref(s, a.Type)})
			}
			fields = append(fields, map[string]any{"name": f.Name, "isDeprecated": f.Directives.ForName("deprecated") != nil, "args": args, "type": ref(s, f.Type)})
		}
		types = append(types, map[string]any{"kind": t.Kind, "name": t.Name, "fields": fields})
	}
	return map[string]any{"__schema": map[string]any{"queryType": map[string]any{"name": s.Query.Name}, "types": types}}
}

func ref(s *ast.Schema, t *ast.Type) any {
	switch {
	case t.NonNull:
		inner := *t
		inner.NonNull = false
		return map[string]any{"kind": "NON_NULL", "name": nil, "ofType": ref(s, &inner)}
	case t.Elem != nil:
		return map[string]any{"kind": "LIST", "name": nil, "ofType": ref(s, t.Elem)}
	default:
		return map[string]any{"kind": s.Types[t.NamedType].Kind, "name": t.NamedType}
	}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const ann = "7d3f0f5a-0000-4000-8000-000000000001"

// annas is a user with something everywhere.
const annas = `{
	"id": "` + ann + `", "email": "ann@example.com", "emailVerified": false, "displayName": "Ann",
	"createdAt": "2024-01-01T10:00:00+00:00", "passwordHash": "$2a$10$secret", "ticket": "verifyEmail:secret",
	"metadata": {"plan": "pro", "name": "Annie", "list": ["one"], "nothing": null, "big": 12345678901234567890, "m": {"l": ["a", "b", "c"], "d": [{"v": "a", "id": 1}, {"v": "b", "id": 2}, {"v": "a", "id": 3}]}},
	"tags": ["x"],
	"profile": {"id": "p1", "nick": null, "organisation": {"id": "o1", "organization": "Acme", "plan": "pro", "size": 9007199254740993, "projects": []},
		"settings": {"nul": "\u0000", "weird key": {"x": "y"}}, "contributesTo": [{"id": "c1", "role": "lead", "weight": 2, "project": {"id": "j1", "name": "One"}}, {"id": "c2", "role": "dev", "weight": 3, "project": null}]},
	"contributions": [{"id": "c1", "role": "lead", "weight": 2, "project": {"id": "j1", "name": "One"}}, {"id": "c2", "role": "dev", "weight": 3, "project": {"id": "j2", "name": "Two"}}],
	"contributions_aggregate": {"aggregate": {"count": 2}, "nodes": []},
	"organizations": [], "githubUser": {"githubUserId": 12345678901234567, "accessToken": "gh", "score": 1.50}, "roles": [{"role": "user"}, {"role": "me"}]
}`

// open gives a mapper over the model with one user.
func open(t testing.TB, s Settings) (*Mapper, *source) {
	t.Helper()
	from := newSource(t, model)
	from.put(t, ann, annas)
	m, err := Open(s, from, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m, from
}

// define writes AUTH_JWT_CUSTOM_CLAIMS for one claim.
func define(t testing.TB, definition any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"it": definition})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var errPlain = errors.New("something else")
