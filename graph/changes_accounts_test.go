package graph_test

import (
	"encoding/json"
	"testing"

	"postern/tokens"
)

// address is one that nobody has yet.
func address() string { return tokens.NewUUID() + "@example.com" }

// accounts are the uses of what makes, changes and deletes users.
func (w *world) accounts() map[string][]change {
	return map[string][]change{
		"deleteUser": {
			{input: func(t testing.TB) map[string]any { return map[string]any{"id": w.newcomer(t), "mode": "SOFT"} }},
			{input: func(t testing.TB) map[string]any { return map[string]any{"id": w.newcomer(t), "mode": "HARD"} }},
		},
		"updateUser": {
			{input: func(t testing.TB) map[string]any {
				return map[string]any{
					"id": w.newcomer(t), "email": address(), "emailVerified": true, "phoneNumber": "+4420" + digits(8), "phoneNumberVerified": true,
					"displayName": "Ada", "avatarUrl": "https://example.com/ada.png", "locale": "en", "defaultRole": "user", "roles": []any{"user"},
					"metadata": map[string]any{"plan": "gold"}, "disabled": true, "bannedUntil": "2030-01-01T00:00:00Z",
				}
			}},
			{input: func(t testing.TB) map[string]any {
				id := w.newcomer(t)
				got := ask(t, w.h, bySecret(), `{user(id:"`+id+`"){updatedAt}}`, nil)
				var out struct{ User account }
				if err := json.Unmarshal(got.Data, &out); err != nil {
					t.Fatal(err)
				}
				return map[string]any{"id": id, "ifUpdatedAt": *out.User.UpdatedAt, "metadataPatch": map[string]any{"plan": "gold"}}
			}},
		},
		"createUser": {
			{input: func(testing.TB) map[string]any {
				return map[string]any{
					"id": tokens.NewUUID(), "email": address(), "emailVerified": true, "phoneNumber": "+4420" + digits(8), "phoneNumberVerified": true,
					"displayName": "Ada", "avatarUrl": "https://example.com/ada.png", "locale": "en", "defaultRole": "user", "roles": []any{"user", "me"},
					"metadata": map[string]any{"plan": "gold"}, "disabled": true, "password": goodPassword,
				}
			}},
			{input: func(testing.TB) map[string]any {
				return map[string]any{"email": address(), "passwordHash": "$2a$04$abcdefghijklmnopqrstuuKzyKPTlJYZPBTZRMB5n6vtNfpOH1YTW"}
			}},
			{input: func(testing.TB) map[string]any {
				return map[string]any{"email": address(), "invitation": map[string]any{"redirectTo": "https://app.example.com"}}
			}},
		},
	}
}

// newcomer makes a user for one use.
func (w *world) newcomer(t testing.TB) string {
	t.Helper()
	return made(t, w.h, map[string]any{"email": address()}).ID
}

// digits are so many at random.
func digits(n int) string { return tokens.NewCode(n) }
