package gotrue_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// TestKindsOfCharactersInPasswords has a new password refused, at both doors, for every reason there is. Who signs in with one of before
// is told.
func TestKindsOfCharactersInPasswords(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"GOTRUE_PASSWORD_REQUIRED_CHARACTERS": `abcdefghijklmnopqrstuvwxyz:0123456789:!\:`, "GOTRUE_PASSWORD_MIN_LENGTH": "8", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	email := newAddress()
	for password, want := range map[string]string{"short": "[length characters]", "long enough": "[characters]", "LONG ENOUGH 1!": "[characters]", "a1!": "[length]"} {
		a := d.ask(t, "POST", "/signup", credentials(email, password))
		a.refused(t, 422, "weak_password")
		weak, _ := a.said(t)["weak_password"].(map[string]any)
		if got := fmt.Sprint(weak["reasons"]); got != want {
			t.Errorf("%s: %s, want %s", password, got, want)
		}
		if strings.Contains(want, "characters") != strings.Contains(a.said(t)["msg"].(string), "!:") {
			t.Errorf("%s: %s", password, a.body)
		}
	}
	if a := d.byHasura(t, "POST", "/signup/email-password", credentials(email, "long enough")); a.status != 400 || !strings.Contains(a.body, "password-too-plain") {
		t.Errorf("by Hasura Auth: %+v", a)
	}
	d.ok(t, "POST", "/signup", credentials(email, "long enough 1:"))
	if s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, "long enough 1:")); s["weak_password"] != nil {
		t.Errorf("a password that keeps the rules: %v", s["weak_password"])
	}
	for _, change := range []string{`{"password":"long enough"}`, `{"password":""}`} {
		s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, "long enough 1:"))
		d.ask(t, "PUT", "/user", change, "Authorization", bearer(s)).refused(t, 422, "weak_password")
	}
	// Whoever had a password before there were rules has it still.
	hash, err := bcrypt.GenerateFromPassword([]byte("old1"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	d.holds(t, `update auth.users set password_hash = $1 where email = $2 returning email::text`, string(hash), email)
	weak, _ := d.ok(t, "POST", "/token?grant_type=password", credentials(email, "old1"))["weak_password"].(map[string]any)
	if got := fmt.Sprint(weak["reasons"], " ", weak["message"]); got != "[length characters] Password should be at least 8 characters. Password should contain at least one character of each: abcdefghijklmnopqrstuvwxyz, 0123456789, !:." {
		t.Errorf("a password of before: %s", got)
	}
}

// TestTheCurrentPassword has who changes their password know it, unless a mail let them in.
func TestTheCurrentPassword(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD": "true", "AUTH_GOTRUE_API_ENABLED": "true", "AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	email := newAddress()
	mailed := d.confirmed(t, email)
	s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	change := func(s map[string]any, body string) answer {
		t.Helper()
		return d.ask(t, "PUT", "/user", body, "Authorization", bearer(s))
	}
	change(s, `{"password":"a second long one"}`).refused(t, 400, "current_password_required")
	change(s, `{"password":"a second long one","current_password":"not this one"}`).refused(t, 400, "current_password_invalid")
	change(s, `{"password":"a second long one","current_password":"`+strings.Repeat("x", 2000)+`"}`).refused(t, 400, "current_password_invalid")
	change(s, `{"password":"`+password+`","current_password":"`+password+`"}`).refused(t, 422, "same_password")
	d.ok(t, "PUT", "/user", `{"data":{"theme":"dark"}}`, "Authorization", bearer(s))
	// The other door is no way around it.
	if a := d.byHasura(t, "POST", "/user/password", `{"newPassword":"a second long one"}`, "Authorization", bearer(s)); a.status != 403 || !strings.Contains(a.body, "elevated-claim-required") {
		t.Errorf("by Hasura Auth: %+v", a)
	}
	if a := change(s, `{"password":"a second long one","current_password":"`+password+`"}`); a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	d.refresh(t, mailed).refused(t, 400, "refresh_token_not_found") // as with every change

	// Who has forgotten the password is let in by a mail, and sets another; a day later they need the current one.
	d.Mail.Wait(t, email, 2) // the sign-up, the changed password: mails of one moment come in any order
	d.ok(t, "POST", "/recover", `{"email":"`+email+`"}`)
	code, _ := d.mailed(t, email, 3)
	s = d.ok(t, "POST", "/verify", `{"type":"recovery","email":"`+email+`","token":"`+code+`"}`)
	if a := change(s, `{"password":"a third long one"}`); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	d.Clock.Advance(25 * time.Hour)
	s = d.refresh(t, s).said(t)
	change(s, `{"password":"a fourth long one"}`).refused(t, 400, "current_password_required")
}

// TestAPasswordThatNothingLeadsToIsAskedFor has a session not set another one because its user has no address any more by which the password
// is looked up.
func TestAPasswordThatNothingLeadsToIsAskedFor(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_PASSWORD_REQUIRE_CURRENT": "true"})
	email := newAddress()
	d.confirmed(t, email)
	s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	d.holds(t, `update auth.users set email = null where email = $1 returning id::text`, email)
	d.ask(t, "PUT", "/user", `{"password":"a second long one"}`, "Authorization", bearer(s)).refused(t, 400, "current_password_required")
	d.holds(t, `update auth.users set password_hash = null where id = $1 returning id::text`, s["user"].(map[string]any)["id"])
	d.ok(t, "PUT", "/user", `{"password":"a first long one"}`, "Authorization", bearer(s))
}

// TestTheCurrentPasswordIsNoOracle counts guesses at it as those at the door are counted.
func TestTheCurrentPasswordIsNoOracle(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_PASSWORD_REQUIRE_CURRENT": "true", "AUTH_RATE_LIMIT_ENABLE": "true"})
	email := newAddress()
	d.confirmed(t, email)
	s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	for range 30 {
		a := d.ask(t, "PUT", "/user", `{"password":"a second long one","current_password":"wrong wrong wrong"}`, "Authorization", bearer(s))
		if a.status == http.StatusTooManyRequests {
			return
		}
		a.refused(t, 400, "current_password_invalid")
	}
	t.Error("thirty guesses were answered")
}
