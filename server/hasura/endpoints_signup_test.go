package hasura_test

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
)

const incorrect = "Incorrect email or password"

// stored reads columns of a user as one JSON object.
func stored(t testing.TB, d doorway, email string) map[string]any {
	t.Helper()
	return value[map[string]any](t, d, `select to_jsonb(u) || jsonb_build_object('roles', array(select role from auth.user_roles r where r.user_id = u.id order by role))
		from auth.users u where email = $1::text::public.citext`, email)
}

func TestSignUpAwaitingConfirmation(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{
		"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://*.allowed.example/app,myapp://",
		"AUTH_LOCALE_ALLOWED_LOCALES":               "en,fr",
		"AUTH_USER_DEFAULT_ALLOWED_ROLES":           "me,editor",
	})

	t.Run("the least", func(t *testing.T) {
		email := strings.ToUpper("Jane." + newAddress()[:8] + "@Example.COM")
		d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": rightPassword}).is(t, 200, "{}")
		sum := md5.Sum([]byte(strings.ToLower(email)))
		got := stored(t, d, email)
		for column, want := range map[string]any{
			"email": email, "display_name": email, "locale": "en", "default_role": "user", "email_verified": false, "disabled": false,
			"is_anonymous": false, "metadata": nil, "new_email": nil, "phone_number": nil, "ticket": nil, "last_seen": nil, "active_mfa_type": nil,
			"avatar_url": "https://www.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) + "?d=blank&r=g",
			"roles":      []any{"editor", "me", "user"},
		} {
			if diff := cmp.Diff(want, got[column]); diff != "" {
				t.Errorf("%s: %s", column, diff)
			}
		}
		if hash, _ := got["password_hash"].(string); !strings.HasPrefix(hash, "$argon2id$v=19$m=1024,t=1,p=1$") {
			t.Errorf("password_hash %q", hash)
		}
		m := d.mail(t, email, "email-verify", 1)
		link, q := answer{status: 302, header: http.Header{"Location": {m.Link}}}.redirect(t, 302)
		if link != d.URL[:len(d.URL)-len("/v1")]+"/v1/verify" && !strings.HasSuffix(link, "/v1/verify") {
			t.Errorf("the link leads to %s", link)
		}
		if q.Get("type") != "emailVerify" || q.Get("redirectTo") != "https://app.example.com" || q.Get("ticket") != m.Ticket || len(q) != 3 ||
			!regexp.MustCompile(`^verifyEmail:[0-9a-f-]{36}$`).MatchString(m.Ticket) || m.Headers.Get("X-Email-Template") != "email-verify" ||
			m.Headers.Get("X-Redirect-To") != "https://app.example.com" {
			t.Errorf("link %v, ticket %q, headers %v", q, m.Ticket, m.Headers)
		}
		if q := m.Link; strings.Index(q, "redirectTo=") > strings.Index(q, "&ticket=") || strings.Index(q, "&ticket=") > strings.Index(q, "&type=") {
			t.Errorf("the parameters of %s are not in the order that Hasura Auth's have", q)
		}
		if n := value[int](t, d, `select count(*) from auth.refresh_tokens`); n != 0 {
			t.Errorf("%d sessions", n)
		}
		for _, table := range []string{"audit_entries where event", "events where type"} {
			if n := value[int](t, d, `select count(*) from auth.`+table+` = 'user.created' and user_id = $1`, got["id"]); n != 1 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})

	t.Run("with every option and PKCE", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		email := d.signUp(t, fields{"codeChallenge": challenge, "options": fields{
			"displayName": "Jane O'Hara-Müller, Jr. 3 ☺", "locale": "fr", "defaultRole": "editor", "allowedRoles": []string{"me", "editor", "me"},
			"metadata": fields{"plan": "trial", "deep": fields{"a": []any{nil, 1.5, true, "\r\n"}}}, "redirectTo": "https://a.allowed.example/app/x?y=1#z",
		}})
		got := stored(t, d, email)
		want := map[string]any{
			"display_name": "Jane O'Hara-Müller, Jr. 3 ☺", "locale": "fr", "default_role": "editor", "roles": []any{"editor", "me"},
			"metadata": map[string]any{"plan": "trial", "deep": map[string]any{"a": []any{nil, 1.5, true, "\r\n"}}},
		}
		for column := range want {
			if diff := cmp.Diff(want[column], got[column]); diff != "" {
				t.Errorf("%s: %s", column, diff)
			}
		}
		m := d.mail(t, email, "email-verify", 1)
		_, q := answer{status: 302, header: http.Header{"Location": {m.Link}}}.redirect(t, 302)
		if q.Get("codeChallenge") != challenge || q.Get("redirectTo") != "https://a.allowed.example/app/x?y=1#z" || !strings.Contains(m.Subject, "mail") {
			t.Errorf("link %v, subject %q", q, m.Subject)
		}
		if m.Headers.Get("Content-Language") != "" && m.Headers.Get("Content-Language") != "fr" {
			t.Errorf("language %q", m.Headers.Get("Content-Language"))
		}
		_, code := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
		s := d.ask(t, "POST", "/token/exchange", fields{"code": code.Get("code"), "codeVerifier": verifier}).session(t)
		if s.user["locale"] != "fr" || s.user["emailVerified"] != true {
			t.Errorf("user %v", s.user)
		}
	})

	for name, c := range map[string]struct {
		options fields
		column  string
		want    any
	}{
		"a locale that is not allowed becomes the default":   {fields{"locale": "de"}, "locale", "en"},
		"a locale of three letters that is not allowed":      {fields{"locale": "fil"}, "locale", "en"},
		"roles without a default role get the server's":      {fields{"allowedRoles": []string{"user"}}, "roles", []any{"user"}},
		"an empty list of roles is none":                     {fields{"allowedRoles": []string{}}, "roles", []any{"editor", "me", "user"}},
		"32 characters of a name are enough":                 {fields{"displayName": strings.Repeat("é", 32)}, "display_name", strings.Repeat("é", 32)},
		"symbols may stand in a name":                        {fields{"displayName": "€ <3 + `~^|"}, "display_name", "€ <3 + `~^|"},
		"an application's own scheme":                        {fields{"redirectTo": "myapp://welcome/back"}, "locale", "en"},
		"the client URL":                                     {fields{"redirectTo": "https://app.example.com/"}, "locale", "en"},
		"below the client URL":                               {fields{"redirectTo": "https://APP.example.com:443/x/y"}, "locale", "en"},
		"an empty redirectTo is none":                        {fields{"redirectTo": ""}, "locale", "en"},
		"metadata keeps what looks like columns to itself":   {fields{"metadata": fields{"email_verified": true, "disabled": false}}, "email_verified", false},
		"metadata may be empty":                              {fields{"metadata": fields{}}, "metadata", map[string]any{}},
		"the largest and smallest numbers that JSON carries": {fields{"metadata": fields{"n": []any{1.5e308, -1.5e308}}}, "email_verified", false},
	} {
		t.Run(name, func(t *testing.T) {
			email := d.signUp(t, fields{"options": c.options})
			if diff := cmp.Diff(c.want, stored(t, d, email)[c.column]); diff != "" {
				t.Error(diff)
			}
		})
	}

	taken := d.signUp(t, nil)
	before := d.state(t)
	for name, c := range map[string]struct {
		body        fields
		status      int
		id, message string
	}{
		"role outside the server's":           {fields{"options": fields{"allowedRoles": []string{"user", "admin"}}}, 400, "role-not-allowed", "Role not allowed"},
		"default role outside the list":       {fields{"options": fields{"allowedRoles": []string{"me"}}}, 400, "default-role-must-be-in-allowed-roles", "Default role must be in allowed roles"},
		"default role outside the server's":   {fields{"options": fields{"defaultRole": "admin"}}, 400, "default-role-must-be-in-allowed-roles", "Default role must be in allowed roles"},
		"redirect elsewhere":                  {fields{"options": fields{"redirectTo": "https://evil.example"}}, 400, "redirectTo-not-allowed", `The value of "options.redirectTo" is not allowed.`},
		"redirect crossing a label":           {fields{"options": fields{"redirectTo": "https://a.b.allowed.example/app"}}, 400, "redirectTo-not-allowed", ""},
		"redirect beside the path":            {fields{"options": fields{"redirectTo": "https://a.allowed.example/application"}}, 400, "redirectTo-not-allowed", ""},
		"seven characters":                    {fields{"password": "ABCéfgh"}, 400, "password-too-short", "Password is too short"},
		"more bytes than are hashed":          {fields{"password": strings.Repeat("é", 513)}, 400, "password-too-long", "Password is too long"},
		"taken":                               {fields{"email": taken}, 409, "email-already-in-use", "Email already in use"},
		"taken in another letter case":        {fields{"email": strings.ToUpper(taken)}, 409, "email-already-in-use", ""},
		"the redirect comes before the roles": {fields{"options": fields{"redirectTo": "https://evil.example", "defaultRole": "admin"}}, 400, "redirectTo-not-allowed", ""},
		"the roles come before the address":   {fields{"email": taken, "options": fields{"defaultRole": "admin"}}, 400, "default-role-must-be-in-allowed-roles", ""},
		"the password comes before options":   {fields{"password": "short", "options": fields{"redirectTo": "https://evil.example"}}, 400, "password-too-short", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := fields{"email": newAddress(), "password": rightPassword}
			for k, v := range c.body {
				body[k] = v
			}
			d.ask(t, "POST", "/signup/email-password", body).refused(t, c.status, c.id, c.message)
			d.sameState(t, before, "a refused sign-up")
		})
	}

	t.Run("passwords of every length that is taken", func(t *testing.T) {
		for _, p := range []string{"12345678", "pass wd ", "пароль-1", strings.Repeat("x", 72), strings.Repeat("x", 73), strings.Repeat("é", 512), "👩‍👩‍👧‍👦ab", "tab\tand\r\nlines"} {
			email := d.signUp(t, fields{"password": p})
			d.sql(t, `update auth.users set email_verified = true where email = $1`, email)
			d.signIn(t, email, p)
			for _, other := range []string{p + "x", string([]rune(p)[1:]) + "\x7f", strings.ToUpper(p) + " ", " " + p} {
				if len(other) <= 1024 {
					d.knock(t, "POST", "/signin/email-password", fields{"email": email, "password": other}).refused(t, 401, "invalid-email-password", incorrect)
				}
			}
		}
	})
}

func TestSignUpWithoutConfirmation(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_GRAVATAR_DEFAULT", "identicon", "AUTH_GRAVATAR_RATING", "pg", "AUTH_ACCESS_TOKEN_EXPIRES_IN", "600"))
	_, challenge := testhouse.Verifier()
	email := newAddress()
	began := time.Now().Add(-time.Second)
	s := d.ask(t, "POST", "/signup/email-password", fields{
		"email": email, "password": rightPassword, "codeChallenge": challenge, // with a session in the answer there is nothing to exchange
		"options": fields{"displayName": "Jane", "metadata": fields{"plan": "trial"}},
	}).session(t)

	sum := md5.Sum([]byte(email))
	created, err := time.Parse(time.RFC3339Nano, fmt.Sprint(s.user["createdAt"]))
	if err != nil || created.Before(began) || created.After(time.Now().Add(time.Second)) {
		t.Errorf("createdAt %v: %v", s.user["createdAt"], err)
	}
	want := map[string]any{
		"id": s.User.ID, "createdAt": s.user["createdAt"], "displayName": "Jane", "locale": "en", "email": email, "emailVerified": false,
		"phoneNumberVerified": false, "isAnonymous": false, "defaultRole": "user", "roles": []any{"me", "user"},
		"metadata": map[string]any{"plan": "trial"}, "activeMfaType": nil,
		"avatarUrl": "https://www.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) + "?d=identicon&r=pg",
	}
	if diff := cmp.Diff(want, s.user); diff != "" {
		t.Error(diff)
	}
	if s.AccessTokenExpiresIn != 600 {
		t.Errorf("accessTokenExpiresIn %d", s.AccessTokenExpiresIn)
	}
	got := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t)
	got["createdAt"] = want["createdAt"] // the database keeps microseconds
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET /user: %s", diff)
	}
	if diff := cmp.Diff(s.user, d.signIn(t, email, rightPassword).user, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "" && strings.Contains(p.GoString(), "createdAt") }, cmp.Ignore())); diff != "" {
		t.Errorf("sign-in: %s", diff)
	}
	if n := len(d.Mail.To(email)); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestSignUpSettings(t *testing.T) {
	t.Parallel()
	signUp := func(t *testing.T, d doorway, email string) answer {
		t.Helper()
		return d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": rightPassword})
	}

	t.Run("AUTH_DISABLE_SIGNUP comes before everything", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_DISABLE_SIGNUP": "true", "AUTH_ACCESS_CONTROL_BLOCKED_EMAILS": "bad@example.com"})
		before := d.state(t)
		for _, email := range []string{newAddress(), "bad@example.com"} {
			signUp(t, d, email).refused(t, 403, "signup-disabled", "Sign up is disabled.")
		}
		d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": "short", "options": fields{"redirectTo": "https://evil.example"}}).
			refused(t, 403, "signup-disabled", "")
		d.sameState(t, before, "refused sign-ups")
	})

	t.Run("AUTH_DISABLE_NEW_USERS", func(t *testing.T) {
		t.Parallel()
		for _, verification := range []string{"true", "false"} {
			d := openDoor(t, map[string]string{"AUTH_DISABLE_NEW_USERS": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": verification})
			email := newAddress()
			signUp(t, d, email).refused(t, 401, "disabled-user", "User is disabled")
			if u := stored(t, d, email); u["disabled"] != true || u["email_verified"] != false {
				t.Errorf("user %v", u)
			}
			if n := value[int](t, d, `select (select count(*) from auth.refresh_tokens) + (select count(*) from auth.tickets) + (select count(*) from postern_river.river_job where kind = 'postern_mail')`); n != 0 {
				t.Errorf("%d sessions, tickets and mails", n)
			}
			signUp(t, d, email).refused(t, 409, "email-already-in-use", "")
		}
	})

	t.Run("the newer word for a taken address", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_EMAIL_CONFLICT_ERROR": "user-already-exists", "AUTH_GRAVATAR_ENABLED": "false"})
		email := d.signUp(t, nil)
		signUp(t, d, email).refused(t, 409, "user-already-exists", "User already exists")
		if u := stored(t, d, email); u["avatar_url"] != "" {
			t.Errorf("a picture without Gravatar: %v", u["avatar_url"])
		}
	})

	t.Run("concealed errors", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_CONCEAL_ERRORS": "true", "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "evil.example"})
		p := d.person(t)
		const plain = "The request payload is incorrect"
		email := d.signUp(t, nil)
		for name, a := range map[string]answer{
			"taken":               signUp(t, d, p.email),
			"kept out":            signUp(t, d, "a@evil.example"),
			"role":                d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": fields{"allowedRoles": []string{"admin"}}}),
			"wrong password":      d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": "wrong password"}),
			"unverified":          d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}),
			"refresh token":       d.ask(t, "POST", "/token", fields{"refreshToken": p.User.ID}),
			"ticket":              d.ask(t, "POST", "/user/password", fields{"newPassword": rightPassword, "ticket": "passwordReset:" + p.User.ID}),
			"resend to unknown":   d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": newAddress()}),
			"resend to confirmed": d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": p.email}),
			"change to taken":     d.ask(t, "POST", "/user/email/change", fields{"newEmail": email}, bearer(p.AccessToken)),
		} {
			t.Run(name, func(t *testing.T) { a.refused(t, 400, "invalid-request", plain) })
		}
		d.ask(t, "GET", "/verify?redirectTo=https://app.example.com&ticket=verifyEmail:x", nil).redirectsWith(t, 302, "https://app.example.com", "invalid-request")
		d.ask(t, "GET", "/user", nil).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": "short"}).refused(t, 400, "password-too-short", "")
	})

	t.Run("without a mail server", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_SMTP_HOST": "", "AUTH_SMTP_SENDER": ""})
		before := d.state(t)
		a := signUp(t, d, newAddress())
		a.refused(t, 503, "mail-not-configured", "")
		if a.header.Get("Retry-After") != "" {
			t.Error("waiting does not help")
		}
		d.sameState(t, before, "a sign-up that cannot be confirmed")
		d.ask(t, "POST", "/user/password/reset", fields{"email": newAddress()}).refused(t, 503, "mail-not-configured", "")
		d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": newAddress()}).refused(t, 503, "mail-not-configured", "")

		open := openDoor(t, unverified("AUTH_SMTP_HOST", "", "AUTH_SMTP_SENDER", ""))
		p := open.person(t) // what needs no mail works
		open.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(p.AccessToken)).refused(t, 503, "mail-not-configured", "")
		open.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)).ok(t)
	})
}

// TestPasswordPolicyWithHaveIBeenPwned runs against a range API of our own.
func TestPasswordPolicyWithHaveIBeenPwned(t *testing.T) {
	t.Parallel()
	const leaked, clean = "password-that-leaked", "password-that-did-not"
	digest := func(s string) string {
		sum := sha1.Sum([]byte(s))
		return strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	var mu sync.Mutex
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.String()+" padding="+r.Header.Get("Add-Padding"))
		mu.Unlock()
		if body, _ := io.ReadAll(r.Body); len(body) > 0 || strings.Contains(fmt.Sprint(r.Header), "leaked") {
			t.Errorf("the API was told more than five digits")
		}
		_, _ = fmt.Fprintf(w, "%s:42\r\n%s:0\r\n%s:3\r\n", digest(leaked)[5:], digest(clean)[5:], strings.Repeat("A", 35))
	}))
	t.Cleanup(api.Close)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()

	settings := func(url, fail string) map[string]string {
		return unverified("AUTH_PASSWORD_HIBP_ENABLED", "true", "AUTH_PASSWORD_HIBP_URL", url, "AUTH_PASSWORD_HIBP_FAIL", fail)
	}
	signUp := func(t *testing.T, d doorway, password string) answer {
		t.Helper()
		return d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": password})
	}
	t.Run("listed and padded", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, settings(api.URL, ""))
		before := d.state(t)
		signUp(t, d, leaked).refused(t, 400, "password-in-hibp-database", "Password is in HIBP database")
		signUp(t, d, "short").refused(t, 400, "password-too-short", "") // and nobody is asked
		d.sameState(t, before, "a leaked password")
		s := signUp(t, d, clean).session(t) // padding has the count 0
		d.ask(t, "POST", "/user/password", fields{"newPassword": leaked}, bearer(s.AccessToken)).refused(t, 400, "password-in-hibp-database", "")
		mu.Lock()
		defer mu.Unlock()
		want := []string{}
		for _, p := range []string{leaked, clean, leaked} {
			want = append(want, "GET /range/"+digest(p)[:5]+" padding=true")
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("down and closed", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, settings(down.URL, "closed"))
		before := d.state(t)
		a := signUp(t, d, clean)
		a.refused(t, 503, "overloaded", "")
		if a.header.Get("Retry-After") == "" {
			t.Error("nobody says when to try again")
		}
		d.sameState(t, before, "a password nobody could look up")
	})
	t.Run("down and open", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, settings(down.URL, "open"))
		signUp(t, d, clean).session(t)
		if !strings.Contains(d.Log.String(), "Pwned") {
			t.Error("nobody is told that passwords pass unseen")
		}
	})
}

func TestAccessListsAtEveryDoor(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified(
		"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS", "bad@ok.example",
		"AUTH_ACCESS_CONTROL_ALLOWED_EMAILS", "Good@Blocked.example",
		"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS", "blocked.example",
		"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS", "ok.example,Example.com",
	))
	member := d.person(t)
	good, out := []string{"a@ok.example", "A@OK.EXAMPLE", "good@blocked.example"}, []string{"bad@ok.example", "BAD@ok.example", "x@blocked.example", "x@elsewhere.example", "x@sub.ok.example", "x@ok.example.evil.example"}
	d.ask(t, "POST", "/signup/email-password", fields{"email": good[0], "password": rightPassword}).session(t)
	d.ask(t, "POST", "/signup/email-password", fields{"email": good[2], "password": rightPassword}).session(t)
	d.signIn(t, good[1], rightPassword)
	before := d.state(t)
	for _, email := range out {
		d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": rightPassword}).refused(t, 401, "invalid-email-password", incorrect)
		d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}).refused(t, 401, "invalid-email-password", incorrect)
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": email}, bearer(member.AccessToken)).refused(t, 401, "invalid-email-password", incorrect)
	}
	d.sameState(t, before, "addresses that are kept out")

	// Kept out after the fact: the way in is closed, a session that is open goes on.
	d.sql(t, `update auth.users set email = 'late@blocked.example' where id = $1`, member.User.ID)
	d.ask(t, "POST", "/signin/email-password", fields{"email": "late@blocked.example", "password": rightPassword}).refused(t, 401, "invalid-email-password", incorrect)
	d.ask(t, "GET", "/user", nil, bearer(member.AccessToken)).refused(t, 401, "invalid-email-password", incorrect)
	d.ask(t, "POST", "/token/verify", nil, bearer(member.AccessToken)).refused(t, 401, "invalid-email-password", incorrect)
	d.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(member.AccessToken)).refused(t, 401, "invalid-email-password", incorrect)
	d.ask(t, "POST", "/user/password/reset", fields{"email": "late@blocked.example"}).ok(t)
	if n := len(d.Mail.To("late@blocked.example")); n != 0 {
		t.Errorf("%d mails to an address that is kept out", n)
	}
	d.ask(t, "POST", "/token", fields{"refreshToken": member.RefreshToken}).session(t)
}
