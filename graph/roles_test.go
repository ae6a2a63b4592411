package graph_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/house"
	"postern/internal/testhouse"
)

type roleNode struct {
	Role                        string
	UserCount, DefaultUserCount int
	InUse, Protected            bool
	NeededBy                    []string
}

const everyRole = `query($first:Int,$after:String,$last:Int,$before:String){roles(first:$first,after:$after,last:$last,before:$before){
	totalCount pageInfo{hasNextPage hasPreviousPage startCursor endCursor} edges{cursor} nodes{role userCount defaultUserCount inUse neededBy protected}}}`

type rolePage struct {
	Roles struct {
		TotalCount int
		PageInfo   struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       string
		}
		Nodes []roleNode
	}
}

func roles(t testing.TB, h *testhouse.House, variables map[string]any) (p rolePage) {
	t.Helper()
	got := ask(t, h, bySecret(), everyRole, variables)
	if err := json.Unmarshal(got.Data, &p); err != nil || len(got.Errors) > 0 {
		t.Fatalf("%v %+v", err, got.Errors)
	}
	return p
}

func changeRole(t testing.TB, h *testhouse.House, who header, mutation, role string) answer {
	t.Helper()
	payload := map[string]string{"createRole": "role{role protected neededBy userCount defaultUserCount}", "deleteRole": "role"}[mutation]
	input := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input!"
	return ask(t, h, who, `mutation($in:`+input+`){`+mutation+`(input:$in){`+payload+`}}`, map[string]any{"in": map[string]any{"role": role}})
}

// TestRolesSayWhoHasThem lists roles with who has them and what needs them, page by page both ways.
func TestRolesSayWhoHasThem(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{
		"AUTH_SESSION_LIMIT_BY_ROLE": "support=2", "AUTH_USER_DEFAULT_ALLOWED_ROLES": "me,member", "AUTH_HOOKS_PLATFORM_ALLOWED_ROLES": "support,given",
	})
	jane, _ := signUp(t, h, "jane@example.com", "user")
	signUp(t, h, "joe@example.com", "user,editor")
	exec(t, h, `insert into auth.roles (role) values ('admin'), ('support'), ('writer')`)
	exec(t, h, `update auth.users set default_role = 'writer' where id = $1`, jane)
	want := []roleNode{
		{"admin", 0, 0, false, true, []string{"Hasura"}},
		{"anonymous", 0, 0, false, true, []string{"guests"}},
		{"auditor", 0, 0, false, true, []string{"AUTH_ADMIN_READER_ROLE"}},
		{"editor", 1, 0, true, true, []string{}},
		{"me", 2, 0, true, true, []string{"AUTH_USER_DEFAULT_ALLOWED_ROLES"}},
		{"member", 2, 0, true, true, []string{"AUTH_USER_DEFAULT_ALLOWED_ROLES"}},
		{"operator", 0, 0, false, true, []string{"AUTH_ADMIN_ROLE"}},
		{"support", 0, 0, false, true, []string{"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES", "AUTH_SESSION_LIMIT_BY_ROLE"}},
		{"user", 2, 1, true, true, []string{"AUTH_USER_DEFAULT_ROLE", "auth.users"}},
		{"writer", 0, 1, true, true, []string{}},
	}
	all := roles(t, h, nil)
	if d := cmp.Diff(want, all.Roles.Nodes); d != "" || all.Roles.TotalCount != len(want) {
		t.Errorf("%d in all; (-want +got):\n%s", all.Roles.TotalCount, d)
	}
	var forth, back []roleNode
	for p := roles(t, h, map[string]any{"first": 3}); ; p = roles(t, h, map[string]any{"first": 3, "after": p.Roles.PageInfo.EndCursor}) {
		if forth = append(forth, p.Roles.Nodes...); !p.Roles.PageInfo.HasNextPage {
			break
		}
	}
	for p := roles(t, h, map[string]any{"last": 3}); ; p = roles(t, h, map[string]any{"last": 3, "before": p.Roles.PageInfo.StartCursor}) {
		if back = append(slices.Clone(p.Roles.Nodes), back...); !p.Roles.PageInfo.HasPreviousPage {
			break
		}
	}
	if d := cmp.Diff(want, forth); d != "" {
		t.Errorf("forth (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, back); d != "" {
		t.Errorf("back (-want +got):\n%s", d)
	}
	if got := ask(t, h, bySecret(), everyRole, map[string]any{"first": 101}); !strings.Contains(got.said(), "first must be") {
		t.Errorf("101 roles: %+v", got)
	}
}

// TestRolesCostTwoStatements counts the users of fifty roles at once, and only when somebody asks.
func TestRolesCostTwoStatements(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": secret},
		func(o *house.Options) { o.Pool = func(c *pgxpool.Config) { c.ConnConfig.Tracer = statements{} } })
	exec(t, h, `insert into auth.roles (role) select 'role-' || i from generate_series(1, 60) i`)
	for query, want := range map[string]int64{
		`{roles(first:50){nodes{role inUse}}}`:                                             1,
		`{roles(first:50){nodes{role userCount defaultUserCount} edges{node{userCount}}}}`: 2,
	} {
		var n atomic.Int64
		body, _ := json.Marshal(map[string]string{"query": query})
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), askedKey{}, &n), http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Hasura-Admin-Secret", secret)
		r.RemoteAddr = "127.0.0.1:4000"
		answer := httptest.NewRecorder()
		h.Handler.ServeHTTP(answer, r)
		if n.Load() != want || strings.Contains(answer.Body.String(), `"errors"`) {
			t.Errorf("%s: %d statements, want %d: %.300s", query, n.Load(), want, answer.Body)
		}
	}
}

// TestRolesAreMade makes roles, and none that is there or that nothing could name.
func TestRolesAreMade(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	w := &world{h: h}
	_, chief := signUp(t, h, "chief@example.com", "user,operator")
	asChief := header{"Authorization": "Bearer " + chief}
	made := changeRole(t, h, asChief, "createRole", "org:editor-2")
	if d := cmp.Diff(`{"createRole":{"role":{"role":"org:editor-2","protected":false,"neededBy":[],"userCount":0,"defaultUserCount":0}}}`, string(made.Data)); d != "" {
		t.Errorf("%+v %s", made.Errors, d)
	}
	if row := w.newest(t, 1); !strings.Contains(row, `role.created`) || !strings.Contains(row, `"role": "org:editor-2"`) {
		t.Errorf("the log says %s", row)
	}
	before := w.auditRows(t)
	for role, want := range map[string]string{
		"org:editor-2": "role-exists", "user": "role-exists", "admin": "forbidden", "": "bad-request", " editor": "bad-request", "ed itor": "bad-request",
		"a,b": "bad-request", "a=b": "bad-request", "-editor": "bad-request", "editor\n": "bad-request", "é": "bad-request", "a\x00": "bad-request", "{a}": "bad-request",
		`a"b`: "bad-request", strings.Repeat("a", 101): "bad-request",
	} {
		if got := changeRole(t, h, asChief, "createRole", role); got.code() != want {
			t.Errorf("%q: %q %q, want %s", role, got.code(), got.said(), want)
		}
	}
	if rows := w.auditRows(t) - before; rows != 0 {
		t.Errorf("refused ones left %d rows: %s", rows, w.newest(t, rows))
	}
	for _, role := range []string{"admin", strings.Repeat("a", 100)} {
		if got := changeRole(t, h, bySecret(), "createRole", role); len(got.Errors) > 0 {
			t.Errorf("%.20q with the secret: %+v", role, got.Errors)
		}
	}
}

// TestRolesInUseStay tries to delete roles that something uses: the error says what, and nothing goes.
func TestRolesInUseStay(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_SESSION_LIMIT_BY_ROLE": "support=2"})
	w := &world{h: h}
	jane, _ := signUp(t, h, "jane@example.com", "user,editor")
	for _, sql := range []string{
		`insert into auth.roles (role) values ('admin'), ('public'), ('support'), ('writer'), ('keeper'), ('shared'), ('hidden'), ('unused'), (E'odd\nrole')`,
		`create table keepers (role text references auth.roles on delete restrict)`, `insert into keepers values ('keeper')`,
		`create table shares (role text references auth.roles on delete cascade)`, `insert into shares values ('shared')`,
		`create table "Hidden" ("Role" text references auth.roles on delete set null)`, `insert into "Hidden" values ('hidden')`,
		`alter table "Hidden" enable row level security`, `alter table "Hidden" force row level security`,
	} {
		exec(t, h, sql)
	}
	exec(t, h, `update auth.users set default_role = 'writer' where id = $1`, jane)
	count := func() (n int) {
		if err := h.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.roles`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	roles, rows := count(), w.auditRows(t)
	for role, want := range map[string]string{
		"user": "AUTH_USER_DEFAULT_ROLE and auth.users need it", "me": "AUTH_USER_DEFAULT_ALLOWED_ROLES needs it", "anonymous": "guests needs it",
		"admin": "Hasura needs it", "public": "Hasura needs it", "operator": "AUTH_ADMIN_ROLE needs it", "auditor": "AUTH_ADMIN_READER_ROLE needs it",
		"support": "AUTH_SESSION_LIMIT_BY_ROLE needs it", "editor": "1 user may take it, and 0 users have it as their default",
		"writer": "0 users may take it, and 1 user has it as their default", "keeper": "rows of public.keepers refer to it", "shared": "rows of public.shares refer to it",
		"hidden": "rows of public.Hidden refer to it",
	} {
		got := changeRole(t, h, bySecret(), "deleteRole", role)
		if got.code() != "role-in-use" || !strings.Contains(got.said(), want) {
			t.Errorf("%s: %q %q, want %q", role, got.code(), got.said(), want)
		}
	}
	for _, role := range []string{"nobody", "", "a\x00", strings.Repeat("x", 50_000)} {
		if got := changeRole(t, h, bySecret(), "deleteRole", role); got.code() != "not-found" {
			t.Errorf("%.20q: %+v", role, got)
		}
	}
	if count() != roles || w.auditRows(t) != rows {
		t.Errorf("%d roles of %d are there, and %d rows were left", count(), roles, w.auditRows(t)-rows)
	}
	for _, role := range []string{"unused", "odd\nrole"} {
		if got := changeRole(t, h, bySecret(), "deleteRole", role); len(got.Errors) > 0 {
			t.Errorf("%q: %+v", role, got.Errors)
		}
		if row := w.newest(t, 1); !strings.Contains(row, "role.deleted") {
			t.Errorf("the log says %s", row)
		}
		if got := changeRole(t, h, bySecret(), "deleteRole", role); got.code() != "not-found" {
			t.Errorf("%q once more: %+v", role, got)
		}
	}
	if left := w.auditRows(t) - rows; left != 2 {
		t.Errorf("two deletions left %d rows", left)
	}
	w.nothingBroke(t)
}

// TestRolesGivenWhileTheyAreDeleted gives users roles at the moment at which those are deleted: each time either
// the user has the role and it stays, or it is gone and the user has it not; and no more than one deletes it.
func TestRolesGivenWhileTheyAreDeleted(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	w := &world{h: h}
	for range 20 {
		role, jane := w.role(t), w.newcomer(t)
		var given, also answer
		var deleted [2]answer
		var all sync.WaitGroup
		before := w.auditRows(t)
		for i := range deleted {
			all.Go(func() { deleted[i] = changeRole(t, h, bySecret(), "deleteRole", role) })
		}
		all.Go(func() {
			given = ask(t, h, bySecret(), `mutation($in:UpdateUserInput!){updateUser(input:$in){user{roles}}}`, map[string]any{"in": map[string]any{"id": jane, "roles": []string{"user", role}}})
		})
		all.Go(func() {
			also = ask(t, h, bySecret(), `mutation($in:CreateUserInput!){createUser(input:$in){user{id}}}`, map[string]any{"in": map[string]any{"email": address(), "roles": []string{"user", role}}})
		})
		all.Wait()
		var there, held int
		if err := h.Store.Pool().QueryRow(t.Context(), `select (select count(*) from auth.roles where role = $1), (select count(*) from auth.user_roles where role = $1)`, role).Scan(&there, &held); err != nil {
			t.Fatal(err)
		}
		done := 0
		for _, a := range []answer{deleted[0], deleted[1], given, also} {
			if code := a.code(); code == "" {
				done++
			} else if !slices.Contains([]string{"role-in-use", "not-found", "bad-request"}, code) {
				t.Errorf("%+v", a)
			}
		}
		gave := 0
		for _, a := range []answer{given, also} {
			if a.code() == "" {
				gave++
			}
		}
		if held != gave || (there == 1) == (done > gave) || there == 0 && held > 0 || done-gave > 1 || w.auditRows(t)-before != done {
			t.Errorf("the role is there %d times, held by %d; given %q %q, deleted %q %q; %d rows", there, held, given.code(), also.code(), deleted[0].code(), deleted[1].code(), w.auditRows(t)-before)
		}
	}
	w.nothingBroke(t)
}

// TestRolesGivenByHooksWhileTheyAreDeleted deletes roles at the moment at which a hook gives them to somebody who
// signs up: whoever it is gets in and has the role.
func TestRolesGivenByHooksWhileTheyAreDeleted(t *testing.T) {
	t.Parallel()
	var role atomic.Value
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"roles": []any{role.Load()}})
	}))
	t.Cleanup(hook.Close)
	h := open(t, map[string]string{"AUTH_HOOK_PRE_SIGNUP_URL": hook.URL})
	w := &world{h: h}
	for range 10 {
		name := w.role(t)
		role.Store(name)
		done := make(chan struct{})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for deleted := true; deleted; { // it is made anew, and deleted anew, until somebody has it
					got := changeRole(t, h, bySecret(), "deleteRole", name)
					if !slices.Contains([]string{"", "not-found", "role-in-use"}, got.code()) {
						t.Errorf("%+v", got)
					}
					select {
					case <-done:
						deleted = false
					default:
					}
				}
			})
		}
		id, _ := session(t, h, "/signup/email-password", address(), "correct horse battery staple")
		close(done)
		all.Wait()
		var held bool
		if err := h.Store.Pool().QueryRow(t.Context(), `select exists (select from auth.user_roles where user_id = $1 and role = $2)`, id, name).Scan(&held); err != nil || !held {
			t.Errorf("the user has it: %t, %v", held, err)
		}
	}
	w.nothingBroke(t)
}
