package gotrue_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
)

// withPhones are the settings of a house where telephones are second factors.
func withPhones(more ...string) map[string]string {
	settings := map[string]string{"AUTH_MFA_PHONE_ENABLED": "true", "AUTH_MFA_ENABLED": "true", "AUTH_HASURA_ADMIN_SECRET": adminSecret, "AUTH_SMS_PASSWORDLESS_ENABLED": "true"}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return settings
}

// telephone is a second factor.
type telephone struct {
	door
	factor, number string
	sent           int
}

// stagePhone begins a telephone.
func (d door) stagePhone(t testing.TB, session map[string]any, name string) *telephone {
	t.Helper()
	number := newPhone(t)
	got := d.ok(t, "POST", "/factors", `{"factor_type":"phone","friendly_name":"`+name+`","phone":"`+number+`"}`, "Authorization", bearer(session))
	if got["type"] != "phone" || got["phone"] != number || got["friendly_name"] != name || got["totp"] != nil {
		t.Errorf("enrolled %v", got)
	}
	return &telephone{d, got["id"].(string), number, 0}
}

// asked begins to prove it, once that may be, and tells the code.
func (p *telephone) asked(t testing.TB, session map[string]any) (challenge, code string) {
	t.Helper()
	p.Clock.Advance(time.Minute)
	got := p.ok(t, "POST", "/factors/"+p.factor+"/challenge", `{"factorId":"`+p.factor+`","channel":"sms"}`, "Authorization", bearer(session))
	if got["type"] != "phone" {
		t.Errorf("challenge %v", got)
	}
	p.sent++
	return got["id"].(string), p.texted(t, p.number, p.sent)
}

// raise proves the factor in a session.
func (p *telephone) raise(t testing.TB, session map[string]any) map[string]any {
	t.Helper()
	challenge, code := p.asked(t, session)
	a := p.prove(t, session, p.factor, challenge, code)
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.said(t)
}

// another is a code of the same length.
func another(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

// TestTelephoneAsSecondFactor goes all the way: enrol, prove, sign in with one factor, raise the session, take the factor off.
func TestTelephoneAsSecondFactor(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	first := d.confirmed(t, email)
	other := d.signIn(t, email)
	d.stagePhone(t, first, "the old one")
	ann := d.stagePhone(t, first, "mobile") // in the place of the one that nobody confirmed
	if c := claims(t, d.signIn(t, email)); c["factor_due"] != nil {
		t.Error("a factor is asked for that nobody confirmed")
	}
	challenge, code := ann.asked(t, first)
	d.prove(t, first, ann.factor, challenge, another(code)).refused(t, 422, "mfa_verification_failed")
	a := d.prove(t, first, ann.factor, challenge, code)
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	raised := a.said(t)
	if c, was := claims(t, raised), claims(t, first); c["aal"] != "aal2" || c["session_id"] != was["session_id"] {
		t.Errorf("raised to %v", c)
	}
	if diff := cmp.Diff([]string{"mfa/phone", "otp"}, methods(t, raised)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	f := raised["user"].(map[string]any)["factors"].([]any)
	if len(f) != 1 || f[0].(map[string]any)["status"] != "verified" || f[0].(map[string]any)["factor_type"] != "phone" || f[0].(map[string]any)["phone"] != ann.number {
		t.Errorf("the answer has factors %v", f)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(other)).refused(t, 403, "session_not_found")
	if m := d.Mail.Wait(t, email, 2)[1]; !strings.Contains(m.Text, "a code in a text message") {
		t.Errorf("the user is told %q", m.Text)
	}

	half := d.refresh(t, d.signIn(t, email)).said(t)
	if c := claims(t, half); c["aal"] != "aal1" || c["factor_due"] != true || c["https://hasura.io/jwt/claims"] != nil {
		t.Errorf("after one factor: %v", c)
	}
	// The other door cannot ask for it, and lets nobody in by half.
	if a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password)); a.status != 401 || !strings.Contains(a.body, "mfa-unsupported") {
		t.Errorf("the other door: %d %s", a.status, a.body)
	}
	if a := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+half["refresh_token"].(string)+`"}`); a.status != 401 {
		t.Errorf("the other door refreshes: %d %s", a.status, a.body)
	}
	whole := d.refresh(t, ann.raise(t, half)).said(t)
	if c := claims(t, whole); c["aal"] != "aal2" || c["https://hasura.io/jwt/claims"] == nil {
		t.Errorf("after both: %v", c)
	}
	if got := d.ok(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(whole)); got["id"] != ann.factor {
		t.Errorf("%v", got)
	}
	left := d.refresh(t, whole).said(t)
	if c := claims(t, left); c["aal"] != "aal1" || c["factor_due"] != nil || left["user"].(map[string]any)["factors"] != nil || slices.Contains(methods(t, left), "mfa/phone") {
		t.Errorf("without the factor: %v", left)
	}
	if a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password)); a.status != 200 {
		t.Errorf("without the factor, the other door: %d %s", a.status, a.body)
	}
	for _, word := range []string{"factor.staged", "factor.enabled", "session.raised", "factor.disabled"} {
		if seen := d.told(t, email); !slices.Contains(seen, word) {
			t.Errorf("the audit log lacks %s: %v", word, seen)
		}
	}
	if m := d.Mail.Wait(t, email, 3)[2]; !strings.Contains(m.Text, "text messages are no longer a second factor") {
		t.Errorf("the user is told %q", m.Text)
	}
}

// TestTelephoneAndApp has somebody who has both, and gives one up, and then the other.
func TestTelephoneAndApp(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.stagePhone(t, s, "mobile")
	s = ann.raise(t, s)
	d.ask(t, "POST", "/factors", `{"factor_type":"totp","friendly_name":"mobile"}`, "Authorization", bearer(s)).refused(t, 422, "mfa_factor_name_conflict")
	app := d.enrol(t, s)
	half := d.signIn(t, email)
	d.ask(t, "POST", "/factors/"+app.factor+"/challenge", `{}`, "Authorization", bearer(half)).refused(t, 403, "insufficient_aal")
	s = app.raise(t, s)
	if diff := cmp.Diff([]string{"totp", "mfa/phone", "otp"}, methods(t, s)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	// Where an app is asked for, it still is.
	if a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password)); a.status != 200 || !strings.Contains(a.body, "mfaTotp:") {
		t.Errorf("the other door: %d %s", a.status, a.body)
	}
	byPhone := ann.raise(t, d.signIn(t, email))
	// What has proved the telephone alone owes the app once the telephone is gone; the others end.
	d.ok(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(byPhone))
	d.ask(t, "GET", "/user", "", "Authorization", bearer(s)).refused(t, 403, "session_not_found")
	fallen := d.refresh(t, byPhone).said(t)
	if c := claims(t, fallen); c["aal"] != "aal1" || c["factor_due"] != true {
		t.Errorf("by a telephone that is gone: %v", c)
	}
	whole := app.raise(t, fallen)
	again := d.stagePhone(t, whole, "mobile")
	whole = again.raise(t, whole)
	// Who has proved both keeps the level by what is left.
	d.ok(t, "DELETE", "/factors/"+app.factor, "", "Authorization", bearer(whole))
	kept := d.refresh(t, whole).said(t)
	if diff := cmp.Diff([]string{"mfa/phone", "otp"}, without(methods(t, kept), "password")); claims(t, kept)["aal"] != "aal2" || claims(t, kept)["factor_due"] != nil || diff != "" && !slices.Contains(methods(t, kept), "mfa/phone") {
		t.Errorf("by the telephone: %v %v", claims(t, kept), methods(t, kept))
	}
}

func without(all []string, word string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == word })
}

// TestRecoveryCodesStandInForATelephone has somebody lose it.
func TestRecoveryCodesStandInForATelephone(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.stagePhone(t, s, "mobile")
	s = ann.raise(t, s)
	a := d.byHasura(t, "POST", "/mfa/recovery-codes", `{}`, "Authorization", bearer(s))
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	code := a.said(t)["recoveryCodes"].([]any)[0].(string)
	half := d.signIn(t, email)
	challenge, _ := ann.asked(t, half)
	got := d.prove(t, half, ann.factor, challenge, code)
	if got.status != 200 || claims(t, got.said(t))["aal"] != "aal2" || methods(t, got.said(t))[0] != "recovery-code" {
		t.Errorf("%+v", got)
	}
	again := d.signIn(t, email)
	challenge, _ = ann.asked(t, again)
	d.prove(t, again, ann.factor, challenge, code).refused(t, 422, "mfa_verification_failed")
	// The last factor takes them along.
	d.ok(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(got.said(t)))
	if n := d.holds(t, `select count(*)::text from auth.recovery_codes c join auth.users u on u.id = c.user_id where u.email = $1`, email); n != "0" {
		t.Errorf("%s recovery codes are left", n)
	}
}

// TestTelephoneRefusals has the states in which each endpoint refuses.
func TestTelephoneRefusals(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones("AUTH_ANONYMOUS_USERS_ENABLED", "true"))
	email := newAddress()
	s := d.confirmed(t, email)
	as := []string{"Authorization", bearer(s)}
	for _, body := range []string{`{"factor_type":"phone"}`, `{"factor_type":"phone","phone":"no number"}`, `{"factor_type":"phone","phone":"0155512345"}`, `{"factor_type":"phone","phone":"` + strings.Repeat("1", 99) + `"}`} {
		d.ask(t, "POST", "/factors", body, as...).refused(t, 400, "validation_failed")
	}
	guest := d.ok(t, "POST", "/signup", `{}`)
	d.ask(t, "POST", "/factors", `{"factor_type":"phone","phone":"`+newPhone(t)+`"}`, "Authorization", bearer(guest)).refused(t, 403, "no_authorization")
	ann := d.stagePhone(t, s, "mobile")
	d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", `{"channel":"whatsapp"}`, as...).refused(t, 400, "validation_failed")

	// One text message a minute, whatever the session.
	challenge, code := ann.asked(t, s)
	a := d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", `{}`, as...)
	if a.refused(t, 429, "over_sms_send_rate_limit"); a.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	d.prove(t, s, ann.factor, challenge, code[:3]).refused(t, 422, "mfa_verification_failed")
	d.prove(t, s, ann.factor, "5b1c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59", code).refused(t, 422, "mfa_challenge_expired")
	stranger := d.confirmed(t, newAddress())
	d.prove(t, stranger, ann.factor, challenge, code).refused(t, 404, "mfa_factor_not_found")
	d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", `{}`, "Authorization", bearer(stranger)).refused(t, 404, "mfa_factor_not_found")
	if a := d.prove(t, s, ann.factor, challenge, code); a.status != 200 {
		t.Fatalf("%+v", a)
	}

	half := d.signIn(t, email)
	enrol := `{"factor_type":"phone","friendly_name":"another","phone":"` + newPhone(t) + `"}`
	d.ask(t, "POST", "/factors", enrol, "Authorization", bearer(half)).refused(t, 403, "insufficient_aal")
	d.ask(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(half)).refused(t, 422, "insufficient_aal")
	d.ask(t, "POST", "/factors", enrol, "Authorization", bearer(ann.raise(t, half))).refused(t, 422, "mfa_verified_factor_exists")

	// One that was enrolled long ago is none.
	late := d.confirmed(t, newAddress())
	old := d.stagePhone(t, late, "old")
	d.Clock.Advance(61 * time.Minute)
	late = d.refresh(t, late).said(t)
	d.ask(t, "POST", "/factors/"+old.factor+"/challenge", `{}`, "Authorization", bearer(late)).refused(t, 404, "mfa_factor_not_found")

	off := open(t, nil)
	d.ask(t, "GET", "/health", "")
	off.ask(t, "POST", "/factors", enrol, "Authorization", bearer(off.confirmed(t, newAddress()))).refused(t, 422, "mfa_phone_enroll_not_enabled")
}

// TestTextMessagesOfTelephonesAreBounded lets nobody run up a bill, with one number or many.
func TestTextMessagesOfTelephonesAreBounded(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones("AUTH_SMS_USER_HOURLY_LIMIT", "3", "AUTH_RATE_LIMIT_SMS_BURST", "1000"))
	s := d.confirmed(t, newAddress())
	ann := d.stagePhone(t, s, "first")
	for range 3 {
		ann.asked(t, s)
	}
	// The user, by another number.
	other := d.stagePhone(t, s, "second")
	d.Clock.Advance(time.Minute)
	d.ask(t, "POST", "/factors/"+other.factor+"/challenge", `{}`, "Authorization", bearer(s)).refused(t, 429, "over_sms_send_rate_limit")
	// The number, by another user, and to sign in.
	stranger := d.confirmed(t, newAddress())
	got := d.ok(t, "POST", "/factors", `{"factor_type":"phone","phone":"`+ann.number+`"}`, "Authorization", bearer(stranger))
	d.ask(t, "POST", "/factors/"+got["id"].(string)+"/challenge", `{}`, "Authorization", bearer(stranger)).refused(t, 429, "over_sms_send_rate_limit")
	d.ok(t, "POST", "/otp", `{"phone":"`+ann.number+`"}`)
	if n := len(d.SMS(t, "+"+ann.number, 3)); n != 3 {
		t.Errorf("%d text messages left", n)
	}
	// The client, whoever it is.
	poor := open(t, withPhones("AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_SMS_BURST", "1"))
	for i := range 2 {
		s := poor.confirmed(t, newAddress())
		p := poor.stagePhone(t, s, "mobile")
		a := poor.ask(t, "POST", "/factors/"+p.factor+"/challenge", `{}`, "Authorization", bearer(s))
		if i == 0 && a.status != 200 || i == 1 && (a.status != 429 || a.code(t) != "over_sms_send_rate_limit") {
			t.Errorf("%d: %+v", i, a)
		}
	}
}

// TestStrangersKeepNobodyFromTheirTelephone has strangers use up what a number is sent in an hour.
func TestStrangersKeepNobodyFromTheirTelephone(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones("AUTH_SMS_USER_HOURLY_LIMIT", "3", "AUTH_RATE_LIMIT_SMS_BURST", "1000"))
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.stagePhone(t, s, "mobile")
	ann.raise(t, s)
	for range 2 {
		d.Clock.Advance(time.Minute)
		d.ok(t, "POST", "/otp", `{"phone":"`+ann.number+`"}`)
		ann.sent++
		d.texted(t, ann.number, ann.sent)
	}
	thief := d.confirmed(t, newAddress())
	got := d.ok(t, "POST", "/factors", `{"factor_type":"phone","phone":"`+ann.number+`"}`, "Authorization", bearer(thief))
	d.ask(t, "POST", "/factors/"+got["id"].(string)+"/challenge", `{}`, "Authorization", bearer(thief)).refused(t, 429, "over_sms_send_rate_limit")
	ann.raise(t, d.signIn(t, email))
}

// TestNobodyHasACodeSentWhoMayNotConfirm has a session that owes a factor ask for messages to a number that the user is about to add.
func TestNobodyHasACodeSentWhoMayNotConfirm(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	app := d.enrol(t, d.confirmed(t, email))
	whole := app.raise(t, d.signIn(t, email))
	ann := d.stagePhone(t, whole, "mobile")
	half := d.signIn(t, email)
	d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", `{}`, "Authorization", bearer(half)).refused(t, 403, "insufficient_aal")
	ann.raise(t, whole)
	if n := len(d.SMS(t, "+"+ann.number, 1)); n != 1 {
		t.Errorf("%d text messages were sent", n)
	}
}

// TestCodesOfTelephonesProveNothingElse uses codes for what they were not sent for.
func TestCodesOfTelephonesProveNothingElse(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.stagePhone(t, s, "mobile")
	ann.raise(t, s)
	half, beside := d.signIn(t, email), d.signIn(t, email)
	challenge, code := ann.asked(t, half)
	d.prove(t, beside, ann.factor, challenge, code).refused(t, 422, "mfa_challenge_expired") // of another session
	d.ask(t, "POST", "/verify", `{"type":"sms","phone":"`+ann.number+`","token":"`+code+`"}`).refused(t, 403, "otp_expired")
	second, _ := ann.asked(t, half)
	d.prove(t, half, ann.factor, second, code).refused(t, 422, "mfa_verification_failed") // of another challenge
	// A code to sign in by the number is none of the factor.
	d.ok(t, "POST", "/otp", `{"phone":"`+ann.number+`"}`)
	ann.sent++
	signsIn := d.texted(t, ann.number, ann.sent)
	if signsIn != code {
		d.prove(t, half, ann.factor, challenge, signsIn).refused(t, 422, "mfa_verification_failed")
	}
	if a := d.prove(t, half, ann.factor, challenge, code); a.status != 200 {
		t.Errorf("%+v", a)
	}
	d.prove(t, half, ann.factor, challenge, code).refused(t, 422, "mfa_challenge_expired") // used

	// Tries end with the challenge, and with the budget of the account.
	again := d.signIn(t, email)
	challenge, code = ann.asked(t, again)
	for range 5 {
		d.prove(t, again, ann.factor, challenge, another(code)).refused(t, 422, "mfa_verification_failed")
	}
	d.prove(t, again, ann.factor, challenge, code).refused(t, 422, "mfa_challenge_expired")
	challenge, code = ann.asked(t, again)
	d.exec(t, `update auth.security_counters set window_ends_at = $1 where key like 'phone-factor:account:%'`, d.Clock.Now().Add(50*32*time.Hour))
	d.prove(t, again, ann.factor, challenge, code).refused(t, 429, "over_request_rate_limit")
	d.Clock.Advance(6 * time.Minute)
	again = d.refresh(t, again).said(t)
	d.prove(t, again, ann.factor, challenge, code).refused(t, 422, "mfa_challenge_expired")

	// Codes are in the database by their hashes alone.
	if n := d.holds(t, `select count(*)::text from auth.tickets where payload::text like '%' || $1 || '%'`, code); n != "0" {
		t.Errorf("%s tickets tell the code", n)
	}
}

// TestACodeOfATelephoneRaisesOnce has many come with one code at once.
func TestACodeOfATelephoneRaisesOnce(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.stagePhone(t, s, "mobile")
	ann.raise(t, s)
	half := d.signIn(t, email)
	challenge, code := ann.asked(t, half)
	var wg sync.WaitGroup
	answers := make([]answer, 4)
	for i := range answers {
		wg.Go(func() { answers[i] = d.prove(t, half, ann.factor, challenge, code) })
	}
	wg.Wait()
	raised := 0
	for _, a := range answers {
		if a.status == 200 {
			raised++
		} else if a.status >= 500 {
			t.Errorf("%+v", a)
		}
	}
	if raised != 1 {
		t.Errorf("%d came in by one code", raised)
	}
}

// TestAFactorBegunByAThiefIsNone has somebody who knows the password stage an app before the owner turns a telephone on.
func TestAFactorBegunByAThiefIsNone(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	thief := d.signIn(t, email)
	app := d.enrol(t, thief)
	ann := d.stagePhone(t, s, "mobile")
	ann.raise(t, s)
	back := d.signIn(t, email)
	d.ask(t, "POST", "/factors/"+app.factor+"/challenge", `{}`, "Authorization", bearer(back)).refused(t, 404, "mfa_factor_not_found")
	// Even one that was there still would not do.
	d.exec(t, `insert into auth.factors (id, user_id, kind, status, secret, created_at) select $2, id, 'totp', 'pending', 'x', now() from auth.users where email = $1`, email, app.factor)
	d.ask(t, "POST", "/factors/"+app.factor+"/challenge", `{}`, "Authorization", bearer(back)).refused(t, 403, "insufficient_aal")
	if a := d.refresh(t, s); a.status == 200 && claims(t, a.said(t))["aal"] == "aal1" {
		t.Error("a token from before refreshes")
	}
}

// TestOperatorsAndTelephones lists, changes and takes off the telephone of a user.
func TestOperatorsAndTelephones(t *testing.T) {
	t.Parallel()
	d := open(t, withPhones())
	email := newAddress()
	s := d.confirmed(t, email)
	id := s["user"].(map[string]any)["id"].(string)
	ann := d.stagePhone(t, s, "mobile")
	s = ann.raise(t, s)
	path := "/admin/users/" + id + "/factors"
	if a := d.admin(t, "GET", path, ""); a.status != 200 || !strings.Contains(a.body, `"phone":"`+ann.number+`"`) || !strings.Contains(a.body, `"factor_type":"phone"`) {
		t.Errorf("%+v", a)
	}
	if a := d.admin(t, "PUT", path+"/"+ann.factor, `{"friendly_name":"hers"}`); a.status != 200 || a.said(t)["friendly_name"] != "hers" || a.said(t)["phone"] != ann.number {
		t.Errorf("%+v", a)
	}
	d.ok(t, "GET", "/user", "", "Authorization", bearer(s)) // a name ends nothing

	// Another number: what was sent to the old one proves nothing, and nobody goes on by what it proved.
	half := d.signIn(t, email)
	challenge, code := ann.asked(t, half)
	moved := newPhone(t)
	if a := d.admin(t, "PUT", path+"/"+ann.factor, `{"phone":"`+moved+`"}`); a.status != 200 || a.said(t)["phone"] != moved || a.said(t)["friendly_name"] != "hers" {
		t.Errorf("%+v", a)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(s)).refused(t, 403, "session_not_found")
	if a := d.prove(t, half, ann.factor, challenge, code); a.status < 400 || a.status >= 500 {
		t.Errorf("%+v", a)
	}
	ann.number, ann.sent = moved, 0
	whole := ann.raise(t, d.signIn(t, email))
	for body, want := range map[string]int{`{"phone":"no number"}`: 400, `{"friendly_name":"` + strings.Repeat("x", 101) + `"}`: 400} {
		if a := d.admin(t, "PUT", path+"/"+ann.factor, body); a.status != want {
			t.Errorf("%s: %+v", body, a)
		}
	}
	d.admin(t, "PUT", path+"/5b1c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59", `{}`).refused(t, 404, "mfa_factor_not_found")
	d.ask(t, "PUT", path+"/"+ann.factor, `{"phone":"`+newPhone(t)+`"}`, "Authorization", bearer(whole)).refused(t, 403, "not_admin")

	if a := d.admin(t, "DELETE", path+"/"+ann.factor, ""); a.status != 200 || a.said(t)["id"] != ann.factor {
		t.Errorf("%+v", a)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(whole)).refused(t, 403, "session_not_found")
	if c := claims(t, d.signIn(t, email)); c["factor_due"] != nil {
		t.Errorf("after it is gone: %v", c)
	}
	if seen := d.told(t, email); !slices.Contains(seen, "factor.changed") || !slices.Contains(seen, "factor.reset") {
		t.Errorf("the audit log has %v", seen)
	}
}

// TestHooksAndTelephones has a hook send the code in the place of the gateway, within the request, and another judge it.
func TestHooksAndTelephones(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	var mu sync.Mutex
	var texts []hooks.SMSDue
	var judged []string
	refuse := true
	if err := h.SMSDue.Bind(hooks.Binding[hooks.SMSDue]{Name: "text", Kind: hooks.Vetoer, Timeout: time.Minute, Ask: func(_ context.Context, e hooks.SMSDue) (func(*hooks.SMSDue) error, error) {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			return nil, &hooks.Denied{Status: 400, Code: "hook_payload_invalid", Message: "not there"}
		}
		texts = append(texts, e)
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	if err := h.FactorChecked.Bind(hooks.Binding[hooks.FactorChecked]{Name: "factor", Kind: hooks.Vetoer, Timeout: time.Minute, Ask: func(_ context.Context, e hooks.FactorChecked) (func(*hooks.FactorChecked) error, error) {
		mu.Lock()
		defer mu.Unlock()
		judged = append(judged, fmt.Sprint(e.Type, " ", e.Valid, " ", e.FactorID != ""))
		return nil, nil
	}}); err != nil {
		t.Fatal(err)
	}
	d := door{testhouse.Open(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1", "AUTH_MFA_PHONE_ENABLED": "true", "AUTH_SMS_PROVIDER": ""}, func(o *house.Options) { o.Hooks = h })}
	s := d.confirmed(t, newAddress())
	ann := d.stagePhone(t, s, "mobile")
	as := []string{"Authorization", bearer(s)}
	if a := d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", `{}`, as...); a.status != 400 {
		t.Errorf("%+v", a)
	}
	if n := d.holds(t, `select count(*)::text from auth.tickets where purpose = 'factor-challenge'`); n != "0" {
		t.Errorf("%s challenges are left of a code that was not sent", n)
	}
	mu.Lock()
	refuse = false
	mu.Unlock()
	challenge := d.challenge(t, s, ann.factor)
	mu.Lock()
	if len(texts) != 1 || texts[0].Phone != "+"+ann.number || texts[0].Purpose != auth.FactorChallenge {
		t.Fatalf("the hook was told %+v", texts)
	}
	code := texts[0].Code.Reveal()
	mu.Unlock()
	d.prove(t, s, ann.factor, challenge, another(code)).refused(t, 422, "mfa_verification_failed")
	if a := d.prove(t, s, ann.factor, challenge, code); a.status != 200 {
		t.Errorf("%+v", a)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"phone false true", "phone true true"}, judged); diff != "" {
		t.Error(diff)
	}
}
