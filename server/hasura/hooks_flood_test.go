package hasura_test

import (
	"testing"
	"time"

	"postern/hooks"
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
