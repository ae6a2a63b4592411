package hasura

import (
	"net/http"
	"slices"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// shown is how a client shows who it is: in the header or in the body, not in both.
func shown(r *http.Request, get map[string]string) (flow.OAuthCredentials, error) {
	in := flow.OAuthCredentials{ClientID: get["client_id"], Secret: get["client_secret"], Method: auth.NoClientSecret}
	if len(r.Header.Values("Authorization")) > 1 {
		return in, auth.Invalid{Field: "Authorization", Problem: "must be there once"}
	}
	if id, secret, ok := server.Basic(r.Header); ok {
		if in.Secret != "" || in.ClientID != "" && in.ClientID != id {
			return in, auth.Invalid{Field: "Authorization", Problem: "must not come with another way to show the client"}
		}
		return flow.OAuthCredentials{ClientID: id, Secret: secret, Method: auth.ClientSecretBasic}, nil
	}
	if _, secret := get["client_secret"]; secret {
		in.Method = auth.ClientSecretPost
	}
	return in, nil
}

// asClient reads a form of a client and does what it asks for. Wrong secrets are counted for each client and place: who guessed too
// often is heard no more.
func (d *Door) asClient(w http.ResponseWriter, r *http.Request, do func(in flow.OAuthCredentials, get map[string]string) error) error {
	get, err := server.Form(r)
	if err != nil {
		return err
	}
	in, err := shown(r, get)
	if err != nil {
		return err
	}
	guesser, now := server.Client(w).Bucket()+" "+in.ClientID, d.Front.Now()
	if wait, spent := d.Front.Limits.Spent("client secrets", guesser, d.Limits.BruteForce(), now); spent {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	err = do(in, get)
	if auth.CodeOf(err) == auth.InvalidClient {
		d.Front.Limits.Take("client secrets", guesser, d.Limits.BruteForce(), now)
	}
	return err
}

// oauthTokens is what a client gets (RFC 6749, 5.1).
type oauthTokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

func (d *Door) oauthToken(w http.ResponseWriter, r *http.Request) error {
	return d.asClient(w, r, func(in flow.OAuthCredentials, get map[string]string) error {
		var grant flow.OAuthGrant
		var err error
		switch get["grant_type"] {
		case auth.GrantCode:
			grant, err = d.OAuth.Exchange(r.Context(), flow.CodeExchange{
				Shown: in, Code: get["code"], RedirectURI: get["redirect_uri"], Verifier: get["code_verifier"], Client: server.Client(w),
			})
		case auth.GrantRefresh:
			grant, err = d.OAuth.Refresh(r.Context(), flow.OAuthRefresh{Shown: in, Token: get["refresh_token"], Scope: get["scope"], Client: server.Client(w)})
		case "":
			return auth.Invalid{Field: "grant_type", Problem: "must be there"}
		default:
			return auth.WrongGrantType
		}
		if err != nil {
			return err
		}
		return server.JSON(w, http.StatusOK, oauthTokens{
			grant.AccessToken, "Bearer", int(grant.Life.Seconds()), grant.RefreshToken, grant.IDToken, strings.Join(grant.Scopes, " "),
		})
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
