package gotrue

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/passkeys"
	"postern/server"
)

// webauthn is the word for keys that are second factors.
const webauthn = "webauthn"

// What a browser is asked for: a new key, or a signature by one.
const (
	createKey  = "create"
	requestKey = "request"
)

// page is where a client says that it is.
type page struct {
	RPID    string   `json:"rpId"`
	Origins []string `json:"rpOrigins"`
}

// check refuses a page where nobody could use a key. Nothing it says of itself is believed.
func (p *page) check(rp *passkeys.RP) error {
	switch {
	case p == nil || rp == nil:
		return nil
	case p.RPID != "" && !rp.Serves(p.RPID, nil):
		return auth.Invalid{Field: "webauthn.rpId", Problem: "must be the domain that keys are made for here (AUTH_WEBAUTHN_RP_ID), or below it"}
	case !rp.Serves(rp.ID, p.Origins):
		return auth.Invalid{Field: "webauthn.rpOrigins", Problem: "must be origins where keys may be used (AUTH_WEBAUTHN_RP_ORIGINS)"}
	}
	return nil
}

// keyWish is what a client hands its browser.
type keyWish struct {
	Type    string  `json:"type"`
	Options keyOpts `json:"credential_options"`
}

type keyOpts struct {
	PublicKey any `json:"publicKey"`
}

// toKeyWish writes what is asked of the browser; nil for factors of other kinds. A key that is no way in by itself needs no place on the
// authenticator, and the person has proved another factor already.
func toKeyWish(c flow.ChallengedFactor) *keyWish {
	switch {
	case c.Creation != nil:
		options := toCreationOptions(*c.Creation)
		options.AuthenticatorSelection.ResidentKey = "discouraged"
		return &keyWish{createKey, keyOpts{options}}
	case c.Request != nil:
		return &keyWish{requestKey, keyOpts{server.ToRequestOptions(*c.Request)}}
	}
	return nil
}

// keyAnswer is what the browser answered.
type keyAnswer struct {
	page

	Type       string         `json:"type"`
	Credential jsontext.Value `json:"credential_response"`
}

// withKey is how a body is read that may have what an authenticator answered.
var withKey = server.Body{Optional: true, Lenient: true, Null: true, AnyType: true, Free: []string{"webauthn.credential_response"}}

// into reads the answer into a proof of a factor.
func (in *keyAnswer) into(p *flow.FactorProof, rp *passkeys.RP) error {
	const field = "webauthn.credential_response"
	if err := in.check(rp); err != nil {
		return err
	}
	switch in.Type {
	case createKey:
		made, err := server.Member[*server.CreatedCredential](field, in.Credential)
		if err == nil {
			err = made.Check(field)
		}
		if err != nil {
			return err
		}
		answer := made.Answer()
		p.Made = &answer
	case requestKey:
		signed, err := server.Member[*server.AssertedCredential](field, in.Credential)
		if err == nil {
			err = signed.Check(field)
		}
		if err != nil {
			return err
		}
		answer := signed.Answer()
		p.Signed = &answer
	default:
		return auth.Invalid{Field: "webauthn.type", Problem: "must be create or request"}
	}
	return nil
}

// enrolKey begins a factor that has no key yet.
func (d *Door) enrolKey(w http.ResponseWriter, r *http.Request, in flow.KeyEnrolment) error {
	id, err := d.Account.EnrolKey(r.Context(), in)
	if err != nil {
		return enrolRefusal(here(err, unenrolled))
	}
	return server.JSON(w, http.StatusOK, enrolled{ID: id, Type: webauthn, Name: in.Name})
}

// enrolRefusal finds the words for what comes of beginning a factor beside others.
func enrolRefusal(err error) error {
	var off flow.FactorsOff
	var many flow.TooManyFactors
	switch {
	case errors.As(err, &off):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "mfa_" + off.Kind + "_enroll_not_enabled", "MFA enroll is disabled for this kind of factor"}, err)
	case errors.As(err, &many):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "too_many_enrolled_mfa_factors", fmt.Sprintf("Users may have %d factors at most, unenroll one first", many.Most)}, err)
	}
	return err
}

// keyRefusal finds the words for what comes of keys that are factors.
func keyRefusal(err error) error {
	var off flow.FactorsOff
	switch {
	case errors.As(err, &off):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "mfa_" + off.Kind + "_verify_not_enabled", "MFA verification is disabled for this kind of factor"}, err)
	case errors.Is(err, flow.ErrPasskeyTaken):
		return fmt.Errorf("%w: %w", refusal{http.StatusUnprocessableEntity, "webauthn_credential_exists", "The key is registered already"}, err)
	}
	return err
}
