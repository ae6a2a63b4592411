package gotrue_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// verified types a code of a text message.
func (d door) verified(t testing.TB, phone, code string) answer {
	t.Helper()
	return d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+code+`"}`)
}

// TestNumbersForTestsHaveOneCode and are sent nothing; what guards other codes guards these, and no other number has one.
func TestNumbersForTestsHaveOneCode(t *testing.T) {
	t.Parallel()
	listed, second, other := newPhone(t), newPhone(t), newPhone(t)
	d := open(t, map[string]string{
		"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "GOTRUE_SMS_TEST_OTP": listed + ":123456,+" + second + ":00654321",
		"GOTRUE_SMS_TEST_OTP_VALID_UNTIL": time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339),
	})
	if log := d.Log.String(); !strings.Contains(log, "AUTH_SMS_TEST_OTP gives telephone numbers fixed codes") || strings.Contains(log, "123456") {
		t.Error("the log does not tell of fixed codes, or tells them")
	}
	if got := d.ok(t, "POST", "/otp", `{"phone":"`+listed+`"}`)["message_id"]; got != "test-otp" {
		t.Errorf("message_id %v", got)
	}
	first := d.verified(t, listed, "123456")
	if first.status != http.StatusOK {
		t.Fatalf("%+v", first)
	}
	d.verified(t, listed, "123456").refused(t, 403, "otp_expired") // nobody asked for it
	d.ok(t, "POST", "/signup", `{"phone":"`+second+`","password":"`+password+`"}`)
	if a := d.verified(t, second, "00654321"); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}

	d.ok(t, "POST", "/otp", `{"phone":"`+listed+`"}`)
	for range 5 { // tries are counted
		d.verified(t, listed, "999999").refused(t, 403, "otp_expired")
	}
	d.verified(t, listed, "123456").refused(t, 403, "otp_expired")

	if got := d.ok(t, "POST", "/otp", `{"phone":"`+other+`"}`)["message_id"]; got != nil {
		t.Errorf("message_id %v of a number that is not listed", got)
	}
	d.texted(t, other, 1)
	d.verified(t, other, "123456").refused(t, 403, "otp_expired")

	by := []string{"Authorization", bearer(first.said(t))}
	d.ok(t, "PUT", "/user", `{"phone":"`+newPhone(t)+`"}`, by...)

	d.Clock.Advance(3 * time.Hour) // they are good no more
	if got := d.ok(t, "POST", "/otp", `{"phone":"`+second+`"}`)["message_id"]; got != nil {
		t.Errorf("message_id %v after the end", got)
	}
	d.verified(t, second, "00654321").refused(t, 403, "otp_expired")
	if a := d.verified(t, second, d.texted(t, second, 1)); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if n := len(d.Phones.To("+" + listed)); n != 0 {
		t.Errorf("%d messages to a number for tests", n)
	}
}

// TestNumbersForTestsWaitTheirTurn as others do.
func TestNumbersForTestsWaitTheirTurn(t *testing.T) {
	t.Parallel()
	phone := newPhone(t)
	d := open(t, roomy(map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "GOTRUE_SMS_TEST_OTP": phone + ":123456"}))
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	d.ask(t, "POST", "/otp", `{"phone":"`+phone+`"}`).tooSoon(t, overTexts, 60)
}

// TestWordsLengthAndLifeOfTextedCodes are what GoTrue's names say; codes in mails stay as they are.
func TestWordsLengthAndLifeOfTextedCodes(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Open(t, map[string]string{
		"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_SMS_PASSWORDLESS_ENABLED": "true",
		"GOTRUE_SMS_TEMPLATE": "<{{ .Code }}> & welcome", "GOTRUE_SMS_OTP_LENGTH": "8", "GOTRUE_SMS_OTP_EXP": "40",
	})}
	phone := newPhone(t)
	texted := func(n int) string {
		said := d.SMS(t, "+"+phone, n)[n-1].Text
		code, ok := strings.CutSuffix(strings.TrimPrefix(said, "<"), "> & welcome")
		if !ok || len(code) != 8 {
			t.Fatalf("the message says %q", said)
		}
		return code
	}
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	late := texted(1)
	d.Clock.Advance(41 * time.Second)
	d.verified(t, phone, late).refused(t, 403, "otp_expired")
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	code := texted(2)
	d.Clock.Advance(38 * time.Second)
	if a := d.verified(t, phone, code); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	if code, _ := d.mailed(t, email, 1); len(code) != 6 {
		t.Errorf("the code of a mail is %q", code)
	}
}
