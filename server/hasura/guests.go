package hasura

import (
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
		{method: "POST", path: "/user/deanonymize", handle: d.deanonymize, buckets: []bucket{email}, captcha: true},
	}
}

type signInAnonymousRequest struct {
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
	in, err := server.Decode[signInAnonymousRequest](r, server.Body{Optional: true, Free: []string{"metadata"}})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.AsGuest(r.Context(), flow.GuestSignIn{
		DisplayName: text(in.DisplayName), Locale: text(in.Locale), Metadata: in.Metadata, Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

type deanonymizeRequest struct {
	SignInMethod  string        `json:"signInMethod"`
	Email         string        `json:"email"`
	Password      *string       `json:"password"`
	Connection    *string       `json:"connection"`
	Options       signUpOptions `json:"options"`
	CodeChallenge *string       `json:"codeChallenge"`
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
	return first(emailIn("email", in.Email), in.Options.check("options."), challengeIn(in.CodeChallenge))
}

const maxConnection = 32

func (d *Door) deanonymize(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[deanonymizeRequest](r, server.Body{Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	change := flow.Deanonymization{
		Actor: actor, Email: in.Email, Options: in.Options.toFlow(), CodeChallenge: text(in.CodeChallenge), Client: server.Client(w),
	}
	if in.SignInMethod == "email-password" {
		change.Password = text(in.Password)
	}
	if err := d.Account.Deanonymize(r.Context(), change); err != nil {
		return err
	}
	return ok(w)
}
