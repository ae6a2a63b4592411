package hasura

import (
	"net/http"
	"slices"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// asClient reads a form of a client and does what it asks for.
func (d *Door) asClient(w http.ResponseWriter, r *http.Request, do func(in flow.OAuthCredentials, get map[string]string) error) error {
	get, err := server.Form(r)
	if err != nil {
		return err
	}
	in, err := server.FormCredentials(r.Header, get)
	if err != nil {
		return err
	}
	return d.guards().AsClient(server.Client(w), in.ClientID, func() error { return do(in, get) })
}

func (d *Door) oauthToken(w http.ResponseWriter, r *http.Request) error {
	return d.asClient(w, r, func(in flow.OAuthCredentials, get map[string]string) error {
		grant, err := d.OAuth.Tokens(r.Context(), flow.OAuthTokenAsk{
			Shown: in, GrantType: get["grant_type"], Code: get["code"], RedirectURI: get["redirect_uri"], Verifier: get["code_verifier"],
			RefreshToken: get["refresh_token"], Scope: get["scope"], Client: server.Client(w),
		})
		if err != nil {
			return err
		}
		return server.JSON(w, http.StatusOK, server.TokensOf(grant, "Bearer"))
	})
}

// introspection is RFC 7662's. Of a token that is none, or another client's, nothing but active is told.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Sub       string `json:"sub,omitempty"`
	Exp       int64  `json:"exp,omitempty"`
	Iat       int64  `json:"iat,omitempty"`
	Iss       string `json:"iss,omitempty"`
	TokenType string `json:"token_type,omitempty"`
}

func (d *Door) introspect(w http.ResponseWriter, r *http.Request) error {
	return d.asClient(w, r, func(in flow.OAuthCredentials, get map[string]string) error {
		i, err := d.OAuth.Introspect(r.Context(), in, get["token"])
		if err != nil {
			return err
		}
		if !i.Active {
			return server.JSON(w, http.StatusOK, introspection{})
		}
		kind := "refresh_token"
		if i.Access {
			kind = "Bearer"
		}
		return server.JSON(w, http.StatusOK, introspection{true, strings.Join(i.Scopes, " "), i.ClientID, i.UserID, i.ExpiresAt.Unix(), i.IssuedAt.Unix(), i.Issuer, kind})
	})
}

func (d *Door) revoke(w http.ResponseWriter, r *http.Request) error {
	return d.asClient(w, r, func(in flow.OAuthCredentials, get map[string]string) error {
		if err := d.OAuth.Revoke(r.Context(), in, get["token"], server.Client(w)); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// userinfo tells a client who the user is, as far as its scopes go.
func (d *Door) userinfo(w http.ResponseWriter, r *http.Request) error {
	token, err := server.Bearer(r.Header.Values("Authorization"))
	if err != nil {
		return err
	}
	h, err := d.OAuth.Holder(r.Context(), token)
	if err != nil {
		return err
	}
	said := ClaimsOf(h.User, h.Scopes)
	said["sub"] = h.User.ID
	if h.Custom != nil && slices.Contains(h.Scopes, auth.ScopeGraphQL) {
		variables := map[string]any{
			"x-hasura-user-id": h.User.ID, "x-hasura-default-role": h.User.DefaultRole, "x-hasura-allowed-roles": h.User.AllowedRoles(),
			"x-hasura-user-is-anonymous": h.User.IsAnonymous,
		}
		for name, value := range h.Custom {
			variables[name] = value
		}
		said[d.Signer.Namespace()] = variables
	}
	return server.JSON(w, http.StatusOK, said)
}

// ClaimsOf is what a client learns of a user by scopes, in ID tokens and at userinfo (OpenID Connect Core, 5.4).
func ClaimsOf(u auth.User, scopes []string) map[string]any {
	said := map[string]any{}
	text := func(name, value string) {
		if value != "" {
			said[name] = value
		}
	}
	if slices.Contains(scopes, auth.ScopeProfile) {
		text("name", u.DisplayName)
		text("picture", u.AvatarURL)
		text("locale", u.Locale)
	}
	if slices.Contains(scopes, auth.ScopeEmail) && u.Email != "" {
		said["email"], said["email_verified"] = u.Email, u.EmailVerified
	}
	if slices.Contains(scopes, auth.ScopePhone) && u.PhoneNumber != "" {
		said["phone_number"], said["phone_number_verified"] = u.PhoneNumber, u.PhoneNumberVerified
	}
	return said
}
