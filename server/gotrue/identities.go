package gotrue

import (
	"net/http"
	"net/url"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
	"postern/userobject"
)

// linkingRoutes are the routes by which users link identities and take them off again.
func (d *Door) linkingRoutes() []route {
	return []route{
		{method: "GET", path: "/user/identities/authorize", handle: d.linkable(d.linkIdentity)},
		{method: "GET", path: "/user/identities/go", handle: d.linkable(d.goLink)},
		{method: "DELETE", path: "/user/identities/{id}", handle: d.linkable(d.unlinkIdentity)},
	}
}

var linkingOff = refusal{http.StatusNotFound, "manual_linking_disabled", "Manual linking is disabled"}

// linkable lets a request pass where users may link identities by themselves.
func (d *Door) linkable(h server.Handler) server.Handler {
	if d.Linking {
		return h
	}
	return func(http.ResponseWriter, *http.Request) error { return linkingOff }
}

// linkIdentity gives the address to go to. A client that exchanges a code is bound by that: it is given the provider's address. A page
// that does not can keep no cookie of an answer to a request of its own, so it is sent to an address here that gives it one.
func (d *Door) linkIdentity(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // it changes nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	start, err := d.startIn(r)
	if err != nil {
		return err
	}
	start.Client, start.Enters = server.Client(w), true
	var to string
	if start.CodeChallenge != "" {
		start.Exchanges = true
		var started flow.ProviderStarted
		started, err = d.Account.LinkProvider(r.Context(), actor, start)
		to = started.URL
	} else {
		var ticket string
		ticket, err = d.Account.SetOutLater(r.Context(), actor, start)
		to = d.URL + "/user/identities/go?" + url.Values{"ticket": {ticket}}.Encode()
	}
	if err != nil {
		return here(err, unsupported)
	}
	if r.URL.Query().Get("skip_http_redirect") != "true" {
		return found(w, to)
	}
	return server.JSON(w, http.StatusOK, map[string]string{"url": to})
}

// goLink sends a browser on to the provider with the cookie that it must come back with. An address is something that anybody can make
// somebody open, whose identity would be linked to the account of another, so the browser must come from a page of the application.
func (d *Door) goLink(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodHead { // it changes nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if !d.fromApplication(r) {
		return auth.Invalid{Field: "Referer", Problem: "must be a page of the application, which must not hide its origin (Referrer-Policy); programs without pages link with PKCE"}
	}
	started, err := d.Account.SetOut(r.Context(), r.URL.Query().Get("ticket"), server.Client(w))
	if err != nil {
		return here(err, unsupported)
	}
	d.cookies().Set(w, started)
	return found(w, started.URL)
}

// fromApplication tells whether a browser comes from a page of the application, or of the site of this server.
func (d *Door) fromApplication(r *http.Request) bool {
	if !server.Navigates(r) {
		return false
	}
	switch from := r.Header.Get("Referer"); {
	case from != "":
		return d.Policy.TrustsOrigin(server.PageOrigin(from))
	default:
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "same-origin" || site == "same-site"
	}
}

// unlinkIdentity takes an identity at a provider off the account.
func (d *Door) unlinkIdentity(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	switch {
	case !tokens.IsUUID(id):
		return refusal{http.StatusNotFound, "validation_failed", "identity_id must be an UUID"}
	case id == userobject.OwnIdentity(actor.UserID, userobject.Email), id == userobject.OwnIdentity(actor.UserID, userobject.Phone):
		return refusal{http.StatusUnprocessableEntity, "single_identity_not_deletable", "The account keeps its own address and number: identities at providers alone can be unlinked"}
	}
	err = d.Account.Unlink(r.Context(), flow.Unlinking{Actor: actor, IdentityID: id, Client: server.Client(w)})
	if err != nil {
		return here(err, map[auth.Code]refusal{auth.NotFound: {http.StatusUnprocessableEntity, "identity_not_found", "Identity doesn't exist"}})
	}
	return nothing(w)
}

type idTokenRequest struct {
	server.Verbatim `json:"-"`

	Provider    string `json:"provider"`
	IDToken     string `json:"id_token"`
	AccessToken string `json:"access_token"`
	Nonce       string `json:"nonce"`
	ClientID    string `json:"client_id"`
	Issuer      string `json:"issuer"`
	Link        bool   `json:"link_identity"`
}

// idTokenGrant takes an ID token that the client got at a provider by itself. With link_identity the identity is linked to the user whose
// access token the request has.
func (d *Door) idTokenGrant(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[idTokenRequest](r, d.heard(body))
	switch {
	case err != nil:
		return err
	case in.IDToken == "":
		return refuseOAuth(w, "invalid request", "id_token required", auth.InvalidIDToken)
	case in.Provider == "" && (in.ClientID == "" || in.Issuer == ""):
		return refuseOAuth(w, "invalid request", "provider or client_id and issuer required", auth.InvalidIDToken)
	case in.Link && !d.Linking:
		return linkingOff
	}
	if in.Provider = ourName(in.Provider); in.Provider == "" {
		var known bool
		if in.Provider, known = d.IssuedBy(in.Issuer, in.ClientID); !known {
			return auth.Invalid{Field: "issuer", Problem: "and client_id must be those of a provider that is set up here"}
		}
	}
	admission, err := d.byIDToken(w, r, in)
	switch {
	case auth.CodeOf(err) == auth.InvalidIDToken:
		return refuseOAuth(w, "invalid request", "Bad ID token", err)
	case err != nil:
		return here(err, map[auth.Code]refusal{
			auth.EndpointDisabled: {http.StatusBadRequest, "provider_disabled", "Provider (issuer) is not enabled"},
		})
	}
	return d.admit(w, admission, func(s session) any { return s })
}

func (d *Door) byIDToken(w http.ResponseWriter, r *http.Request, in idTokenRequest) (auth.Admission, error) {
	if !in.Link {
		return d.SignIn.WithIDToken(r.Context(), flow.IDTokenSignIn{
			Provider: in.Provider, IDToken: in.IDToken, Nonce: in.Nonce, AccessToken: in.AccessToken, Said: said(in.Verbatim), Client: server.Client(w),
		})
	}
	actor, err := d.actor(r)
	if err != nil {
		return auth.Admission{}, err
	}
	return d.Account.LinkIDTokenAndEnter(r.Context(), flow.IDTokenLink{
		Actor: actor, Provider: in.Provider, IDToken: in.IDToken, Nonce: in.Nonce, AccessToken: in.AccessToken, Client: server.Client(w),
	})
}

// refuseOAuth says no as OAuth 2.0 does, whatever version of errors a client wants: always with 400.
func refuseOAuth(w http.ResponseWriter, code, description string, err error) error {
	server.Note(w, err)
	return server.JSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}
