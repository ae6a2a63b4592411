package graph_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/internal/testhouse"
)

// userFields are the fields of a user that are no lists of other things.
const userFields = `id createdAt updatedAt lastSeen disabled bannedUntil deletedAt displayName avatarUrl locale email emailVerified newEmail
	phoneNumber phoneNumberVerified defaultRole roles isAnonymous activeMfaType hasPassword passwordMustChange metadata`

// run changes the database of a house.
func run(t testing.TB, h *testhouse.House, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// into reads the data of an answer without errors.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if len(a.Errors) > 0 {
		t.Fatalf("%d %v", a.Status, a.Errors)
	}
	if err := json.Unmarshal(a.Data, v); err != nil {
		t.Fatal(err)
	}
}

func TestUserByID(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	id, _ := signUp(t, h, "Ada@example.com", "")
	const bare = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	run(t, h, `insert into auth.users (id, locale, created_at, updated_at) values ($1, 'en', '2026-01-02 03:04:05.678901Z', '2026-01-02 03:04:05.678901Z')`, bare)
	run(t, h, `update auth.users set banned_until = '2030-01-01Z', deleted_at = '2029-01-01Z', disabled = true, display_name = 'Ada', avatar_url = 'https://a.example/1',
		new_email = 'b@example.com', phone_number = '+4930123456', phone_number_verified = true, email_verified = true, password_must_change = true,
		metadata = '{"plan":{"name":"free"}}', active_mfa_type = 'totp' where id = $1`, id)

	var full struct{ User map[string]any }
	ask(t, h, bySecret(), `query($id: UUID!) { user(id: $id) { `+userFields+` } }`, map[string]any{"id": id}).into(t, &full)
	for _, moment := range []string{"createdAt", "updatedAt", "lastSeen"} {
		at, err := time.Parse(time.RFC3339Nano, full.User[moment].(string))
		if err != nil || time.Since(at) > time.Minute || at.Location() != time.UTC {
			t.Errorf("%s is %v", moment, full.User[moment])
		}
		delete(full.User, moment)
	}
	if diff := cmp.Diff(map[string]any{
		"id": id, "disabled": true, "bannedUntil": "2030-01-01T00:00:00Z", "deletedAt": "2029-01-01T00:00:00Z", "displayName": "Ada", "avatarUrl": "https://a.example/1",
		"locale": "en", "email": "Ada@example.com", "emailVerified": true, "newEmail": "b@example.com", "phoneNumber": "+4930123456", "phoneNumberVerified": true,
		"defaultRole": "user", "roles": []any{"me", "user"}, "isAnonymous": false, "activeMfaType": "totp", "hasPassword": true, "passwordMustChange": true,
		"metadata": map[string]any{"plan": map[string]any{"name": "free"}},
	}, full.User); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	var empty struct{ User map[string]any }
	ask(t, h, bySecret(), `query($id: UUID!) { user(id: $id) { `+userFields+` } }`, map[string]any{"id": bare}).into(t, &empty)
	if diff := cmp.Diff(map[string]any{
		"id": bare, "createdAt": "2026-01-02T03:04:05.678901Z", "updatedAt": "2026-01-02T03:04:05.678901Z", "lastSeen": nil, "disabled": false, "bannedUntil": nil, "deletedAt": nil,
		"displayName": "", "avatarUrl": "", "locale": "en", "email": nil, "emailVerified": false, "newEmail": nil, "phoneNumber": nil, "phoneNumberVerified": false,
		"defaultRole": "user", "roles": []any{"user"}, "isAnonymous": false, "activeMfaType": nil, "hasPassword": false, "passwordMustChange": false, "metadata": nil,
	}, empty.User); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	if a := ask(t, h, bySecret(), `{ user(id: "6ba7b810-9dad-41d1-80b4-000000000000") { id } }`, nil); string(a.Data) != `{"user":null}` || len(a.Errors) > 0 {
		t.Errorf("nobody: %s %v", a.Data, a.Errors)
	}
}
