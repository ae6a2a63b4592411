package gotrue

import (
	"encoding/json"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

type otpRequest struct {
	server.Verbatim `json:"-"`
	pkce

	Email      address         `json:"email"`
	Phone      string          `json:"phone"`
	Channel    string          `json:"channel"`
	CreateUser *bool           `json:"create_user"`
	Data       json.RawMessage `json:"data"`
}

// Check tells what is wrong with the request.
func (in *otpRequest) Check() error {
	switch {
	case in.Email != "" && in.Phone != "":
		return auth.Invalid{Field: "email", Problem: "and phone: only one of the two can be sent something"}
	case in.Email == "" && in.Phone == "":
		return auth.Invalid{Field: "email", Problem: "or phone is missing"}
	case in.Email != "" && in.Channel != "":
		return auth.Invalid{Field: "channel", Problem: "is for phone numbers alone"}
	}
	if err := in.pkce.check(); err != nil {
		return err
	}
	if err := dataIn(in.Data); err != nil {
		return err
	}
	if in.Phone != "" {
		return textable(in.Phone, in.Channel)
	}
	return in.Email.check()
}

func (d *Door) otp(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[otpRequest](r, d.heard(body))
	if err != nil {
		return err
	}
	if in.Phone != "" {
		return d.textSignIn(w, r, in)
	}
	return d.mailSignIn(w, r, in)
}

// magicLink is otp by its older name, for mails alone.
func (d *Door) magicLink(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[otpRequest](r, d.heard(body))
	if err != nil {
		return err
	}
	if in.Phone != "" {
		return auth.Invalid{Field: "phone", Problem: "cannot be sent a link: ask for a code at /otp"}
	}
	in.CreateUser = nil
	return d.mailSignIn(w, r, in)
}

func (d *Door) mailSignIn(w http.ResponseWriter, r *http.Request, in otpRequest) error {
	if !d.Offered.Email {
		return noEmail(http.StatusUnprocessableEntity, "logins")
	}
	err := d.SignIn.WithLink(r.Context(), flow.LinkSignIn{
		Email: string(in.Email), Options: d.options(r, in.Data), CodeChallenge: in.Challenge, OnlyKnown: in.CreateUser != nil && !*in.CreateUser, Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return here(err, map[auth.Code]refusal{
			auth.EndpointDisabled:   {http.StatusUnprocessableEntity, "email_provider_disabled", "Email logins are disabled"},
			auth.InvalidCredentials: {http.StatusUnprocessableEntity, "otp_disabled", "Signups not allowed for otp"},
		})
	}
	return nothing(w)
}

type mailRequest struct {
	pkce

	Type  string  `json:"type"`
	Email address `json:"email"`
	Phone string  `json:"phone"`
}

// Check tells what is wrong with the request.
func (in *mailRequest) Check() error {
	if err := in.pkce.check(); err != nil {
		return err
	}
	if in.Type == typeSMS || in.Type == typePhoneChange {
		return textable(in.Phone, "")
	}
	return in.Email.check()
}

func (d *Door) recover(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[mailRequest](r, body)
	if err != nil {
		return err
	}
	if !d.Offered.Email {
		return noEmail(http.StatusUnprocessableEntity, "logins")
	}
	if err := d.Account.ResetPassword(r.Context(), d.ask(w, r, in)); err != nil {
		return err
	}
	return nothing(w)
}

// typeEmailChange is the type of links and codes that confirm another address.
const typeEmailChange = "email_change"

func (d *Door) resend(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[mailRequest](r, body)
	if err != nil {
		return err
	}
	switch in.Type {
	case "signup", typeEmailChange:
	case typeSMS, typePhoneChange:
		return d.textAgain(w, r, in)
	default:
		return auth.Invalid{Field: "type", Problem: "must be signup, email_change, sms or phone_change"}
	}
	if !d.Offered.Email {
		return noEmail(http.StatusBadRequest, "signups")
	}
	again := d.Account.Resend
	if in.Type == typeEmailChange {
		again = d.Account.ResendNewAddress
	}
	if err := again(r.Context(), d.ask(w, r, in)); err != nil {
		return err
	}
	return nothing(w)
}

func (d *Door) ask(w http.ResponseWriter, r *http.Request, in mailRequest) flow.Ask {
	return flow.Ask{Email: string(in.Email), RedirectTo: d.redirectTo(r), CodeChallenge: in.Challenge, Client: server.Client(w)}
}

// nothing is the answer when there is nothing to say.
func nothing(w http.ResponseWriter) error { return server.JSON(w, http.StatusOK, struct{}{}) }
