package gotrue

import (
	"encoding/json"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/userobject"
)

type inviteRequest struct {
	Email address         `json:"email"`
	Data  json.RawMessage `json:"data"`
}

// Check tells what is wrong with the request.
func (in *inviteRequest) Check() error {
	if err := in.Email.check(); err != nil {
		return err
	}
	return dataIn(in.Data)
}

// onlyUsers is what users and operators say of somebody, without what a client cannot give.
func onlyUsers(data json.RawMessage) (json.RawMessage, error) {
	f, err := without(given(data), auth.AppMetadata)
	return f.Value, err
}

// nameOf is the name in metadata; nil where there is none.
func nameOf(data json.RawMessage) *string {
	if name := nameIn(data); name != "" {
		return &name
	}
	return nil
}

func (d *Door) invite(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := server.Decode[inviteRequest](r, adminBody)
	if err != nil {
		return err
	}
	data, err := onlyUsers(in.Data)
	if err != nil {
		return err
	}
	u, err := d.Admin.InviteByEmail(r.Context(), by, flow.Invite{Email: string(in.Email), Metadata: data, DisplayName: nameOf(data), RedirectTo: d.redirectTo(r)})
	if err != nil {
		return err
	}
	o, now := userobject.Whole(u.User, &u.Details), d.Front.Now().UTC()
	o.InvitedAt, o.ConfirmationSent = &now, &now
	return server.JSON(w, http.StatusOK, o)
}

// linkKinds are what links are made for, by GoTrue's word.
var linkKinds = map[string]auth.Purpose{
	"signup": auth.VerifyEmail, "invite": auth.Invitation, "magiclink": auth.SignInByEmail, "recovery": auth.ResetPassword,
	"email_change_new": auth.ConfirmEmailChange, changeCurrent: auth.ConfirmEmailChange,
}

// changeCurrent is the link by which the current address confirms a change.
const changeCurrent = "email_change_current"

type linkRequest struct {
	Type       string          `json:"type"`
	Email      address         `json:"email"`
	NewEmail   address         `json:"new_email"`
	Password   string          `json:"password"`
	Data       json.RawMessage `json:"data"`
	RedirectTo string          `json:"redirect_to"`
}

// Check tells what is wrong with the request.
func (in *linkRequest) Check() error {
	_, known := linkKinds[in.Type]
	switch {
	case !known:
		return auth.Invalid{Field: "type", Problem: "must be signup, invite, magiclink, recovery, email_change_new or email_change_current"}
	case in.Type == "signup" && in.Password == "":
		return refusal{http.StatusBadRequest, "validation_failed", "Signup requires a valid password"}
	}
	if err := in.Email.check(); err != nil {
		return err
	}
	if linkKinds[in.Type] == auth.ConfirmEmailChange && in.NewEmail.check() != nil {
		return auth.Invalid{Field: "new_email", Problem: "must be an e-mail address"}
	}
	return dataIn(in.Data)
}

// madeLink is a user with the link that was made for them.
type madeLink struct {
	userobject.User

	ActionLink       string `json:"action_link"`
	EmailOTP         string `json:"email_otp"`
	HashedToken      string `json:"hashed_token"`
	VerificationType string `json:"verification_type"`
	RedirectTo       string `json:"redirect_to"`
}

func (d *Door) generateLink(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := server.Decode[linkRequest](r, adminBody)
	if err != nil {
		return err
	}
	data, err := onlyUsers(in.Data)
	if err != nil {
		return err
	}
	to := d.redirectTo(r)
	if allowed, err := d.Policy.Redirect(in.RedirectTo); err == nil && in.RedirectTo != "" {
		to = allowed
	}
	made, err := d.Admin.MakeLink(r.Context(), by, flow.LinkWanted{
		Purpose: linkKinds[in.Type], Email: string(in.Email), NewEmail: string(in.NewEmail), Current: in.Type == changeCurrent, Password: in.Password, Metadata: data, DisplayName: nameOf(data), RedirectTo: to,
	})
	if err != nil {
		return here(err, noUser)
	}
	word := in.Type
	if made.Purpose != linkKinds[in.Type] {
		word = wordOf(made.Purpose)
	}
	return server.JSON(w, http.StatusOK, madeLink{
		User: userobject.Whole(made.User.User, &made.User.Details), ActionLink: made.URL, EmailOTP: made.Code, HashedToken: made.Ticket,
		VerificationType: word, RedirectTo: made.RedirectTo,
	})
}
