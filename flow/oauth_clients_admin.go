package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// Page lists a part of the OAuth clients.
func (f *OAuthClients) Page(ctx context.Context, p Paging, by Operator) (Page[store.OAuthClient], error) {
	if err := by.mayRead(); err != nil {
		return Page[store.OAuthClient]{}, err
	}
	l, err := f.listing(p, "oauthClients")
	if err != nil {
		return Page[store.OAuthClient]{}, err
	}
	found, err := f.Store.OAuthClientSlice(ctx, l.slice)
	if err != nil {
		return Page[store.OAuthClient]{}, err
	}
	return page(l, found, func(c store.OAuthClient) []string { return []string{c.ID} })
}

// Count tells how many OAuth clients there are.
func (f *OAuthClients) Count(ctx context.Context, by Operator) (int, error) {
	if err := by.mayRead(); err != nil {
		return 0, err
	}
	return f.Store.CountOAuthClients(ctx)
}

// Numbered lists a page of the OAuth clients by its number, the newest first, and tells how many there are in all.
func (f *OAuthClients) Numbered(ctx context.Context, p NumberedPage, by Operator) ([]store.OAuthClient, int64, error) {
	if err := cmp.Or(by.mayRead(), f.served(), p.check()); err != nil {
		return nil, 0, err
	}
	total, err := f.Store.CountOAuthClients(ctx)
	if err != nil {
		return nil, 0, err
	}
	found, err := f.Store.OAuthClientPage(ctx, int64(p.Number-1)*int64(p.Size), p.Size)
	return found, int64(total), err
}

// Get gives an OAuth client to an operator.
func (f *OAuthClients) Get(ctx context.Context, id string, by Operator) (store.OAuthClient, error) {
	if err := cmp.Or(by.mayRead(), f.served(), asOAuthClient(id)); err != nil {
		return store.OAuthClient{}, err
	}
	c, err := f.Store.OAuthClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = noOAuthClient()
	}
	return c, err
}

// NewOAuthClient is an OAuth client to come.
type NewOAuthClient struct {
	Name, URI, LogoURI string
	RedirectURIs       []string
	Scopes             []string // empty for those that tell of the user
	GrantTypes         []string // empty for all
	AuthMethod         string   // empty for auth.ClientSecretBasic
}

// Create makes an OAuth client. Its secret, where it has one, is told now and never again.
func (f *OAuthClients) Create(ctx context.Context, in NewOAuthClient, by Operator) (c store.OAuthClient, secret string, err error) {
	if err := cmp.Or(by.mayChange(), f.served()); err != nil {
		return c, "", err
	}
	if c, secret, err = f.make(in, auth.ClientRegistered); err != nil {
		return c, "", err
	}
	if tokens.IsUUID(by.UserID) {
		c.CreatedBy = by.UserID
	}
	return c, secret, f.enlist(ctx, c, maxOAuthClients, f.note(by, "oauth-client.created", c))
}

// Register makes an OAuth client that registers itself (RFC 7591).
func (f *OAuthClients) Register(ctx context.Context, in NewOAuthClient, from auth.Client) (c store.OAuthClient, secret string, err error) {
	if c, secret, err = f.make(in, auth.ClientDynamic); err != nil {
		return c, "", err
	}
	if slices.Contains(c.Scopes, auth.ScopeGraphQL) {
		return c, "", auth.Invalid{Field: "scopes", Problem: "must not have " + auth.ScopeGraphQL + " among them: an operator alone gives it"}
	}
	n := f.note(Operator{Client: from}, "oauth-client.registered", c)
	n.By = ""
	return c, secret, f.enlist(ctx, c, maxDynamicClients, n)
}

func (f *OAuthClients) enlist(ctx context.Context, c store.OAuthClient, most int, n store.Note) error {
	n.Facts["method"] = c.AuthMethod
	return f.Store.InTx(ctx, func(tx *store.DB) error { return tx.AddOAuthClient(ctx, c, most, n) })
}

// make is the client that is asked for, with what nobody said filled in.
func (f *OAuthClients) make(in NewOAuthClient, origin string) (c store.OAuthClient, secret string, err error) {
	now := f.Now()
	c = store.OAuthClient{
		ID: tokens.NewUUID(), Name: in.Name, URI: in.URI, LogoURI: in.LogoURI, RedirectURIs: in.RedirectURIs, Scopes: in.Scopes, GrantTypes: in.GrantTypes,
		AuthMethod: cmp.Or(in.AuthMethod, auth.ClientSecretBasic), Origin: origin, CreatedAt: now, UpdatedAt: now,
	}
	if len(c.Scopes) == 0 {
		c.Scopes = usualOAuthScopes()
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{auth.GrantCode, auth.GrantRefresh}
	}
	if err := checkOAuthClient(c); err != nil {
		return c, "", err
	}
	if !c.Public() {
		secret = rand.Text() + rand.Text()
		c.SecretHash = f.Keys.HashClientSecret(c.ID, secret)
	}
	return c, secret, nil
}

// OAuthClientChange is what becomes different in an OAuth client; nil stays as it is. Whether it has a secret is fixed.
type OAuthClientChange struct {
	Name, URI, LogoURI               *string
	RedirectURIs, Scopes, GrantTypes []string
	AuthMethod                       *string
}

// Change changes an OAuth client.
func (f *OAuthClients) Change(ctx context.Context, id string, in OAuthClientChange, by Operator) (store.OAuthClient, error) {
	c, err := f.changeable(ctx, id, by)
	if err != nil {
		return c, err
	}
	var changes []string
	swap(&changes, "name", &c.Name, in.Name)
	swap(&changes, "uri", &c.URI, in.URI)
	swap(&changes, "logoUri", &c.LogoURI, in.LogoURI)
	swap(&changes, "authMethod", &c.AuthMethod, in.AuthMethod)
	swapList(&changes, "redirectUris", &c.RedirectURIs, in.RedirectURIs)
	swapList(&changes, "scopes", &c.Scopes, in.Scopes)
	swapList(&changes, "grantTypes", &c.GrantTypes, in.GrantTypes)
	switch {
	case len(changes) == 0:
		err = auth.Invalid{Field: "input", Problem: "must say what is to change"}
	case (c.SecretHash == nil) != c.Public():
		err = auth.Invalid{Field: "authMethod", Problem: "must stay with or without a secret: make another client instead"}
	default:
		err = checkOAuthClient(c)
	}
	if err != nil {
		return c, err
	}
	n := f.note(by, "oauth-client.changed", c)
	n.Facts["changed"] = strings.Join(changes, " ")
	return f.change(ctx, c, store.OAuthClientChange{
		Name: in.Name, URI: in.URI, LogoURI: in.LogoURI, RedirectURIs: in.RedirectURIs, Scopes: in.Scopes, GrantTypes: in.GrantTypes, AuthMethod: in.AuthMethod,
	}, n)
}

// NewSecret gives an OAuth client another secret, which is told now and never again. The former one is refused from then on.
func (f *OAuthClients) NewSecret(ctx context.Context, id string, by Operator) (store.OAuthClient, string, error) {
	c, err := f.changeable(ctx, id, by)
	if err != nil {
		return c, "", err
	}
	if c.Public() {
		return c, "", auth.Invalid{Field: "id", Problem: "must be that of a client with a secret: this one is public"}
	}
	secret := rand.Text() + rand.Text()
	c, err = f.change(ctx, c, store.OAuthClientChange{SecretHash: f.Keys.HashClientSecret(id, secret)}, f.note(by, "oauth-client.secret-rotated", c))
	if err != nil {
		return c, "", err
	}
	return c, secret, nil
}

// Delete deletes an OAuth client. What users gave it ends with it.
func (f *OAuthClients) Delete(ctx context.Context, id string, by Operator) error {
	if err := cmp.Or(by.mayChange(), f.served(), asOAuthClient(id)); err != nil {
		return err
	}
	n := f.note(by, "oauth-client.deleted", store.OAuthClient{ID: id})
	err := f.Store.InTx(ctx, func(tx *store.DB) error {
		if err := tx.DeleteOAuthClient(ctx, id, n); err != nil {
			return err
		}
		_, err := tx.EndSessionsOfClient(ctx, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = noOAuthClient()
	}
	return err
}

// changeable finds a client that operators may change: not those that say themselves what they are.
func (f *OAuthClients) changeable(ctx context.Context, id string, by Operator) (store.OAuthClient, error) {
	if err := by.mayChange(); err != nil {
		return store.OAuthClient{}, err
	}
	c, err := f.Get(ctx, id, by)
	if err == nil && c.Origin == auth.ClientByDocument {
		err = auth.Invalid{Field: "id", Problem: "must not be that of a metadata document, which alone says what the client is; delete the client to shut it out"}
	}
	return c, err
}

func (f *OAuthClients) change(ctx context.Context, c store.OAuthClient, change store.OAuthClientChange, n store.Note) (out store.OAuthClient, err error) {
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		out, err = tx.ChangeOAuthClient(ctx, c.ID, change, n)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = noOAuthClient()
	}
	return out, err
}

// asOAuthClient refuses what cannot be the id of an OAuth client.
func asOAuthClient(id string) error {
	if !oauthClientID(id) {
		return noOAuthClient()
	}
	return nil
}

func noOAuthClient() error { return fmt.Errorf("%w: no OAuth client", auth.NotFound) }

func (f *OAuthClients) note(by Operator, event string, c store.OAuthClient) store.Note {
	return store.Note{Event: event, ActorID: by.UserID, By: byOperator, Client: by.Client, Facts: map[string]any{"client": c.ID}, At: f.Now()}
}

// swap puts a value that is given in the place of another, and notes that.
func swap(changes *[]string, name string, to, value *string) {
	if value != nil {
		*to, *changes = *value, append(*changes, name)
	}
}

func swapList(changes *[]string, name string, to *[]string, value []string) {
	if value != nil {
		*to, *changes = value, append(*changes, name)
	}
}
