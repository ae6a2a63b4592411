package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

// TestQueriesUseIndexes plans every statement with table scans forbidden. Where one is planned all
// the same, no index can answer the statement, and it becomes slower with every user.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	mayScan := map[string]string{
		"hashKindsSQL":           "asked once at the start",
		"sharesSealedSecretsSQL": "asked once at the start",
		"noteActiveSQL":          "once in ten minutes; an index on last_seen would cost every refresh",
		"auditPartitionsSQL":     "once in ten minutes, of the catalogue",
		"countListedSQL":         "operators ask how many users there are, or look for a part of a name",
		"countScriptsSQL":        "an operator has a handful of scripts",
		"listScriptsSQL":         "an operator has a handful of scripts",
		"scriptSliceSQL":         "an operator has a handful of scripts",
		"conditionSQL":           "a dozen migrations are listed",
		"machineClientSliceSQL":  "an operator has a handful of machine clients",
	}
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	for _, set := range []string{"enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		if _, err := conn.Exec(t.Context(), "set "+set); err != nil {
			t.Fatal(err)
		}
	}
	scans := regexp.MustCompile(`Seq Scan on (\w+)`)
	for name, sql := range readStatements(t) {
		verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
		if !slices.Contains([]string{"select", "insert", "update", "delete", "with"}, strings.TrimSpace(verb)) {
			continue
		}
		prepared, err := conn.Prepare(t.Context(), name, sql)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		explain := fmt.Sprintf("explain execute %q", name)
		if n := len(prepared.ParamOIDs); n > 0 {
			explain += "(" + strings.TrimSuffix(strings.Repeat("null, ", n), ", ") + ")"
		}
		rows, err := conn.Query(t.Context(), explain, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plan := strings.Join(lines, "\n")
		if found := scans.FindStringSubmatch(plan); found != nil && mayScan[name] == "" {
			t.Errorf("%s reads all of %s:\n%s", name, found[1], plan)
		}
	}
}

// TestListsOfUsersUseTheirIndex plans lists among 20,000 users: where few pass a filter, its index finds
// them; where many do, that of the order.
func TestListsOfUsersUseTheirIndex(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	seedUsers(t, conn, 20_000)
	byTime, byEmail, byName := store.UsersByCreatedAt, store.UsersByEmail, store.UsersByDisplayName
	filters := userFilters()
	for _, c := range []struct {
		filter string
		by     store.UserOrderField
		index  string
	}{
		{"all", byTime, "postern_users_created_at_idx"},
		{"all", byEmail, "postern_users_email_idx"},
		{"all", byName, "postern_users_display_name_idx"},
		{"ids", byTime, "users_pkey"},
		{"e-mail", byName, "users_email_key"},
		{"e-mail begins", byTime, "postern_users_email_idx"},
		{"e-mail begins, many", byEmail, "postern_users_email_idx"},
		{"phone number", byTime, "users_phone_number_key"},
		{"phone number begins", byEmail, "postern_users_phone_number_idx"},
		{"name", byTime, "postern_users_display_name_idx"},
		{"name begins", byEmail, "postern_users_display_name_idx"},
		{"role of all", byTime, "postern_users_created_at_idx"},
		{"role of a handful", byTime, "postern_user_roles_role_idx"},
		{"role of nobody", byName, "postern_user_roles_role_idx"},
		{"default role of few", byEmail, "postern_users_default_role_idx"},
		{"default role of all", byTime, "postern_users_created_at_idx"},
		{"provider of few", byName, "user_providers_provider_id_provider_user_id_key"},
		{"active", byTime, "postern_users_created_at_idx"},
		{"disabled", byTime, "postern_users_disabled_idx"},
		{"banned", byEmail, "postern_users_banned_until_idx"},
		{"deleted", byTime, "postern_users_deleted_at_idx"},
		{"anonymous", byTime, "postern_users_is_anonymous_idx"},
		{"metadata of one", byEmail, "postern_users_metadata_idx"},
		{"created in a week", byTime, "postern_users_created_at_idx"},
		{"changed at no time", byName, "postern_users_updated_on_idx"},
	} {
		for _, descending := range []bool{false, true} {
			o := store.UserOrder{By: c.by, Descending: descending}
			sql, args := store.FindUsersStatement(filters[c.filter], o, store.Slice{Most: 50}, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
			rows, err := conn.Query(t.Context(), "explain "+sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
			if err != nil {
				t.Fatalf("%s: %v", c.filter, err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatalf("%s: %v", c.filter, err)
			}
			plan := strings.Join(lines, "\n")
			if !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan on users") {
				t.Errorf("%s, by %v, does not use %s:\n%s", c.filter, o, c.index, plan)
			}
		}
	}
}
