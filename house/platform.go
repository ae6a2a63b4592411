package house

import (
	"net/http"

	"postern/auth"
	"postern/config"
	"postern/server"
	"postern/server/hasura"
	"postern/server/platform"
)

// platformDoor opens the door for clients of Hasura's platform, if the operator wants it. It counts where the door of
// Hasura Auth does, so that it is no second try. Nil means that there is none.
func platformDoor(c *config.Config, beside *hasura.Door) http.Handler {
	if !c.Platform.Enabled {
		return nil
	}
	front := beside.Front.Beside(func(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
		if c.Hasura.Conceals(code) {
			code, err = auth.BadRequest, nil
		}
		platform.Refuse(w, r, code, err)
	})
	door := &platform.Door{
		Front: front, Guards: server.Guards{Front: front, Limits: beside.Limits, Captcha: beside.Captcha, Sending: beside.Sending}, Policy: beside.Policy, Signer: beside.Signer,
		SignUp: beside.SignUp, SignIn: beside.SignIn, Sessions: beside.Sessions, Account: beside.Account,
	}
	return door.Routes()
}
