package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const claimsAndRoles = `{refused error claims{name value literal fields} roles{role sessionVariables}}`

// TestClaimsOfAUser shows what claimsPreview does, of one user at a time, to whoever may change.
func TestClaimsOfAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.auditRows(t)
	got := ask(t, w.h, bySecret(), `{user(id:"`+w.jane+`"){claims`+claimsAndRoles+`} claimsPreview(userId:"`+w.jane+`")`+claimsAndRoles+`}`, nil)
	var out struct {
		User          struct{ Claims json.RawMessage }
		ClaimsPreview json.RawMessage
	}
	decode(t, got, &out)
	if d := cmp.Diff(string(out.ClaimsPreview), string(out.User.Claims)); d != "" {
		t.Errorf("(-claimsPreview +claims):\n%s", d)
	}
	var said struct {
		Claims []struct{ Name, Literal string }
		Roles  []struct {
			Role             string
			SessionVariables map[string]string
		}
	}
	if err := json.Unmarshal(out.User.Claims, &said); err != nil {
		t.Fatal(err)
	}
	if len(said.Claims) != 1 || said.Claims[0].Literal != "jane@example.com" || len(said.Roles) != 2 {
		t.Errorf("the claims are %s", out.User.Claims)
	}
	for _, r := range said.Roles {
		if r.SessionVariables["x-hasura-mail"] != "jane@example.com" || r.SessionVariables["x-hasura-role"] != r.Role {
			t.Errorf("Hasura would see %+v", r)
		}
	}
	if rows := w.auditRows(t) - before; rows != 0 {
		t.Errorf("a look left %d rows: %s", rows, w.newest(t, rows))
	}
	one := ask(t, w.h, bySecret(), `{users(first:1){nodes{claims{refused}} edges{node{claims{refused}}}}}`, nil)
	if d := cmp.Diff(`{"users":{"nodes":[{"claims":{"refused":false}}],"edges":[{"node":{"claims":{"refused":false}}}]}}`, string(one.Data)); d != "" {
		t.Errorf("a list of one: %+v %s", one.Errors, d)
	}
}

// TestClaimsOfManyUsersAreRefused asks for claims of many, in every way, and sees nobody's.
func TestClaimsOfManyUsersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := ""
	for i := range 11 {
		many += fmt.Sprintf(` c%d:user(id:"%s"){claims{refused}}`, i, w.jane)
	}
	for query, want := range map[string]string{
		`{users{nodes{claims{refused}}}}`:                                                                        "one user at a time",
		`{users(first:2){nodes{claims{refused}}}}`:                                                               "one user at a time",
		`{users(last:2){edges{node{claims{refused}}}}}`:                                                          "one user at a time",
		`{users(first:2){nodes{...on User{claims{refused}}}}}`:                                                   "one user at a time",
		`{users(first:2){...F}} fragment F on UserConnection{nodes{...G}} fragment G on User{c:claims{refused}}`: "one user at a time",
		`{` + many + `}`: "more than 10 fields",
	} {
		if got := ask(t, w.h, bySecret(), query, nil); !strings.Contains(got.said(), want) || leaks(got.Data) {
			t.Errorf("%.90s: %+v %s", query, got.Errors, got.Data)
		}
	}
	got := ask(t, w.h, bySecret(), `query($n:Int!){users(first:$n){nodes{claims{refused}}}}`, map[string]any{"n": 2})
	if !strings.Contains(got.said(), "one user at a time") || leaks(got.Data) {
		t.Errorf("by a variable: %+v %s", got.Errors, got.Data)
	}
}

// TestClaimsOfAUserByRights: who only reads sees the user, and no claims.
func TestClaimsOfAUserByRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, who := range w.everybody() {
		got := ask(t, w.h, who.header, `{user(id:"`+w.jane+`"){id claims{claims{value literal}}}}`, nil)
		switch {
		case who.changes:
			if len(got.Errors) > 0 || !strings.Contains(string(got.Data), "jane@example.com") {
				t.Errorf("%s: %+v %s", name, got.Errors, got.Data)
			}
		case who.status != 200:
			if got.code() != who.code || leaks(got.Data) {
				t.Errorf("%s: %+v %s", name, got.Errors, got.Data)
			}
		default:
			if d := cmp.Diff(`{"user":{"id":"`+w.jane+`","claims":null}}`, string(got.Data)); d != "" || got.code() != "forbidden" {
				t.Errorf("%s: %q %s", name, got.code(), d)
			}
		}
	}
}
