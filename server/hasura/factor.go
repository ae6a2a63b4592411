package hasura

import (
	"net/http"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// factorRoutes are the second factor: enrolling it, proving it at a sign-in or for a fresh proof, and
// what stands in for it when it is lost.
func (d *Door) factorRoutes() []route {
	return []route{
		{method: "GET", path: "/mfa/totp/generate", handle: d.enrolTOTP},
		{method: "POST", path: "/user/mfa", handle: d.changeFactor},
		{method: "POST", path: "/signin/mfa/totp", handle: d.signInFactor},
		{method: "POST", path: "/mfa/recovery-codes", handle: d.renewRecoveryCodes},
		{method: "GET", path: "/mfa/recovery-codes", handle: d.recoveryCodesLeft},
		{method: "GET", path: "/elevate", handle: d.elevationMethods},
		{method: "POST", path: "/elevate/totp", handle: d.elevateFactor},
	}
}

type enrolmentPayload struct {
	ImageURL   string `json:"imageUrl"`
	TOTPSecret string `json:"totpSecret"`
}

func (d *Door) enrolTOTP(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // it would replace what waits to be confirmed, and tell nobody
		return auth.NotFound
	}
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	e, err := d.Account.EnrolTOTP(r.Context(), flow.TOTPEnrolment{Actor: actor, Replaces: true, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, enrolmentPayload{ImageURL: e.ImageURL, TOTPSecret: e.Secret.Base32()})
}

type changeFactorRequest struct {
	Code          string  `json:"code"`
	ActiveMFAType *string `json:"activeMfaType"`
	CurrentCode   *string `json:"currentCode"`
}

// Check tells what is wrong with the request.
func (in *changeFactorRequest) Check() error {
	if t := text(in.ActiveMFAType); t != "" && t != "totp" {
		return auth.Invalid{Field: "activeMfaType", Problem: "must be totp to turn the second factor on, or empty to turn it off"}
	}
	if in.CurrentCode != nil {
		if err := typedIn("currentCode", *in.CurrentCode); err != nil {
			return err
		}
	}
	return typedIn("code", in.Code)
}

func (d *Door) changeFactor(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[changeFactorRequest](r, server.Body{})
	if err != nil {
		return err
	}
	err = d.Account.ChangeFactor(r.Context(), flow.FactorChange{
		Actor: actor, Activate: text(in.ActiveMFAType) == "totp", Code: in.Code, CurrentCode: text(in.CurrentCode), Client: server.Client(w),
	})
	if err != nil {
		return err
	}
	return ok(w)
}

type signInFactorRequest struct {
	Ticket string `json:"ticket"`
	OTP    string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *signInFactorRequest) Check() error {
	if !strings.HasPrefix(in.Ticket, string(auth.SecondFactor)+":") || len(in.Ticket) > maxTicket {
		return auth.Invalid{Field: "ticket", Problem: "must be the ticket of a sign-in, such as mfaTotp:<uuid>"}
	}
	return typedIn("otp", in.OTP)
}

func (d *Door) signInFactor(w http.ResponseWriter, r *http.Request) error {
	in, err := server.Decode[signInFactorRequest](r, server.Body{})
	if err != nil {
		return err
	}
	grant, err := d.SignIn.WithFactor(r.Context(), flow.FactorSignIn{Ticket: in.Ticket, Code: in.OTP, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, sessionPayload{toSession(grant)})
}

type renewRecoveryCodesRequest struct {
	OTP *string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *renewRecoveryCodesRequest) Check() error {
	if in.OTP == nil {
		return nil
	}
	return typedIn("otp", *in.OTP)
}

type recoveryCodesPayload struct {
	RecoveryCodes []string `json:"recoveryCodes"`
}

func (d *Door) renewRecoveryCodes(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[renewRecoveryCodesRequest](r, server.Body{})
	if err != nil {
		return err
	}
	codes, err := d.Account.RenewRecoveryCodes(r.Context(), flow.RecoveryCodes{Actor: actor, Code: text(in.OTP), Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, recoveryCodesPayload{codes})
}

type recoveryCodesLeftPayload struct {
	Left int `json:"left"`
}

func (d *Door) recoveryCodesLeft(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	left, err := d.Account.RecoveryCodesLeft(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, recoveryCodesLeftPayload{left})
}

type elevationPayload struct {
	Methods []string `json:"methods"`
}

func (d *Door) elevationMethods(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	methods, err := d.Account.ElevationMethods(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, elevationPayload{methods})
}

type elevateFactorRequest struct {
	OTP string `json:"otp"`
}

// Check tells what is wrong with the request.
func (in *elevateFactorRequest) Check() error { return typedIn("otp", in.OTP) }

func (d *Door) elevateFactor(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[elevateFactorRequest](r, server.Body{})
	if err != nil {
		return err
	}
	grant, err := d.Account.ElevateByFactor(r.Context(), flow.FactorElevation{Actor: actor, Code: in.OTP, Client: server.Client(w)})
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, sessionPayload{toSession(grant)})
}

// maxTyped is longer than any code that somebody types.
const maxTyped = 64

// typedIn refuses what nobody typed. Whether it is a code is for the flow to say.
func typedIn(field, s string) error {
	if s == "" || len(s) > maxTyped {
		return auth.Invalid{Field: field, Problem: "must be a code of the authenticator app, or a recovery code"}
	}
	return nil
}
