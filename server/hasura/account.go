package hasura

import (
	"net/http"

	"postern/flow"
	"postern/server"
)

func (d *Door) user(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	u, err := d.Account.User(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toUser(u))
}

func (d *Door) changePassword(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[changePasswordRequest](r, server.Body{})
	if err != nil {
		return err
	}
	change := flow.PasswordChange{Actor: d.optionalActor(r), Ticket: text(in.Ticket), NewPassword: in.NewPassword, Client: server.Client(w)}
	if change.Actor == nil && in.Ticket == nil {
		_, err := d.actor(r) // says what is wrong with the token
		return err
	}
	if err := d.Account.ChangePassword(r.Context(), change); err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) resetPassword(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[mailRequest](r, server.Body{})
	if err != nil {
		return err
	}
	if err := d.Account.ResetPassword(r.Context(), in.toFlow(w)); err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) sendVerification(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[mailRequest](r, server.Body{})
	if err != nil {
		return err
	}
	if err := d.Account.SendVerification(r.Context(), in.toFlow(w)); err != nil {
		return err
	}
	return ok(w)
}

func (in *mailRequest) toFlow(w http.ResponseWriter) flow.Ask {
	return flow.Ask{Email: in.Email, RedirectTo: in.Options.RedirectTo, CodeChallenge: text(in.CodeChallenge), Client: server.Client(w)}
}

func (d *Door) changeEmail(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[changeEmailRequest](r, server.Body{})
	if err != nil {
		return err
	}
	err = d.Account.ChangeEmail(r.Context(), flow.EmailChange{
		Actor: actor, NewEmail: in.NewEmail, RedirectTo: in.Options.RedirectTo,
		CodeChallenge: text(in.CodeChallenge), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return ok(w)
}
