package hasura_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/tokens"
)

// guest lets somebody in without a name.
func (d doorway) guest(t testing.TB) fullSession {
	t.Helper()
	return d.ask(t, "POST", "/signin/anonymous", nil).session(t)
}

// deanonymize asks that a guest become a user.
func (d doorway) deanonymize(t testing.TB, token string, body fields) answer {
	t.Helper()
	return d.ask(t, "POST", "/user/deanonymize", body, bearer(token))
}

func byPassword(email string) fields {
	return fields{"signInMethod": "email-password", "email": email, "password": rightPassword}
}

func byLink(email string) fields { return fields{"signInMethod": "passwordless", "email": email} }

func TestSignInAnonymous(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_LOCALE_ALLOWED_LOCALES": "en,fr", "AUTH_DISABLE_AUTO_SIGNUP": "true", "AUTH_DISABLE_NEW_USERS": "true"}) // neither is about guests
	for name, c := range map[string]struct {
		body any
		want fields
	}{
		"no body":     {nil, fields{"displayName": "Anonymous User", "locale": "en", "metadata": nil}},
		"empty":       {fields{}, fields{"displayName": "Anonymous User", "locale": "en", "metadata": nil}},
		"all":         {fields{"displayName": "Guest #4/2 & co", "locale": "fr", "metadata": fields{"cart": []any{"x"}}}, fields{"displayName": "Guest #4/2 & co", "locale": "fr", "metadata": map[string]any{"cart": []any{"x"}}}},
		"a locale":    {fields{"locale": "xx"}, fields{"displayName": "Anonymous User", "locale": "en", "metadata": nil}},
		"no name":     {fields{"displayName": ""}, fields{"displayName": "Anonymous User", "locale": "en", "metadata": nil}},
		"a long name": {fields{"displayName": strings.Repeat("ü", 256)}, fields{"displayName": strings.Repeat("ü", 256), "locale": "en", "metadata": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.ask(t, "POST", "/signin/anonymous", c.body).session(t)
			for member, want := range c.want {
				if diff := cmp.Diff(want, s.user[member]); diff != "" {
					t.Errorf("%s: %s", member, diff)
				}
			}
			want := map[string]any{"isAnonymous": true, "defaultRole": "anonymous", "emailVerified": false, "avatarUrl": "", "phoneNumberVerified": false, "activeMfaType": nil}
			for member, v := range want {
				if s.user[member] != v {
					t.Errorf("%s is %v", member, s.user[member])
				}
			}
			if diff := cmp.Diff([]any{"anonymous"}, s.user["roles"]); diff != "" || s.user["email"] != nil {
				t.Errorf("roles %v, e-mail %v", s.user["roles"], s.user["email"])
			}
			_, payload := tokenParts(t, s.AccessToken)
			claims, _ := payload["https://hasura.io/jwt/claims"].(map[string]any)
			if claims["x-hasura-user-is-anonymous"] != "true" || claims["x-hasura-default-role"] != "anonymous" {
				t.Errorf("claims %v", claims)
			}
			// The session goes on like any other, though nothing can be verified of a guest (weakness 41).
			next := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
			if diff := cmp.Diff(s.user, next.user); diff != "" || next.RefreshTokenID != s.RefreshTokenID {
				t.Error(diff)
			}
			d.ask(t, "GET", "/user", nil, bearer(next.AccessToken)).is(t, 200, "")
		})
	}
	if n := value[int](t, d, `select count(*) from auth.audit_entries where event = 'user.created' and detail->>'method' = 'anonymous'`); n != 6 {
		t.Errorf("%d entries tell of guests", n)
	}
	d.knock(t, "POST", "/signin/anonymous", fields{"displayName": strings.Repeat("x", 257)}).invalid(t, "displayName")
	d.knock(t, "POST", "/signin/anonymous", fields{"metadata": fields{"a": strings.Repeat("x", 32<<10)}}).invalid(t, "metadata")
}

func TestSignInAnonymousSettings(t *testing.T) {
	t.Parallel()
	off := openDoor(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "false"})
	off.ask(t, "POST", "/signin/anonymous", nil).refused(t, 409, "disabled-endpoint", "")
	closed := openDoor(t, map[string]string{"AUTH_DISABLE_SIGNUP": "true"})
	closed.ask(t, "POST", "/signin/anonymous", nil).refused(t, 403, "signup-disabled", "")
	for _, d := range []doorway{off, closed} {
		if n := value[int](t, d, `select count(*) from auth.users`); n != 0 {
			t.Errorf("%d users", n)
		}
	}
	// A flood of guests is a flood of sign-ups.
	limited := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_SIGNUPS_BURST": "2", "AUTH_RATE_LIMIT_SIGNUPS_INTERVAL": "1h"})
	limited.guest(t)
	limited.guest(t)
	limited.ask(t, "POST", "/signin/anonymous", nil).refused(t, 429, "too-many-requests", "")
	limited.ask(t, "POST", "/signin/anonymous", nil, peer("192.0.2.9:1")).session(t)
	// A database that never had guests has the role from the start.
	d := openDoor(t, nil)
	d.sql(t, `delete from auth.roles where role = 'anonymous'`)
	again := doorway{d.Beside(t)}
	again.guest(t)
}

// TestGuestsMayNot goes over what guests may not do.
func TestGuestsMayNot(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	s := d.guest(t)
	for what, a := range map[string]answer{
		"change the password": d.ask(t, "POST", "/user/password", fields{"newPassword": rightPassword}, bearer(s.AccessToken)),
		"change the address":  d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(s.AccessToken)),
		"create a token":      d.ask(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z"}, bearer(s.AccessToken)),
		"list tokens":         d.ask(t, "GET", "/pat", nil, bearer(s.AccessToken)),
		"revoke a token":      d.ask(t, "DELETE", "/pat/"+tokens.NewUUID(), nil, bearer(s.AccessToken)),
	} {
		if a.status != 403 {
			t.Errorf("a guest may %s: %s", what, a)
			continue
		}
		a.refused(t, 403, "forbidden-anonymous", "")
	}
	// What is about their own session they may.
	d.ask(t, "GET", "/user/sessions", nil, bearer(s.AccessToken)).is(t, 200, "")
	d.ask(t, "DELETE", "/user/sessions/"+s.RefreshTokenID, nil, bearer(s.AccessToken)).ok(t)
	d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
}

func TestDeanonymizeByPassword(t *testing.T) {
	t.Parallel()
	t.Run("verification required", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		s := d.ask(t, "POST", "/signin/anonymous", fields{"displayName": "Guest", "metadata": fields{"cart": 1}}).session(t)
		email := newAddress()
		body := byPassword(email)
		body["options"] = fields{"displayName": "Jane", "allowedRoles": []string{"user"}}
		d.deanonymize(t, s.AccessToken, body).ok(t)
		u := stored(t, d, email)
		if u["id"] != s.User.ID || u["is_anonymous"] != false || u["email_verified"] != false || u["display_name"] != "Jane" || u["metadata"] != nil || u["default_role"] != "user" {
			t.Errorf("user %v", u)
		}
		// No session of the guest becomes one of whoever owns the address.
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
		d.deanonymize(t, s.AccessToken, byPassword(newAddress())).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}).refused(t, 401, "unverified-user", "")
		d.ask(t, "GET", pathOf(t, d.mail(t, email, "email-verify", 1)), nil).redirect(t, 302)
		if got := d.signIn(t, email, rightPassword); got.User.ID != s.User.ID || got.user["isAnonymous"] != false || cmp.Diff([]any{"user"}, got.user["roles"]) != "" {
			t.Errorf("signed in as %v", got.user)
		}
		if n := value[int](t, d, `select count(*) from auth.events where user_id = $1 and type = 'user.deanonymized' and payload->>'method' = 'password'`, s.User.ID); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("not required", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified())
		s := d.guest(t)
		email := newAddress()
		d.deanonymize(t, s.AccessToken, byPassword(email)).ok(t)
		// The session goes on, as the user's.
		next := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
		if next.user["email"] != email || next.user["isAnonymous"] != false || next.user["displayName"] != email || next.user["defaultRole"] != "user" || cmp.Diff([]any{"me", "user"}, next.user["roles"]) != "" {
			t.Errorf("user %v", next.user)
		}
		_, payload := tokenParts(t, next.AccessToken)
		claims, _ := payload["https://hasura.io/jwt/claims"].(map[string]any)
		if claims["x-hasura-user-is-anonymous"] != "false" || claims["x-hasura-default-role"] != "user" {
			t.Errorf("claims %v", claims)
		}
		d.deanonymize(t, next.AccessToken, byPassword(newAddress())).refused(t, 400, "user-not-anonymous", "Logged in user is not anonymous")
		d.signIn(t, email, rightPassword)
	})
}

func TestDeanonymizeByLink(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]string{"verification required": nil, "not required": unverified()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, settings)
			s := d.guest(t)
			email := newAddress()
			verifier, challenge := testhouse.Verifier()
			body := byLink(email)
			body["connection"], body["codeChallenge"], body["options"] = "email", challenge, fields{"metadata": fields{"plan": "trial"}, "redirectTo": clientURL + "/in"}
			d.deanonymize(t, s.AccessToken, body).ok(t)
			d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
			if u := stored(t, d, email); u["id"] != s.User.ID || u["email_verified"] != false || u["password_hash"] != nil {
				t.Errorf("user %v", u)
			}
			to, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "signin-passwordless", 1)), nil).redirect(t, 302)
			if to != clientURL+"/in" || q.Get("code") == "" {
				t.Fatalf("to %s with %v", to, q)
			}
			in := d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
			if in.User.ID != s.User.ID || in.user["emailVerified"] != true || cmp.Diff(map[string]any{"plan": "trial"}, in.user["metadata"]) != "" {
				t.Errorf("user %v", in.user)
			}
		})
	}
}

// TestDeanonymizeRefusals checks that what a sign-up asks is asked here, and that a refused guest is
// as before.
func TestDeanonymizeRefusals(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS": "blocked@example.com", "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "evil.example"})
	known := d.person(t)
	s := d.guest(t)
	before := d.state(t)
	more := func(body fields, name string, v any) fields { body[name] = v; return body }
	for name, c := range map[string]struct {
		body   fields
		status int
		id     string
	}{
		"taken":                  {byPassword(known.email), 409, "email-already-in-use"},
		"taken, in other case":   {byLink(strings.ToUpper(known.email)), 409, "email-already-in-use"},
		"blocked":                {byPassword("Blocked@example.com"), 401, "invalid-email-password"},
		"blocked domain":         {byLink("x@evil.example"), 401, "invalid-email-password"},
		"short password":         {more(byPassword(newAddress()), "password", "short"), 400, "password-too-short"},
		"a role of others":       {more(byPassword(newAddress()), "options", fields{"allowedRoles": []string{"admin"}}), 400, "role-not-allowed"},
		"a default role of none": {more(byLink(newAddress()), "options", fields{"defaultRole": "admin"}), 400, "default-role-must-be-in-allowed-roles"},
		"a redirect elsewhere":   {more(byLink(newAddress()), "options", fields{"redirectTo": "https://evil.example"}), 400, "redirectTo-not-allowed"},
	} {
		a := d.deanonymize(t, s.AccessToken, c.body)
		if a.status != c.status {
			t.Errorf("%s: %s", name, a)
			continue
		}
		a.refused(t, c.status, c.id, "")
	}
	for name, c := range map[string]struct {
		body  fields
		field string
	}{
		"no password": {fields{"signInMethod": "email-password", "email": newAddress()}, "password"},
		"no method":   {fields{"email": newAddress()}, "signInMethod"},
		"a method":    {fields{"signInMethod": "magic", "email": newAddress()}, "signInMethod"},
		"no address":  {fields{"signInMethod": "passwordless"}, "email"},
	} {
		t.Run(name, func(t *testing.T) {
			d.knock(t, "POST", "/user/deanonymize", c.body, bearer(s.AccessToken)).invalid(t, c.field)
		})
	}
	d.deanonymize(t, known.AccessToken, byPassword(newAddress())).refused(t, 400, "user-not-anonymous", "")
	d.ask(t, "POST", "/user/deanonymize", byPassword(newAddress())).refused(t, 401, "unauthorized", "")
	// A token that says guest of somebody who is none, and the other way round: the database knows.
	d.deanonymize(t, d.accessToken(t, func(a *tokens.Access) {
		a.IsAnonymous, a.DefaultRole, a.Roles = true, "anonymous", []string{"anonymous"}
	}, known.wireSession), byPassword(newAddress())).
		refused(t, 400, "user-not-anonymous", "")
	d.sameState(t, before, "refused guests")
	d.deanonymize(t, d.accessToken(t, nil, s.wireSession), byPassword(newAddress())).ok(t) // the token says user
}

func TestDeanonymizeSettings(t *testing.T) {
	t.Parallel()
	t.Run("sign-up is closed", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		s := d.guest(t)
		closed := doorway{(&testhouse.House{Database: d.Database, Mail: d.Mail, Env: with2(d.Env, "AUTH_DISABLE_SIGNUP", "true")}).Beside(t)}
		closed.deanonymize(t, s.AccessToken, byPassword(newAddress())).refused(t, 403, "signup-disabled", "")
		closed.deanonymize(t, s.AccessToken, byLink(newAddress())).refused(t, 403, "signup-disabled", "")
		if n := value[int](t, d, `select count(*) from auth.users where is_anonymous`); n != 1 {
			t.Errorf("%d guests", n)
		}
	})
	t.Run("new users wait for an operator", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_DISABLE_NEW_USERS": "true"})
		s := d.guest(t)
		email := newAddress()
		d.deanonymize(t, s.AccessToken, byPassword(email)).refused(t, 401, "disabled-user", "")
		if u := stored(t, d, email); u["id"] != s.User.ID || u["disabled"] != true {
			t.Errorf("user %v", u)
		}
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		if n := value[int](t, d, `select count(*) from auth.tickets`); n != 0 {
			t.Errorf("%d tickets", n)
		}
	})
	t.Run("links do not sign in", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "false"})
		s := d.guest(t)
		d.deanonymize(t, s.AccessToken, byLink(newAddress())).refused(t, 409, "disabled-endpoint", "")
		d.deanonymize(t, s.AccessToken, byPassword(newAddress())).ok(t)
	})
	t.Run("no mail server", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_SMTP_HOST": ""})
		s := d.guest(t)
		d.deanonymize(t, s.AccessToken, byLink(newAddress())).refused(t, 503, "mail-not-configured", "")
		d.deanonymize(t, s.AccessToken, byPassword(newAddress())).refused(t, 503, "mail-not-configured", "")
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
	})
	t.Run("the mail waits for its server", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		d.Mail.Fail(mailIsDown())
		s := d.guest(t)
		email := newAddress()
		d.deanonymize(t, s.AccessToken, byLink(email)).ok(t)
		d.mail(t, email, "signin-passwordless", 1)
	})
	t.Run("mails are limited", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_EMAIL_BURST": "1", "AUTH_RATE_LIMIT_EMAIL_INTERVAL": "1h", "AUTH_RATE_LIMIT_EMAIL_IS_GLOBAL": "false"})
		a, b := d.guest(t), d.guest(t)
		d.deanonymize(t, a.AccessToken, byLink(newAddress())).ok(t)
		d.deanonymize(t, b.AccessToken, byLink(newAddress())).refused(t, 429, "too-many-requests", "")
	})
}

func with2(env map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for n, v := range env {
		if n != name {
			out[n] = v
		}
	}
	return out
}

// TestWeakness13TheDatabaseKnowsWhoIsAGuest uses the token of a guest again after they became a user,
// one after the other and all at once.
func TestWeakness13TheDatabaseKnowsWhoIsAGuest(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	s := d.guest(t)
	email := newAddress()
	d.deanonymize(t, s.AccessToken, byPassword(email)).ok(t)
	before := d.state(t)
	other := byPassword(newAddress())
	other["password"] = "of whoever has the token"
	d.deanonymize(t, s.AccessToken, other).refused(t, 400, "user-not-anonymous", "")
	d.deanonymize(t, s.AccessToken, byLink(newAddress())).refused(t, 400, "user-not-anonymous", "")
	d.sameState(t, before, "the token of a guest who is none")
	d.signIn(t, email, rightPassword)
}

// TestManyDeanonymizeAtOnce lets a crowd turn one guest into a user, half of it at another replica.
func TestManyDeanonymizeAtOnce(t *testing.T) {
	t.Parallel()
	for name, verified := range map[string]string{"verification required": "true", "not required": "false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openTwins(t, map[string]string{
				"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": verified, "AUTH_ANONYMOUS_USERS_ENABLED": "true", "AUTH_EMAIL_PASSWORDLESS_ENABLED": "true",
			})
			s := must(t, w.a, "POST", "/signin/anonymous", nil, home()).session
			answers, err := parallel(crowdSize, func(i int) (reply, error) {
				body := byLink(newAddress())
				if i%16 == 0 {
					body = byPassword(newAddress())
				}
				return send(t.Context(), []*testhouse.House{w.a, w.b}[i%2], "POST", "/user/deanonymize", body, elsewhere(i), "Authorization", "Bearer "+s.AccessToken)
			})
			if err != nil {
				t.Fatal(err)
			}
			won := 0
			for i, r := range answers {
				switch {
				case r.status == 200:
					won++
				case r.status == 503 && i%16 == 0: // more hashes than the gate lets wait
				case r.refusal != "user-not-anonymous" && r.refusal != "unauthorized":
					t.Errorf("number %d: %s", i, r)
				}
			}
			if won != 1 {
				t.Errorf("%d of %d had it", won, crowdSize)
			}
			if n := scan[int](t, w.a, `select count(*) from auth.audit_entries where event = 'user.deanonymized' and user_id = $1`, s.User.ID); n != 1 {
				t.Errorf("%d entries", n)
			}
			if n := scan[int](t, w.a, `select count(*) from auth.tickets where user_id = $1`, s.User.ID); n > 1 {
				t.Errorf("%d links are on their way", n)
			}
		})
	}
}

// TestDeanonymizeKeepsNobodyElseIn checks that somebody who has copied a guest's tokens does not come
// along when the guest becomes a user.
func TestDeanonymizeKeepsNobodyElseIn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	s := d.guest(t)
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, expires_at, type) values ($1, $2, $3, now() + interval '1 day', 'regular')`,
		tokens.NewUUID(), s.User.ID, tokens.HashRefresh("5e8f0b1d-2a37-4d0a-9c55-3f2b8c1e7a64")) // however it came to be
	d.deanonymize(t, s.AccessToken, byPassword(newAddress())).ok(t)
	d.ask(t, "POST", "/token", fields{"refreshToken": "5e8f0b1d-2a37-4d0a-9c55-3f2b8c1e7a64"}).refused(t, 401, "invalid-refresh-token", "")
	d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)

	// A guest who was locked, signed out or deleted meanwhile becomes nobody.
	for _, end := range []string{`update auth.users set disabled = true where id = $1`, `delete from auth.refresh_tokens where user_id = $1`, `delete from auth.users where id = $1`} {
		s := d.guest(t)
		d.sql(t, end, s.User.ID)
		if a := d.deanonymize(t, s.AccessToken, byPassword(newAddress())); a.status != 401 {
			t.Errorf("%s: %s", end, a)
		}
	}
}

// byPhone are the two requests by which a guest signs up with a number: of later releases, and of
// hasura-auth-js.
func byPhone(number string) map[string]fields {
	return map[string]fields{
		"/user/deanonymize/sms": {"phoneNumber": number},
		"/user/deanonymize":     {"signInMethod": "passwordless", "connection": "sms", "phoneNumber": number},
	}
}

// TestDeanonymizeByPhone is also the part of weakness 50 that is about text messages.
func TestDeanonymizeByPhone(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	n := 0
	for path, body := range byPhone("") {
		t.Run(path, func(t *testing.T) {
			n++
			number := fmt.Sprintf("+4179222000%d", n)
			body := maps.Clone(body)
			body["phoneNumber"], body["options"] = fmt.Sprintf("0041 79 222-000%d", n), fields{"metadata": fields{"plan": "trial"}}
			s := d.guest(t)
			d.ask(t, "POST", path, body, bearer(s.AccessToken)).ok(t)
			u := value[map[string]any](t, d, `select to_jsonb(u) from auth.users u where id = $1`, s.User.ID)
			if u["phone_number"] != number || u["phone_number_verified"] != false || u["is_anonymous"] != false || u["display_name"] != number || u["default_role"] != "user" || u["email"] != nil {
				t.Errorf("user %v", u)
			}
			// The guest is out until the number is proved.
			d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
			d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
			code := d.textedCode(t, number, 1)
			d.ask(t, "POST", "/signin/passwordless/sms/otp", fields{"phoneNumber": number, "otp": string(append([]byte{code[0] ^ 1}, code[1:]...))}).refused(t, 400, "invalid-otp", "")
			in := d.ask(t, "POST", "/signin/passwordless/sms/otp", fields{"phoneNumber": number, "otp": code}).session(t)
			if in.User.ID != s.User.ID || in.user["phoneNumberVerified"] != true || in.user["phoneNumber"] != number || in.user["isAnonymous"] != false || cmp.Diff(map[string]any{"plan": "trial"}, in.user["metadata"]) != "" {
				t.Errorf("user %v", in.user)
			}
			d.ask(t, "POST", path, byPhone("+41792220099")[path], bearer(in.AccessToken)).refused(t, 400, "user-not-anonymous", "")
		})
	}
}

func TestDeanonymizeByPhoneRefusals(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	d.sql(t, `insert into auth.users (locale, default_role, display_name, phone_number) values ('en', 'user', 'Known', '+41792221111')`)
	s := d.guest(t)
	before := d.state(t)
	for path, body := range byPhone("+41792221111") {
		ask := func(more fields) answer {
			all := maps.Clone(body)
			maps.Copy(all, more)
			return d.ask(t, "POST", path, all, bearer(s.AccessToken))
		}
		ask(nil).refused(t, 409, "user-already-exists", "")
		ask(fields{"phoneNumber": "079 222 11 11"}).refused(t, 400, "cannot-send-sms", "")
		ask(fields{"phoneNumber": "+41792222222", "options": fields{"allowedRoles": []string{"admin"}}}).refused(t, 400, "role-not-allowed", "")
		ask(fields{"phoneNumber": "+41792222222", "options": fields{"redirectTo": "https://evil.example"}}).refused(t, 400, "redirectTo-not-allowed", "")
		d.knock(t, "POST", path, body).refused(t, 401, "unauthorized", "")
	}
	for field, body := range map[string]fields{
		"email":       {"signInMethod": "passwordless", "connection": "sms", "phoneNumber": "+41792222222", "email": newAddress()},
		"phoneNumber": {"signInMethod": "passwordless", "connection": "sms"},
	} {
		d.knock(t, "POST", "/user/deanonymize", body, bearer(s.AccessToken)).invalid(t, field)
	}
	d.knock(t, "POST", "/user/deanonymize", fields{"signInMethod": "passwordless", "email": newAddress(), "phoneNumber": "+41792222222"}, bearer(s.AccessToken)).invalid(t, "phoneNumber")
	d.sameState(t, before, "refused guests")

	for setting, want := range map[string]struct {
		status int
		id     string
	}{
		"AUTH_SMS_PASSWORDLESS_ENABLED=false": {409, "disabled-endpoint"},
		"AUTH_DISABLE_SIGNUP=true":            {403, "signup-disabled"},
		"AUTH_DISABLE_NEW_USERS=true":         {401, "disabled-user"},
	} {
		name, v, _ := strings.Cut(setting, "=")
		other := doorway{(&testhouse.House{Database: d.Database, Mail: d.Mail, Phones: d.Phones, Env: with2(d.Env, name, v)}).Beside(t)}
		for path, body := range byPhone("+41792223333") {
			guest := d.guest(t)
			sent := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_sms'`)
			other.ask(t, "POST", path, body, bearer(guest.AccessToken)).refused(t, want.status, want.id, "")
			if now := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_sms'`); now != sent {
				t.Errorf("%s: a message was sent", setting)
			}
			d.sql(t, `update auth.users set phone_number = null where phone_number = '+41792223333'`)
		}
	}

	// One number is sent only so many messages: then a guest stays a guest.
	for range 20 {
		d.sql(t, `update auth.users set phone_number = null where phone_number = '+41792224444'`)
		guest := d.guest(t)
		a := d.ask(t, "POST", "/user/deanonymize/sms", fields{"phoneNumber": "+41792224444"}, bearer(guest.AccessToken))
		if a.status == 200 {
			continue
		}
		a.refused(t, 429, "too-many-requests", "")
		d.ask(t, "GET", "/user", nil, bearer(guest.AccessToken)).is(t, 200, "")
		if !value[bool](t, d, `select is_anonymous and phone_number is null from auth.users where id = $1`, guest.User.ID) {
			t.Error("a guest without a code is none any more")
		}
		return
	}
	t.Error("there is no limit on messages to one number")
}
