package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// A session is raised where a second factor is proved within it: it goes on at level 2, under other refresh tokens.
// Nothing from before leads there, or whoever had an older token would have the second factor, too.

// mostChallenges is how many challenges a session may have open, each good for a few tries: another one ends the oldest. They are
// counted for each session, so that who knows a password and no more keeps nobody else from proving the second factor.
const mostChallenges = 5

// ChallengedFactor is a factor that is about to be proved.
type ChallengedFactor struct {
	auth.Factor
	ChallengeID string
	ExpiresAt   time.Time
}

// challenged is what is remembered of a challenge.
type challenged struct {
	FactorID  string `json:"factorId"`
	SessionID string `json:"sessionId"`
}

// ChallengeFactor begins to prove a factor of the user, one that is not confirmed yet included.
func (f *Account) ChallengeFactor(ctx context.Context, a auth.Actor, factorID string) (ChallengedFactor, error) {
	user, factor, err := f.factorOf(ctx, a, factorID)
	if err != nil {
		return ChallengedFactor{}, err
	}
	payload, err := json.Marshal(challenged{factor.ID, a.SessionID})
	if err != nil {
		return ChallengedFactor{}, fmt.Errorf("flow: %w", err)
	}
	now := f.Now()
	c := ChallengedFactor{Factor: factor, ChallengeID: tokens.NewUUID(), ExpiresAt: now.Add(factorTicketLife)}
	return c, f.Store.AddChallenge(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: auth.FactorChallenge, SecretHash: tokens.HashSecret(c.ChallengeID), UserID: user.ID,
		Payload: payload, Attempts: factorTries, CreatedAt: now, ExpiresAt: c.ExpiresAt,
	}, a.SessionID, mostChallenges)
}

// factorOf finds a factor of the actor.
func (f *Account) factorOf(ctx context.Context, a auth.Actor, factorID string) (auth.User, auth.Factor, error) {
	user, err := f.factorMember(ctx, a)
	if err != nil {
		return user, auth.Factor{}, err
	}
	details, err := f.Store.DetailsOf(ctx, user.ID)
	if err != nil {
		return user, auth.Factor{}, err
	}
	for _, factor := range details.Factors {
		if factor.ID == factorID {
			return user, factor, nil
		}
	}
	return user, auth.Factor{}, fmt.Errorf("%w: user %s has no such factor", auth.FactorNotActive, user.ID)
}

// FactorProof is a user who proves a second factor within their session.
type FactorProof struct {
	Actor       auth.Actor
	FactorID    string
	ChallengeID string
	Code        string // of the app, or a recovery code
	Client      auth.Client
}

// Raise proves a factor, and has the session go on with what is proved. A factor that was enrolled is turned on by
// its first code. A wrong code takes one of the challenge's tries, a right one uses it up. The user's other sessions
// that have not proved a second factor end.
func (f *Account) Raise(ctx context.Context, in FactorProof) (*auth.Grant, error) {
	user, factor, err := f.factorOf(ctx, in.Actor, in.FactorID)
	if err != nil {
		return nil, err
	}
	if in.Actor.SessionID == "" {
		return nil, fmt.Errorf("%w: the token of user %s is of no session that could be raised", auth.Unauthorized, user.ID)
	}
	now := f.Now()
	challenge, err := f.challengeOf(ctx, in, now)
	if err != nil {
		return nil, err
	}
	before, err := f.Store.ProofsOf(ctx, in.Actor)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: the session is gone", auth.Unauthorized)
	}
	if err != nil {
		return nil, err
	}
	t := typed{user: user, code: in.Code, ticketID: challenge.TicketID, factorID: factor.ID, client: in.Client, now: now}
	p, first, err := f.proveIn(ctx, t, factor)
	if err != nil {
		return nil, f.turnedAway(ctx, attemptOf{userID: user.ID, method: factorMethod(in.Code), client: in.Client}, err)
	}
	o := opening{user: user, method: p.method, after: before.AMR, aal: 2, elevated: true, client: in.Client, now: now}
	o.user.ActiveMFAType = byTOTP
	r := f.raised(o, in.Actor)
	grant, err := f.grantRaised(ctx, o, r, user, first.factor.ID)
	if err != nil {
		return nil, f.undoProof(ctx, p, first, err)
	}
	r.RefreshHash = tokens.HashRefresh(grant.RefreshToken)
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useIn(ctx, tx, in, p, first); err != nil {
			return err
		}
		if err := f.takeChallengeOf(ctx, tx, challenge, in); err != nil {
			return err
		}
		return tx.RaiseSession(ctx, r)
	})
	if errors.Is(err, store.ErrChanged) {
		return nil, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return nil, err
	}
	return grant, nil
}

// challengeOf finds the challenge of a factor that a user answers. It is nobody else's, and of no other factor or session.
func (f *Account) challengeOf(ctx context.Context, in FactorProof, now time.Time) (store.Found, error) {
	found, err := f.Store.FindTicket(ctx, auth.FactorChallenge, tokens.HashSecret(in.ChallengeID), now)
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("%w: an unknown, used or expired challenge", auth.InvalidTicket)
	}
	if err != nil {
		return found, err
	}
	var c challenged
	if err := json.Unmarshal(found.TicketPayload, &c); err != nil {
		return found, fmt.Errorf("flow: the challenge of a factor: %w", err)
	}
	if found.User.ID != in.Actor.UserID || c.FactorID != in.FactorID || c.SessionID != in.Actor.SessionID {
		return found, fmt.Errorf("%w: the challenge is of user %s, factor %s and session %s", auth.InvalidTicket, found.User.ID, c.FactorID, c.SessionID)
	}
	return found, nil
}

func (f *Account) takeChallengeOf(ctx context.Context, tx *store.DB, found store.Found, in FactorProof) error {
	err := tx.TakeTicket(ctx, found, in.ChallengeID)
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: used up meanwhile", auth.InvalidTicket)
	}
	return err
}

// proveIn looks at the code of a factor: of one that is active, or the first one of one that is not, which is then in first.
func (f *Account) proveIn(ctx context.Context, t typed, factor auth.Factor) (p proof, first firstCode, err error) {
	if !factor.ConfirmedAt.IsZero() {
		p, err = f.prove(ctx, t)
		return p, first, err
	}
	if t.user.ActiveMFAType != "" {
		return p, first, fmt.Errorf("%w: user %s", auth.FactorActive, t.user.ID)
	}
	err = f.Store.TryTicket(ctx, t.ticketID)
	if errors.Is(err, store.ErrChanged) {
		return p, first, fmt.Errorf("%w: it was tried too often", auth.InvalidTicket)
	}
	if err != nil {
		return p, first, err
	}
	first, err = f.firstCode(ctx, t.user, t.code, t.now)
	if err == nil && first.factor.ID != factor.ID {
		err = fmt.Errorf("%w: user %s has enrolled another meanwhile", auth.NoFactorSecret, t.user.ID)
	}
	return proof{typed: t, method: byTOTP}, first, f.factorJudged(ctx, t, err)
}

// undoProof gives back what a right code took, of a session that is not raised.
func (f *Account) undoProof(ctx context.Context, p proof, first firstCode, refusal error) error {
	if first.factor.ID != "" {
		return f.returnTry(ctx, p.ticketID, refusal)
	}
	return f.returnProof(ctx, p, refusal)
}

// useIn makes the code count.
func (f *Account) useIn(ctx context.Context, tx *store.DB, in FactorProof, p proof, first firstCode) error {
	if first.factor.ID == "" {
		return f.useProof(ctx, tx, p)
	}
	return activated(p.user, f.turnFactorOn(ctx, tx, FactorChange{Actor: in.Actor, Client: in.Client}, p.user, first, false))
}

// raised is the session as it goes on.
func (f *Account) raised(o opening, a auth.Actor) store.Raised {
	e := f.entry("session.raised", o.user.ID, o.client, o.now)
	e.SessionID, e.Detail = a.SessionID, map[string]any{"method": o.method}
	return store.Raised{
		Session: auth.Session{ID: a.SessionID, UserID: o.user.ID, AAL: o.aal, AMR: o.methods(), ExpiresAt: o.now.Add(f.Policy.sessionLife())},
		MaxLife: f.Policy.SessionMaxLife, Client: o.client, Alive: f.Policy.alive(o.now), Entry: e,
	}
}

// grantRaised asks for the custom claims of the session, and hooks about its token, and signs it. The user is told of the
// factor that is turned on as it will be.
func (f *Account) grantRaised(ctx context.Context, o opening, r store.Raised, was auth.User, turnedOn string) (*auth.Grant, error) {
	o, err := f.askClaims(ctx, o, was)
	if err != nil {
		return nil, err
	}
	if f.Supabase {
		if o.details, err = f.detailsOf(ctx, o.user); err != nil {
			return nil, err
		}
		for i, factor := range o.details.Factors {
			if factor.ID == turnedOn {
				o.details.Factors[i].ConfirmedAt = o.now
			}
		}
	}
	say, err := f.mint(ctx, minting{user: o.user, session: r.Session, method: o.method, client: o.client}, o.speech())
	if err != nil {
		return nil, err
	}
	return f.grant(o.user, r.Session, tokens.NewUUID(), say)
}

// FactorRemoval is a user who takes a factor off their account.
type FactorRemoval struct {
	Actor    auth.Actor
	FactorID string
	Client   auth.Client
}

// RemoveFactor takes a factor off. One that is active must have been proved in the session; the other sessions end. One that was never
// confirmed is given up by any session but one that owes a factor: it may be on its way to replace that.
func (f *Account) RemoveFactor(ctx context.Context, in FactorRemoval) error {
	user, factor, err := f.factorOf(ctx, in.Actor, in.FactorID)
	if err != nil {
		return err
	}
	now := f.Now()
	if factor.ConfirmedAt.IsZero() {
		if in.Actor.FactorDue {
			return fmt.Errorf("%w: the session of user %s has not proved the factor that is active", auth.FactorRequired, user.ID)
		}
		e := f.entry("factor.unstaged", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		err = f.inTx(ctx, func(tx *store.DB) error { return tx.DropPendingFactor(ctx, factor.ID, e) })
	} else {
		if user, err = f.memberOfBoth(ctx, in.Actor, f.member); err != nil {
			return err
		}
		err = f.inTx(ctx, func(tx *store.DB) error {
			return f.dropFactor(ctx, tx, FactorChange{Actor: in.Actor, Client: in.Client}, user, now)
		})
	}
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session, the user or the factor is gone", auth.Unauthorized)
	}
	return err
}
