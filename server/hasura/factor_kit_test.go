package hasura_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"postern/house"
	"postern/internal/testhouse"
	"postern/tokens"
	"postern/totp"
)

// app is an authenticator app. It shows a code of a later step each time it is asked, so it lets time
// pass where it must.
type app struct {
	secret totp.Secret
	clock  interface {
		Now() time.Time
		Advance(d time.Duration)
	}
	last int64
}

// code is a code that nobody used yet.
func (a *app) code(t testing.TB) string {
	t.Helper()
	if step := totp.Step(a.clock.Now()); step > a.last {
		a.last = step
	} else {
		a.last++
		a.clock.Advance(time.Duration(a.last-step) * totp.Period)
	}
	return a.at(t, a.last)
}

// at is the code of a step.
func (a *app) at(t testing.TB, step int64) string {
	t.Helper()
	code, err := totp.At(a.secret, step)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wrong is a code that is right at no moment near.
func (a *app) wrong(t testing.TB) string {
	t.Helper()
	live := map[string]bool{}
	for i := int64(-200); i <= 200; i++ {
		live[a.at(t, totp.Step(a.clock.Now())+i)] = true
	}
	for _, code := range []string{"000000", "111111", "222222", "333333"} {
		if !live[code] {
			return code
		}
	}
	return "444444"
}

// openStill opens a door with a clock that only the test moves.
func openStill(t testing.TB, settings map[string]string, options ...func(*house.Options)) (doorway, *stillClock) {
	t.Helper()
	clock := newStillClock()
	return openDoor(t, settings, append(options, stopped(clock))...), clock
}

// stage begins to enrol an app.
func (d doorway) stage(t testing.TB, token string, clock *stillClock) *app {
	t.Helper()
	text, _ := d.ask(t, "GET", "/mfa/totp/generate", nil, bearer(token)).is(t, 200, "").object(t)["totpSecret"].(string)
	secret, err := totp.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return &app{secret: secret, clock: clock}
}

// turnOn gives a person a second factor.
func (d doorway) turnOn(t testing.TB, p person, clock *stillClock) *app {
	t.Helper()
	a := d.stage(t, p.AccessToken, clock)
	d.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": "totp"}, bearer(p.AccessToken)).ok(t)
	return a
}

// halfway proves the first factor and gives the ticket of the second.
func (d doorway) halfway(t testing.TB, p person) string {
	t.Helper()
	return d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": p.password}).factorTicket(t)
}

func (d doorway) second(t testing.TB, ticket, code string) answer {
	t.Helper()
	return d.ask(t, "POST", "/signin/mfa/totp", fields{"ticket": ticket, "otp": code})
}

// recoveryCodes gets a person new ones.
func (d doorway) recoveryCodes(t testing.TB, token, code string) []string {
	t.Helper()
	list, _ := d.ask(t, "POST", "/mfa/recovery-codes", fields{"otp": code}, bearer(token)).is(t, 200, "").object(t)["recoveryCodes"].([]any)
	codes := make([]string, len(list))
	for i, c := range list {
		codes[i], _ = c.(string)
	}
	return codes
}

// level is what is stored of how a session was opened.
func (d doorway) level(t testing.TB, s wireSession) (aal int, methods string) {
	t.Helper()
	return value[int](t, d, `select aal from auth.refresh_tokens where id = $1`, s.RefreshTokenID),
		value[string](t, d, `select coalesce(string_agg(m->>'method', ' ' order by n), '') from auth.refresh_tokens, jsonb_array_elements(amr) with ordinality as x(m, n) where id = $1`, s.RefreshTokenID)
}

// isLevel checks how a session was opened.
func (d doorway) isLevel(t testing.TB, s wireSession, aal int, methods string) {
	t.Helper()
	if got, by := d.level(t, s); got != aal || by != methods {
		t.Errorf("the session is of level %d, by %q, want %d by %q", got, by, aal, methods)
	}
}

// elevates tells whom an access token elevates; nobody when it is empty.
func elevates(t testing.TB, token string) string {
	t.Helper()
	_, payload := tokenParts(t, token)
	claims, _ := payload["https://hasura.io/jwt/claims"].(map[string]any)
	who, _ := claims["x-hasura-auth-elevated"].(string)
	return who
}

// isOver checks that a session has ended, for its access token and its refresh token.
func (d doorway) isOver(t testing.TB, s fullSession) {
	t.Helper()
	d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
}

// besideWith is another replica with one setting that differs.
func (d doorway) besideWith(t testing.TB, clock *stillClock, name, value string) doorway {
	t.Helper()
	env := maps.Clone(d.Env)
	env[name] = value
	like := &testhouse.House{Database: d.Database, Mail: d.Mail, Phones: d.Phones, Env: env}
	return doorway{like.Beside(t, stopped(clock))}
}

// twin is another replica of a door, with the same clock.
func (d doorway) twin(t testing.TB, clock *stillClock) doorway {
	t.Helper()
	return doorway{d.Beside(t, stopped(clock))}
}

// factorRequests are good requests for the endpoints of the second factor.
func factorRequests() map[string]operation {
	return map[string]operation{
		"verifySignInMfaTotp": {body: fields{"ticket": "mfaTotp:" + tokens.NewUUID(), "otp": "123456"}},
		"changeUserMfa":       {bearer: true},
		"verifyChangeUserMfa": {body: fields{"code": "123456", "activeMfaType": "totp", "currentCode": "654321"}, bearer: true},
		"countRecoveryCodes":  {bearer: true},
		"createRecoveryCodes": {body: fields{"otp": "123456"}, bearer: true},
		"getElevationMethods": {bearer: true},
		"elevateTotp":         {body: fields{"otp": "123456"}, bearer: true},
	}
}

// factorHarmless names the members of these endpoints in which a text that makes no sense is a wrong
// code, and the one that may be empty.
func factorHarmless(o operation, member, text string) (status int, id string, ok bool) {
	if text == "empty" && o.id+" "+member == "verifyChangeUserMfa activeMfaType" {
		return 401, "disabled-mfa-totp", true // it turns off what is not on
	}
	if text == "empty" || strings.HasPrefix(text, "100 KB") {
		return 0, "", false
	}
	switch o.id + " " + member {
	case "verifySignInMfaTotp otp":
		return 401, "invalid-ticket", true
	case "createRecoveryCodes otp", "elevateTotp otp":
		return 401, "disabled-mfa-totp", true
	case "verifyChangeUserMfa code", "verifyChangeUserMfa currentCode":
		return 400, "no-totp-secret", true
	}
	return 0, "", false
}
