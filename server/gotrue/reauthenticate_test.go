package gotrue_test

import (
	"strings"
	"testing"
	"time"
)

// TestReauthentication has who signed in long ago type a code before the password changes.
func TestReauthentication(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_PASSWORD_REAUTHENTICATION": "true", "AUTH_SMS_PASSWORDLESS_ENABLED": "true"})
	email := newAddress()
	s := d.confirmed(t, email)
	change := func(password, nonce string) answer {
		t.Helper()
		return d.ask(t, "PUT", "/user", `{"password":"`+password+`","nonce":"`+nonce+`"}`, "Authorization", bearer(s))
	}
	if a := change("a second long one", ""); a.status != 200 {
		t.Errorf("lately signed in: %+v", a)
	}
	d.Clock.Advance(25 * time.Hour)
	s = d.refresh(t, s).said(t)
	change("a third long one", "").refused(t, 400, "reauthentication_needed")
	change("a third long one", "123456").refused(t, 422, "reauthentication_not_valid")
	d.ok(t, "PUT", "/user", `{"data":{"theme":"dark"}}`, "Authorization", bearer(s))
	d.ask(t, "GET", "/reauthenticate", "").refused(t, 401, "no_authorization")
	// The other door is no way around it.
	if a := d.byHasura(t, "POST", "/user/password", `{"newPassword":"a third long one"}`, "Authorization", bearer(s)); a.status == 200 || !strings.Contains(a.body, "elevated-claim-required") {
		t.Errorf("by Hasura Auth: %+v", a)
	}

	d.ok(t, "GET", "/reauthenticate", "", "Authorization", bearer(s))
	mails := d.Mail.Wait(t, email, 3) // the sign-up, the changed password
	nonce := sixDigits.FindString(mails[2].Text)
	for _, kind := range []string{"email", "signup", "magiclink", "recovery"} {
		d.ask(t, "POST", "/verify", `{"type":"`+kind+`","email":"`+email+`","token":"`+nonce+`"}`).refused(t, 403, "otp_expired")
	}
	other := d.confirmed(t, newAddress())
	d.Clock.Advance(25 * time.Hour)
	other, s = d.refresh(t, other).said(t), d.refresh(t, s).said(t)
	d.ask(t, "PUT", "/user", `{"password":"a third long one","nonce":"`+nonce+`"}`, "Authorization", bearer(other)).refused(t, 422, "reauthentication_not_valid")
	change("a third long one", nonce).refused(t, 422, "reauthentication_not_valid") // a day is too long for it

	d.ok(t, "GET", "/reauthenticate", "", "Authorization", bearer(s))
	nonce = sixDigits.FindString(d.Mail.Wait(t, email, 4)[3].Text)
	if a := change("a third long one", nonce); a.status != 200 {
		t.Errorf("%+v", a)
	}
	change("a fourth long one", nonce).refused(t, 422, "reauthentication_not_valid")

	phone := newPhone(t)
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	s = d.ok(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+d.texted(t, phone, 1)+`"}`)
	d.Clock.Advance(25 * time.Hour)
	s = d.refresh(t, s).said(t)
	d.ok(t, "GET", "/reauthenticate", "", "Authorization", bearer(s))
	if a := change("a number's password", d.texted(t, phone, 2)); a.status != 200 {
		t.Errorf("%+v", a)
	}
}
