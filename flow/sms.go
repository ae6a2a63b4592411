package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/store"
)

// text is a text message with a code that somebody asked for.
type text struct {
	to   string // as sms.ValidNumber has it
	code string // empty when the gateway makes the code itself: k.SMS.HoldsCodes()
	user auth.User

	purpose auth.Purpose
	client  auth.Client // that asked for it
}

// queueSMS sends a text message: by whoever does so in the place of the gateway, within the request, or as
// a job of the transaction. Its content is sealed, since a queue is
// no place for a code that signs somebody in. After expires, when the code is worth nothing any
// more, it is not sent.
func (k *Kit) queueSMS(ctx context.Context, tx *store.DB, expires time.Time, t text) error {
	due := k.textDue(t)
	taken, err := k.carriesText(tx, due)
	if taken || err != nil {
		return err
	}
	waiting, err := due.Waiting()
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	plain, err := json.Marshal(emails.Message{
		ID: due.ID, To: t.to, Template: emails.SignInSMS, Locale: t.user.Locale,
		Variables: map[string]string{
			"code": t.code, "displayName": t.user.DisplayName, "email": t.user.Email, "locale": t.user.Locale,
			"serverUrl": k.Policy.ServerURL, "clientUrl": k.Policy.ClientURL,
		},
		Due: waiting,
	})
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(store.SMSSeal, plain)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	return tx.Enqueue(ctx, store.SMSJob{ID: due.ID, Sealed: sealed, UserID: t.user.ID, Template: emails.SignInSMS, ExpiresAt: expires}, nil)
}
