package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"postern/internal/testhouse"
)

const (
	reportFields   = `sessions personalAccessTokens identities passkeys factors recoveryCodes pendingSecrets roles blocked references { table columns constraint action rows }`
	deleteUser     = `mutation($input: DeleteUserInput!) { deleteUser(input: $input) { id mode deletedAt report { ` + reportFields + ` } } }`
	deletionReport = `query($id: UUID!) { deletionReport(id: $id) { ` + reportFields + ` } }`
)

// applicationTables are tables of an application, with each kind of foreign key.
const applicationTables = `
	create table orders (id int, user_id uuid references auth.users (id) on delete cascade);
	create table notes (id int, author uuid references auth.users (id) on delete set null, reader uuid references auth.users (id) on delete set null);
	create table "Bills; drop" (id int, "who's" uuid constraint "a ""key" references auth.users (id) on delete restrict);
	create table letters (id int, user_id uuid constraint letters_later references auth.users (id) deferrable initially deferred);
	create table boxes (id int, mail auth.email references auth.users (email) on update cascade on delete cascade)`

func deletion(id, mode string) map[string]any { return map[string]any{"id": id, "mode": mode} }

// reported is what the report says of the references to a user: "public.orders DELETED 2".
func reported(t testing.TB, h *testhouse.House, id string) string {
	t.Helper()
	got := ask(t, h, bySecret(), deletionReport, map[string]any{"id": id})
	var out struct {
		DeletionReport struct {
			Sessions, Roles int
			Blocked         bool
			References      []struct {
				Table, Action string
				Rows          *int
			}
		}
	}
	if len(got.Errors) > 0 || json.Unmarshal(got.Data, &out) != nil {
		t.Fatalf("%s %+v", got.Data, got.Errors)
	}
	text := fmt.Sprintf("sessions %d roles %d blocked %v", out.DeletionReport.Sessions, out.DeletionReport.Roles, out.DeletionReport.Blocked)
	for _, r := range out.DeletionReport.References {
		rows := "?"
		if r.Rows != nil {
			rows = strconv.Itoa(*r.Rows)
		}
		text += "; " + r.Table + " " + r.Action + " " + rows
	}
	return text
}

// TestDeletionReport counts what refers to a user, in the application's tables too.
func TestDeletionReport(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	exec(t, h, applicationTables)
	v := visit(t, h, "ada@example.com", map[string]any{"roles": []string{"user", "me"}})
	exec(t, h, `insert into orders values (1, $1), (2, $1), (3, null)`, v.ID)
	exec(t, h, `insert into notes values (1, $1, null)`, v.ID)
	exec(t, h, `insert into boxes values (1, 'ada@example.com')`)
	want := "sessions 1 roles 2 blocked false; public.Bills; drop REFUSES 0; public.boxes DELETED 1; public.letters REFUSES 0; public.notes EMPTIED 1; public.notes EMPTIED 0; public.orders DELETED 2"
	if got := reported(t, h, v.ID); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got := ask(t, h, bySecret(), deletionReport, map[string]any{"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8"})
	if string(got.Data) != `{"deletionReport":null}` || len(got.Errors) > 0 {
		t.Errorf("of nobody: %s %+v", got.Data, got.Errors)
	}
}

// TestHardDeletion takes the row and what refers to it, buries the id, and is refused where a table keeps the
// user, at once or at the end.
func TestHardDeletion(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	exec(t, h, applicationTables)
	v := visit(t, h, "ada@example.com", nil)
	for table, want := range map[string]string{`"Bills; drop"`: "public.Bills; drop", "letters": "public.letters"} {
		exec(t, h, `insert into `+table+` values (1, $1)`, v.ID)
		got := do(t, h, deleteUser, deletion(v.ID, "HARD"))
		if got.code() != "user-referenced" || !strings.Contains(got.said(), want) {
			t.Errorf("%s: %q %q", table, got.code(), got.said())
		}
		if !strings.Contains(reported(t, h, v.ID), "blocked true") {
			t.Errorf("%s: %s", table, reported(t, h, v.ID))
		}
		exec(t, h, `delete from `+table)
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.deleted'`); n != 0 || v.refresh(t, h) != http.StatusOK {
		t.Errorf("refused deletions left %d rows, or changed something", n)
	}
	exec(t, h, `insert into orders values (1, $1)`, v.ID)
	if got := do(t, h, deleteUser, deletion(v.ID, "HARD")); got.code() != "" {
		t.Fatalf("%+v", got.Errors)
	}
	if n := count(t, h, `select (select count(*) from auth.users where id = $1) + (select count(*) from orders) + (select count(*) from auth.refresh_tokens)`, v.ID); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if status := v.refresh(t, h); status != http.StatusUnauthorized {
		t.Errorf("a refresh gives %d", status)
	}
	for _, mode := range []string{"HARD", "SOFT"} {
		if got := do(t, h, deleteUser, deletion(v.ID, mode)); got.code() != "not-found" {
			t.Errorf("again, %s: %+v", mode, got)
		}
	}
	if got := do(t, h, createUser, map[string]any{"id": v.ID, "email": "ada@example.com"}); got.code() != "bad-request" {
		t.Errorf("the id is given again: %+v", got)
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.deleted' and user_id = $1 and detail = '{"by":"operator","mode":"hard","reason":"operator"}'`, v.ID); n != 1 {
		t.Errorf("%d rows in the audit log, want 1", n)
	}
}

// TestSoftDeletion leaves the row, and nothing of the person in it: the address is free, and nobody comes in.
func TestSoftDeletion(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	exec(t, h, applicationTables)
	v := visit(t, h, "ada@example.com", map[string]any{"phoneNumber": "+442071838750", "displayName": "Ada", "metadata": map[string]any{"x": "ada-secret"}, "avatarUrl": "https://example.com/ada.png"})
	exec(t, h, `insert into "Bills; drop" values (1, $1)`, v.ID)
	var first, second struct{ DeleteUser struct{ DeletedAt string } }
	for _, out := range []any{&first, &second} {
		got := do(t, h, deleteUser, deletion(v.ID, "SOFT"))
		if got.code() != "" || json.Unmarshal(got.Data, out) != nil {
			t.Fatalf("%+v", got.Errors)
		}
	}
	if first.DeleteUser.DeletedAt == "" || first.DeleteUser.DeletedAt[:19] != second.DeleteUser.DeletedAt[:19] {
		t.Errorf("deleted at %s, and again at %s", first.DeleteUser.DeletedAt, second.DeleteUser.DeletedAt)
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.deleted'`); n != 1 {
		t.Errorf("%d rows in the audit log, want 1", n)
	}
	var left string
	if err := h.Store.Pool().QueryRow(t.Context(), `select to_jsonb(u) - 'id' - 'created_at' - 'updated_at' - 'deleted_at' - 'ticket_expires_at' - 'otp_hash_expires_at' - 'seen_on' - 'updated_on' from auth.users u where id = $1`, v.ID).Scan(&left); err != nil {
		t.Fatal(err)
	}
	var columns map[string]any
	if err := json.Unmarshal([]byte(left), &columns); err != nil {
		t.Fatal(err)
	}
	for name, value := range columns {
		if value != nil && value != false && value != "" && name != "locale" && name != "default_role" && name != "disabled" {
			t.Errorf("%s is still %v", name, value)
		}
	}
	if n := count(t, h, `select (select count(*) from auth.refresh_tokens) + (select count(*) from auth.tickets) + (select count(*) from auth.user_roles where user_id = $1)`, v.ID); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if status := v.refresh(t, h); status != http.StatusUnauthorized {
		t.Errorf("a refresh gives %d", status)
	}
	if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusUnauthorized || no != "invalid-email-password" {
		t.Errorf("a sign-in: %d %s", status, no)
	}
	if id, _ := signUp(t, h, "ada@example.com", ""); id == v.ID {
		t.Error("who signs up anew is the deleted user")
	}
	if got := do(t, h, deleteUser, deletion(v.ID, "HARD")); got.code() != "user-referenced" {
		t.Errorf("hard: %+v", got)
	}
}

// TestDeletionDropsMessages: what waits to be sent, was given up or sent goes with its user, in both ways of deleting,
// and with it what operators said when they acted as the user. Nobody else's goes, and not what is on its way.
func TestDeletionDropsMessages(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	queue := func(id string) {
		for _, state := range []string{"available", "scheduled", "retryable", "discarded", "cancelled", "completed", "running"} {
			for _, kind := range []string{"postern_mail", "postern_sms"} {
				exec(t, h, `insert into postern_river.river_job (kind, args, max_attempts, queue, state, scheduled_at, finalized_at)
					values ($2, jsonb_build_object('userId', $1::text, 'id', $1::text), 3, 'nobody', $3::text::postern_river.river_job_state, now() + interval '1 hour',
						case when $3::text in ('discarded', 'cancelled', 'completed') then now() end)`, id, kind, state)
			}
		}
		exec(t, h, `insert into auth.impersonations (id, user_id, reason, created_at, expires_at) values (gen_random_uuid(), $1, 'Ticket 12', now(), now() + interval '5 minutes')`, id)
	}
	const left = `select count(*) from postern_river.river_job where args->>'userId' = $1`
	for _, mode := range []string{"SOFT", "HARD"} {
		u, other := made(t, h, map[string]any{"email": address()}), made(t, h, map[string]any{"email": address()})
		queue(u.ID)
		queue(other.ID)
		if got := do(t, h, deleteUser, deletion(u.ID, mode)); got.code() != "" {
			t.Fatalf("%s: %+v", mode, got.Errors)
		}
		if n := count(t, h, left, u.ID); n != 2 {
			t.Errorf("%s: %d jobs are left, want the two that run", mode, n)
		}
		if n := count(t, h, left, other.ID); n != 14 {
			t.Errorf("%s: %d jobs of somebody else are left", mode, n)
		}
		if n := count(t, h, `select count(*) from auth.impersonations where user_id = $1`, u.ID); n != 0 {
			t.Errorf("%s: %d impersonations are left", mode, n)
		}
	}
}

// TestDeletionTakesNoLongerThanItMay: a table in the way costs seconds at most, and then nothing has changed.
func TestDeletionTakesNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	exec(t, h, `create table orders (id int, user_id uuid references auth.users (id) on delete cascade)`)
	v := visit(t, h, "ada@example.com", nil)
	tx, err := h.Store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `lock table orders in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	if got := do(t, h, deleteUser, deletion(v.ID, "HARD")); got.code() != "deletion-too-slow" {
		t.Errorf("%+v", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := v.refresh(t, h); status != http.StatusOK {
		t.Errorf("a refresh gives %d", status)
	}
}

// TestDeletionsAtOnce: of many, beside refreshes and sign-ins, one deletes, and nothing is left.
func TestDeletionsAtOnce(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	for _, mode := range []string{"SOFT", "HARD"} {
		v := visit(t, h, strings.ToLower(mode)+"@example.com", nil)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if got := do(t, h, deleteUser, deletion(v.ID, mode)); got.code() != "" && got.code() != "not-found" {
					t.Errorf("%+v", got)
				}
			})
			all.Go(func() { signIn(t, h, strings.ToLower(mode)+"@example.com", goodPassword) })
		}
		all.Go(func() { v.refresh(t, h) })
		all.Wait()
		if n := count(t, h, `select count(*) from auth.refresh_tokens where user_id = $1`, v.ID); n != 0 {
			t.Errorf("%s: %d sessions are left", mode, n)
		}
		if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.deleted' and user_id = $1`, v.ID); n != 1 {
			t.Errorf("%s: %d rows in the audit log", mode, n)
		}
	}
	if broken := h.Log.Errors(); broken != "" {
		t.Error(broken)
	}
}
