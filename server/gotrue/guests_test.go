package gotrue_test

import (
	"fmt"
	"testing"
)

// TestGuestsBecomeUsersByUpdateUser has guests ask for an address or a number, and prove it: until then they stay guests.
func TestGuestsBecomeUsersByUpdateUser(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true", "AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	guest := func() (map[string]any, string) {
		s := d.ok(t, "POST", "/signup", `{"data":{"cart":7}}`)
		return s, userIn(s)["id"].(string)
	}
	update := func(s map[string]any, body string) answer {
		return d.ask(t, "PUT", "/user", body, "Authorization", bearer(s))
	}
	became := func(t *testing.T, was, is map[string]any, id string) map[string]any {
		t.Helper()
		u := userIn(is)
		if u["id"] != id || u["is_anonymous"] != false || u["user_metadata"].(map[string]any)["cart"] != 7.0 || claims(t, is)["is_anonymous"] != false {
			t.Errorf("%v", u)
		}
		if now := d.ok(t, "GET", "/user", "", "Authorization", bearer(was)); now["is_anonymous"] != false { // the session that asked goes on
			t.Errorf("%v", now)
		}
		if roles := fmt.Sprint(claims(t, d.refresh(t, was).said(t))["https://hasura.io/jwt/claims"].(map[string]any)["x-hasura-allowed-roles"]); roles != "[me user]" {
			t.Errorf("roles %s", roles)
		}
		return u
	}

	t.Run("an address with a password", func(t *testing.T) {
		s, id := guest()
		email := newAddress()
		update(s, `{"password":"`+password+`"}`).refused(t, 422, "validation_failed")
		u := update(s, `{"email":"`+email+`","password":"`+password+`","data":{"theme":"dark"}}`).said(t)
		if u["is_anonymous"] != true || u["new_email"] != email || u["email"] != "" {
			t.Errorf("%v", u)
		}
		d.ask(t, "POST", "/token?grant_type=password", credentials(email, password)).refused(t, 400, "invalid_credentials")
		code, _ := d.mailed(t, email, 1)
		d.ask(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
		is := d.ok(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`)
		u = became(t, s, is, id)
		if u["email"] != email || u["email_confirmed_at"] == nil || u["new_email"] != nil {
			t.Errorf("%v", u)
		}
		d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
		d.ask(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
	})
	t.Run("an address by its link", func(t *testing.T) {
		s, id := guest()
		email := newAddress()
		update(s, `{"email":"`+email+`"}`)
		_, link := d.mailed(t, email, 1)
		is := d.ok(t, "POST", "/verify", `{"type":"email_change","token_hash":"`+link.Query().Get("token")+`"}`)
		became(t, s, is, id)
	})
	t.Run("a number", func(t *testing.T) {
		s, id := guest()
		phone := newPhone(t)
		if u := update(s, `{"phone":"`+phone+`","password":"`+password+`"}`).said(t); u["is_anonymous"] != true || u["new_phone"] != phone {
			t.Errorf("%v", u)
		}
		is := d.typed(t, "phone_change", phone, d.texted(t, phone, 1))
		if u := became(t, s, is, id); u["phone"] != phone || u["phone_confirmed_at"] == nil {
			t.Errorf("%v", u)
		}
		d.ok(t, "POST", "/token?grant_type=password", byPhone(phone, password))
	})
	t.Run("what somebody has", func(t *testing.T) {
		s, _ := guest()
		email, phone := newAddress(), newPhone(t)
		d.confirmed(t, email)
		d.proved(t, phone)
		update(s, `{"email":"`+email+`"}`).refused(t, 422, "email_exists")
		update(s, `{"phone":"`+phone+`"}`).refused(t, 422, "phone_exists")
	})
	t.Run("taken meanwhile", func(t *testing.T) {
		s, _ := guest()
		email := newAddress()
		update(s, `{"email":"`+email+`"}`)
		code, _ := d.mailed(t, email, 1)
		d.ok(t, "POST", "/signup", credentials(email, password))
		d.ask(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`).refused(t, 422, "email_exists")
		if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(s)); u["is_anonymous"] != true {
			t.Errorf("%v", u)
		}
	})
	t.Run("the session is gone that asked", func(t *testing.T) {
		s, _ := guest()
		email, phone := newAddress(), newPhone(t)
		update(s, `{"email":"`+email+`","phone":"`+phone+`"}`)
		code, _ := d.mailed(t, email, 1)
		d.ask(t, "POST", "/logout", "", "Authorization", bearer(s))
		d.ask(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
		d.ask(t, "POST", "/verify", `{"type":"phone_change","phone":"`+phone+`","token":"`+d.texted(t, phone, 1)+`"}`).refused(t, 403, "otp_expired")
	})
	t.Run("the door of Hasura Auth", func(t *testing.T) { // whose guests become users elsewhere
		s, _ := guest()
		if a := d.byHasura(t, "POST", "/user/email/change", `{"newEmail":"`+newAddress()+`"}`, "Authorization", bearer(s)); a.status == 200 {
			t.Errorf("%+v", a)
		}
	})
}

// TestNoGuestBecomesAUserWhereNobodySignsUp refuses guests of earlier times.
func TestNoGuestBecomesAUserWhereNobodySignsUp(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	s := d.ok(t, "POST", "/signup", `{}`)
	email := newAddress()
	d.ok(t, "PUT", "/user", `{"email":"`+email+`"}`, "Authorization", bearer(s))
	code, _ := d.mailed(t, email, 1)
	settings := map[string]string{"AUTH_DISABLE_SIGNUP": "true"}
	for name, value := range d.Env {
		settings[name] = value
	}
	closed := door{d.With(t, settings)}
	closed.ask(t, "PUT", "/user", `{"email":"`+newAddress()+`"}`, "Authorization", bearer(s)).refused(t, 422, "signup_disabled")
	closed.ask(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`).refused(t, 422, "signup_disabled")
}
