package gotrue

import (
	"cmp"
	"mime"
	"net/http"
	"slices"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/userobject"
)

// oauthTokenAsked is what a client sends, as a form or as JSON.
type oauthTokenAsked struct {
	GrantType    string  `json:"grant_type"`
	ClientID     string  `json:"client_id"`
	ClientSecret *string `json:"client_secret"`
	Code         string  `json:"code"`
	RedirectURI  string  `json:"redirect_uri"`
	Verifier     string  `json:"code_verifier"`
	RefreshToken string  `json:"refresh_token"`
	Scope        string  `json:"scope"`
}

func readTokenAsked(r *http.Request) (in oauthTokenAsked, err error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return server.Decode[oauthTokenAsked](r, body)
	}
	get, err := server.Form(r)
	if err != nil {
		return in, err
	}
	in = oauthTokenAsked{
		GrantType: get["grant_type"], ClientID: get["client_id"], Code: get["code"], RedirectURI: get["redirect_uri"], Verifier: get["code_verifier"],
		RefreshToken: get["refresh_token"], Scope: get["scope"],
	}
	if secret, ok := get["client_secret"]; ok {
		in.ClientSecret = &secret
	}
	return in, nil
}

// oauthRefusal says no to a client in the words of the standards, and where it did not show who it is in those of this dialect, too.
type oauthRefusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Code        any    `json:"code,omitempty"`
	ErrorCode   string `json:"error_code,omitempty"`
	Msg         string `json:"msg,omitempty"`
	Message     string `json:"message,omitempty"`
}

// oauthToken gives a client its tokens.
func (d *Door) oauthToken(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Pragma", "no-cache")
	grant, err := d.exchange(w, r)
	if err == nil {
		return server.JSON(w, http.StatusOK, server.TokensOf(grant, "bearer"))
	}
	if !server.ClientsFault(err) {
		return err
	}
	server.Note(w, err)
	var out oauthRefusal
	out.Error, out.Description = flow.OAuthWords(err)
	if code := auth.CodeOf(err); code == auth.InvalidClient {
		no := refusals[code]
		w.Header().Set("X-Sb-Error-Code", no.code)
		if speaksNew(r) {
			w.Header().Set(versionHeader, newVersion)
			out.Code, out.Message = no.code, no.message
		} else {
			out.Code, out.ErrorCode, out.Msg = no.status, no.code, no.message
		}
	}
	return server.JSON(w, http.StatusBadRequest, out)
}

// exchange gives what a client asks for.
func (d *Door) exchange(w http.ResponseWriter, r *http.Request) (g flow.OAuthGrant, err error) {
	in, err := readTokenAsked(r)
	if err != nil {
		return g, err
	}
	shown, err := server.Credentials(r.Header, in.ClientID, in.ClientSecret)
	if err != nil {
		return g, err
	}
	client := server.Client(w)
	err = d.Guards.AsClient(client, shown.ClientID, func() (err error) {
		g, err = d.OAuth.Tokens(r.Context(), flow.OAuthTokenAsk{
			Shown: shown, GrantType: in.GrantType, Code: in.Code, RedirectURI: in.RedirectURI, Verifier: in.Verifier,
			RefreshToken: in.RefreshToken, Scope: in.Scope, Client: client,
		})
		return err
	})
	return g, err
}

// oauthUserinfo tells who the user is: a client as far as its scopes go, and users themselves all of it.
func (d *Door) oauthUserinfo(w http.ResponseWriter, r *http.Request) error {
	token, err := bearerOf(r)
	if err != nil {
		return err
	}
	h, err := d.OAuth.Holder(r.Context(), token)
	switch {
	case err == nil:
		return server.JSON(w, http.StatusOK, userinfo(h.User, h.Scopes))
	case auth.CodeOf(err) != auth.Unauthorized:
		return err
	}
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	u, _, err := d.Account.Whole(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, userinfo(u, []string{auth.ScopeEmail, auth.ScopeProfile, auth.ScopePhone}))
}

func userinfo(u auth.User, scopes []string) map[string]any {
	said := ClaimsOf(u, scopes)
	said["sub"] = u.ID
	if number, ok := said["phone_number"]; ok { // other names than in ID tokens
		said["phone"], said["phone_verified"] = number, said["phone_number_verified"]
		delete(said, "phone_number")
		delete(said, "phone_number_verified")
	}
	if slices.Contains(scopes, auth.ScopeProfile) {
		said["user_metadata"], _ = userobject.Split(u.Metadata)
	}
	return said
}

// ClaimsOf is what a client learns of a user by scopes, in the words of ID tokens.
func ClaimsOf(u auth.User, scopes []string) map[string]any {
	said := map[string]any{}
	if slices.Contains(scopes, auth.ScopeEmail) && u.Email != "" {
		said["email"], said["email_verified"] = strings.ToLower(u.Email), u.EmailVerified
	}
	if slices.Contains(scopes, auth.ScopePhone) && u.PhoneNumber != "" {
		said["phone_number"], said["phone_number_verified"] = userobject.Bare(u.PhoneNumber), u.PhoneNumberVerified
	}
	if !slices.Contains(scopes, auth.ScopeProfile) {
		return said
	}
	own, _ := userobject.Split(u.Metadata)
	of := func(names ...string) (first string) {
		for _, name := range names {
			s, _ := own[name].(string)
			first = cmp.Or(first, s)
		}
		return first
	}
	name := u.DisplayName
	if strings.EqualFold(name, u.Email) { // who gave no name is called by the address, which is not the profile's to tell
		name = ""
	}
	for member, value := range map[string]string{
		"name": cmp.Or(of("name", "full_name"), name), "picture": cmp.Or(of("picture", "avatar_url"), u.AvatarURL),
		"preferred_username": of("preferred_username", "user_name"),
	} {
		if value != "" {
			said[member] = value
		}
	}
	if !u.UpdatedAt.IsZero() {
		said["updated_at"] = u.UpdatedAt.Unix()
	}
	return said
}
