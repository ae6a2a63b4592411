package hasura_test

import (
	"testing"
	"time"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
)

// TestHooksSendNoMoreThanOneMayBeSent has a crowd ask for messages to one address and one number at once, while
// whoever sends them takes too long: each of the crowd is the first in its own transaction, which ends in nothing.
func TestHooksSendNoMoreThanOneMayBeSent(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.sends(t, h)
	d := openHooked(t, clock, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "3", "AUTH_SMS_USER_HOURLY_LIMIT": "3", "AUTH_RATE_LIMIT_ENABLE": "false"}, h)
	for name, step := range map[string]struct {
		hook, path string
		body       fields
	}{
		"sign-up": {"mail", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}},
		"link":    {"mail", signInLink, fields{"email": newAddress()}},
		"code":    {"mail", askMail, fields{"email": newAddress()}},
		"text":    {"text", askText, fields{"phoneNumber": newNumber()}},
	} {
		o.says(sleeps)
		answers, err := parallel(12, func(int) (reply, error) { return send(t.Context(), d.House, "POST", step.path, step.body, home()) })
		if err != nil {
			t.Fatal(err)
		}
		told := map[int]int{}
		for _, a := range answers {
			told[a.status]++
		}
		if got := o.asked(step.hook); len(got) != 3 || told[500] != 3 || told[429] != 9 {
			t.Errorf("%s: asked %d times to send, and answered %v", name, len(got), told)
		}
		o.says(agrees)
		if a := d.ask(t, "POST", step.path, step.body); a.status != 429 || a.header.Get("Retry-After") == "" || o.asked(step.hook) != nil {
			t.Errorf("%s: answered %s", name, a)
		}
		clock.Advance(time.Hour)
		o.says(denies) // which is an answer: nothing was sent
		for range 5 {
			d.ask(t, "POST", step.path, step.body).refused(t, 418, "hook-denied", "not today, says "+step.hook)
		}
		o.says(agrees)
		if a := d.ask(t, "POST", step.path, step.body); a.status != 200 {
			t.Errorf("%s: answered %s", name, a)
		}
		if got := o.asked(step.hook); len(got) != 6 {
			t.Errorf("%s: asked %d times", name, len(got))
		}
	}
}

// TestHooksHearOfNoMoreWrongPasswordsThanThereMayBe lets a crowd guess at one account at once: a hook that takes
// its time must not have all of them looked at before one is counted.
func TestHooksHearOfNoMoreWrongPasswordsThanThereMayBe(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	o.checks(t, h)
	d := openHooked(t, newStillClock(), unverified("AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_GLOBAL_BURST", "10000", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "3"), h)
	email := d.signUp(t, nil)
	o.says(sleeps)
	answers, err := parallel(12, func(int) (reply, error) {
		return send(t.Context(), d.House, "POST", passwordWay, fields{"email": email, "password": "wrong"}, home())
	})
	if err != nil {
		t.Fatal(err)
	}
	told := map[int]int{}
	for _, a := range answers {
		told[a.status]++
	}
	if got := o.asked("checked"); len(got) != 3 || told[401] != 3 || told[429] != 9 {
		t.Errorf("asked %d times, and answered %v", len(got), told)
	}
}

// checks binds the operator to passwords that were compared.
func (o *operator) checks(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks[hooks.PasswordChecked](t, o, &h.PasswordChecked, "checked", hooks.Vetoer, func(e hooks.PasswordChecked) (string, any) { return e.ID, fields{} }, nil)
}

// TestARightPasswordIsRefusedWhenAWrongOneWouldBe holds that a hook that locks an account locks it for whoever
// guesses on: the same words must not come at once to a right password, and later to others.
func TestARightPasswordIsRefusedWhenAWrongOneWouldBe(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	o.checks(t, h)
	d := doorway{testhouse.Open(t, everyWayIn(unverified()), func(o *house.Options) { o.Hooks = h })}
	email := d.signUp(t, nil)
	o.says(sleeps)
	d.ask(t, "POST", passwordWay, fields{"email": email, "password": "wrong"}).refused(t, 401, "invalid-email-password", wrongWords)
	o.says(denies)
	for _, password := range []string{"wrong", rightPassword} {
		began := time.Now()
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": password}).refused(t, 418, "hook-denied", "not today, says checked")
		if took := time.Since(began); took < hookTime {
			t.Errorf("%s: refused after %s", password, took)
		}
	}
}
