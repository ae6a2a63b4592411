package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// phoneFactors are telephones, which are sent a code for each challenge.
type phoneFactors struct{ *Kit }

func (k phoneFactors) mayEnrol() bool { return k.Policy.MFAPhone }

// textedFactor is what is remembered of a challenge: the code is good for it alone, and proves no other number.
type textedFactor struct {
	Number string `json:"number"`
	Hash   []byte `json:"hash"` // of the code, with a key that the database does not have
}

// phoneBudget is factorBudget for codes in text messages, of which one is right at a time.
func phoneBudget(userID string) store.Budget {
	return store.Budget{Key: "phone-factor:account:" + userID, Burst: factorBurst, Every: factorEvery}
}

func (k phoneFactors) begin(ctx context.Context, c challenging) (begun, error) {
	if err := k.mayText(); err != nil {
		return begun{}, err
	}
	if c.factor.ConfirmedAt.IsZero() && !k.mayEnrol() {
		return begun{}, FactorsOff{auth.PhoneFactor}
	}
	ended, err := k.takeText(ctx, c)
	if err != nil {
		return begun{}, err
	}
	b, err := k.text(c)
	if err != nil {
		ended(&err)
		return begun{}, err
	}
	b.ended = ended
	return b, nil
}

// takeText takes a place for one more text message: of the client, of the user, and in what everybody has sent.
func (k phoneFactors) takeText(ctx context.Context, c challenging) (ended func(*error), err error) {
	if c.texts != nil {
		if err := c.texts(); err != nil {
			return nil, err
		}
	}
	turned, err := k.inTurnEvery(ctx, turn{keys: []string{turnFactor + c.user.ID}, texts: true}, k.Policy.MFAPhoneEvery)
	if err != nil {
		return nil, err
	}
	counted, err := k.Sending.Spend(ctx, true)
	if err != nil {
		turned(&err)
		return nil, err
	}
	return func(refused *error) {
		turned(refused)
		counted(refused)
	}, nil
}

// text draws a code, and sends it with the challenge.
func (k phoneFactors) text(c challenging) (begun, error) {
	digits := tokens.NewCode(k.Policy.CodeLength)
	memo, err := json.Marshal(textedFactor{c.factor.PhoneNumber, k.Keys.HashCode(c.ticketID, auth.FactorChallenge, digits)})
	if err != nil {
		return begun{}, fmt.Errorf("flow: %w", err)
	}
	return begun{memo: memo, also: func(ctx context.Context, tx *store.DB) error {
		if err := tx.CountFailure(ctx, k.factorTexts(c), c.now); err != nil {
			return err
		}
		return k.queueSMS(ctx, tx, c.now.Add(factorTicketLife), text{
			to: c.factor.PhoneNumber, code: digits, user: c.user, purpose: auth.FactorChallenge, client: c.client,
		})
	}}, nil
}

// mayText tells whether codes of ours can be sent. A gateway that makes the codes itself knows a number and not what a code is for: one for
// signing in would prove the factor.
func (k phoneFactors) mayText() error {
	switch {
	case !k.textsReady(auth.FactorChallenge):
		return auth.SMSNotConfigured
	case k.SMS.HoldsCodes() && (k.Hooks == nil || !k.Hooks.SMSDue.TakesAll()):
		return fmt.Errorf("%w: the gateway makes the codes itself, and cannot tell what they are for", auth.SMSNotConfigured)
	}
	return nil
}

// factorTexts count what a user is sent, and a number that is not proved to be theirs, whoever asks for it. One that is has no limit that it
// shares with codes that strangers ask for: they would keep its owner out by asking.
func (k phoneFactors) factorTexts(c challenging) []store.Guard {
	user := store.Guard{Key: "code:asked:factor:" + c.user.ID, Max: k.Policy.MessagesPerHour, Window: time.Hour}
	if !c.factor.ConfirmedAt.IsZero() {
		return []store.Guard{user}
	}
	return []store.Guard{user, {Key: "code:texted:" + c.factor.PhoneNumber, Max: k.Policy.MessagesPerHour, Window: time.Hour}}
}

func (k phoneFactors) check(ctx context.Context, t typed) (proof, error) {
	if !t.user.HasFactorOf(auth.PhoneFactor) {
		return proof{}, fmt.Errorf("%w: user %s", auth.FactorNotActive, t.user.ID)
	}
	number, err := k.compareText(ctx, t, t.ticketID)
	return proof{typed: t, method: auth.ByPhone, budget: phoneBudget(t.user.ID), use: func(ctx context.Context, tx *store.DB) error {
		return tx.HoldPhoneFactor(ctx, t.user.ID, t.factorID, number, t.now)
	}}, err
}

func (k phoneFactors) confirm(ctx context.Context, t typed, factor auth.Factor) (proof, error) {
	number, err := k.compareText(ctx, t, "") // the try is counted
	if err == nil && number != factor.PhoneNumber {
		err = fmt.Errorf("%w: the code was sent to another number", auth.InvalidTOTP)
	}
	return proof{typed: t, method: auth.ByPhone, budget: phoneBudget(t.user.ID), use: func(ctx context.Context, tx *store.DB) error {
		return k.turnFactorOn(ctx, tx, t, store.Activation{PendingID: factor.ID})
	}}, err
}

// compareText compares a typed code with the one that was sent for the challenge, and tells where that went. Before it does, it takes a
// guess from the user's budget, and a try from the ticket that is named.
func (k phoneFactors) compareText(ctx context.Context, t typed, ticketID string) (number string, err error) {
	digits := onlyDigits(t.code)
	if digits == "" {
		return "", fmt.Errorf("%w: not digits", auth.InvalidTOTP)
	}
	var sent textedFactor
	if err := json.Unmarshal(t.memo, &sent); err != nil {
		return "", fmt.Errorf("flow: the challenge of a telephone: %w", err)
	}
	if err := triedOut(k.Store.Spend(ctx, phoneBudget(t.user.ID), ticketID, t.now)); err != nil {
		return "", err
	}
	if !k.Keys.IsCode(sent.Hash, t.ticketID, auth.FactorChallenge, digits) {
		return "", fmt.Errorf("%w: wrong code of user %s", auth.InvalidTOTP, t.user.ID)
	}
	return sent.Number, nil
}

// PhoneEnrolment is a user who wants a telephone to be a second factor.
type PhoneEnrolment struct {
	Actor  auth.Actor
	Name   string // of the factor; may be empty
	Number string
	Client auth.Client
}

// EnrolPhone notes a number that a second factor is to be of. Nothing is asked of it, and nothing sent there, until it is
// challenged; and it proves nothing until the first code that was sent there has confirmed it.
func (f *Account) EnrolPhone(ctx context.Context, in PhoneEnrolment) (auth.Factor, error) {
	none := auth.Factor{}
	user, number, err := f.mayEnrolPhone(ctx, in)
	if err != nil {
		return none, err
	}
	e := f.entry("factor.staged", user.ID, in.Client, f.Now())
	e.SessionID = in.Actor.SessionID
	factor := auth.Factor{ID: tokens.NewUUID(), Kind: auth.PhoneFactor, Name: in.Name, PhoneNumber: number, CreatedAt: e.At}
	return factor, f.stage(ctx, user.ID, func(tx *store.DB) error {
		return tx.StageFactor(ctx, store.Factor{ID: factor.ID, Kind: factor.Kind, Name: factor.Name, Phone: number}, e)
	})
}

func (f *Account) mayEnrolPhone(ctx context.Context, in PhoneEnrolment) (auth.User, string, error) {
	kind := phoneFactors{&f.Kit}
	if !kind.mayEnrol() {
		return auth.User{}, "", FactorsOff{auth.PhoneFactor}
	}
	user, err := f.memberOfBoth(ctx, in.Actor, f.memberEnrolling)
	if err != nil {
		return user, "", err
	}
	number, err := phoneNumber(in.Number)
	switch {
	case err != nil:
		return user, "", err
	case user.HasFactorOf(auth.PhoneFactor):
		return user, "", fmt.Errorf("%w: user %s", auth.FactorActive, user.ID)
	}
	return user, number, kind.mayText()
}
