package graph_test

import (
	"testing"

	"postern/tokens"
)

// address is one that nobody has yet.
func address() string { return tokens.NewUUID() + "@example.com" }

// accounts are the uses of what makes, changes and deletes users.
func (w *world) accounts() map[string][]change {
	return map[string][]change{
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

// digits are so many at random.
func digits(n int) string { return tokens.NewCode(n) }
