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

// maxPATs is how many personal access tokens a user may have.
const maxPATs = 1000

// PATRequest is a user who wants a personal access token, for a program that signs in as them.
type PATRequest struct {
	Actor     auth.Actor
	ExpiresAt time.Time
	Metadata  json.RawMessage
	Client    auth.Client
}

// CreatedPAT is a personal access token with its secret, which is shown this once.
type CreatedPAT struct {
	ID     string
	Secret string
}

// CreatePAT makes a personal access token and tells its user by mail.
func (f *Account) CreatePAT(ctx context.Context, in PATRequest) (CreatedPAT, error) {
	now := f.Now()
	user, err := f.memberOfBoth(ctx, in.Actor, f.member)
	if err != nil {
		return CreatedPAT{}, err
	}
	if !in.ExpiresAt.After(now) {
		return CreatedPAT{}, auth.Invalid{Field: "expiresAt", Problem: "must be in the future"}
	}
	created := CreatedPAT{ID: tokens.NewUUID(), Secret: tokens.NewUUID()}
	pat := store.PAT{ID: created.ID, CreatedAt: now, ExpiresAt: in.ExpiresAt, Metadata: in.Metadata}
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry("pat.created", user.ID, in.Client, now)
		e.SessionID = in.Actor.SessionID
		e.Detail = map[string]any{"patId": pat.ID, "expiresAt": pat.ExpiresAt.UTC().Format(time.RFC3339)}
		added, err := tx.AddPAT(ctx, in.Actor, pat, tokens.HashRefresh(created.Secret), maxPATs, e)
		if err != nil {
			return err
		}
		if !added {
			return auth.Invalid{Field: "personal access tokens", Problem: fmt.Sprintf("must not be more than %d: delete some", maxPATs)}
		}
		return f.notify(ctx, tx, notice{template: "token-created", to: user.Email, user: user, client: in.Client})
	})
	if errors.Is(err, store.ErrChanged) {
		return CreatedPAT{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return CreatedPAT{}, err
	}
	return created, nil
}

// PATs lists the personal access tokens of the actor that are good, the newest first.
func (f *Account) PATs(ctx context.Context, a auth.Actor) ([]store.PAT, error) {
	user, err := f.viewer(ctx, a)
	if err == nil {
		err = f.Policy.gateMember(user, f.Now())
	}
	if err != nil {
		return nil, err
	}
	return f.Store.PATsOf(ctx, user.ID, f.Now(), maxPATs)
}

// DropPAT revokes a personal access token of the actor and ends the sessions that it opened: whoever
// had copied it is out. Of somebody else's token nobody learns that it is there.
func (f *Account) DropPAT(ctx context.Context, a auth.Actor, id string, c auth.Client) error {
	if _, err := f.actorMember(ctx, a); err != nil {
		return err
	}
	now := f.Now()
	e := f.entry("pat.revoked", a.UserID, c, now)
	e.Detail = map[string]any{"patId": id}
	err := f.Store.DropPAT(ctx, a, id, f.Policy.alive(now), e)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: no such token of user %s", auth.NotFound, a.UserID)
	}
	return err
}

// actorMember is an actor who is not a guest. Nothing that needs it changes a credential.
func (k *Kit) actorMember(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.actor(ctx, a)
	if err != nil {
		return u, err
	}
	return u, k.Policy.gateMember(u, k.Now())
}

// PATSignIn is a program that signs in as its user.
type PATSignIn struct {
	Token  string
	Said   Said
	Client auth.Client
}

// WithPAT opens a session by a personal access token, which stays good until it expires or is revoked.
// The session ends with it, however often it is refreshed.
// No second factor is asked: there is nobody who could be.
func (f *SignIn) WithPAT(ctx context.Context, in PATSignIn) (admission auth.Admission, err error) {
	now := f.Now()
	found, err := f.Store.FindPAT(ctx, tokens.HashRefresh(in.Token), now)
	if errors.Is(err, store.ErrNotFound) {
		return admission, fmt.Errorf("%w: unknown, expired or revoked", auth.InvalidPAT)
	}
	if err != nil {
		return admission, err
	}
	if err := f.Policy.gateMember(found.User, f.Now()); err != nil {
		return admission, f.turnedAway(ctx, attemptOf{userID: found.User.ID, method: "pat", client: in.Client}, err)
	}
	if err := f.signInRequested(ctx, request{Said: in.Said, method: "pat", client: in.Client}); err != nil {
		return admission, err
	}
	o, err := f.ask(ctx, opening{user: found.User, method: "pat", machine: true, pat: found.TokenID, ends: found.TokenExpiresAt, client: in.Client, now: now}, found.User)
	if err != nil {
		return admission, err
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.UsePAT(ctx, found.TokenID, now); err != nil {
			return err
		}
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	if errors.Is(err, store.ErrChanged) || auth.CodeOf(err) == auth.InvalidCredentials {
		return auth.Admission{}, fmt.Errorf("%w: revoked, or its user locked, meanwhile", auth.InvalidPAT)
	}
	return admission, err
}
