package gotrue

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/userobject"
)

type signUpRequest struct {
	server.Verbatim `json:"-"`
	pkce

	Email    address         `json:"email"`
	Phone    string          `json:"phone"`
	Channel  string          `json:"channel"`
	Password string          `json:"password"`
	Data     json.RawMessage `json:"data"`
}

const maxData = 32 << 10 // it comes back with every session

// Check tells what is wrong with the request.
func (in *signUpRequest) Check() error {
	if err := in.pkce.check(); err != nil {
		return err
	}
	return dataIn(in.Data)
}

func dataIn(data json.RawMessage) error {
	var all map[string]any
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil
	case len(data) > maxData:
		return auth.Invalid{Field: "data", Problem: "must not be longer than 32 KiB"}
	case json.Unmarshal(data, &all) != nil:
		return auth.Invalid{Field: "data", Problem: "must be an object"}
	}
	return nil
}

// given is an object that came, or none: null says as much as nothing does.
func given(object json.RawMessage) json.RawMessage {
	if string(object) == "null" {
		return nil
	}
	return object
}

// options are what somebody says of themselves, with the name by which the other dialect knows them.
func (d *Door) options(r *http.Request, data json.RawMessage) flow.Options {
	return flow.Options{Metadata: given(data), DisplayName: nameIn(data), RedirectTo: d.redirectTo(r)}
}

// nameIn is the name in the metadata of a sign-up, if applications have put one where they commonly do.
func nameIn(data json.RawMessage) string {
	var all map[string]any
	if json.Unmarshal(data, &all) != nil {
		return ""
	}
	for _, member := range []string{"display_name", "full_name", "name"} {
		if name, ok := all[member].(string); ok && name != "" && utf8.RuneCountInString(name) <= 100 {
			return name
		}
	}
	return ""
}

func (d *Door) signUp(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signUpRequest](r, d.heard(body))
	if err != nil {
		return err
	}
	guest, rate := in.Email == "" && in.Phone == "", d.Rates.asking("signup")
	if guest {
		rate = d.Rates.guests()
	}
	if err := d.Guards.TakeRate(rate, server.Client(w).Bucket()); err != nil {
		return err
	}
	if guest {
		return d.signUpAsGuest(w, r, in)
	}
	return d.signUpAsUser(w, r, in)
}

// signUpAsUser signs up who comes with an address or a number.
func (d *Door) signUpAsUser(w http.ResponseWriter, r *http.Request, in signUpRequest) error {
	switch {
	case in.Email != "" && in.Phone != "":
		return auth.Invalid{Field: "email", Problem: "and phone: only one of the two can sign up"}
	case in.Password == "":
		return refusal{http.StatusBadRequest, "validation_failed", "Signup requires a valid password"}
	case in.Phone != "":
		return d.signUpByPhone(w, r, in)
	}
	if !d.Offered.Email {
		return noEmail(http.StatusBadRequest, "signups")
	}
	if err := in.Email.check(); err != nil {
		return err
	}
	out, err := d.SignUp.Register(r.Context(), flow.PasswordSignUp{
		Email: string(in.Email), Password: in.Password, Options: d.options(r, in.Data), CodeChallenge: in.Challenge, Said: said(in.Verbatim), Client: server.Client(w),
	})
	switch {
	case auth.CodeOf(err) == auth.EmailTaken:
		return auth.UserExists
	case err != nil:
		return err
	case out.Grant != nil:
		return d.admit(w, auth.Admission{Grant: out.Grant}, func(s session) any { return s })
	}
	return d.tellSignedUp(w, out)
}

// tellSignedUp answers who must confirm something first; and alike who signs up with what somebody has.
func (d *Door) tellSignedUp(w http.ResponseWriter, out flow.SignedUp) error {
	u := userobject.Whole(out.User, nil)
	now := d.Front.Now().UTC()
	u.ConfirmationSent = &now
	if out.Taken {
		u.Role, u.Identities, u.UserMetadata = "", []userobject.Identity{}, userobject.About(auth.User{Metadata: out.User.Metadata})
	}
	return server.JSON(w, http.StatusOK, u)
}

func (d *Door) signUpAsGuest(w http.ResponseWriter, r *http.Request, in signUpRequest) error {
	admission, err := d.SignIn.AsGuest(r.Context(), flow.GuestSignIn{Metadata: given(in.Data), DisplayName: nameIn(in.Data), Said: said(in.Verbatim), Client: server.Client(w)})
	if err != nil {
		return here(err, map[auth.Code]refusal{
			auth.EndpointDisabled: {http.StatusUnprocessableEntity, "anonymous_provider_disabled", "Anonymous sign-ins are disabled"},
		})
	}
	return d.admit(w, admission, func(s session) any { return s })
}
