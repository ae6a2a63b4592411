package gotrue

import (
	"net/http"

	"postern/auth"
	"postern/server"
)

// reauthenticate sends a code by which who is signed in changes their password.
func (d *Door) reauthenticate(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // it would send something, and tell nobody
		return auth.NotFound
	}
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	for _, b := range []server.Bucket{server.Mails, server.Texts} {
		if err := d.Guards.Take(b, server.Client(w).Bucket()); err != nil {
			return err
		}
	}
	if err := d.Account.Reauthenticate(r.Context(), actor, server.Client(w)); err != nil {
		return here(err, map[auth.Code]refusal{
			auth.UserUnverified: {http.StatusUnprocessableEntity, "email_not_confirmed", "Please verify your email first."},
		})
	}
	return nothing(w)
}

// badCurrent words a password that is not changed for want of the current one.
func badCurrent(given string) refusal {
	if given == "" {
		return refusal{http.StatusBadRequest, "current_password_required", "The current password is needed to set another one"}
	}
	return refusal{http.StatusBadRequest, "current_password_invalid", "The current password is wrong"}
}

// badNonce words a password that is not changed for want of a good code.
func badNonce(given string) refusal {
	if given == "" {
		return refusal{http.StatusBadRequest, "reauthentication_needed", "Password update requires reauthentication"}
	}
	return refusal{http.StatusUnprocessableEntity, "reauthentication_not_valid", "Nonce has expired or is invalid"}
}
