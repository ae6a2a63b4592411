package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/passkeys"
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
	Creation    *PasskeyCreation // for a browser that is to make the key of the factor; nil where there is no key to be made
	Request     *PasskeyRequest  // for one that is to sign with it; nil for factors without keys
}

// challenged is what is remembered of a challenge.
type challenged struct {
	FactorID  string          `json:"factorId"`
	SessionID string          `json:"sessionId"`
	Memo      json.RawMessage `json:"memo,omitempty"` // of the kind, see begun
}

// challenging is a challenge about to be made.
type challenging struct {
	ticketID string
	user     auth.User
	factor   auth.Factor
	texts    func() error
	client   auth.Client
	now      time.Time
}

// begun is what a kind of factor adds to a challenge.
type begun struct {
	memo json.RawMessage // that the answer is compared with; no secret
	// life is how long the challenge is good; 0 means as long as others are.
	life     time.Duration
	creation *PasskeyCreation                              // what a browser is asked for who is to make a key
	request  *PasskeyRequest                               // the same of one who is to sign
	also     func(ctx context.Context, tx *store.DB) error // that must be true with the challenge; nil for nothing
	ended    func(*error)                                  // is told how the request ended; nil for nobody
}

// FactorChallenge is a user who is about to prove a factor within their session.
type FactorChallenge struct {
	Actor    auth.Actor
	FactorID string
	Texts    func() error // takes a place among the text messages of the client, where one is to be sent; nil for no limit
	Client   auth.Client
}

// ChallengeFactor begins to prove a factor of the user, one that is not confirmed yet included.
func (f *Account) ChallengeFactor(ctx context.Context, in FactorChallenge) (_ ChallengedFactor, refused error) {
	none := ChallengedFactor{}
	user, factor, kind, err := f.factorOf(ctx, in.Actor, in.FactorID)
	if err != nil {
		return none, err
	}
	now := f.Now()
	if factor.ConfirmedAt.IsZero() { // nothing is sent for who may not confirm it, and they are told of no keys
		if err := f.mayConfirm(ctx, in.Actor, user, factor, now); err != nil {
			return none, err
		}
	}
	ticketID := tokens.NewUUID()
	b, err := kind.begin(ctx, challenging{ticketID, user, factor, in.Texts, in.Client, now})
	if err != nil {
		return none, err
	}
	if b.ended != nil {
		defer b.ended(&refused)
	}
	payload, err := json.Marshal(challenged{factor.ID, in.Actor.SessionID, b.memo})
	if err != nil {
		return none, fmt.Errorf("flow: %w", err)
	}
	c := ChallengedFactor{Factor: factor, ChallengeID: tokens.NewUUID(), ExpiresAt: now.Add(cmp.Or(b.life, factorTicketLife)), Creation: b.creation, Request: b.request}
	ticket := store.Ticket{
		ID: ticketID, Purpose: auth.FactorChallenge, SecretHash: tokens.HashSecret(c.ChallengeID), UserID: user.ID,
		Payload: payload, Attempts: factorTries, CreatedAt: now, ExpiresAt: c.ExpiresAt,
	}
	if b.also == nil {
		return c, f.Store.AddChallenge(ctx, ticket, in.Actor.SessionID, mostChallenges)
	}
	return c, f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.AddChallenge(ctx, ticket, in.Actor.SessionID, mostChallenges); err != nil {
			return err
		}
		return b.also(ctx, tx)
	})
}

// factorOf finds a factor of the actor, and how those of its kind are proved.
func (f *Account) factorOf(ctx context.Context, a auth.Actor, factorID string) (user auth.User, factor auth.Factor, kind factorKind, err error) {
	if user, err = f.factorMember(ctx, a); err != nil {
		return user, factor, nil, err
	}
	details, err := f.Store.DetailsOf(ctx, user.ID)
	if err != nil {
		return user, factor, nil, err
	}
	for _, factor = range details.Factors {
		if factor.ID == factorID {
			kind, err = f.factorsOf(factor.Kind)
			return user, factor, kind, err
		}
	}
	return user, factor, nil, fmt.Errorf("%w: user %s has no such factor", auth.FactorNotActive, user.ID)
}

// FactorProof is a user who proves a second factor within their session.
type FactorProof struct {
	Actor       auth.Actor
	FactorID    string
	ChallengeID string
	Code        string             // of the app, or a recovery code
	Made        *passkeys.Created  // the key of a factor that has none yet
	Signed      *passkeys.Asserted // by the key of a factor
	Client      auth.Client
}

// Raise proves a factor, and has the session go on with what is proved. A factor that was enrolled is turned on by
// its first answer. A wrong one takes one of the challenge's tries, a right one uses it up. The user's other sessions
// that have not proved a second factor end.
func (f *Account) Raise(ctx context.Context, in FactorProof) (*auth.Grant, error) {
	user, factor, kind, err := f.factorOf(ctx, in.Actor, in.FactorID)
	if err != nil {
		return nil, err
	}
	if in.Actor.SessionID == "" {
		return nil, fmt.Errorf("%w: the token of user %s is of no session that could be raised", auth.Unauthorized, user.ID)
	}
	now := f.Now()
	challenge, memo, err := f.challengeOf(ctx, in, now)
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
	t := typed{
		user: user, kind: factor.Kind, code: in.Code, made: in.Made, signed: in.Signed, memo: memo, ticketID: challenge.TicketID, factorID: factor.ID, session: in.Actor.SessionID, client: in.Client, now: now,
	}
	p, err := f.proveIn(ctx, t, in.Actor, kind, factor)
	if err != nil {
		return nil, f.turnedAway(ctx, attemptOf{userID: user.ID, method: t.method(), client: in.Client}, err)
	}
	o := opening{user: user.WithFactor(factor.Kind), method: p.method, after: before.AMR, aal: 2, elevated: true, client: in.Client, now: now}
	r := f.raised(o, in.Actor)
	grant, err := f.grantRaised(ctx, o, r, user, factor)
	if err != nil {
		return nil, f.returnProof(ctx, p, err)
	}
	r.RefreshHash = tokens.HashRefresh(grant.RefreshToken)
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := f.useProof(ctx, tx, p); err != nil {
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

// challengeOf finds the challenge of a factor that a user answers, with what was remembered. It is nobody else's, and of no other factor or
// session.
func (f *Account) challengeOf(ctx context.Context, in FactorProof, now time.Time) (store.Found, json.RawMessage, error) {
	found, err := f.Store.FindTicket(ctx, auth.FactorChallenge, tokens.HashSecret(in.ChallengeID), now)
	if errors.Is(err, store.ErrNotFound) {
		return found, nil, fmt.Errorf("%w: an unknown, used or expired challenge", auth.InvalidTicket)
	}
	if err != nil {
		return found, nil, err
	}
	var c challenged
	if err := json.Unmarshal(found.TicketPayload, &c); err != nil {
		return found, nil, fmt.Errorf("flow: the challenge of a factor: %w", err)
	}
	if found.User.ID != in.Actor.UserID || c.FactorID != in.FactorID || c.SessionID != in.Actor.SessionID {
		return found, nil, fmt.Errorf("%w: the challenge is of user %s, factor %s and session %s", auth.InvalidTicket, found.User.ID, c.FactorID, c.SessionID)
	}
	return found, c.Memo, nil
}

func (f *Account) takeChallengeOf(ctx context.Context, tx *store.DB, found store.Found, in FactorProof) error {
	err := tx.TakeTicket(ctx, found, in.ChallengeID)
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: used up meanwhile", auth.InvalidTicket)
	}
	return err
}

// mayConfirm tells whether somebody may turn on a factor that was enrolled lately. Who has another one must have proved it in the session by
// then, or a session of one factor could make itself the other.
func (f *Account) mayConfirm(ctx context.Context, a auth.Actor, u auth.User, staged auth.Factor, now time.Time) error {
	if now.Sub(staged.CreatedAt) > stagedLife {
		return fmt.Errorf("%w: user %s enrolled it too long ago", auth.NoFactorSecret, u.ID)
	}
	return f.ofBoth(ctx, a, u)
}

// proveIn looks at the answer to a factor: to one that is active, or the first one to one that is not.
func (f *Account) proveIn(ctx context.Context, t typed, a auth.Actor, kind factorKind, factor auth.Factor) (proof, error) {
	switch {
	case !factor.ConfirmedAt.IsZero():
		return f.prove(ctx, t)
	case !kind.mayEnrol():
		return proof{}, FactorsOff{factor.Kind}
	}
	if err := f.mayConfirm(ctx, a, t.user, factor, t.now); err != nil {
		return proof{}, err
	}
	if err := triedOut(f.Store.TryTicket(ctx, t.ticketID)); err != nil {
		return proof{}, err
	}
	p, err := kind.confirm(ctx, t, factor)
	if err = f.factorJudged(ctx, t, err); err != nil {
		return proof{}, err
	}
	return p, nil
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
func (f *Account) grantRaised(ctx context.Context, o opening, r store.Raised, was auth.User, factor auth.Factor) (*auth.Grant, error) {
	o, err := f.askClaims(ctx, o, was)
	if err != nil {
		return nil, err
	}
	if f.Supabase {
		if o.details, err = f.detailsOf(ctx, o.user); err != nil {
			return nil, err
		}
		o.details.Factors = turnedOn(o.details.Factors, factor, o.now)
	}
	say, err := f.mint(ctx, minting{user: o.user, session: r.Session, method: o.method, client: o.client}, o.speech())
	if err != nil {
		return nil, err
	}
	return f.grant(o.user, r.Session, tokens.NewUUID(), say)
}

// turnedOn lists the factors as they are once one is proved. If that turns it on, it is confirmed, and what else was begun to be enrolled is gone.
func turnedOn(all []auth.Factor, proved auth.Factor, now time.Time) []auth.Factor {
	if !proved.ConfirmedAt.IsZero() {
		return all
	}
	var left []auth.Factor
	for _, factor := range all {
		if factor.ID == proved.ID {
			factor.ConfirmedAt = now
		}
		if !factor.ConfirmedAt.IsZero() {
			left = append(left, factor)
		}
	}
	return left
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
	user, factor, _, err := f.factorOf(ctx, in.Actor, in.FactorID)
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
			return f.turnFactorOff(ctx, tx, typed{user: user, kind: factor.Kind, session: in.Actor.SessionID, client: in.Client, now: now}, factor)
		})
	}
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session, the user or the factor is gone", auth.Unauthorized)
	}
	return err
}
