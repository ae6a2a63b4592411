package hasura_test

import (
	"testing"
	"time"

	"postern/hooks"
	"postern/internal/testmail"
	"postern/totp"
)

// sends binds the operator to both kinds of messages.
func (o *operator) sends(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks[hooks.MailDue](t, o, &h.MailDue, "mail", hooks.Vetoer, func(e hooks.MailDue) (string, any) {
		return e.ID, fields{
			"user": e.User.ID, "to": e.To, "template": e.Template, "purpose": e.Purpose,
			"ticket": e.Ticket.Reveal(), "link": e.Link.Reveal(), "code": e.Code.Reveal(),
		}
	}, nil)
	asks[hooks.SMSDue](t, o, &h.SMSDue, "text", hooks.Vetoer, func(e hooks.SMSDue) (string, any) {
		return e.ID, fields{"user": e.User.ID, "phone": e.Phone, "code": e.Code.Reveal(), "purpose": e.Purpose}
	}, nil)
}

// TestHooksSendMessages has hooks send what the queue would have: with links and codes that work, and a
// refusal that the client is told and that leaves nothing written.
func TestHooksSendMessages(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.sends(t, h)
	// There is neither a mail server nor a gateway.
	d := openHooked(t, clock, map[string]string{"AUTH_SMTP_HOST": "", "AUTH_SMTP_SENDER": "", "AUTH_SMS_PROVIDER": "", "AUTH_LINK_CONFIRMATION": "off"}, h)

	email, linked, coded, number := newAddress(), newAddress(), newAddress(), newNumber()
	steps := []struct {
		name, hook, template, purpose string
		step                          func(t *testing.T) answer
	}{
		{"sign-up", "mail", "email-verify", "verifyEmail", d.posts("/signup/email-password", fields{"email": email, "password": rightPassword})},
		{"link", "mail", "signin-passwordless", "passwordlessEmail", d.posts(signInLink, fields{"email": linked})},
		{"code", "mail", "signin-otp", "email-code", d.posts(askMail, fields{"email": coded})},
		{"text", "text", "", "sms-code", d.posts(askText, fields{"phoneNumber": number})},
	}
	sent := map[string]map[string]any{}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			before := d.state(t)
			o.says(denies)
			s.step(t).refused(t, 418, "hook-denied", "not today, says "+s.hook)
			o.says(breaks)
			s.step(t).refused(t, 500, "hook-failed", failedWords)
			o.says(sleeps)
			s.step(t).refused(t, 500, "hook-failed", failedWords)
			d.sameState(t, before, "a message that could not be sent")
			o.asked(s.hook)
			o.says(agrees)
			if a := s.step(t); a.status != 200 {
				t.Fatalf("refused: %s", a)
			}
			got := o.asked(s.hook)
			if len(got) != 1 || s.template != "" && got[0].body["template"] != s.template || got[0].body["purpose"] != s.purpose {
				t.Fatalf("asked to send %v, want one %s", got, s.template)
			}
			sent[s.name] = got[0].body
		})
	}
	if t.Failed() {
		return
	}
	text := func(name, member string) string { s, _ := sent[name][member].(string); return s }
	for _, name := range []string{"sign-up", "link"} {
		path := pathOf(t, testmail.Message{Link: text(name, "link")})
		if _, q := d.ask(t, "GET", path, nil).redirect(t, 302); q.Get("refreshToken") == "" {
			t.Errorf("the link of the %s leads to %v", name, q)
		}
	}
	d.ask(t, "POST", typeMail, fields{"email": coded, "otp": text("code", "code")}).session(t)
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": text("text", "code")}).session(t)

	// A mail that only tells stops nothing, and comes as soon as there is somebody to send it.
	p := d.signIn(t, email, rightPassword)
	o.says(breaks)
	d.posts("/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken))(t).ok(t)
	failed := o.awaited(t, d, "mail")
	o.says(agrees)
	clock.Advance(time.Minute)
	if n := value[int](t, d, `with due as (update postern_river.river_job set scheduled_at = now() where kind = 'postern_mail' and state in ('scheduled', 'retryable') returning 1) select count(*) from due`); n > 1 {
		t.Errorf("%d messages are queued", n)
	}
	if got := o.awaited(t, d, "mail"); got.body["template"] != "password-changed" || got.body["purpose"] != "" || got.body["to"] != email || got.id != failed.id {
		t.Errorf("asked to send %v, and before %v", got, failed)
	}
	if n := value[int](t, d, `select count(*) from postern_river.river_job where kind in ('postern_mail', 'postern_sms')`); n != 1 {
		t.Errorf("%d messages are queued, want the one that tells of the password", n)
	}
}

// awaited waits until the queue has asked, and gives the question.
func (o *operator) awaited(t testing.TB, d doorway, name string) question {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if got := o.asked(name); len(got) > 0 {
			return got[0]
		}
		value[int](t, d, `select 1 from pg_sleep(0.02)`)
	}
	t.Fatalf("nobody asked %s", name)
	return question{}
}

// TestSessionHookAtEveryEntrance refuses every session before anything of it is written. A refresh opens
// none.
func TestSessionHookAtEveryEntrance(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	asks[hooks.SessionOpening](t, o, &h.SessionOpening, "session", hooks.Vetoer, func(e hooks.SessionOpening) (string, any) {
		return e.ID, fields{"user": e.User.ID, "method": e.Method}
	}, nil)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off"), h)
	list := entrances(t, d, clock)
	clock.Advance(totp.Period)
	for _, e := range list {
		refresh := len(e.name) >= 7 && e.name[:7] == "refresh"
		t.Run(e.name, func(t *testing.T) {
			o.asked("session")
			if refresh {
				d.accessTokenOf(t, e.step(t))
				if got := o.asked("session"); got != nil {
					t.Errorf("asked %v", got)
				}
				return
			}
			before := d.state(t)
			o.says(denies)
			e.step(t).turnedAway(t, 418, "hook-denied", "not today, says session")
			if e.keeps {
				d.sameState(t, before, "a refusal")
			}
			o.says(agrees)
			o.asked("session")
			d.accessTokenOf(t, e.step(t))
			if got := o.asked("session"); len(got) != 1 {
				t.Errorf("asked %v", got)
			}
		})
	}
}

// TestConfirmationAndPasswordHooks asks before a first confirmation, and tells of a new password.
func TestConfirmationAndPasswordHooks(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	asks[hooks.UserConfirmed](t, o, &h.UserConfirmed, "confirmed", hooks.Vetoer, func(e hooks.UserConfirmed) (string, any) {
		return e.ID, fields{"verified": e.User.EmailVerified || e.User.PhoneNumberVerified, "method": e.Method}
	}, nil)
	asks[hooks.PasswordChanged](t, o, &h.PasswordChanged, "changed", hooks.Observer, func(e hooks.PasswordChanged) (string, any) {
		return e.ID, fields{"user": e.User.ID}
	}, nil)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off"), h)
	linked, coded, number := newAddress(), newAddress(), newNumber()
	d.ask(t, "POST", signInLink, fields{"email": linked}).ok(t)
	d.ask(t, "POST", askMail, fields{"email": coded}).ok(t)
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	e := providerDoor{d, vouching}
	for method, step := range map[string]func(*testing.T) answer{
		"link": d.mailed(t, linked, "signin-passwordless"),
		"otp":  d.posts(typeMail, fields{"email": coded, "otp": d.mailedCode(t, coded, 1)}),
		"sms":  d.posts(typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)}),
		"oauth": func(t *testing.T) answer {
			t.Helper()
			atVouching.Lock()
			defer atVouching.Unlock()
			return e.comeBack(t, e.setOut(t, "/signin/provider/github", someone()))
		},
	} {
		t.Run(method, func(t *testing.T) {
			before := d.state(t)
			o.says(denies)
			step(t).turnedAway(t, 418, "hook-denied", "not today, says confirmed")
			if method != "oauth" {
				d.sameState(t, before, "a refusal")
			}
			o.says(agrees)
			o.asked("confirmed")
			d.accessTokenOf(t, step(t))
			if got := o.asked("confirmed"); len(got) != 1 || got[0].body["method"] != method || got[0].body["verified"] != true {
				t.Errorf("asked %v", got)
			}
		})
	}
	// Where nobody needs to confirm an address, a sign-up is as good as that.
	email := newAddress()
	o.says(denies)
	before := d.state(t)
	signUp := d.posts("/signup/email-password", fields{"email": email, "password": rightPassword})
	signUp(t).refused(t, 418, "hook-denied", "not today, says confirmed")
	d.sameState(t, before, "a refusal")
	o.says(agrees)
	o.asked("confirmed")
	signUp(t).session(t)
	if got := o.asked("confirmed"); len(got) != 1 || got[0].body["method"] != "password" || got[0].body["verified"] != false {
		t.Errorf("asked %v", got)
	}
	p := d.person(t)
	o.asked("confirmed")
	o.says(denies)
	if a := d.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)); a.status != 200 {
		t.Errorf("a password that is changed already was refused: %s", a)
	}
	o.says(breaks)
	if a := d.ask(t, "POST", "/user/password", fields{"newPassword": "yet another one"}, bearer(p.AccessToken)); a.status != 200 {
		t.Errorf("a password that is changed already was refused: %s", a)
	}
	if got := o.asked("changed"); len(got) != 2 || got[0].body["user"] != p.User.ID {
		t.Errorf("told %v", got)
	}
	if got := o.asked("confirmed"); got != nil {
		t.Errorf("asked %v about somebody who confirms nothing", got)
	}
}
