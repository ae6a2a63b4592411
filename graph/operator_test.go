package graph_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"postern/flow"
	"postern/graph"
	"postern/internal/testhouse"
	"postern/store"
)

const whoAsks = `{operator{userId rights}}`

// TestWhoIsAnOperator: the admin secret, or an access token whose roles are an operator's, in the token and
// in the database. What headers say besides counts beside the secret alone, and only lowers.
func TestWhoIsAnOperator(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	chief, chiefToken := signUp(t, h, "chief@example.com", "user,operator")
	reader, readerToken := signUp(t, h, "reader@example.com", "user,auditor")
	_, userToken := signUp(t, h, "user@example.com", "user")
	const other = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	with := func(h header, more header) header {
		all := maps.Clone(h)
		maps.Copy(all, more)
		return all
	}
	bearer := func(token string) header { return header{"Authorization": "Bearer " + token} }
	tests := map[string]struct {
		who    header
		status int
		want   string // of the data, or the code
	}{
		"nobody":                           {header{}, 401, "unauthorized"},
		"the secret":                       {bySecret(), 200, `{"operator":{"userId":null,"rights":"CHANGE"}}`},
		"a wrong secret":                   {header{"X-Hasura-Admin-Secret": secret + "x"}, 401, "unauthorized"},
		"an empty secret":                  {header{"X-Hasura-Admin-Secret": ""}, 401, "unauthorized"},
		"roles without it":                 {header{"X-Hasura-Role": "admin", "X-Hasura-User-Id": chief}, 401, "unauthorized"},
		"a wrong secret and a good token":  {with(bearer(chiefToken), header{"X-Hasura-Admin-Secret": "x"}), 401, "unauthorized"},
		"the engine's admin":               {with(bySecret(), header{"X-Hasura-Role": "admin"}), 200, `{"operator":{"userId":null,"rights":"CHANGE"}}`},
		"the engine's reader":              {with(bySecret(), header{"X-Hasura-Role": "auditor", "X-Hasura-User-Id": reader}), 200, `{"operator":{"userId":"` + reader + `","rights":"READ"}}`},
		"the engine's chief":               {with(bySecret(), header{"X-Hasura-Role": "operator", "X-Hasura-User-Id": chief}), 200, `{"operator":{"userId":"` + chief + `","rights":"CHANGE"}}`},
		"the engine's admin who is a user": {with(bySecret(), header{"X-Hasura-Role": "admin", "X-Hasura-User-Id": other}), 200, `{"operator":{"userId":"` + other + `","rights":"CHANGE"}}`},
		"the engine's nobody":              {with(bySecret(), header{"X-Hasura-Role": "operator"}), 403, "forbidden"},
		"the engine's unknown":             {with(bySecret(), header{"X-Hasura-Role": "operator", "X-Hasura-User-Id": other}), 403, "forbidden"},
		"the engine's reader as chief":     {with(bySecret(), header{"X-Hasura-Role": "operator", "X-Hasura-User-Id": reader}), 200, `{"operator":{"userId":"` + reader + `","rights":"READ"}}`},
		"the engine's chief as reader":     {with(bySecret(), header{"X-Hasura-Role": "auditor", "X-Hasura-User-Id": chief}), 200, `{"operator":{"userId":"` + chief + `","rights":"READ"}}`},
		"the engine's user":                {with(bySecret(), header{"X-Hasura-Role": "user"}), 403, "forbidden"},
		"no such user id":                  {with(bySecret(), header{"X-Hasura-User-Id": "1 or 1=1"}), 400, "bad-request"},
		"a chief":                          {bearer(chiefToken), 200, `{"operator":{"userId":"` + chief + `","rights":"CHANGE"}}`},
		"a chief who says admin":           {with(bearer(chiefToken), header{"X-Hasura-Role": "admin", "X-Hasura-User-Id": other}), 200, `{"operator":{"userId":"` + chief + `","rights":"CHANGE"}}`},
		"a user":                           {bearer(userToken), 403, "forbidden"},
		"a user who says admin":            {with(bearer(userToken), header{"X-Hasura-Role": "admin"}), 403, "forbidden"},
		"a user who says reader":           {with(bearer(readerToken), header{"X-Hasura-Role": "operator"}), 200, ""},
		"no token":                         {bearer("nonsense"), 401, "unauthorized"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, h, tt.who, whoAsks, nil)
			text := string(got.Data)
			if tt.status != http.StatusOK {
				text = got.code()
			}
			if got.Status != tt.status || tt.want != "" && text != tt.want {
				t.Errorf("got %d %s, want %d %s", got.Status, text, tt.status, tt.want)
			}
		})
	}
}

// TestAnOperatorWhoLosesTheRole can do nothing any more, with a token that still names it.
func TestAnOperatorWhoLosesTheRole(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	id, token := signUp(t, h, "chief@example.com", "user,operator,auditor")
	who := header{"Authorization": "Bearer " + token}
	rights := func() string { return string(ask(t, h, who, `{operator{rights}}`, nil).Data) }
	if got := rights(); got != `{"operator":{"rights":"CHANGE"}}` {
		t.Fatal(got)
	}
	engine := header{"X-Hasura-Admin-Secret": secret, "X-Hasura-Role": "operator", "X-Hasura-User-Id": id}
	throughTheEngine := func(want int) {
		t.Helper()
		if got := ask(t, h, engine, whoAsks, nil); got.Status != want {
			t.Errorf("through the engine: %+v", got)
		}
	}
	throughTheEngine(http.StatusOK)
	exec(t, h, `delete from auth.user_roles where user_id = $1 and role = 'operator'`, id)
	if got := rights(); got != `{"operator":{"rights":"READ"}}` {
		t.Error(got)
	}
	exec(t, h, `delete from auth.user_roles where user_id = $1 and role = 'auditor'`, id)
	if got := ask(t, h, who, whoAsks, nil); got.Status != http.StatusForbidden {
		t.Errorf("without the role: %+v", got)
	}
	throughTheEngine(http.StatusForbidden)
	exec(t, h, `insert into auth.user_roles (user_id, role) values ($1, 'operator')`, id)
	exec(t, h, `update auth.users set disabled = true where id = $1`, id)
	if got := ask(t, h, who, whoAsks, nil); got.Status != http.StatusUnauthorized {
		t.Errorf("disabled: %+v", got)
	}
	throughTheEngine(http.StatusUnauthorized)
	exec(t, h, `update auth.users set disabled = false where id = $1`, id)
	exec(t, h, `delete from auth.refresh_tokens where user_id = $1`, id)
	if got := ask(t, h, who, whoAsks, nil); got.Status != http.StatusUnauthorized {
		t.Errorf("signed out: %+v", got)
	}
}

// TestWrongSecretsAreCounted: whoever guesses is heard no more, right or wrong.
func TestWrongSecretsAreCounted(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "3"})
	for i := range 3 {
		if got := ask(t, h, header{"X-Hasura-Admin-Secret": "guess"}, whoAsks, nil); got.Status != http.StatusUnauthorized {
			t.Fatalf("guess %d: %+v", i, got)
		}
	}
	if got := ask(t, h, bySecret(), whoAsks, nil); got.Status != http.StatusTooManyRequests {
		t.Errorf("the right one after three guesses: %+v", got)
	}
	if n := refusedOperators(t, h); n != 3 {
		t.Errorf("%d entries of three guesses that were counted", n)
	}
}

// TestRaceWrongSecretsLeaveAnEntryEach: one for each guess that is counted, however many come at once, and also of those who
// have hung up; a flood leaves no more. The right secret, and people without the role, leave none.
func TestRaceWrongSecretsLeaveAnEntryEach(t *testing.T) {
	t.Parallel()
	for name, enable := range map[string]string{"within limits": "true", "where nothing is limited": "false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": enable, "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "5"})
			_, user := signUp(t, h, "user@example.com", "user")
			ask(t, h, bySecret(), whoAsks, nil)
			ask(t, h, header{"Authorization": "Bearer " + user}, whoAsks, nil)
			ask(t, h, header{"X-Hasura-Admin-Secret": ""}, whoAsks, nil)
			if n := refusedOperators(t, h); n != 0 {
				t.Fatalf("%d entries before anybody guessed", n)
			}
			var all sync.WaitGroup
			for range 40 {
				all.Go(func() {
					ctx, hangUp := context.WithCancel(t.Context())
					defer hangUp()
					r := httptest.NewRequestWithContext(ctx, http.MethodPost, graph.Path, strings.NewReader(`{"query": "{operator{rights}}"}`))
					r.Header.Set("X-Hasura-Admin-Secret", "guess-of-a-stranger")
					r.Header.Set("User-Agent", "knocker/1")
					hangUp()
					h.Handler.ServeHTTP(httptest.NewRecorder(), r)
				})
			}
			all.Wait()
			if n := refusedOperators(t, h); n != 5 {
				t.Errorf("%d entries of forty guesses, want the five that are counted", n)
			}
			var whole int
			err := h.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.audit_entries e where event = 'operator.refused' and user_id is null
				and actor_id is null and user_agent = 'knocker/1' and address_prefix is not null and detail = '{"door": "graphql"}' and e::text not like '%guess%'`).Scan(&whole)
			if err != nil || whole != 5 {
				t.Errorf("%d of them are as they should be, %v", whole, err)
			}
		})
	}
}

func refusedOperators(t *testing.T, h *testhouse.House) (n int) {
	t.Helper()
	if err := h.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.audit_entries where event = 'operator.refused'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNoSecretOpensNothing: without a setting, the door is not there, or closed to empty secrets.
func TestNoSecretOpensNothing(t *testing.T) {
	t.Parallel()
	none := open(t, map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": "", "AUTH_ADMIN_ROLE": "", "AUTH_ADMIN_READER_ROLE": ""})
	if got := ask(t, none, bySecret(), whoAsks, nil); got.Status != http.StatusNotFound {
		t.Errorf("no way in at all: %+v", got)
	}
	roles := none.With(t, map[string]string{"AUTH_ADMIN_ROLE": "operator"})
	for _, s := range []string{"", " ", secret} {
		if got := ask(t, roles, header{"X-Hasura-Admin-Secret": s}, whoAsks, nil); got.Status != http.StatusUnauthorized {
			t.Errorf("secret %q: %+v", s, got)
		}
	}
}

func exec(t testing.TB, h *testhouse.House, sql string, arguments ...any) {
	t.Helper()
	if _, err := h.Store.Pool().Exec(t.Context(), sql, arguments...); err != nil {
		t.Fatal(err)
	}
}

// TestAnOperatorProvesThemselves: where changes need a fresh proof, an operator without one only reads, and
// through Hasura's engine too.
func TestAnOperatorProvesThemselves(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	id, token := signUp(t, h, "chief@example.com", "user,operator")
	engine := header{"X-Hasura-Admin-Secret": secret, "X-Hasura-Role": "operator", "X-Hasura-User-Id": id}
	proved := maps.Clone(engine)
	proved["X-Hasura-Auth-Elevated"] = id
	for name, tt := range map[string]struct {
		who  header
		want string
	}{
		"with a token":       {header{"Authorization": "Bearer " + token}, "READ"},
		"through the engine": {engine, "READ"},
		"proved":             {proved, "CHANGE"},
	} {
		if got := string(ask(t, h, tt.who, `{operator{rights}}`, nil).Data); got != `{"operator":{"rights":"`+tt.want+`"}}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestNotEverybodyIsAnOperator: a role that every new user gets cannot be that of operators.
func TestNotEverybodyIsAnOperator(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]flow.AdminSettings{
		"AUTH_ADMIN_ROLE":        {Role: "staff"},
		"AUTH_ADMIN_READER_ROLE": {ReaderRole: "member"},
	} {
		policy, err := flow.NewPolicy(flow.Settings{DefaultRole: "member", AllowedRoles: []string{"me", "staff"}, DefaultLocale: "en"}, store.Guard{}, store.Guard{})
		if err != nil {
			t.Fatal(err)
		}
		if err := settings.OfEverybody(policy); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if err := (flow.AdminSettings{Role: "operator", ReaderRole: "auditor"}).OfEverybody(policy); err != nil {
			t.Error(err)
		}
	}
}
