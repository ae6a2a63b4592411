package store_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

// TestRolesThatNobodyHasReadNoUsers plans and runs the list of roles among 20,000 users, most roles being nobody's:
// indexes tell whether a role is in use.
func TestRolesThatNobodyHasReadNoUsers(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	seedUsers(t, conn, 20_000)
	if _, err := conn.Exec(t.Context(), `insert into auth.roles (role) select 'role-' || i from generate_series(1, 60) i`); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), "explain analyze "+store.RolesSQL, nil, nil, 51)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	for _, index := range []string{"postern_user_roles_role_idx", "postern_users_default_role_idx"} {
		if !strings.Contains(plan, index) {
			t.Errorf("does not use %s", index)
		}
	}
	if strings.Contains(plan, "Seq Scan on user") || t.Failed() {
		t.Errorf("the plan is\n%s", plan)
	}
}
