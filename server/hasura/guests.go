package hasura

import (
	"cmp"
	"encoding/json"
	"net/http"
	"unicode"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

func (d *Door) guestRoutes() []route {
	return []route{
		{method: "POST", path: "/signin/anonymous", handle: d.signInAnonymous, buckets: []bucket{signups}},
		{method: "POST", path: "/user/deanonymize", handle: d.deanonymize, captcha: true}, // takes its own places: mails or text messages
		{method: "POST", path: "/user/deanonymize/sms", handle: d.deanonymizeByPhone, buckets: []bucket{messages}, captcha: true},
	}
}

type signInAnonymousRequest struct {
	server.Verbatim `json:"-"`

	DisplayName *string         `json:"displayName"`
	Locale      *string         `json:"locale"`
	Metadata    json.RawMessage `json:"metadata"`
}

// Check tells what is wrong with the request. Hasura Auth takes any name here, which need not be a
// person's.
func (in *signInAnonymousRequest) Check() error {
	if name := text(in.DisplayName); utf8.RuneCountInString(name) > maxGuestName || hasControls(name) {
		return auth.Invalid{Field: "displayName", Problem: "must be at most 256 characters without line breaks and other control characters"}
	}
	rest := signUpOptions{Locale: in.Locale, Metadata: in.Metadata}
	return rest.check("")
}

const maxGuestName = 256

func hasControls(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}

func (d *Door) signInAnonymous(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signInAnonymousRequest](r, server.Body{Optional: true, Heard: d.heard(), Free: []string{"metadata"}})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.AsGuest(r.Context(), flow.GuestSignIn{
		DisplayName: text(in.DisplayName), Locale: text(in.Locale), Metadata: in.Metadata, Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

type deanonymizeRequest struct {
	server.Verbatim `json:"-"`

	SignInMethod  string        `json:"signInMethod"`
	Email         string        `json:"email"`
	PhoneNumber   *string       `json:"phoneNumber"`
	Password      *string       `json:"password"`
	Connection    *string       `json:"connection"`
	Options       signUpOptions `json:"options"`
	CodeChallenge *string       `json:"codeChallenge"`
}

// byPhone tells whether it is what hasura-auth-js sends for a phone number.
func (in *deanonymizeRequest) byPhone() bool {
	return in.SignInMethod == "passwordless" && text(in.Connection) == "sms"
}

// Check tells what is wrong with the request.
func (in *deanonymizeRequest) Check() error {
	withPassword := in.SignInMethod == "email-password"
	switch {
	case !withPassword && in.SignInMethod != "passwordless":
		return auth.Invalid{Field: "signInMethod", Problem: "must be email-password or passwordless"}
	case withPassword && text(in.Password) == "":
		return auth.Invalid{Field: "password", Problem: "must be a password"}
	case len(text(in.Connection)) > maxConnection:
		return auth.Invalid{Field: "connection", Problem: "must be email or sms"}
	}
	if err := cmp.Or(in.Options.check("options."), challengeIn(in.CodeChallenge)); err != nil {
		return err
	}
	switch {
	case in.byPhone() && in.Email != "":
		return auth.Invalid{Field: "email", Problem: "must be left out where connection is sms"}
	case in.byPhone():
		return phoneIn("phoneNumber", text(in.PhoneNumber))
	case in.PhoneNumber != nil:
		return auth.Invalid{Field: "phoneNumber", Problem: "must be left out unless connection is sms"}
	}
	return emailIn("email", in.Email)
}

const maxConnection = 32

func (d *Door) deanonymize(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[deanonymizeRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	places := []bucket{email}
	switch {
	case in.byPhone():
		places = []bucket{messages}
	case in.SignInMethod == "email-password":
		places = d.verification()
	}
	for _, b := range places {
		if err := d.take(b, server.Client(w).Bucket()); err != nil {
			return err
		}
	}
	if in.byPhone() {
		err = d.Account.DeanonymizeByPhone(r.Context(), flow.PhoneDeanonymization{
			Actor: actor, PhoneNumber: text(in.PhoneNumber), Options: in.Options.toFlow(), Client: server.Client(w),
		})
	} else {
		change := flow.Deanonymization{
			Actor: actor, Email: in.Email, Options: in.Options.toFlow(), CodeChallenge: text(in.CodeChallenge), Said: said(in.Verbatim), Client: server.Client(w),
		}
		if in.SignInMethod == "email-password" {
			change.Password = text(in.Password)
		}
		err = d.Account.Deanonymize(r.Context(), change)
	}
	if err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) deanonymizeByPhone(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[textedCodeRequest](r, server.Body{Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	err = d.Account.DeanonymizeByPhone(r.Context(), flow.PhoneDeanonymization{
		Actor: actor, PhoneNumber: in.PhoneNumber, Options: in.Options.toFlow(), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return ok(w)
}
