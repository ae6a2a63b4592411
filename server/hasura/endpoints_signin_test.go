package hasura_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"postern/internal/testhouse"
	"postern/tokens"
)

func bcryptOf(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password)[:min(len(password), 72)], bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	signIn := func(t *testing.T, email, password string) answer {
		t.Helper()
		return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password})
	}

	t.Run("the session and all that is written", func(t *testing.T) {
		p := d.person(t)
		before := d.Clock.Now()
		s := signIn(t, strings.ToUpper(p.email), rightPassword).session(t)
		if s.RefreshTokenID == p.RefreshTokenID || s.RefreshToken == p.RefreshToken || s.AccessTokenExpiresIn != 900 {
			t.Errorf("session %+v", s.wireSession)
		}
		if diff := cmp.Diff(p.user, s.user); diff != "" {
			t.Errorf("user: %s", diff)
		}
		if diff := cmp.Diff(p.user, d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t)); diff != "" {
			t.Errorf("GET /user: %s", diff)
		}
		row := value[map[string]any](t, d, `select to_jsonb(r) from auth.refresh_tokens r where id = $1`, s.RefreshTokenID)
		if row["refresh_token_hash"] != tokens.HashRefresh(s.RefreshToken) || row["type"] != "regular" || row["user_id"] != s.User.ID || row["aal"] != 1.0 {
			t.Errorf("session row %v", row)
		}
		if life := value[float64](t, d, `select extract(epoch from expires_at - created_at)::float8 from auth.refresh_tokens where id = $1`, s.RefreshTokenID); life != 2592000 {
			t.Errorf("the session lives %v seconds", life)
		}
		if seen := value[time.Time](t, d, `select last_seen from auth.users where id = $1`, s.User.ID); seen.Before(before.Add(-time.Millisecond)) {
			t.Errorf("last seen %v, before %v", seen, before)
		}
		for _, table := range []string{`audit_entries where event = 'session.started' and session_id = $1`, `events where type = 'session.started' and payload->>'sessionId' = $1::text`} {
			if n := value[int](t, d, `select count(*) from auth.`+table, s.RefreshTokenID); n != 1 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})

	t.Run("the access token says what Hasura reads", func(t *testing.T) {
		p := d.person(t)
		part := func(i int) map[string]any {
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(p.AccessToken, ".")[i])
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
		if diff := cmp.Diff(map[string]any{"alg": "HS256", "typ": "JWT"}, part(0)); diff != "" {
			t.Error(diff)
		}
		got := part(1)
		want := map[string]any{
			"sub": p.User.ID, "iss": "hasura-auth", "iat": got["iat"], "exp": got["iat"].(float64) + 900, "session_id": p.RefreshTokenID,
			"https://hasura.io/jwt/claims": map[string]any{
				"x-hasura-user-id": p.User.ID, "x-hasura-default-role": "user", "x-hasura-allowed-roles": []any{"me", "user"}, "x-hasura-user-is-anonymous": "false",
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("the state of an account is told after the right password alone", func(t *testing.T) {
		for name, c := range map[string]struct {
			set         string
			status      int
			id, message string
		}{
			"disabled":                   {`disabled = true`, 401, "disabled-user", "User is disabled"},
			"disabled and unverified":    {`disabled = true, email_verified = false`, 401, "disabled-user", ""},
			"unverified":                 {`email_verified = false`, 401, "unverified-user", "User is not verified."},
			"guest":                      {`is_anonymous = true`, 403, "forbidden-anonymous", "Forbidden, user is anonymous."},
			"no password":                {`password_hash = null`, 401, "invalid-email-password", incorrect},
			"an empty hash":              {`password_hash = ''`, 401, "invalid-email-password", incorrect},
			"no password and a disabled": {`password_hash = null, disabled = true`, 401, "invalid-email-password", incorrect},
		} {
			t.Run(name, func(t *testing.T) {
				p := d.person(t)
				d.sql(t, `update auth.users set `+c.set+` where id = $1`, p.User.ID)
				before := d.state(t)
				signIn(t, p.email, rightPassword).refused(t, c.status, c.id, c.message)
				signIn(t, p.email, "wrong password").refused(t, 401, "invalid-email-password", incorrect)
				d.sameState(t, before, "refused sign-ins")
			})
		}
		signIn(t, newAddress(), rightPassword).refused(t, 401, "invalid-email-password", incorrect)
		signIn(t, newAddress(), "x").refused(t, 401, "invalid-email-password", incorrect) // no policy for old passwords
		signIn(t, newAddress(), strings.Repeat("x", 1024)).refused(t, 401, "invalid-email-password", incorrect)
	})

	t.Run("hashes of Hasura Auth are read, and replaced by the house's own", func(t *testing.T) {
		p := d.person(t)
		long := strings.Repeat("p", 80)
		for _, password := range []string{"abc", "a password of Hasura Auth", long} {
			d.sql(t, `update auth.users set password_hash = $2 where id = $1`, p.User.ID, bcryptOf(t, password))
			signIn(t, p.email, password).session(t)
			hash := value[string](t, d, `select password_hash from auth.users where id = $1`, p.User.ID)
			if !strings.HasPrefix(hash, "$argon2id$") {
				t.Errorf("%q is still hashed as %s", password, hash)
			}
			signIn(t, p.email, password).session(t)
		}
		signIn(t, p.email, long[:72]).refused(t, 401, "invalid-email-password", "") // since re-hashed whole
		d.sql(t, `update auth.users set password_hash = 'plain text' where id = $1`, p.User.ID)
		if a := signIn(t, p.email, "plain text"); a.status == 200 {
			t.Error("what is no hash was compared as text")
		} else {
			a.refusal(t)
		}
	})

	t.Run("a bearer, however bad, is nothing to a public endpoint", func(t *testing.T) {
		p := d.person(t)
		for _, b := range []string{"Bearer " + p.AccessToken, "Bearer x", "nonsense"} {
			d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": rightPassword}, header("Authorization", b)).session(t)
			d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": "wrong password"}, header("Authorization", b)).refused(t, 401, "invalid-email-password", "")
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.Clock.Advance(time.Minute)
	s := d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}, header("Authorization", "Bearer expired")).session(t)
	if s.RefreshTokenID != p.RefreshTokenID || s.RefreshToken == p.RefreshToken || s.AccessToken == p.AccessToken || s.AccessTokenExpiresIn != 900 {
		t.Errorf("session %+v", s.wireSession)
	}
	if diff := cmp.Diff(p.user, s.user); diff != "" {
		t.Error(diff)
	}
	d.ask(t, "POST", "/token", fields{"refreshToken": p.User.ID}).refused(t, 401, "invalid-refresh-token", "Invalid or expired refresh token")
	d.knock(t, "POST", "/token", fields{"refreshToken": strings.ToUpper(s.RefreshToken)}).invalid(t, "refreshToken")
	d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
	d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "unverified-user", "")
	d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
	d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "disabled-user", "")
	d.sql(t, `update auth.users set disabled = false, email_verified = true where id = $1`, p.User.ID)
	d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
}

func TestVerifyToken(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	verify := func(t *testing.T, body any, more ...with) answer {
		t.Helper()
		return d.ask(t, "POST", "/token/verify", body, more...)
	}
	const plain = "The request payload is incorrect"

	verify(t, fields{"token": p.AccessToken}).ok(t)
	verify(t, fields{"token": "Bearer " + p.AccessToken}).ok(t)
	verify(t, nil, bearer(p.AccessToken)).ok(t)
	verify(t, "", bearer(p.AccessToken)).ok(t) // a JSON content type without a body
	verify(t, fields{}, bearer(p.AccessToken)).ok(t)
	verify(t, fields{"token": ""}, bearer(p.AccessToken)).ok(t)
	verify(t, nil).refused(t, 400, "invalid-request", plain)
	verify(t, fields{}).refused(t, 400, "invalid-request", plain)
	verify(t, nil, bearer("x.y.z")).refused(t, 400, "invalid-request", plain)
	verify(t, fields{"token": "x.y.z"}, bearer(p.AccessToken)).refused(t, 400, "invalid-request", plain) // the body's token counts
	verify(t, fields{"token": p.RefreshToken}).refused(t, 400, "invalid-request", plain)
	verify(t, fields{"token": "Bearer Bearer " + p.AccessToken}).refused(t, 400, "invalid-request", plain)

	d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
	verify(t, nil, bearer(p.AccessToken)).refused(t, 401, "disabled-user", "User is disabled")
	verify(t, fields{"token": p.AccessToken}).ok(t) // as a value: signature, issuer and time alone
	d.sql(t, `update auth.users set disabled = false where id = $1`, p.User.ID)
	d.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t)
	verify(t, nil, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
	d.Clock.Advance(15*time.Minute + time.Second)
	verify(t, fields{"token": p.AccessToken}).refused(t, 400, "invalid-request", plain)
	verify(t, nil, bearer(p.AccessToken)).refused(t, 400, "invalid-request", plain)
}

func TestExchange(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	verifier, challenge := testhouse.Verifier()
	other, _ := testhouse.Verifier()
	exchange := func(t *testing.T, code, verifier string) answer {
		t.Helper()
		return d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier})
	}
	codeOf := func(t *testing.T, link string) string {
		t.Helper()
		_, q := d.ask(t, "GET", link, nil).redirect(t, 302)
		if q.Has("refreshToken") || q.Has("error") || q.Get("code") == "" {
			t.Fatalf("the link leads to %v", q)
		}
		return q.Get("code")
	}

	email := d.signUp(t, fields{"codeChallenge": challenge})
	link := pathOf(t, d.mail(t, email, "email-verify", 1))
	first, second := codeOf(t, link), codeOf(t, link)
	if first == second {
		t.Error("two visits got one code")
	}
	if stored(t, d, email)["email_verified"] != false {
		t.Error("opening the link confirmed the address")
	}
	before := d.state(t)
	exchange(t, first, other).refused(t, 400, "invalid-request", "The request payload is incorrect")
	exchange(t, "unknown", verifier).refused(t, 400, "invalid-request", "The request payload is incorrect")
	d.sameState(t, before, "wrong exchanges")

	d.sql(t, `update auth.users set disabled = true where email = $1`, email)
	exchange(t, first, verifier).refused(t, 401, "disabled-user", "")
	d.sql(t, `update auth.users set disabled = false, is_anonymous = true where email = $1`, email)
	exchange(t, first, verifier).refused(t, 403, "forbidden-anonymous", "")
	d.sql(t, `update auth.users set is_anonymous = false where email = $1`, email)

	s := exchange(t, second, verifier).session(t)
	if s.user["emailVerified"] != true || s.user["email"] != email {
		t.Errorf("user %v", s.user)
	}
	exchange(t, second, verifier).refused(t, 400, "invalid-request", "")
	exchange(t, first, verifier).refused(t, 400, "invalid-request", "")
	d.ask(t, "GET", link, nil).redirectsWith(t, 302, "https://app.example.com", "invalid-ticket")
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	out := func(t *testing.T, body any, more ...with) answer {
		t.Helper()
		return d.ask(t, "POST", "/signout", body, more...)
	}
	signIn := func() fullSession { return d.signIn(t, p.email, p.password) }
	sessions := func() int {
		return value[int](t, d, `select count(*) from auth.refresh_tokens where user_id = $1`, p.User.ID)
	}

	before := d.state(t)
	out(t, fields{"refreshToken": "any text at all \x07"}).ok(t)
	out(t, fields{"refreshToken": p.User.ID, "all": false, "more": fields{"members": 1}}).ok(t)
	out(t, fields{}).invalid(t, "refreshToken")
	out(t, fields{"refreshToken": ""}, bearer(p.AccessToken)).invalid(t, "refreshToken")
	out(t, fields{"all": true}).invalid(t, "Authorization")
	out(t, fields{"all": true, "refreshToken": p.RefreshToken}, bearer("x.y.z")).invalid(t, "Authorization")
	d.sameState(t, before, "sign-outs that end nothing")

	second, third := signIn(), signIn()
	out(t, fields{"refreshToken": second.RefreshToken}).ok(t)
	if n := sessions(); n != 2 {
		t.Fatalf("%d sessions", n)
	}
	d.ask(t, "GET", "/user", nil, bearer(second.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "GET", "/user", nil, bearer(third.AccessToken)).is(t, 200, "")
	out(t, fields{"refreshToken": second.RefreshToken}).ok(t)

	// A personal access token is a row of the same table, and Hasura Auth ends it with the rest.
	d.sql(t, `insert into auth.refresh_tokens (user_id, expires_at, refresh_token_hash, type) values ($1, now() + interval '1 year', 'pat-hash', 'pat')`, p.User.ID)
	another := d.person(t)
	out(t, fields{"all": true, "refreshToken": "ignored"}, bearer(third.AccessToken)).ok(t)
	if n := sessions(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
	for _, s := range []wireSession{p.wireSession, third.wireSession} {
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
	}
	d.ask(t, "GET", "/user", nil, bearer(another.AccessToken)).is(t, 200, "")

	// Who was thrown out cannot throw out others.
	back := signIn()
	before = d.state(t)
	out(t, fields{"all": true}, bearer(third.AccessToken)).invalid(t, "Authorization")
	d.sameState(t, before, "a token of an ended session")
	d.ask(t, "GET", "/user", nil, bearer(back.AccessToken)).is(t, 200, "")
}

func TestGetUser(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.sql(t, `insert into auth.roles (role) values ('admin')`)
	d.sql(t, `update auth.users set display_name = 'Changed', phone_number = '+41790000000', phone_number_verified = true, active_mfa_type = 'totp',
		metadata = '{"a": [1, null]}', default_role = 'admin', new_email = 'x@example.com' where id = $1`, p.User.ID)
	want := p.user
	for k, v := range map[string]any{
		"displayName": "Changed", "phoneNumber": "+41790000000", "phoneNumberVerified": true, "activeMfaType": "totp",
		"metadata": map[string]any{"a": []any{1.0, nil}}, "defaultRole": "admin", "roles": []any{"me", "user", "admin"},
	} {
		want[k] = v
	}
	a := d.ask(t, "GET", "/user", nil, bearer(p.AccessToken))
	if diff := cmp.Diff(want, a.object(t)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t).user); diff != "" {
		t.Errorf("a refresh tells of another user: %s", diff)
	}
	if !strings.Contains(a.body, fmt.Sprintf(`"id":%q`, p.User.ID)) || !strings.HasSuffix(a.body, "\n") {
		t.Errorf("body %q", a.body)
	}

	missing := d.ask(t, "GET", "/user", nil)
	missing.refused(t, 401, "unauthorized", "")
	if missing.header.Get("WWW-Authenticate") != "Bearer" {
		t.Error("no WWW-Authenticate")
	}
	d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).refused(t, 401, "unverified-user", "")
	d.sql(t, `delete from auth.users where id = $1`, p.User.ID)
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
}
