package gotrue

import (
	"context"
	"net/http"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// The types of codes in text messages: to sign in by, and to change the number.
const (
	typeSMS         = "sms"
	typePhoneChange = "phone_change"
)

// number is a telephone number with its plus sign, which this dialect leaves out; empty where nothing is given.
func number(typed string) string {
	bare := strings.TrimPrefix(strings.ReplaceAll(typed, " ", ""), "+")
	if bare == "" {
		return ""
	}
	return "+" + bare
}

// numberIn is number; empty when it is none.
func numberIn(given string) string {
	n := number(given)
	digits := strings.TrimPrefix(n, "+")
	if len(digits) < 2 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return n
}

// textable refuses what no text message can be sent to, and other messages.
func textable(phone, channel string) error {
	switch {
	case numberIn(phone) == "":
		return auth.Invalid{Field: "phone", Problem: "must be a telephone number with the country's code, such as 15551234567"}
	case channel != "" && channel != "sms":
		return auth.Invalid{Field: "channel", Problem: "must be sms: nothing else can be sent here"}
	}
	return nil
}

// noTexts are the words where text messages are off, and for numbers that are nobody's.
var noTexts = map[auth.Code]refusal{
	auth.EndpointDisabled:   {http.StatusBadRequest, "phone_provider_disabled", "Unsupported phone provider"},
	auth.InvalidCredentials: {http.StatusUnprocessableEntity, "otp_disabled", "Signups not allowed for otp"},
}

// text has a flow send a text message, which a client may have only so often.
func (d *Door) text(w http.ResponseWriter, r *http.Request, send func(context.Context, flow.CodeSignIn) error, in flow.CodeSignIn) error {
	if err := d.Guards.Take(server.Texts, server.Client(w).Bucket()); err != nil {
		return err
	}
	if err := send(r.Context(), in); err != nil {
		return here(err, noTexts)
	}
	if d.Policy.IsForTests(in.PhoneNumber, d.Front.Now()) {
		return server.JSON(w, http.StatusOK, map[string]string{"message_id": "test-otp"})
	}
	return nothing(w)
}

// textSignIn sends a code that signs in, and up who is new.
func (d *Door) textSignIn(w http.ResponseWriter, r *http.Request, in otpRequest) error {
	return d.text(w, r, d.SignIn.SendCode, flow.CodeSignIn{
		PhoneNumber: numberIn(in.Phone), Options: d.options(r, in.Data), OnlyKnown: in.CreateUser != nil && !*in.CreateUser,
		Said: said(in.Verbatim), Client: server.Client(w),
	})
}

// textAgain sends another code.
func (d *Door) textAgain(w http.ResponseWriter, r *http.Request, in mailRequest) error {
	again := d.SignIn.ResendCode
	if in.Type == typePhoneChange {
		again = d.SignIn.ResendNewPhone
	}
	return d.text(w, r, again, flow.CodeSignIn{PhoneNumber: numberIn(in.Phone), Client: server.Client(w)})
}

// verifyText takes the code of a text message.
func (d *Door) verifyText(w http.ResponseWriter, r *http.Request, in verifyRequest) error {
	take := d.SignIn.WithCode
	if in.Type == typePhoneChange {
		take = d.SignIn.WithNewPhone
	}
	admission, err := take(r.Context(), flow.TypedCode{PhoneNumber: numberIn(in.Phone), Code: in.Token, Client: server.Client(w)})
	if err != nil {
		return here(err, map[auth.Code]refusal{auth.EndpointDisabled: noTexts[auth.EndpointDisabled]})
	}
	return d.admit(w, admission, func(s session) any { return typedSession{s, in.Type} })
}

// checkText tells what is wrong with a request to verify the code of a text message.
func (in *verifyRequest) checkText() error {
	switch {
	case in.TokenHash != "":
		return auth.Invalid{Field: "token_hash", Problem: "belongs to codes in mails: send phone and token"}
	case in.Email != "":
		return auth.Invalid{Field: "email", Problem: "belongs to codes in mails: send phone and token"}
	case in.Token == "" || len(in.Token) > 64:
		return auth.Invalid{Field: "token", Problem: "must be the code of the text message"}
	}
	return textable(in.Phone, "")
}

// signUpByPhone signs up who comes with a number. They are let in once they have typed the code that is sent there.
func (d *Door) signUpByPhone(w http.ResponseWriter, r *http.Request, in signUpRequest) error {
	if in.Challenge != "" {
		return auth.Invalid{Field: "code_challenge", Problem: "is for addresses alone: a code in a text message is typed, and nothing is exchanged"}
	}
	if err := textable(in.Phone, in.Channel); err != nil {
		return err
	}
	if err := d.Guards.Take(server.Texts, server.Client(w).Bucket()); err != nil {
		return err
	}
	out, err := d.SignUp.RegisterByPhone(r.Context(), flow.PasswordSignUp{
		PhoneNumber: numberIn(in.Phone), Password: in.Password, Options: d.options(r, in.Data), Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return here(err, map[auth.Code]refusal{auth.EndpointDisabled: {http.StatusBadRequest, "phone_provider_disabled", "Phone signups are disabled"}})
	}
	return d.tellSignedUp(w, out)
}
