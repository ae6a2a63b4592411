package graph_test

import (
	"testing"
	"time"

	"postern/tokens"
)

// somebody makes a user who has what SQL says beside an address that is confirmed.
func (w *world) somebody(t testing.TB, more string) (id string) {
	t.Helper()
	id = tokens.NewUUID()
	exec(t, w.h, `insert into auth.users (id, email, email_verified, locale, default_role, display_name) values ($1, $2, true, 'en', 'user', 'Somebody')`, id, id+"@example.com")
	if more != "" {
		exec(t, w.h, `update auth.users set `+more+` where id = $1`, id)
	}
	return id
}

// session gives a user a session that cannot be refreshed, and its id.
func (w *world) session(t testing.TB, userID string) (id string) {
	t.Helper()
	return w.token(t, userID, "regular")
}

func (w *world) token(t testing.TB, userID, kind string) (id string) {
	t.Helper()
	id = tokens.NewUUID()
	exec(t, w.h, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, expires_at, type) values ($1::uuid, $2, $1::text, now() + interval '1 hour', $3)`, id, userID, kind)
	return id
}

func (w *world) passkey(t testing.TB, userID string) (id string) {
	t.Helper()
	id = tokens.NewUUID()
	exec(t, w.h, `insert into auth.user_security_keys (id, user_id, credential_id, credential_public_key, nickname, added_at, aaguid, backed_up) values ($1::uuid, $2, $1::text, 'x', 'Blue', now(), $1::uuid, true)`, id, userID)
	return id
}

func (w *world) identity(t testing.TB, userID string) (id string) {
	t.Helper()
	id = tokens.NewUUID()
	exec(t, w.h, `insert into auth.providers (id) values ('github') on conflict do nothing`)
	exec(t, w.h, `insert into auth.user_providers (id, user_id, provider_id, provider_user_id, access_token, email) values ($1::uuid, $2, 'github', $1::text, 'sealed-token-of-github', 'x@example.com')`, id, userID)
	return id
}

// totp gives a user a second factor with a recovery code.
func (w *world) totp(t testing.TB, userID string) {
	t.Helper()
	exec(t, w.h, `update auth.users set active_mfa_type = 'totp' where id = $1`, userID)
	exec(t, w.h, `insert into auth.factors (id, user_id, kind, status, secret, created_at, confirmed_at) values (gen_random_uuid(), $1, 'totp', 'active', 'sealed', now(), now())`, userID)
	exec(t, w.h, `insert into auth.recovery_codes (id, user_id, code_hash, created_at) values (gen_random_uuid(), $1, 'x', now())`, userID)
}

// one is a use whose input is about a new user.
func (w *world) one(more string, input func(t testing.TB, id string) map[string]any) change {
	return change{input: func(t testing.TB) map[string]any {
		t.Helper()
		return input(t, w.somebody(t, more))
	}}
}

const page = "https://app.example.com/page"

// credentialChanges are the uses of what helps a user without a secret being learnt or chosen.
func (w *world) credentialChanges() map[string][]change {
	mailed := func(more string) []change {
		return []change{w.one(more, func(_ testing.TB, id string) map[string]any { return map[string]any{"userId": id, "redirectTo": page} })}
	}
	return map[string][]change{
		"sendPasswordReset": mailed(""), "sendSignInLink": mailed(""), "sendEmailVerification": mailed("email_verified = false"), "sendInvitation": mailed(""),
		"generateLink": {
			w.one("", func(_ testing.TB, id string) map[string]any {
				return map[string]any{"userId": id, "type": "SIGN_IN", "redirectTo": page}
			}),
		},
		"endSessions": {
			w.one("", func(t testing.TB, id string) map[string]any {
				w.session(t, id)
				return map[string]any{"userIds": []any{id}, "includePersonalAccessTokens": true}
			}),
			w.one("", func(t testing.TB, id string) map[string]any {
				return map[string]any{"sessionIds": []any{w.session(t, id)}}
			}),
			{input: func(testing.TB) map[string]any {
				return map[string]any{"all": true, "before": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}
			}},
		},
		"resetFactors": {w.one("", func(t testing.TB, id string) map[string]any {
			w.totp(t, id)
			return map[string]any{"userId": id, "includePasskeys": true, "allowLockout": true}
		})},
		"removePasskey": {w.one("", func(t testing.TB, id string) map[string]any {
			return map[string]any{"userId": id, "passkeyId": w.passkey(t, id), "allowLockout": true}
		})},
		"revokePersonalAccessToken": {w.one("", func(t testing.TB, id string) map[string]any {
			return map[string]any{"userId": id, "tokenId": w.token(t, id, "pat")}
		})},
		"unlinkIdentity": {w.one("", func(t testing.TB, id string) map[string]any {
			return map[string]any{"userId": id, "identityId": w.identity(t, id), "allowLockout": true}
		})},
		"impersonateUser": {w.one("", func(_ testing.TB, id string) map[string]any {
			return map[string]any{"userId": id, "reason": "Ticket 12: the page is empty", "minutes": 5}
		})},
	}
}
