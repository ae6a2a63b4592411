package gotrue

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"postern/auth"
	"postern/server"
)

// proved lets a request pass when a person has solved the captcha for it, or when none is set up. The proof is in
// the body. A program with a service key is no person, and need not be one.
func (d *Door) proved(h server.Handler) server.Handler {
	if d.Guards.Captcha == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if d.hasKey(r) {
			return h(w, r)
		}
		raw, err := server.ReadBody(r)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		token := captchaIn(raw)
		if token == "" {
			return auth.CaptchaMissing
		}
		if err := d.Guards.Captcha.Check(r.Context(), token, server.Client(w).Address); err != nil {
			return err
		}
		return h(w, r)
	}
}

// captchaIn finds the proof in a body, where clients of today put it or where the oldest did.
func captchaIn(raw []byte) string {
	var in struct {
		Security struct {
			Token string `json:"captcha_token"`
		} `json:"gotrue_meta_security"`
		Old string `json:"hcaptcha_token"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return "" // what is wrong with the body is said where it is read
	}
	if in.Security.Token != "" {
		return in.Security.Token
	}
	return in.Old
}

// hasKey tells whether a request comes with a service key. Users are asked for a captcha whatever their roles: a session is easier to
// come by than a key.
func (d *Door) hasKey(r *http.Request) bool {
	claim, err := d.bearerClaim(r)
	if err != nil || claim.KeyRole == "" {
		return false
	}
	_, err = d.Admin.Operator(r.Context(), claim)
	return err == nil
}
