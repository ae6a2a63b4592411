package graph_test

import (
	"encoding/json"
	"testing"
	"time"

	"postern/emails"
	"postern/store"
	"postern/tokens"
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
	exec(t, w.h, `insert into auth.tickets (purpose, secret_hash, user_id, email, payload, attempts_left, created_at, expires_at) values ('email-code', convert_to('hidden-hash' || $1::uuid::text, 'UTF8'), $1::uuid, 'jane@example.org', '{"hidden":1}', 4, now(), now() + interval '10 minutes')`, user)
	w.message(t, user, "available", nil)
	exec(t, w.h, `insert into auth.refresh_tokens (user_id, type, refresh_token_hash, expires_at, metadata) values ($1, 'pat', 'hidden-hash', now() + interval '1 year', '{"name": "CI"}')`, user)
}

// message queues a mail to a user, as a flow would; without a content, one that cannot be opened.
func (w *world) message(t testing.TB, user, state string, content *emails.Message) (id int64) {
	t.Helper()
	sealed := []byte("hidden-content")
	if content != nil {
		plain, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		if sealed, err = w.h.Kit.Keys.Seal(store.MailSeal, plain); err != nil {
			t.Fatal(err)
		}
	}
	args, err := json.Marshal(store.MailJob{ID: tokens.NewUUID(), Sealed: sealed, UserID: user, Template: "email-verify", ExpiresAt: w.h.Clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	err = w.h.Store.Pool().QueryRow(t.Context(), `insert into postern_river.river_job (state, attempt, max_attempts, args, kind, queue, priority, created_at, scheduled_at, finalized_at)
		values ($1::text::postern_river.river_job_state, 1, 100, $2, 'postern_mail', 'nobody-works-on', 1, now(), now(), case when $1::text in ('completed', 'cancelled', 'discarded') then now() end) returning id`,
		state, args).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
