package gotrue_test

import "testing"

// TestT04NumbersOfAPreHijackedAccountEndWithAReset signs up with the victim's address where that need not be confirmed, and puts a number
// of its own beside it. The victim, who finds the address taken, resets the password. Who has confirmed their address keeps everything.
func TestT04NumbersOfAPreHijackedAccountEndWithAReset(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	for name, tt := range map[string]struct{ confirmed, link bool }{
		"by the code": {}, "by the link": {link: true}, "a confirmed address": {confirmed: true},
	} {
		t.Run(name, func(t *testing.T) {
			email, phone := newAddress(), newPhone(t)
			maker := d.ok(t, "POST", "/signup", credentials(email, password))
			d.ok(t, "PUT", "/user", `{"phone":"`+phone+`"}`, "Authorization", bearer(maker))
			d.typed(t, "phone_change", phone, d.texted(t, phone, 1))
			d.Mail.Wait(t, email, 1) // that the number was changed: mails of one moment come in any order
			if tt.confirmed {
				if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set email_verified = true where email = $1`, email); err != nil {
					t.Fatal(err)
				}
			}
			d.ok(t, "POST", "/recover", `{"email":"`+email+`"}`)
			code, link := d.mailed(t, email, 2)
			body := `{"type":"recovery","email":"` + email + `","token":"` + code + `"}`
			if tt.link {
				body = `{"type":"recovery","token_hash":"` + link.Query().Get("token") + `"}`
			}
			s := d.ok(t, "POST", "/verify", body)
			if number := userIn(s)["phone"]; (number == phone) != tt.confirmed {
				t.Errorf("the number is %v", number)
			}
			d.ok(t, "PUT", "/user", `{"password":"of the true owner"}`, "Authorization", bearer(s))
			d.ok(t, "POST", "/token?grant_type=password", credentials(email, "of the true owner"))
			d.ask(t, "GET", "/user", "", "Authorization", bearer(maker)).refused(t, 403, "session_not_found")
			d.ok(t, "POST", "/otp", `{"phone":"`+phone+`"}`)
			again := d.typed(t, "sms", phone, d.texted(t, phone, 2))
			if same := userIn(again)["id"] == userIn(s)["id"]; same != tt.confirmed {
				t.Errorf("the number leads into the account: %v", same)
			}
		})
	}
}

// TestAnAddressDoesNotOutliveTheSessionThatAskedForIt has a thief ask for an address of theirs, and the owner throw the thief out. What
// the owner asked for goes on.
func TestAnAddressDoesNotOutliveTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{byNumbers: "true"})
	for name, own := range map[string]bool{"of a thief": false, "of the owner": true} {
		t.Run(name, func(t *testing.T) {
			phone, email := newPhone(t), newAddress()
			owner := d.proved(t, phone)
			asks := d.ok(t, "POST", "/token?grant_type=password", byPhone(phone, password))
			if own {
				asks = owner
			}
			d.ok(t, "PUT", "/user", `{"email":"`+email+`"}`, "Authorization", bearer(asks))
			code, link := d.mailed(t, email, 1)
			if a := d.ask(t, "POST", "/logout?scope=others", "", "Authorization", bearer(owner)); a.status != 204 {
				t.Fatalf("%+v", a)
			}
			typed := `{"type":"email_change","email":"` + email + `","token":"` + code + `"}`
			if own {
				d.ok(t, "POST", "/verify", typed)
				return
			}
			d.ask(t, "POST", "/verify", typed).refused(t, 403, "otp_expired")
			d.ask(t, "POST", "/verify", `{"type":"email_change","token_hash":"`+link.Query().Get("token")+`"}`).refused(t, 403, "otp_expired")
			if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(owner)); u["email"] != "" || u["new_email"] != nil {
				t.Errorf("%v", u)
			}
		})
	}
}
