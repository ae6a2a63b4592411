package graph

import (
	"context"
	"errors"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// OauthClients lists the clients of the OAuth server.
func (q *query) OauthClients(ctx context.Context, first *int, after *string, last *int, before *string) (*wire.OAuthClientConnection, error) {
	p, err := q.OAuth.Page(ctx, flow.Paging{First: first, After: after, Last: last, Before: before}, operator(ctx))
	if err != nil {
		return nil, err
	}
	c := &wire.OAuthClientConnection{PageInfo: pageInfo(p)}
	for i, client := range p.Items {
		node := oauthClient(client)
		c.Nodes = append(c.Nodes, node)
		c.Edges = append(c.Edges, &wire.OAuthClientEdge{Cursor: p.Cursors[i], Node: node})
	}
	if wantsTotal(ctx) {
		c.TotalCount, err = q.OAuth.Count(ctx, operator(ctx))
	}
	return c, err
}

// OauthClient is a client of the OAuth server.
func (q *query) OauthClient(ctx context.Context, id string) (*wire.OAuthClient, error) {
	c, err := q.OAuth.Get(ctx, id, operator(ctx))
	if errors.Is(err, auth.NotFound) {
		return nil, nil
	}
	return oauthClient(c), err
}

// CreateOAuthClient makes a client of the OAuth server.
func (m *mutation) CreateOAuthClient(ctx context.Context, in wire.CreateOAuthClientInput) (*wire.CreateOAuthClientPayload, error) {
	if in.Name == "" {
		return nil, under("input", auth.Invalid{Field: "name", Problem: "must be there: users are told of it"})
	}
	asked := flow.NewOAuthClient{
		Name: in.Name, URI: given(in.URI), LogoURI: given(in.LogoURI), RedirectURIs: in.RedirectUris, Scopes: in.Scopes, GrantTypes: in.GrantTypes,
		AuthMethod: given(authMethod(in.AuthMethod)),
	}
	c, secret, err := m.OAuth.Create(ctx, asked, operator(ctx))
	out := &wire.CreateOAuthClientPayload{OauthClient: oauthClient(c)}
	if secret != "" {
		out.ClientSecret = &secret
	}
	return out, under("input", err)
}

// NewOAuthClientSecret gives a client of the OAuth server another secret.
func (m *mutation) NewOAuthClientSecret(ctx context.Context, in wire.NewOAuthClientSecretInput) (*wire.NewOAuthClientSecretPayload, error) {
	c, secret, err := m.OAuth.NewSecret(ctx, in.ID, operator(ctx))
	return &wire.NewOAuthClientSecretPayload{OauthClient: oauthClient(c), ClientSecret: secret}, under("input", err)
}

// UpdateOAuthClient changes a client of the OAuth server.
func (m *mutation) UpdateOAuthClient(ctx context.Context, in wire.UpdateOAuthClientInput) (*wire.UpdateOAuthClientPayload, error) {
	c, err := m.OAuth.Change(ctx, in.ID, flow.OAuthClientChange{
		Name: in.Name, URI: in.URI, LogoURI: in.LogoURI, RedirectURIs: in.RedirectUris, Scopes: in.Scopes, GrantTypes: in.GrantTypes, AuthMethod: authMethod(in.AuthMethod),
	}, operator(ctx))
	return &wire.UpdateOAuthClientPayload{OauthClient: oauthClient(c)}, under("input", err)
}

// DeleteOAuthClient deletes a client of the OAuth server.
func (m *mutation) DeleteOAuthClient(ctx context.Context, in wire.DeleteOAuthClientInput) (*wire.DeleteOAuthClientPayload, error) {
	return &wire.DeleteOAuthClientPayload{ID: in.ID}, under("input", m.OAuth.Delete(ctx, in.ID, operator(ctx)))
}

// authMethod is the standard's word for a way to show a secret.
func authMethod(m *wire.OAuthClientAuthMethod) *string {
	if m == nil {
		return nil
	}
	word := strings.ToLower(string(*m))
	return &word
}

func oauthClient(c store.OAuthClient) *wire.OAuthClient {
	out := &wire.OAuthClient{
		ID: c.ID, Name: c.Name, URI: c.URI, LogoURI: c.LogoURI, RedirectUris: c.RedirectURIs, Scopes: c.Scopes, GrantTypes: c.GrantTypes,
		AuthMethod: wire.OAuthClientAuthMethod(strings.ToUpper(c.AuthMethod)), Origin: wire.OAuthClientOrigin(strings.ToUpper(c.Origin)),
		FetchedAt: c.FetchedAt, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
	if c.CreatedBy != "" {
		out.CreatedBy = &c.CreatedBy
	}
	return out
}
