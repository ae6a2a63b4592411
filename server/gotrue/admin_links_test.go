package gotrue_test

import (
	"fmt"
	"net/url"
	"testing"

	"postern/tokens"
)

// TestOperatorsInvite holds that who is invited comes in by the mail, without a word of a stranger who took the address before.
func TestOperatorsInvite(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_DISABLE_SIGNUP": "true"})
	email := newAddress()
	u := d.ok(t, "POST", "/invite?redirect_to="+url.QueryEscape("https://app.example.com/welcome"), `{"email":"`+email+`","data":{"name":"Ann","app_metadata":{"plan":"pro"}}}`, "Authorization", serviceKey())
	if u["invited_at"] == nil || u["confirmation_sent_at"] == nil || u["email_confirmed_at"] != nil || u["user_metadata"].(map[string]any)["name"] != "Ann" || u["app_metadata"].(map[string]any)["plan"] != nil {
		t.Errorf("%v", u)
	}
	d.Mail.Wait(t, email, 1) // mails of one moment come in any order
	again := d.ok(t, "POST", "/invite", `{"email":"`+email+`"}`, "Authorization", serviceKey())
	if again["id"] != u["id"] {
		t.Errorf("%v", again)
	}
	_, link := d.mailed(t, email, 1)
	if link.Query().Get("type") != "invite" || link.Query().Get("redirect_to") != "https://app.example.com/welcome" {
		t.Errorf("%v", link)
	}
	code, _ := d.mailed(t, email, 2)
	s := d.ok(t, "POST", "/verify", `{"type":"invite","email":"`+email+`","token":"`+code+`"}`)
	if s["user"].(map[string]any)["email_confirmed_at"] == nil {
		t.Errorf("%v", s)
	}
	for body, want := range map[string]string{`{"email":"` + email + `"}`: "422 email_exists", `{}`: "400 validation_failed", `{"email":"x"}`: "400 validation_failed", `{"email":"a@example.com","data":[]}`: "400 bad_json"} {
		if a := d.admin(t, "POST", "/invite", body); fmt.Sprint(a.status, " ", a.code(t)) != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// TestOperatorsMakeLinks holds that each kind of link works at each of the three ways to use it, and mails nothing.
func TestOperatorsMakeLinks(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_LINK_CONFIRMATION": "off", "AUTH_GOTRUE_SECURE_EMAIL_CHANGE_ENABLED": "false"})
	generate := func(t *testing.T, body string) map[string]any {
		t.Helper()
		return d.ok(t, "POST", "/admin/generate_link?redirect_to="+url.QueryEscape("https://app.example.com/there"), body, "Authorization", serviceKey())
	}
	confirmed := func(t *testing.T) string {
		t.Helper()
		email := newAddress()
		d.made(t, `{"email":"`+email+`","email_confirm":true}`)
		return email
	}
	kinds := map[string]struct {
		email func(*testing.T) string
		more  string
		says  string // of the kind
		word  string // that verifies it
	}{
		"signup":                         {func(*testing.T) string { return newAddress() }, `,"password":"` + password + `","data":{"name":"Ann"}`, "signup", "signup"},
		"invite":                         {func(*testing.T) string { return newAddress() }, ``, "invite", "invite"},
		"magiclink":                      {confirmed, ``, "magiclink", "magiclink"},
		"recovery":                       {confirmed, ``, "recovery", "recovery"},
		"a magiclink for who is unknown": {func(*testing.T) string { return newAddress() }, ``, "signup", "signup"},
		"email_change_new":               {confirmed, `,"new_email":"NEW"`, "email_change_new", "email_change"},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			word := name
			if name == "a magiclink for who is unknown" {
				word = "magiclink"
			}
			for _, way := range []string{"hash", "code", "link"} {
				email, target := kind.email(t), newAddress()
				more := kind.more
				if word == "email_change_new" {
					more = `,"new_email":"` + target + `"`
				} else {
					target = email
				}
				out := generate(t, `{"type":"`+word+`","email":"`+email+`","redirectTo":"https://evil.example.com"`+more+`}`)
				if out["verification_type"] != kind.says || out["redirect_to"] != "https://app.example.com/there" || out["email"] != email || out["id"] == nil {
					t.Fatalf("%v", out)
				}
				link, err := url.Parse(out["action_link"].(string))
				if err != nil || link.Query().Get("token") != out["hashed_token"] || link.Query().Get("type") != kind.word {
					t.Fatalf("%v: %v", out, err)
				}
				switch way {
				case "hash":
					d.ok(t, "POST", "/verify", `{"type":"`+kind.word+`","token_hash":"`+out["hashed_token"].(string)+`"}`)
				case "code":
					d.ok(t, "POST", "/verify", `{"type":"`+kind.word+`","email":"`+target+`","token":"`+out["email_otp"].(string)+`"}`)
				case "link":
					a := d.ask(t, "GET", "/verify?"+link.RawQuery, "")
					if to, _ := url.Parse(a.header.Get("Location")); a.status != 303 || to.Host != "app.example.com" || to.Path != "/there" {
						t.Fatalf("%+v", a)
					}
				}
				u := d.ok(t, "GET", "/admin/users/"+out["id"].(string), "", "Authorization", serviceKey())
				if u["email"] != target || u["email_confirmed_at"] == nil {
					t.Errorf("%s: %v", way, u)
				}
				if a := d.ask(t, "POST", "/verify", `{"type":"`+kind.word+`","token_hash":"`+out["hashed_token"].(string)+`"}`); a.code(t) != "otp_expired" {
					t.Errorf("a second time: %+v", a)
				}
				if n := d.holds(t, `select count(*)::text from auth.audit_entries where user_id = $1 and event = 'link.generated'`, out["id"]); n != "1" {
					t.Errorf("%s entries", n)
				}
			}
		})
	}
	t.Run("who signed up by one has the password", func(t *testing.T) {
		email := newAddress()
		out := generate(t, `{"type":"signup","email":"`+email+`","password":"`+password+`"}`)
		d.ok(t, "POST", "/verify", `{"type":"signup","token_hash":"`+out["hashed_token"].(string)+`"}`)
		d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	})
	t.Run("the later takes the place of the earlier code, and there may be many", func(t *testing.T) {
		email := confirmed(t)
		first := generate(t, `{"type":"magiclink","email":"`+email+`"}`)
		for range 12 {
			generate(t, `{"type":"magiclink","email":"`+email+`"}`)
		}
		if a := d.ask(t, "POST", "/verify", `{"type":"magiclink","email":"`+email+`","token":"`+first["email_otp"].(string)+`"}`); a.status == 200 {
			t.Errorf("%+v", a)
		}
	})
	taken := confirmed(t)
	for body, want := range map[string]string{
		`{"type":"signup","email":"` + taken + `","password":"` + password + `"}`: "422 email_exists", `{"type":"invite","email":"` + taken + `"}`: "422 email_exists",
		`{"type":"recovery","email":"nobody@example.com"}`: "404 user_not_found", `{"type":"email_change_new","email":"nobody@example.com","new_email":"b@example.com"}`: "404 user_not_found",
		`{"type":"email_change_new","email":"` + taken + `"}`: "400 validation_failed", `{"type":"email_change_new","email":"` + taken + `","new_email":"` + taken + `"}`: "422 email_exists",
		`{"type":"email_change_current","email":"` + taken + `","new_email":"b@example.com"}`: "400 validation_failed", `{"type":"signup","email":"b@example.com"}`: "400 validation_failed",
		`{"type":"signup","email":"b@example.com","password":"1"}`: "422 weak_password", `{"type":"other","email":"b@example.com"}`: "400 validation_failed", `{"type":"magiclink"}`: "400 validation_failed",
	} {
		if a := d.admin(t, "POST", "/admin/generate_link", body); fmt.Sprint(a.status, " ", a.code(t)) != want {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for _, m := range d.Mail.Messages() { // that an address changed is told
		if m.Link != "" {
			t.Errorf("a link was mailed: %s", m.Subject)
		}
	}
	off := open(t, map[string]string{"AUTH_ADMIN_LINKS": "false"})
	if a := off.admin(t, "POST", "/admin/generate_link", `{"type":"magiclink","email":"b@example.com"}`); a.code(t) != "feature_disabled" {
		t.Errorf("%+v", a)
	}
}

// TestALinkKeepsNoStrangersPassword holds that who signed up with somebody's address before a program made the link to sign up does not
// get in once its owner has confirmed it.
func TestALinkKeepsNoStrangersPassword(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	for _, kind := range []string{"signup", "invite", "magiclink", "recovery"} {
		email := newAddress()
		d.ok(t, "POST", "/signup", credentials(email, "the password of a stranger"))
		out := d.ok(t, "POST", "/admin/generate_link", `{"type":"`+kind+`","email":"`+email+`","password":"`+password+`"}`, "Authorization", serviceKey())
		d.ok(t, "POST", "/verify", `{"type":"`+kind+`","token_hash":"`+out["hashed_token"].(string)+`"}`)
		if a := d.ask(t, "POST", "/token?grant_type=password", credentials(email, "the password of a stranger")); a.code(t) != "invalid_credentials" {
			t.Errorf("%s: the stranger is in: %+v", kind, a)
		}
	}
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	out := d.ok(t, "POST", "/admin/generate_link", `{"type":"signup","email":"`+email+`","password":"`+password+`"}`, "Authorization", serviceKey())
	d.ok(t, "POST", "/verify", `{"type":"signup","token_hash":"`+out["hashed_token"].(string)+`"}`)
	d.signIn(t, email) // with the same password there is nobody else
}

// TestOperatorsSeeFactorsAndPasskeys of users, and take them off.
func TestOperatorsSeeFactorsAndPasskeys(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	id := s["user"].(map[string]any)["id"].(string)
	path := "/admin/users/" + id
	for _, of := range []string{"/factors", "/passkeys"} {
		if a := d.admin(t, "GET", path+of, ""); a.status != 200 || a.body != "[]\n" {
			t.Errorf("%s: %+v", of, a)
		}
		if a := d.admin(t, "GET", "/admin/users/"+tokens.NewUUID()+of, ""); a.code(t) != "user_not_found" {
			t.Errorf("%s: %+v", of, a)
		}
	}
	if a := d.admin(t, "DELETE", path+"/factors/"+tokens.NewUUID(), ""); a.status != 404 || a.code(t) != "mfa_factor_not_found" {
		t.Errorf("%+v", a)
	}
	if a := d.admin(t, "DELETE", path+"/passkeys/"+tokens.NewUUID(), ""); a.status != 404 || a.code(t) != "webauthn_credential_not_found" {
		t.Errorf("%+v", a)
	}
	factor, passkey := tokens.NewUUID(), tokens.NewUUID()
	d.exec(t, `insert into auth.factors (id, user_id, kind, status, name, created_at, confirmed_at) values ($1, $2, 'totp', 'active', 'phone', now(), now())`, factor, id)
	d.exec(t, `update auth.users set active_mfa_type = 'totp', totp_secret = 'x' where id = $1`, id)
	d.exec(t, `insert into auth.user_security_keys (id, user_id, credential_id, credential_public_key, counter, transports, nickname) values ($1, $2, 'c', 'k', 0, '', 'blue')`, passkey, id)
	other := d.made(t, `{"email":"`+newAddress()+`"}`)["id"].(string)
	if a := d.admin(t, "DELETE", "/admin/users/"+other+"/factors/"+factor, ""); a.code(t) != "mfa_factor_not_found" {
		t.Errorf("of somebody else: %+v", a)
	}
	if a := d.admin(t, "DELETE", path+"/passkeys/"+passkey, ""); a.status != 204 || a.body != "" {
		t.Errorf("%+v", a)
	}
	if f := d.ok(t, "DELETE", path+"/factors/"+factor, "", "Authorization", serviceKey()); f["id"] != factor || f["factor_type"] != "totp" || f["status"] != "verified" {
		t.Errorf("%v", f)
	}
	if a := d.admin(t, "GET", path+"/factors", ""); a.body != "[]\n" {
		t.Errorf("%+v", a)
	}
	if a := d.ask(t, "GET", "/user", "", "Authorization", bearer(s)); a.status != 403 {
		t.Errorf("a session goes on: %+v", a)
	}
}
