package hasura_test

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/house"
	"postern/tokens"
)

const (
	askMail, askMailSignUp, typeMail = "/signin/otp/email", "/signup/otp/email", "/signin/otp/email/verify"
	askText, askTextSignUp, typeText = "/signin/passwordless/sms", "/signup/passwordless/sms", "/signin/passwordless/sms/otp"
	changePhone, confirmPhone        = "/user/phone-number/change", "/user/phone-number/change/verify"
)

// newNumber is a phone number that nobody has.
func newNumber() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("+4179%09d", (uint64(b[0])<<24|uint64(b[1])<<16|uint64(b[2])<<8|uint64(b[3]))%1_000_000_000)
}

// other is a code of the same length that is another one.
func other(code string) string {
	first := "0"
	if strings.HasPrefix(code, "0") {
		first = "1"
	}
	return first + code[1:]
}

// mailedCode is the code of the n-th mail with a code to an address.
func (d doorway) mailedCode(t testing.TB, email string, n int) string {
	t.Helper()
	return d.mail(t, email, "signin-otp", n).Ticket
}

// textedCode is the code of the n-th text message to a number.
func (d doorway) textedCode(t testing.TB, number string, n int) string {
	t.Helper()
	return regexp.MustCompile(`\d{6,10}`).FindString(d.SMS(t, number, n)[n-1].Text)
}

// phonePerson makes a user without an address, signed in by a text message.
func (d doorway) phonePerson(t testing.TB) (number string, s fullSession) {
	t.Helper()
	number = newNumber()
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	return number, d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)}).session(t)
}

func TestSignInByMailedCode(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)

	t.Run("creates who is unknown, verified once the code is typed", func(t *testing.T) {
		email := newAddress()
		d.ask(t, "POST", askMail, fields{"email": email, "options": fields{"displayName": "New Here", "metadata": fields{"a": 1}}}).ok(t)
		code := d.mailedCode(t, email, 1)
		if !regexp.MustCompile(`^\d{6}$`).MatchString(code) {
			t.Errorf("X-Ticket is %q, want six digits", code)
		}
		if value[bool](t, d, `select email_verified from auth.users where email = $1`, email) {
			t.Error("verified before the code is typed")
		}
		s := d.ask(t, "POST", typeMail, fields{"email": strings.ToUpper(email), "otp": code[:3] + " " + code[3:]}).session(t)
		if s.user["emailVerified"] != true || s.user["displayName"] != "New Here" {
			t.Errorf("user %v", s.user)
		}
		if amr := value[string](t, d, `select amr->0->>'method' from auth.refresh_tokens where id = $1`, s.RefreshTokenID); amr != "otp" {
			t.Errorf("amr %s", amr)
		}
		d.ask(t, "POST", typeMail, fields{"email": email, "otp": code}).refused(t, 400, "invalid-otp", "Invalid or expired OTP")
	})

	t.Run("signs in who is known, and ignores their options", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", askMail, fields{"email": p.email, "options": fields{"displayName": "Somebody Else"}}).ok(t)
		s := d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 1)}).session(t)
		if s.User.ID != p.User.ID || s.user["displayName"] == "Somebody Else" {
			t.Errorf("user %v", s.user)
		}
	})

	t.Run("the newest code counts", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
		first := d.mailedCode(t, p.email, 1)
		d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
		second := d.mailedCode(t, p.email, 2)
		if second != first {
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": first}).refused(t, 400, "invalid-otp", "")
		}
		d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": second}).session(t)
	})

	t.Run("code and link of a mail are one secret", func(t *testing.T) {
		for _, first := range []string{"code", "link"} {
			p := d.person(t)
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			mail := d.mail(t, p.email, "signin-otp", 1)
			u, err := url.Parse(mail.Link)
			if err != nil || !strings.HasPrefix(u.Query().Get("ticket"), "passwordlessEmail:") || u.Query().Get("type") != "signinPasswordless" {
				t.Fatalf("the link is %s", mail.Link)
			}
			if first == "code" {
				d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": mail.Ticket}).session(t)
				d.ask(t, "GET", pathOf(t, mail), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
				continue
			}
			if _, q := d.ask(t, "GET", pathOf(t, mail), nil).redirect(t, 302); q.Get("refreshToken") == "" || q.Get("type") != "passwordlessEmail" {
				t.Errorf("the link leads to %v", q)
			}
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": mail.Ticket}).refused(t, 400, "invalid-otp", "")
		}
	})

	t.Run("a link with PKCE gives a code to exchange, and takes the typed one along", func(t *testing.T) {
		p := d.person(t)
		verifier := strings.Repeat("v", 43)
		d.ask(t, "POST", askMail, fields{"email": p.email, "codeChallenge": tokens.ChallengeOf(verifier)}).ok(t)
		mail := d.mail(t, p.email, "signin-otp", 1)
		_, q := d.ask(t, "GET", pathOf(t, mail), nil).redirect(t, 302)
		d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
		d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": mail.Ticket}).refused(t, 400, "invalid-otp", "")
	})

	t.Run("what is refused is refused before anything is sent", func(t *testing.T) {
		email := newAddress()
		d.ask(t, "POST", askMail, fields{"email": email, "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
		d.ask(t, "POST", askMail, fields{"email": email, "options": fields{"allowedRoles": []string{"admin"}}}).refused(t, 400, "role-not-allowed", "")
		d.ask(t, "POST", askMail, fields{"email": email, "options": fields{"allowedRoles": []string{"me"}}}).refused(t, 400, "default-role-must-be-in-allowed-roles", "")
		d.ask(t, "POST", askMailSignUp, fields{"email": email, "options": fields{"allowedRoles": []string{"admin"}}}).refused(t, 400, "role-not-allowed", "")
		d.knock(t, "POST", askMail, fields{"email": "nobody"}).invalid(t, "email")
		d.knock(t, "POST", typeMail, fields{"email": email, "otp": ""}).invalid(t, "otp")
		d.knock(t, "POST", typeMail, fields{"email": email, "otp": strings.Repeat("1", 65)}).invalid(t, "otp")
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 0 || len(d.Mail.To(email)) != 0 {
			t.Errorf("%d users, %d mails", n, len(d.Mail.To(email)))
		}
	})

	t.Run("the state of the account is told with a right code alone", func(t *testing.T) {
		for set, want := range map[string]struct {
			status int
			id     string
		}{"disabled = true": {401, "disabled-user"}, "is_anonymous = true": {403, "forbidden-anonymous"}} {
			p := d.person(t)
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			code := d.mailedCode(t, p.email, 1)
			d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": other(code)}).refused(t, 400, "invalid-otp", "")
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": code}).refused(t, want.status, want.id, "")
		}
	})

	t.Run("a code proves the address that it went to", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
		code := d.mailedCode(t, p.email, 1)
		moved := newAddress()
		d.sql(t, `update auth.users set email = $2, email_verified = false where id = $1`, p.User.ID, moved)
		d.ask(t, "POST", typeMail, fields{"email": moved, "otp": code}).refused(t, 400, "invalid-otp", "")
		d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": code}).refused(t, 400, "invalid-otp", "")
	})

	t.Run("many clicks at once make one user", func(t *testing.T) {
		email := newAddress()
		done := make(chan answer, 8)
		for range cap(done) {
			go func() { done <- d.ask(t, "POST", askMail, fields{"email": email}) }()
		}
		for range cap(done) {
			(<-done).ok(t)
		}
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 1 {
			t.Errorf("got %d users", n)
		}
	})
}

func TestSignUpByMailedCode(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	email := newAddress()
	d.ask(t, "POST", askMailSignUp, fields{"email": email}).ok(t)
	d.ask(t, "POST", typeMail, fields{"email": email, "otp": d.mailedCode(t, email, 1)}).session(t)
	d.ask(t, "POST", askMailSignUp, fields{"email": email}).ok(t)
	if n := value[int](t, d, `select count(*) from auth.tickets where email = $1 and user_id is not null`, email); n != 0 {
		t.Errorf("a second sign-up made %d tickets for somebody who is known", n)
	}

	// It does not take the code away that they asked for themselves.
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	code := d.mailedCode(t, email, 2)
	d.ask(t, "POST", askMailSignUp, fields{"email": email}).ok(t)
	d.ask(t, "POST", typeMail, fields{"email": email, "otp": code}).session(t)
}

// TestT33CodesExpireToTheSecond has every kind of code a moment before its end, and at it.
func TestT33CodesExpireToTheSecond(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, nil, func(o *house.Options) { o.Now = clock.Now })
	p := d.person(t)
	number, s := d.phonePerson(t)
	sent := 1
	for name, c := range map[string]struct {
		life time.Duration
		ask  func(t *testing.T) (try func(t *testing.T) answer)
	}{
		"mailed": {10 * time.Minute, func(t *testing.T) func(t *testing.T) answer {
			mails := len(d.Mail.To(p.email))
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			code := d.Mail.Wait(t, p.email, mails+1)[mails].Ticket
			return func(t *testing.T) answer {
				return d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": code})
			}
		}},
		"texted": {5 * time.Minute, func(t *testing.T) func(t *testing.T) answer {
			sent++
			d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
			code := d.textedCode(t, number, sent)
			return func(t *testing.T) answer {
				return d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code})
			}
		}},
		"elevation by mail": {10 * time.Minute, func(t *testing.T) func(t *testing.T) answer {
			in := d.signIn(t, p.email, p.password)
			mails := len(d.Mail.To(p.email))
			d.ask(t, "POST", "/elevate/otp/email", nil, bearer(in.AccessToken)).ok(t)
			code := d.Mail.Wait(t, p.email, mails+1)[mails].Ticket
			return func(t *testing.T) answer {
				return d.ask(t, "POST", "/elevate/otp/email/verify", fields{"otp": code}, bearer(in.AccessToken))
			}
		}},
		"elevation by text": {5 * time.Minute, func(t *testing.T) func(t *testing.T) answer {
			s = d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
			token := s.AccessToken
			sent++
			d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(token)).ok(t)
			code := d.textedCode(t, number, sent)
			return func(t *testing.T) answer {
				return d.ask(t, "POST", "/elevate/otp/sms/verify", fields{"otp": code}, bearer(token))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			try := c.ask(t)
			clock.Advance(c.life - time.Second)
			try(t).session(t)
			try = c.ask(t)
			clock.Advance(c.life)
			try(t).refused(t, 400, "invalid-otp", "")
		})
	}
	t.Run("change of number", func(t *testing.T) {
		for _, late := range []bool{false, true} {
			in, to := d.signIn(t, p.email, p.password), newNumber()
			d.ask(t, "POST", changePhone, fields{"newPhoneNumber": to}, bearer(in.AccessToken)).ok(t)
			body := fields{"newPhoneNumber": to, "otp": d.textedCode(t, to, 1)}
			if !late {
				clock.Advance(5*time.Minute - time.Second)
				d.ask(t, "POST", confirmPhone, body, bearer(in.AccessToken)).ok(t)
				continue
			}
			clock.Advance(5 * time.Minute)
			d.ask(t, "POST", confirmPhone, body, bearer(in.AccessToken)).refused(t, 400, "invalid-otp", "")
		}
	})
}

func TestCodeSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings map[string]string
		status   int
		id       string
		mail     bool // only of mails
		text     bool // only of text messages
	}{
		{name: "off", settings: map[string]string{"AUTH_OTP_EMAIL_ENABLED": "false", "AUTH_SMS_PASSWORDLESS_ENABLED": "false"}, status: 409, id: "disabled-endpoint"},
		{name: "no new users", settings: map[string]string{"AUTH_DISABLE_SIGNUP": "true"}, status: 403, id: "signup-disabled"},
		{name: "new users wait", settings: map[string]string{"AUTH_DISABLE_NEW_USERS": "true"}, status: 401, id: "disabled-user"},
		{name: "kept out", settings: map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "other.example"}, status: 401, id: "invalid-email-password", mail: true},
		{name: "no mail server", settings: map[string]string{"AUTH_SMTP_HOST": ""}, status: 503, id: "mail-not-configured", mail: true},
		{name: "no gateway", settings: map[string]string{"AUTH_SMS_PROVIDER": "twilio"}, status: 503, id: "sms-not-configured", text: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, c.settings)
			email, number := newAddress(), newNumber()
			if !c.text {
				for _, path := range []string{askMail, askMailSignUp} {
					d.ask(t, "POST", path, fields{"email": newAddress()}).refused(t, c.status, c.id, "")
				}
			}
			if !c.mail {
				for _, path := range []string{askText, askTextSignUp} {
					d.ask(t, "POST", path, fields{"phoneNumber": newNumber()}).refused(t, c.status, c.id, "")
				}
			}
			if c.name == "off" {
				d.ask(t, "POST", typeMail, fields{"email": email, "otp": "123456"}).refused(t, c.status, c.id, "")
				d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": "123456"}).refused(t, c.status, c.id, "")
			}
			if value[int](t, d, `select count(*) from auth.tickets`) != 0 ||
				value[int](t, d, `select count(*) from postern_river.river_job where kind in ('postern_mail', 'postern_sms')`) != 0 {
				t.Error("something was sent")
			}
		})
	}
}

// codeHarmless says of which members of the operations of codes a text is no reason to refuse.
func codeHarmless(o operation, member, text string) (status int, id string, ok bool) {
	if text == "empty" || strings.HasPrefix(text, "100 KB") {
		return 0, "", false
	}
	switch member {
	case "otp": // another code than the one that was sent
		return 400, "invalid-otp", true
	case "phoneNumber", "newPhoneNumber":
		if strings.HasPrefix(o.id, "verify") {
			return 400, "invalid-otp", true // no code was ever sent there
		}
		return 400, "cannot-send-sms", true
	}
	return 0, "", false
}
