package hasura_test

import (
	"encoding/base64"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/softkey"
	"postern/tokens"
	"postern/totp"
)

// TestSecondFactor goes all the way: enrol, confirm, sign in with it, turn it off.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	other := d.signIn(t, p.email, p.password)
	me := func(s fullSession) map[string]any {
		return d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).is(t, 200, "").object(t)
	}

	enrolment := d.ask(t, "GET", "/mfa/totp/generate", nil, bearer(p.AccessToken)).is(t, 200, "").object(t)
	image, _ := enrolment["imageUrl"].(string)
	picture, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.TrimPrefix(image, "data:image/png;base64,"))))
	if err != nil || picture.Bounds().Dx() != 200 || picture.Bounds().Dy() != 200 {
		t.Errorf("no picture of 200 by 200: %v", err)
	}
	text, _ := enrolment["totpSecret"].(string)
	secret, err := totp.ParseSecret(text)
	if err != nil || len(text) != 52 {
		t.Fatalf("%q: %v", text, err)
	}
	a := &app{secret: secret, clock: clock}

	// Nothing is asked of it before it is confirmed, and nothing is written that others could read.
	if me(p.fullSession)["activeMfaType"] != nil {
		t.Error("a factor is active that nobody confirmed")
	}
	d.signIn(t, p.email, p.password)
	if n := value[int](t, d, `select count(*)::int from auth.factors where position($1::bytea in secret) > 0`, []byte(text)); n != 0 {
		t.Error("the secret is kept in clear")
	}
	before := d.state(t)
	d.ask(t, "POST", "/user/mfa", fields{"code": a.wrong(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).refused(t, 401, "invalid-totp", "Invalid TOTP code")
	d.ask(t, "POST", "/user/mfa", fields{"code": a.wrong(t)}, bearer(p.AccessToken)).refused(t, 401, "disabled-mfa-totp", "User does not have TOTP MFA enabled")
	d.ask(t, "POST", "/user/mfa", fields{"code": a.at(t, totp.Step(clock.Now())), "activeMfaType": ""}, bearer(p.AccessToken)).refused(t, 401, "disabled-mfa-totp", "")
	d.sameState(t, before, "wrong codes")

	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).ok(t)
	if me(p.fullSession)["activeMfaType"] != "totp" {
		t.Error("the factor is not active")
	}
	d.isOver(t, other)
	d.mail(t, p.email, "totp-enabled", 1)
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).refused(t, 400, "totp-already-active", "TOTP MFA is already active")

	ticket := d.halfway(t, p)
	d.second(t, ticket, a.wrong(t)).refused(t, 401, "invalid-totp", "Invalid TOTP code")
	s := d.second(t, ticket, a.code(t)).session(t)
	d.isLevel(t, s.wireSession, 2, "password totp")
	if s.user["activeMfaType"] != "totp" || elevates(t, s.AccessToken) != "" {
		t.Errorf("the session says %v, elevates %q", s.user["activeMfaType"], elevates(t, s.AccessToken))
	}
	d.second(t, ticket, a.code(t)).refused(t, 401, "invalid-ticket", "Invalid ticket")
	refreshed := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
	d.isLevel(t, refreshed.wireSession, 2, "password totp")

	d.ask(t, "POST", "/user/mfa", fields{"code": a.wrong(t), "activeMfaType": ""}, bearer(s.AccessToken)).refused(t, 401, "invalid-totp", "")
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": ""}, bearer(s.AccessToken)).ok(t)
	if me(s)["activeMfaType"] != nil {
		t.Error("the factor is still active")
	}
	d.isOver(t, p.fullSession)
	d.isLevel(t, s.wireSession, 1, "password")
	d.mail(t, p.email, "totp-disabled", 1)
	d.isLevel(t, d.signIn(t, p.email, p.password).wireSession, 1, "password")
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(s.AccessToken)).refused(t, 400, "no-totp-secret", "User does not have a TOTP secret")

	got := value[[]string](t, d, `select array_agg(event order by id) from auth.audit_entries where user_id = $1 and (event like 'factor.%' or event like 'recovery%')`, p.User.ID)
	if diff := cmp.Diff([]string{"factor.staged", "factor.enabled", "factor.disabled"}, got); diff != "" {
		t.Error(diff)
	}
	if log := d.Log.String(); strings.Contains(log, text) {
		t.Error("the secret is in the log")
	}
}

// TestSecondFactorRefusals has the states in which each endpoint refuses.
func TestSecondFactorRefusals(t *testing.T) {
	t.Parallel()
	endpoints := []struct {
		method, path string
		body         fields
	}{
		{"GET", "/mfa/totp/generate", nil},
		{"POST", "/user/mfa", fields{"code": "123456", "activeMfaType": "totp"}},
		{"POST", "/mfa/recovery-codes", fields{"otp": "123456"}},
		{"GET", "/mfa/recovery-codes", nil},
		{"POST", "/elevate/totp", fields{"otp": "123456"}},
	}
	send := func(t *testing.T, d doorway, i int, token string) answer {
		t.Helper()
		if endpoints[i].body == nil {
			return d.ask(t, endpoints[i].method, endpoints[i].path, nil, bearer(token))
		}
		return d.ask(t, endpoints[i].method, endpoints[i].path, endpoints[i].body, bearer(token))
	}

	t.Run("guests", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		p := d.person(t)
		d.sql(t, `update auth.users set is_anonymous = true where id = $1`, p.User.ID)
		for i := range endpoints {
			send(t, d, i, p.AccessToken).refused(t, 403, "forbidden-anonymous", "")
		}
		d.ask(t, "GET", "/elevate", nil, bearer(p.AccessToken)).is(t, 200, `{"methods":["email-otp"]}`)
	})
	t.Run("turned off by the operator", func(t *testing.T) {
		t.Parallel()
		d, clock := openStill(t, map[string]string{"AUTH_OTP_EMAIL_ENABLED": "false"})
		p := d.person(t)
		a := d.turnOn(t, p, clock)
		off := d.besideWith(t, clock, "AUTH_MFA_ENABLED", "false")
		other := d.person(t)
		for i := range endpoints {
			send(t, off, i, other.AccessToken).refused(t, 409, "disabled-endpoint", "")
		}
		for i := range 2 {
			send(t, off, i, p.AccessToken).refused(t, 409, "disabled-endpoint", "")
		}
		// Who turned it on is not let in without it, which would be as good as none; and is let in with it, and may turn it off.
		off.second(t, off.halfway(t, p), "000000").refused(t, 401, "invalid-totp", "")
		off.ask(t, "GET", "/elevate", nil, bearer(p.AccessToken)).is(t, 200, `{"methods":["totp"]}`)
		off.second(t, off.halfway(t, p), a.code(t)).session(t)
	})
	t.Run("without a factor", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		p := d.person(t)
		send(t, d, 1, p.AccessToken).refused(t, 400, "no-totp-secret", "")
		send(t, d, 2, p.AccessToken).refused(t, 401, "disabled-mfa-totp", "")
		send(t, d, 3, p.AccessToken).is(t, 200, `{"left":0}`)
		send(t, d, 4, p.AccessToken).refused(t, 401, "disabled-mfa-totp", "")
		d.knock(t, "POST", "/user/mfa", fields{"code": "123456", "activeMfaType": "sms"}, bearer(p.AccessToken)).invalid(t, "activeMfaType")
		d.bare(t, "HEAD", "/mfa/totp/generate", nil, bearer(p.AccessToken)).is(t, 404, "")
	})
	t.Run("a factor that has no secret, or of another kind", func(t *testing.T) {
		t.Parallel()
		d, clock := openStill(t, nil)
		p := d.person(t)
		d.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID)
		d.second(t, d.halfway(t, p), "123456").refused(t, 400, "no-totp-secret", "")
		d.ask(t, "POST", "/elevate/totp", fields{"otp": "123456"}, bearer(p.AccessToken)).refused(t, 400, "no-totp-secret", "")
		d.ask(t, "POST", "/mfa/recovery-codes", fields{"otp": "123456"}, bearer(p.AccessToken)).refused(t, 400, "no-totp-secret", "")
		a := &app{secret: mustSecret(t, "AAAAAAAAAAAAAAAA"), clock: clock}
		for _, secret := range []string{"AAAAAAAA", "!", strings.Repeat("0", 58), " "} {
			d.sql(t, `update auth.users set totp_secret = $2 where id = $1`, p.User.ID, secret)
			d.second(t, d.halfway(t, p), a.code(t)).refused(t, 500, "internal-server-error", "")
		}
		d.sql(t, `update auth.users set active_mfa_type = 'sms', totp_secret = 'AAAAAAAAAAAAAAAA' where id = $1`, p.User.ID)
		d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).refused(t, 401, "mfa-unsupported", "")
		d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).refused(t, 400, "totp-already-active", "")
	})
	for _, kind := range []string{"phone", "webauthn"} {
		t.Run("a "+kind+" is the second factor, which is not asked for here", func(t *testing.T) {
			t.Parallel()
			d, clock := openStill(t, nil)
			p := d.person(t)
			key := device()
			key.Flags = softkey.Present // which verifies nobody
			d.addPasskey(t, p.AccessToken, key, "")
			staged := d.stage(t, p.AccessToken, clock)
			d.sql(t, `insert into auth.factors (id, user_id, kind, status, created_at, confirmed_at) values (gen_random_uuid(), $1, $2, 'active', now(), now())`, p.User.ID, kind)
			before := value[int](t, d, `select count(*)::int from auth.refresh_tokens`)
			d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).refused(t, 401, "mfa-unsupported", "")
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 1)}).refused(t, 401, "mfa-unsupported", "")
			d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)}).refused(t, 401, "mfa-unsupported", "")
			if n := value[int](t, d, `select count(*)::int from auth.refresh_tokens`); n != before {
				t.Errorf("%d sessions, there were %d", n, before)
			}
			// A session that has proved the first factor alone makes itself no second one.
			d.knock(t, "POST", "/user/mfa", fields{"code": staged.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			d.knock(t, "GET", "/mfa/totp/generate", nil, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			// Who has an app, too, is asked for that.
			d.sql(t, `update auth.users set active_mfa_type = 'totp', totp_secret = 'AAAAAAAAAAAAAAAA' where id = $1`, p.User.ID)
			a := &app{secret: mustSecret(t, "AAAAAAAAAAAAAAAA"), clock: clock}
			d.second(t, d.halfway(t, p), a.code(t)).session(t)
			// And nothing is asked for once an operator took both off, by hand.
			d.sql(t, `update auth.users set active_mfa_type = null where id = $1`, p.User.ID)
			d.sql(t, `delete from auth.factors where user_id = $1`, p.User.ID)
			d.signIn(t, p.email, p.password)
		})
	}
	t.Run("an account that changed since the first factor", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			change func(d doorway, p person)
			status int
			id     string
		}{
			"disabled": {func(d doorway, p person) { d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID) }, 401, "disabled-user"},
			"unverified": {func(d doorway, p person) {
				d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
			}, 401, "unverified-user"},
			"a guest": {func(d doorway, p person) {
				d.sql(t, `update auth.users set is_anonymous = true where id = $1`, p.User.ID)
			}, 403, "forbidden-anonymous"},
			"deleted": {func(d doorway, p person) { d.sql(t, `delete from auth.users where id = $1`, p.User.ID) }, 401, "invalid-ticket"},
			"reset by support": {func(d doorway, p person) {
				d.sql(t, `update auth.users set active_mfa_type = null where id = $1`, p.User.ID)
			}, 401, "disabled-mfa-totp"},
			"another password": {func(d doorway, p person) {
				d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(p.AccessToken)).ok(t)
			}, 401, "invalid-ticket"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d, clock := openStill(t, nil)
				p := d.person(t)
				a := d.turnOn(t, p, clock)
				ticket := d.halfway(t, p)
				c.change(d, p)
				sessions := value[int](t, d, `select count(*)::int from auth.refresh_tokens`)
				d.second(t, ticket, a.code(t)).refused(t, c.status, c.id, "")
				if n := value[int](t, d, `select count(*)::int from auth.refresh_tokens`); n != sessions {
					t.Error("a session was opened")
				}
			})
		}
	})
}

// TestRecoveryCodes has what stands in for a lost app.
func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	left := func(want int) {
		t.Helper()
		d.ask(t, "GET", "/mfa/recovery-codes", nil, bearer(p.AccessToken)).is(t, 200, fmt.Sprintf(`{"left":%d}`, want))
	}
	left(0)
	d.ask(t, "POST", "/mfa/recovery-codes", fields{"otp": a.wrong(t)}, bearer(p.AccessToken)).refused(t, 401, "invalid-totp", "")
	d.ask(t, "POST", "/mfa/recovery-codes", fields{}, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	// A fresh proof of another kind is none of the second factor.
	clock.Advance(time.Minute)
	mailed := d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, p.wireSession)
	d.ask(t, "POST", "/mfa/recovery-codes", fields{}, bearer(mailed)).refused(t, 403, "elevated-claim-required", "")
	codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
	if len(codes) != 10 || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != 10 {
		t.Fatalf("%d codes: %v", len(codes), codes)
	}
	left(10)
	d.mail(t, p.email, "recovery-codes-renewed", 1)
	for _, code := range codes {
		if n := value[int](t, d, `select count(*)::int from auth.recovery_codes where encode(code_hash, 'escape') like '%' || $1 || '%'`, code); n != 0 || strings.Contains(d.Log.String(), code) {
			t.Error("a code is kept in clear, or logged")
		}
	}

	s := d.second(t, d.halfway(t, p), codes[0]).session(t)
	d.isLevel(t, s.wireSession, 2, "password recovery-code")
	d.mail(t, p.email, "recovery-code-used", 1)
	left(9)
	d.second(t, d.halfway(t, p), codes[0]).refused(t, 401, "invalid-totp", "")
	stranger := d.person(t)
	d.turnOn(t, stranger, clock)
	d.second(t, d.halfway(t, stranger), codes[1]).refused(t, 401, "invalid-totp", "")
	left(9)

	// One makes no others, neither by itself nor through a fresh proof that it gave.
	d.ask(t, "POST", "/mfa/recovery-codes", fields{"otp": codes[1]}, bearer(p.AccessToken)).refused(t, 401, "invalid-totp", "")
	elevated := d.ask(t, "POST", "/elevate/totp", fields{"otp": codes[1]}, bearer(p.AccessToken)).session(t)
	d.isLevel(t, elevated.wireSession, 2, "password totp recovery-code")
	d.ask(t, "POST", "/mfa/recovery-codes", fields{}, bearer(elevated.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	left(8)

	// New ones replace the old, also by a fresh proof of the app.
	fresh := d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(p.AccessToken)).session(t)
	list, _ := d.ask(t, "POST", "/mfa/recovery-codes", fields{}, bearer(fresh.AccessToken)).is(t, 200, "").object(t)["recoveryCodes"].([]any)
	left(10)
	d.second(t, d.halfway(t, p), codes[2]).refused(t, 401, "invalid-totp", "")
	again, _ := list[0].(string)

	// Whoever lost the app turns it off with one, and what is left goes with it.
	d.ask(t, "POST", "/user/mfa", fields{"code": again}, bearer(p.AccessToken)).ok(t)
	left(0)
	if n := value[int](t, d, `select count(*)::int from auth.recovery_codes where user_id = $1`, p.User.ID); n != 0 {
		t.Errorf("%d codes are left without a factor", n)
	}
	d.turnOn(t, p, clock)
	unused, _ := list[1].(string)
	d.second(t, d.halfway(t, p), unused).refused(t, 401, "invalid-totp", "")
}

// TestElevationByTheSecondFactor has the fresh proof, what it opens and what it leaves alone.
func TestElevationByTheSecondFactor(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required", "AUTH_OTP_EMAIL_ENABLED": "false"})
	p := d.person(t)
	d.ask(t, "GET", "/elevate", nil, bearer(p.AccessToken)).is(t, 200, `{"methods":[]}`)
	a := d.turnOn(t, p, clock) // who has no way to prove themselves yet may enrol one
	d.ask(t, "GET", "/elevate", nil, bearer(p.AccessToken)).is(t, 200, `{"methods":["totp"]}`)

	change := func(token string) answer {
		return d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(token))
	}
	change(p.AccessToken).refused(t, 403, "elevated-claim-required", "")
	d.ask(t, "GET", "/mfa/totp/generate", nil, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	d.ask(t, "POST", "/elevate/totp", fields{"otp": a.wrong(t)}, bearer(p.AccessToken)).refused(t, 401, "invalid-totp", "")
	s := d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(p.AccessToken)).session(t)
	d.isLevel(t, s.wireSession, 2, "password totp")
	if elevates(t, s.AccessToken) != p.User.ID || s.RefreshTokenID == p.RefreshTokenID {
		t.Errorf("the token elevates %q, in session %s", elevates(t, s.AccessToken), s.RefreshTokenID)
	}
	change(s.AccessToken).ok(t)
	d.ask(t, "GET", "/mfa/totp/generate", nil, bearer(s.AccessToken)).is(t, 200, "")
	// The session that asked goes on as it was, and a refreshed token is not fresh.
	d.isLevel(t, p.wireSession, 1, "password totp")
	change(p.AccessToken).refused(t, 403, "elevated-claim-required", "")
	refreshed := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
	if elevates(t, refreshed.AccessToken) != "" {
		t.Error("a refreshed token elevates")
	}
	change(refreshed.AccessToken).refused(t, 403, "elevated-claim-required", "")
	d.isLevel(t, d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(refreshed.AccessToken)).session(t).wireSession, 2, "password totp")
	// A session that has ended elevates nobody.
	d.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t)
	d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
}

// TestGuessesAtASecondFactorAreCounted: by ticket and by account, before they are compared, also by
// many at once on two replicas. Right codes count for nothing.
func TestGuessesAtASecondFactorAreCounted(t *testing.T) {
	t.Parallel()
	const most, every = 50, 32 * time.Hour
	d, clock := openStill(t, nil)
	twin := d.twin(t, clock)
	p := d.person(t)
	a := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, a.code(t))
	for i := range 2 * most { // right codes
		if i%20 == 0 { // the access token is about to expire
			p.fullSession = d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t)
		}
		d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(p.AccessToken)).session(t)
	}
	p.fullSession = d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t)

	// A ticket takes five tries, and what makes no sense is none.
	ticket := d.halfway(t, p)
	for range 5 {
		d.second(t, ticket, "12345").refused(t, 401, "invalid-totp", "")
		d.second(t, ticket, a.wrong(t)).refused(t, 401, "invalid-totp", "")
	}
	d.second(t, ticket, a.code(t)).refused(t, 401, "invalid-ticket", "")
	d.second(t, ticket, codes[0]).refused(t, 401, "invalid-ticket", "")

	// The rest of the account's, all at once: neither a new ticket nor another endpoint has its own.
	houses := []doorway{d, twin}
	wrong := a.wrong(t)
	tickets := make([]string, crowdSize)
	for i := range tickets {
		tickets[i] = d.halfway(t, p)
	}
	answers, err := parallel(2*crowdSize, func(i int) (reply, error) {
		if i%2 == 0 {
			return send(t.Context(), houses[i/2%2].House, "POST", "/signin/mfa/totp", fields{"ticket": tickets[i/2], "otp": wrong}, elsewhere(i))
		}
		return send(t.Context(), houses[i/2%2].House, "POST", "/elevate/totp", fields{"otp": wrong}, elsewhere(i), "Authorization", "Bearer "+p.AccessToken)
	})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, r := range answers {
		counts[r.refusal]++
	}
	if diff := cmp.Diff(map[string]int{"invalid-totp": most - 5, "too-many-requests": 2*crowdSize - (most - 5)}, counts); diff != "" {
		t.Error(diff)
	}

	// Now the right code does not help, and a recovery code does.
	spent := d.ask(t, "POST", "/elevate/totp", fields{"otp": a.code(t)}, bearer(p.AccessToken))
	spent.refused(t, 429, "too-many-requests", "")
	var wait int
	if _, err := fmt.Sscan(spent.header.Get("Retry-After"), &wait); err != nil || time.Duration(wait)*time.Second > every || time.Duration(wait)*time.Second < every-2*time.Hour {
		t.Errorf("Retry-After %q", spent.header.Get("Retry-After"))
	}
	d.second(t, d.halfway(t, p), a.code(t)).refused(t, 429, "too-many-requests", "")
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t)}, bearer(p.AccessToken)).refused(t, 429, "too-many-requests", "")
	d.ask(t, "POST", "/mfa/recovery-codes", fields{"otp": a.code(t)}, bearer(p.AccessToken)).refused(t, 429, "too-many-requests", "")
	s := d.second(t, d.halfway(t, p), codes[1]).session(t)
	d.ask(t, "POST", "/elevate/totp", fields{"otp": codes[2]}, bearer(s.AccessToken)).session(t)

	// There is room for one more when its time has come, and for no second.
	clock.Advance(every)
	d.second(t, d.halfway(t, p), a.wrong(t)).refused(t, 401, "invalid-totp", "")
	d.second(t, d.halfway(t, p), a.wrong(t)).refused(t, 429, "too-many-requests", "")
	clock.Advance(every)
	d.second(t, d.halfway(t, p), a.code(t)).session(t)
	// The guesses at others are theirs.
	stranger := d.person(t)
	theirs := d.turnOn(t, stranger, clock)
	d.second(t, d.halfway(t, stranger), theirs.wrong(t)).refused(t, 401, "invalid-totp", "")
	clock.Advance(most * every)
	if _, err := d.Store.Sweep(t.Context(), clock.Now(), clock.Now(), clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, d, `select count(*)::int from auth.security_counters`); n != 0 {
		t.Errorf("%d counters are left when there is nothing to count", n)
	}
}

// TestSecondFactorOfAnotherApp has the replacement of an active factor, which needs both.
func TestSecondFactorOfAnotherApp(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, nil)
	p := d.person(t)
	old := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, old.code(t))
	other := d.second(t, d.halfway(t, p), old.code(t)).session(t)
	next := d.stage(t, p.AccessToken, clock)
	replace := func(code, current string) answer {
		return d.ask(t, "POST", "/user/mfa", fields{"code": code, "activeMfaType": "totp", "currentCode": current}, bearer(p.AccessToken))
	}
	before := d.state(t)
	replace(next.code(t), old.wrong(t)).refused(t, 401, "invalid-totp", "")
	replace(next.code(t), next.at(t, next.last)).refused(t, 401, "invalid-totp", "")
	replace(next.wrong(t), old.code(t)).refused(t, 401, "invalid-totp", "")
	d.ask(t, "POST", "/user/mfa", fields{"code": next.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).refused(t, 400, "totp-already-active", "")
	d.sameState(t, before, "half a proof")
	current := old.code(t)
	next.last = old.last - 1
	replace(next.code(t), current).ok(t)
	d.isOver(t, other)
	d.second(t, d.halfway(t, p), old.code(t)).refused(t, 401, "invalid-totp", "")
	next.last = old.last
	d.second(t, d.halfway(t, p), next.code(t)).session(t)
	d.second(t, d.halfway(t, p), codes[0]).session(t) // they are the user's, not the app's
	if n := value[int](t, d, `select count(*)::int from auth.factors where user_id = $1`, p.User.ID); n != 1 {
		t.Errorf("%d factors", n)
	}

	// A staged factor waits an hour.
	late := d.stage(t, p.AccessToken, clock)
	clock.Advance(time.Hour)
	p.fullSession = d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t)
	replace(late.code(t), next.code(t)).refused(t, 400, "no-totp-secret", "")
}

func mustSecret(t testing.TB, text string) totp.Secret {
	t.Helper()
	s, err := totp.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
