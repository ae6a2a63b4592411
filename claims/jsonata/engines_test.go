package jsonata_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	blues "github.com/blues/jsonata-go"

	"postern/claims/jsonata"
)

// TestEnginesAgree evaluates the expressions of the other tests with blues' evaluator too, which hands
// values from one goroutine to another and therefore runs here alone.
func TestEnginesAgree(t *testing.T) {
	known := knownDifferences()
	same := 0
	for _, c := range fieldCases() {
		ours, theirs := answers(t, c[0])
		if ours == theirs {
			same++
			continue
		}
		if known[c[0]] == "" {
			t.Errorf("%s: %s, by blues %s", c[0], ours, theirs)
		}
	}
	t.Logf("%d of %d expressions give the same", same, len(fieldCases()))
}

func answers(t *testing.T, text string) (ours, theirs string) {
	t.Helper()
	e, err := jsonata.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	ours = show(e.Evaluate(t.Context(), decode(t, member)))
	var data any
	if err := json.Unmarshal([]byte(member), &data); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() != nil {
			theirs = "panic"
		}
	}()
	other, err := blues.Compile(e.Text())
	if err != nil {
		return ours, "error"
	}
	v, err := other.Eval(data)
	if errors.Is(err, blues.ErrUndefined) {
		if e.ListShaped() {
			return ours, "[]"
		}
		return ours, "nothing"
	}
	return ours, show(v, true, err)
}

func show(v any, found bool, err error) string {
	switch {
	case err != nil:
		return "error"
	case !found:
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}

// member is a document that most of the expressions find something in.
const member = `{
	"id": "u1", "email": "ada@example.com", "displayName": "Ada", "firstName": "Ada", "lastName": "Lovelace", "first name": "A",
	"active": true, "vip": false, "emailVerified": true, "balance": 12.5, "defaultRole": "user", "plan": "pro", "kind": "a", "company_id": 7,
	"createdAt": "2026-01-02T03:04:05Z", "tags": ["x", "y"], "prices": [1, 2, 3.5], "company": {"id": "c1"}, "team": {"id": "t1"},
	"org": {"id": "g1", "name": "One"}, "limits": {"pro": {"max": 5}}, "user": {"id": "u1", "metadata": {"role": "r", "allowedRoles": ["r"]}},
	"githubUser": {"githubUserId": 12345, "accessToken": "abc"},
	"metadata": {"plan": "pro", "eventId": "e1", "name": "n", "m1": 1, "a-b": 2, "a b": {"c": 3}},
	"profile": {"id": "p1", "name": "Ada L", "organisation": {"id": "o1"}, "organization": {"id": "o1"},
		"organizations": [{"id": 13}, {"id": 37}], "contributesTo": [{"project": {"id": "3a"}}, {"project": {"id": "97"}}]},
	"projectsLeaded": [{"projectId": "x"}], "organizations": [{"organization": "a"}, {"organization": "b"}],
	"account_memberships": [{"account": {"id": "439c"}}],
	"departments": [{"id": 1, "role": "manager"}, {"id": 2, "role": "member"}],
	"memberships": [{"id": 1, "role": "admin", "org_id": "g1", "since": 3, "active": true, "main": true, "org": {"id": "g1", "name": "One"}},
		{"id": 2, "role": "user", "org_id": "g2", "since": 5, "active": false, "org": {"id": "g2", "name": "Two"}}],
	"memberships_aggregate": {"aggregate": {"count": 2}},
	"items": [{"id": 1, "name": "i", "price": 2, "quantity": 3, "category": "c", "org": {"name": "x"}}, {"id": 2, "name": "j", "price": 4, "quantity": 1, "category": "d"}],
	"orders": [{"id": 9, "total": 10, "customer": {"id": "u1"}, "items": [{"id": 1}, {"id": 2}]}],
	"m": {"k": "v", "l": ["a", "b", "c"], "l2": ["a"], "lm": [{"id": 1}, {"id": 2}, {"id": 3}], "d": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "a"}]},
	"a": [{"id": 1, "b": [{"id": 1}, {"id": 2}], "c": 5}, {"id": 2, "b": [{"id": 3}]}], "b": {"id": 8, "c": 6},
	"l": [{"id": 1, "a": 1, "b": 2, "c": 2, "d": 4}]
}`

// knownDifferences are the expressions whose results may differ, with the reason.
func knownDifferences() map[string]string {
	const order = "blues takes the fields of an object in another order each time"
	return map[string]string{
		"*":              order,
		"profile.*":      order,
		"profile.*.id":   order,
		"$keys(profile)": order,
		"$each(profile, function($v, $k){$k & $v})": order,
		"$now() & id":               "it is another time",
		"email ~> /x/":              "blues gives the next match as a function, which is the text \"\"",
		"email.$match(/@/, 1)":      "JSONata 2 gives a single match by itself",
		"items{category: $}":        "JSONata 2 gives a single element of a group by itself",
		"limits.$lookup('pro').max": "blues does not take the context for $lookup",
		"($f := function($x)<s-:s>{$uppercase($x)}; email.$f())": "blues does not take the context for a lambda",
		"profile.function($x){$x.id}()":                          "gnata gives a lambda the context of a path",
	}
}
