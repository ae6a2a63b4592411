package gotrue_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
	"postern/tokens"
	"postern/totp"
)

// authenticator is an authenticator app.
type authenticator struct {
	door
	factor string
	secret totp.Secret
}

// code is one that was not shown before: time passes until there is another.
func (a *authenticator) code(t testing.TB) string {
	t.Helper()
	a.Clock.Advance(totp.Period)
	code, err := totp.At(a.secret, totp.Step(a.Clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrol begins a factor.
func (d door) enrol(t testing.TB, session map[string]any) *authenticator {
	t.Helper()
	got := d.ok(t, "POST", "/factors", `{"factor_type":"totp","friendly_name":"phone of ann","issuer":"Example"}`, "Authorization", bearer(session))
	codes := got["totp"].(map[string]any)
	secret, err := totp.ParseSecret(codes["secret"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{d, got["id"].(string), secret}
}

// challenge begins to prove a factor.
func (d door) challenge(t testing.TB, session map[string]any, factor string) string {
	t.Helper()
	return d.ok(t, "POST", "/factors/"+factor+"/challenge", `{"factorId":"`+factor+`"}`, "Authorization", bearer(session))["id"].(string)
}

func (d door) prove(t testing.TB, session map[string]any, factor, challenge, code string) answer {
	t.Helper()
	return d.ask(t, "POST", "/factors/"+factor+"/verify", `{"challenge_id":"`+challenge+`","code":"`+code+`"}`, "Authorization", bearer(session))
}

// raise proves the factor in a session.
func (a *authenticator) raise(t testing.TB, session map[string]any) map[string]any {
	t.Helper()
	got := a.prove(t, session, a.factor, a.challenge(t, session, a.factor), a.code(t))
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return got.said(t)
}

// claims are what the access token of a session says.
func claims(t testing.TB, session map[string]any) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(session["access_token"].(string), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func methods(t testing.TB, session map[string]any) (list []string) {
	t.Helper()
	for _, m := range claims(t, session)["amr"].([]any) {
		list = append(list, m.(map[string]any)["method"].(string))
	}
	return list
}

func (a answer) refused(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status || a.code(t) != code {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, code)
	}
}

func (d door) signIn(t testing.TB, email string) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
}

func (d door) refresh(t testing.TB, session map[string]any) answer {
	t.Helper()
	return d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+session["refresh_token"].(string)+`"}`)
}

// TestSecondFactor goes all the way: enrol, prove, sign in with one factor, raise the session, take the factor off.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	first := d.confirmed(t, email)
	other := d.signIn(t, email)

	got := d.ok(t, "POST", "/factors", `{"factor_type":"totp","friendly_name":"old","phone":null}`, "Authorization", bearer(first))
	drawing := got["totp"].(map[string]any)["qr_code"].(string)
	if err := xml.Unmarshal([]byte(drawing), new(struct{})); err != nil || !strings.HasPrefix(drawing, "<?xml") {
		t.Errorf("qr_code is no drawing: %v", err)
	}
	ann := d.enrol(t, first) // in the place of the one that nobody confirmed
	factors := d.ok(t, "GET", "/user", "", "Authorization", bearer(first))["factors"].([]any)
	if len(factors) != 1 || factors[0].(map[string]any)["status"] != "unverified" || factors[0].(map[string]any)["friendly_name"] != "phone of ann" || factors[0].(map[string]any)["id"] != ann.factor {
		t.Errorf("factors %v", factors)
	}
	if a := d.signIn(t, email); claims(t, a)["aal"] != "aal1" || claims(t, a)["factor_due"] != nil {
		t.Error("a factor is asked for that nobody confirmed")
	}

	challenge := d.challenge(t, first, ann.factor)
	d.prove(t, first, ann.factor, challenge, "000000").refused(t, 422, "mfa_verification_failed")
	a := d.prove(t, first, ann.factor, challenge, ann.code(t))
	if a.status != 200 {
		t.Fatalf("%+v", a)
	}
	raised := a.said(t)
	if c, was := claims(t, raised), claims(t, first); c["aal"] != "aal2" || c["session_id"] != was["session_id"] || c["factor_due"] != nil {
		t.Errorf("raised to %v", c)
	}
	if diff := cmp.Diff([]string{"totp", "otp"}, methods(t, raised)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	if f := raised["user"].(map[string]any)["factors"].([]any); f[0].(map[string]any)["status"] != "verified" {
		t.Errorf("the answer has factors %v", f)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(other)).refused(t, 403, "session_not_found")

	half := d.signIn(t, email)
	if c := claims(t, half); c["aal"] != "aal1" || c["factor_due"] != true || c["https://hasura.io/jwt/claims"] != nil {
		t.Errorf("after one factor: %v", c)
	}
	if f := half["user"].(map[string]any)["factors"].([]any); len(f) != 1 {
		t.Errorf("clients cannot tell that there is a factor: %v", f)
	}
	half = d.refresh(t, half).said(t)
	if c := claims(t, half); c["aal"] != "aal1" || c["factor_due"] != true {
		t.Errorf("a refresh raises: %v", c)
	}
	whole := ann.raise(t, half)
	if c := claims(t, whole); c["aal"] != "aal2" || c["https://hasura.io/jwt/claims"] == nil {
		t.Errorf("after both: %v", c)
	}
	whole = d.refresh(t, whole).said(t)
	if c := claims(t, whole); c["aal"] != "aal2" || c["https://hasura.io/jwt/claims"] == nil {
		t.Errorf("after a refresh: %v", c)
	}
	if a := d.byHasura(t, "GET", "/user", "", "Authorization", bearer(whole)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	d.ok(t, "GET", "/user", "", "Authorization", bearer(raised)) // it has proved both: it stays

	if got := d.ok(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(whole)); got["id"] != ann.factor {
		t.Errorf("%v", got)
	}
	left := d.refresh(t, whole).said(t)
	if c := claims(t, left); c["aal"] != "aal1" || left["user"].(map[string]any)["factors"] != nil || slices.Contains(methods(t, left), "totp") {
		t.Errorf("without the factor: %v", left)
	}
	if c := claims(t, d.signIn(t, email)); c["factor_due"] != nil {
		t.Errorf("after it is gone: %v", c)
	}
	seen := d.told(t, email)
	for _, word := range []string{"factor.staged", "factor.enabled", "session.raised", "factor.disabled"} {
		if !slices.Contains(seen, word) {
			t.Errorf("the audit log lacks %s: %v", word, seen)
		}
	}
}

// told are the words of the audit log about somebody.
func (d door) told(t testing.TB, email string) (words []string) {
	t.Helper()
	err := d.Store.Pool().QueryRow(t.Context(), `select coalesce(array_agg(e.event order by e.at), '{}') from auth.audit_entries e join auth.users u on u.id = e.user_id where u.email = $1`, email).Scan(&words)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

// TestTrap11MFAVerifyChangesTheRefreshToken has no token from before the second factor lead to it, and ends the sessions
// that have not proved it.
func TestTrap11MFAVerifyChangesTheRefreshToken(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	d.enrol(t, s).raise(t, s)
	ann := d.enrolled(t, email)

	half, beside := d.signIn(t, email), d.signIn(t, email)
	next := d.refresh(t, half).said(t)
	whole := ann.raise(t, next)
	for name, old := range map[string]map[string]any{"the first": half, "the last": next, "that of another session": beside} {
		if a := d.refresh(t, old); a.status != 400 || a.code(t) != "refresh_token_not_found" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(beside)).refused(t, 403, "session_not_found")
	if a := d.refresh(t, whole); a.status != 200 {
		t.Errorf("an old token ended the session: %+v", a)
	}
	// An access token from before is still of one factor.
	d.ask(t, "PUT", "/user", `{"password":"another long one"}`, "Authorization", bearer(next)).refused(t, 401, "insufficient_aal")
}

// enrolled is the app of somebody, as the database has it: the factor is turned on.
func (d door) enrolled(t testing.TB, email string) *authenticator {
	t.Helper()
	secret := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	var id string
	err := d.Store.Pool().QueryRow(t.Context(), `with gone as (delete from auth.factors where user_id = (select id from auth.users where email = $1))
		update auth.users set totp_secret = $2, active_mfa_type = 'totp' where email = $1 returning id::text`, email, secret).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := totp.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{d, id, s}
}

// TestTrap15FactorsOfThePeer are what GoTrue does and nobody should: codes that count twice, guesses without end, challenges
// that are good at one address alone.
func TestTrap15FactorsOfThePeer(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_TRUSTED_PROXIES": "127.0.0.0/8"})
	email := newAddress()
	d.confirmed(t, email)
	ann := d.enrolled(t, email)
	half := d.signIn(t, email)

	code := ann.code(t)
	challenge := d.challenge(t, half, ann.factor)
	a := d.ask(t, "POST", "/factors/"+ann.factor+"/verify", `{"challenge_id":"`+challenge+`","code":"`+code+`"}`, "Authorization", bearer(half), "X-Forwarded-For", "203.0.113.9")
	if a.status != 200 {
		t.Errorf("from another address: %+v", a)
	}
	again := d.signIn(t, email)
	d.prove(t, again, ann.factor, d.challenge(t, again, ann.factor), code).refused(t, 422, "mfa_verification_failed")

	challenge = d.challenge(t, again, ann.factor)
	for range 5 {
		d.prove(t, again, ann.factor, challenge, "000000").refused(t, 422, "mfa_verification_failed")
	}
	d.prove(t, again, ann.factor, challenge, ann.code(t)).refused(t, 422, "mfa_challenge_expired")
	var refused answer
	ann.Clock.Advance(10 * time.Minute)
	again = d.refresh(t, again).said(t)
	for range 50 { // the budget of the account, whatever the challenge
		challenge = d.challenge(t, again, ann.factor)
		if refused = d.prove(t, again, ann.factor, challenge, "000000"); refused.status == 429 {
			break
		}
		ann.Clock.Advance(time.Minute)
		again = d.refresh(t, again).said(t)
	}
	refused.refused(t, 429, "over_request_rate_limit")
	if refused.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
}

// TestOneFactorIsNotTwo holds what a session may do before the second factor is proved, here and at the other doors.
func TestOneFactorIsNotTwo(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_WEBAUTHN_ENABLED": "true", "AUTH_MFA_ENABLED": "true", "AUTH_ADMIN_ROLE": "auth-admin", "AUTH_WEBAUTHN_RP_ID": "app.example.com", "AUTH_WEBAUTHN_RP_ORIGINS": "https://app.example.com"})
	email := newAddress()
	d.confirmed(t, email)
	ann := d.enrolled(t, email)
	half := d.signIn(t, email)
	as := []string{"Authorization", bearer(half)}

	d.ok(t, "GET", "/user", "", as...)
	d.ok(t, "PUT", "/user", `{"data":{"theme":"dark"}}`, as...)
	for _, body := range []string{`{"password":"another long one"}`, `{"email":"` + newAddress() + `"}`} {
		d.ask(t, "PUT", "/user", body, as...).refused(t, 401, "insufficient_aal")
	}
	d.ask(t, "POST", "/factors", `{"factor_type":"totp","friendly_name":"mine"}`, as...).refused(t, 403, "insufficient_aal")
	d.ask(t, "DELETE", "/factors/"+ann.factor, "", as...).refused(t, 422, "insufficient_aal")

	for _, r := range []struct{ method, path, body string }{
		{"POST", "/token", `{"refreshToken":"` + half["refresh_token"].(string) + `"}`},
		{"GET", "/user", ""},
		{"POST", "/user/password", `{"newPassword":"another long one"}`},
		{"POST", "/user/email/change", `{"newEmail":"` + newAddress() + `"}`},
		{"POST", "/pat", `{"expiresAt":"2099-01-01T00:00:00Z"}`},
		{"GET", "/mfa/totp/generate", ""},
		{"POST", "/user/mfa", `{"code":"000000","activeMfaType":""}`},
		{"GET", "/elevate", ""},
		{"POST", "/elevate/totp", `{"otp":"000000"}`},
		{"POST", "/user/webauthn/add", ""},
		{"POST", "/mfa/recovery-codes", `{}`},
		{"POST", "/token/verify", ""},
	} {
		if a := d.byHasura(t, r.method, r.path, r.body, as...); a.status != 401 && (r.path != "/token/verify" || a.status != 400) {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
		}
	}
	if a := d.refresh(t, half); a.status != 200 {
		t.Errorf("the other door used the token up: %+v", a)
	}
	// The other door asks for it itself, as ever.
	a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password))
	if a.status != 200 || a.said(t)["session"] != nil || a.said(t)["mfa"] == nil {
		t.Errorf("%+v", a)
	}

	// Who holds a role of operators is one with both factors alone.
	if _, err := d.Store.Pool().Exec(t.Context(), `insert into auth.roles (role) values ('auth-admin') on conflict do nothing`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Store.Pool().Exec(t.Context(), `insert into auth.user_roles (user_id, role) select id, 'auth-admin' from auth.users where email = $1`, email); err != nil {
		t.Fatal(err)
	}
	half = d.signIn(t, email)
	if a := d.operate(t, half); strings.Contains(a.body, "users\":") || !strings.Contains(a.body, "unauthorized") {
		t.Errorf("%+v", a)
	}
	if a := d.operate(t, ann.raise(t, half)); !strings.Contains(a.body, email) {
		t.Errorf("%+v", a)
	}
}

// operate asks the door of operators.
func (d door) operate(t testing.TB, session map[string]any) answer {
	t.Helper()
	resp, got := d.DoAt(t, http.MethodPost, d.origin()+"/graphql", `{"query":"{ users(first: 5) { edges { node { email } } } }"}`, "Authorization", bearer(session))
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, got}
}

// TestFactorsAreTheirOwners tries what is somebody else's, a guest's, or nothing.
func TestFactorsAreTheirOwners(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	hers, his := newAddress(), newAddress()
	d.confirmed(t, hers)
	d.confirmed(t, his)
	ann, bob := d.enrolled(t, hers), d.enrolled(t, his)
	annHalf, bobHalf := d.signIn(t, hers), d.signIn(t, his)
	challenge := d.challenge(t, annHalf, ann.factor)

	d.prove(t, bobHalf, ann.factor, challenge, ann.code(t)).refused(t, 404, "mfa_factor_not_found")
	d.prove(t, bobHalf, bob.factor, challenge, bob.code(t)).refused(t, 422, "mfa_challenge_expired")
	d.ask(t, "POST", "/factors/"+ann.factor+"/challenge", "{}", "Authorization", bearer(bobHalf)).refused(t, 404, "mfa_factor_not_found")
	d.ask(t, "DELETE", "/factors/"+ann.factor, "", "Authorization", bearer(bobHalf)).refused(t, 404, "mfa_factor_not_found")
	d.ask(t, "POST", "/factors/nonsense/challenge", "", "Authorization", bearer(bobHalf)).refused(t, 404, "validation_failed")
	d.ask(t, "POST", "/factors", `{"factor_type":"totp"}`).refused(t, 401, "no_authorization")
	d.prove(t, annHalf, ann.factor, tokens.NewUUID(), ann.code(t)).refused(t, 422, "mfa_challenge_expired")
	for body, code := range map[string]string{
		`{"challenge_id":"x","code":"123456"}`:                                           "validation_failed",
		`{"challenge_id":"` + challenge + `"}`:                                           "validation_failed",
		`{"challenge_id":"` + challenge + `","code":1}`:                                  "bad_json",
		`{"challenge_id":"` + challenge + `","code":"` + strings.Repeat("1", 999) + `"}`: "validation_failed",
	} {
		d.ask(t, "POST", "/factors/"+ann.factor+"/verify", body, "Authorization", bearer(annHalf)).refused(t, 400, code)
	}
	d.Clock.Advance(6 * time.Minute)
	d.prove(t, annHalf, ann.factor, challenge, ann.code(t)).refused(t, 422, "mfa_challenge_expired")

	guest := d.ok(t, "POST", "/signup", `{}`)
	d.ask(t, "POST", "/factors", `{"factor_type":"totp"}`, "Authorization", bearer(guest)).refused(t, 403, "no_authorization")
	whole := ann.raise(t, annHalf)
	d.ask(t, "POST", "/factors", `{"factor_type":"totp"}`, "Authorization", bearer(whole)).refused(t, 422, "too_many_enrolled_mfa_factors")
	for body, code := range map[string]string{
		`{"factor_type":"carrier pigeon"}`: "validation_failed", `{"factor_type":"totp","issuer":"a:b"}`: "validation_failed",
		`{"factor_type":"totp","friendly_name":"` + strings.Repeat("x", 101) + `"}`: "validation_failed",
	} {
		s := d.confirmed(t, newAddress())
		d.ask(t, "POST", "/factors", body, "Authorization", bearer(s)).refused(t, 400, code)
	}
	d.ask(t, "POST", "/factors", `{"factor_type":"phone","phone":"15551234567"}`, "Authorization", bearer(whole)).refused(t, 422, "mfa_phone_enroll_not_enabled")

	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set banned_until = now() + interval '1 hour' where email = $1`, his); err != nil {
		t.Fatal(err)
	}
	d.ask(t, "POST", "/factors/"+bob.factor+"/challenge", "{}", "Authorization", bearer(bobHalf)).refused(t, 403, "user_banned")
}

// TestACodeRaisesOneSession has many come with one code at once, each with a session of their own.
func TestACodeRaisesOneSession(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.confirmed(t, email)
	ann := d.enrolled(t, email)
	const many = 8
	var sessions [many]map[string]any
	var challenges [many]string
	for i := range many {
		sessions[i] = d.signIn(t, email)
		challenges[i] = d.challenge(t, sessions[i], ann.factor)
	}
	code := ann.code(t)
	var wg sync.WaitGroup
	answers := make([]answer, many)
	for i := range many {
		wg.Go(func() { answers[i] = d.prove(t, sessions[i], ann.factor, challenges[i], code) })
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
		t.Errorf("%d sessions were raised by one code", raised)
	}
}

// TestSecondFactorHook lets a hook refuse a right code, here as at the other door.
func TestSecondFactorHook(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	var mu sync.Mutex
	var seen []bool
	deny := true
	err := h.FactorChecked.Bind(hooks.Binding[hooks.FactorChecked]{Name: "factor", Kind: hooks.Vetoer, Timeout: time.Minute, Ask: func(_ context.Context, e hooks.FactorChecked) (func(*hooks.FactorChecked) error, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, e.Valid)
		if deny {
			return nil, &hooks.Denied{Status: 403, Code: "mfa_verification_rejected", Message: "not today", EndSessions: true}
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := door{testhouse.Open(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true"}, func(o *house.Options) { o.Hooks = h })}
	email := newAddress()
	s := d.confirmed(t, email)
	ann := d.enrol(t, s)
	d.prove(t, s, ann.factor, d.challenge(t, s, ann.factor), ann.code(t)).refused(t, 403, "mfa_verification_rejected")
	d.ask(t, "GET", "/user", "", "Authorization", bearer(s)).refused(t, 403, "session_not_found")
	mu.Lock()
	deny = false
	mu.Unlock()
	s = d.signIn(t, email)
	ann.raise(t, s)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]bool{true, true}, seen); diff != "" {
		t.Errorf("the hook heard: %s", diff)
	}
}
