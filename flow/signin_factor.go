package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
)

// FactorSignIn is a person who has proved the first factor and now proves the second.
type FactorSignIn struct {
	Ticket string // "mfaTotp:<uuid>"
	Code   string // of the app, or a recovery code
	Client auth.Client
}

// WithFactor ends a sign-in that asked for a second factor. A wrong code takes one of the ticket's
// tries; a right one uses the ticket up.
func (f *SignIn) WithFactor(ctx context.Context, in FactorSignIn) (*auth.Grant, error) {
	now := f.Now()
	if !strings.HasPrefix(in.Ticket, string(auth.SecondFactor)+":") {
		return nil, fmt.Errorf("%w: it is of another purpose", auth.InvalidTicket)
	}
	found, err := f.findTicket(ctx, auth.SecondFactor, in.Ticket, now)
	if err != nil {
		return nil, err
	}
	t := typed{user: found.User, kind: auth.TOTPFactor, code: in.Code, ticketID: found.TicketID, client: in.Client, now: now}
	attempt := attemptOf{userID: found.User.ID, method: t.method(), client: in.Client}
	if err := f.Policy.gateMember(found.User, f.Now()); err != nil {
		return nil, f.turnedAway(ctx, attempt, err)
	}
	if found.Adopted { // Hasura Auth counts no tries: the first is the last
		if err := f.takeFactorTicket(ctx, f.Store, found, in.Ticket); err != nil {
			return nil, err
		}
	}
	first, err := firstMethods(found, now)
	if err != nil {
		return nil, err
	}
	p, err := f.prove(ctx, t)
	if err != nil {
		return nil, f.turnedAway(ctx, attempt, err)
	}
	o, err := f.ask(ctx, opening{user: found.User, method: p.method, after: first, aal: 2, client: in.Client, now: now}, found.User)
	if err != nil {
		return nil, f.returnProof(ctx, p, err)
	}
	var grant *auth.Grant
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useProof(ctx, tx, p); err != nil {
			return err
		}
		if !found.Adopted {
			if err := f.takeFactorTicket(ctx, tx, found, in.Ticket); err != nil {
				return err
			}
		}
		grant, err = f.open(ctx, tx, o)
		return err
	})
	if auth.CodeOf(err) == auth.InvalidCredentials { // locked between the check and now
		err = fmt.Errorf("%w: %w", auth.InvalidTicket, err)
	}
	return grant, err
}

func (f *SignIn) takeFactorTicket(ctx context.Context, db *store.DB, found store.Found, text string) error {
	err := db.TakeTicket(ctx, found, text)
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: used up meanwhile", auth.InvalidTicket)
	}
	return err
}

// firstMethods is what the ticket says of the first factor. Of Hasura Auth's tickets it is known: they
// follow a password.
func firstMethods(found store.Found, now time.Time) ([]auth.Method, error) {
	if found.Adopted {
		return []auth.Method{{Method: "password", Timestamp: now}}, nil
	}
	var first firstFactor
	if err := json.Unmarshal(found.TicketPayload, &first); err != nil {
		return nil, fmt.Errorf("flow: the ticket of a second factor: %w", err)
	}
	if len(first.Methods) == 0 {
		return nil, errors.New("flow: the ticket of a second factor says nothing of the first")
	}
	return first.Methods, nil
}
