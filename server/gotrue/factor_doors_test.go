package gotrue_test

import (
	"strings"
	"testing"
)

// TestFactorsAreProvedAtEitherDoor has somebody turn on a factor here, where that is usual, and sign in at the door of Hasura
// Auth, where nobody may turn one on unless the operator says so: who has one is asked for it there, so it can be proved there.
func TestFactorsAreProvedAtEitherDoor(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	app := d.enrol(t, s)
	app.raise(t, s)
	a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password))
	mfa, _ := a.said(t)["mfa"].(map[string]any)
	ticket, _ := mfa["ticket"].(string)
	if a.status != 200 || ticket == "" {
		t.Fatalf("%+v", a)
	}
	if a := d.byHasura(t, "POST", "/signin/mfa/totp", `{"ticket":"`+ticket+`","otp":"`+app.code(t)+`"}`); a.status != 200 || !strings.Contains(a.body, "refreshToken") {
		t.Errorf("%+v", a)
	}
	if a := d.byHasura(t, "GET", "/mfa/totp/generate", "", "Authorization", bearer(d.confirmed(t, newAddress()))); a.status != 409 {
		t.Errorf("nobody turns one on there: %+v", a)
	}
}
