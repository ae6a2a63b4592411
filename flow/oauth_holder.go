package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// OAuthHolder is whom the access token of a client speaks of.
type OAuthHolder struct {
	User      auth.User
	ClientID  string
	Scopes    []string
	SessionID string
	IssuedAt  time.Time
	ExpiresAt time.Time
	Custom    map[string]string // custom claims that the token says to Hasura; nil where it does not speak to it
}

// Holder reads the access token of a client, whose session must not have ended and whose user must be let in. Every refusal is
// auth.Unauthorized.
func (f *OAuth) Holder(ctx context.Context, token string) (OAuthHolder, error) {
	return f.clientHolder(ctx, token, []string{f.Issuer})
}

// clientHolder reads a token of one of the issuers.
func (k *Kit) clientHolder(ctx context.Context, token string, issuers []string) (h OAuthHolder, err error) {
	now := k.Now()
	said, err := k.Signer.VerifyClient(token, issuers, now)
	if err != nil {
		return h, err
	}
	s, err := k.Store.ClientSessionByID(ctx, said.SessionID, k.Policy.alive(now))
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && (s.ClientID != said.ClientID || s.User.ID != said.UserID):
		return h, fmt.Errorf("%w: the session of the client is gone", auth.Unauthorized)
	case err != nil:
		return h, err
	}
	if err := k.Policy.gateMember(s.User, now); err != nil {
		return h, fmt.Errorf("%w: the user may not come in: %s", auth.Unauthorized, err.Error()) // its code is not for the client
	}
	return OAuthHolder{
		User: s.User, ClientID: s.ClientID, Scopes: said.Scopes, SessionID: s.SessionID, IssuedAt: said.IssuedAt, ExpiresAt: said.ExpiresAt, Custom: said.Custom,
	}, nil
}

// Introspection is what a client learns of a token of its own (RFC 7662).
type Introspection struct {
	Active    bool
	Scopes    []string
	ClientID  string
	UserID    string
	IssuedAt  time.Time
	ExpiresAt time.Time
	Issuer    string
	Access    bool // it is an access token, not a refresh token
}

// Introspect tells a client of a token, as far as it is the client's. Of any other nobody learns whether there is such a token.
func (f *OAuth) Introspect(ctx context.Context, shown OAuthCredentials, token string) (Introspection, error) {
	client, err := f.Clients.Authenticate(ctx, shown)
	if err != nil {
		return Introspection{}, err
	}
	if token == "" {
		return Introspection{}, auth.Invalid{Field: "token", Problem: "must be there"}
	}
	if tokens.IsUUID(token) {
		return f.introspectRefresh(ctx, client, token)
	}
	h, err := f.Holder(ctx, token)
	if auth.CodeOf(err) == auth.Unauthorized {
		h, err = OAuthHolder{}, nil
	}
	if err != nil || h.ClientID != client.ID {
		return Introspection{}, err
	}
	return Introspection{
		Active: true, Scopes: h.Scopes, ClientID: h.ClientID, UserID: h.User.ID, IssuedAt: h.IssuedAt, ExpiresAt: h.ExpiresAt, Issuer: f.Issuer, Access: true,
	}, nil
}

func (f *OAuth) introspectRefresh(ctx context.Context, client store.OAuthClient, token string) (Introspection, error) {
	now := f.Now()
	s, err := f.Store.ClientSessionOfTokens(ctx, []string{tokens.HashRefresh(token)})
	if err == nil {
		s, err = f.Store.ClientSessionByID(ctx, s.SessionID, f.Policy.alive(now))
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Introspection{}, nil
	case err != nil:
		return Introspection{}, err
	}
	in := f.Policy.gateMember(s.User, now) == nil
	if !in || s.ClientID != client.ID || s.Door != f.Door {
		return Introspection{}, nil
	}
	return Introspection{
		Active: true, Scopes: s.Scopes, ClientID: s.ClientID, UserID: s.User.ID, IssuedAt: s.SessionCreatedAt, ExpiresAt: s.SessionExpiresAt, Issuer: f.Issuer,
	}, nil
}

// Revoke ends the session of a client that a token is of (RFC 7009): a refresh token, the current one or any before it, or an access
// token. A token that is not the client's ends nothing, and nobody learns which it was.
func (f *OAuth) Revoke(ctx context.Context, shown OAuthCredentials, token string, c auth.Client) error {
	client, err := f.Clients.Authenticate(ctx, shown)
	if err != nil {
		return err
	}
	if token == "" {
		return auth.Invalid{Field: "token", Problem: "must be there"}
	}
	id, now := "", f.Now()
	if tokens.IsUUID(token) {
		s, err := f.Store.ClientSessionOfTokens(ctx, kinOf(token, f.Keys.Peppers()).hashes)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && s.Door == f.Door {
			id = s.SessionID
		}
	} else if said, err := f.Signer.VerifyClient(token, []string{f.Issuer}, now); err == nil {
		id = said.SessionID
	}
	if id == "" {
		return nil
	}
	e := f.entry("session.ended", "", c, now)
	e.Detail = map[string]any{"reason": "client"}
	err = f.Store.EndClientSession(ctx, id, client.ID, time.Time{}, e)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// maxGrants bounds the list of what a user has allowed.
const maxGrants = 500

// Grants lists what a user has allowed, the latest first.
func (f *OAuth) Grants(ctx context.Context, a auth.Actor) ([]store.Grant, error) {
	user, err := f.viewer(ctx, a)
	if err != nil {
		return nil, err
	}
	return f.Store.GrantsOf(ctx, user.ID, maxGrants)
}

// RevokeGrant takes back what a user has allowed a client. What the client has of the user ends with it.
func (f *OAuth) RevokeGrant(ctx context.Context, a auth.Actor, clientID string, c auth.Client) error {
	user, err := f.proven(ctx, a)
	if err != nil {
		return err
	}
	e := f.entry("oauth.withdrawn", user.ID, c, f.Now())
	e.SessionID, e.Detail = a.SessionID, map[string]any{"client": clientID}
	err = store.ErrNotFound
	if oauthClientID(clientID) {
		err = f.Store.DropConsent(ctx, user.ID, clientID, e)
	}
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: user %s has allowed such a client nothing", auth.ConsentUnknown, user.ID)
	}
	return err
}
