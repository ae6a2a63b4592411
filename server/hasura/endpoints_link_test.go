package hasura_test

import (
	"testing"

	"postern/internal/testhouse"
)

const signInLink, signUpLink = "/signin/passwordless/email", "/signup/passwordless/email"

func TestSignInByLink(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)

	t.Run("creates who is unknown, verified once the link is opened", func(t *testing.T) {
		email := newAddress()
		d.ask(t, "POST", signInLink, fields{"email": email, "options": fields{"displayName": "New Here", "metadata": fields{"a": 1}}}).ok(t)
		mail := d.mail(t, email, "signin-passwordless", 1)
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext and not email_verified and display_name = 'New Here'`, email); n != 1 {
			t.Errorf("got %d users before the link is opened", n)
		}
		_, q := d.ask(t, "GET", pathOf(t, mail), nil).redirect(t, 302)
		if q.Get("type") != "passwordlessEmail" {
			t.Errorf("the redirect says %v", q)
		}
		s := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).object(t)
		if s["user"].(map[string]any)["emailVerified"] != true {
			t.Errorf("user %v", s["user"])
		}
	})

	t.Run("signs in who is known, and ignores their options", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", signInLink, fields{"email": p.email, "options": fields{"displayName": "Somebody Else"}}).ok(t)
		d.mail(t, p.email, "signin-passwordless", 1)
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext and display_name = 'Somebody Else'`, p.email); n != 0 {
			t.Error("the options of a sign-in changed the user")
		}
	})

	t.Run("a link with PKCE gives a code", func(t *testing.T) {
		email := newAddress()
		verifier, challenge := testhouse.Verifier()
		d.ask(t, "POST", signInLink, fields{"email": email, "codeChallenge": challenge}).ok(t)
		_, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "signin-passwordless", 1)), nil).redirect(t, 302)
		d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
	})

	t.Run("what is refused is refused before anything is sent", func(t *testing.T) {
		email := newAddress()
		d.ask(t, "POST", signInLink, fields{"email": email, "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
		d.ask(t, "POST", signInLink, fields{"email": email, "options": fields{"allowedRoles": []string{"admin"}}}).refused(t, 400, "role-not-allowed", "")
		d.ask(t, "POST", signInLink, fields{"email": email, "options": fields{"allowedRoles": []string{"me"}}}).refused(t, 400, "default-role-must-be-in-allowed-roles", "")
		locked := d.person(t)
		d.sql(t, `update auth.users set disabled = true where email = $1::text::public.citext`, locked.email)
		d.ask(t, "POST", signInLink, fields{"email": locked.email}).refused(t, 401, "disabled-user", "")
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 0 || len(d.Mail.To(email)) != 0 {
			t.Errorf("%d users, %d mails", n, len(d.Mail.To(email)))
		}
	})

	t.Run("many clicks at once make one user", func(t *testing.T) {
		email := newAddress()
		done := make(chan answer, 8)
		for range cap(done) {
			go func() { done <- d.ask(t, "POST", signInLink, fields{"email": email}) }()
		}
		for range cap(done) {
			(<-done).ok(t)
		}
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 1 {
			t.Errorf("got %d users", n)
		}
	})
}

func TestSignUpByLink(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	email := newAddress()
	d.ask(t, "POST", signUpLink, fields{"email": email}).ok(t)
	_, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "signin-passwordless", 1)), nil).redirect(t, 302)
	if q.Get("refreshToken") == "" {
		t.Errorf("the redirect says %v", q)
	}
	d.ask(t, "POST", signUpLink, fields{"email": email}).ok(t)
	if n := value[int](t, d, `select count(*) from auth.tickets where email = $1`, email); n != 0 {
		t.Errorf("a second sign-up made %d tickets for somebody who is known", n)
	}
}

func TestSignInByLinkWhenSignUpsAreAskedForAsSuch(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true"})
	email := newAddress()
	d.ask(t, "POST", signInLink, fields{"email": email}).ok(t)
	if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 0 {
		t.Errorf("a sign-in made %d users", n)
	}
	d.ask(t, "POST", signUpLink, fields{"email": email}).ok(t)
	d.mail(t, email, "signin-passwordless", 1)
}

func TestLinkSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		door   doorway
		status int
		id     string
	}{
		{"off", openDoor(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "false"}), 409, "disabled-endpoint"},
		{"no new users", openDoor(t, map[string]string{"AUTH_DISABLE_SIGNUP": "true"}), 403, "signup-disabled"},
		{"new users wait", openDoor(t, map[string]string{"AUTH_DISABLE_NEW_USERS": "true"}), 401, "disabled-user"},
		{"kept out", openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "other.example"}), 401, "invalid-email-password"},
		{"no mail server", openDoor(t, map[string]string{"AUTH_SMTP_HOST": ""}), 503, "mail-not-configured"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{signInLink, signUpLink} {
				email := newAddress()
				c.door.ask(t, "POST", path, fields{"email": email}).refused(t, c.status, c.id, "")
				if len(c.door.Mail.To(email)) != 0 {
					t.Error("a mail was sent")
				}
			}
		})
	}
}
