package gotrue_test

import (
	"net/url"
	"testing"

	"postern/internal/fakecaptcha"
	"postern/internal/testhouse"
)

// TestServiceKeysNeedNoCaptcha has programs pass that show a key, and nobody else.
func TestServiceKeysNeedNoCaptcha(t *testing.T) {
	t.Parallel()
	service := fakecaptcha.New(t, "turnstile")
	d := open(t, map[string]string{"AUTH_CAPTCHA_PROVIDER": "turnstile", "AUTH_CAPTCHA_SECRET": fakecaptcha.Secret, "AUTH_CAPTCHA_URL": service.URL})
	body := func() string { return credentials(newAddress(), password) }
	for name, header := range map[string]string{
		"nobody": "", "the anon key": "Bearer " + signed(keyOf("anon")), "a key of another server": "Bearer " + signedWith("another key", `{"alg":"HS256"}`, keyOf("service_role")),
		"an opaque key": "Bearer sb_secret_x",
	} {
		if a := d.ask(t, "POST", "/signup", body(), "Authorization", header); a.code(t) != "captcha_failed" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := d.admin(t, "POST", "/signup", body()); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if a := d.admin(t, "POST", "/token?grant_type=password", body()); a.code(t) != "invalid_credentials" {
		t.Errorf("%+v", a)
	}
}

// TestRefusalsOfLinksWithPKCEAreInTheQuery looks where the application would look for its code.
func TestRefusalsOfLinksWithPKCEAreInTheQuery(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	_, challenge := testhouse.Verifier()
	d.ok(t, "POST", "/otp", `{"email":"`+email+`","code_challenge":"`+challenge+`","code_challenge_method":"s256"}`)
	_, link := d.mailed(t, email, 2)
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set disabled = true where id = $1`, userIn(s)["id"]); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(d.ask(t, "GET", "/verify?"+link.RawQuery, "").header.Get("Location"))
	if err != nil || to.Query().Get("error_code") != "user_banned" || to.Query().Get("error") != "access_denied" || to.Query().Has("sb") {
		t.Errorf("%v %v", to, err)
	}
	if in, _ := url.ParseQuery(to.Fragment); in.Get("error_code") != "user_banned" || !in.Has("sb") {
		t.Errorf("%v", to)
	}
}
