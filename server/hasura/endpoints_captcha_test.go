package hasura_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern/internal/fakecaptcha"
)

// captchaDoor opens a house that asks for a captcha.
func captchaDoor(t *testing.T, provider string, more map[string]string) (doorway, *fakecaptcha.Server) {
	t.Helper()
	service := fakecaptcha.New(t, provider)
	settings := map[string]string{"AUTH_CAPTCHA_PROVIDER": provider, "AUTH_CAPTCHA_SECRET": fakecaptcha.Secret, "AUTH_CAPTCHA_URL": service.URL, "AUTH_ANONYMOUS_USERS_ENABLED": "false"}
	maps.Copy(settings, more)
	return openDoor(t, settings), service
}

// asksCaptcha is the rule: what makes users, and what sends mails and text messages to whoever is
// named, but not what proves something, and no navigation, which can carry no header.
func asksCaptcha(o operation) bool {
	proof := strings.HasSuffix(o.path, "/verify") || strings.HasSuffix(o.path, "/callback") || strings.HasSuffix(o.path, "/sms/otp")
	switch {
	case o.method != "POST" || proof:
		return false
	case strings.HasPrefix(o.path, "/signup/"), strings.HasPrefix(o.path, "/signin/passwordless/"), strings.HasPrefix(o.path, "/signin/otp/"):
		return true
	}
	return strings.HasPrefix(o.path, "/user/deanonymize") || o.path == "/user/password/reset" || o.path == "/user/email/send-verification-email"
}

func TestCaptchaIsAskedWhereProgramsDoHarm(t *testing.T) {
	t.Parallel()
	d, service := captchaDoor(t, "turnstile", map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true"})
	before := d.state(t)
	for _, o := range operations(t) {
		a := o.send(t, d, "x.y.z")
		if !asksCaptcha(o) {
			if strings.Contains(a.body, `"error":"captcha-`) {
				t.Errorf("%s: no captcha belongs here", a)
			}
			continue
		}
		a.refused(t, 403, "captcha-missing", "A captcha response is missing")
		path := o.path + o.query
		d.knock(t, o.method, path, o.body, header("X-Cf-Turnstile-Response", "made-up")).refused(t, 403, "captcha-failed", "")
		d.knock(t, o.method, path, o.body, header("X-Cf-Turnstile-Response", "")).refused(t, 403, "captcha-missing", "")
		d.knock(t, o.method, path, o.body, header("X-Cf-Turnstile-Response", strings.Repeat("x", 2049))).refused(t, 403, "captcha-failed", "")
		// A token in another place, or a second one beside it, is none.
		d.knock(t, o.method, path+"?x-cf-turnstile-response="+service.Solve(), o.body).refused(t, 403, "captcha-missing", "")
		d.knock(t, o.method, path, o.body, header("H-Captcha-Response", service.Solve())).refused(t, 403, "captcha-missing", "")
		d.knock(t, o.method, path, o.body, header("X-Cf-Turnstile-Response", service.Solve()), header("X-Cf-Turnstile-Response", service.Solve())).refused(t, 403, "captcha-failed", "")
		service.Misbehave(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"success":true}`, http.StatusBadGateway) })
		d.knock(t, o.method, path, o.body, header("X-Cf-Turnstile-Response", service.Solve())).refused(t, 503, "captcha-unavailable", "")
		service.Misbehave(nil)
	}
	d.sql(t, `delete from auth.tickets where purpose in ('passkey-signin', 'provider-state')`) // nothing is sent, and nobody made
	d.sameState(t, before, "requests without a captcha")
	if log := d.Log.String(); strings.Contains(log, "canary") || strings.Contains(log, "captcha-token-") {
		t.Error("the log holds the secret or a token")
	}
}

// What a program is refused costs others nothing, even where all share one limit on mails.
func TestCaptchaComesBeforeSharedLimits(t *testing.T) {
	t.Parallel()
	d, service := captchaDoor(t, "turnstile", map[string]string{
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_EMAIL_BURST": "1", "AUTH_RATE_LIMIT_EMAIL_IS_GLOBAL": "true", "AUTH_RATE_LIMIT_EMAIL_INTERVAL": "1h",
	})
	body := fields{"email": newAddress()}
	for range 5 {
		d.ask(t, "POST", "/user/password/reset", body, peer("192.0.2.66:1")).refused(t, 403, "captcha-missing", "")
		d.ask(t, "POST", "/user/password/reset", body, peer("192.0.2.66:1"), header("X-Cf-Turnstile-Response", "guess")).refused(t, 403, "captcha-failed", "")
	}
	d.ask(t, "POST", "/user/password/reset", body, header("X-Cf-Turnstile-Response", service.Solve())).ok(t)
	d.ask(t, "POST", "/user/password/reset", body, header("X-Cf-Turnstile-Response", service.Solve())).refused(t, 429, "too-many-requests", "")
}

func TestCaptchaPassesAPersonOnce(t *testing.T) {
	t.Parallel()
	for provider, names := range map[string][]string{
		"turnstile": {"x-cf-turnstile-response", "X-Captcha-Token"},
		"hcaptcha":  {"h-captcha-response", "x-captcha-token"},
	} {
		d, service := captchaDoor(t, provider, unverified())
		for _, name := range names {
			body := fields{"email": newAddress(), "password": rightPassword}
			token := service.Solve()
			d.ask(t, "POST", "/signup/email-password", body, header(name, token), peer("203.0.113.9:1")).session(t)
			body["email"] = newAddress()
			d.ask(t, "POST", "/signup/email-password", body, header(name, token)).refused(t, 403, "captcha-failed", "")
			asked := service.Asked()
			if !slices.ContainsFunc(asked, func(form url.Values) bool {
				return slices.Equal(form["response"], []string{token}) && slices.Equal(form["remoteip"], []string{"203.0.113.9"})
			}) {
				t.Errorf("%s: the service was asked %v", provider, asked)
			}
		}
		// Signing in asks for none.
		p := fields{"email": newAddress(), "password": rightPassword}
		d.ask(t, "POST", "/signup/email-password", p, header(names[0], service.Solve())).session(t)
		d.ask(t, "POST", "/signin/email-password", p).session(t)
	}
}

// An environment made for Hasura Auth.
func TestCaptchaUnderItsOldName(t *testing.T) {
	t.Parallel()
	service := fakecaptcha.New(t, "turnstile")
	d := openDoor(t, unverified("AUTH_TURNSTILE_SECRET", fakecaptcha.Secret, "AUTH_CAPTCHA_URL", service.URL))
	body := fields{"email": newAddress(), "password": rightPassword}
	d.ask(t, "POST", "/signup/email-password", body).refused(t, 403, "captcha-missing", "")
	d.ask(t, "POST", "/signup/email-password", body, header("x-cf-turnstile-response", service.Solve())).session(t)
}
