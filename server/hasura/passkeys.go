package hasura

import (
	"cmp"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

func (d *Door) passkeyRoutes() []route {
	return []route{
		{method: "POST", path: "/signup/webauthn", handle: d.beginPasskeySignUp, captcha: true},
		{method: "POST", path: "/signup/webauthn/verify", handle: d.signUpPasskey, buckets: append([]bucket{signups}, d.verification()...)},
		{method: "POST", path: "/signin/webauthn", handle: d.beginPasskeySignIn},
		{method: "POST", path: "/signin/webauthn/verify", handle: d.signInPasskey},
		{method: "POST", path: "/elevate/webauthn", handle: d.beginPasskeyElevation},
		{method: "POST", path: "/elevate/webauthn/verify", handle: d.elevateByPasskey},
		{method: "POST", path: "/user/webauthn/add", handle: d.beginPasskey},
		{method: "POST", path: "/user/webauthn/verify", handle: d.addPasskey},
		{method: "GET", path: "/user/webauthn", handle: d.listPasskeys},
		{method: "POST", path: "/user/webauthn/{id}", handle: d.renamePasskey}, // POST, since every client can
		{method: "DELETE", path: "/user/webauthn/{id}", handle: d.removePasskey},
	}
}

func (d *Door) beginPasskeySignUp(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signUpPasskeyRequest](r, server.Body{Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	creation, err := d.SignUp.BeginPasskey(r.Context(), flow.PasskeySignUp{Email: in.Email, Options: in.Options.toFlow()})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toCreationOptions(creation))
}

func (d *Door) signUpPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signUpPasskeyAnswer](r, server.Body{Heard: d.heard(), Free: append([]string{"options.metadata"}, freeCredential...)})
	if err != nil {
		return err
	}
	admission, err := d.SignUp.WithPasskey(r.Context(), flow.PasskeySignUpAnswer{
		Answer: in.Credential.Answer(), Nickname: cmp.Or(text(in.Nickname), text(in.Options.Nickname)), Options: in.Options.toFlow(),
		CodeChallenge: text(in.CodeChallenge), Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

func (d *Door) beginPasskeySignIn(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signInPasskeyRequest](r, server.Body{Optional: true})
	if err != nil {
		return err
	}
	request, err := d.SignIn.BeginPasskey(r.Context(), text(in.Email))
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, server.ToRequestOptions(request))
}

func (d *Door) signInPasskey(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[passkeyAnswer](r, server.Body{Heard: d.heard(), Free: freeCredential})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.WithPasskey(r.Context(), flow.PasskeyAnswer{Answer: in.Credential.Answer(), Said: said(in.Verbatim), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

// beginPasskeyElevation looks at no body: hasura-auth-js sends an address, nhost-js nothing.
func (d *Door) beginPasskeyElevation(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	request, err := d.Account.BeginElevationByPasskey(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, server.ToRequestOptions(request))
}

func (d *Door) elevateByPasskey(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[passkeyAnswer](r, server.Body{Free: freeCredential})
	if err != nil {
		return err
	}
	admission, err := d.Account.ElevateByPasskey(r.Context(), actor, flow.PasskeyAnswer{Answer: in.Credential.Answer(), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

// beginPasskey looks at no body: hasura-auth-js sends an empty object, nhost-js nothing.
func (d *Door) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	creation, err := d.Account.BeginPasskey(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toCreationOptions(creation))
}

func (d *Door) addPasskey(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[addPasskeyAnswer](r, server.Body{Free: freeCredential})
	if err != nil {
		return err
	}
	key, err := d.Account.AddPasskey(r.Context(), flow.NewPasskey{
		Actor: actor, Answer: in.Credential.Answer(), Nickname: text(in.Nickname), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, addedPasskey{key.ID, key.Nickname})
}

func (d *Door) listPasskeys(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	keys, err := d.Account.ListPasskeys(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toSecurityKeys(keys))
}

func (d *Door) renamePasskey(w http.ResponseWriter, r *http.Request) error {
	change, err := d.passkeyChange(w, r)
	if err != nil {
		return err
	}
	in, err := server.Decode[renamePasskeyRequest](r, server.Body{})
	if err != nil {
		return err
	}
	change.Nickname = in.Nickname
	if _, err := d.Account.RenamePasskey(r.Context(), change); err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) removePasskey(w http.ResponseWriter, r *http.Request) error {
	change, err := d.passkeyChange(w, r)
	if err != nil {
		return err
	}
	if err := d.Account.RemovePasskey(r.Context(), change); err != nil {
		return err
	}
	return ok(w)
}

// passkeyChange reads who wants to change which key. What is no id is no address of ours.
func (d *Door) passkeyChange(w http.ResponseWriter, r *http.Request) (flow.PasskeyChange, error) {
	id := r.PathValue("id")
	if !uuid.MatchString(id) {
		return flow.PasskeyChange{}, auth.NotFound
	}
	actor, err := d.actor(r)
	return flow.PasskeyChange{Actor: actor, ID: id, Client: server.Client(w)}, err
}
