package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

const (
	branches = 8   // successors a token may have before its session ends
	lookback = 128 // successors of an old token that are looked for in the living
)

// Refresh exchanges a refresh token for the next one and a new access token.
type Refresh struct {
	Token  string
	Client auth.Client
}

// Refresh goes on with a session. The current token takes one statement, and two where there are custom
// claims or hooks to ask for: a refresh that is refused by them leaves the token as it is. Any
// other is judged with the session's row locked: the one before the current gets the same answer again
// while that can only be the owner, and a token that only a second holder of the session can have ends
// it.
func (f *Sessions) Refresh(ctx context.Context, in Refresh) (*auth.Grant, error) {
	now := f.Now()
	related := sync.OnceValue(func() kin { return kinOf(in.Token, f.Keys.Peppers()) }) // costs hundreds of hashes, and most need none
	say, asked, err := f.askAgain(ctx, in, related, now)
	if err != nil {
		return nil, err
	}
	next := tokens.NextRefresh(f.Keys.Peppers()[0], in.Token, 0)
	s, err := f.rotate(ctx, f.rotation(in, next, now), &say)
	if errors.Is(err, store.ErrNotFound) {
		s, next, err = f.judge(ctx, in, related(), now)
	}
	if err == nil && f.Supabase && say.details == nil {
		say.details, err = f.detailsOf(ctx, s.User)
	}
	if err == nil && asked != s.SessionID && (!f.Claims.None() || f.asksOfTokens()) { // enabled between the two looks
		err = errNotAsked
	}
	if err != nil {
		return nil, err
	}
	return f.grant(s.User, sessionOf(s), next, say)
}

// rotate exchanges the current token, and looks in the same round trip for what the dialect tells of the user.
func (f *Sessions) rotate(ctx context.Context, r store.Rotation, say *speech) (store.Refreshed, error) {
	if !f.Supabase || say.details != nil {
		return f.Store.Rotate(ctx, r)
	}
	s, d, err := f.Store.RotateWhole(ctx, r)
	if err == nil {
		say.details = &d
	}
	return s, err
}

// detailsOf is what the dialect tells of a user beside their row.
func (k *Kit) detailsOf(ctx context.Context, u auth.User) (*auth.Details, error) {
	d, err := k.Store.DetailsOf(ctx, u.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: user %s is gone", auth.Unauthorized, u.ID)
	}
	return &d, err
}

// askAgain computes the custom claims for whoever a refresh token, or one related to it, is of, and asks
// the hooks of tokens about them. For those who are given no token anyway, nothing is asked.
func (f *Sessions) askAgain(ctx context.Context, in Refresh, related func() kin, now time.Time) (say speech, sessionID string, err error) {
	say = speech{now: now}
	if f.Claims.None() && !f.asksOfTokens() {
		return say, "", nil
	}
	s, err := f.Store.SessionOfTokens(ctx, []string{tokens.HashRefresh(in.Token)})
	if errors.Is(err, store.ErrNotFound) {
		s, err = f.Store.SessionOfTokens(ctx, related().hashes)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return say, "", fmt.Errorf("%w: unknown", auth.InvalidRefreshToken)
	case err != nil:
		return say, "", err
	case s.User.IsLocked(now), s.FactorDue && !f.Policy.FactorLater:
		return say, "", nil // the judgement of the token says so, or what is wrong with the token itself
	}
	if !s.FactorDue {
		if say.claims, err = f.Claims.Of(ctx, s.User.ID, nil); err != nil {
			return say, "", err
		}
	}
	if f.Supabase {
		if say.details, err = f.detailsOf(ctx, s.User); err != nil {
			return say, "", err
		}
	}
	say, err = f.mint(ctx, minting{user: s.User, session: sessionOf(s), method: hooks.TokenRefresh, client: in.Client}, say)
	return say, s.SessionID, err
}

func (f *Sessions) rotation(in Refresh, next string, now time.Time) store.Rotation {
	return store.Rotation{
		Hash: tokens.HashRefresh(in.Token), NextHash: tokens.HashRefresh(next), ExpiresAt: now.Add(f.Policy.sessionLife()),
		MaxLife: f.Policy.SessionMaxLife, RequireEmail: f.Policy.RequireVerifiedEmail, Vouching: f.Policy.vouching(), TakesDue: f.Policy.FactorLater, Client: in.Client, Alive: f.Policy.alive(now),
	}
}

// judge decides about a token that is not the current one of a session that may go on.
func (f *Sessions) judge(ctx context.Context, in Refresh, kin kin, now time.Time) (s store.Refreshed, next string, err error) {
	var refusal error // given after the commit, since what led to it must be kept
	err = f.inTx(ctx, func(tx *store.DB) error {
		refusal = nil
		held, err := tx.HoldSession(ctx, kin.hashes)
		if errors.Is(err, store.ErrNotFound) {
			refusal = fmt.Errorf("%w: unknown", auth.InvalidRefreshToken)
			return nil
		}
		if err != nil {
			return err
		}
		s = held.Refreshed
		v := f.Policy.weigh(held, kin, in.Client, now)
		switch v.verdict {
		case rotateAgain:
			next = tokens.NextRefresh(f.Keys.Peppers()[0], in.Token, 0)
			s, err = tx.Rotate(ctx, f.rotation(in, next, now))
			if errors.Is(err, store.ErrNotFound) { // locked by an operator between the two looks
				refusal, err = fmt.Errorf("%w: it may not go on", auth.InvalidRefreshToken), nil
			}
			return err
		case repeat:
			next = v.next
			return nil
		case branchOff:
			next = v.next
			return tx.Branch(ctx, held.SessionID, held.CurrentHash, f.rotation(in, next, now))
		case endReplayed:
			e := f.entry("session.replayed", held.User.ID, in.Client, now)
			e.SessionID = held.SessionID
			refusal = fmt.Errorf("%w: %w", auth.InvalidRefreshToken, v.reason)
			return tx.EndSession(ctx, held.SessionID, e)
		default:
			refusal = v.reason
			return nil
		}
	})
	if err == nil {
		err = refusal
	}
	return s, next, err
}

// kin are the tokens related to the one presented.
type kin struct {
	token      string
	self       string               // its hash
	successors map[string]successor // by hash
	hashes     []string             // of all the kin, to look for
}

// successor is next(t, branch) under one pepper.
type successor struct {
	token  string
	branch int
	pepper []byte
}

// kinOf computes what the holder of a token could be the predecessor of: its successors by each
// branch, and the line of first successors. Two peppers live while the encryption key is replaced.
func kinOf(token string, peppers [][]byte) kin {
	self := tokens.HashRefresh(token)
	k := kin{token: token, self: self, successors: map[string]successor{}, hashes: []string{self}}
	for _, pepper := range peppers {
		for i := range branches {
			t := tokens.NextRefresh(pepper, token, i)
			h := tokens.HashRefresh(t)
			k.successors[h] = successor{t, i, pepper}
			k.hashes = append(k.hashes, h)
		}
		t := tokens.NextRefresh(pepper, token, 0)
		for range lookback - 1 {
			t = tokens.NextRefresh(pepper, t, 0)
			k.hashes = append(k.hashes, tokens.HashRefresh(t))
		}
	}
	return k
}

type verdict int

const (
	refuse      verdict = iota
	rotateAgain         // it is the current one after all
	repeat              // the same successor, computed again
	branchOff           // another successor; the unused one becomes a tripwire
	endReplayed         // two parties hold the session
)

type weighed struct {
	verdict verdict
	next    string
	reason  error
}

// ErrReplayed is in the error of a refresh by whose token it was seen that two parties hold the session. It has ended, unless the
// operator wants it to go on.
var ErrReplayed = errors.New("two parties hold the session")

// weigh is the table of the refresh rules, row by row. It is pure: the session's row is held and
// nothing else counts.
func (p *Policy) weigh(h store.Held, k kin, c auth.Client, now time.Time) weighed {
	next, isPredecessor := k.successors[h.CurrentHash]
	switch {
	case p.isOver(h, now):
		return weighed{reason: fmt.Errorf("%w: session %s is over", auth.InvalidRefreshToken, h.SessionID)}
	case h.CurrentHash != k.self && !isPredecessor: // an ancestor, or a tripwire
		return p.replayed(h)
	case h.FactorDue && !p.FactorLater:
		return weighed{reason: fmt.Errorf("%w: the second factor of session %s is due, and cannot be proved at this door", auth.InvalidRefreshToken, h.SessionID)}
	}
	// The access lists do not stop a refresh, as in Hasura Auth: they are about coming in.
	if err := p.gate(h.User, now); err != nil && auth.CodeOf(err) != auth.EmailNotAllowed {
		return weighed{reason: err}
	}
	switch {
	case !isPredecessor:
		return weighed{verdict: rotateAgain}
	case h.RotatedAt != nil && now.Sub(*h.RotatedAt) <= p.RefreshWindow || sameDevice(h, c):
		return weighed{verdict: repeat, next: next.token}
	case next.branch+1 == branches:
		return p.replayed(h)
	}
	return weighed{verdict: branchOff, next: tokens.NextRefresh(next.pepper, k.token, next.branch+1)}
}

// replayed ends a session that two parties hold, or refuses the older token alone, as the operator wants it.
func (p *Policy) replayed(h store.Held) weighed {
	if p.ReuseEnds {
		return weighed{verdict: endReplayed, reason: ErrReplayed}
	}
	return weighed{reason: fmt.Errorf("%w: %w: session %s goes on", auth.InvalidRefreshToken, ErrReplayed, h.SessionID)}
}

// sameDevice tells whether a request looks like the one that the session was last refreshed by.
func sameDevice(h store.Held, c auth.Client) bool {
	return h.AddressPrefix != "" && h.AddressPrefix == c.Prefix() && h.UserAgent == store.UserAgent(c)
}

func sessionOf(s store.Refreshed) auth.Session {
	return auth.Session{
		ID: s.SessionID, UserID: s.User.ID, CreatedAt: s.SessionCreatedAt, ExpiresAt: s.SessionExpiresAt, AAL: s.AAL, AMR: s.AMR, FactorDue: s.FactorDue,
	}
}

// SignOut ends a session by its refresh token.
type SignOut struct {
	Token  string
	Client auth.Client
}

// SignOut ends the session of a token, current or the one before: what refreshes, signs out. A
// token that is neither ends nothing, and nobody learns which it was.
func (f *Sessions) SignOut(ctx context.Context, in SignOut) error {
	k := kinOf(in.Token, f.Keys.Peppers())
	hashes := make([]string, 0, len(k.successors)+1)
	for h := range k.successors {
		hashes = append(hashes, h)
	}
	return f.Store.EndSessionOfToken(ctx, append(hashes, k.self), f.entry("session.ended", "", in.Client, f.Now()))
}

// SignOutEverywhere ends every session of a user, if the one that asks is among them: who was thrown
// out cannot throw out others. A session that owes the second factor ends itself alone: who knows a password and no more throws nobody
// out.
func (f *Sessions) SignOutEverywhere(ctx context.Context, a auth.Actor, c auth.Client) error {
	if a.Impersonator != "" {
		return fmt.Errorf("%w: user %s by %s", auth.Impersonated, a.UserID, a.Impersonator)
	}
	if a.FactorDue {
		return f.EndOne(ctx, a, a.SessionID, c)
	}
	e := f.entry("session.ended", a.UserID, c, f.Now())
	e.Detail = map[string]any{"all": true}
	err := f.Store.EndAllSessions(ctx, a, f.Policy.alive(e.At), e)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// SignOutOthers ends every session of a user but the one that asks.
func (f *Sessions) SignOutOthers(ctx context.Context, a auth.Actor, c auth.Client) error {
	if _, err := f.proven(ctx, a); err != nil {
		return err
	}
	e := f.entry("session.ended", a.UserID, c, f.Now())
	e.SessionID, e.Detail = a.SessionID, map[string]any{"others": true}
	err := f.inTx(ctx, func(tx *store.DB) error { return tx.EndOtherSessions(ctx, a.UserID, a.SessionID, e) })
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}
