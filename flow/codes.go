package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/emails"
	"postern/sms"
	"postern/store"
	"postern/tokens"
)

// codeTries is how often one code may be tried.
const codeTries = 5

// A code lives long enough to be read elsewhere and typed, and no longer: whoever guesses has the
// same time.
const mailedCodeLife = 10 * time.Minute

// maxGuessChance is the most that the chance of guessing a code of one account may be in a year, at
// the greatest rate that the settings allow.
const maxGuessChance = 1e-3

// guessChance is the chance that somebody who guesses at one account as often as they may, for a
// year, guesses a code. Windows of the budget begin with a guess, so a year meets one more than it
// holds, and the part of another.
func (s Settings) guessChance() float64 {
	const year = 366 * 24 * time.Hour
	if s.CodeFailureWindow <= 0 {
		return 1
	}
	guesses := float64(s.CodeFailures) * float64(year/s.CodeFailureWindow+2)
	for range s.shortestCode() {
		guesses /= 10
	}
	return guesses
}

// shortestCode is how many digits the shorter codes have, of those in mails and in text messages.
func (s Settings) shortestCode() int { return min(s.CodeLength, s.codeLength(true)) }

// codeLength is how many digits a code has.
func (s Settings) codeLength(texted bool) int {
	if texted && s.TextCodeLength != 0 {
		return s.TextCodeLength
	}
	return s.CodeLength
}

// newCode is a code that somebody asked for.
type newCode struct {
	purpose auth.Purpose
	user    auth.User // who gets it
	decoy   bool      // nobody does: it is asked for, tried and counted alike, and no code is the right one
	account string    // accountOf the user, or whose account it would be
	email   string    // where it goes: one of the two
	phone   string    // as sms.ValidNumber has it
	mailed  *link     // that comes in the same mail, where there is one
	knows   codePayload
	client  auth.Client
	now     time.Time
}

// accountOf names an account in the counters of codes, however its owner spells address and number.
func accountOf(u auth.User) string { return u.ID }

// accountOfEmail and accountOfPhone name the account that nobody has.
func accountOfEmail(email string) string  { return "email:" + strings.ToLower(email) }
func accountOfPhone(number string) string { return "phone:" + number }

// sendCode writes a code, in the place of the one before it, and queues the message with it, all in
// the transaction. An account that was sent too many lately is sent no more: then sent is false and
// until says when it is again.
func (k *Kit) sendCode(ctx context.Context, tx *store.DB, c newCode) (until time.Time, sent bool, err error) {
	digits, err := draw(tx, tokens.NewCode(k.Policy.codeLength(c.phone != "")))
	if err != nil {
		return until, false, err
	}
	fixed, forTests := k.Policy.testCodes.of(c.phone, c.now)
	if forTests {
		digits = fixed
	}
	held := c.phone != "" && !forTests && k.SMS.HoldsCodes() && !k.takesText(tx)
	t := k.typedCode(c, digits)
	t.Asked = k.codesAsked(c)
	switch {
	case c.decoy:
		t.UserID, t.SecretHash = "", tokens.HashSecret(tokens.NewUUID())
	case held:
		digits, t.SecretHash = "", tokens.HashSecret(tokens.NewUUID())
	}
	c.knows.Held = held && !c.decoy
	if t.Payload, err = c.knows.encoded(); err != nil {
		return until, false, err
	}
	var ticket string
	if c.mailed != nil && !c.decoy {
		if ticket, err = draw(tx, string(c.mailed.purpose)+":"+tokens.NewUUID()); err != nil {
			return until, false, err
		}
		t.Link = k.linkBeside(*c.mailed, ticket)
	}
	until, sent, err = tx.WriteCode(ctx, t)
	if err != nil || !sent || c.decoy || forTests {
		return until, sent, err
	}
	if c.phone != "" {
		return until, true, k.queueSMS(ctx, tx, t.ExpiresAt, text{to: c.phone, code: digits, user: c.user, purpose: c.purpose, client: c.client})
	}
	return until, true, k.mailCode(ctx, tx, c, digits, ticket)
}

// typedCode is what a code is compared with.
func (k *Kit) typedCode(c newCode, digits string) store.TypedCode {
	t := store.TypedCode{Ticket: store.Ticket{
		ID: tokens.CodeID(c.purpose, c.account), Purpose: c.purpose, UserID: c.user.ID, Email: c.email, PhoneNumber: c.phone,
		Attempts: codeTries, CreatedAt: c.now, ExpiresAt: c.now.Add(k.codeLife(c)),
	}}
	t.SecretHash = k.Keys.HashCode(t.ID, c.purpose, digits)
	return t
}

// linkBeside is what a link is compared with that comes with a code.
func (k *Kit) linkBeside(l link, ticket string) store.Ticket {
	return store.Ticket{
		Payload: l.payload, ID: tokens.NewUUID(), Purpose: l.purpose, SecretHash: tokens.HashSecret(ticket),
		Challenge: l.challenge, ExpiresAt: l.now.Add(k.Mails.life(l.purpose)),
	}
}

// codePayload is what is known of a code beside what it is compared with.
type codePayload struct {
	Held    bool   `json:"held,omitempty"`    // the gateway made it, and checks it
	ByHash  bool   `json:"byHash,omitempty"`  // of a link: the application itself may open it
	Session string `json:"session,omitempty"` // in which it was asked for, where whoever types it need not be signed in
	// Of a change of address that both addresses confirm:
	Both    bool   `json:"both,omitempty"`
	For     string `json:"for,omitempty"`     // the new address
	Current bool   `json:"current,omitempty"` // it went to the current address
	Half    bool   `json:"half,omitempty"`    // the other address has confirmed it
}

// encoded is the payload of a ticket; nil when there is nothing to know.
func (p codePayload) encoded() (json.RawMessage, error) {
	if p == (codePayload{}) {
		return nil, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return text, nil
}

func payloadOf(ticket json.RawMessage) (p codePayload) {
	if json.Unmarshal(ticket, &p) != nil {
		return codePayload{}
	}
	return p
}

func isHeld(payload json.RawMessage) bool { return payloadOf(payload).Held }

func (k *Kit) codeLife(c newCode) time.Duration {
	switch {
	case c.phone == "" && k.Mails.Life > 0:
		return k.Mails.Life
	case c.phone == "":
		return mailedCodeLife
	case k.SMS.HoldsCodes():
		return sms.CodeLife
	}
	return k.Policy.TextCodeLife
}

// codesAsked counts how many codes an account is sent, and a number, whoever asks for them: a number
// costs the operator, and annoys its owner, whatever account it is sent for.
func (k *Kit) codesAsked(c newCode) []store.Guard {
	account := store.Guard{Key: "code:asked:" + string(c.purpose) + ":" + c.account, Max: k.Policy.MailsPerHour, Window: time.Hour}
	if c.phone == "" {
		return []store.Guard{account}
	}
	account.Max = k.Policy.MessagesPerHour
	return []store.Guard{account, {Key: "code:texted:" + c.phone, Max: k.Policy.MessagesPerHour, Window: time.Hour}}
}

// mailCode queues the mail with the code. The variable of the code is called ticket, as in Hasura
// Auth, whose test suites read it from the header X-Ticket.
func (k *Kit) mailCode(ctx context.Context, tx *store.DB, c newCode, digits, ticket string) error {
	variables := map[string]string{
		"ticket": digits, "displayName": c.user.DisplayName, "email": c.user.Email, "newEmail": c.user.NewEmail, "locale": c.user.Locale,
		"serverUrl": k.Policy.ServerURL, "clientUrl": k.Policy.ClientURL,
	}
	template, expires := emails.SignInOTP, c.now.Add(k.codeLife(c))
	if c.mailed != nil {
		kind := mailKinds[c.mailed.purpose]
		variables["link"] = k.linkURL(ticket, kind.linkType, *c.mailed)
		variables["redirectTo"] = c.mailed.redirectTo
		expires = c.now.Add(k.Mails.life(c.mailed.purpose))
		if c.purpose == c.mailed.purpose.Code() {
			template, variables["code"], variables["ticket"] = kind.template, digits, ticket
		}
	}
	a := about{user: c.user, client: c.client, purpose: c.purpose, ticket: ticket, code: digits}
	if c.mailed != nil {
		a.challenge = c.mailed.challenge
		if template != emails.SignInOTP {
			a.purpose = c.mailed.purpose
		}
	}
	return k.sendMail(ctx, tx, expires, a, emails.Message{
		ID: tokens.NewUUID(), To: c.email, Template: template, Locale: c.user.Locale, Variables: variables,
	})
}

// typedCode is a code that somebody typed.
type typedCode struct {
	purpose auth.Purpose
	account string
	phone   string // that the code must have been sent to, where the user could name any
	digits  string
	client  auth.Client
	also    []store.Guard // beside the account's and the client's
	method  string        // of the sign-in that it is typed for; empty when it is for something else
	now     time.Time
}

// tryCode compares a typed code with the one that was sent. Before it does, it takes a try from the
// code, from the account's budget and from the client's; a right code gives the budgets their own try
// back. It says what was proved: whoever goes on must use it up with TakeCode.
func (k *Kit) tryCode(ctx context.Context, in typedCode) (store.Tried, error) {
	digits := onlyDigits(in.digits)
	if digits == "" {
		return store.Tried{}, fmt.Errorf("%w: not digits", auth.InvalidOTP)
	}
	tried, err := k.Store.TryCode(ctx, store.Try{
		TicketID: tokens.CodeID(in.purpose, in.account), Purpose: in.purpose, Phone: in.phone, Guards: k.codeGuards(in), Now: in.now,
		Wrong: k.wrongCode(in), Right: k.Keys.CodeHashes(tokens.CodeID(in.purpose, in.account), in.purpose, digits),
	})
	switch {
	case err != nil:
		return tried, err
	case !tried.Live:
		return tried, fmt.Errorf("%w: none waits to be typed", auth.InvalidOTP)
	case tried.Until.After(in.now):
		return tried, auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: tried.Until.Sub(in.now)}
	case tried.SecretHash == nil:
		return tried, fmt.Errorf("%w: tried %d times", auth.TooManyOTPs, codeTries)
	case !tried.Compare: // others used the budget up at this moment
		return tried, auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: time.Minute}
	}
	var right bool
	if isHeld(tried.Payload) {
		if right, err = k.SMS.CheckCode(ctx, tried.TicketPhone, digits); err != nil {
			return tried, fmt.Errorf("%w: %w", auth.TooSoon{Code: auth.Overloaded, RetryAfter: 5 * time.Second}, err)
		}
	} else {
		right = k.Keys.IsCode(tried.SecretHash, tried.TicketID, in.purpose, digits)
	}
	if !right {
		return tried, k.wrong(ctx, in, tried, fmt.Errorf("%w: another one was sent", auth.InvalidOTP))
	}
	return tried, k.Store.ForgiveTry(ctx, tried)
}

// wrongCode is the entry that a wrong code of a sign-in leaves, in the statement that counts it; nil for other codes.
func (k *Kit) wrongCode(in typedCode) *store.Failure {
	if in.method == "" {
		return nil
	}
	return &store.Failure{Method: in.method, Reason: string(auth.InvalidOTP), Client: in.client, At: in.now}
}

// wrong leaves the entry of a wrong code that only the gateway could compare.
func (k *Kit) wrong(ctx context.Context, in typedCode, tried store.Tried, refusal error) error {
	if in.method == "" || !isHeld(tried.Payload) {
		return refusal
	}
	return k.turnedAway(ctx, attemptOf{userID: tried.UserID, method: in.method, client: in.client}, refusal)
}

// codeGuards count typed codes that were wrong: for the account, of whatever kind they are and
// wherever they come from, and for the client, whatever accounts it tries.
func (k *Kit) codeGuards(in typedCode) []store.Guard {
	guards := append([]store.Guard{k.codeBudget("code:typed:" + in.account)}, in.also...)
	if c := k.Policy.Failures; c.Max > 0 && in.client.Bucket() != "" {
		c.Key = "code:client:" + in.client.Bucket()
		guards = append(guards, c)
	}
	return guards
}

func (k *Kit) codeBudget(key string) store.Guard {
	return store.Guard{Key: key, Max: k.Policy.CodeFailures, Window: k.Policy.CodeFailureWindow}
}

// numberBudget counts, beside the account's own budget, who tries to prove that a number is theirs:
// accounts cost nothing, and with many of them one could guess at one number for ever.
func (k *Kit) numberBudget(number string) store.Guard { return k.codeBudget("code:claimed:" + number) }

// typedOut tells whether the account's budget of typed codes is used up, so that sending another
// code would be in vain.
func (k *Kit) typedOut(ctx context.Context, account string, now time.Time) error {
	return k.Store.CheckGuards(ctx, []store.Guard{k.codeBudget("code:typed:" + account)}, now)
}

// notSent says what it means that somebody types a code for a number that none can be sent to.
func notSent(err error) error {
	if auth.CodeOf(err) == auth.CannotSendSMS {
		return fmt.Errorf("%w: %w", auth.InvalidOTP, err)
	}
	return err
}

// usedUp says what it means that a code is gone when it is taken.
func usedUp(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: used up or changed meanwhile", auth.InvalidOTP)
	}
	return err
}

// onlyDigits is what was typed without the blanks and hyphens that people put into it, or nothing
// when that cannot be a code.
func onlyDigits(typed string) string {
	if len(typed) > 32 {
		return ""
	}
	digits := make([]byte, 0, 10)
	for _, c := range []byte(typed) {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == ' ' || c == '-':
		default:
			return ""
		}
	}
	if len(digits) < 4 || len(digits) > 10 { // a gateway that holds codes may make them of 4
		return ""
	}
	return string(digits)
}

// phoneNumber is a number as sms.ValidNumber has it, from how people write it: with 00 in the place
// of the plus sign, and with what makes it readable. A zero in brackets is to be dialled or not,
// depending on where one is: nobody guesses here whose number that is.
func phoneNumber(typed string) (string, error) {
	if strings.Contains(typed, "(0)") {
		return "", fmt.Errorf("%w: a zero in brackets", auth.CannotSendSMS)
	}
	number := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "", "\u00a0", "").Replace(typed)
	if rest, ok := strings.CutPrefix(number, "00"); ok {
		number = "+" + rest
	}
	if !sms.ValidNumber(number) {
		return "", fmt.Errorf("%w: not a number with + and the country's code", auth.CannotSendSMS)
	}
	return number, nil
}
