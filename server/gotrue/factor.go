package gotrue

import (
	"net/http"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
	"postern/userobject"
)

// totp is the word for authenticator apps.
const totp = "totp"

// noFactor is said of a factor that is not the user's.
var noFactor = refusal{http.StatusNotFound, "mfa_factor_not_found", "Factor not found"}

type enrolRequest struct {
	Type   string `json:"factor_type"`
	Name   string `json:"friendly_name"`
	Issuer string `json:"issuer"`
	Phone  string `json:"phone"`
}

// Check tells what is wrong with the request.
func (in *enrolRequest) Check() error {
	switch {
	case in.Type == auth.PhoneFactor && numberIn(in.Phone) == "":
		return auth.Invalid{Field: "phone", Problem: "must be a telephone number with the country's code, such as 15551234567"}
	case in.Type != totp && in.Type != auth.PhoneFactor && in.Type != webauthn:
		return auth.Invalid{Field: "factor_type", Problem: "must be totp, phone or webauthn"}
	case utf8.RuneCountInString(in.Name) > 100:
		return auth.Invalid{Field: "friendly_name", Problem: "must not be longer than 100 characters"}
	}
	return nil
}

type enrolled struct {
	ID    string   `json:"id"`
	Type  string   `json:"type"`
	Name  string   `json:"friendly_name"`
	TOTP  *appCode `json:"totp,omitempty"`
	Phone string   `json:"phone,omitempty"`
}

// appCode is what an authenticator app takes. Clients make a picture of the drawing.
type appCode struct {
	Drawing string `json:"qr_code"`
	Secret  string `json:"secret"`
	URI     string `json:"uri"`
}

func (d *Door) enrolFactor(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[enrolRequest](r, body)
	if err != nil {
		return err
	}
	switch in.Type {
	case webauthn:
		return d.enrolKey(w, r, flow.KeyEnrolment{Actor: actor, Name: in.Name, Client: server.Client(w)})
	case auth.PhoneFactor:
		return d.enrolPhone(w, r, flow.PhoneEnrolment{Actor: actor, Name: in.Name, Number: numberIn(in.Phone), Client: server.Client(w)})
	}
	e, err := d.Account.EnrolTOTP(r.Context(), flow.TOTPEnrolment{Actor: actor, Name: in.Name, Issuer: in.Issuer, Client: server.Client(w)})
	if err != nil {
		return here(err, unenrolled)
	}
	drawing, err := e.SVG()
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return server.JSON(w, http.StatusOK, enrolled{ID: e.FactorID, Type: totp, Name: in.Name, TOTP: &appCode{drawing, e.Secret.Base32(), e.URI()}})
}

func (d *Door) enrolPhone(w http.ResponseWriter, r *http.Request, in flow.PhoneEnrolment) error {
	factor, err := d.Account.EnrolPhone(r.Context(), in)
	if err != nil {
		return enrolRefusal(here(here(err, phoneUnenrolled), unenrolled))
	}
	return server.JSON(w, http.StatusOK, enrolled{ID: factor.ID, Type: factor.Kind, Name: factor.Name, Phone: userobject.Bare(factor.PhoneNumber)})
}

// phoneUnenrolled words what comes of beginning a telephone alone.
var phoneUnenrolled = map[auth.Code]refusal{
	auth.FactorActive:  {http.StatusUnprocessableEntity, "mfa_verified_factor_exists", "A verified phone factor already exists, unenroll the existing factor to continue"},
	auth.CannotSendSMS: {http.StatusBadRequest, "validation_failed", "No text message can be sent to the number"},
}

// unenrolled words what comes of beginning a factor.
var unenrolled = map[auth.Code]refusal{
	auth.EndpointDisabled: {http.StatusUnprocessableEntity, "mfa_totp_enroll_not_enabled", "MFA enroll is disabled for TOTP"},
	auth.UserAnonymous:    {http.StatusForbidden, "no_authorization", "Anonymous users cannot have a second factor"},
	auth.NotElevated:      {http.StatusForbidden, "insufficient_aal", "AAL2 required to enroll a new factor"},
	auth.FactorRequired:   {http.StatusForbidden, "insufficient_aal", "AAL2 required to enroll a new factor"},
}

// factorID reads the factor that a path names.
func factorID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !tokens.IsUUID(id) {
		return "", refusal{http.StatusNotFound, "validation_failed", "factor_id must be an UUID"}
	}
	return id, nil
}

type challengeRequest struct {
	Page    *page  `json:"webauthn"`
	Channel string `json:"channel"`
}

// Check tells what is wrong with the request.
func (in *challengeRequest) Check() error {
	if in.Channel != "" && in.Channel != "sms" {
		return auth.Invalid{Field: "channel", Problem: "must be sms: nothing else can be sent here"}
	}
	return nil
}

type challenge struct {
	ID        string   `json:"id"`
	Type      string   `json:"type"`
	ExpiresAt int64    `json:"expires_at"`
	Key       *keyWish `json:"webauthn,omitempty"`
}

func (d *Door) challengeFactor(w http.ResponseWriter, r *http.Request) error {
	actor, id, err := d.factorIn(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[challengeRequest](r, body)
	if err == nil {
		err = in.Page.check(d.Account.Passkeys)
	}
	if err != nil {
		return err
	}
	client := server.Client(w)
	c, err := d.Account.ChallengeFactor(r.Context(), flow.FactorChallenge{
		Actor: actor, FactorID: id, Client: client, Texts: func() error { return d.Guards.Take(server.Texts, client.Bucket()) },
	})
	if auth.CodeOf(err) == auth.TooManyRequests {
		return here(err, tooManyTexts)
	}
	if err != nil {
		return keyRefusal(here(err, unproved))
	}
	w.Header().Set("Cache-Control", "no-store")
	return server.JSON(w, http.StatusOK, challenge{ID: c.ChallengeID, Type: c.Kind, ExpiresAt: c.ExpiresAt.Unix(), Key: toKeyWish(c)})
}

// factorIn is who asks about which factor.
func (d *Door) factorIn(r *http.Request) (auth.Actor, string, error) {
	actor, err := d.actor(r)
	if err != nil {
		return actor, "", err
	}
	id, err := factorID(r)
	return actor, id, err
}

// tooManyTexts are the words for challenges of telephones that come too often.
var tooManyTexts = map[auth.Code]refusal{
	auth.TooManyRequests: {http.StatusTooManyRequests, "over_sms_send_rate_limit", "For security purposes, another text message can only be asked for later"},
}

// unproved words what comes of challenging and proving a factor.
var unproved = map[auth.Code]refusal{
	auth.EndpointDisabled: {http.StatusUnprocessableEntity, "mfa_totp_verify_not_enabled", "MFA verification is disabled for TOTP"},
	auth.UserAnonymous:    {http.StatusForbidden, "no_authorization", "Anonymous users have no second factor"},
	auth.InvalidTicket:    {http.StatusUnprocessableEntity, "mfa_challenge_expired", "MFA challenge has expired, verify against another challenge or create a new challenge."},
	auth.FactorNotActive:  noFactor,
	auth.NoFactorSecret:   noFactor,
	auth.NotElevated:      unenrolled[auth.NotElevated],
}

type proofRequest struct {
	ChallengeID string     `json:"challenge_id"`
	Code        string     `json:"code"`
	Key         *keyAnswer `json:"webauthn"`
}

// Check tells what is wrong with the request.
func (in *proofRequest) Check() error {
	switch {
	case !tokens.IsUUID(in.ChallengeID):
		return auth.Invalid{Field: "challenge_id", Problem: "must be the id of a challenge"}
	case in.Key != nil && in.Code == "":
		return nil // it is checked as it is read
	case in.Code == "" || len(in.Code) > 64:
		return auth.Invalid{Field: "code", Problem: "must be a code of the factor, or a recovery code"}
	}
	return nil
}

func (d *Door) verifyFactor(w http.ResponseWriter, r *http.Request) error {
	actor, id, err := d.factorIn(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[proofRequest](r, withKey)
	if err != nil {
		return err
	}
	proof := flow.FactorProof{Actor: actor, FactorID: id, ChallengeID: in.ChallengeID, Code: in.Code, Client: server.Client(w)}
	if in.Code == "" {
		if err := in.Key.into(&proof, d.Account.Passkeys); err != nil {
			return err
		}
	}
	grant, err := d.Account.Raise(r.Context(), proof)
	if err != nil {
		return keyRefusal(here(err, unproved))
	}
	return server.JSON(w, http.StatusOK, d.toSession(grant))
}

func (d *Door) removeFactor(w http.ResponseWriter, r *http.Request) error {
	actor, id, err := d.factorIn(r)
	if err != nil {
		return err
	}
	if err := d.Account.RemoveFactor(r.Context(), flow.FactorRemoval{Actor: actor, FactorID: id, Client: server.Client(w)}); err != nil {
		lacking := refusal{http.StatusUnprocessableEntity, "insufficient_aal", "AAL2 required to unenroll verified factor"}
		return here(err, map[auth.Code]refusal{
			auth.FactorNotActive: noFactor, auth.UserAnonymous: unproved[auth.UserAnonymous], auth.EndpointDisabled: unproved[auth.EndpointDisabled],
			auth.NotElevated: lacking, auth.FactorRequired: lacking,
		})
	}
	return server.JSON(w, http.StatusOK, map[string]string{"id": id})
}
