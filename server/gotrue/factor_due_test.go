package gotrue_test

import (
	"slices"
	"testing"
	"time"
)

// TestWhoKnowsThePasswordAlone holds what a session that owes the second factor could do to the user's others: sign them out,
// give up the app that they are about to set up, and use up the challenges by which they prove the factor.
func TestWhoKnowsThePasswordAlone(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	app := d.enrol(t, s)
	whole := app.raise(t, s)
	thief := d.signIn(t, email)
	as := []string{"Authorization", bearer(thief)}

	d.ask(t, "POST", "/logout?scope=others", "", as...).refused(t, 403, "insufficient_aal")
	if _, err := d.Store.Pool().Exec(t.Context(), `insert into auth.factors (id, user_id, kind, status, secret, created_at)
		select '5b1c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59', id, 'totp', 'pending', 'x', now() from auth.users where email = $1`, email); err != nil {
		t.Fatal(err)
	}
	d.ask(t, "DELETE", "/factors/5b1c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59", "", as...).refused(t, 422, "insufficient_aal")

	mine := d.signIn(t, email)
	open := d.challenge(t, mine, app.factor)
	var theirs []string
	for range 30 {
		theirs = append(theirs, d.challenge(t, thief, app.factor))
	}
	var left int
	if err := d.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.tickets k join auth.users u on u.id = k.user_id where u.email = $1 and k.purpose = 'factor-challenge'`, email).Scan(&left); err != nil || left != 6 {
		t.Errorf("%d challenges are left, %v", left, err)
	}
	d.prove(t, thief, app.factor, theirs[0], app.code(t)).refused(t, 422, "mfa_challenge_expired")
	d.prove(t, mine, app.factor, theirs[29], app.code(t)).refused(t, 422, "mfa_challenge_expired") // of another session
	d.prove(t, thief, app.factor, open, app.code(t)).refused(t, 422, "mfa_challenge_expired")
	if a := d.prove(t, mine, app.factor, open, app.code(t)); a.status != 200 {
		t.Errorf("%+v", a)
	}

	thief = d.signIn(t, email)
	if a := d.ask(t, "POST", "/logout", "", "Authorization", bearer(thief)); a.status != 204 {
		t.Errorf("%+v", a)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(thief)).refused(t, 403, "session_not_found")
	d.ok(t, "GET", "/user", "", "Authorization", bearer(whole))
	if a := d.ask(t, "POST", "/logout", "", "Authorization", bearer(whole)); a.status != 204 {
		t.Errorf("%+v", a)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(whole)).refused(t, 403, "session_not_found")
}

// TestTokensFromBeforeTheSecondFactor has somebody hold an access token of a session that is raised later: it does not grow with it.
func TestTokensFromBeforeTheSecondFactor(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, map[string]string{"AUTH_MFA_SIGN_INS": "password"})
	email := newAddress()
	d.confirmed(t, email)
	app := d.enrolled(t, email)
	d.ok(t, "POST", "/otp", `{"email":"`+email+`"}`)
	code, _ := d.mailed(t, email, 2)
	stolen := d.ok(t, "POST", "/verify", `{"type":"email","email":"`+email+`","token":"`+code+`"}`)
	if c := claims(t, stolen); c["aal"] != "aal1" || c["factor_due"] != nil {
		t.Fatalf("%v", c)
	}
	for _, r := range [][3]string{{"PUT", "/user", `{"password":"another long one"}`}, {"POST", "/passkeys/registration/options", ""}, {"DELETE", "/factors/" + app.factor, ""}} {
		if a := d.ask(t, r[0], r[1], r[2], "Authorization", bearer(stolen)); a.code(t) != "insufficient_aal" {
			t.Errorf("before, %v: %d %s", r, a.status, a.body)
		}
	}
	whole := app.raise(t, stolen)
	for _, r := range [][3]string{{"PUT", "/user", `{"password":"another long one"}`}, {"POST", "/passkeys/registration/options", ""}, {"DELETE", "/factors/" + app.factor, ""}} {
		if a := d.ask(t, r[0], r[1], r[2], "Authorization", bearer(stolen)); a.code(t) != "insufficient_aal" {
			t.Errorf("after, %v: %d %s", r, a.status, a.body)
		}
	}
	d.ok(t, "POST", "/passkeys/registration/options", "", "Authorization", bearer(whole))
	d.Clock.Advance(time.Minute)
	whole = d.refresh(t, whole).said(t)
	d.ok(t, "PUT", "/user", `{"password":"another long one"}`, "Authorization", bearer(whole))
	if !slices.Contains(methods(t, whole), "totp") {
		t.Errorf("%v", methods(t, whole))
	}
}
