package flow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/clientdocs"
	"postern/passwords"
	"postern/store"
)

// OAuthClients is the desk for the applications that users let in on their account.
type OAuthClients struct {
	Kit
	// Closed has operators told that there is no OAuth server.
	Closed bool
	// Documents reads what clients say of themselves whose id is an address; nil where those are none, though another door has them.
	Documents *clientdocs.Reader
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

// Find gives an OAuth client. Where there is none, or it is deleted, the error is auth.InvalidClient; so it is for one that published what it
// is where no such clients are taken: nobody would read there what it says today.
func (f *OAuthClients) Find(ctx context.Context, id string) (store.OAuthClient, error) {
	if !oauthClientID(id) {
		return store.OAuthClient{}, fmt.Errorf("%w: no id of a client", auth.InvalidClient)
	}
	c, err := f.Store.OAuthClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: unknown client", auth.InvalidClient)
	}
	if err == nil && c.Origin == auth.ClientByDocument && f.Documents == nil {
		return store.OAuthClient{}, fmt.Errorf("%w: its document counts for nothing here", auth.InvalidClient)
	}
	return c, err
}

// documentLife is how long a document counts that a client has published of itself, until it is read again.
const documentLife = time.Hour

// Arriving gives the client that sends a browser. One whose id is the address of a document is what that says: it is read here alone, so
// that no request for tokens waits for a stranger's server. What cannot be read or says nothing that makes sense is auth.InvalidClient. One that an
// operator deleted stays deleted, whatever it publishes.
func (f *OAuthClients) Arriving(ctx context.Context, id string) (store.OAuthClient, error) {
	if f.Documents == nil || !clientdocs.IsAddress(id) {
		return f.Find(ctx, id)
	}
	kept, err := f.Store.OAuthClientEver(ctx, id)
	switch known := err == nil; {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return kept, err
	case known && kept.DeletedAt != nil:
		return store.OAuthClient{}, fmt.Errorf("%w: the operator deleted it", auth.InvalidClient)
	case known && kept.Origin != auth.ClientByDocument, known && f.Now().Sub(*kept.FetchedAt) < documentLife:
		return kept, nil
	}
	c, err := f.published(ctx, id)
	if err != nil {
		return c, fmt.Errorf("%w: %w", auth.InvalidClient, err)
	}
	if err := f.Store.InTx(ctx, func(tx *store.DB) error { return tx.KeepOAuthDocument(ctx, c, maxDocumentClients) }); err != nil {
		return store.OAuthClient{}, err
	}
	return f.Find(ctx, id) // an operator may have deleted it meanwhile
}

// published is a client as it says itself what it is. It gets no scope by which it does what the user may do.
func (f *OAuthClients) published(ctx context.Context, id string) (store.OAuthClient, error) {
	d, err := f.Documents.Read(ctx, id)
	if err != nil {
		return store.OAuthClient{}, err
	}
	now := f.Now()
	c := store.OAuthClient{
		ID: id, Name: d.Name, URI: d.URI, LogoURI: d.LogoURI, RedirectURIs: d.RedirectURIs, AuthMethod: auth.NoClientSecret, Origin: auth.ClientByDocument,
		Scopes: among(d.Scopes, usualOAuthScopes()), GrantTypes: among(d.GrantTypes, []string{auth.GrantCode, auth.GrantRefresh}),
		CreatedAt: now, UpdatedAt: now, FetchedAt: &now,
	}
	if c.Name == "" {
		c.Name = hostOf(id)
	}
	return c, checkOAuthClient(c)
}

// among are those of a list that are known; all that are known, where the list is empty.
func among(list, known []string) []string {
	if len(list) == 0 {
		return known
	}
	return slices.DeleteFunc(known, func(s string) bool { return !slices.Contains(list, s) })
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
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
