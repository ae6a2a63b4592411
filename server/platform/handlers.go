package platform

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// How providers of our own are called. Those that vouch for people go by their names.
const (
	byEmail  = "email"
	byMobile = "mobile"
)

// absent are providers that the platform had and this server cannot have, with the reason.
var absent = map[string]string{
	"username":        "users have no names to sign in by",
	"mobile-password": "users with a number sign in by codes",
}

// idTokens is a flow that takes the word of a provider.
type idTokens = func(context.Context, flow.IDTokenSignIn) (auth.Admission, error)

// asked reads a sign-up or sign-in.
func asked(r *http.Request) (request, error) {
	return server.Decode[request](r, server.Body{Heard: true})
}

func (d *Door) signUp(w http.ResponseWriter, r *http.Request) error {
	in, err := asked(r)
	if err != nil {
		return err
	}
	if in.Provider != byEmail {
		return d.enter(w, r, in, d.SignUp.WithIDToken)
	}
	if err := in.Data.email(); err != nil {
		return err
	}
	signedUp, err := d.SignUp.WithPassword(r.Context(), flow.PasswordSignUp{
		Email: in.Data.Email, Password: in.Data.Password, Said: in.said(), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	out := toPerson(signedUp.Grant)
	out.Email = in.Data.Email
	return server.JSON(w, http.StatusOK, out)
}

func (d *Door) login(w http.ResponseWriter, r *http.Request) error {
	in, err := asked(r)
	if err != nil {
		return err
	}
	if in.Provider != byEmail {
		return d.enter(w, r, in, d.SignIn.WithIDToken)
	}
	if err := in.Data.email(); err != nil {
		return err
	}
	admission, err := d.SignIn.WithPassword(r.Context(), flow.PasswordSignIn{
		Email: in.Data.Email, Password: in.Data.Password, Said: in.said(), Client: server.Client(w),
	})
	return d.admit(w, admission, err, func(p *person) { p.Email = in.Data.Email })
}

// enter goes the ways that are the same to sign up and in: by a code, or by a provider's word.
func (d *Door) enter(w http.ResponseWriter, r *http.Request, in request, byToken idTokens) error {
	if in.Provider == byMobile {
		return d.byCode(w, r, in)
	}
	if why, known := absent[in.Provider]; known {
		return fmt.Errorf("%w: %s", auth.EndpointDisabled, why)
	}
	if _, known, _ := d.SignIn.Providers.Find(in.Provider); !known {
		return auth.Invalid{Field: "provider", Problem: "must be one that this server knows"}
	}
	if in.Data.IDToken == "" {
		return fmt.Errorf("%w: %s without an ID token", auth.EndpointDisabled, in.Provider)
	}
	return d.byIDToken(w, r, in, byToken)
}

func (d *Door) byCode(w http.ResponseWriter, r *http.Request, in request) error {
	if err := in.Data.code(); err != nil {
		return err
	}
	admission, err := d.SignIn.WithCode(r.Context(), flow.TypedCode{
		PhoneNumber: phone(in.Data.CountryCode, in.Data.Mobile), Code: in.Data.OTP, Said: in.said(), Client: server.Client(w),
	})
	return d.admit(w, admission, err, func(p *person) { p.Mobile = in.Data.Mobile })
}

func (d *Door) byIDToken(w http.ResponseWriter, r *http.Request, in request, byToken idTokens) error {
	if err := in.Data.idToken(); err != nil {
		return err
	}
	admission, err := byToken(r.Context(), flow.IDTokenSignIn{
		Provider: in.Provider, IDToken: in.Data.IDToken, Nonce: in.Data.Nonce, Said: in.said(), Client: server.Client(w),
	})
	return d.admit(w, admission, err, func(p *person) {
		made := admission.Grant != nil && admission.Grant.User.CreatedAt.Equal(admission.Grant.Session.CreatedAt)
		p.NewUser = &made
	})
}

// admit answers with a session. A second factor cannot be asked for in this dialect.
func (d *Door) admit(w http.ResponseWriter, a auth.Admission, err error, more func(*person)) error {
	if err == nil && a.FactorTicket != "" {
		err = fmt.Errorf("%w: in a dialect that has none", auth.FactorRequired)
	}
	if err != nil {
		return err
	}
	out := toPerson(a.Grant)
	more(&out)
	return server.JSON(w, http.StatusOK, out)
}

// actor is the bearer of the request, and the token.
func (d *Door) actor(r *http.Request) (auth.Actor, string, error) {
	token, err := server.Bearer(r.Header.Values("Authorization"))
	if err != nil {
		return auth.Actor{}, "", err
	}
	claims, err := d.Signer.Verify(token, d.Front.Now())
	if err != nil {
		return auth.Actor{}, "", err
	}
	return claims.Actor(), token, nil
}

func (d *Door) info(w http.ResponseWriter, r *http.Request) error {
	actor, token, err := d.actor(r)
	if err != nil {
		return err
	}
	u, err := d.Account.User(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, person{
		AuthToken: &token, ID: &u.ID, Roles: u.AllowedRoles(), Email: u.Email, Mobile: strings.TrimPrefix(u.PhoneNumber, "+"),
	})
}

func (d *Door) logout(w http.ResponseWriter, r *http.Request) error {
	actor, _, err := d.actor(r)
	if err != nil {
		return err
	}
	if err := d.Sessions.EndOne(r.Context(), actor, actor.SessionID, server.Client(w)); err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, message{"Logged out"})
}

func (d *Door) sendCode(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[codeRequest](r, server.Body{Lenient: true})
	if err != nil {
		return err
	}
	err = d.SignIn.SendCode(r.Context(), flow.CodeSignIn{PhoneNumber: phone(in.CountryCode, in.Mobile), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, message{"A code was sent"})
}
