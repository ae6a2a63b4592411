package gotrue

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/store"
)

// oauthClient is a client of the OAuth server, as operators and the client itself see it.
type oauthClient struct {
	ID               string    `json:"client_id"`
	Secret           string    `json:"client_secret,omitempty"`
	Type             string    `json:"client_type"`
	RedirectURIs     []string  `json:"redirect_uris"`
	AuthMethod       string    `json:"token_endpoint_auth_method"`
	GrantTypes       []string  `json:"grant_types"`
	ResponseTypes    []string  `json:"response_types"`
	Name             string    `json:"client_name,omitempty"`
	URI              string    `json:"client_uri,omitempty"`
	LogoURI          string    `json:"logo_uri,omitempty"`
	Scope            string    `json:"scope,omitempty"`
	RegistrationType string    `json:"registration_type"`
	CreatedAt        time.Time `json:"created_at"`
	UpdatedAt        time.Time `json:"updated_at"`
}

// The kinds of clients, and what they answer with.
const (
	publicClient       = "public"
	confidentialClient = "confidential"
	responseCode       = "code"
)

func toOAuthClient(c store.OAuthClient, secret string) oauthClient {
	out := oauthClient{
		ID: c.ID, Secret: secret, Type: confidentialClient, RedirectURIs: c.RedirectURIs, AuthMethod: c.AuthMethod, GrantTypes: c.GrantTypes,
		ResponseTypes: []string{responseCode}, Name: c.Name, URI: c.URI, LogoURI: c.LogoURI, Scope: strings.Join(c.Scopes, " "), RegistrationType: "manual",
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
	if c.Public() {
		out.Type = publicClient
	}
	if c.AuthMethod == auth.ClientSecretAny { // this dialect has no word for it
		out.AuthMethod = auth.ClientSecretBasic
	}
	if c.Origin != auth.ClientRegistered {
		out.RegistrationType = "dynamic"
	}
	return out
}

// oauthClientAsked is what somebody says of a client (RFC 7591). Members that nobody here knows are left alone.
type oauthClientAsked struct {
	RedirectURIs  []string `json:"redirect_uris"`
	Type          *string  `json:"client_type"`
	AuthMethod    *string  `json:"token_endpoint_auth_method"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	Name          *string  `json:"client_name"`
	URI           *string  `json:"client_uri"`
	LogoURI       *string  `json:"logo_uri"`
	Scope         *string  `json:"scope"`
}

// Check tells what is wrong with the request.
func (in *oauthClientAsked) Check() error {
	switch {
	case in.Type != nil && *in.Type != publicClient && *in.Type != confidentialClient:
		return auth.Invalid{Field: "client_type", Problem: "must be " + publicClient + " or " + confidentialClient}
	case in.Type != nil && in.AuthMethod != nil && (*in.Type == publicClient) != (*in.AuthMethod == auth.NoClientSecret):
		return auth.Invalid{Field: "client_type", Problem: "must fit token_endpoint_auth_method: public clients have none, and confidential ones have another"}
	case len(in.ResponseTypes) > 0 && !slices.Equal(in.ResponseTypes, []string{responseCode}):
		return auth.Invalid{Field: "response_types", Problem: "must be " + responseCode + " alone"}
	}
	return nil
}

// method is how the client shows who it is, as far as that is said.
func (in *oauthClientAsked) method() *string {
	if in.AuthMethod == nil && in.Type != nil && *in.Type == publicClient {
		none := auth.NoClientSecret
		return &none
	}
	return in.AuthMethod
}

func (in *oauthClientAsked) scopes() []string {
	if in.Scope == nil {
		return nil
	}
	return strings.Fields(*in.Scope)
}

func (in *oauthClientAsked) fresh() flow.NewOAuthClient {
	return flow.NewOAuthClient{
		Name: text(in.Name), URI: text(in.URI), LogoURI: text(in.LogoURI), RedirectURIs: in.RedirectURIs, Scopes: in.scopes(), GrantTypes: in.GrantTypes,
		AuthMethod: text(in.method()),
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// registered says no about a client by the names that its fields have here.
func registered(err error) error {
	var invalid auth.Invalid
	if !errors.As(err, &invalid) {
		return here(err, noOAuthClient)
	}
	name, ok := clientNames[invalid.Field]
	if !ok {
		return err
	}
	return auth.Invalid{Field: name, Problem: invalid.Problem}
}

var (
	noOAuthClient = map[auth.Code]refusal{auth.NotFound: {http.StatusNotFound, "oauth_client_not_found", "OAuth client not found"}}
	clientNames   = map[string]string{
		"name": "client_name", "uri": "client_uri", "logoUri": "logo_uri", "redirectUris": "redirect_uris", "scopes": "scope", "grantTypes": "grant_types",
		"authMethod": "token_endpoint_auth_method", "id": "client_id", "input": "body",
	}
)

// registerOAuthClient lets a client register itself (RFC 7591), where the operator wants that.
func (d *Door) registerOAuthClient(w http.ResponseWriter, r *http.Request) error {
	switch {
	case d.OAuth == nil:
		return auth.EndpointDisabled
	case !d.Registers:
		return refusal{http.StatusForbidden, "oauth_dynamic_client_registration_disabled", "Dynamic client registration is not enabled"}
	}
	in, err := server.Decode[oauthClientAsked](r, body)
	if err != nil {
		return err
	}
	if err := d.Guards.Take(server.Registrations, server.Client(w).Bucket()); err != nil {
		return err
	}
	c, secret, err := d.Clients.Register(r.Context(), in.fresh(), server.Client(w))
	if err != nil {
		return registered(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return server.JSON(w, http.StatusCreated, toOAuthClient(c, secret))
}

func (d *Door) listOAuthClients(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	p, err := numbered(r.URL.Query())
	if err != nil {
		return err
	}
	found, total, err := d.Clients.Numbered(r.Context(), p, by)
	if err != nil {
		return err
	}
	list := make([]oauthClient, len(found))
	for i, c := range found {
		list[i] = toOAuthClient(c, "")
	}
	paged(w.Header(), r.URL, p, total)
	return server.JSON(w, http.StatusOK, map[string][]oauthClient{"clients": list})
}

func (d *Door) createOAuthClient(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := server.Decode[oauthClientAsked](r, adminBody)
	if err != nil {
		return err
	}
	c, secret, err := d.Clients.Create(r.Context(), in.fresh(), by)
	if err != nil {
		return registered(err)
	}
	return server.JSON(w, http.StatusCreated, toOAuthClient(c, secret))
}

func (d *Door) getOAuthClient(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	c, err := d.Clients.Get(r.Context(), r.PathValue("client_id"), by)
	if err != nil {
		return registered(err)
	}
	return server.JSON(w, http.StatusOK, toOAuthClient(c, ""))
}

func (d *Door) changeOAuthClient(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := server.Decode[oauthClientAsked](r, adminBody)
	if err != nil {
		return err
	}
	id := r.PathValue("client_id")
	asked := flow.OAuthClientChange{
		Name: in.Name, URI: in.URI, LogoURI: in.LogoURI, RedirectURIs: in.RedirectURIs, Scopes: in.scopes(), GrantTypes: in.GrantTypes, AuthMethod: in.AuthMethod,
	}
	if in.Type != nil {
		c, err := d.Clients.Get(r.Context(), id, by)
		if err != nil {
			return registered(err)
		}
		if c.Public() != (*in.Type == publicClient) {
			return auth.Invalid{Field: "client_type", Problem: "must stay as it is: make another client instead"}
		}
	}
	c, err := d.Clients.Change(r.Context(), id, asked, by)
	if err != nil {
		return registered(err)
	}
	return server.JSON(w, http.StatusOK, toOAuthClient(c, ""))
}

func (d *Door) deleteOAuthClient(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	if err := d.Clients.Delete(r.Context(), r.PathValue("client_id"), by); err != nil {
		return registered(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (d *Door) newOAuthClientSecret(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	c, secret, err := d.Clients.NewSecret(r.Context(), r.PathValue("client_id"), by)
	if err != nil {
		return registered(err)
	}
	return server.JSON(w, http.StatusOK, toOAuthClient(c, secret))
}
