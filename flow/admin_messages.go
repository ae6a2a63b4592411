package flow

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"postern/auth"
	"postern/emails"
	"postern/store"
)

// mostAtOnce is how many messages or events of all users together one list gives: they are longer than the
// rest, and messages are opened to see where they went.
const mostAtOnce = 1000

// mayListLong is mayList for lists whose items are long.
func (o Operator) mayListLong(users, first int) (most int, err error) {
	most, err = o.mayList(first)
	if err == nil && users*most > mostAtOnce {
		err = auth.Invalid{Field: "first", Problem: fmt.Sprintf("must be less: %d of %d users are more than %d at once", first, users, mostAtOnce)}
	}
	return most, err
}

// Message is a mail or a text message of a user. What it says nobody is shown: there is a secret in it.
type Message struct {
	store.ListedMessage
	To string // where it goes, masked; empty when that cannot be read any more
}

// MessagesOfUsers lists mails and text messages that wait, and those that were sent or given up lately.
func (f *Admin) MessagesOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]Message, error) {
	most, err := by.mayListLong(len(userIDs), first)
	if err != nil {
		return nil, err
	}
	found, err := f.Store.MessagesOfUsers(ctx, userIDs, most)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]Message, len(found))
	for id, list := range found {
		for _, m := range list {
			to := f.receiverOf(m)
			m.Sealed = ""
			all[id] = append(all[id], Message{m, to})
		}
	}
	return all, nil
}

// receiverOf is where a message goes, masked. One that was sealed with a key that is known no longer is nobody's.
func (f *Admin) receiverOf(m store.ListedMessage) string {
	purpose := store.MailSeal
	if m.Kind == "sms" {
		purpose = store.SMSSeal
	}
	sealed, err := base64.StdEncoding.DecodeString(m.Sealed)
	if err != nil {
		return ""
	}
	plain, err := f.Keys.Open(purpose, sealed)
	if err != nil {
		return ""
	}
	var message emails.Message
	if json.Unmarshal(plain, &message) != nil || message.To == "" {
		return ""
	}
	return masked(message.To)
}

// PendingSecret is a one-time secret that lives. Nothing in it opens a door.
type PendingSecret struct {
	store.ListedSecret
	To string // where it was sent, masked; empty when it was not
}

// PendingSecretsOfUsers lists one-time secrets that live.
func (f *Admin) PendingSecretsOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]PendingSecret, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	now := f.Now()
	found, err := f.Store.SecretsOfUsers(ctx, userIDs, now, now.Before(f.AdoptedUntil), most)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]PendingSecret, len(found))
	for id, list := range found {
		for _, s := range list {
			p := PendingSecret{ListedSecret: s}
			if to := cmp.Or(s.Email, s.PhoneNumber); to != "" {
				p.To = masked(to)
			}
			p.Email, p.PhoneNumber = "", ""
			all[id] = append(all[id], p)
		}
	}
	return all, nil
}
