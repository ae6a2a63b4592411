package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"postern/auth"
	"postern/store"
)

// ask computes the custom claims of a sign-in and asks the hooks of sessions and tokens, before it is
// committed: a sign-in that is refused then uses nothing up. Who has a second factor to prove gets no
// token yet, or one without custom claims, so those are not asked for.
//
// o.user is the user as the commit will leave them, was as they are: what the commit changes is not yet
// to be read anywhere else.
func (k *Kit) ask(ctx context.Context, o opening, was auth.User) (opening, error) {
	o, err := k.askConfirmed(ctx, o, was)
	if err != nil {
		return o, err
	}
	if o, err = k.askClaims(ctx, o, was); err != nil {
		return o, err
	}
	return k.askSession(ctx, o, was)
}

func (k *Kit) askClaims(ctx context.Context, o opening, was auth.User) (opening, error) {
	if k.Claims.None() || k.Policy.wantsFactor(o) || k.Policy.leavesFactor(o) {
		return o, nil
	}
	var err error
	o.claims, err = k.Claims.Of(ctx, o.user.ID, changes(was, o.user))
	return o, err
}

// changes names the fields of a user, as GraphQL has them, that a sign-in changes.
func changes(was, is auth.User) map[string]any {
	changed := map[string]any{}
	text := func(field, was, is string) {
		switch {
		case was == is:
		case is == "":
			changed[field] = nil
		default:
			changed[field] = is
		}
	}
	text("email", was.Email, is.Email)
	text("newEmail", was.NewEmail, is.NewEmail)
	text("phoneNumber", was.PhoneNumber, is.PhoneNumber)
	text("activeMfaType", was.ActiveMFAType, is.ActiveMFAType)
	if !bytes.Equal(was.Metadata, is.Metadata) {
		var metadata any
		if json.Unmarshal(is.Metadata, &metadata) == nil {
			changed["metadata"] = metadata
		}
	}
	if was.EmailVerified != is.EmailVerified {
		changed["emailVerified"] = is.EmailVerified
	}
	if was.PhoneNumberVerified != is.PhoneNumberVerified {
		changed["phoneNumberVerified"] = is.PhoneNumberVerified
	}
	return changed
}

// asking is a question that is put while the caller does something slow.
type asking struct {
	begin  func() // puts the question, once; wait does so where it was not called
	cancel context.CancelFunc
	answer chan answered
}

type answered struct {
	opening opening
	err     error
}

// asking readies the question for custom claims. It is put when the slow work begins, not when it is asked for: of those
// who are turned away before, as strangers can have done as often as they like, no source hears.
// The caller must cancel it, and waits for the answer only when the sign-in goes on.
func (k *Kit) asking(ctx context.Context, o opening) asking {
	ctx, cancel := context.WithCancel(ctx)
	answer := make(chan answered, 1)
	begin := sync.OnceFunc(func() {
		if k.Claims.None() || o.user.IsLocked(k.Now()) {
			answer <- answered{opening: o}
			return
		}
		go func() {
			var got answered
			defer func() {
				if what := recover(); what != nil { // the server does this for a request, and only there
					got.err = fmt.Errorf("flow: asking for claims broke off: %v: %s", what, debug.Stack())
				}
				answer <- got
			}()
			got.opening, got.err = k.askClaims(ctx, o, o.user)
		}()
	})
	return asking{begin, cancel, answer}
}

func (a asking) wait() (opening, error) {
	a.begin()
	got := <-a.answer
	return got.opening, got.err
}

// errNotAsked stops a token that would lack its custom claims.
var errNotAsked = errors.New("flow: a session is opened whose custom claims or hooks were not asked for")

// enterNew ends a sign-up: write makes the user and tells whether they may come in at once. That is in
// the same transaction, unless there are custom claims or hooks: claims are read from what has been
// written, what triggers of the application wrote included, and hooks are asked while no transaction is
// open. Where claims cannot be read at all, nobody is made.
func (k *Kit) enterNew(ctx context.Context, o opening, write func(tx *store.DB) (enter bool, err error)) (admission auth.Admission, err error) {
	var may bool
	asks := !k.Claims.None() || k.asksOfSessions() || k.asksOfUsers()
	err = k.inTx(ctx, func(tx *store.DB) error {
		if may, err = write(tx); err != nil || !may {
			return err
		}
		if !k.Claims.None() {
			return k.Claims.Able()
		}
		if asks {
			return nil
		}
		admission, err = k.enter(ctx, tx, o)
		return err
	})
	if err != nil || !asks {
		return admission, err
	}
	if err = k.created(ctx, birth{user: o.user, method: o.method, provider: o.provider, client: o.client, now: o.now}); err != nil {
		return admission, errors.Join(err, k.dropGuest(ctx, o))
	}
	if !may {
		return admission, nil
	}
	if o, err = k.ask(ctx, o, o.user); err != nil {
		return admission, errors.Join(err, k.dropGuest(ctx, o))
	}
	if admission, err = k.enter(ctx, k.Store, o); err != nil {
		err = errors.Join(err, k.dropGuest(ctx, o))
	}
	return admission, err
}

// undoTime bounds taking back what a refused sign-in did. It is taken back even when the client has hung
// up: a source that is slow has them do so.
const undoTime = 5 * time.Second

// dropGuest takes back a guest who was refused a token, since nobody could ever come back as them.
// Anybody else can sign in once they have the claim.
func (k *Kit) dropGuest(ctx context.Context, o opening) error {
	if !o.user.IsAnonymous {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	e := k.entry("user.deleted", o.user.ID, o.client, o.now)
	e.Detail = map[string]any{"reason": "no token"}
	return k.inTx(ctx, func(tx *store.DB) error { return tx.DropGuest(ctx, o.user.ID, e) })
}

// returnTry gives back the try that a right code took from its ticket, for a sign-in that is refused
// for want of a claim: who tries again meanwhile must not lose the code by that.
func (k *Kit) returnTry(ctx context.Context, ticketID string, refusal error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return errors.Join(refusal, k.Store.ReturnTry(ctx, ticketID))
}

// returnProof is returnTry for a second factor, whose guesses are counted over years.
func (k *Kit) returnProof(ctx context.Context, p proof, refusal error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return errors.Join(refusal, k.inTx(ctx, func(tx *store.DB) error {
		if p.budget.Key != "" {
			if err := tx.GiveBack(ctx, p.budget); err != nil {
				return err
			}
		}
		if p.ticketID == "" {
			return nil
		}
		return tx.ReturnTry(ctx, p.ticketID)
	}))
}
