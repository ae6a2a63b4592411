package hasura_test

import (
	"strings"
	"testing"

	"postern/internal/testhouse"
	"postern/tokens"
)

func TestChangePassword(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	change := func(t *testing.T, body fields, more ...with) answer {
		t.Helper()
		return d.ask(t, "POST", "/user/password", body, more...)
	}
	const better = "a better password"

	t.Run("signed in", func(t *testing.T) {
		p := d.person(t)
		other := d.signIn(t, p.email, p.password)
		change(t, fields{"newPassword": better}, bearer(p.AccessToken)).ok(t)
		d.signIn(t, p.email, better)
		d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).refused(t, 401, "invalid-email-password", "")
		d.ask(t, "POST", "/token", fields{"refreshToken": other.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		d.ask(t, "GET", "/user", nil, bearer(other.AccessToken)).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t)
		m := d.mail(t, p.email, "password-changed", 1)
		if m.Link != "" {
			t.Errorf("the notice is %v", m.Headers)
		}
		for _, table := range []string{"audit_entries where event", "events where type"} {
			if n := value[int](t, d, `select count(*) from auth.`+table+` = 'password.changed' and user_id = $1`, p.User.ID); n != 1 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})

	reset := func(t *testing.T, email string, nth int) (ticket string) {
		t.Helper()
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
		return d.mail(t, email, "password-reset", nth).Ticket
	}

	t.Run("with a ticket", func(t *testing.T) {
		p := d.person(t)
		ticket := reset(t, p.email, 1)
		second := reset(t, p.email, 2)
		change(t, fields{"newPassword": "short", "ticket": ticket}).refused(t, 400, "password-too-short", "Password is too short")
		change(t, fields{"newPassword": strings.Repeat("é", 513), "ticket": ticket}).refused(t, 400, "password-too-long", "Password is too long")
		change(t, fields{"newPassword": better, "ticket": ticket}).ok(t) // the refused attempts did not use it up
		d.signIn(t, p.email, better)
		d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		for _, used := range []string{ticket, second} {
			change(t, fields{"newPassword": better, "ticket": used}).refused(t, 401, "invalid-ticket", "Invalid ticket")
		}
	})

	t.Run("neither", func(t *testing.T) {
		change(t, fields{"newPassword": better}).refused(t, 401, "unauthorized", "")
		change(t, fields{"newPassword": better}, bearer("x.y.z")).refused(t, 401, "unauthorized", "")
		change(t, fields{"newPassword": better, "ticket": "passwordReset:"}).refused(t, 401, "invalid-ticket", "")
		change(t, fields{"newPassword": better, "ticket": "passwordReset:" + tokens.NewUUID()}, bearer("x.y.z")).refused(t, 401, "invalid-ticket", "")
		d.knock(t, "POST", "/user/password", fields{"newPassword": better, "ticket": "verifyEmail:" + tokens.NewUUID()}).invalid(t, "ticket")
		d.knock(t, "POST", "/user/password", fields{"newPassword": better, "ticket": ""}).invalid(t, "ticket")
	})

	t.Run("a good bearer wins over the ticket", func(t *testing.T) {
		p := d.person(t)
		for _, ticket := range []string{reset(t, p.email, 1), "passwordReset:" + tokens.NewUUID()} {
			change(t, fields{"newPassword": better, "ticket": ticket}, bearer(p.AccessToken)).ok(t)
			d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "") // the session lives on
		}
		d.signIn(t, p.email, better)
	})

	t.Run("a good bearer and the ticket of somebody else change nothing", func(t *testing.T) {
		p, q := d.person(t), d.person(t)
		ticket := reset(t, q.email, 1)
		change(t, fields{"newPassword": better, "ticket": ticket}, bearer(p.AccessToken)).refused(t, 401, "invalid-ticket", "")
		d.signIn(t, p.email, p.password)
		d.signIn(t, q.email, q.password)
		change(t, fields{"newPassword": better, "ticket": ticket}).ok(t)
	})

	t.Run("a bearer that is no good any more does not stand in the ticket's way", func(t *testing.T) {
		// nhost-js sends the access token it has, with every call.
		p, q := d.person(t), d.person(t)
		ticket := reset(t, p.email, 1)
		d.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t)
		change(t, fields{"newPassword": better, "ticket": ticket}, bearer(p.AccessToken)).ok(t)
		d.signIn(t, p.email, better)

		ticket = reset(t, p.email, 2)
		d.sql(t, `delete from auth.users where id = $1`, q.User.ID)
		change(t, fields{"newPassword": p.password, "ticket": ticket}, bearer(q.AccessToken)).ok(t)
	})

	t.Run("the state of the account", func(t *testing.T) {
		for name, c := range map[string]struct {
			set    string
			status int
			id     string
		}{
			"disabled":   {`disabled = true`, 401, "disabled-user"},
			"unverified": {`email_verified = false`, 401, "unverified-user"},
			"guest":      {`is_anonymous = true`, 403, "forbidden-anonymous"},
		} {
			t.Run(name, func(t *testing.T) {
				p := d.person(t)
				ticket := reset(t, p.email, 1)
				d.sql(t, `update auth.users set `+c.set+` where id = $1`, p.User.ID)
				before := d.state(t)
				change(t, fields{"newPassword": better, "ticket": ticket}).refused(t, c.status, c.id, "")
				change(t, fields{"newPassword": better}, bearer(p.AccessToken)).refused(t, c.status, c.id, "")
				d.sameState(t, before, "refused changes") // and the ticket is still good
			})
		}
	})
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "2", "AUTH_LOCALE_ALLOWED_LOCALES": "en,de"})
	reset := func(t *testing.T, body fields, more ...with) answer {
		t.Helper()
		return d.ask(t, "POST", "/user/password/reset", body, more...)
	}

	t.Run("the mail", func(t *testing.T) {
		p := d.person(t)
		d.sql(t, `update auth.users set locale = 'de' where id = $1`, p.User.ID)
		reset(t, fields{"email": strings.ToUpper(p.email), "options": fields{"redirectTo": "https://app.example.com/new"}}).ok(t)
		m := d.mail(t, p.email, "password-reset", 1)
		if m.Headers.Get("X-Redirect-To") != "https://app.example.com/new" ||
			!strings.HasPrefix(m.Ticket, "passwordReset:") || !strings.Contains(m.Link, "&type=passwordReset") || !strings.Contains(m.Subject, "Passwort") {
			t.Errorf("subject %q, headers %v", m.Subject, m.Headers)
		}
		if m.To != p.email {
			t.Errorf("the mail went to %q, as it was asked for, instead of the address that is stored", m.To)
		}
		_, q := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
		if q.Get("type") != "passwordReset" {
			t.Errorf("the link leads to %v", q)
		}
		s := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(s.AccessToken)).ok(t)
		d.signIn(t, p.email, "a better password")
	})

	t.Run("OK for everybody, a mail for those who may sign in", func(t *testing.T) {
		known := d.person(t)
		people := map[string]string{"known": known.email, "unknown": newAddress()}
		for _, set := range []string{"disabled = true", "email_verified = false", "is_anonymous = true", "email = 'gone-' || email"} {
			p := d.person(t)
			d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
			people[set] = p.email
		}
		var first *answer
		for name, email := range people {
			a := reset(t, fields{"email": email}, header("X-Request-Id", "same"))
			a.ok(t)
			a.header.Del("Date")
			if first == nil {
				first = &a
			}
			if a.body != first.body || len(a.header) != len(first.header) {
				t.Errorf("%s: another answer: %v", name, a.header)
			}
		}
		d.mail(t, known.email, "password-reset", 1)
		if n := value[int](t, d, `select count(*) from auth.tickets k join auth.users u on u.id = k.user_id where k.purpose = 'passwordReset' and u.id <> $1
			and u.email = any($2)`, known.User.ID, []string{people["disabled = true"], people["email_verified = false"], people["is_anonymous = true"]}); n != 0 {
			t.Errorf("%d tickets for people who may not sign in", n)
		}
	})

	t.Run("only so many mails an hour, and nobody learns of it", func(t *testing.T) {
		p := d.person(t)
		for range 4 {
			reset(t, fields{"email": p.email}).ok(t)
		}
		if n := value[int](t, d, `select count(*) from auth.tickets where purpose = 'passwordReset' and user_id = $1`, p.User.ID); n != 2 {
			t.Errorf("%d tickets", n)
		}
	})

	before := d.state(t)
	reset(t, fields{"email": newAddress(), "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
	reset(t, fields{"email": newAddress(), "options": fields{}}).ok(t)
	d.sameState(t, before, "resets that reach nobody")
}

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	change := func(t *testing.T, p person, body fields) answer {
		t.Helper()
		return d.ask(t, "POST", "/user/email/change", body, bearer(p.AccessToken))
	}

	t.Run("until the link is opened the old address counts", func(t *testing.T) {
		p := d.person(t)
		to := "New." + newAddress()
		change(t, p, fields{"newEmail": to, "options": fields{"redirectTo": "https://app.example.com/done?a=b"}}).ok(t)
		m := d.mail(t, to, "email-confirm-change", 1)
		if !strings.HasPrefix(m.Ticket, "emailConfirmChange:") || !strings.Contains(m.Link, "&type=emailConfirmChange") {
			t.Errorf("headers %v", m.Headers)
		}
		u := d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).object(t)
		if u["email"] != p.email || u["emailVerified"] != true {
			t.Errorf("user %v", u)
		}
		d.signIn(t, p.email, p.password)

		where, q := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
		if where != "https://app.example.com/done" || q.Get("type") != "emailConfirmChange" || q.Get("a") != "b" {
			t.Errorf("the link leads to %s %v", where, q)
		}
		s := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
		if s.user["email"] != to || s.user["emailVerified"] != true {
			t.Errorf("user %v", s.user)
		}
		d.signIn(t, to, p.password)
		d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).refused(t, 401, "invalid-email-password", "")
		notice := d.mail(t, p.email, "email-changed", 1) // the old address is told
		if notice.Link != "" {
			t.Errorf("headers %v", notice.Headers)
		}
	})

	t.Run("refusals", func(t *testing.T) {
		p, other := d.person(t), d.person(t)
		before := d.state(t)
		change(t, p, fields{"newEmail": other.email}).refused(t, 409, "email-already-in-use", "Email already in use")
		change(t, p, fields{"newEmail": strings.ToUpper(p.email)}).refused(t, 409, "email-already-in-use", "")
		change(t, p, fields{"newEmail": newAddress(), "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}).refused(t, 401, "unauthorized", "")
		d.sameState(t, before, "refused changes")
		for set, id := range map[string]string{"disabled = true": "disabled-user", "email_verified = false": "unverified-user", "is_anonymous = true": "forbidden-anonymous"} {
			q := d.person(t)
			d.sql(t, `update auth.users set `+set+` where id = $1`, q.User.ID)
			if no := change(t, q, fields{"newEmail": newAddress()}).refusal(t); no.Error != id {
				t.Errorf("%s: %+v", set, no)
			}
		}
	})

	t.Run("with PKCE", func(t *testing.T) {
		p := d.person(t)
		to := newAddress()
		verifier, challenge := testhouse.Verifier()
		change(t, p, fields{"newEmail": to, "codeChallenge": challenge}).ok(t)
		_, q := d.ask(t, "GET", pathOf(t, d.mail(t, to, "email-confirm-change", 1)), nil, browser()).redirect(t, 302)
		if stored(t, d, p.email)["new_email"] != to {
			t.Error("opening the link changed the address")
		}
		s := d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
		if s.user["email"] != to {
			t.Errorf("user %v", s.user)
		}
	})

	t.Run("somebody else was faster", func(t *testing.T) {
		p := d.person(t)
		to := newAddress()
		change(t, p, fields{"newEmail": to}).ok(t)
		m := d.mail(t, to, "email-confirm-change", 1)
		d.signUp(t, fields{"email": strings.ToUpper(to)})
		d.ask(t, "GET", pathOf(t, m), nil).redirectsWith(t, 302, "https://app.example.com", "email-already-in-use")
		d.signIn(t, p.email, p.password)
	})
}

func TestSendVerification(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	resend := func(t *testing.T, body fields) answer {
		t.Helper()
		return d.ask(t, "POST", "/user/email/send-verification-email", body)
	}
	email := d.signUp(t, nil)
	first := d.mail(t, email, "email-verify", 1)
	verifier, challenge := testhouse.Verifier()
	resend(t, fields{"email": strings.ToUpper(email), "codeChallenge": challenge, "options": fields{"redirectTo": "https://app.example.com/x"}}).ok(t)
	m := d.mail(t, email, "email-verify", 2)
	if m.Headers.Get("X-Redirect-To") != "https://app.example.com/x" || m.Ticket == first.Ticket || m.To != email {
		t.Errorf("to %q, headers %v", m.To, m.Headers)
	}
	resend(t, fields{"email": newAddress()}).refused(t, 401, "invalid-email-password", incorrect)
	resend(t, fields{"email": email, "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
	for set, want := range map[string]string{"disabled = true": "disabled-user", "is_anonymous = true": "forbidden-anonymous"} {
		other := d.signUp(t, nil)
		d.sql(t, `update auth.users set `+set+` where email = $1`, other)
		if no := resend(t, fields{"email": other}).refusal(t); no.Error != want {
			t.Errorf("%s: %+v", set, no)
		}
	}
	_, q := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
	d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
	resend(t, fields{"email": email}).refused(t, 400, "email-already-verified", "User's email is already verified")
	_, q = d.ask(t, "GET", pathOf(t, first), nil).redirect(t, 302) // the older mail's link is a row of its own
	if q.Get("refreshToken") == "" {
		t.Errorf("the first link leads to %v", q)
	}
}
