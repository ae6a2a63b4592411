package gotrue_test

import (
	"strings"
	"testing"
	"time"
)

const byNumbers = "AUTH_SMS_PASSWORDLESS_ENABLED"

func byPhone(phone, password string) string {
	return `{"phone":"` + phone + `","password":"` + password + `"}`
}

// proved signs somebody up by a number and a password, and gives the session that the code opened.
func (d door) proved(t testing.TB, phone string) map[string]any {
	t.Helper()
	d.ok(t, "POST", "/signup", byPhone(phone, password))
	return d.typed(t, "sms", phone, d.texted(t, phone, 1))
}

// typed verifies a code of a text message.
func (d door) typed(t testing.TB, kind, phone, code string) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/verify", `{"type":"`+kind+`","phone":"`+phone+`","token":"`+code+`"}`)
}

func userIn(session map[string]any) map[string]any { return session["user"].(map[string]any) }

// TestPasswordsWithNumbers signs up and in by a number and a password.
func TestPasswordsWithNumbers(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	phone := newPhone(t)
	login := "/token?grant_type=password"
	asked := d.ok(t, "POST", "/signup", `{"phone":"+`+phone+`","password":"`+password+`","channel":"sms","data":{"theme":"dark"}}`)
	if asked["phone"] != phone || asked["email"] != "" || asked["phone_confirmed_at"] != nil || asked["access_token"] != nil || len(asked["identities"].([]any)) != 1 {
		t.Errorf("%v", asked)
	}
	d.ask(t, "POST", login, byPhone(phone, password)).refused(t, 400, "phone_not_confirmed")
	d.ask(t, "POST", login, byPhone(phone, "another password")).refused(t, 400, "invalid_credentials")
	d.ask(t, "POST", login, byPhone(newPhone(t), password)).refused(t, 400, "invalid_credentials")
	d.ask(t, "POST", login, byPhone("no number", password)).refused(t, 400, "invalid_credentials")

	d.SMS(t, "+"+phone, 1)
	again := d.ok(t, "POST", "/signup", byPhone(phone, password)) // the same person
	if again["id"] != asked["id"] {
		t.Errorf("%v", again)
	}
	s := d.typed(t, "sms", phone, d.texted(t, phone, 2))
	u := userIn(s)
	if u["id"] != asked["id"] || u["phone_confirmed_at"] == nil || u["user_metadata"].(map[string]any)["theme"] != "dark" {
		t.Errorf("%v", u)
	}
	s = d.ok(t, "POST", login, byPhone("+"+phone, password))
	if userIn(s)["id"] != asked["id"] || methods(t, s)[0] != "password" || claims(t, s)["phone"] != phone {
		t.Errorf("%v", s)
	}
	d.ask(t, "POST", login, byPhone(phone, "another password")).refused(t, 400, "invalid_credentials")
	change := func(body string) answer { return d.ask(t, "PUT", "/user", body, "Authorization", bearer(s)) }
	change(`{"password":"`+password+`"}`).refused(t, 422, "same_password")
	if a := change(`{"password":"a second long one"}`); a.status != 200 {
		t.Errorf("%+v", a)
	}
	d.ok(t, "POST", login, byPhone(phone, "a second long one"))

	for body, want := range map[string]string{
		`{"phone":"` + phone + `","password":"x"}`:                                     "weak_password",
		`{"phone":"12","password":""}`:                                                 "validation_failed",
		`{"phone":"no number","password":"` + password + `"}`:                          "validation_failed",
		`{"phone":"` + phone + `","password":"` + password + `","channel":"whatsapp"}`: "validation_failed",
		`{"phone":"` + phone + `","password":"` + password + `","code_challenge":"` + strings.Repeat("a", 43) + `","code_challenge_method":"s256"}`: "validation_failed",
	} {
		if a := d.ask(t, "POST", "/signup", body); a.code(t) != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
	off := open(t, nil)
	off.ask(t, "POST", "/signup", byPhone(phone, password)).refused(t, 400, "phone_provider_disabled")
	off.ask(t, "POST", login, byPhone(phone, password)).refused(t, 422, "phone_provider_disabled")
}

// TestTrap05ObfuscatedDuplicatesOfNumbers answers who signs up with somebody's number as if nobody had it, and sends nothing.
func TestTrap05ObfuscatedDuplicatesOfNumbers(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	phone := newPhone(t)
	u := userIn(d.proved(t, phone))
	fake := d.ok(t, "POST", "/signup", `{"phone":"`+phone+`","password":"a stranger's","data":{"theme":"red"}}`)
	if fake["id"] == u["id"] || fake["phone"] != phone || fake["role"] != "" || len(fake["identities"].([]any)) != 0 || fake["phone_confirmed_at"] != nil {
		t.Errorf("%v", fake)
	}
	d.ask(t, "POST", "/token?grant_type=password", byPhone(phone, "a stranger's")).refused(t, 400, "invalid_credentials")
	d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
	if n := len(d.SMS(t, "+"+phone, 2)); n != 2 { // of the sign-up and of this
		t.Errorf("%d messages", n)
	}
}

// TestNothingOfStrangersSurvivesTheProofOfANumber has a stranger say things of the account of a number before its owner proves that it
// is theirs: by a sign-up, by a request for a code, first or in between.
func TestNothingOfStrangersSurvivesTheProofOfANumber(t *testing.T) {
	t.Parallel()
	evil, good := `,"data":{"theme":"evil","name":"Mallory"}}`, `,"data":{"theme":"good"}}`
	otp := func(phone, data string) (string, string) { return "/otp", `{"phone":"` + phone + `"` + data }
	signUp := func(password string) func(phone, data string) (string, string) {
		return func(phone, data string) (string, string) {
			return "/signup", `{"phone":"` + phone + `","password":"` + password + `"` + data
		}
	}
	for name, test := range map[string]struct {
		stranger, owner func(phone, data string) (string, string)
		ownerFirst      bool
	}{
		"a code, then a code":         {otp, otp, false},
		"a code, then a sign-up":      {otp, signUp(password), false},
		"a sign-up, then a code":      {signUp("a stranger's"), otp, false},
		"a sign-up, then another":     {signUp("a stranger's"), signUp(password), false},
		"a code after the code":       {otp, otp, true},
		"a sign-up after the code":    {signUp("a stranger's"), otp, true},
		"a sign-up after the sign-up": {signUp("a stranger's"), signUp(password), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, map[string]string{byNumbers: "true"})
			phone := newPhone(t)
			ask := func(who func(phone, data string) (string, string), data string) {
				path, body := who(phone, data)
				d.ok(t, "POST", path, body)
			}
			if test.ownerFirst {
				ask(test.owner, good)
				d.SMS(t, "+"+phone, 1)
				ask(test.stranger, evil)
			} else {
				ask(test.stranger, evil)
				d.SMS(t, "+"+phone, 1)
				ask(test.owner, good)
			}
			u := userIn(d.typed(t, "sms", phone, d.texted(t, phone, 2)))
			said := u["user_metadata"].(map[string]any)
			if said["theme"] != nil || said["name"] != nil || u["phone_confirmed_at"] == nil {
				t.Errorf("%v", u)
			}
			for _, p := range []string{password, "a stranger's"} {
				d.ask(t, "POST", "/token?grant_type=password", byPhone(phone, p)).refused(t, 400, "invalid_credentials")
			}
			var name, metadata string
			if err := d.Store.Pool().QueryRow(t.Context(), `select display_name, coalesce(metadata::text, '') from auth.users where id = $1`, u["id"]).Scan(&name, &metadata); err != nil || name != "+"+phone || metadata != "" {
				t.Errorf("%q %s %v", name, metadata, err)
			}
		})
	}
}

// TestNothingOfStrangersSurvivesAMailToSignIn is the same of an address.
func TestNothingOfStrangersSurvivesAMailToSignIn(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.ok(t, "POST", "/otp", `{"email":"`+email+`","data":{"theme":"evil"}}`)
	d.Mail.Wait(t, email, 1)
	d.ok(t, "POST", "/otp", `{"email":"`+email+`","data":{"theme":"good"}}`)
	code, _ := d.mailed(t, email, 2)
	u := userIn(d.ok(t, "POST", "/verify", `{"type":"email","email":"`+email+`","token":"`+code+`"}`))
	if u["user_metadata"].(map[string]any)["theme"] != nil {
		t.Errorf("%v", u)
	}
}

// TestWhatOneSaysTwiceStays has the same person ask twice.
func TestWhatOneSaysTwiceStays(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	phone := newPhone(t)
	for n := range 2 {
		d.ok(t, "POST", "/otp", `{"phone":"`+phone+`","data":{"theme":"dark"}}`)
		d.SMS(t, "+"+phone, n+1)
	}
	d.ok(t, "POST", "/resend", `{"type":"sms","phone":"`+phone+`"}`)
	u := userIn(d.typed(t, "sms", phone, d.texted(t, phone, 3)))
	if u["user_metadata"].(map[string]any)["theme"] != "dark" {
		t.Errorf("%v", u)
	}
}

// TestANumberIsNoSecondBudgetForPasswords guesses at one account by its address and by its number.
func TestANumberIsNoSecondBudgetForPasswords(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	phone, email := newPhone(t), newAddress()
	s := d.confirmed(t, email)
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, userIn(s)["id"], "+"+phone); err != nil {
		t.Fatal(err)
	}
	login := "/token?grant_type=password"
	d.ok(t, "POST", login, byPhone(phone, password))
	d.ask(t, "POST", login, byPhone(phone, "wrong wrong")).refused(t, 400, "invalid_credentials")
	tag, err := d.Store.Pool().Exec(t.Context(), `update auth.security_counters set count = 100 where key = 'password:account:' || $1 and count = 1`, email)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("a guess by the number does not count for the address: %v", err)
	}
	for name, a := range map[string]answer{
		"by the address": d.ask(t, "POST", login, credentials(email, password)), "by the number": d.ask(t, "POST", login, byPhone(phone, password)),
	} {
		if a.status != 429 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// TestPhoneChange gives a user another number by the code that is sent there.
func TestPhoneChange(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	old, phone := newPhone(t), newPhone(t)
	s := d.proved(t, old)
	other := d.ok(t, "POST", "/token?grant_type=password", byPhone(old, password))
	taken := newPhone(t)
	d.proved(t, taken)
	change := func(s map[string]any, phone string) answer {
		return d.ask(t, "PUT", "/user", `{"phone":"`+phone+`","channel":"sms"}`, "Authorization", bearer(s))
	}
	change(s, taken).refused(t, 422, "phone_exists")
	change(s, "no number").refused(t, 400, "validation_failed")
	if u := change(s, old).said(t); u["new_phone"] != nil { // which they have
		t.Errorf("%v", u)
	}
	u := change(s, phone).said(t)
	if u["phone"] != old || u["new_phone"] != phone || u["phone_change_sent_at"] == nil {
		t.Errorf("%v", u)
	}
	code := d.texted(t, phone, 1)
	verify := func(kind, phone, code string) answer {
		return d.ask(t, "POST", "/verify", `{"type":"`+kind+`","phone":"`+phone+`","token":"`+code+`"}`)
	}
	verify("sms", phone, code).refused(t, 403, "otp_expired")
	verify("phone_change", old, code).refused(t, 403, "otp_expired")
	d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+old+`"}`)
	d.SMS(t, "+"+phone, 2)
	d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+phone+`"}`)
	d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+newPhone(t)+`"}`) // nobody's
	if latest := d.texted(t, phone, 3); latest != code {
		verify("phone_change", phone, code).refused(t, 403, "otp_expired")
	}
	code = d.texted(t, phone, 3)
	changed := d.typed(t, "phone_change", phone, code)
	u = userIn(changed)
	if u["id"] != userIn(s)["id"] || u["phone"] != phone || u["new_phone"] != nil || u["phone_confirmed_at"] == nil || methods(t, changed)[0] != "otp" {
		t.Errorf("%v", u)
	}
	verify("phone_change", phone, code).refused(t, 403, "otp_expired")
	d.ok(t, "GET", "/user", "", "Authorization", bearer(changed))
	d.ok(t, "GET", "/user", "", "Authorization", bearer(s)) // that asked for it
	d.ask(t, "GET", "/user", "", "Authorization", bearer(other)).refused(t, 403, "session_not_found")
	d.ok(t, "POST", "/token?grant_type=password", byPhone(phone, password))
	d.ask(t, "POST", "/token?grant_type=password", byPhone(old, password)).refused(t, 400, "invalid_credentials")
}

// TestANumberDoesNotOutliveTheSessionThatAskedForIt has a thief ask for a number of theirs, and the owner end the session.
func TestANumberDoesNotOutliveTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	email, phone := newAddress(), newPhone(t)
	s := d.confirmed(t, email)
	thief := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	d.ok(t, "PUT", "/user", `{"phone":"`+phone+`"}`, "Authorization", bearer(thief))
	if a := d.ask(t, "POST", "/logout?scope=others", "", "Authorization", bearer(s)); a.status != 204 {
		t.Fatalf("%+v", a)
	}
	d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+phone+`"}`)
	d.ask(t, "POST", "/verify", `{"type":"phone_change","phone":"`+phone+`","token":"`+d.texted(t, phone, 2)+`"}`).refused(t, 403, "otp_expired")

	// What was asked for at the other door is typed there, in the session.
	thief = d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	if a := d.byHasura(t, "POST", "/user/phone-number/change", `{"newPhoneNumber":"+`+phone+`"}`, "Authorization", bearer(thief)); a.status != 200 {
		t.Logf("%+v", a)
	} else {
		code := d.texted(t, phone, 3)
		d.ask(t, "POST", "/verify", `{"type":"phone_change","phone":"`+phone+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
		d.ok(t, "POST", "/resend", `{"type":"phone_change","phone":"`+phone+`"}`)
	}
}

// TestTrap15CodesOfNewNumbersAreGuessedFiveTimes is what GoTrue leaves open; and a code ends in time.
func TestTrap15CodesOfNewNumbersAreGuessedFiveTimes(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	s := d.confirmed(t, newAddress())
	phone := newPhone(t)
	verify := func(code string) answer {
		return d.ask(t, "POST", "/verify", `{"type":"phone_change","phone":"`+phone+`","token":"`+code+`"}`)
	}
	d.ok(t, "PUT", "/user", `{"phone":"`+phone+`"}`, "Authorization", bearer(s))
	code := d.texted(t, phone, 1)
	for range 5 {
		verify("000000").refused(t, 403, "otp_expired")
	}
	verify(code).refused(t, 403, "otp_expired")
	d.ok(t, "PUT", "/user", `{"phone":"`+phone+`"}`, "Authorization", bearer(s))
	code = d.texted(t, phone, 2)
	d.Clock.Advance(6 * time.Minute)
	verify(code).refused(t, 403, "otp_expired")
}
