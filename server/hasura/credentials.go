package hasura

import (
	"context"
	"fmt"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

func (d *Door) signUpPassword(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signUpPasswordRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	signedUp, err := d.SignUp.WithPassword(r.Context(), flow.PasswordSignUp{
		Email: in.Email, Password: in.Password, Options: in.Options.toFlow(),
		CodeChallenge: text(in.CodeChallenge), Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, sessionPayload{toSession(signedUp.Grant)})
}

// heard tells whether somebody reads what clients send as it comes: then they may send more than we understand.
func (d *Door) heard() bool { return d.SignIn.HearsRequests() }

// said is what a client sent, for hooks.
func said(v server.Verbatim) flow.Said { return flow.Said{Data: v.Raw()} }

func (d *Door) signInPassword(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signInPasswordRequest](r, server.Body{Heard: d.heard()})
	if err != nil {
		return err
	}
	admission, err := d.SignIn.WithPassword(r.Context(), flow.PasswordSignIn{Email: in.Email, Password: in.Password, Said: said(in.Verbatim), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(admission))
}

func (d *Door) signInLink(w http.ResponseWriter, r *http.Request) error {
	return d.askLink(w, r, d.SignIn.WithLink)
}

func (d *Door) signUpLink(w http.ResponseWriter, r *http.Request) error {
	return d.askLink(w, r, d.SignUp.WithLink)
}

func (d *Door) askLink(w http.ResponseWriter, r *http.Request, ask func(context.Context, flow.LinkSignIn) error) error {
	in, err := server.Decode[linkRequest](r, server.Body{Heard: d.heard(), Free: []string{"options.metadata"}})
	if err != nil {
		return err
	}
	err = ask(r.Context(), flow.LinkSignIn{
		Email: in.Email, Options: in.Options.toFlow(), CodeChallenge: text(in.CodeChallenge), Said: said(in.Verbatim), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) refresh(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[refreshRequest](r, server.Body{})
	if err != nil {
		return err
	}
	grant, err := d.Sessions.Refresh(r.Context(), flow.Refresh{Token: in.RefreshToken, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toSession(grant))
}

func (d *Door) verifyToken(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[verifyTokenRequest](r, server.Body{Optional: true})
	if err != nil {
		return err
	}
	if in.Token != "" {
		err = d.Sessions.VerifyToken(bearerIn(in.Token))
	} else {
		var actor *auth.Actor
		if actor = d.optionalActor(r); actor == nil {
			return auth.InvalidToken
		}
		err = d.Sessions.Verify(r.Context(), *actor)
	}
	if err != nil {
		return err
	}
	return ok(w)
}

func (d *Door) exchange(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[exchangeRequest](r, server.Body{})
	if err != nil {
		return err
	}
	out, err := d.Links.Exchange(r.Context(), flow.Exchange{Code: in.Code, Verifier: in.CodeVerifier, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, toAdmission(out.Admission))
}

func (d *Door) signOut(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signOutRequest](r, server.Body{Lenient: true})
	if err != nil {
		return err
	}
	noBearer := auth.Invalid{Field: "Authorization", Problem: "must hold a valid access token to sign out everywhere"}
	switch actor := d.optionalActor(r); {
	case in.All && actor == nil:
		return noBearer
	case in.All:
		err = d.Sessions.SignOutEverywhere(r.Context(), *actor, server.Client(w))
		if auth.CodeOf(err) == auth.Unauthorized {
			return fmt.Errorf("%w: %w", noBearer, err)
		}
	case in.RefreshToken == "":
		return auth.Invalid{Field: "refreshToken", Problem: "must be the refresh token of the session to end"}
	default:
		err = d.Sessions.SignOut(r.Context(), flow.SignOut{Token: in.RefreshToken, Client: server.Client(w)})
	}
	if err != nil {
		return err
	}
	return ok(w)
}

// ok answers where there is nothing to say.
func ok(w http.ResponseWriter) error { return server.JSON(w, http.StatusOK, "OK") }
