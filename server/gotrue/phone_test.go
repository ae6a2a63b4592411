package gotrue_test

import (
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// newPhone is a number as this dialect writes it.
func newPhone(t testing.TB) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(900000000))
	if err != nil {
		t.Fatal(err)
	}
	return "1555" + n.Add(n, big.NewInt(100000000)).String()
}

// texted is the code of the n-th text message to a number.
func (d door) texted(t testing.TB, phone string, n int) string {
	t.Helper()
	return sixDigits.FindString(d.SMS(t, "+"+phone, n)[n-1].Text)
}

// TestCodesInTextMessages signs up and in by a number, and by nothing that is none.
func TestCodesInTextMessages(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true"})
	phone := newPhone(t)
	if s := d.ok(t, "GET", "/settings", ""); s["external"].(map[string]any)["phone"] != true {
		t.Errorf("%v", s)
	}
	d.ask(t, "POST", "/otp", `{"phone":"`+phone+`","create_user":false}`).refused(t, 422, "otp_disabled")
	d.ok(t, "POST", "/otp", `{"phone":"+`+phone+`","data":{"theme":"dark"},"channel":"sms","create_user":true,"gotrue_meta_security":{}}`)
	code := d.texted(t, phone, 1)
	for body, want := range map[string]string{
		`{"type":"sms","phone":"` + phone + `","token":"000000"}`:                "otp_expired",
		`{"type":"sms","phone":"` + newPhone(t) + `","token":"` + code + `"}`:    "otp_expired",
		`{"type":"email","email":"ann@example.com","token":"` + code + `"}`:      "otp_expired",
		`{"type":"phone_change","phone":"` + phone + `","token":"` + code + `"}`: "otp_expired",
		`{"type":"sms","phone":"no number","token":"` + code + `"}`:              "validation_failed",
		`{"type":"sms","phone":"` + phone + `"}`:                                 "validation_failed",
		`{"type":"sms","token_hash":"` + code + `"}`:                             "validation_failed",
		`{"type":"sms","email":"a@example.com","token":"` + code + `"}`:          "validation_failed",
		`{"type":"email","phone":"` + phone + `","token":"` + code + `"}`:        "validation_failed",
	} {
		if a := d.ask(t, "POST", "/verify", body); a.code(t) != want || a.status >= 500 {
			t.Errorf("%s: %+v", body, a)
		}
	}
	s := d.ok(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+code+`"}`)
	u := s["user"].(map[string]any)
	if u["phone"] != phone || u["phone_confirmed_at"] == nil || u["email"] != "" || u["user_metadata"].(map[string]any)["theme"] != "dark" || u["app_metadata"].(map[string]any)["provider"] != "phone" {
		t.Errorf("user %v", u)
	}
	if diff := cmp.Diff([]string{"otp"}, methods(t, s)); diff != "" || claims(t, s)["phone"] != phone || claims(t, s)["aal"] != "aal1" {
		t.Errorf("%v %s", claims(t, s), diff)
	}
	d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")

	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`","create_user":false}`)
	d.ok(t, "POST", "/resend", `{"type":"sms","phone":"`+phone+`"}`)
	d.texted(t, phone, 3)
	again := d.ok(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+d.texted(t, phone, 3)+`"}`)
	if again["user"].(map[string]any)["id"] != u["id"] {
		t.Error("another user")
	}
	d.ok(t, "POST", "/resend", `{"type":"sms","phone":"`+newPhone(t)+`"}`) // nobody's, and nobody learns it
	for path, body := range map[string]string{
		"/otp": `{"phone":"` + phone + `","channel":"whatsapp"}`, "/otp?": `{"phone":"05551234567"}`, "/magiclink": `{"phone":"` + phone + `"}`, "/resend": `{"type":"phone_change","phone":"nobody"}`,
		"/resend?": `{"type":"sms"}`, "/otp?x": `{"email":"a@example.com","channel":"sms"}`,
	} {
		d.ask(t, "POST", path, body).refused(t, 400, "validation_failed")
	}
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set banned_until = now() + interval '1 hour' where phone_number = $1`, "+"+phone); err != nil {
		t.Fatal(err)
	}
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`) // that they are banned is not told
}

// TestNoTextMessagesUnlessTheOperatorWantsThem refuses numbers where nothing is set.
func TestNoTextMessagesUnlessTheOperatorWantsThem(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	phone := newPhone(t)
	d.ask(t, "POST", "/otp", `{"phone":"`+phone+`"}`).refused(t, 400, "phone_provider_disabled")
	d.ask(t, "POST", "/resend", `{"type":"sms","phone":"`+phone+`"}`).refused(t, 400, "phone_provider_disabled")
	d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"123456"}`).refused(t, 400, "phone_provider_disabled")
}

// TestTrap15CodesInTextMessagesAreGuessedFiveTimes is what GoTrue leaves open.
func TestTrap15CodesInTextMessagesAreGuessedFiveTimes(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true"})
	phone := newPhone(t)
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	code := d.texted(t, phone, 1)
	for range 5 {
		d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"000000"}`).refused(t, 403, "otp_expired")
	}
	d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
}
