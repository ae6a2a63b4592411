package gotrue

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// oauthRoutes are those of the OAuth server: of clients and the browsers that they send, of the page that asks users, and of operators.
func (d *Door) oauthRoutes() []route {
	limited := []server.Bucket{server.OAuth}
	return []route{
		{method: "GET", path: "/oauth/authorize", handle: d.serving(d.oauthAuthorize), buckets: limited},
		{method: "GET", path: "/oauth/authorizations/{authorization_id}", handle: d.serving(d.oauthQuestion), buckets: limited},
		{method: "POST", path: "/oauth/authorizations/{authorization_id}/consent", handle: d.serving(d.oauthConsent), buckets: limited},
		{method: "POST", path: "/oauth/token", handle: d.serving(d.oauthToken), buckets: limited},
		{method: "GET", path: "/oauth/userinfo", handle: d.serving(d.oauthUserinfo)},
		{method: "POST", path: "/oauth/clients/register", handle: d.registerOAuthClient, rate: d.Rates.register()},
		{method: "GET", path: "/.well-known/openid-configuration", handle: d.serving(d.discovery)},
		{method: "GET", path: oauthMetadata, handle: d.serving(d.discovery)},
		{method: "GET", path: "/user/oauth/grants", handle: d.serving(d.listGrants)},
		{method: "DELETE", path: "/user/oauth/grants", handle: d.serving(d.revokeGrant)},

		{method: "GET", path: "/admin/oauth/clients", handle: d.forOperators(d.listOAuthClients)},
		{method: "POST", path: "/admin/oauth/clients", handle: d.forOperators(d.createOAuthClient)},
		{method: "GET", path: "/admin/oauth/clients/{client_id}", handle: d.forOperators(d.getOAuthClient)},
		{method: "PUT", path: "/admin/oauth/clients/{client_id}", handle: d.forOperators(d.changeOAuthClient)},
		{method: "DELETE", path: "/admin/oauth/clients/{client_id}", handle: d.forOperators(d.deleteOAuthClient)},
		{method: "POST", path: "/admin/oauth/clients/{client_id}/regenerate_secret", handle: d.forOperators(d.newOAuthClientSecret)},
	}
}

// oauthMetadata is where clients look for what the server is, behind the path of an issuer and, as RFC 8414, 3.1 has it, before it.
const oauthMetadata = "/.well-known/oauth-authorization-server"

// serving answers where there is an OAuth server.
func (d *Door) serving(h server.Handler) server.Handler { return server.Serving(d.OAuth != nil, h) }

// asking are words of a refusal before it is proved who asks: nobody is sent anywhere.
var asking = map[auth.Code]refusal{
	auth.InvalidClient:      {http.StatusBadRequest, "oauth_client_not_found", "OAuth client not found"},
	auth.RedirectNotAllowed: {http.StatusBadRequest, "validation_failed", "redirect_uri must be one that the client has registered, letter by letter"},
}

func (d *Door) oauthAuthorize(w http.ResponseWriter, r *http.Request) error {
	get, err := server.Once("query", r.URL.RawQuery)
	if err != nil {
		return err
	}
	ask := server.OAuthAsk(get)
	if ask.ChallengeMethod == "s256" { // as clients of this dialect write it
		ask.ChallengeMethod = "S256"
	}
	asked, err := d.OAuth.Authorize(r.Context(), ask)
	if err != nil {
		return here(err, asking)
	}
	server.SendOn(w, asked)
	return nil
}

// shownClient is what users are told of a client.
type shownClient struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	URI     string `json:"uri"`
	LogoURI string `json:"logo_uri"`
}

type oauthQuestion struct {
	ID          string      `json:"authorization_id"`
	RedirectURI string      `json:"redirect_uri"`
	Client      shownClient `json:"client"`
	User        struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	} `json:"user"`
	Scope string `json:"scope"`
}

type redirectURL struct {
	To string `json:"redirect_url"`
}

// fromOurPage refuses who asks out of a page that is not the application's.
func (d *Door) fromOurPage(r *http.Request) error {
	for _, origin := range r.Header.Values("Origin") {
		if !d.Policy.TrustsOrigin(origin) {
			return refusal{http.StatusBadRequest, "validation_failed", "unauthorized request origin"}
		}
	}
	return nil
}

// consenting is who answers, out of a page of the application.
func (d *Door) consenting(r *http.Request) (auth.Actor, error) {
	actor, err := d.actor(r)
	if err == nil {
		err = d.fromOurPage(r)
	}
	return actor, err
}

func (d *Door) oauthQuestion(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.consenting(r)
	if err != nil {
		return err
	}
	q, err := d.OAuth.QuestionFor(r.Context(), actor, r.PathValue("authorization_id"), server.Client(w))
	if err != nil {
		return err
	}
	if q.To != "" {
		return server.JSON(w, http.StatusOK, redirectURL{q.To})
	}
	out := oauthQuestion{
		ID: q.ID, RedirectURI: q.RedirectURI, Client: shownClient{q.Client.ID, q.Client.Name, q.Client.URI, q.Client.LogoURI}, Scope: strings.Join(q.Scopes, " "),
	}
	out.User.ID, out.User.Email = q.User.ID, q.User.Email
	return server.JSON(w, http.StatusOK, out)
}

type consentRequest struct {
	Action string `json:"action"`
}

// Check tells what is wrong with the request.
func (in *consentRequest) Check() error {
	if in.Action != "approve" && in.Action != "deny" {
		return auth.Invalid{Field: "action", Problem: "must be approve or deny"}
	}
	return nil
}

func (d *Door) oauthConsent(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.consenting(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[consentRequest](r, body)
	if err != nil {
		return err
	}
	to, err := d.OAuth.Answer(r.Context(), flow.OAuthAnswer{
		Actor: actor, RequestID: r.PathValue("authorization_id"), Allow: in.Action == "approve", Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, redirectURL{to})
}

// grant is what a user has allowed a client.
type grant struct {
	Client    shownClient `json:"client"`
	Scopes    []string    `json:"scopes"`
	GrantedAt time.Time   `json:"granted_at"`
}

func (d *Door) listGrants(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	found, err := d.OAuth.Grants(r.Context(), actor)
	if err != nil {
		return err
	}
	list := make([]grant, len(found))
	for i, g := range found {
		list[i] = grant{shownClient{g.ClientID, g.Name, g.URI, g.LogoURI}, g.Scopes, g.GrantedAt.UTC()}
	}
	return server.JSON(w, http.StatusOK, list)
}

func (d *Door) revokeGrant(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	get, err := server.Once("query", r.URL.RawQuery)
	if err != nil {
		return err
	}
	if get["client_id"] == "" {
		return auth.Invalid{Field: "client_id", Problem: "must be there"}
	}
	if err := d.OAuth.RevokeGrant(r.Context(), actor, get["client_id"], server.Client(w)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// metadata is what clients read first.
type metadata struct {
	server.OAuthMetadata
	Register string `json:"registration_endpoint,omitempty"`
}

func (d *Door) discovery(w http.ResponseWriter, _ *http.Request) error {
	m := server.MetadataOf(d.OAuth.Metadata(), "/oauth/")
	m.Keys = m.Issuer + "/.well-known/jwks.json"
	m.Claims = []string{"sub", "aud", "iss", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "phone_number", "phone_number_verified", "name", "picture", "preferred_username", "updated_at"}
	out := metadata{OAuthMetadata: m}
	if d.Registers {
		out.Register = m.Issuer + "/oauth/clients/register"
	}
	if !slices.Contains(m.Scopes, auth.ScopeOpenID) {
		out.Algorithms = []string{}
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	return server.JSON(w, http.StatusOK, out)
}
