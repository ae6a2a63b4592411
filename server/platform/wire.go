package platform

import (
	"encoding/json"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// request is a sign-up or sign-in. Clients may say more than is understood: hooks get all of it.
type request struct {
	server.Verbatim `json:"-"`

	Provider string `json:"provider"`
	Data     *data  `json:"data"`
}

// data is what providers understand of it.
type data struct {
	Email       string `json:"email"`
	Password    string `json:"password"`
	Mobile      string `json:"mobile"`
	CountryCode string `json:"country_code"`
	OTP         string `json:"otp"`
	IDToken     string `json:"id_token"`
	Nonce       string `json:"nonce"`
}

// Check tells what is wrong with the request, whatever the provider.
func (in *request) Check() error {
	if in.Provider == "" || len(in.Provider) > maxProvider {
		return auth.Invalid{Field: "provider", Problem: "must be the name of a provider"}
	}
	if in.Data == nil {
		return auth.Invalid{Field: "data", Problem: "must be an object"}
	}
	return nil
}

const (
	maxProvider = 64
	maxIDToken  = 16 << 10
	maxNonce    = 512
	maxOTP      = 64
	maxPassword = 1024
)

// member is one of the body, as it came.
func (in *request) member(name string) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(in.Raw(), &members) != nil {
		return nil // the body was read before
	}
	return members[name]
}

// said is the request for hooks, which get all of it.
func (in *request) said() flow.Said {
	return flow.Said{Data: in.member("data"), Whole: in.Raw()}
}

func (d *data) email() error {
	switch {
	case !flow.ValidEmail(d.Email):
		return auth.Invalid{Field: "data.email", Problem: "must be an e-mail address"}
	case d.Password == "" || len(d.Password) > maxPassword:
		return auth.Invalid{Field: "data.password", Problem: "must be a password of 1 to 1024 bytes"}
	}
	return nil
}

func (d *data) code() error {
	if d.OTP == "" || len(d.OTP) > maxOTP {
		return auth.Invalid{Field: "data.otp", Problem: "must be the code that was sent"}
	}
	return number("data.", d.CountryCode, d.Mobile)
}

func (d *data) idToken() error {
	switch {
	case len(d.IDToken) > maxIDToken:
		return auth.Invalid{Field: "data.id_token", Problem: "must not be longer than 16 KiB"}
	case len(d.Nonce) > maxNonce:
		return auth.Invalid{Field: "data.nonce", Problem: "must not be longer than 512 bytes"}
	}
	return nil
}

// phone is a number in one piece.
func phone(country, mobile string) string { return "+" + strings.TrimPrefix(country, "+") + mobile }

func number(at, country, mobile string) error {
	digits := strings.TrimPrefix(country, "+")
	switch {
	case digits == "" || len(digits) > 3 || strings.Trim(digits, "0123456789") != "":
		return auth.Invalid{Field: at + "country_code", Problem: "must be a calling code such as 91"}
	case mobile == "" || len(mobile) > 15 || strings.Trim(mobile, "0123456789") != "":
		return auth.Invalid{Field: at + "mobile", Problem: "must be the digits of a number without its country's"}
	}
	return nil
}

// codeRequest asks for a code.
type codeRequest struct {
	Mobile      string `json:"mobile"`
	CountryCode string `json:"country_code"`
}

// Check tells what is wrong with the request.
func (in *codeRequest) Check() error { return number("", in.CountryCode, in.Mobile) }

// person is who is signed in. The first three members are there always, as null where nobody is yet; those after
// the identifiers are ours.
type person struct {
	AuthToken *string  `json:"auth_token"`
	ID        *string  `json:"hasura_id"`
	Roles     []string `json:"hasura_roles"`
	Email     string   `json:"email,omitempty"`
	Mobile    string   `json:"mobile,omitempty"`
	NewUser   *bool    `json:"new_user,omitempty"`

	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in,omitempty"`
}

// toPerson is the end of a sign-in, or of a sign-up that must be confirmed first.
func toPerson(g *auth.Grant) person {
	if g == nil {
		return person{}
	}
	return person{
		AuthToken: &g.AccessToken, ID: &g.User.ID, Roles: g.User.AllowedRoles(),
		RefreshToken: g.RefreshToken, ExpiresIn: int(g.ExpiresIn / time.Second),
	}
}

type message struct {
	Message string `json:"message"`
}
