package hasura

import (
	"cmp"
	"context"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

func (d *Door) codeRoutes() []route {
	return []route{
		{method: "POST", path: "/signin/otp/email", handle: d.askMailedCode(d.SignIn.SendCode), buckets: []bucket{email}, captcha: true},
		{method: "POST", path: "/signup/otp/email", handle: d.askMailedCode(d.SignUp.SendCode), buckets: []bucket{signups, email}, captcha: true},
		{method: "POST", path: "/signin/otp/email/verify", handle: d.typeMailedCode},
		{method: "POST", path: "/signin/passwordless/sms", handle: d.askTextedCode(d.SignIn.SendCode), buckets: []bucket{messages}, captcha: true},
		{method: "POST", path: "/signup/passwordless/sms", handle: d.askTextedCode(d.SignUp.SendCode), buckets: []bucket{signups, messages}, captcha: true},
		{method: "POST", path: "/signin/passwordless/sms/otp", handle: d.typeTextedCode},
		{method: "POST", path: "/user/phone-number/change", handle: d.changePhone, buckets: []bucket{messages}},
		{method: "POST", path: "/user/phone-number/change/verify", handle: d.confirmPhone},
		{method: "POST", path: "/elevate/otp/email", handle: d.askElevationCode(auth.ElevateByEmail), buckets: []bucket{email}},
		{method: "POST", path: "/elevate/otp/email/verify", handle: d.elevateByCode(auth.ElevateByEmail)},
		{method: "POST", path: "/elevate/otp/sms", handle: d.askElevationCode(auth.ElevateBySMS), buckets: []bucket{messages}},
		{method: "POST", path: "/elevate/otp/sms/verify", handle: d.elevateByCode(auth.ElevateBySMS)},
	}
}

func (d *Door) askMailedCode(send func(context.Context, flow.CodeSignIn) error) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := server.Decode[linkRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
		if err != nil {
			return err
		}
		err = send(r.Context(), flow.CodeSignIn{
			Email: in.Email, Options: in.Options.toFlow(), CodeChallenge: text(in.CodeChallenge), Said: said(in.Verbatim), Client: server.Client(w),
		})
		if err != nil {
			return err
		}
		return ok(w)
	}
}

type mailedCodeRequest struct {
	Email string `json:"email"`
	OTP   string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *mailedCodeRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), otpIn(in.OTP))
}

func (d *Door) typeMailedCode(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[mailedCodeRequest](r, server.Body{})
	if err != nil {
		return err
	}
	return d.typeCode(w, r, flow.TypedCode{Email: in.Email, Code: in.OTP})
}

func (d *Door) typeCode(w http.ResponseWriter, r *http.Request, in flow.TypedCode) error {
	in.Client = server.Client(w)
	admission, err := d.SignIn.WithCode(r.Context(), in)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

type textedCodeRequest struct {
	PhoneNumber string        `json:"phoneNumber"`
	Options     signUpOptions `json:"options"`
}

// Check tells what is wrong with the request.
func (in *textedCodeRequest) Check() error {
	return cmp.Or(phoneIn("phoneNumber", in.PhoneNumber), in.Options.check("options."))
}

func (d *Door) askTextedCode(send func(context.Context, flow.CodeSignIn) error) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := server.Decode[textedCodeRequest](r, server.Body{Free: []string{"options.metadata"}})
		if err != nil {
			return err
		}
		err = send(r.Context(), flow.CodeSignIn{PhoneNumber: in.PhoneNumber, Options: in.Options.toFlow(), Client: server.Client(w)})
		if err != nil {
			return err
		}
		return ok(w)
	}
}

type typedTextRequest struct {
	server.Verbatim `json:"-"`

	PhoneNumber string `json:"phoneNumber"`
	OTP         string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *typedTextRequest) Check() error {
	return cmp.Or(phoneIn("phoneNumber", in.PhoneNumber), otpIn(in.OTP))
}

func (d *Door) typeTextedCode(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[typedTextRequest](r, server.Body{Heard: d.heard()})
	if err != nil {
		return err
	}
	return d.typeCode(w, r, flow.TypedCode{PhoneNumber: in.PhoneNumber, Code: in.OTP, Said: said(in.Verbatim)})
}

type changePhoneRequest struct {
	NewPhoneNumber string `json:"newPhoneNumber"`
}

// Check tells what is wrong with the request.
func (in *changePhoneRequest) Check() error { return phoneIn("newPhoneNumber", in.NewPhoneNumber) }

func (d *Door) changePhone(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[changePhoneRequest](r, server.Body{})
	if err != nil {
		return err
	}
	err = d.Account.ChangePhone(r.Context(), flow.PhoneChange{Actor: actor, NewNumber: in.NewPhoneNumber, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return ok(w)
}

type confirmPhoneRequest struct {
	NewPhoneNumber string `json:"newPhoneNumber"`
	OTP            string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *confirmPhoneRequest) Check() error {
	return cmp.Or(phoneIn("newPhoneNumber", in.NewPhoneNumber), otpIn(in.OTP))
}

func (d *Door) confirmPhone(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[confirmPhoneRequest](r, server.Body{})
	if err != nil {
		return err
	}
	err = d.Account.ConfirmPhone(r.Context(), flow.PhoneProof{Actor: actor, NewNumber: in.NewPhoneNumber, Code: in.OTP, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return ok(w)
}

// askElevationCode has no body; clients send one all the same.
func (d *Door) askElevationCode(by auth.Purpose) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		actor, err := d.actor(r)
		if err != nil {
			return err
		}
		err = d.Account.SendElevationCode(r.Context(), flow.CodeElevation{Actor: actor, By: by, Client: server.Client(w)})
		if err != nil {
			return err
		}
		return ok(w)
	}
}

type elevateByCodeRequest struct {
	OTP string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *elevateByCodeRequest) Check() error { return otpIn(in.OTP) }

func (d *Door) elevateByCode(by auth.Purpose) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		actor, err := d.actor(r)
		if err != nil {
			return err
		}
		in, err := server.Decode[elevateByCodeRequest](r, server.Body{})
		if err != nil {
			return err
		}
		admission, err := d.Account.ElevateByCode(r.Context(), flow.CodeElevation{Actor: actor, By: by, Code: in.OTP, Client: server.Client(w)})
		if err != nil {
			return err
		}
		return server.JSON(w, http.StatusOK, toAdmission(admission))
	}
}

// phoneIn refuses what is no number at all; whether a message can be sent to it is told by the flow,
// in the words of the dialect.
func phoneIn(field, s string) error {
	if s == "" || len(s) > 64 {
		return auth.Invalid{Field: field, Problem: "must be a phone number with + and the country's code, such as +41791234567"}
	}
	return nil
}

// otpIn refuses what no code can be.
func otpIn(s string) error {
	if s == "" || len(s) > 64 {
		return auth.Invalid{Field: "otp", Problem: "must be the code that was sent"}
	}
	return nil
}
