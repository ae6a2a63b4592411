package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern/auth"
	"postern/passwords"
	"postern/store"
)

// OAuthClients is the desk for the applications that users let in on their account.
type OAuthClients struct {
	Kit
	// Closed has operators told that there is no OAuth server.
	Closed bool
}

// served refuses operators where there is nothing that clients could ask.
func (f *OAuthClients) served() error {
	if f.Closed {
		return fmt.Errorf("%w: there is no OAuth server without AUTH_OAUTH2_PROVIDER_ENABLED", auth.EndpointDisabled)
	}
	return nil
}

// Adopt copies the clients that Hasura Auth has in its own table, at the start of every server.
func (f *OAuthClients) Adopt(ctx context.Context) error {
	return f.Store.AdoptOAuthClients(ctx, f.Now())
}

// Find gives an OAuth client. Where there is none, or it is deleted, the error is auth.InvalidClient.
func (f *OAuthClients) Find(ctx context.Context, id string) (store.OAuthClient, error) {
	if !oauthClientID(id) {
		return store.OAuthClient{}, fmt.Errorf("%w: no id of a client", auth.InvalidClient)
	}
	c, err := f.Store.OAuthClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: unknown client", auth.InvalidClient)
	}
	return c, err
}

// oauthClientID tells whether something may be the id of an OAuth client: those of metadata documents are addresses.
func oauthClientID(id string) bool {
	return id != "" && len(id) <= maxClientURI && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// OAuthCredentials are what an OAuth client shows where it asks for tokens.
type OAuthCredentials struct {
	ClientID string
	Secret   string
	Method   string // auth.ClientSecretBasic, auth.ClientSecretPost or, without a secret, auth.NoClientSecret
}

// Authenticate finds the client that shows itself, and compares its secret. It must come in the one way that the client is
// registered with, so that a public client that sends a secret is refused, too. Every refusal is auth.InvalidClient; one of
// a client that does not exist costs the same.
func (f *OAuthClients) Authenticate(ctx context.Context, in OAuthCredentials) (store.OAuthClient, error) {
	client, err := f.Find(ctx, in.ClientID)
	if err != nil && auth.CodeOf(err) != auth.InvalidClient {
		return client, err
	}
	right, failed := f.isSecret(ctx, client, in)
	switch {
	case err != nil:
		return client, err
	case failed != nil:
		return store.OAuthClient{}, failed
	case client.Public() && in.Method == auth.NoClientSecret && in.Secret == "":
		return client, nil
	case client.Public():
		return store.OAuthClient{}, fmt.Errorf("%w: a public client shows a secret", auth.InvalidClient)
	case in.Method != client.AuthMethod && (client.AuthMethod != auth.ClientSecretAny || in.Method == auth.NoClientSecret):
		return store.OAuthClient{}, fmt.Errorf("%w: the client shows itself in another way than it is registered with", auth.InvalidClient)
	case !right:
		return store.OAuthClient{}, fmt.Errorf("%w: wrong secret", auth.InvalidClient)
	}
	return client, nil
}

// maxClientSecret bounds what is hashed for anybody who sends it.
const maxClientSecret = 512

// isSecret compares a secret with what is kept of it. The hashes that Hasura Auth made are slow, so what they kept is hashed
// anew once it is seen.
func (f *OAuthClients) isSecret(ctx context.Context, c store.OAuthClient, in OAuthCredentials) (bool, error) {
	if in.Secret == "" || len(in.Secret) > maxClientSecret {
		return false, nil
	}
	if !passwords.IsBcrypt(string(c.SecretHash)) {
		hash := c.SecretHash
		if hash == nil {
			hash = make([]byte, 32)
		}
		return f.Keys.IsClientSecret(hash, in.ClientID, in.Secret) && c.SecretHash != nil, nil
	}
	right, _, err := f.Passwords.Verify(ctx, string(c.SecretHash), in.Secret)
	if err != nil || !right {
		return false, err
	}
	return true, f.Store.HashOAuthClientAnew(ctx, c.ID, c.SecretHash, f.Keys.HashClientSecret(c.ID, in.Secret))
}
