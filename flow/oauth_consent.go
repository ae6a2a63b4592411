package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// OAuthQuestion is what a user is asked.
type OAuthQuestion struct {
	ID          string
	Client      store.OAuthClient
	Scopes      []string
	RedirectURI string
	User        auth.User // who is asked; nobody where the page does not say
	// To is where the browser goes at once, since the user allowed all of it before; empty where they must answer.
	To string

	asked store.OAuthRequest
	kept  oauthPayload
}

// Question gives what a page asks somebody whom nobody knows yet.
func (f *OAuth) Question(ctx context.Context, id string) (OAuthQuestion, error) {
	return f.question(ctx, id, func(hash []byte, now time.Time) (store.OAuthRequest, error) {
		return f.Store.FindOAuthRequest(ctx, hash, "", now)
	})
}

// QuestionFor gives what a user is asked, and nobody else from then on. What they allowed before is answered at once, where the
// door remembers.
func (f *OAuth) QuestionFor(ctx context.Context, a auth.Actor, id string, c auth.Client) (OAuthQuestion, error) {
	user, err := f.consenting(ctx, a)
	if err != nil {
		return OAuthQuestion{}, err
	}
	q, err := f.question(ctx, id, func(hash []byte, now time.Time) (store.OAuthRequest, error) {
		return f.Store.BindOAuthRequest(ctx, hash, user.ID, now)
	})
	if err != nil {
		return q, err
	}
	q.User = user
	if ok, err := f.allowedBefore(ctx, q); err != nil || !ok {
		return q, err
	}
	q.To, err = f.allow(ctx, q, a, c)
	return q, err
}

// question finds a request that waits. What it asks must still be possible.
func (f *OAuth) question(ctx context.Context, id string, find func(hash []byte, now time.Time) (store.OAuthRequest, error)) (q OAuthQuestion, err error) {
	if !tokens.IsUUID(id) {
		return q, fmt.Errorf("%w: no id of a request", auth.OAuthRequestUnknown)
	}
	asked, err := find(tokens.HashSecret(id), f.Now())
	if errors.Is(err, store.ErrNotFound) {
		return q, fmt.Errorf("%w: unknown, answered, expired or of another user", auth.OAuthRequestUnknown)
	}
	if err != nil {
		return q, err
	}
	p, err := f.openOAuth(oauthRequestSeal, asked.Payload)
	if err != nil {
		return q, fmt.Errorf("%w: %w", auth.OAuthRequestUnknown, err)
	}
	client, err := f.Clients.Find(ctx, p.ClientID)
	if auth.CodeOf(err) == auth.InvalidClient || err == nil && !registered(client.RedirectURIs, p.RedirectURI) {
		return q, fmt.Errorf("%w: the client is gone, or has another address", auth.OAuthRequestUnknown)
	}
	return OAuthQuestion{ID: id, Client: client, Scopes: p.Scopes, RedirectURI: p.RedirectURI, asked: asked, kept: p}, err
}

// consenting is an actor who may let others in: a person with an account, all of whose factors are proved, in a session that is
// their own.
func (f *OAuth) consenting(ctx context.Context, a auth.Actor) (auth.User, error) {
	user, err := f.proven(ctx, a)
	if err != nil {
		return user, err
	}
	if a.SessionID == "" {
		return user, fmt.Errorf("%w: the token names no session", auth.Unauthorized)
	}
	return user, f.Policy.gateMember(user, f.Now())
}

// allowedBefore tells whether a user need not be asked. Whoever listens on the user's own machine may be anybody, and is asked about
// each time (RFC 8252, 8.6).
func (f *OAuth) allowedBefore(ctx context.Context, q OAuthQuestion) (bool, error) {
	if !f.Remembers || q.kept.Asks || !strings.HasPrefix(q.RedirectURI, "https://") {
		return false, nil
	}
	before, err := f.Store.ConsentOf(ctx, q.User.ID, q.Client.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	missing := func(s string) bool { return !slices.Contains(before.Scopes, s) }
	return err == nil && !slices.ContainsFunc(q.Scopes, missing), err
}

// OAuthAnswer is what a user says.
type OAuthAnswer struct {
	Actor     auth.Actor
	RequestID string
	Allow     bool
	Client    auth.Client
}

// Answer takes what the user says, once, and gives where the browser goes with it.
func (f *OAuth) Answer(ctx context.Context, in OAuthAnswer) (to string, err error) {
	user, err := f.consenting(ctx, in.Actor)
	if err != nil {
		return "", err
	}
	q, err := f.question(ctx, in.RequestID, func(hash []byte, now time.Time) (store.OAuthRequest, error) {
		return f.Store.FindOAuthRequest(ctx, hash, user.ID, now)
	})
	if err != nil {
		return "", err
	}
	q.User = user
	if in.Allow {
		return f.allow(ctx, q, in.Actor, in.Client)
	}
	now := f.Now()
	answer := store.OAuthAnswer{RequestID: q.asked.ID, Actor: in.Actor, Alive: f.Policy.alive(now), Entry: f.answered("oauth.denied", q, in.Actor, in.Client, now)}
	if err := f.answer(ctx, answer); err != nil {
		return "", err
	}
	return f.goBack(q.kept, "access_denied", "The user does not let the client in"), nil
}

// allow answers yes: the client gets a code, by which it gets what the user allows.
func (f *OAuth) allow(ctx context.Context, q OAuthQuestion, a auth.Actor, c auth.Client) (to string, err error) {
	now := f.Now()
	if !q.kept.Since.IsZero() || q.kept.MaxAge != nil {
		proofs, err := f.Store.ProofsOf(ctx, a)
		if errors.Is(err, store.ErrNotFound) {
			return "", fmt.Errorf("%w: the session is gone", auth.Unauthorized)
		}
		if err == nil {
			err = q.kept.fresh(provedAt(proofs.AMR, proofs.CreatedAt), now)
		}
		if err != nil {
			return "", err
		}
	}
	remembered := []string{} // that is for the door which asked: a token of another says more by the same scopes
	if f.Remembers {
		remembered = q.Scopes
	}
	code := tokens.NewVerifier()
	payload, err := f.sealCode(q.kept, a.SessionID)
	if err != nil {
		return "", err
	}
	err = f.answer(ctx, store.OAuthAnswer{
		RequestID: q.asked.ID, Actor: a, Alive: f.Policy.alive(now), ClientID: q.Client.ID, Scopes: remembered,
		Code: &store.Ticket{
			ID: tokens.NewUUID(), SecretHash: tokens.HashSecret(code), Challenge: q.asked.Challenge, Payload: payload, ExpiresAt: now.Add(oauthCodeLife),
		},
		Entry: f.answered("oauth.allowed", q, a, c, now),
	})
	if err != nil {
		return "", err
	}
	return f.back(q.kept, url.Values{"code": {code}}), nil
}

func (f *OAuth) answer(ctx context.Context, a store.OAuthAnswer) error {
	err := f.Store.AnswerOAuthRequest(ctx, a)
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: it was answered meanwhile, or the session of the user is over", auth.OAuthRequestUnknown)
	}
	return err
}

func (f *OAuth) answered(event string, q OAuthQuestion, a auth.Actor, c auth.Client, now time.Time) store.Entry {
	e := f.entry(event, a.UserID, c, now)
	e.SessionID = a.SessionID
	e.Detail = map[string]any{"client": q.Client.ID, "scope": strings.Join(q.Scopes, " ")}
	return e
}

// sealCode is the payload of a code: sealed, beside the session in which the user said yes. The code is worth nothing without it.
func (f *OAuth) sealCode(p oauthPayload, session string) (json.RawMessage, error) {
	sealed, err := f.sealPayload(oauthCodeSeal, p)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(sealed, &members); err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	members["session"] = session
	return json.Marshal(members)
}

// provedAt is when a user last proved who they are.
func provedAt(amr []auth.Method, began time.Time) time.Time {
	for _, m := range amr {
		if m.Method != byCode && m.Timestamp.After(began) {
			began = m.Timestamp
		}
	}
	return began
}
