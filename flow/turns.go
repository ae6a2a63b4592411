package flow

import (
	"context"
	"errors"
	"time"

	"postern/auth"
	"postern/store"
)

// TooManyMessages refuses to send a mail or a text message for now.
type TooManyMessages struct {
	auth.TooSoon
	Texts bool // text messages, not mails
	OfAll bool // everybody together has had too many; else one person asks too soon after the last
}

// Unwrap says when to come back.
func (e TooManyMessages) Unwrap() error { return e.TooSoon }

// Intervals are how long one person must wait between two messages of a kind. They stand beside the limits by the hour, of which
// nobody learns. Nobody waits for 0.
type Intervals struct{ Mails, Texts time.Duration }

// The kinds of messages that have an interval each. What kind it is depends on what is asked for, never on whose account it is:
// that would tell who has one.
const (
	turnConfirm     = "confirm:"
	turnEnter       = "enter:" // links to sign in by and to reset a password
	turnEmailChange = "email:"
	turnPhoneChange = "phone:"
	turnReauth      = "reauthenticate:"
	turnFactor      = "factor:" // with an interval of its own
)

// turn is one request for a message.
type turn struct {
	keys  []string // kind, and who is written to
	texts bool
}

func mailTo(kind, email string) turn { return turn{keys: []string{kind + accountOfEmail(email)}} }

// textTo is a text message to a number, however it is typed.
func textTo(kind, typed string) turn {
	number, err := phoneNumber(typed)
	if err != nil {
		number = typed // nothing will be sent there
	}
	return turn{keys: []string{kind + accountOfPhone(number)}, texts: true}
}

// wait is how long lies between two turns of a kind.
func (t turn) wait(i Intervals) time.Duration {
	if t.texts {
		return i.Texts
	}
	return i.Mails
}

// inTurn refuses who asks for a message too soon after the last. It is called before anybody is looked up, with what the request names
// (or with who is signed in), and whoever is unknown waits as long as whoever is known: so a refusal does not tell who has
// an account. What it gives must be called with how the request ended: of one that was refused no turn is taken.
func (k *Kit) inTurn(ctx context.Context, t turn) (end func(*error), err error) {
	return k.inTurnEvery(ctx, t, t.wait(k.Policy.Intervals))
}

func (k *Kit) inTurnEvery(ctx context.Context, t turn, interval time.Duration) (end func(*error), err error) {
	now := k.Now()
	if interval <= 0 {
		return func(*error) {}, nil
	}
	guards := make([]store.Guard, len(t.keys))
	for i, key := range t.keys {
		guards[i] = store.Guard{Key: "turn:" + key, Max: 1, Window: interval}
	}
	taken, err := k.Store.TakeTurn(ctx, guards, now)
	var soon auth.TooSoon
	if errors.As(err, &soon) {
		return nil, TooManyMessages{TooSoon: soon, Texts: t.texts}
	}
	if err != nil {
		return nil, err
	}
	return onRefusal(ctx, func() error { return k.Store.ReturnTurn(ctx, taken) }), nil
}

// sends is inTurn for the messages of one request, each of which counts in what the instance sends, too, where the door does not know
// what a request has sent.
func (k *Kit) sends(ctx context.Context, turns ...turn) (end func(*error), err error) {
	var ends []func(*error)
	all := func(refused *error) {
		for _, e := range ends {
			e(refused)
		}
	}
	defer func() {
		if err != nil {
			all(&err)
		}
	}()
	for _, t := range turns {
		if end, err = k.inTurn(ctx, t); err != nil {
			return nil, err
		}
		ends = append(ends, end)
		if end, err = k.Sending.Spend(ctx, t.texts); err != nil {
			return nil, err
		}
		ends = append(ends, end)
	}
	return all, nil
}

// onRefusal gives something back when a request was refused. Whoever hangs up before the answer may have had their message.
func onRefusal(ctx context.Context, giveBack func() error) func(*error) {
	return func(refused *error) {
		if *refused == nil || ctx.Err() != nil {
			return
		}
		if err := giveBack(); err != nil {
			*refused = errors.Join(*refused, err)
		}
	}
}

// Sending counts what people have the whole instance send, on all replicas together. The zero Sending counts nothing, and so does nil.
type Sending struct {
	Store        *store.DB
	Now          func() time.Time
	Mails, Texts store.Budget // without a Burst there is no limit
}

// Spend takes a place for one mail, or text message. What it gives must be called with how the request ended.
func (s *Sending) Spend(ctx context.Context, texts bool) (end func(*error), err error) {
	nothing := func(*error) {}
	if s == nil {
		return nothing, nil
	}
	b := s.Mails
	if texts {
		b = s.Texts
	}
	if b.Burst <= 0 {
		return nothing, nil
	}
	err = s.Store.Spend(ctx, b, "", s.Now())
	var soon auth.TooSoon
	if errors.As(err, &soon) {
		return nil, TooManyMessages{TooSoon: soon, Texts: texts, OfAll: true}
	}
	if err != nil {
		return nil, err
	}
	return onRefusal(ctx, func() error { return s.Store.GiveBack(ctx, b) }), nil
}
