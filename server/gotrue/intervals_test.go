package gotrue_test

import (
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"postern/internal/testhouse"
)

var someSeconds = regexp.MustCompile(`\b\d+\b`)

// tooSoon has an answer tell how many seconds somebody must wait, of so many.
func (a answer) tooSoon(t testing.TB, code string, most int) {
	t.Helper()
	a.refused(t, http.StatusTooManyRequests, code)
	n, err := strconv.Atoi(someSeconds.FindString(a.said(t)["msg"].(string)))
	if err != nil || n < 1 || n > most || a.header.Get("Retry-After") != strconv.Itoa(n) {
		t.Errorf("no seconds up to %d, or others than in Retry-After: %+v", most, a)
	}
}

const (
	overMails = "over_email_send_rate_limit"
	overTexts = "over_sms_send_rate_limit"
)

// TestIntervalsTellNobodyWhoHasAnAccount asks twice for each mail, with addresses of every kind of account and of none, and has the
// answers be the same: the peer says 429 for those that have an account, and 200 for the others.
func TestIntervalsTellNobodyWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{"GOTRUE_SMTP_MAX_FREQUENCY": "90"}))
	confirmed, waiting, banned := newAddress(), newAddress(), newAddress()
	d.confirmed(t, confirmed)
	d.confirmed(t, banned)
	d.ok(t, "POST", "/signup", credentials(waiting, password))
	d.Mail.Wait(t, waiting, 1)
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set disabled = true where email = $1`, banned); err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]func(email string) string{
		"/signup":  func(email string) string { return credentials(email, password) },
		"/recover": func(email string) string { return `{"email":"` + email + `"}` },
		"/resend":  func(email string) string { return `{"type":"signup","email":"` + email + `"}` },
	} {
		for who, email := range map[string]string{"confirmed": confirmed, "waiting": waiting, "banned": banned, "nobody": newAddress()} {
			d.Clock.Advance(2 * time.Minute)
			if a := d.ask(t, "POST", path, body(email)); a.status != http.StatusOK {
				t.Errorf("%s of %s: %+v", path, who, a)
			}
			again := d.ask(t, "POST", path, body(email))
			again.tooSoon(t, overMails, 90)
			d.Clock.Advance(91 * time.Second)
			if a := d.ask(t, "POST", path, body(email)); a.status != http.StatusOK {
				t.Errorf("%s of %s, after the interval: %+v", path, who, a)
			}
		}
	}
}

// TestIntervalsBetweenMails are those of GoTrue: one for each kind of mail, and one for links to sign in and to reset a password.
func TestIntervalsBetweenMails(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": adminSecret, "AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"}))
	email := newAddress()
	d.ask(t, "POST", "/signup", credentials(email, "short")).refused(t, 422, "weak_password") // takes no turn
	session := d.confirmed(t, email)
	d.ask(t, "POST", "/signup", credentials(email, password)).tooSoon(t, overMails, 60)
	d.ask(t, "POST", "/resend", `{"type":"signup","email":"`+email+`"}`).tooSoon(t, overMails, 60)

	d.ok(t, "POST", "/recover", `{"email":"`+email+`"}`) // of another kind
	for _, path := range []string{"/recover", "/otp", "/magiclink"} {
		d.ask(t, "POST", path, `{"email":"`+email+`"}`).tooSoon(t, overMails, 60)
	}
	d.ok(t, "POST", "/otp", `{"email":"`+newAddress()+`"}`) // somebody else

	by := []string{"Authorization", bearer(session)}
	d.ok(t, "PUT", "/user", `{"email":"`+newAddress()+`"}`, by...)
	other := newAddress()
	d.ask(t, "PUT", "/user", `{"email":"`+other+`","data":{"a":1}}`, by...).tooSoon(t, overMails, 60)
	u := d.ok(t, "PUT", "/user", `{"email":"`+email+`"}`, by...) // which is the one they have
	if u["user_metadata"].(map[string]any)["a"] != nil {
		t.Error("a change that was refused was made in part")
	}
	d.ok(t, "GET", "/reauthenticate", "", by...)
	d.ask(t, "GET", "/reauthenticate", "", by...).tooSoon(t, overMails, 60)

	for range 2 { // the other door has no intervals
		if a := d.byHasura(t, "POST", "/user/password/reset", `{"email":"`+email+`"}`); a.status != http.StatusOK {
			t.Errorf("the other door: %+v", a)
		}
	}
	for range 2 { // and whoever operates the service waits for nobody
		d.ok(t, "POST", "/invite", `{"email":"`+other+`"}`, "X-Hasura-Admin-Secret", adminSecret)
	}
}

// TestIntervalsBetweenTexts are those of the number, and of the user who asks for another.
func TestIntervalsBetweenTexts(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "GOTRUE_SMS_MAX_FREQUENCY": "30s", "AUTH_RATE_LIMIT_SMS_BURST": "1000"}))
	phone, other := newPhone(t), newPhone(t)
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	d.ask(t, "POST", "/otp", `{"phone":"+`+phone+`"}`).tooSoon(t, overTexts, 30)
	d.ask(t, "POST", "/resend", `{"type":"sms","phone":"`+phone+`"}`).tooSoon(t, overTexts, 30)
	d.ask(t, "POST", "/signup", `{"phone":"`+phone+`","password":"`+password+`"}`).tooSoon(t, overTexts, 30)
	d.ok(t, "POST", "/resend", `{"type":"sms","phone":"`+other+`"}`) // nobody's, and nobody learns it
	d.ask(t, "POST", "/resend", `{"type":"sms","phone":"`+other+`"}`).tooSoon(t, overTexts, 30)
	d.ask(t, "POST", "/otp", `{"phone":"`+newPhone(t)+`","create_user":false}`).refused(t, 422, "otp_disabled")

	by := []string{"Authorization", bearer(d.ok(t, "POST", "/verify", `{"type":"sms","phone":"`+phone+`","token":"`+d.texted(t, phone, 1)+`"}`))}
	d.ok(t, "PUT", "/user", `{"phone":"`+other+`"}`, by...)
	d.ask(t, "POST", "/resend", `{"type":"phone_change","phone":"`+other+`"}`).tooSoon(t, overTexts, 30)
	d.ask(t, "PUT", "/user", `{"phone":"`+newPhone(t)+`"}`, by...).tooSoon(t, overTexts, 30)
	d.texted(t, other, 1)
	d.Clock.Advance(31 * time.Second)
	d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+other+`"}`)
	d.texted(t, other, 2)
}

// TestOneTurnAtOnce has many ask at the same moment, on two replicas.
func TestOneTurnAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(nil))
	houses := []door{d, {d.Beside(t, testhouse.OnClock(d.Clock))}}
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	code, _ := d.mailed(t, email, 1)
	d.ok(t, "POST", "/verify", `{"type":"signup","email":"`+email+`","token":"`+code+`"}`)
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for i := range 12 {
		all.Go(func() {
			a := houses[i%2].ask(t, "POST", "/recover", `{"email":"`+email+`"}`)
			mu.Lock()
			defer mu.Unlock()
			count[a.status]++
		})
	}
	all.Wait()
	if count[200] != 1 || count[429] != 11 {
		t.Errorf("answers %v", count)
	}
}

// TestWhatAllClientsMaySend is counted for all of them together, at every door and on every replica.
func TestWhatAllClientsMaySend(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{
		"GOTRUE_RATE_LIMIT_EMAIL_SENT": "3", "GOTRUE_RATE_LIMIT_SMS_SENT": "2/30m", "AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_TRUSTED_PROXIES": "127.0.0.1",
		"HASURA_GRAPHQL_ADMIN_SECRET": adminSecret,
	}))
	other := door{d.Beside(t, testhouse.OnClock(d.Clock))}
	from := func(n string) []string { return []string{"X-Forwarded-For", "203.0.113." + n} }
	d.ok(t, "POST", "/recover", `{"email":"`+newAddress()+`"}`, from("1")...)
	other.ok(t, "POST", "/otp", `{"email":"`+newAddress()+`"}`, from("2")...)
	d.ask(t, "POST", "/signup", credentials(newAddress(), "short"), from("3")...).refused(t, 422, "weak_password") // which sends nothing
	d.ask(t, "POST", "/otp", `{"phone":"0"}`, from("3")...).refused(t, 400, "validation_failed")
	if a := d.byHasura(t, "POST", "/user/password/reset", `{"email":"`+newAddress()+`"}`, from("3")...); a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	for _, h := range []door{d, other} {
		a := h.ask(t, "POST", "/signup", credentials(newAddress(), password), from("4")...)
		a.refused(t, 429, overMails)
		if a.said(t)["msg"] != "email rate limit exceeded" || a.header.Get("Retry-After") == "" {
			t.Errorf("%+v", a)
		}
	}
	if a := d.byHasura(t, "POST", "/user/password/reset", `{"email":"`+newAddress()+`"}`, from("5")...); a.status != http.StatusTooManyRequests {
		t.Errorf("the other door: %+v", a)
	}
	d.ok(t, "POST", "/invite", `{"email":"`+newAddress()+`"}`, "X-Hasura-Admin-Secret", adminSecret)

	for range 2 { // text messages have their own count
		d.ok(t, "POST", "/otp", `{"phone":"`+newPhone(t)+`"}`, from("6")...)
	}
	d.ask(t, "POST", "/otp", `{"phone":"`+newPhone(t)+`"}`, from("7")...).refused(t, 429, overTexts)

	d.Clock.Advance(21 * time.Minute) // a third of the hour
	d.ok(t, "POST", "/recover", `{"email":"`+newAddress()+`"}`, from("8")...)
	d.ask(t, "POST", "/recover", `{"email":"`+newAddress()+`"}`, from("9")...).refused(t, 429, overMails)
}
