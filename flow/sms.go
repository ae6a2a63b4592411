package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/store"
	"postern/tokens"
)

// text is a text message with a code that somebody asked for.
type text struct {
	to   string // as sms.ValidNumber has it
	code string // empty when the gateway makes the code itself: k.SMS.HoldsCodes()
	user auth.User

	purpose auth.Purpose
}

// queueSMS makes the text message a job of the transaction. Its content is sealed, since a queue is
// no place for a code that signs somebody in. After expires, when the code is worth nothing any
// more, it is not sent.
func (k *Kit) queueSMS(ctx context.Context, tx *store.DB, expires time.Time, t text) error {
	if k.carriesText(tx, t) {
		return nil
	}
	id := tokens.NewUUID()
	plain, err := json.Marshal(emails.Message{
		ID: id, To: t.to, Template: emails.SignInSMS, Locale: t.user.Locale,
		Variables: map[string]string{
			"code": t.code, "displayName": t.user.DisplayName, "email": t.user.Email, "locale": t.user.Locale,
			"serverUrl": k.Policy.ServerURL, "clientUrl": k.Policy.ClientURL,
		},
	})
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(store.SMSSeal, plain)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	return tx.Enqueue(ctx, store.SMSJob{ID: id, Sealed: sealed, UserID: t.user.ID, Template: emails.SignInSMS, ExpiresAt: expires}, nil)
}
