package gotrue_test

import (
	"net/http"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// allowed asks until it is refused for asking too often, and counts how often it was not.
func (d door) allowed(t testing.TB, method, path, body string, header ...string) int {
	t.Helper()
	for n := range 100 {
		a := d.ask(t, method, path, body, header...)
		if a.status != http.StatusTooManyRequests {
			continue
		}
		if a.code(t) != "over_request_rate_limit" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %+v", method, path, a)
		}
		return n
	}
	t.Fatalf("%s %s is not limited", method, path)
	return 0
}

// roomy are the limits of every door, out of the way.
func roomy(more map[string]string) map[string]string {
	settings := map[string]string{
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_GLOBAL_BURST": "10000", "AUTH_RATE_LIMIT_EMAIL_BURST": "1000", "AUTH_RATE_LIMIT_SIGNUPS_BURST": "1000",
		"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "1000",
	}
	for name, value := range more {
		settings[name] = value
	}
	return settings
}

// TestRatesOfThisDialect tightens what one client may do here, each request by its own count, and leaves the other door alone.
func TestRatesOfThisDialect(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{
		"GOTRUE_RATE_LIMIT_HEADER": "X-Real-IP", "AUTH_TRUSTED_PROXIES": "127.0.0.1",
		"GOTRUE_RATE_LIMIT_VERIFY": "3", "GOTRUE_RATE_LIMIT_OTP": "2", "GOTRUE_RATE_LIMIT_TOKEN_REFRESH": "4", "GOTRUE_RATE_LIMIT_ANONYMOUS_USERS": "1",
		"GOTRUE_RATE_LIMIT_PASSKEY": "5", "GOTRUE_RATE_LIMIT_O_AUTH_DYNAMIC_CLIENT_REGISTER": "1.9", "AUTH_ANONYMOUS_USERS_ENABLED": "true",
	}))
	from := []string{"X-Real-IP", "203.0.113.1"}
	session := d.ok(t, "POST", "/signup", `{}`, "X-Real-IP", "203.0.113.9")
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/token?grant_type=refresh_token", `{"refresh_token":"x"}`, 4},
		{"POST", "/token?grant_type=password", `{}`, 0}, // one count for all of them
		{"POST", "/verify", `{}`, 3},
		{"GET", "/verify?type=signup&token=x", "", 0},
		{"POST", "/signup", `{}`, 1},
		{"POST", "/signup", `{"email":"x"}`, 2},
		{"POST", "/otp", `{"email":"x"}`, 2},
		{"POST", "/magiclink", `{"email":"x"}`, 2},
		{"POST", "/recover", `{"email":"x"}`, 2},
		{"POST", "/resend", `{"email":"x"}`, 2},
		{"PUT", "/user", `{}`, 2},
		{"POST", "/passkeys/authentication/options", `{}`, 5},
		{"POST", "/oauth/clients/register", `{}`, 1},
	} {
		if n := d.allowed(t, c.method, c.path, c.body, append([]string{"Authorization", bearer(session)}, from...)...); n != c.want {
			t.Errorf("%s %s was let through %d times, want %d", c.method, c.path, n, c.want)
		}
	}
	for range 5 { // the other door, and other requests of this one
		if a := d.byHasura(t, "POST", "/token", `{"refreshToken":"x"}`, from...); a.status == http.StatusTooManyRequests {
			t.Errorf("the other door: %+v", a)
		}
		if a := d.ask(t, "GET", "/settings", "", from...); a.status != http.StatusOK {
			t.Errorf("settings: %+v", a)
		}
	}
	d.ok(t, "POST", "/signup", `{}`, "X-Real-IP", "203.0.113.2") // somebody else
	d.ask(t, "POST", "/signup", `{}`, "X-Real-IP", "203.0.113.2, 203.0.113.1").refused(t, 429, "over_request_rate_limit")
	d.ask(t, "POST", "/signup", `{}`, "X-Real-IP", "203.0.113.1", "X-Forwarded-For", "203.0.113.77").refused(t, 429, "over_request_rate_limit")
	d.Clock.Advance(6 * time.Minute)
	d.ask(t, "POST", "/verify", `{}`, from...).refused(t, 400, "validation_failed")
	d.ask(t, "POST", "/signup", `{}`, from...).refused(t, 429, "over_request_rate_limit") // guests are counted by the hour
	d.Clock.Advance(2 * time.Hour)                                                        // a place is free an eighth of the interval late, at the latest
	d.ok(t, "POST", "/signup", `{}`, from...)
}

// TestLimitsOfEveryDoorStay beside a rate that is greater than they are.
func TestLimitsOfEveryDoorStay(t *testing.T) {
	t.Parallel()
	d := open(t, roomy(map[string]string{"AUTH_RATE_LIMIT_EMAIL_BURST": "3", "GOTRUE_RATE_LIMIT_OTP": "500"}))
	if n := d.allowed(t, "POST", "/otp", `{"email":"x"}`); n != 3 {
		t.Errorf("let through %d times, want 3", n)
	}
}

// TestRatesAreOffWhereNothingIsLimited as all limits on requests are.
func TestRatesAreOffWhereNothingIsLimited(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Open(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "GOTRUE_RATE_LIMIT_VERIFY": "1"})}
	for range 3 {
		d.ask(t, "POST", "/verify", `{}`).refused(t, 400, "validation_failed")
	}
}
