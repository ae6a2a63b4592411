package hasura_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/hooks"
	"postern/internal/testhouse"
	"postern/internal/testmail"
)

// silent are the requests whose answer must not tell whether an address or a number is known, with the
// settings where that is so.
var silent = map[string]struct {
	path, member, hook string
	settings           []string
}{
	"password reset":      {"/user/password/reset", "email", "mail", nil},
	"link":                {signInLink, "email", "mail", []string{"AUTH_DISABLE_AUTO_SIGNUP", "true"}},
	"link, sign-up":       {signUpLink, "email", "mail", nil},
	"code":                {askMail, "email", "mail", []string{"AUTH_DISABLE_AUTO_SIGNUP", "true"}},
	"code, sign-up":       {"/signup/otp/email", "email", "mail", nil},
	"text":                {askText, "phoneNumber", "text", []string{"AUTH_DISABLE_AUTO_SIGNUP", "true"}},
	"text, sign-up":       {"/signup/passwordless/sms", "phoneNumber", "text", nil},
	"text, locked, known": {askText, "phoneNumber", "text", []string{"AUTH_DISABLE_AUTO_SIGNUP", "true"}},
}

// TestSendHooksDoNotTellWhoIsKnown asks about somebody who is known and somebody who is not, while whoever
// sends messages agrees, refuses, fails and does not answer.
func TestSendHooksDoNotTellWhoIsKnown(t *testing.T) {
	t.Parallel()
	for name, s := range silent {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, o, h := newStillClock(), &operator{}, hooks.New()
			o.sends(t, h)
			d := openHooked(t, clock, unverified(append(s.settings, "AUTH_SMTP_HOST", "", "AUTH_SMS_PROVIDER", "")...), h)
			known := newNumber()
			if s.member == "email" {
				known = d.signUp(t, nil)
			} else {
				d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where email = $1`, d.signUp(t, nil), known)
			}
			if strings.Contains(name, "locked") {
				d.sql(t, `update auth.users set disabled = true`)
			}
			for plight, says := range map[string]func(context.Context, string, map[string]any) (any, error){"agrees": agrees, "denies": denies, "breaks": breaks, "sleeps": sleeps} {
				o.says(says)
				unknown := newAddress()
				if s.member != "email" {
					unknown = newNumber()
				}
				a, b := d.ask(t, "POST", s.path, fields{s.member: known}), d.ask(t, "POST", s.path, fields{s.member: unknown})
				a.ok(t)
				if a.status != b.status || a.body != b.body {
					t.Errorf("a hook that %s tells who is known: %s, and %s", plight, a, b)
				}
			}
		})
	}
}

// TestSendHookIsNotWaitedFor asks for a mail while its receiver does not answer at all.
func TestSendHookIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	box, release := newProgram(t), make(chan struct{})
	answer := sync.OnceFunc(func() { close(release) })
	t.Cleanup(answer)
	h := openMailed(t, box, newStillClock(), "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", "false")
	email := h.signUp(t, nil)
	box.answers(func(int, map[string]any) (int, string) { <-release; return 200, `{}` })
	h.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t) // waiting, it would be refused
	answer()
	h.mail(t, "recovery", email)
}

// TestQueuedMailsGoToTheirOwner has messages wait that a hook sends: it is asked again while it fails, with
// the same id; what it refuses is a dead letter; and there is nobody else who sends them, not even those
// that were queued for a mail server.
func TestQueuedMailsGoToTheirOwner(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	before := doorway{testhouse.Open(t, everyWayIn(unverified()), stopped(clock), through(vouching))}
	before.Mail.FailAlways(mailIsDown())
	email := before.signUp(t, nil)
	before.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	wait := func(sql string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); value[int](t, before, sql) == 0; value[int](t, before, `select 1 from pg_sleep(0.02)`) {
			if time.Now().After(deadline) {
				t.Fatalf("still nothing: %s", sql)
			}
		}
	}
	wait(`select count(*) from postern_river.river_job where kind = 'postern_mail' and errors is not null`)
	if err := before.Carriers.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.Mail.FailAlways(testmail.None)

	box := newProgram(t)
	box.answers(func(n int, _ map[string]any) (int, string) {
		if n == 1 {
			return 500, `{}`
		}
		return 200, `{}`
	})
	settings := maps.Clone(before.Env)
	settings["AUTH_HOOK_SEND_EMAIL_ENABLED"], settings["AUTH_HOOK_SEND_EMAIL_URI"], settings["AUTH_HOOK_SEND_EMAIL_SECRETS"] = "true", box.URL, postboxSecret
	d := hooked{doorway{before.With(t, settings, stopped(clock), through(vouching))}, box, map[string]bool{}}
	first, second := d.mail(t, "recovery", email), mailed{}
	due := `update postern_river.river_job set scheduled_at = now() where kind = 'postern_mail' and state in ('scheduled', 'retryable')`
	for second.data == nil {
		d.sql(t, due)
		value[int](t, d.doorway, `select 1 from pg_sleep(0.02)`)
		if all := box.all(t, d.doorway); len(all) == 2 {
			second.data, _ = all[1]["email_data"].(map[string]any)
			a, _ := all[0]["metadata"].(map[string]any)
			b, _ := all[1]["metadata"].(map[string]any)
			if a["uuid"] != b["uuid"] {
				t.Error("the second attempt has an id of its own")
			}
		}
	}
	if first.text("token_hash") != second.text("token_hash") {
		t.Errorf("told %v, then %v", first, second)
	}
	d.enters(t, second, clientURL)

	// A refusal is final, and told as an event.
	box.answers(func(int, map[string]any) (int, string) {
		return 200, `{"error":{"http_code":403,"message":"Not to them"}}`
	})
	d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	wait(`select count(*) from postern_river.river_job where kind = 'postern_mail' and state = 'cancelled'`)
	if n := len(box.all(t, d.doorway)); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if strings.Contains(d.Log.String(), "Not to them") || !strings.Contains(d.Log.String(), "kept as a dead letter") {
		t.Error("the log says too much or too little")
	}
	// One who cannot just now is asked again, whatever the words.
	box.answers(func(int, map[string]any) (int, string) { return 200, `{"error":{"http_code":429,"message":"Later"}}` })
	d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	wait(`select count(*) from postern_river.river_job where kind = 'postern_mail' and state in ('retryable', 'scheduled')`)
	// Within a request, too, nobody else sends what the hook will not.
	d.ask(t, "POST", signInLink, fields{"email": email}).refused(t, 429, "hook-denied", "Later")
	if n := len(before.Mail.To(email)); n != 0 {
		t.Errorf("the mail server got %d mails", n)
	}
}

// TestFunctionsJoinOnceForGood signs somebody up whose mail a hook sends: the function that joins the
// transaction is asked before anything is sent and again with what is kept, about the same event.
func TestFunctionsJoinOnceForGood(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.sends(t, h)
	var ids []string
	err := h.UserInserted.Bind(hooks.Joining[hooks.UserInserted]{Name: "profile", Join: func(ctx context.Context, tx hooks.Transaction, limit time.Duration, e hooks.UserInserted) error {
		ids = append(ids, e.ID)
		text, err := json.Marshal(fields{"id": e.User.ID, "method": e.Method})
		if err != nil {
			return err
		}
		answer, err := tx.CallFunction(ctx, "public", "profile of", text, limit)
		if err == nil && strings.Contains(string(answer), "no") {
			err = &hooks.Denied{Status: 409, Message: "no room"}
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := openHooked(t, clock, nil, h)
	d.sql(t, profiles)
	d.sql(t, `insert into public.full_house values (true)`)
	d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}).refused(t, 409, "hook-denied", "no room")
	if o.asked("mail") != nil {
		t.Error("a mail was sent to somebody whom the function refused")
	}
	d.sql(t, `truncate public.full_house`)
	ids = nil
	email := d.signUp(t, nil)
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("asked about the events %v", ids)
	}
	if n := value[int](t, d, `select count(*) from public.profiles p join auth.users u on u.id = p.user_id where u.email = $1`, email); n != 1 {
		t.Errorf("%d profiles", n)
	}
	if got := o.asked("mail"); len(got) != 1 {
		t.Errorf("%d mails", len(got))
	}
}
