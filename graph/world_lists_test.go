package graph_test

import (
	"testing"
)

// lists furnishes the world with a user who has one of each.
func (w *world) lists(t testing.TB) { w.everything(t, w.jane) }

// everything gives a user one of each thing that operators see of users. They have a session from signing up.
func (w *world) everything(t testing.TB, user string) {
	t.Helper()
	exec(t, w.h, `insert into auth.providers (id) values ('github') on conflict do nothing`)
	exec(t, w.h, `insert into auth.user_providers (user_id, access_token, provider_id, provider_user_id, email) values ($1::uuid, 'hidden-token', 'github', $1::uuid::text, 'jane@example.org')`, user)
	exec(t, w.h, `insert into auth.factors (id, user_id, kind, status, secret, created_at) values (gen_random_uuid(), $1, 'totp', 'pending', 'hidden-secret', now())`, user)
	exec(t, w.h, `insert into auth.recovery_codes (id, user_id, code_hash, created_at) values (gen_random_uuid(), $1, 'hidden-code', now())`, user)
	exec(t, w.h, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key, transports, added_at) values ($1::uuid, 'hidden-credential-' || $1::uuid::text, 'hidden-key', 'usb,nfc', now())`, user)
	exec(t, w.h, `insert into auth.refresh_tokens (user_id, type, refresh_token_hash, expires_at, metadata) values ($1, 'pat', 'hidden-hash', now() + interval '1 year', '{"name": "CI"}')`, user)
}
