package house

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"postern/auth"
	"postern/clientdocs"
	"postern/config"
	"postern/flow"
	"postern/outbound"
	"postern/server/hasura"
	"postern/tokens"
)

// oauthDesk opens the desk of the OAuth server behind the door of Hasura Auth; nil where the operator does not want it.
func oauthDesk(c *config.Config, kit flow.Kit) (*flow.OAuth, error) {
	if !c.OAuth.Enabled || !c.Hasura.Enabled {
		return nil, nil
	}
	issuer := strings.TrimRight(c.Flow.ServerURL, "/")
	if err := servesClients(kit.Signer, issuer); err != nil {
		return nil, err
	}
	documents, err := clientDocuments(c)
	if err != nil {
		return nil, err
	}
	kit.AccessTokenLife = c.OAuth.AccessTokenLife
	scopes := auth.OAuthScopes()
	if !c.Tokens.SaysHasura() { // no token says anything to an engine then
		scopes = scopes[:len(scopes)-1]
	}
	return &flow.OAuth{
		Kit: kit, Clients: &flow.OAuthClients{Kit: kit, Documents: documents}, Issuer: issuer, Page: c.OAuth.Page(kit.Policy.ClientURL), Parameter: "request_id",
		Scopes: scopes, DefaultScopes: []string{auth.ScopeOpenID}, About: hasura.ClaimsOf, RefreshTokenLife: c.OAuth.RefreshTokenLife,
	}, nil
}

// clientDocuments reads what clients publish of themselves; nil where the operator does not want those. What is published elsewhere leads
// nowhere but to the public internet, unless the operator excepts networks.
func clientDocuments(c *config.Config) (*clientdocs.Reader, error) {
	if !c.OAuth.ReadsDocuments {
		return nil, nil
	}
	where := c.Outbound
	if c.OAuth.InsecureDocuments {
		where.AllowedNetworks = []string{"0.0.0.0/0", "::/0"}
	}
	guard, err := outbound.New(where)
	if err != nil {
		return nil, err
	}
	client := guard.Client(outbound.Limits{Time: clientdocs.MaxTime, Body: clientdocs.MaxBytes + 1})
	return &clientdocs.Reader{Client: client, Insecure: c.OAuth.InsecureDocuments}, nil
}

// servesClients tells why clients could not trust what they are given.
func servesClients(s *tokens.Signer, issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case !s.Published():
		return errors.New("AUTH_OAUTH2_PROVIDER_ENABLED needs a key pair in HASURA_GRAPHQL_JWT_SECRET, such as type RS256 or ES256: clients verify ID tokens by the public key; 'postern keys secret --type RS256' prints one")
	case s.ChecksLoosely():
		return errors.New("AUTH_OAUTH2_PROVIDER_ENABLED needs the member audience in HASURA_GRAPHQL_JWT_SECRET, since that has claims_map: without it Hasura might take the token of a client for that of a user")
	case err != nil || u.Scheme != "https" && !isLoopback(u) || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("AUTH_OAUTH2_PROVIDER_ENABLED needs AUTH_SERVER_URL to be the public address of this service, such as https://auth.example.com/v1: it is the issuer of tokens, and clients find everything below it; it is %q", issuer)
	case s.OwnIssuer() != "" && s.OwnIssuer() != issuer:
		return fmt.Errorf("HASURA_GRAPHQL_JWT_SECRET has the issuer %q, which Hasura checks, and tokens of clients have that of AUTH_SERVER_URL, %q (AUTH_OAUTH2_PROVIDER_ENABLED): make them the same, or leave the issuer out", s.OwnIssuer(), issuer)
	}
	return nil
}

// isLoopback tells whether an address is that of the machine itself, where tokens need no encryption on their way.
func isLoopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
