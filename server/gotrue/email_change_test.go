package gotrue_test

import (
	"net/url"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

func (d door) newEmail(t testing.TB, session map[string]any, email, more string) map[string]any {
	t.Helper()
	return d.ok(t, "PUT", "/user", `{"email":"`+email+`"`+more+`}`, "Authorization", bearer(session))
}

func (d door) approve(t testing.TB, email, code string) answer {
	t.Helper()
	return d.ask(t, "POST", "/verify", `{"type":"email_change","email":"`+email+`","token":"`+code+`"}`)
}

// TestBothAddressesConfirmAChange changes an address by the codes of both mails, in either order; and by the links.
func TestBothAddressesConfirmAChange(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	for name, newFirst := range map[string]bool{"the new one first": true, "the current one first": false} {
		t.Run(name, func(t *testing.T) {
			email, next := newAddress(), newAddress()
			s := d.confirmed(t, email)
			if u := d.newEmail(t, s, next, ""); u["email"] != email || u["new_email"] != next {
				t.Errorf("%v", u)
			}
			there, _ := d.mailed(t, next, 1)
			here, _ := d.mailed(t, email, 2)
			first, firstCode, second, secondCode := next, there, email, here
			if !newFirst {
				first, firstCode, second, secondCode = email, here, next, there
			}
			if there != here {
				d.approve(t, first, secondCode).refused(t, 403, "otp_expired")
			}
			half := d.approve(t, first, firstCode)
			if half.status != 200 || half.said(t)["code"] != "200" || half.said(t)["msg"] == "" || half.said(t)["access_token"] != nil {
				t.Fatalf("%+v", half)
			}
			d.approve(t, first, firstCode).refused(t, 403, "otp_expired") // once is enough, and twice is not both
			if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(s)); u["email"] != email {
				t.Errorf("%v", u)
			}
			is := d.approve(t, second, secondCode).said(t)
			if u := userIn(is); u["email"] != next || u["new_email"] != nil || u["email_confirmed_at"] == nil {
				t.Errorf("%v", u)
			}
			d.ok(t, "POST", "/token?grant_type=password", credentials(next, password))
			d.ask(t, "POST", "/token?grant_type=password", credentials(email, password)).refused(t, 400, "invalid_credentials")
		})
	}
	t.Run("links", func(t *testing.T) {
		email, next := newAddress(), newAddress()
		s := d.confirmed(t, email)
		verifier, challenge := testhouse.Verifier()
		d.newEmail(t, s, next, `,"code_challenge":"`+challenge+`","code_challenge_method":"s256"`)
		_, link := d.mailed(t, next, 1)
		a := d.ask(t, "GET", "/verify?"+link.RawQuery, "")
		to, err := url.Parse(a.header.Get("Location"))
		if err != nil || a.status != 303 || !to.Query().Has("message") || !strings.Contains(to.Fragment, "message=") || to.Query().Has("code") {
			t.Fatalf("%+v", a)
		}
		_, link = d.mailed(t, email, 2)
		a = d.ask(t, "GET", "/verify?"+link.RawQuery, "")
		to, _ = url.Parse(a.header.Get("Location"))
		is := d.ok(t, "POST", "/token?grant_type=pkce", `{"auth_code":"`+to.Query().Get("code")+`","code_verifier":"`+verifier+`"}`)
		if u := userIn(is); u["email"] != next {
			t.Errorf("%v", u)
		}
	})
}

// TestAThiefOfASessionDoesNotChangeTheAddress asks for the thief's address at both doors, and confirms it there: whatever they ask for
// next, the mail to the owner is what is missing.
func TestAThiefOfASessionDoesNotChangeTheAddress(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	for name, byHasura := range map[string]bool{"at this door": false, "at the other": true} {
		t.Run(name, func(t *testing.T) {
			email, thief := newAddress(), newAddress()
			s := d.confirmed(t, email)
			ask := func(email string) {
				if !byHasura {
					d.newEmail(t, s, email, "")
				} else if a := d.byHasura(t, "POST", "/user/email/change", `{"newEmail":"`+email+`"}`, "Authorization", bearer(s)); a.status != 200 {
					t.Fatalf("%+v", a)
				}
			}
			ask(thief)
			_, link := d.mailed(t, thief, 1)
			resp, body := d.DoAt(t, "GET", link.String(), "")
			defer resp.Body.Close()
			if to := resp.Header.Get("Location"); resp.StatusCode/100 != 3 || strings.Contains(to, "efresh") || strings.Contains(to, "code=") || strings.Contains(to, "rror") {
				t.Fatalf("%d %s %s", resp.StatusCode, to, body)
			}
			if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(s)); u["email"] != email {
				t.Fatalf("the address is the thief's: %v", u)
			}
			// The owner then changes the address: what they confirm is not what the thief asked for.
			next := newAddress()
			ask(next)
			d.Mail.Wait(t, email, 3) // the sign-up, the thief's, this
			_, own := d.mailed(t, email, 3)
			resp, _ = d.DoAt(t, "GET", own.String(), "")
			defer resp.Body.Close()
			if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(s)); u["email"] != email {
				t.Fatalf("one mail changed the address: %v", u)
			}
			_, there := d.mailed(t, next, 1)
			resp, _ = d.DoAt(t, "GET", there.String(), "")
			defer resp.Body.Close()
			if u := d.ok(t, "GET", "/user", "", "Authorization", bearer(s)); u["email"] != next {
				t.Fatalf("both mails did not: %v", u)
			}
		})
	}
}

// TestOneAddressConfirmsAChangeWhereTheOperatorSaysSo is GoTrue's other way, and that of Hasura Auth's door where this one is closed.
func TestOneAddressConfirmsAChangeWhereTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_SECURE_EMAIL_CHANGE_ENABLED": "false"})
	s, next := d.confirmed(t, newAddress()), newAddress()
	d.newEmail(t, s, next, "")
	code, _ := d.mailed(t, next, 1)
	if u := userIn(d.approve(t, next, code).said(t)); u["email"] != next {
		t.Errorf("%v", u)
	}
}

// TestAChangeOfAddressIsMailedAgain has the mails of a change come once more, for whoever names the current address, while the session is there that
// asked for it. Nobody learns whether anything came.
func TestAChangeOfAddressIsMailedAgain(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email, next := newAddress(), newAddress()
	s := d.confirmed(t, email)
	resend := func(email string) {
		t.Helper()
		if a := d.ask(t, "POST", "/resend", `{"type":"email_change","email":"`+email+`"}`); a.status != 200 || strings.TrimSpace(a.body) != "{}" {
			t.Errorf("%+v", a)
		}
	}
	resend(email) // there is none to be mailed
	d.newEmail(t, s, next, "")
	there, _ := d.mailed(t, next, 1)
	here, _ := d.mailed(t, email, 2)
	if half := d.approve(t, next, there); half.said(t)["code"] != "200" {
		t.Fatalf("%+v", half)
	}
	for _, nobody := range []string{newAddress(), next} {
		resend(nobody)
	}
	resend(email)
	again, _ := d.mailed(t, next, 2)
	hereAgain, _ := d.mailed(t, email, 3)
	if here != hereAgain {
		d.approve(t, email, here).refused(t, 403, "otp_expired")
	}
	if half := d.approve(t, email, hereAgain); half.said(t)["code"] != "200" { // the new one is asked again, too
		t.Fatalf("%+v", half)
	}
	if u := userIn(d.approve(t, next, again).said(t)); u["email"] != next {
		t.Errorf("%v", u)
	}
	resend(next) // it is done

	last := newAddress()
	asking := d.ok(t, "POST", "/token?grant_type=password", credentials(next, password))
	d.newEmail(t, asking, last, "")
	d.mailed(t, last, 1)
	d.ask(t, "POST", "/logout?scope=local", "", "Authorization", bearer(asking))
	made := func() string {
		return d.holds(t, `select count(*)::text from auth.tickets where email = $1 or payload ->> 'for' = $1`, last)
	}
	before := made()
	resend(next) // the session is gone that asked for it
	if after := made(); after != before {
		t.Errorf("%s links and codes, and %s before", after, before)
	}
}

// TestOperatorsMailAChangeThemselves takes both links, where both addresses confirm.
func TestOperatorsMailAChangeThemselves(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email, next := newAddress(), newAddress()
	d.confirmed(t, email)
	made := map[string]string{}
	for _, kind := range []string{"email_change_new", "email_change_current"} {
		out := d.ok(t, "POST", "/admin/generate_link", `{"type":"`+kind+`","email":"`+email+`","new_email":"`+next+`"}`, "Authorization", serviceKey())
		if out["verification_type"] != kind || out["new_email"] != next {
			t.Errorf("%v", out)
		}
		made[kind] = out["email_otp"].(string)
	}
	if half := d.approve(t, email, made["email_change_current"]); half.said(t)["code"] != "200" {
		t.Fatalf("%+v", half)
	}
	if u := userIn(d.approve(t, next, made["email_change_new"]).said(t)); u["email"] != next {
		t.Errorf("%v", u)
	}
	if n := len(d.Mail.To(next)); n != 0 {
		t.Errorf("%d mails", n)
	}
}
