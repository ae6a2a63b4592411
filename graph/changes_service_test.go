package graph_test

import (
	"testing"

	"postern/tokens"
)

type object = map[string]any

// once is a use of a mutation.
func once(input func(t testing.TB) object) change { return change{input: input} }

// serviceChanges are the uses of what concerns the service itself.
func (w *world) serviceChanges() map[string][]change {
	texts := func(list ...string) []any {
		all := []any{}
		for i := 0; i+1 < len(list); i += 2 {
			all = append(all, object{"name": list[i], "value": list[i+1]})
		}
		return all
	}
	since, until := "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
	return map[string][]change{
		"createHook": {once(func(testing.TB) object {
			return object{"name": tokens.NewULID(w.h.Clock.Now()), "triggerId": "credentials-exchange", "script": "x", "dependencies": texts("a", "1"), "enabled": false}
		})},
		"updateHook": {once(func(t testing.TB) object {
			return object{"id": w.script(t), "name": tokens.NewULID(w.h.Clock.Now()), "script": "y", "dependencies": texts("b", "2"), "enabled": false}
		})},
		"deleteHook":        {once(func(t testing.TB) object { return object{"id": w.script(t)} })},
		"setHookSecrets":    {once(func(t testing.TB) object { return object{"id": w.script(t), "secrets": texts("A", "1")} })},
		"removeHookSecrets": {once(func(t testing.TB) object { return object{"id": w.script(t), "names": []any{"A"}} })},
		"testHook": {
			once(func(t testing.TB) object { return object{"scriptId": w.script(t)} }),
			once(func(testing.TB) object {
				return object{"hook": "auth0/credentials-exchange", "script": "module.exports = 1", "secrets": texts("A", "1"), "payload": object{"a": 1}}
			}),
		},
		"createMachineClient": {once(func(testing.TB) object {
			return object{"name": "CI", "audiences": []any{"https://api.example.com/"}, "scopes": []any{"read:hooks"}, "metadata": texts("a", "1")}
		})},
		"rotateMachineClientSecret": {once(func(t testing.TB) object { return object{"id": w.machine(t)} })},
		"updateMachineClient": {once(func(t testing.TB) object {
			return object{"id": w.machine(t), "name": "CD", "audiences": []any{"https://api.example.com/"}, "scopes": []any{}, "metadata": texts("a", "1")}
		})},
		"deleteMachineClient": {once(func(t testing.TB) object { return object{"id": w.machine(t)} })},
		"createOAuthClient": {once(func(testing.TB) object {
			return object{
				"name": "Wiki", "uri": "https://wiki.example.com/", "logoUri": "https://wiki.example.com/logo.png", "redirectUris": []any{"https://wiki.example.com/cb"},
				"scopes": []any{"openid", "graphql"}, "grantTypes": []any{"authorization_code"}, "authMethod": "CLIENT_SECRET_POST",
			}
		})},
		"newOAuthClientSecret": {once(func(t testing.TB) object { return object{"id": w.oauthClient(t)} })},
		"updateOAuthClient": {once(func(t testing.TB) object {
			return object{
				"id": w.oauthClient(t), "name": "Mail", "uri": "", "logoUri": "", "redirectUris": []any{"https://mail.example.com/cb"},
				"scopes": []any{"email"}, "grantTypes": []any{"authorization_code"}, "authMethod": "CLIENT_SECRET_POST",
			}
		})},
		"deleteOAuthClient": {once(func(t testing.TB) object { return object{"id": w.oauthClient(t)} })},
		"replayEvent": {once(func(t testing.TB) object {
			id, _ := w.oldEvent(t)
			return object{"id": id, "receiver": "crm"}
		})},
		"replayEvents": {
			once(func(t testing.TB) object {
				_, user := w.oldEvent(t)
				return object{"since": since, "until": until, "userId": user, "type": "user.*", "receiver": "crm"}
			}),
			once(func(t testing.TB) object {
				_, user := w.deadEvent(t)
				return object{"since": since, "userId": user, "dead": true}
			}),
		},
		"retryMail": {once(func(t testing.TB) object { return object{"id": w.deadMessage(t, "postern_mail")} })},
		"discardDeadLetter": {
			once(func(t testing.TB) object { return object{"id": w.deadMessage(t, "postern_sms")} }),
			once(func(t testing.TB) object {
				id, _ := w.deadEvent(t)
				return object{"id": "event:crm:" + id}
			}),
		},
		"sendTestEmail": {once(func(testing.TB) object {
			return object{"to": address(), "name": "password-reset", "locale": "en", "variables": texts("displayName", "Ada")}
		})},
		"sendTestSms": {once(func(testing.TB) object { return object{"to": "+4420" + digits(8), "locale": "en"} })},
	}
}
