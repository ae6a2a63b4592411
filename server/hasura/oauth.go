package hasura

import (
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// The OAuth server speaks the words of the standards, not those of this dialect, but where it asks the user.
func (d *Door) oauthRoutes() []route {
	limited := []bucket{server.OAuth}
	return []route{
		{method: "GET", path: "/oauth2/authorize", handle: d.standard(d.authorize), buckets: limited},
		{method: "POST", path: "/oauth2/authorize", handle: d.standard(d.authorize), buckets: limited},
		{method: "GET", path: "/oauth2/login", handle: d.serving(d.oauthQuestion), buckets: limited},
		{method: "POST", path: "/oauth2/login", handle: d.oauthAnswer, buckets: limited},
		{method: "POST", path: "/oauth2/token", handle: d.standard(d.oauthToken), buckets: limited},
		{method: "POST", path: "/oauth2/introspect", handle: d.standard(d.introspect), buckets: limited},
		{method: "POST", path: "/oauth2/revoke", handle: d.standard(d.revoke)},
		{method: "GET", path: "/oauth2/userinfo", handle: d.standard(d.userinfo)},
		{method: "POST", path: "/oauth2/userinfo", handle: d.standard(d.userinfo)},
		{method: "GET", path: "/oauth2/jwks", handle: d.serving(d.Health.Keys)},
		{method: "GET", path: "/.well-known/openid-configuration", handle: d.serving(d.discovery)},
		{method: "GET", path: oauthMetadata, handle: d.serving(d.discovery)},
	}
}

// oauthMetadata is where clients look for what the server is. Where an issuer has a path, they look before it (RFC 8414, 3.1).
const oauthMetadata = "/.well-known/oauth-authorization-server"

// serving answers where there is an OAuth server.
func (d *Door) serving(h server.Handler) server.Handler { return server.Serving(d.OAuth != nil, h) }

// oauthRefusal is a refusal in the words of the standards.
type oauthRefusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// standard is serving, and refuses in the words of the standards. What is wrong with us, and who asks too often, is told in the
// door's own words, as everywhere.
func (d *Door) standard(h server.Handler) server.Handler {
	return d.serving(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Pragma", "no-cache")
		err := h(w, r)
		code := auth.CodeOf(err)
		if err == nil || !server.ClientsFault(err) {
			return err
		}
		server.Note(w, err)
		word, description := flow.OAuthWords(err)
		status := http.StatusBadRequest
		if code == auth.InvalidClient || code == auth.Unauthorized {
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", challenge(r, code)+` error="`+word+`", error_description="`+description+`"`)
		}
		return server.JSON(w, status, oauthRefusal{word, description})
	})
}

// challenge begins what a client is told to show: what it came with, if it came with that (RFC 6749, 5.2).
func challenge(r *http.Request, code auth.Code) string {
	if _, _, ok := server.Basic(r.Header); ok && code == auth.InvalidClient {
		return `Basic realm="oauth2",`
	}
	return "Bearer"
}

// parameters reads those of a request, from its address or its body.
func parameters(r *http.Request) (map[string]string, error) {
	if r.Method == http.MethodPost {
		if r.URL.RawQuery != "" {
			return nil, auth.Invalid{Field: "query", Problem: "must not be there beside a body"}
		}
		return server.Form(r)
	}
	return server.Once("query", r.URL.RawQuery)
}

func (d *Door) authorize(w http.ResponseWriter, r *http.Request) error {
	get, err := parameters(r)
	if err != nil {
		return err
	}
	asked, err := d.OAuth.Authorize(r.Context(), server.OAuthAsk(get))
	if err != nil {
		return err
	}
	server.SendOn(w, asked)
	return nil
}

// oauthQuestionPayload is what the page asks the user.
type oauthQuestionPayload struct {
	RequestID   string   `json:"requestId"`
	ClientID    string   `json:"clientId"`
	ClientName  string   `json:"clientName,omitempty"`
	ClientURI   string   `json:"clientUri,omitempty"`
	LogoURI     string   `json:"logoUri,omitempty"`
	Scopes      []string `json:"scopes"`
	RedirectURI string   `json:"redirectUri"`
}

func (d *Door) oauthQuestion(w http.ResponseWriter, r *http.Request) error {
	get, err := server.Once("query", r.URL.RawQuery)
	if err != nil {
		return err
	}
	q, err := d.OAuth.Question(r.Context(), get["request_id"])
	if err != nil {
		return err
	}
	c := q.Client
	return server.JSON(w, http.StatusOK, oauthQuestionPayload{q.ID, c.ID, c.Name, c.URI, c.LogoURI, q.Scopes, q.RedirectURI})
}

// oauthAnswerRequest is what the user says. Hasura Auth knows no no.
type oauthAnswerRequest struct {
	RequestID string  `json:"requestId"`
	Action    *string `json:"action"`
}

// Check tells what is wrong with the request.
func (in *oauthAnswerRequest) Check() error {
	if !tokens.IsUUID(in.RequestID) {
		return auth.Invalid{Field: "requestId", Problem: "must be the UUID that the page was opened with"}
	}
	if in.Action != nil && *in.Action != "approve" && !in.denies() {
		return auth.Invalid{Field: "action", Problem: "must be approve or deny, or not there"}
	}
	return nil
}

func (in *oauthAnswerRequest) denies() bool { return in.Action != nil && *in.Action == "deny" }

func (d *Door) oauthAnswer(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[oauthAnswerRequest](r, server.Body{})
	if err != nil {
		return err
	}
	if d.OAuth == nil {
		return auth.EndpointDisabled
	}
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	to, err := d.OAuth.Answer(r.Context(), flow.OAuthAnswer{Actor: actor, RequestID: in.RequestID, Allow: !in.denies(), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, struct {
		RedirectURI string `json:"redirectUri"`
	}{to})
}

// metadata is what clients read first.
type metadata struct {
	server.OAuthMetadata
	Revoke             string   `json:"revocation_endpoint"`
	Introspect         string   `json:"introspection_endpoint"`
	RequestObjects     bool     `json:"request_parameter_supported"`
	RequestAddresses   bool     `json:"request_uri_parameter_supported"`
	ReadsClientDocs    bool     `json:"client_id_metadata_document_supported,omitempty"`
	RevokeAuthMethods  []string `json:"revocation_endpoint_auth_methods_supported"`
	InspectAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
}

func (d *Door) discovery(w http.ResponseWriter, _ *http.Request) error {
	const below = "/oauth2/"
	m := server.MetadataOf(d.OAuth.Metadata(), below)
	m.Keys = m.Issuer + below + "jwks"
	m.Claims = []string{"sub", "name", "email", "email_verified", "picture", "locale", "phone_number", "phone_number_verified"}
	w.Header().Set("Cache-Control", "public, max-age=300")
	return server.JSON(w, http.StatusOK, metadata{
		OAuthMetadata: m, Revoke: m.Issuer + below + "revoke", Introspect: m.Issuer + below + "introspect",
		ReadsClientDocs: d.OAuth.Clients.Documents != nil, RevokeAuthMethods: m.AuthMethods, InspectAuthMethods: m.AuthMethods,
	})
}
