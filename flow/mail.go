package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/store"
	"postern/tokens"
)

// mailKind is what a purpose means for a mail: its template, what the link calls itself, and how
// long the link is good for.
type mailKind struct {
	template string
	linkType string
	life     time.Duration
}

// mailKinds are Hasura Auth's, and ours.
var mailKinds = map[auth.Purpose]mailKind{
	auth.VerifyEmail:        {"email-verify", "emailVerify", 30 * 24 * time.Hour},
	auth.ConfirmEmailChange: {"email-confirm-change", "emailConfirmChange", time.Hour},
	auth.SignInByEmail:      {"signin-passwordless", "signinPasswordless", time.Hour},
	auth.ResetPassword:      {"password-reset", "passwordReset", time.Hour},
	auth.Invitation:         {"invitation", "invitation", 7 * 24 * time.Hour},
}

// Mails is how a dialect writes mails with links. The zero value is Hasura Auth's way.
type Mails struct {
	// Address gives the address that a link leads to; nil is AUTH_SERVER_URL + /verify.
	Address func(MailedLink) string
	Codes   bool          // with every link comes a code to be typed in its place
	Own     bool          // mails tell templates what users say of themselves, see emails.Own
	Life    time.Duration // of links and codes; 0 means as long as Hasura Auth has them live
}

// MailedLink is what the address of a link is made of.
type MailedLink struct {
	Ticket     string
	Purpose    auth.Purpose
	RedirectTo string
	Challenge  string // PKCE; empty for none
}

// life is how long a link is good for.
func (m Mails) life(p auth.Purpose) time.Duration {
	if m.Life > 0 {
		return m.Life
	}
	return mailKinds[p].life
}

// link is a mail with a link that somebody asked for.
type link struct {
	user       auth.User
	to         string
	purpose    auth.Purpose
	redirectTo string
	challenge  string
	knows      codePayload     // beside
	payload    json.RawMessage // that whoever opens the link needs to know again; nothing secret, unless it is sealed
	client     auth.Client     // that asked for it
	now        time.Time
}

// sendLink writes the ticket and queues the mail, both in the transaction. A user who was sent too
// many of the kind lately is sent no more, and whoever asked learns nothing of it.
func (k *Kit) sendLink(ctx context.Context, tx *store.DB, l link) error {
	_, err := k.sendLinkIf(ctx, tx, l)
	return err
}

// sendLinkIf is sendLink that tells whether the mail is sent.
func (k *Kit) sendLinkIf(ctx context.Context, tx *store.DB, l link) (sent bool, err error) {
	if k.Mails.Codes {
		return k.sendLinkWithCode(ctx, tx, l)
	}
	kind := mailKinds[l.purpose]
	payload := l.payload
	if payload == nil {
		var err error
		if payload, err = l.knows.encoded(); err != nil {
			return false, err
		}
	}
	ticket, added, err := k.linkTicket(ctx, tx, l, payload)
	if err != nil || !added {
		return false, err
	}
	a := about{user: l.user, client: l.client, purpose: l.purpose, challenge: l.challenge, ticket: ticket}
	return true, k.sendMail(ctx, tx, l.now.Add(k.Mails.life(l.purpose)), a, emails.Message{
		ID: tokens.NewUUID(), To: l.to, Template: kind.template, Locale: l.user.Locale,
		Variables: map[string]string{
			"link": k.linkURL(ticket, kind.linkType, l), "ticket": ticket, "redirectTo": l.redirectTo,
			"displayName": l.user.DisplayName, "email": l.user.Email, "newEmail": l.user.NewEmail, "locale": l.user.Locale,
			"serverUrl": k.Policy.ServerURL, "clientUrl": k.Policy.ClientURL,
		},
	})
}

// sendLinkWithCode is sendLinkIf where a code comes in the same mail. Whichever is used, the other is gone.
func (k *Kit) sendLinkWithCode(ctx context.Context, tx *store.DB, l link) (sent bool, err error) {
	_, sent, err = k.sendCode(ctx, tx, l.withCode())
	return sent, err
}

// withCode is the code that comes with a link. The application itself may open such a link.
func (l link) withCode() newCode {
	l.payload = l.knows.byHash()
	account := accountOf(l.user)
	if l.purpose == auth.ConfirmEmailChange && !l.knows.Current { // it is typed with the new address
		account = accountOfEmail(l.to)
	}
	return newCode{purpose: l.purpose.Code(), user: l.user, account: account, email: l.to, mailed: &l, knows: l.knows, client: l.client, now: l.now}
}

// byHash marks the ticket of a link that the application itself may open, who needs no code to exchange then.
func (p codePayload) byHash() json.RawMessage {
	p.ByHash = true
	payload, err := p.encoded()
	if err != nil {
		return nil // which opens by the verifier alone
	}
	return payload
}

func isOpenByHash(payload json.RawMessage) bool { return payloadOf(payload).ByHash }

// linkTicket writes the ticket of a link, unless its user had too many of the kind lately.
func (k *Kit) linkTicket(ctx context.Context, tx *store.DB, l link, payload json.RawMessage) (ticket string, added bool, err error) {
	if ticket, err = draw(tx, string(l.purpose)+":"+tokens.NewUUID()); err != nil {
		return "", false, err
	}
	added, err = tx.AddTicket(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: l.purpose, SecretHash: tokens.HashSecret(ticket), UserID: l.user.ID, Payload: payload,
		Email: l.to, Challenge: l.challenge, CreatedAt: l.now, ExpiresAt: l.now.Add(k.Mails.life(l.purpose)),
	}, k.Policy.MailsPerHour, l.now.Add(-time.Hour))
	return ticket, added, err
}

// linkURL is where the mail's button leads.
func (k *Kit) linkURL(ticket, linkType string, l link) string {
	if k.Mails.Address != nil {
		return k.Mails.Address(MailedLink{Ticket: ticket, Purpose: l.purpose, RedirectTo: l.redirectTo, Challenge: l.challenge})
	}
	q := url.Values{"redirectTo": {l.redirectTo}, "ticket": {ticket}, "type": {linkType}}
	if l.challenge != "" {
		q.Set("codeChallenge", l.challenge)
	}
	return k.Policy.ServerURL + "/verify?" + q.Encode()
}

// sendMail sends a mail that somebody waits for: by whoever sends mails in the place of the mail server,
// within the request, or by the queue.
func (k *Kit) sendMail(ctx context.Context, tx *store.DB, expires time.Time, a about, m emails.Message) error {
	taken, err := k.carriesMail(tx, k.mailDue(m, a))
	if taken || err != nil {
		return err
	}
	return k.queueMail(ctx, tx, expires, a, m)
}

// queueMail makes the mail a job of the transaction. Its content is sealed, since a queue is no
// place for a link that signs somebody in.
func (k *Kit) queueMail(ctx context.Context, tx *store.DB, expires time.Time, a about, m emails.Message) error {
	var err error
	if m.Due, err = k.mailDue(m, a).Waiting(); err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	if k.Mails.Own {
		m.Own = &emails.Own{Data: saidOf(a.user), Detail: a.detail}
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(store.MailSeal, plain)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	return tx.Enqueue(ctx, store.MailJob{ID: m.ID, Sealed: sealed, UserID: a.user.ID, Template: m.Template, ExpiresAt: expires}, nil)
}

// saidOf is what a user says of themselves, without what only the application may.
func saidOf(u auth.User) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(u.Metadata, &all) != nil {
		return nil
	}
	delete(all, "app_metadata")
	raw, err := json.Marshal(all)
	if err != nil || len(raw) > maxOwnMetadata {
		return nil
	}
	return raw
}

// notice is a mail that tells somebody of a change.
type notice struct {
	template string
	to       string
	user     auth.User
	client   auth.Client
	detail   map[string]string // see hooks.MailDue
}

// notify queues a notice, when mails can be sent. Nobody waits for it, so it goes through the queue
// whoever sends mails: that they do not answer stops no change.
func (k *Kit) notify(ctx context.Context, tx *store.DB, n notice) error {
	if !k.MailReady || n.to == "" {
		return nil
	}
	u := n.user
	return k.queueMail(ctx, tx, time.Time{}, about{user: u, client: n.client, detail: n.detail}, emails.Message{
		ID: tokens.NewUUID(), To: n.to, Template: n.template, Locale: u.Locale,
		Variables: map[string]string{
			"displayName": u.DisplayName, "email": u.Email, "newEmail": u.NewEmail, "locale": u.Locale,
			"serverUrl": k.Policy.ServerURL, "clientUrl": k.Policy.ClientURL,
		},
	})
}
