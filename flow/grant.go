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

// opening is how a session comes to be.
type opening struct {
	user        auth.User
	method      string // amr of the proof
	client      auth.Client
	guards      []store.Guard
	clears      string
	checkedHash string
	newHash     string
	now         time.Time
}

// open ends every sign-in: it writes the session with its audit row and event, and signs the
// access token. db is the database, or the transaction that the session belongs to.
func (k *Kit) open(ctx context.Context, db *store.DB, o opening) (*auth.Grant, error) {
	token := tokens.NewUUID()
	session := auth.Session{
		ID: tokens.NewUUID(), UserID: o.user.ID, CreatedAt: o.now, ExpiresAt: o.now.Add(k.Policy.RefreshTokenLife),
		AAL: 1, AMR: []auth.Method{{Method: o.method, Timestamp: o.now}},
	}
	grant, err := k.grant(o.user, session, token, o.now)
	if err != nil {
		return nil, err
	}
	entry := k.entry("session.started", o.user.ID, o.client, o.now)
	entry.SessionID = session.ID
	entry.Detail = map[string]any{"method": o.method}
	err = db.OpenSession(ctx, store.NewSession{
		Session: session, RefreshHash: tokens.HashRefresh(token), Client: o.client, Entry: entry,
		CheckedHash: o.checkedHash, NewHash: o.newHash, Guards: o.guards, Clears: o.clears,
	})
	if errors.Is(err, store.ErrChanged) {
		// Disabled, re-hashed by a password change, or locked between the check and now.
		return nil, fmt.Errorf("%w: user %s changed during the sign-in", auth.InvalidCredentials, o.user.ID)
	}
	return grant, err
}

// grant signs an access token for a session.
func (k *Kit) grant(u auth.User, s auth.Session, refreshToken string, now time.Time) (*auth.Grant, error) {
	access, err := k.Signer.Sign(tokens.Access{
		UserID: u.ID, SessionID: s.ID, Roles: u.AllowedRoles(), DefaultRole: u.DefaultRole,
		IsAnonymous: u.IsAnonymous, Life: k.AccessTokenLife,
	}, now)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return &auth.Grant{User: u, Session: s, AccessToken: access, RefreshToken: refreshToken, ExpiresIn: k.AccessTokenLife}, nil
}
