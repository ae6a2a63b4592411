package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

// TestListsOfMessagesUseTheIndexOfJobs plans and runs the list of messages among 20,000 jobs of 2,000 users: the
// index on their arguments finds those of a page, and no other job is read.
func TestListsOfMessagesUseTheIndexOfJobs(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	for _, sql := range []string{
		`insert into postern_river.river_job (state, max_attempts, args, kind, queue, priority, finalized_at)
			select 'completed', 100, jsonb_build_object('id', gen_random_uuid(), 'userId', lpad((i % 2000)::text, 8, '0') || '-0000-4000-8000-000000000000', 'sealed', repeat('A', 500), 'template', 'email-verify'),
				'postern_mail', 'default', 1, now() from generate_series(1, 20000) i`,
		`vacuum analyze postern_river.river_job`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var page []string
	for _, first := range []string{"00000001", "00000017", "00001999"} {
		page = append(page, first+"-0000-4000-8000-000000000000")
	}
	rows, err := conn.Query(t.Context(), "explain analyze "+store.MessagesOfUsersSQL, page, 20)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if !strings.Contains(plan, "Bitmap Index Scan on river_job_args_index") || strings.Contains(plan, "Seq Scan on river_job") || !strings.Contains(plan, "rows=30 ") {
		t.Errorf("the plan is\n%s", plan)
	}
	t.Log(plan)
}

// TestSecretsOfHasuraAuth lists tickets that Hasura Auth wrote, while they may be used: of each only what it is for.
func TestSecretsOfHasuraAuth(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Settings{Connection: testpg.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	want := map[string]string{
		"passwordReset:hidden": "passwordReset jane@example.com", "emailConfirmChange:hidden": "emailConfirmChange new@example.com", "mfaTotp:hidden": "mfaTotp ",
		"hidden": " jane@example.com", ":hidden": " jane@example.com",
	}
	for ticket, want := range want {
		for _, expires := range []string{"2026-11-22T11:00:00Z", "2026-11-22T09:00:00Z", "infinity"} {
			var id string
			err := db.QueryRow(t.Context(), `insert into auth.users (email, new_email, locale, ticket, ticket_expires_at) values ('jane@example.com', 'new@example.com', 'en', $1, $2::text::timestamptz) returning id::text`,
				ticket, expires).Scan(&id)
			if err != nil {
				t.Fatal(err)
			}
			for _, adopted := range []bool{true, false} {
				found, err := db.SecretsOfUsers(t.Context(), []string{id}, now, adopted, 20)
				if err != nil {
					t.Fatal(err)
				}
				shown := ""
				for _, s := range found[id] {
					shown += s.Purpose + " " + s.Email + s.PhoneNumber
				}
				expected := ""
				if adopted && expires == "2026-11-22T11:00:00Z" {
					expected = want
				}
				if shown != expected {
					t.Errorf("%s until %s, adopted %t: %q, want %q", ticket, expires, adopted, shown, expected)
				}
			}
			if _, err := db.Exec(t.Context(), `delete from auth.users where id = $1`, id); err != nil {
				t.Fatal(err)
			}
		}
	}
}
