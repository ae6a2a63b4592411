package gotrue

import (
	"errors"
	"fmt"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// token gives a session for something that proves who somebody is.
func (d *Door) token(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Query().Get("grant_type") {
	case "password":
		return d.proved(d.passwordGrant)(w, r)
	case "refresh_token":
		return d.refreshGrant(w, r)
	case "pkce":
		return d.pkceGrant(w, r)
	case "id_token":
		return d.idTokenGrant(w, r)
	}
	return refusal{http.StatusBadRequest, "invalid_credentials", "unsupported_grant_type"}
}

// noEmail refuses who comes with an address, where the operator lets nobody in by one.
func noEmail(status int, what string) refusal {
	return refusal{status, "email_provider_disabled", "Email " + what + " are disabled"}
}

type passwordRequest struct {
	server.Verbatim `json:"-"`

	Email    address `json:"email"`
	Phone    string  `json:"phone"`
	Password string  `json:"password"`
}

func (d *Door) passwordGrant(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[passwordRequest](r, d.heard(body))
	switch {
	case err != nil:
		return err
	case in.Email != "" && in.Phone != "":
		return auth.Invalid{Field: "email", Problem: "and phone: only one of the two can sign in"}
	case in.Email == "" && in.Phone == "":
		return auth.Invalid{Field: "email", Problem: "or phone is missing"}
	case in.Email != "" && !d.Offered.Email:
		return noEmail(http.StatusUnprocessableEntity, "logins")
	case in.Password == "" || len(in.Password) > 1024, in.Email != "" && !flow.ValidEmail(string(in.Email)), in.Phone != "" && numberIn(in.Phone) == "":
		return auth.InvalidCredentials // nobody's
	}
	admission, err := d.SignIn.WithPassword(r.Context(), flow.PasswordSignIn{
		Email: string(in.Email), PhoneNumber: numberIn(in.Phone), Password: in.Password, Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return here(err, badLogin(in.Phone != ""))
	}
	return d.admit(w, admission, func(s session) any { return passwordSession{s, toWeak(admission.Weak)} })
}

// badLogin words what stands in the way of who knows their password.
func badLogin(byPhone bool) map[auth.Code]refusal {
	banned := refusal{http.StatusBadRequest, "user_banned", "User is banned"}
	words := map[auth.Code]refusal{auth.UserBanned: banned, auth.UserDisabled: banned, auth.UserAnonymous: refusals[auth.InvalidCredentials]}
	if byPhone {
		words[auth.UserUnverified] = refusal{http.StatusBadRequest, "phone_not_confirmed", "Phone not confirmed"}
		words[auth.EndpointDisabled] = refusal{http.StatusUnprocessableEntity, "phone_provider_disabled", "Phone logins are disabled"}
	}
	return words
}

type refreshRequest struct {
	Token string `json:"refresh_token"`
}

func (d *Door) refreshGrant(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[refreshRequest](r, body)
	if err != nil {
		return err
	}
	if !tokens.IsUUID(in.Token) {
		return refusal{http.StatusBadRequest, "validation_failed", "Invalid Refresh Token: it is none of this server"}
	}
	grant, err := d.Sessions.Refresh(r.Context(), flow.Refresh{Token: in.Token, Client: server.Client(w)})
	if errors.Is(err, flow.ErrReplayed) {
		return fmt.Errorf("%w: %w", refusal{http.StatusBadRequest, "refresh_token_already_used", "Invalid Refresh Token: Already Used"}, err)
	}
	if err != nil {
		banned := refusal{http.StatusBadRequest, "user_banned", "Invalid Refresh Token: User Banned"}
		return here(err, map[auth.Code]refusal{auth.UserBanned: banned, auth.UserDisabled: banned})
	}
	return d.admit(w, auth.Admission{Grant: grant}, func(s session) any { return s })
}

type exchangeRequest struct {
	Code     string `json:"auth_code"`
	Verifier string `json:"code_verifier"`
}

func (d *Door) pkceGrant(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[exchangeRequest](r, body)
	switch {
	case err != nil:
		return err
	case in.Code == "" || in.Verifier == "":
		return auth.Invalid{Field: "auth_code", Problem: "and code_verifier: both must be there"}
	case !tokens.ValidVerifier(in.Verifier):
		return refusal{http.StatusBadRequest, "bad_code_verifier", "code challenge does not match previously saved code verifier"}
	}
	out, err := d.Links.Exchange(r.Context(), flow.Exchange{Code: in.Code, Verifier: in.Verifier, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return d.admit(w, out.Admission, func(s session) any { return vouchedSession{s, toProviderTokens(out.Tokens)} })
}
